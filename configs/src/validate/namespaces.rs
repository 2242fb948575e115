//! What needs a namespace, and what a namespace needs.

use crate::config::NamespaceType;
use crate::{Config, Error, HostInfo, Result};

pub(crate) fn host_names(config: &Config) -> Result<()> {
    let has_uts = config.namespaces.contains(NamespaceType::Uts);
    if !config.hostname.is_empty() && !has_uts {
        return Err(Error::invalid(
            "unable to set hostname without a private UTS namespace",
        ));
    }
    if !config.domainname.is_empty() && !has_uts {
        return Err(Error::invalid(
            "unable to set domainname without a private UTS namespace",
        ));
    }
    Ok(())
}

pub(crate) fn security(config: &Config, host: &HostInfo) -> Result<()> {
    if (!config.mask_paths.is_empty() || !config.readonly_paths.is_empty())
        && !config.namespaces.contains(NamespaceType::Mount)
    {
        return Err(Error::invalid(
            "unable to restrict sys entries without a private MNT namespace",
        ));
    }
    if !config.process_label.is_empty() && !host.selinux {
        return Err(Error::invalid(
            "selinux label is specified in config, but selinux is disabled or not supported",
        ));
    }
    Ok(())
}

pub(crate) fn namespaces(config: &Config, host: &HostInfo) -> Result<()> {
    let namespaces = &config.namespaces;
    let has_mappings = !config.uid_mappings.is_empty() || !config.gid_mappings.is_empty();
    if namespaces.contains(NamespaceType::User) {
        if !host.has_namespace(NamespaceType::User) {
            return Err(Error::invalid(
                "user namespaces aren't enabled in the kernel",
            ));
        }
        if namespaces.is_private(NamespaceType::User) && !has_mappings {
            return Err(Error::invalid(
                "user namespaces enabled, but no namespace path to join nor mappings to apply specified",
            ));
        }
    } else if has_mappings {
        return Err(Error::invalid(
            "user namespace mappings specified, but user namespace isn't enabled in the config",
        ));
    }
    if namespaces.contains(NamespaceType::Cgroup) && !host.has_namespace(NamespaceType::Cgroup) {
        return Err(Error::invalid(
            "cgroup namespaces aren't enabled in the kernel",
        ));
    }
    if namespaces.contains(NamespaceType::Time) {
        if !host.has_namespace(NamespaceType::Time) {
            return Err(Error::invalid(
                "time namespaces aren't enabled in the kernel",
            ));
        }
        if namespaces.path_of(NamespaceType::Time).is_some() && !config.time_offsets.is_empty() {
            return Err(Error::invalid(
                "time namespace enabled, but both namespace path and time offsets specified -- you may only provide one",
            ));
        }
    } else if !config.time_offsets.is_empty() {
        return Err(Error::invalid(
            "time namespace offsets specified, but time namespace isn't enabled in the config",
        ));
    }
    Ok(())
}
