//! Mounts: flags to options.

use super::Missing;
use crate::config::{Mount, MountIdMapping, NamespaceType};
use crate::{Config, oci, specconv};

pub(super) fn convert(config: &Config, missing: &mut Missing) -> Vec<oci::Mount> {
    config
        .mounts
        .iter()
        .enumerate()
        .map(|(index, mount)| one(index, mount, config, missing))
        .collect()
}

fn one(index: usize, mount: &Mount, config: &Config, missing: &mut Missing) -> oci::Mount {
    let (mut options, is_complete) = specconv::options_of(mount);
    if !is_complete {
        missing.note(format!(
            "some flags of mounts[{index}] ({})",
            mount.destination
        ));
    }
    let mut converted = oci::Mount {
        destination: mount.destination.clone(),
        kind: mount.device.clone(),
        source: mount.source.clone(),
        ..oci::Mount::default()
    };
    if let Some(mapping) = &mount.id_mapping {
        if !is_of_container(mapping, config) {
            missing.note(format!("mounts[{index}].id_mapping.userns_path"));
        }
        let option = if mapping.recursive { "ridmap" } else { "idmap" };
        options.push(option.to_owned());
        converted.uid_mappings.clone_from(&mapping.uid_mappings);
        converted.gid_mappings.clone_from(&mapping.gid_mappings);
    }
    converted.options = options;
    converted
}

/// Whether the mappings are in the mount, or those of the user namespace that the container joins.
fn is_of_container(mapping: &MountIdMapping, config: &Config) -> bool {
    mapping.userns_path.is_empty()
        || config.namespaces.path_of(NamespaceType::User) == Some(&mapping.userns_path)
}
