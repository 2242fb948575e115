//! Namespaces and the mappings of the user namespace.

use crate::config::{IdMap, NamespaceType, Namespaces};
use crate::{Config, Error, HostInfo, IdMapping, Result, Warning, oci};

/// Converts the list of namespaces.
pub(super) fn convert(list: &[oci::Namespace]) -> Result<Namespaces> {
    let mut namespaces = Namespaces::new();
    for ns in list {
        let kind = NamespaceType::from_oci_name(&ns.kind)
            .ok_or_else(|| Error::conversion(format!("namespace {:?} does not exist", ns.kind)))?;
        if namespaces.contains(kind) {
            return Err(Error::conversion(format!(
                "malformed spec file: duplicated ns {:?}",
                ns.kind
            )));
        }
        namespaces.set(kind, ns.path.as_str());
    }
    Ok(namespaces)
}

/// Fills in the mappings of the user namespace, and turns the owners of devices into ids of the
/// host. One that is not mapped becomes the container's root.
///
/// For a namespace that is joined the mappings it has are what counts. They are stored so that
/// later commands know them. Engines repeat them in the bundle, which is accepted; other mappings
/// than the real ones are a contradiction.
pub(super) fn set_up_user_namespace(
    host: &HostInfo,
    config: &mut Config,
    warnings: &mut Vec<Warning>,
) -> Result<()> {
    if let Some(path) = config.namespaces.path_of(NamespaceType::User) {
        let actual = host.user_namespaces.get(path).ok_or_else(|| {
            Error::conversion("failed to cache mappings for userns")
                .because(format_args!("the mappings of {path} are not known"))
        })?;
        if !config.uid_mappings.is_empty() || !config.gid_mappings.is_empty() {
            if !same_mappings(config, actual) {
                return Err(Error::conversion(
                    "user namespaces enabled, but both namespace path and non-matching mapping specified -- you may only provide one",
                ));
            }
            warnings.push(Warning::UserNamespacePathAndMappings);
        }
        config.uid_mappings = actual.uids.ranges().to_vec();
        config.gid_mappings = actual.gids.ranges().to_vec();
    }
    // The nodes are made from outside.
    let no_root = "the container's root has no id on the host";
    let uid = config
        .host_root_uid()
        .map_err(|error| Error::conversion(no_root).because_id_map(error))?;
    let gid = config
        .host_root_gid()
        .map_err(|error| Error::conversion(no_root).because_id_map(error))?;
    let owners: Vec<(u32, u32)> = config
        .devices
        .iter()
        .map(|device| {
            (
                config.host_uid(device.uid).unwrap_or(uid),
                config.host_gid(device.gid).unwrap_or(gid),
            )
        })
        .collect();
    for (device, (uid, gid)) in config.devices.iter_mut().zip(owners) {
        (device.uid, device.gid) = (uid, gid);
    }
    Ok(())
}

/// Whether the bundle's mappings are the actual ones, in whatever order.
fn same_mappings(config: &Config, actual: &IdMapping) -> bool {
    let sorted = |maps: &[IdMap]| {
        let mut maps = maps.to_vec();
        maps.sort_unstable();
        maps
    };
    sorted(&config.uid_mappings) == sorted(actual.uids.ranges())
        && sorted(&config.gid_mappings) == sorted(actual.gids.ranges())
}
