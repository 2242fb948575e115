//! Bind mounts and id-mapped mounts.

use crate::config::{Mount, MountAttr, MountIdMapping};
use crate::{Config, Error, Result, Warning};

pub(crate) fn check(config: &Config) -> Result<()> {
    for mount in &config.mounts {
        let problem = bind_options(mount).or_else(|| {
            let mapping = mount.id_mapping.as_ref()?;
            id_mapping(mount, mapping, config)
        });
        if let Some(problem) = problem {
            return Err(Error::invalid(format!(
                "invalid mount {:?}: {problem}",
                mount.destination
            )));
        }
    }
    Ok(())
}

/// The kernel ignores data on a bind mount: options given for the file system would have
/// no effect.
fn bind_options(mount: &Mount) -> Option<&'static str> {
    (mount.is_bind() && !mount.data.is_empty())
        .then_some("bind mounts cannot have any filesystem-specific options applied")
}

fn id_mapping(mount: &Mount, mapping: &MountIdMapping, config: &Config) -> Option<&'static str> {
    let both = !mapping.uid_mappings.is_empty() && !mapping.gid_mappings.is_empty();
    let neither = mapping.uid_mappings.is_empty() && mapping.gid_mappings.is_empty();
    let rec_attr_bits = mount
        .rec_attr
        .map_or(0, |attr| attr.attr_set | attr.attr_clr);
    if rec_attr_bits & MountAttr::IDMAP != 0 {
        Some("mount configuration cannot contain recAttr for MOUNT_ATTR_IDMAP")
    } else if !mount.is_bind() {
        Some("id-mapped mounts are only supported for bind-mounts")
    } else if config.rootless_euid {
        Some("id-mapped mounts are not supported for rootless containers")
    } else if mapping.userns_path.is_empty() && !both {
        Some("id-mapped mounts must have both uid and gid mappings specified")
    } else if !mapping.userns_path.is_empty() && !neither {
        Some(
            "[internal error] id-mapped mounts cannot have both userns_path and uid and gid mappings specified",
        )
    } else {
        None
    }
}

/// Conversion makes every destination absolute; a configuration made by other means may have
/// relative ones.
pub(super) fn relative_destinations(config: &Config) -> Vec<Warning> {
    config
        .mounts
        .iter()
        .filter(|mount| !mount.destination.starts_with('/'))
        .map(|mount| Warning::RelativeDestination {
            destination: mount.destination.clone(),
        })
        .collect()
}
