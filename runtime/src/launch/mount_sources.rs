//! The sources of mounts that an init process in a user namespace cannot open or clone itself.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::mount::{OpenTreeFlags, open_tree};

use crate::error::{Error, ErrorKind, Result};

/// Opens a source below the root directory of the process, with the rights of this one: so it may
/// lie on a mount that only the container has.
pub(crate) fn open_below(root: BorrowedFd<'_>, source: &str) -> Result<OwnedFd> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(
        root,
        source,
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
        resolve,
    )
    .map_err(|errno| Error::system(format!("open mount source {source}"), errno))
}

/// A detached clone of the source, without what is mounted below it, from the mount namespace of
/// this process. It has to be the same file that the process sees: what the container has mounted
/// there itself is not here.
pub(crate) fn clone_alone(root: BorrowedFd<'_>, source: &str) -> Result<OwnedFd> {
    let seen = open_below(root, source)?;
    let failed = |errno| Error::system(format!("clone mount source {source}"), errno);
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(CWD, source, flags).map_err(failed)?;
    let (seen, cloned) = (
        rustix::fs::fstat(&seen).map_err(failed)?,
        rustix::fs::fstat(&tree).map_err(failed)?,
    );
    if (seen.st_dev, seen.st_ino) == (cloned.st_dev, cloned.st_ino) {
        return Ok(tree);
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        format!(
            "mount source {source} has mounts below that are locked in the user namespace: only a recursive bind can show it"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_source_is_resolved_below_the_root_and_follows_no_magic_link() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("file"), "").unwrap();
        std::os::unix::fs::symlink("/../../file", directory.path().join("link")).unwrap();
        let root = std::fs::File::open(directory.path()).unwrap();
        for source in ["/file", "/../file", "/link"] {
            assert!(open_below(root.as_fd(), source).is_ok(), "{source}");
        }
        let error = open_below(root.as_fd(), "/etc/passwd").unwrap_err();
        assert!(error.to_string().contains("open mount source /etc/passwd"));
        let host = std::fs::File::open("/").unwrap();
        assert!(open_below(host.as_fd(), "/proc/self/cwd").is_err());
    }
}
