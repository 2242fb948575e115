//! The section `linux` of a bundle.

use super::{Missing, resources};
use crate::config::{
    Cgroup, Device, IdMap, IntelRdt, MemoryPolicy, MemoryPolicyFlag, MountFlags, NamespaceType,
    Seccomp,
};
use crate::legacy::Loaded;
use crate::{Config, lexical, oci, specconv};

pub(super) fn convert(loaded: &Loaded, missing: &mut Missing) -> oci::Linux {
    let config = &loaded.config;
    oci::Linux {
        uid_mappings: config.uid_mappings.clone(),
        gid_mappings: config.gid_mappings.clone(),
        sysctl: config.sysctl.clone(),
        resources: Some(resources::convert(&config.cgroups.resources, missing)),
        cgroups_path: cgroups_path(&config.cgroups),
        namespaces: config
            .namespaces
            .iter()
            .map(|namespace| oci::Namespace {
                kind: namespace.kind.oci_name().to_owned(),
                path: namespace.path.clone(),
            })
            .collect(),
        devices: config.devices.iter().map(|it| device(it, config)).collect(),
        net_devices: config.net_devices.clone(),
        seccomp: config.seccomp.as_ref().map(seccomp),
        rootfs_propagation: propagation(config.root_propagation, missing),
        masked_paths: config.mask_paths.clone(),
        readonly_paths: config.readonly_paths.clone(),
        mount_label: config.mount_label.clone(),
        intel_rdt: config.intel_rdt.as_ref().map(intel_rdt),
        memory_policy: config.memory_policy.as_ref().map(memory_policy),
        personality: config.personality.map(|personality| oci::Personality {
            domain: personality.domain.name().to_owned(),
            flags: Vec::new(),
        }),
        time_offsets: config.time_offsets.clone(),
    }
}

/// A path, or the three parts of a unit's name.
fn cgroups_path(cgroup: &Cgroup) -> String {
    if cgroup.systemd {
        return format!("{}:{}:{}", cgroup.parent, cgroup.scope_prefix, cgroup.name);
    }
    if !cgroup.path.is_empty() {
        return cgroup.path.clone();
    }
    match (cgroup.parent.as_str(), cgroup.name.as_str()) {
        ("", name) => name.to_owned(),
        (parent, name) => lexical::clean(&format!("{parent}/{name}")),
    }
}

/// A node. Its owner is one of the host there, and one of the container in a bundle.
fn device(device: &Device, config: &Config) -> oci::Device {
    let inside = |maps: &[IdMap], id: u32| {
        if config.namespaces.contains(NamespaceType::User) {
            container_id(maps, id)
        } else {
            Some(id)
        }
    };
    oci::Device {
        path: device.path.clone(),
        kind: device.kind.to_string(),
        major: device.major,
        minor: device.minor,
        file_mode: Some(device.file_mode),
        // One that is not mapped becomes the container's root, as it is without an owner.
        uid: inside(&config.uid_mappings, device.uid),
        gid: inside(&config.gid_mappings, device.gid),
    }
}

fn container_id(maps: &[IdMap], host: u32) -> Option<u32> {
    maps.iter().find_map(|map| {
        let offset = host.checked_sub(map.host_id)?;
        if offset < map.size {
            map.container_id.checked_add(offset)
        } else {
            None
        }
    })
}

fn seccomp(filter: &Seccomp) -> oci::Seccomp {
    oci::Seccomp {
        default_action: filter.default_action.name().to_owned(),
        default_errno_ret: filter.default_errno_ret,
        architectures: filter
            .architectures
            .iter()
            .map(|architecture| architecture.name().to_owned())
            .collect(),
        flags: Some(
            filter
                .flags
                .iter()
                .map(|flag| flag.name().to_owned())
                .collect(),
        ),
        listener_path: filter.listener_path.clone(),
        listener_metadata: filter.listener_metadata.clone(),
        syscalls: filter
            .syscalls
            .iter()
            .map(|rule| oci::Syscall {
                names: vec![rule.name.clone()],
                action: rule.action.name().to_owned(),
                errno_ret: rule.errno_ret,
                args: rule
                    .args
                    .iter()
                    .map(|arg| oci::SeccompArg {
                        index: arg.index,
                        value: arg.value,
                        value_two: arg.value_two,
                        op: arg.op.name().to_owned(),
                    })
                    .collect(),
            })
            .collect(),
    }
}

fn propagation(flags: MountFlags, missing: &mut Missing) -> String {
    if flags.is_empty() {
        return String::new();
    }
    let name = specconv::propagation_name(flags);
    if name.is_none() {
        missing.note("rootPropagation");
    }
    name.unwrap_or_default().to_owned()
}

fn intel_rdt(rdt: &IntelRdt) -> oci::IntelRdt {
    oci::IntelRdt {
        clos_id: rdt.clos_id.clone(),
        schemata: rdt.schemata.clone(),
        l3_cache_schema: rdt.l3_cache_schema.clone(),
        mem_bw_schema: rdt.mem_bw_schema.clone(),
        enable_monitoring: rdt.enable_monitoring,
    }
}

fn memory_policy(policy: &MemoryPolicy) -> oci::MemoryPolicy {
    let flags = MemoryPolicyFlag::ALL.iter();
    oci::MemoryPolicy {
        mode: policy.mode.name().to_owned(),
        nodes: policy
            .nodes
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        flags: flags
            .filter(|flag| policy.flags & flag.to_int() != 0)
            .map(|flag| flag.name().to_owned())
            .collect(),
    }
}
