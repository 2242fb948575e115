//! What a runtime that is not root can do.

use crate::config::{IdMapError, NamespaceType};
use crate::{Config, Error, Result};

pub(super) fn check(config: &Config) -> Result<()> {
    if !config.rootless_euid {
        return Ok(());
    }
    if !config.namespaces.contains(NamespaceType::User) {
        return Err(Error::invalid(
            "rootless container requires user namespaces",
        ));
    }
    if config.namespaces.is_private(NamespaceType::User) {
        if config.uid_mappings.is_empty() {
            return Err(Error::invalid(
                "rootless containers requires at least one UID mapping",
            ));
        }
        if config.gid_mappings.is_empty() {
            return Err(Error::invalid(
                "rootless containers requires at least one GID mapping",
            ));
        }
    }
    for option in config.mounts.iter().flat_map(|mount| mount.data.split(',')) {
        if let Some(uid) = id_of(option, "uid=") {
            config
                .host_uid(uid)
                .map_err(|error| unmapped(option, error))?;
        }
        if let Some(gid) = id_of(option, "gid=") {
            config
                .host_gid(gid)
                .map_err(|error| unmapped(option, error))?;
        }
    }
    Ok(())
}

/// The id of an option; anything but a number is left to the file system.
fn id_of(option: &str, key: &str) -> Option<u32> {
    option.strip_prefix(key)?.parse().ok()
}

fn unmapped(option: &str, error: IdMapError) -> Error {
    Error::invalid(format!(
        "cannot specify {option} mount option for rootless container"
    ))
    .because_id_map(error)
}
