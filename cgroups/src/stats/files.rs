//! The files of a cgroup in one hierarchy, as one reading of statistics goes through them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::PathBuf;

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::dir::{Dir, read_from_start};
use crate::file_format::{key_values, unparsable, unsigned};
use crate::open_files::{Known, OpenFiles};
use crate::{Error, Result};

#[derive(Debug)]
pub(crate) struct Files<'a> {
    dir: &'a Dir,
    open_files: &'a OpenFiles,
    /// What is not there will not come.
    complete: bool,
    /// The files that were looked for and do not exist.
    missing: RefCell<Vec<String>>,
    /// Whether there was any since [`found`](Self::found) was asked.
    found: Cell<bool>,
}

impl<'a> Files<'a> {
    pub(crate) fn new(dir: &'a Dir, open_files: &'a OpenFiles) -> Self {
        Self {
            dir,
            open_files,
            complete: false,
            missing: RefCell::default(),
            found: Cell::default(),
        }
    }

    /// The same files, for a hierarchy of cgroup v1: which ones there are is up to the kernel, and
    /// a file need not be looked for twice. On v2 they come and go with their controllers.
    pub(crate) fn complete(self) -> Self {
        Self {
            complete: true,
            ..self
        }
    }

    pub(crate) fn dir(&self) -> &Dir {
        self.dir
    }

    /// The content of a file; `None` if it does not exist.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>> {
        let read = match self.open_files.read(name) {
            Some(Known::Absent) => return Ok(None),
            Some(Known::Content(read)) => read,
            None => match self.dir.open(name, OFlags::RDONLY) {
                Ok(file) => {
                    let read = read_from_start(&file);
                    self.open_files.keep(name, file);
                    read
                }
                Err(error) if error.is_not_found() => Err(Errno::NOENT),
                Err(error) => return Err(error),
            },
        };
        match read {
            Ok(text) => {
                self.found.set(true);
                Ok(Some(text))
            }
            // An open file of a controller or cgroup that has just gone says ENODEV.
            Err(Errno::NOENT | Errno::NODEV) => {
                self.missing.borrow_mut().push(name.to_owned());
                Ok(None)
            }
            Err(errno) => Err(self.dir.error("read", name, errno)),
        }
    }

    /// Whether one of the files that were read since the last call exists.
    pub(crate) fn found(&self) -> bool {
        self.found.replace(false)
    }

    /// A file with one number; `None` if it does not exist.
    pub(crate) fn number_if_present(&self, name: &str) -> Result<Option<u64>> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        match unsigned(&text) {
            Some(number) => Ok(Some(number)),
            None => Err(self.malformed(name, &format!("{:?} is not a number", text.trim()))),
        }
    }

    /// A file with one number; 0 if it does not exist.
    pub(crate) fn number(&self, name: &str) -> Result<u64> {
        Ok(self.number_if_present(name)?.unwrap_or_default())
    }

    /// Hands out the lines `KEY NUMBER` of a file; `false` if it does not exist.
    pub(crate) fn table(&self, name: &str, mut each: impl FnMut(&str, u64)) -> Result<bool> {
        let Some(text) = self.text(name)? else {
            return Ok(false);
        };
        for pair in key_values(&text, &self.path(name)) {
            let (key, value) = pair?;
            each(key, value);
        }
        Ok(true)
    }

    /// As [`table`](Self::table), all lines as they are.
    pub(crate) fn table_into(&self, name: &str, all: &mut BTreeMap<String, u64>) -> Result<bool> {
        self.table(name, |key, value| {
            all.insert(key.to_owned(), value);
        })
    }

    pub(crate) fn malformed(&self, name: &str, why: &str) -> Error {
        unparsable(&self.path(name), why)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Ends the reading. What is not there counts nothing, but only while the cgroup is there: the
    /// directory of one that was removed stays open, without files, whatever has its name now.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if the cgroup was removed.
    pub(crate) fn finish(self) -> Result<()> {
        let missing = self.missing.into_inner();
        if !missing.is_empty() && !self.dir.still_exists()? {
            return Err(Error::gone(self.dir.path()));
        }
        if self.complete {
            self.open_files.remember_absences(missing);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::fake::Fake;
    use crate::stats::MemoryEntry;
    use crate::v1::KEPT_FILES;

    #[test]
    fn files_come_with_controllers_on_v2() {
        let fake = Fake::v2("pids", "/");
        fake.file("c/cpu.stat", "usage_usec 1\n");
        let cgroup = fake.cgroup("c");
        assert_eq!(cgroup.stats().unwrap().pids.limit, 0);
        fake.file("c/pids.current", "3\n");
        fake.file("c/pids.max", "9\n");
        assert_eq!(cgroup.stats().unwrap().pids.limit, 9);
    }

    #[test]
    fn files_are_looked_for_once_on_v1() {
        let fake = Fake::v1("2:blkio:/\n");
        fake.file("blkio/c/blkio.throttle.io_serviced", "8:0 Read 9\n");
        let cgroup = fake.cgroup("c");
        let serviced = || cgroup.stats().unwrap().blkio.io_serviced_recursive;
        assert_eq!(serviced()[0].value, 9);
        fake.file("blkio/c/blkio.bfq.io_serviced_recursive", "8:0 Read 5\n");
        assert_eq!(serviced()[0].value, 9);
        let other = fake.cgroup("c").stats().unwrap();
        assert_eq!(other.blkio.io_serviced_recursive[0].value, 5);
    }

    #[test]
    fn some_files_stay_open_on_v1() {
        let fake = Fake::v1("2:memory:/\n");
        let kinds = ["memory", "memory.memsw", "memory.kmem", "memory.kmem.tcp"];
        let numbers = ["usage", "max_usage", "limit"].map(|what| format!("{what}_in_bytes"));
        let files = || {
            let names = numbers.iter().map(String::as_str).chain(["failcnt"]);
            names.flat_map(|name| kinds.map(|kind| format!("memory/c/{kind}.{name}")))
        };
        fake.file("memory/c/memory.stat", "");
        files().for_each(|file| fake.file(file, "0\n"));
        let cgroup = fake.cgroup("c");
        cgroup.stats().unwrap();
        for file in files() {
            fs::remove_file(fake.root().join(&file)).unwrap();
            fake.file(&file, "1\n");
        }
        let memory = cgroup.stats().unwrap().memory;
        let entries = [memory.usage, memory.swap, memory.kernel, memory.kernel_tcp];
        let sum = |entry: MemoryEntry| entry.usage + entry.max + entry.limit + entry.failcnt;
        let reopened: u64 = entries.into_iter().map(sum).sum();
        // `memory.stat` is kept as well.
        let kept = files().count() + 1 - usize::try_from(reopened).unwrap();
        assert_eq!(kept, KEPT_FILES);
    }
}
