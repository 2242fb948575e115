//! The directory that is the state root: opened, made, and refused where others may write it.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::Runtime;
use crate::error::{Error, ErrorKind, Result};

/// How the directory is opened.
pub(super) const OPEN: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

impl Runtime {
    /// The open state root; the directory must exist.
    pub(crate) fn root(&self) -> Result<Arc<OwnedFd>> {
        if let Some(root) = self.opened() {
            return Ok(root);
        }
        self.existing_root()?.ok_or_else(|| self.is_missing())
    }

    pub(super) fn is_missing(&self) -> Error {
        Error::new(
            ErrorKind::NotFound,
            format!("state root {} does not exist", self.path.display()),
        )
    }

    fn opened(&self) -> Option<Arc<OwnedFd>> {
        self.root
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Opens the state root, again if the one that is open was removed; `None` if it does not
    /// exist.
    pub(super) fn existing_root(&self) -> Result<Option<Arc<OwnedFd>>> {
        let failed = |errno| Error::system(format!("open {}", self.path.display()), errno);
        if let Some(root) = self.opened() {
            // A directory that was removed has no link left.
            if rustix::fs::fstat(&root).map_err(failed)?.st_nlink != 0 {
                return Ok(Some(root));
            }
        }
        let root = match rustix::fs::open(&self.path, OPEN, Mode::empty()) {
            Ok(root) => root,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(failed(errno)),
        };
        check_owner(&root, &self.path)?;
        let root = Arc::new(root);
        *self.root.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&root));
        Ok(Some(root))
    }

    /// Makes the state root, with the directories above, unless it exists.
    pub(crate) fn make_root(&self) -> Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        if self.existing_root()?.is_some() {
            return Ok(());
        }
        let made = std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path);
        made.map_err(|error| Error::system(format!("make {}", self.path.display()), error))?;
        self.existing_root().map(drop)
    }
}

/// Refuses a state root that another user could write to: a state file names processes to be
/// signalled.
pub(super) fn check_owner(root: &OwnedFd, path: &Path) -> Result<()> {
    let refused = |why: &str| {
        let path = path.display();
        Err(Error::new(
            ErrorKind::System,
            format!("state root {path} cannot be trusted: {why}"),
        ))
    };
    let stat = rustix::fs::fstat(root)
        .map_err(|errno| Error::system(format!("look at {}", path.display()), errno))?;
    if stat.st_uid != 0 && stat.st_uid != rustix::process::geteuid().as_raw() {
        return refused(&format!("it belongs to user {}", stat.st_uid));
    }
    if stat.st_mode & 0o002 != 0 {
        return refused("every user can write to it");
    }
    let own_group = || stat.st_gid == 0 || stat.st_gid == rustix::process::getegid().as_raw();
    if stat.st_mode & 0o020 != 0 && !own_group() {
        return refused(&format!("group {} can write to it", stat.st_gid));
    }
    Ok(())
}
