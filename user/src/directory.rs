use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{AtFlags, Mode, OFlags, chownat, mkdirat, openat};
use rustix::io::Errno;

use crate::error::{Error, Repr, Result};
use crate::id::{Gid, Uid};

/// What happens to the last directory of the path if it exists already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It keeps its owner.
    Keep,
    /// It gets the new owner, like a created one.
    Chown,
}

/// Creates `path` below `root`, parents included, and gives every directory *created* on the way to
/// the owner.
///
/// `mode` are the permission bits, less the umask. Directories that exist keep their owner, but for
/// the last one, which `existing` decides. No symbolic link is followed and `..` is refused, so a
/// hostile tree cannot lead the change of owner elsewhere. The owner is given as the ids of the
/// caller's user namespace.
///
/// # Errors
/// [`Io`](crate::ErrorKind::Io) with the path: a component is not a directory (`ENOTDIR`, also for
/// a symbolic link), or the kernel refused. [`InvalidSpec`](crate::ErrorKind::InvalidSpec) for a
/// path with `..`.
pub fn create_dir_all(
    root: impl AsFd,
    path: impl AsRef<Path>,
    mode: u32,
    owner: (Uid, Gid),
    existing: Existing,
) -> Result<()> {
    let path = path.as_ref();
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                return Err(Repr::ParentComponent(path.to_owned()).into());
            }
        }
    }
    let fail = |operation| move |errno: Errno| Error::io(operation, path, errno);
    let mut parent: Option<OwnedFd> = None;
    let last = names.len().saturating_sub(1);
    for (index, name) in names.into_iter().enumerate() {
        let at: BorrowedFd<'_> = parent.as_ref().map_or_else(|| root.as_fd(), AsFd::as_fd);
        let created = match mkdirat(at, name, Mode::from_raw_mode(mode)) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(errno) => return Err(fail("create directory")(errno)),
        };
        let child = openat(
            at,
            name,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .map_err(fail("open directory"))?;
        if created || (index == last && existing == Existing::Chown) {
            let uid = rustix::fs::Uid::from_raw(owner.0.as_raw());
            let gid = rustix::fs::Gid::from_raw(owner.1.as_raw());
            chownat(&child, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)
                .map_err(fail("change owner of"))?;
        }
        parent = Some(child);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    fn tree() -> (tempfile::TempDir, File) {
        let directory = tempfile::tempdir().unwrap();
        let root = File::open(directory.path()).unwrap();
        (directory, root)
    }

    fn me() -> (Uid, Gid) {
        (Uid::current(), Gid::current())
    }

    #[test]
    fn parents_are_made_with_the_mode() {
        let (directory, root) = tree();
        create_dir_all(&root, "/a/./b", 0o700, me(), Existing::Keep).unwrap();
        create_dir_all(&root, "a/b", 0o755, me(), Existing::Keep).unwrap();
        let status = fs::metadata(directory.path().join("a/b")).unwrap();
        assert_eq!(status.permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn links_and_parents_are_refused() {
        let (directory, root) = tree();
        symlink("/tmp", directory.path().join("link")).unwrap();
        fs::write(directory.path().join("file"), "").unwrap();
        for path in ["link/x", "link", "file/x"] {
            let error = create_dir_all(&root, path, 0o755, me(), Existing::Chown).unwrap_err();
            assert_eq!(
                error.raw_os_error(),
                Some(Errno::NOTDIR.raw_os_error()),
                "{path}"
            );
        }
        assert!(create_dir_all(&root, "a/../b", 0o755, me(), Existing::Keep).is_err());
        assert!(!directory.path().join("a").exists());
    }

    #[test]
    fn only_created_directories_change_owner() {
        if Uid::current() != Uid::ROOT {
            eprintln!("skipped: needs root");
            return;
        }
        let (directory, root) = tree();
        let owner = (Uid::new(1234).unwrap(), Gid::new(4321).unwrap());
        let uid_of = |path: &str| fs::metadata(directory.path().join(path)).unwrap().uid();
        fs::create_dir(directory.path().join("a")).unwrap();
        create_dir_all(&root, "a/b/c", 0o755, owner, Existing::Keep).unwrap();
        assert_eq!(
            (uid_of("a"), uid_of("a/b"), uid_of("a/b/c")),
            (0, 1234, 1234)
        );
        create_dir_all(&root, "a", 0o755, owner, Existing::Keep).unwrap();
        assert_eq!(uid_of("a"), 0);
        create_dir_all(&root, "a", 0o755, owner, Existing::Chown).unwrap();
        assert_eq!(uid_of("a"), 1234);
    }
}
