//! The folder on tmpfs that holds bundles and state roots of one run; its name marks everything the run makes.

use std::error::Error;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};

use crate::layout::Layout;

/// State and bundles live in memory: no runtime is measured by a disk.
const PARENT: &str = "/dev/shm";

/// A folder that belongs to this process as long as its lock is held.
pub(crate) struct Scratch {
    path: PathBuf,
    _lock: OwnedFd,
}

impl Scratch {
    pub(crate) fn create(layout: Layout) -> Result<Self, Box<dyn Error>> {
        let path = tempfile::Builder::new()
            .prefix(&prefix(layout))
            .tempdir_in(PARENT)?
            .keep();
        let lock = lock(&path)?.ok_or("somebody else locked a new folder")?;
        Ok(Self { path, _lock: lock })
    }

    /// What runs of this layout left that did not live to remove it.
    pub(crate) fn abandoned(layout: Layout) -> Result<Vec<Self>, Box<dyn Error>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(PARENT)? {
            let entry = entry?;
            let name = entry.file_name();
            if !name.to_string_lossy().starts_with(&prefix(layout)) {
                continue;
            }
            let path = entry.path();
            if let Some(lock) = lock(&path)? {
                found.push(Self { path, _lock: lock });
            }
        }
        Ok(found)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

fn prefix(layout: Layout) -> String {
    format!("cofferdam-bench-{}-", layout.name())
}

/// The mark that ids and cgroups of a run begin with: the folder's name.
pub(crate) fn mark(folder: &Path) -> Result<&str, Box<dyn Error>> {
    folder
        .file_name()
        .and_then(|name| name.to_str())
        .filter(|name| name.starts_with("cofferdam-bench-"))
        .ok_or_else(|| format!("{}: not a folder of this benchmark", folder.display()).into())
}

/// The lock of a folder, or `None` while another process holds it.
fn lock(path: &Path) -> Result<Option<OwnedFd>, Box<dyn Error>> {
    let folder = rustix::fs::open(path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(folder)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
