//! Where the cgroup goes, and its limits.

use super::{Options, devices, systemd};
use crate::config::{
    Cgroup, HugepageLimit, InterfacePriority, NamespaceType, RdmaLimit, Resources, WeightDevice,
};
use crate::{Config, Error, Result, Warning, lexical, oci};

/// What the name of a systemd scope begins with when the bundle says nothing.
const DEFAULT_SCOPE_PREFIX: &str = "runc";

/// Converts path and limits. `default_rules` are appended to the device rules of the bundle.
pub(super) fn convert(
    spec: &oci::Spec,
    options: &Options,
    default_rules: Vec<::devices::Rule>,
    warnings: &mut Vec<Warning>,
) -> Result<Cgroup> {
    let path = spec
        .linux
        .as_ref()
        .map_or("", |linux| linux.cgroups_path.as_str());
    let mut cgroup = Cgroup {
        systemd: options.use_systemd_cgroup,
        rootless: options.rootless_cgroups,
        ..Cgroup::default()
    };
    if options.use_systemd_cgroup {
        cgroup.systemd_properties = systemd::properties(&spec.annotations)?;
        if path.is_empty() {
            DEFAULT_SCOPE_PREFIX.clone_into(&mut cgroup.scope_prefix);
            cgroup.name.clone_from(&options.id);
        } else {
            let [slice, prefix, name] = systemd_path(path)?;
            slice.clone_into(&mut cgroup.parent);
            prefix.clone_into(&mut cgroup.scope_prefix);
            name.clone_into(&mut cgroup.name);
        }
    } else if path.is_empty() {
        cgroup.name.clone_from(&options.id);
    } else {
        cgroup.path = lexical::clean_inside(path);
    }
    if let Some(limits) = spec
        .linux
        .as_ref()
        .and_then(|linux| linux.resources.as_ref())
    {
        cgroup.resources = resources(limits, warnings)?;
    }
    cgroup.resources.devices.extend(default_rules);
    Ok(cgroup)
}

fn systemd_path(path: &str) -> Result<[&str; 3]> {
    let mut parts = path.split(':');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(slice), Some(prefix), Some(name), None) => Ok([slice, prefix, name]),
        _ => Err(Error::conversion(format!(
            "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got {path:?} instead"
        ))),
    }
}

/// Converts the limits of a bundle, or those of an `update`.
///
/// An absent value becomes the one that leaves the kernel's setting alone. The default device rules
/// are not added.
///
/// # Errors
/// A device rule cannot be converted.
pub fn resources(limits: &oci::Resources, warnings: &mut Vec<Warning>) -> Result<Resources> {
    let mut resources = Resources {
        devices: devices::rules(&limits.devices, warnings)?,
        ..Resources::default()
    };
    if let Some(memory) = &limits.memory {
        set_memory(memory, &mut resources, warnings);
    }
    if let Some(cpu) = &limits.cpu {
        set_cpu(cpu, &mut resources);
    }
    resources.pids_limit = limits.pids.and_then(|pids| pids.limit);
    if let Some(block_io) = &limits.block_io {
        set_block_io(block_io, &mut resources);
    }
    resources.hugetlb_limit = limits
        .hugepage_limits
        .iter()
        .map(|it| HugepageLimit {
            page_size: it.page_size.clone(),
            limit: it.limit,
        })
        .collect();
    resources.rdma = limits
        .rdma
        .iter()
        .map(|(device, it)| {
            (
                device.clone(),
                RdmaLimit {
                    hca_handles: it.hca_handles,
                    hca_objects: it.hca_objects,
                },
            )
        })
        .collect();
    if let Some(network) = &limits.network {
        resources.net_cls_classid = network.class_id.unwrap_or(0);
        resources.net_prio_ifpriomap = network
            .priorities
            .iter()
            .map(|it| InterfacePriority {
                interface: it.name.clone(),
                priority: it.priority.into(),
            })
            .collect();
    }
    resources.unified.clone_from(&limits.unified);
    Ok(resources)
}

fn set_memory(memory: &oci::Memory, resources: &mut Resources, warnings: &mut Vec<Warning>) {
    resources.memory = memory.limit.unwrap_or(0);
    resources.memory_reservation = memory.reservation.unwrap_or(0);
    resources.memory_swap = memory.swap.unwrap_or(0);
    resources.memory_swappiness = memory.swappiness;
    resources.oom_kill_disable = memory.disable_oom_killer.unwrap_or(false);
    resources.memory_check_before_update = memory.check_before_update.unwrap_or(false);
    if memory.kernel.is_some() || memory.kernel_tcp.is_some() {
        warnings.push(Warning::KernelMemory);
    }
}

fn set_cpu(cpu: &oci::Cpu, resources: &mut Resources) {
    resources.cpu_shares = cpu.shares.unwrap_or(0);
    resources.cpu_weight = cpu_weight(resources.cpu_shares);
    resources.cpu_quota = cpu.quota.unwrap_or(0);
    resources.cpu_burst = cpu.burst;
    resources.cpu_period = cpu.period.unwrap_or(0);
    resources.cpu_rt_runtime = cpu.realtime_runtime.unwrap_or(0);
    resources.cpu_rt_period = cpu.realtime_period.unwrap_or(0);
    resources.cpuset_cpus.clone_from(&cpu.cpus);
    resources.cpuset_mems.clone_from(&cpu.mems);
    resources.cpu_idle = cpu.idle;
}

fn set_block_io(block_io: &oci::BlockIo, resources: &mut Resources) {
    resources.blkio_weight = block_io.weight.unwrap_or(0);
    resources.blkio_leaf_weight = block_io.leaf_weight.unwrap_or(0);
    resources.blkio_weight_device = block_io
        .weight_device
        .iter()
        .map(|it| WeightDevice {
            major: it.major,
            minor: it.minor,
            weight: it.weight.unwrap_or(0),
            leaf_weight: it.leaf_weight.unwrap_or(0),
        })
        .collect();
    resources
        .blkio_throttle_read_bps_device
        .clone_from(&block_io.throttle_read_bps_device);
    resources
        .blkio_throttle_write_bps_device
        .clone_from(&block_io.throttle_write_bps_device);
    resources
        .blkio_throttle_read_iops_device
        .clone_from(&block_io.throttle_read_iops_device);
    resources
        .blkio_throttle_write_iops_device
        .clone_from(&block_io.throttle_write_iops_device);
}

/// The cgroup v2 CPU weight (1..=10000) of cgroup v1 shares (2..=262144); 0 for 0, which means
/// "leave alone".
///
/// The curve goes through the ends of both ranges and takes the default share of 1024 to the
/// default weight of 100.
#[must_use]
pub fn cpu_weight(shares: u64) -> u64 {
    match shares {
        0 => 0,
        1..=2 => 1,
        262_144.. => 10_000,
        shares => {
            #[allow(clippy::cast_precision_loss, reason = "below 2^18")]
            let l = (shares as f64).log2();
            let weight = 10f64.powf((l * l + 125.0 * l) / 612.0 - 7.0 / 34.0);
            let weight = weight.ceil();
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between 1 and 10000 by the match above"
            )]
            let weight = weight as u64;
            weight
        }
    }
}

/// The host user who is to own the cgroup directory.
///
/// Only a container with its own cgroup namespace and a writable cgroup mount can use a delegated
/// cgroup; an id that is not mapped leaves the ownership alone.
pub(super) fn owner_uid(spec: &oci::Spec, config: &Config) -> Option<u32> {
    let writable_mount = || {
        spec.mounts.iter().any(|mount| {
            mount.source == "cgroup"
                && lexical::clean(&mount.destination) == "/sys/fs/cgroup"
                && mount.options.iter().all(|option| option != "ro")
        })
    };
    if !config.namespaces.is_private(NamespaceType::Cgroup) || !writable_mount() {
        return None;
    }
    let uid = spec.process.as_ref().map_or(0, |process| process.user.uid);
    config.host_uid(uid).ok()
}

#[cfg(test)]
mod tests;
