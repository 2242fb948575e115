//! Whether a configuration makes sense, in itself and on this host.
//!
//! The rules are checked in a fixed order, because callers and tests look at which one is reported:
//! cgroups, rootfs, network, network devices, host name, security, namespaces, kernel parameters,
//! Intel RDT, rootless, mounts, scheduler, I/O priority, memory policy. After them come the
//! warnings.
//!
//! Nothing is read from the system here; see [`HostInfo`] for what the caller looks up first.
//!
//! ```
//! use cofferdam_configs::{Config, HostInfo, RootfsFact, validate};
//!
//! let rootfs = "/srv/web/rootfs";
//! let config = Config { rootfs: rootfs.into(), hostname: "web".into(), ..Config::default() };
//! let host = HostInfo { rootfs: RootfsFact::Resolved(rootfs.into()), ..HostInfo::default() };
//! let error = validate::validate(&config, &host).unwrap_err();
//! assert_eq!(error.to_string(), "unable to set hostname without a private UTS namespace");
//! ```

mod cgroup;
mod intel_rdt;
mod mounts;
mod namespaces;
mod network;
mod process;
mod rootfs;
mod rootless;
mod sysctl;

use crate::{Config, HostInfo, Result, Warning};

/// The rules one by one, for a reader that knows the place of each in its file.
#[cfg(feature = "legacy")]
pub(crate) mod rules {
    pub(crate) use super::mounts::check as mounts;
    pub(crate) use super::namespaces::{host_names, namespaces, security};
    pub(crate) use super::network::networks;
    pub(crate) use super::rootfs::check as rootfs;
    pub(crate) use super::sysctl::check as sysctl;
}

pub use process::{io_priority, scheduler};
pub use sysctl::{sysctl_path, sysctl_with_dots};

/// Checks a configuration and returns what is questionable but not refused.
///
/// # Errors
/// The first rule that is broken, in the order of the [module documentation](self).
pub fn validate(config: &Config, host: &HostInfo) -> Result<Vec<Warning>> {
    cgroup::check(config, host)?;
    rootfs::check(config, host)?;
    network::networks(config)?;
    network::devices(config)?;
    namespaces::host_names(config)?;
    namespaces::security(config, host)?;
    namespaces::namespaces(config, host)?;
    sysctl::check(config, host)?;
    intel_rdt::check(config, host)?;
    rootless::check(config)?;
    mounts::check(config)?;
    if let Some(attributes) = &config.scheduler {
        scheduler(attributes)?;
    }
    if let Some(priority) = &config.io_priority {
        io_priority(priority)?;
    }
    process::memory_policy(config)?;
    Ok(mounts::relative_destinations(config))
}

#[cfg(test)]
mod tests;
