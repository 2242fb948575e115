//! From a bundle's `config.json` to the configuration of a container.

use crate::{Config, HostInfo, Result, Warning, oci};

/// How the runtime was asked to make the container: what is not in the bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Container id; names the cgroup when the bundle does not.
    pub id: String,
    /// Absolute path of the bundle directory; relative paths in the bundle are relative to it.
    pub bundle: String,
    /// Let systemd make the cgroup.
    pub use_systemd_cgroup: bool,
    /// Do not `pivot_root(2)`.
    pub no_pivot_root: bool,
    /// Do not make a session keyring.
    pub no_new_keyring: bool,
    /// The runtime's effective uid is not 0.
    pub rootless_euid: bool,
    /// Failing to write cgroups is tolerated.
    pub rootless_cgroups: bool,
}

/// Converts a bundle into a configuration.
///
/// Pure: the file system and the kernel are not asked; what must be known about them is in `host`.
///
/// # Errors
/// The bundle has no root, or asks for something that does not exist or contradicts itself. The result is not yet
/// validated, see [`validate`](crate::validate).
pub fn convert(
    spec: &oci::Spec,
    host: &HostInfo,
    options: &Options,
) -> Result<(Config, Vec<Warning>)> {
    let _ = (spec, host, options);
    Err(crate::Error::conversion("root must be specified"))
}
