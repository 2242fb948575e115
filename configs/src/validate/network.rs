//! Interfaces, routes and moved devices.

use crate::config::NamespaceType;
use crate::{Config, Error, Result};

pub(crate) fn networks(config: &Config) -> Result<()> {
    if config.networks.is_empty() && config.routes.is_empty() {
        return Ok(());
    }
    if !config.namespaces.contains(NamespaceType::Network) {
        return Err(Error::invalid(
            "unable to apply network settings without a private NET namespace",
        ));
    }
    // Half of a pair is on the host, whose network belongs to root.
    if config.rootless_euid && config.networks.iter().any(|one| one.kind == "veth") {
        return Err(Error::invalid(
            "networks of type veth are not supported for rootless containers",
        ));
    }
    Ok(())
}

pub(super) fn devices(config: &Config) -> Result<()> {
    if config.net_devices.is_empty() {
        return Ok(());
    }
    if !config.namespaces.contains(NamespaceType::Network) {
        return Err(Error::invalid(
            "unable to move network devices without a NET namespace",
        ));
    }
    if config.rootless_euid || config.rootless_cgroups {
        return Err(Error::invalid(
            "network devices are not supported for rootless containers",
        ));
    }
    for (host_name, device) in &config.net_devices {
        // An empty name inside keeps the one outside.
        let names = [
            Some(&device.name).filter(|name| !name.is_empty()),
            Some(host_name),
        ];
        for name in names.into_iter().flatten() {
            if !is_interface_name(name) {
                return Err(Error::invalid(format!(
                    "invalid network device name {name:?}"
                )));
            }
        }
    }
    Ok(())
}

/// The kernel's rule (`dev_valid_name`): at most 15 bytes, no slash, colon or white space, not `.`
/// or `..`.
fn is_interface_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() < 16
        && name != "."
        && name != ".."
        && !name.bytes().any(|byte| {
            matches!(byte, b'/' | b':' | 0) || byte.is_ascii_whitespace() || byte == 0x0b
        })
}
