//! What is refused today, whatever the host is like.

use super::{Loaded, Revision};
use crate::{Error, HostInfo, NetworkNamespaceFact, Result, validate::rules};

/// Checks a configuration by the rules of [`validate`](crate::validate) that are about it alone,
/// and names the place in the file.
pub(super) fn check(loaded: &Loaded) -> Result<()> {
    let config = &loaded.config;
    // A host that has everything: what is missing on the actual one is found later.
    let host = HostInfo {
        selinux: true,
        network_namespace: NetworkNamespaceFact::Other,
        ..HostInfo::default()
    };
    let is_early = loaded.revision < Revision::F;
    let at = |place: &'static str| move |error: Error| error.at(place);
    let restrictions = match loaded.revision {
        Revision::F if config.mask_paths.is_empty() => "readonly_paths",
        Revision::F => "mask_paths",
        Revision::E => "restrict_sys",
        _ => "context.restrictions",
    };
    let network = if config.networks.is_empty() {
        "routes"
    } else {
        "networks"
    };
    let rootfs = match loaded.revision {
        Revision::E => "root_fs",
        _ => "rootfs",
    };
    let mounts = match loaded.revision {
        Revision::E => "mount_config.mounts",
        _ => "mounts",
    };
    rules::rootfs(config, &host).map_err(at(rootfs))?;
    rules::networks(config).map_err(at(network))?;
    rules::host_names(config).map_err(at(if config.hostname.is_empty() {
        "domainname"
    } else {
        "hostname"
    }))?;
    rules::security(config, &host).map_err(at(restrictions))?;
    rules::namespaces(config, &host).map_err(at("namespaces"))?;
    if !is_early {
        rules::sysctl(config, &host).map_err(at("sysctl"))?;
    }
    rules::mounts(config).map_err(at(mounts))
}
