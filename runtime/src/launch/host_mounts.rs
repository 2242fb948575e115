//! Mounts of a container that has no mount namespace of its own: they are made in that of the host,
//! and stay there until they are unmounted.
//!
//! A path alone does not tell whose mount that is. The image decides by its symbolic links where a
//! destination leads, so it is resolved below the root file system, like when the mount was made.
//! And engines mount volumes there before, and administrators whatever they like afterwards, so
//! mounts are distinguished by their ids:
//!
//! * Before the first mount is made, the mount that each destination leads to by then is recorded.
//!   Killed from here on, what is found in place of that is the container's.
//! * When all are made, each one's own id is recorded, together with the init process. From here on
//!   only these count.
//!
//! Unmounting repeats itself without harm: what it has unmounted is not found again.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, StatxAttributes, StatxFlags};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount as umount};

use crate::error::{Error, Result};
use crate::state::record::HostMount;

/// `STATX_MNT_ID_UNIQUE` (Linux 6.8): an id that no other mount gets later. Older kernels give the
/// one of `mountinfo`, which is used again.
const MNT_ID_UNIQUE: StatxFlags = StatxFlags::from_bits_retain(0x4000);

/// How often a path is resolved again because something was renamed meanwhile.
const ATTEMPTS: u32 = 100;

/// The mounts that are going to be made at these destinations, with what is there now.
pub(crate) fn intended(rootfs: &str, destinations: &[PathBuf]) -> Result<Vec<HostMount>> {
    let mount = |destination: &PathBuf| {
        let before = match find(rootfs, destination) {
            Ok(found) => Some(found.id),
            // It is made together with the mount, or the init process fails.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ACCESS) => None,
            Err(errno) => {
                let what = format!("look at mount point {}", destination.display());
                return Err(Error::system(what, errno));
            }
        };
        Ok(HostMount {
            destination: destination.clone(),
            before,
            made: None,
        })
    };
    destinations.iter().map(mount).collect()
}

/// Takes note of the ids, now that all mounts are made.
pub(crate) fn made(rootfs: &str, mounts: &mut [HostMount]) {
    let mut seen = Vec::new();
    for mount in mounts.iter_mut().rev() {
        let id = find(rootfs, &mount.destination)
            .ok()
            .filter(|found| found.is_root && Some(found.id) != mount.before)
            .map(|found| found.id);
        // One that is hidden below a later one keeps to what was there before.
        mount.made = id.filter(|id| !seen.contains(id));
        seen.extend(id);
    }
}

/// Unmounts what the container has mounted, the last one first. What does not exist any more is not
/// an error; after one that cannot be unmounted the others still are.
pub(crate) fn unmount(rootfs: &str, mounts: &[HostMount]) -> Result<()> {
    let mut first = Ok(());
    for mount in mounts.iter().rev() {
        if let Err(errno) = unmount_one(rootfs, mount) {
            let what = format!("unmount {} below {rootfs}", mount.destination.display());
            first = first.and(Err(Error::system(what, errno)));
        }
    }
    first
}

fn unmount_one(rootfs: &str, mount: &HostMount) -> rustix::io::Result<()> {
    let shown = mount.destination.display();
    let found = match find(rootfs, &mount.destination) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
        found => found?,
    };
    let own = match mount.made {
        Some(made) => found.id == made,
        None => Some(found.id) != mount.before,
    };
    if !own || !found.is_root {
        log::debug!("unmount {shown} below {rootfs}: not mounted by the container");
        return Ok(());
    }
    // By descriptor: exactly the mount that was looked at.
    let path = format!("/proc/thread-self/fd/{}", found.place.as_raw_fd());
    match umount(path, UnmountFlags::DETACH) {
        // It has gone meanwhile.
        Err(Errno::INVAL) => Ok(()),
        done => done,
    }
}

/// Where a destination leads.
struct Found {
    place: OwnedFd,
    /// The mount, the topmost one if there are several.
    id: u64,
    /// It is the root of that mount: a mount point.
    is_root: bool,
}

fn find(rootfs: &str, destination: &Path) -> rustix::io::Result<Found> {
    let path = OFlags::PATH | OFlags::CLOEXEC;
    let no_links = ResolveFlags::NO_SYMLINKS;
    let root = rustix::fs::openat2(
        CWD,
        rootfs,
        path | OFlags::DIRECTORY,
        Mode::empty(),
        no_links,
    )?;
    let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let mut attempts = 0;
    let place = loop {
        match rustix::fs::openat2(&root, destination, path, Mode::empty(), inside) {
            Err(Errno::AGAIN | Errno::INTR) if attempts < ATTEMPTS => attempts += 1,
            place => break place?,
        }
    };
    let wanted = StatxFlags::MNT_ID | MNT_ID_UNIQUE;
    let stat = rustix::fs::statx(&place, "", AtFlags::EMPTY_PATH, wanted)?;
    if stat.stx_mask & wanted.bits() == 0 {
        return Err(Errno::NOSYS);
    }
    Ok(Found {
        place,
        id: stat.stx_mnt_id,
        is_root: stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
    })
}
