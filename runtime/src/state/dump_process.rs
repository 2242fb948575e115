//! The file `dump` in the directory of a container: the CRIU that dumps it at present.
//!
//! A dump holds the lock of the container and may last as long as another host fetches memory from
//! it, and CRIU outlives the process that has started it. `delete --force` finds here what it has
//! to end. Where that process was killed the file stays, and the next command that changes the
//! container undoes what the dump had done to it.

use std::fs::File;
use std::io::{Read as _, Write as _};

use rustix::fs::{AtFlags, Mode, OFlags, openat, unlinkat};
use rustix::io::Errno;

use super::directory::StateDirectory;
use crate::error::{Error, Result};
use crate::system::System;

/// The file: the pid of CRIU, a space, and its start time in clock ticks since boot.
const FILE: &str = "dump";

/// Two numbers, with room to spare.
const LONGEST: u64 = 64;

/// The record of a dump, under the lock of the container. It is removed with this value.
#[derive(Debug)]
pub(crate) struct DumpProcess<'a>(&'a StateDirectory);

impl<'a> DumpProcess<'a> {
    /// Records that this child of the calling process dumps the container.
    pub(crate) fn record(directory: &'a StateDirectory, system: &System, pid: u32) -> Result<Self> {
        let start = system.procfs()?.stat(pid).map(|stat| stat.start_time());
        let start = start.map_err(|error| Error::system("read the start time of CRIU", error))?;
        let failed = |error| Error::system(format!("record the dump in {FILE}"), error);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&directory.directory, FILE, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|errno| failed(errno.into()))?;
        let record = Self(directory);
        let text = format!("{pid} {start}\n");
        File::from(file)
            .write_all(text.as_bytes())
            .map_err(failed)?;
        Ok(record)
    }
}

impl Drop for DumpProcess<'_> {
    fn drop(&mut self) {
        remove(self.0);
    }
}

/// Removes the record. One that stays names a process that has ended.
pub(crate) fn remove(directory: &StateDirectory) {
    if let Err(errno) = unlinkat(&directory.directory, FILE, AtFlags::empty()) {
        log::debug!("remove the record of a dump: {errno}");
    }
}

/// The pid and the start time of the CRIU on record, which may have ended.
pub(crate) fn read(directory: &StateDirectory) -> Result<Option<(u32, u64)>> {
    let failed = |error| Error::system(format!("read {FILE}"), error);
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat(&directory.directory, FILE, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(failed(errno.into())),
    };
    let mut text = String::new();
    file.take(LONGEST)
        .read_to_string(&mut text)
        .map_err(failed)?;
    // Half a record is of a process that was killed before CRIU was asked for anything.
    Ok(parse(&text))
}

fn parse(text: &str) -> Option<(u32, u64)> {
    let (pid, start) = text.strip_suffix('\n')?.split_once(' ')?;
    Some((pid.parse().ok()?, start.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_record_is_none() {
        assert_eq!(parse("12 345\n"), Some((12, 345)));
        for text in ["", "12", "12 34", "12\n", "x 1\n", "1 -1\n"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
