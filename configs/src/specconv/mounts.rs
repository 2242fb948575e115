//! Mounts of the bundle to mounts of the configuration.

use super::mount_options;
use crate::config::{Mount, MountFlags, NamespaceType};
use crate::{Config, Error, ErrorKind, Result, Warning, lexical, oci};

/// Converts one mount.
pub(super) fn convert(
    mount: &oci::Mount,
    linux: Option<&oci::Linux>,
    bundle: &str,
    warnings: &mut Vec<Warning>,
) -> Result<Mount> {
    let mut converted = Mount {
        source: mount.source.clone(),
        destination: mount.destination.clone(),
        device: mount.kind.clone(),
        ..Mount::default()
    };
    if !mount.destination.starts_with('/') {
        warnings.push(Warning::RelativeDestination {
            destination: mount.destination.clone(),
        });
        converted.destination.insert(0, '/');
    }
    mount_options::apply(&mount.options, &mut converted, linux).map_err(|what| {
        Error::new(
            ErrorKind::Data,
            format!("invalid mount {:?}: {what}", mount.destination),
        )
    })?;
    if converted.flags.contains(MountFlags::BIND) {
        // The kernel ignores the type of a bind mount, so that whatever the bundle says does not
        // matter.
        "bind".clone_into(&mut converted.device);
        if !converted.source.starts_with('/') {
            converted.source = lexical::join(bundle, &converted.source);
        }
    }
    if !mount.uid_mappings.is_empty() || !mount.gid_mappings.is_empty() {
        let id_mapping = converted.id_mapping.get_or_insert_default();
        if !id_mapping.uid_mappings.is_empty() || !id_mapping.gid_mappings.is_empty() {
            return Err(Error::new(
                ErrorKind::Data,
                format!(
                    "invalid mount {:?}: id mappings both in an option and beside the options",
                    mount.destination
                ),
            ));
        }
        id_mapping.uid_mappings.clone_from(&mount.uid_mappings);
        id_mapping.gid_mappings.clone_from(&mount.gid_mappings);
    }
    let fields = [
        &converted.source,
        &converted.destination,
        &converted.device,
        &converted.data,
    ];
    if fields.iter().any(|field| field.contains('\0')) {
        return Err(Error::new(
            ErrorKind::Data,
            "mount field contains null byte",
        ));
    }
    Ok(converted)
}

/// Gives the id-mapped mounts that brought no mappings of their own those of the container's user
/// namespace.
pub(super) fn inherit_id_mappings(config: &mut Config) {
    if !config.namespaces.contains(NamespaceType::User) {
        return;
    }
    let Config {
        mounts,
        namespaces,
        uid_mappings,
        gid_mappings,
        ..
    } = config;
    let requests = mounts
        .iter_mut()
        .filter_map(|mount| mount.id_mapping.as_mut());
    for request in requests.filter(|it| it.uid_mappings.is_empty() && it.gid_mappings.is_empty()) {
        match namespaces.path_of(NamespaceType::User) {
            Some(path) => path.clone_into(&mut request.userns_path),
            None => {
                request.uid_mappings.clone_from(uid_mappings);
                request.gid_mappings.clone_from(gid_mappings);
            }
        }
    }
}
