//! Device nodes for a container in a user namespace, where the kernel makes none: they are made
//! here, on a tmpfs that belongs to the user namespace of this process, and is attached nowhere.

use std::os::fd::OwnedFd;

use configs::Config;
use configs::config::Device;
use devices::Kind;
use rustix::fs::{AtFlags, FileType, Gid, Mode, Uid, makedev};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};

use crate::error::{Error, Result};
use crate::plan::is_made_by_parent;

/// A detached tmpfs with the nodes that the process asks for, each named after its index in the
/// configuration. Owner and mode are those of the configuration, whose ids are the host's by now. A
/// node that this process may not make either is left out (`EPERM`: no `CAP_MKNOD`, or a device
/// filter).
pub(crate) fn make(config: &Config) -> Result<OwnedFd> {
    let failed = |errno| Error::system("make a file system for device nodes", errno);
    let context = rustix::mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).map_err(failed)?;
    let set = |key: &str, value: &str| {
        rustix::mount::fsconfig_set_string(&context, key, value).map_err(failed)
    };
    set("source", "tmpfs")?;
    set("mode", "0755")?;
    rustix::mount::fsconfig_create(&context).map_err(failed)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let tmpfs = rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
        .map_err(failed)?;
    for (index, device) in config.devices.iter().enumerate() {
        if !is_made_by_parent(config, device) {
            continue;
        }
        match node(&tmpfs, &index.to_string(), device) {
            Ok(()) => {}
            Err(Errno::PERM) => log::debug!("device node {} may not be made", device.path),
            Err(errno) => {
                return Err(Error::system(
                    format!("make device node {}", device.path),
                    errno,
                ));
            }
        }
    }
    Ok(tmpfs)
}

fn node(directory: &OwnedFd, name: &str, device: &Device) -> rustix::io::Result<()> {
    let kind = match device.kind {
        Kind::Block => FileType::BlockDevice,
        _ => FileType::CharacterDevice,
    };
    let number = |value: i64| u32::try_from(value).map_err(|_| Errno::INVAL);
    let numbers = makedev(number(device.major)?, number(device.minor)?);
    rustix::fs::mknodat(directory, name, kind, Mode::empty(), numbers)?;
    rustix::fs::chownat(
        directory,
        name,
        Some(Uid::from_raw(device.uid)),
        Some(Gid::from_raw(device.gid)),
        AtFlags::SYMLINK_NOFOLLOW,
    )?;
    let mode = Mode::from_raw_mode(device.file_mode & 0o7777);
    rustix::fs::chmodat(directory, name, mode, AtFlags::empty())
}
