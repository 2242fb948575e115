use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FsWord, Mode, OFlags, fstatfs, open};
use rustix::io::Errno;

use crate::error::{Error, Repr, Result};
use crate::features::Features;
use crate::file::Directory;
use crate::mountinfo::resctrl_mount;

/// `RDTGROUP_SUPER_MAGIC` of `linux/magic.h`.
const RESCTRL_MAGIC: FsWord = 0x0765_5821;
/// Where resctrl is mounted by convention.
const RESCTRL: &str = "/sys/fs/resctrl";

/// A mounted resctrl.
#[derive(Debug)]
pub struct Root {
    pub(crate) directory: Directory,
}

impl Root {
    /// The resctrl of the running kernel: at `/sys/fs/resctrl`, or else the first in the table of
    /// mounts.
    ///
    /// # Errors
    /// `Intel RDT not available` ([`Unavailable`](crate::ErrorKind::Unavailable)) if the kernel has
    /// none or it is mounted nowhere; [`Io`](crate::ErrorKind::Io).
    pub fn system() -> Result<Self> {
        let directory = match open_directory(Path::new(RESCTRL)) {
            Ok(directory) => directory,
            // The kernel makes this directory when it has resctrl.
            Err(Errno::NOENT) => return Err(Repr::Unavailable.into()),
            Err(errno) => return Err(Error::io("open", RESCTRL, errno)),
        };
        let file_system =
            fstatfs(&directory).map_err(|errno| Error::io("statfs", RESCTRL, errno))?;
        if file_system.f_type == RESCTRL_MAGIC {
            return Ok(Self::open_at(directory, RESCTRL));
        }
        let table = "/proc/thread-self/mountinfo";
        let mounts = std::fs::read(table).map_err(|error| Error::io("read", table, error))?;
        let path = resctrl_mount(&mounts).ok_or(Repr::Unavailable)?;
        match open_directory(&path) {
            Ok(directory) => Ok(Self::open_at(directory, path)),
            Err(errno) => Err(Error::io("open", path, errno)),
        }
    }

    /// An open directory of the same layout; the path is for messages and for
    /// [`Group::path`](crate::Group::path).
    #[must_use]
    pub fn open_at(directory: impl Into<OwnedFd>, path: impl Into<PathBuf>) -> Self {
        Self {
            directory: Directory::new(directory.into(), path),
        }
    }

    /// The path it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// What the processor offers and the kernel has switched on.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io).
    pub fn features(&self) -> Result<Features> {
        Features::read(&self.directory)
    }

    /// The kernel's text on why the last command was refused; `None` if it has none.
    pub(crate) fn last_command_status(&self) -> Option<String> {
        self.directory.read("info/last_cmd_status").ok()
    }
}

fn open_directory(path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    open(path, flags, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_this_kernel() {
        match Root::system() {
            Ok(root) => assert!(root.features().is_ok()),
            Err(error) => {
                assert_eq!(error.to_string(), "Intel RDT not available");
                assert_eq!(error.kind(), crate::ErrorKind::Unavailable);
            }
        }
    }
}
