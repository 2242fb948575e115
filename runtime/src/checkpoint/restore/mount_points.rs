//! Mount points that the root file system lacks: CRIU makes none.
//!
//! They are made as a creation makes them, with nothing followed out of the root file system, and
//! with the bind mounts in place that others are mounted in.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use configs::Config;
use configs::config::{Mount, MountFlags};
use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, ResolveFlags, Uid};
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, OpenTreeFlags};

use crate::error::{Error, ErrorKind, Result};
use crate::plan::{inside_of_rootfs, is_remount};

/// How often a path is resolved again because something was renamed meanwhile.
const ATTEMPTS: u32 = 100;

/// What a mount point has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Directory,
    File,
}

/// Makes the missing mount points below `root`, where the root file system is. Bind mounts stay
/// attached there.
pub(crate) fn make(config: &Config, root: &Path) -> Result<()> {
    let failed = |errno| Error::system(format!("open {}", root.display()), errno);
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(root, flags, Mode::empty()).map_err(failed)?;
    let owner = owner(config)?;
    let mut before = Vec::new();
    for mount in config.mounts.iter().filter(|mount| !is_remount(mount)) {
        let point = inside_of_rootfs(&config.rootfs, &mount.destination);
        if !is_restored(mount, &point, &before) {
            make_one(root.as_fd(), mount, &point, owner).map_err(|error| {
                error.context(format!("make the mount point of {point} for the restore"))
            })?;
        }
        before.push((point, mount));
    }
    Ok(())
}

/// Ids on the host of the container's root user, who owns what is made.
fn owner(config: &Config) -> Result<(u32, u32)> {
    let failed = |error| {
        Error::with(
            ErrorKind::InvalidConfig,
            "root user of the container",
            error,
        )
    };
    Ok((
        config.host_uid(0).map_err(failed)?,
        config.host_gid(0).map_err(failed)?,
    ))
}

/// Whether CRIU restores the mount point itself: it is on a file system whose content is in the
/// images, or that the kernel fills.
fn is_restored(mount: &Mount, point: &str, before: &[(String, &Mount)]) -> bool {
    if mount.device == "cgroup" {
        return true;
    }
    let below = before
        .iter()
        .rev()
        .find(|(other, _)| Path::new(point).starts_with(other) && other != point);
    below.is_some_and(|(_, other)| !other.is_bind())
}

fn make_one(root: BorrowedFd<'_>, mount: &Mount, point: &str, owner: (u32, u32)) -> Result<()> {
    let destination = Path::new(point);
    if !mount.is_bind() {
        return find_or_make(root, destination, Kind::Directory, owner).map(drop);
    }
    let failed = |errno| Error::system(format!("open mount source {}", mount.source), errno);
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    let tree = rustix::mount::open_tree(CWD, mount.source.as_str(), flags).map_err(failed)?;
    let stat = rustix::fs::fstat(&tree).map_err(failed)?;
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Kind::Directory,
        _ => Kind::File,
    };
    let point = find_or_make(root, destination, kind, owner)?;
    let attach = || -> rustix::io::Result<()> {
        let flags =
            MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        rustix::mount::move_mount(&tree, "", &point, "", flags)?;
        if mount.flags.contains(MountFlags::RDONLY) {
            // Nothing is made in the source of a mount that the container cannot write to.
            let name = format!("/proc/thread-self/fd/{}", tree.as_raw_fd());
            let flags = rustix::mount::MountFlags::BIND | rustix::mount::MountFlags::RDONLY;
            rustix::mount::mount_remount(name, flags, c"")?;
        }
        Ok(())
    };
    attach().map_err(|errno| Error::system(format!("bind {}", mount.source), errno))
}

/// What `path` leads to below the root. If it does not exist, it is made, with the directories
/// above.
fn find_or_make(
    root: BorrowedFd<'_>,
    path: &Path,
    kind: Kind,
    owner: (u32, u32),
) -> Result<OwnedFd> {
    let failed = |what: &str, errno| Error::system(format!("{what} {}", path.display()), errno);
    match resolve(root, path) {
        Err(Errno::NOENT) => {}
        found => return found.map_err(|errno| failed("resolve", errno)),
    }
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::config(format!(
            "{} is no mount point",
            path.display()
        )));
    };
    let directory = find_or_make(root, parent, Kind::Directory, owner)?;
    let (uid, gid) = owner;
    let made = match kind {
        Kind::Directory => rustix::fs::mkdirat(&directory, name, Mode::from_raw_mode(0o755)),
        Kind::File => {
            let mode = Mode::from_raw_mode(0o644);
            rustix::fs::mknodat(&directory, name, FileType::RegularFile, mode, 0)
        }
    };
    match made {
        Ok(()) => rustix::fs::chownat(
            &directory,
            name,
            Some(Uid::from_raw(uid)),
            Some(Gid::from_raw(gid)),
            AtFlags::SYMLINK_NOFOLLOW,
        )
        .map_err(|errno| failed("chown", errno))?,
        // Made meanwhile, or a link that leads nowhere, which resolving it shows.
        Err(Errno::EXIST) => {}
        Err(errno) => return Err(failed("make", errno)),
    }
    resolve(root, path).map_err(|errno| failed("resolve", errno))
}

fn resolve(root: BorrowedFd<'_>, path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let mut last = Errno::AGAIN;
    for _ in 0..ATTEMPTS {
        match rustix::fs::openat2(root, path, flags, Mode::empty(), how) {
            Err(errno @ (Errno::AGAIN | Errno::INTR)) => last = errno,
            result => return result,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;

    use super::*;

    fn mount(device: &str, destination: &str) -> Mount {
        Mount {
            device: device.to_owned(),
            destination: destination.to_owned(),
            source: "/nonexistent".to_owned(),
            flags: if device == "bind" {
                MountFlags::BIND
            } else {
                MountFlags::default()
            },
            ..Mount::default()
        }
    }

    #[test]
    fn what_lies_on_a_restored_file_system_is_restored_with_it() {
        let others = [
            mount("tmpfs", "/dev"),
            mount("bind", "/data"),
            mount("tmpfs", "/data/tmp"),
        ];
        let before: Vec<_> = others
            .iter()
            .map(|other| (other.destination.clone(), other))
            .collect();
        let is =
            |device, destination| is_restored(&mount(device, destination), destination, &before);
        assert!(is("bind", "/dev/null"));
        assert!(is("devpts", "/dev/pts"));
        assert!(is("bind", "/data/tmp/x"));
        assert!(is("cgroup", "/elsewhere"));
        assert!(!is("bind", "/data/x"));
        assert!(!is("bind", "/device"));
        assert!(!is("tmpfs", "/dev"));
    }

    #[test]
    fn missing_parts_are_made_below_the_root_only() {
        let directory = tempfile::tempdir().unwrap();
        let (inside, outside) = (directory.path().join("root"), directory.path().join("out"));
        fs::create_dir(&inside).unwrap();
        fs::create_dir(&outside).unwrap();
        symlink(&outside, inside.join("absolute")).unwrap();
        symlink("../../out", inside.join("relative")).unwrap();
        let root = File::open(&inside).unwrap();
        let owner = (
            rustix::process::geteuid().as_raw(),
            rustix::process::getegid().as_raw(),
        );
        let make = |path: &str, kind| find_or_make(root.as_fd(), Path::new(path), kind, owner);
        make("/a/b/c", Kind::Directory).unwrap();
        make("/a/b/file", Kind::File).unwrap();
        assert!(inside.join("a/b/c").is_dir() && inside.join("a/b/file").is_file());
        // A second time it is there.
        make("/a/b/file", Kind::File).unwrap();
        // The links lead below the root, where nothing is: they are not followed to make it.
        for link in ["/absolute/x", "/relative/x"] {
            let error = make(link, Kind::Directory).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::ENOENT), "{link}");
        }
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        // Where a link leads to what exists below the root, that is used.
        symlink("/a/b", inside.join("inner")).unwrap();
        make("/inner/d", Kind::Directory).unwrap();
        assert!(inside.join("a/b/d").is_dir());
    }
}
