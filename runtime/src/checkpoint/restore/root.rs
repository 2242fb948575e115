//! The mount that CRIU restores the root file system from.
//!
//! CRIU wants a mount point whose parent is not mounted over, so the root file system is bound to a
//! directory of the container. All of this happens in the mount namespace of CRIU: the host never
//! has the mount, and no crash leaves it behind.

use std::path::Path;

use rustix::fs::StatVfsMountFlags;
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};

use super::mount_points;
use crate::error::{Error, ErrorKind, Result};
use configs::Config;

/// Makes the missing mount points of the container and binds its root file system to `at`.
pub(crate) fn prepare(config: &Config, at: &Path) -> Result<()> {
    own_mount(at)?;
    bind(config, at)?;
    // Nothing that is mounted below gets to the file system that this is a bind of.
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change(at, private)
        .map_err(|errno| Error::system(format!("make {} private", at.display()), errno))?;
    mount_points::make(config, at)?;
    rustix::mount::unmount(at, UnmountFlags::DETACH)
        .map_err(|errno| Error::system(format!("unmount {}", at.display()), errno))?;
    // Its propagation is what CRIU derives that of the container's root from, and so is whether it
    // can be written to, which the images do not say.
    bind(config, at)?;
    if config.readonlyfs {
        make_read_only(at)?;
    }
    Ok(())
}

/// Makes this mount read-only; its other flags stay.
fn make_read_only(at: &Path) -> Result<()> {
    let failed = |errno| Error::system(format!("make {} read-only", at.display()), errno);
    let has = rustix::fs::statvfs(at).map_err(failed)?.f_flag;
    let mut flags = MountFlags::BIND | MountFlags::RDONLY;
    for (set, kept) in [
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ] {
        flags.set(kept, has.contains(set));
    }
    rustix::mount::mount_remount(at, flags, c"").map_err(failed)
}

fn bind(config: &Config, at: &Path) -> Result<()> {
    rustix::mount::mount_bind_recursive(config.rootfs.as_str(), at).map_err(|errno| {
        let (rootfs, at) = (&config.rootfs, at.display());
        Error::system(format!("bind root file system {rootfs} to {at}"), errno)
    })
}

/// Keeps mounts below this directory from the mount namespace that this one is a copy of: the mount
/// that the directory is on becomes a slave. The others stay as they are, so that a mount whose
/// propagation goes to the host and back still does after the restore.
pub(crate) fn own_mount(directory: &Path) -> Result<()> {
    for ancestor in directory.ancestors() {
        match rustix::mount::mount_change(ancestor, MountPropagationFlags::DOWNSTREAM) {
            Ok(()) => return Ok(()),
            // Not a mount point.
            Err(Errno::INVAL) => {}
            Err(errno) => {
                let what = format!("make {} a slave mount", ancestor.display());
                return Err(Error::system(what, errno));
            }
        }
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        format!(
            "{}: the root directory of this process is no mount point",
            directory.display()
        ),
    ))
}
