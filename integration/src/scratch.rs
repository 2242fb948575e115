//! The folder on tmpfs that holds everything of one benchmark run; its name marks what the run
//! makes elsewhere.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};

/// State and bundles live in memory: nothing is measured by a disk.
const PARENT: &str = "/dev/shm";

/// A folder that belongs to this process as long as its lock is held. It is not removed when this
/// is dropped: what its name marks has to go first.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    _lock: OwnedFd,
}

impl Scratch {
    /// A new folder; its name begins with `prefix`.
    ///
    /// # Errors
    /// Without room, or without /dev/shm.
    pub fn create(prefix: &str) -> io::Result<Self> {
        let path = tempfile::Builder::new()
            .prefix(prefix)
            .tempdir_in(PARENT)?
            .keep();
        let lock = lock(&path)?.ok_or(io::ErrorKind::ResourceBusy)?;
        Ok(Self { path, _lock: lock })
    }

    /// The folders of this prefix whose process did not live to remove them.
    ///
    /// # Errors
    /// /dev/shm or a folder in it cannot be opened.
    pub fn abandoned(prefix: &str) -> io::Result<Vec<Self>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(PARENT)? {
            let entry = entry?;
            if !entry.file_name().to_string_lossy().starts_with(prefix) {
                continue;
            }
            let path = entry.path();
            if let Some(lock) = lock(&path)? {
                found.push(Self { path, _lock: lock });
            }
        }
        Ok(found)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The mark that ids and cgroups of a run begin with: the name of its folder.
pub fn mark(folder: &Path) -> Option<&str> {
    folder.file_name()?.to_str()
}

/// The lock of a folder, or `None` while another process holds it.
fn lock(path: &Path) -> io::Result<Option<OwnedFd>> {
    let folder = rustix::fs::open(path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(folder)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
