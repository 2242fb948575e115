//! The external mounts of a running container: where they are, and that they are what the
//! configuration says.
//!
//! CRIU is given a path for each, and whatever is mounted there becomes, after the restore, what
//! the key names: a bind mount of the configuration, with the flags that the mount has *now*.
//! The processes of the container may have renamed directories above mount points, so that another
//! mount is at that path. So each is compared with its source, and compared once more when all
//! processes are stopped and dumped.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use configs::config::Device;
use devices::Kind as DeviceKind;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, StatxAttributes, StatxFlags};
use rustix::io::Errno;

use crate::checkpoint::external_mounts::{ExternalKind, ExternalMount, check_syntax};
use crate::error::{Error, ErrorKind, Result};

/// How often a path is resolved again because something was renamed meanwhile.
const ATTEMPTS: u32 = 100;

/// The external mounts that are there.
#[derive(Debug)]
pub(super) struct MountPoints {
    /// The root of the container.
    root: OwnedFd,
    found: Vec<Found>,
}

/// One of them.
#[derive(Debug)]
struct Found {
    key: String,
    /// Where it is, without symbolic links on the way.
    point: String,
    identity: Identity,
}

/// What a mount shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Identity {
    /// A file or directory, by device and inode.
    File(u64, u64),
    /// A device node, whichever: by its type and numbers.
    Node(FileType, u32, u32),
}

impl MountPoints {
    /// Looks for the mounts of a container with the root `/proc/PID/root`. What is unmounted by now
    /// is left out.
    pub(super) fn find(root: &str, mounts: &[ExternalMount], devices: &[Device]) -> Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(root, flags, Mode::empty())
            .map_err(|errno| Error::system("open the root of the container", errno))?;
        let mut this = Self {
            root,
            found: Vec::new(),
        };
        // A container that has no root of its own sees its mounts below a directory.
        let above = path_of(&this.root)?;
        // The last one made at a place is the one in sight.
        for mount in mounts.iter().rev() {
            let Some((place, seen)) = this.mounted(&mount.destination, ResolveFlags::empty())?
            else {
                continue;
            };
            let Some(identity) = identity(mount, devices, seen.file_type())? else {
                continue;
            };
            let path = path_of(&place)?;
            let point = match path.strip_prefix(above.trim_end_matches('/')) {
                Some(below) if below.starts_with('/') => below.to_owned(),
                _ => return Err(is_another(mount)),
            };
            check_syntax("mount point", &point)?;
            if this.found.iter().any(|other| other.point == point) {
                continue;
            }
            if !seen.is(identity) {
                return Err(is_another(mount));
            }
            this.found.push(Found {
                key: mount.key.clone(),
                point,
                identity,
            });
        }
        Ok(this)
    }

    /// For CRIU.
    pub(super) fn to_criu(&self) -> Vec<criu::ExternalMount> {
        let mount = |found: &Found| criu::ExternalMount {
            key: found.point.clone(),
            val: found.key.clone(),
        };
        self.found.iter().map(mount).collect()
    }

    /// Fails if one is not any more where it was found.
    pub(super) fn check(&self) -> Result<()> {
        for found in &self.found {
            let seen = self.mounted(&found.point, ResolveFlags::NO_SYMLINKS)?;
            if !seen.is_some_and(|(_, seen)| seen.is(found.identity)) {
                return Err(Error::new(
                    ErrorKind::InvalidState,
                    format!("mount point {:?} was replaced during the dump", found.point),
                ));
            }
        }
        Ok(())
    }

    /// The root of the mount at this path inside the container, if it is a mount point.
    fn mounted(&self, path: &str, also: ResolveFlags) -> Result<Option<(OwnedFd, Seen)>> {
        let failed = |errno| Error::system(format!("look at mount point {path:?}"), errno);
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | also;
        let mut attempts = 0;
        let place = loop {
            match rustix::fs::openat2(&self.root, path, flags, Mode::empty(), inside) {
                Err(Errno::AGAIN | Errno::INTR) if attempts < ATTEMPTS => attempts += 1,
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
                place => break place.map_err(failed)?,
            }
        };
        let wanted = StatxFlags::BASIC_STATS;
        let stat = rustix::fs::statx(&place, "", AtFlags::EMPTY_PATH, wanted).map_err(failed)?;
        let is_root = stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT);
        Ok(is_root.then_some((place, Seen(stat))))
    }
}

/// What is at a mount point.
struct Seen(rustix::fs::Statx);

impl Seen {
    fn file_type(&self) -> FileType {
        FileType::from_raw_mode(self.0.stx_mode.into())
    }

    fn is(&self, identity: Identity) -> bool {
        let stat = &self.0;
        match identity {
            Identity::File(device, inode) => {
                let own = rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor);
                (own, stat.stx_ino) == (device, inode)
            }
            Identity::Node(kind, major, minor) => {
                (self.file_type(), stat.stx_rdev_major, stat.stx_rdev_minor) == (kind, major, minor)
            }
        }
    }
}

/// What has to be at a mount point; `None` if what is there is not from outside.
fn identity(
    mount: &ExternalMount,
    devices: &[Device],
    there: FileType,
) -> Result<Option<Identity>> {
    match mount.kind {
        ExternalKind::Mask if there == FileType::Directory => Ok(None),
        ExternalKind::Mask => Ok(Some(Identity::Node(FileType::CharacterDevice, 1, 3))),
        ExternalKind::Device(index) => {
            let device = devices.get(index);
            Ok(device.and_then(|device| {
                let kind = match device.kind {
                    DeviceKind::Block => FileType::BlockDevice,
                    DeviceKind::Char => FileType::CharacterDevice,
                    DeviceKind::Fifo | DeviceKind::All => return None,
                };
                let number = |number: i64| u32::try_from(number).ok();
                let (major, minor) = (number(device.major)?, number(device.minor)?);
                Some(Identity::Node(kind, major, minor))
            }))
        }
        ExternalKind::Bind | ExternalKind::Cgroup => file(&mount.source).map(Some),
    }
}

fn file(path: &Path) -> Result<Identity> {
    let stat = rustix::fs::stat(path);
    let stat = stat.map_err(|errno| {
        Error::system(
            format!("look at {}, which is mounted", path.display()),
            errno,
        )
    })?;
    Ok(Identity::File(stat.st_dev, stat.st_ino))
}

fn is_another(mount: &ExternalMount) -> Error {
    Error::new(
        ErrorKind::InvalidState,
        format!(
            "what is mounted at {:?} is not {}: one of the two was replaced, and a restore would \
             mount the other",
            mount.destination,
            mount.source.display()
        ),
    )
}

/// The path of an open file, as seen from the root of its mount namespace.
fn path_of(file: &OwnedFd) -> Result<String> {
    let failed = |error| Error::system("look for the path of a mount point", error);
    let link = format!("/proc/thread-self/fd/{}", file.as_raw_fd());
    let path = std::fs::read_link(link).map_err(failed)?;
    path.into_os_string().into_string().map_err(|path| {
        Error::config(format!(
            "mount point {:?}: CRIU needs UTF-8",
            path.to_string_lossy()
        ))
    })
}
