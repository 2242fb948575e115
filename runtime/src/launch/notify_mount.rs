//! The notification socket of a service, as a directory that is mounted into the container.

use std::path::PathBuf;

use configs::Config;
use configs::config::{Mount, MountFlags};

use crate::error::{Error, Result};
use crate::process::Process;

/// The directory below the container's own one that is mounted into the container.
pub(crate) const DIRECTORY: &str = "notify";
/// The socket in it.
pub(crate) const SOCKET: &str = "notify.sock";
/// Where the directory is mounted.
pub(crate) const MOUNT_POINT: &str = "/run/notify";

/// Mounts the directory of the notification socket into the container; the process finds its
/// path in `NOTIFY_SOCKET`.
pub(crate) fn add(config: &mut Config, process: &mut Process, directory: PathBuf) -> Result<()> {
    let source = directory
        .join(DIRECTORY)
        .into_os_string()
        .into_string()
        .map_err(|_| Error::config("the path of the state root is not UTF-8"))?;
    config.mounts.push(Mount {
        source,
        destination: MOUNT_POINT.to_owned(),
        device: "bind".to_owned(),
        flags: MountFlags::BIND
            | MountFlags::NOSUID
            | MountFlags::NOEXEC
            | MountFlags::NODEV
            | MountFlags::RDONLY,
        ..Mount::default()
    });
    process.add_env(format!("NOTIFY_SOCKET={}/{}", MOUNT_POINT, SOCKET));
    Ok(())
}
