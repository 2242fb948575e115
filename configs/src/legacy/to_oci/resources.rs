//! Limits: an integer of 0 becomes an absent value.

use super::Missing;
use crate::config::{FreezerState, Resources};
use crate::{oci, specconv};

/// The value, unless it is the one for "leave alone".
fn some<T: Default + PartialEq>(value: T) -> Option<T> {
    (value != T::default()).then_some(value)
}

pub(super) fn convert(limits: &Resources, missing: &mut Missing) -> oci::Resources {
    if limits.freezer == FreezerState::Frozen {
        missing.note("cgroups.freezer");
    }
    let mut unified = limits.unified.clone();
    if limits.cpu_weight != 0 && limits.cpu_weight != specconv::cpu_weight(limits.cpu_shares) {
        let file = unified.entry("cpu.weight".to_owned());
        file.or_insert_with(|| limits.cpu_weight.to_string());
    }
    oci::Resources {
        devices: limits.devices.iter().map(rule).collect(),
        memory: some(memory(limits)),
        cpu: some(cpu(limits)),
        pids: limits
            .pids_limit
            .map(|limit| oci::Pids { limit: Some(limit) }),
        block_io: some(block_io(limits)),
        hugepage_limits: limits
            .hugetlb_limit
            .iter()
            .map(|it| oci::HugepageLimit {
                page_size: it.page_size.clone(),
                limit: it.limit,
            })
            .collect(),
        network: some(network(limits, missing)),
        rdma: limits
            .rdma
            .iter()
            .map(|(device, it)| {
                let limit = oci::Rdma {
                    hca_handles: it.hca_handles,
                    hca_objects: it.hca_objects,
                };
                (device.clone(), limit)
            })
            .collect(),
        unified,
        unknown_keys: Vec::new(),
    }
}

fn rule(rule: &devices::Rule) -> oci::DeviceCgroup {
    oci::DeviceCgroup {
        allow: rule.allow,
        kind: rule.kind.to_string(),
        major: rule.major.map(i64::from),
        minor: rule.minor.map(i64::from),
        access: rule.access.to_string(),
    }
}

fn memory(limits: &Resources) -> oci::Memory {
    oci::Memory {
        limit: some(limits.memory),
        reservation: some(limits.memory_reservation),
        swap: some(limits.memory_swap),
        swappiness: limits.memory_swappiness,
        disable_oom_killer: some(limits.oom_kill_disable),
        check_before_update: some(limits.memory_check_before_update),
        ..oci::Memory::default()
    }
}

fn cpu(limits: &Resources) -> oci::Cpu {
    oci::Cpu {
        shares: some(limits.cpu_shares),
        quota: some(limits.cpu_quota),
        burst: limits.cpu_burst,
        period: some(limits.cpu_period),
        realtime_runtime: some(limits.cpu_rt_runtime),
        realtime_period: some(limits.cpu_rt_period),
        cpus: limits.cpuset_cpus.clone(),
        mems: limits.cpuset_mems.clone(),
        idle: limits.cpu_idle,
    }
}

fn block_io(limits: &Resources) -> oci::BlockIo {
    let weight = |it: &crate::config::WeightDevice| oci::WeightDevice {
        major: it.major,
        minor: it.minor,
        weight: some(it.weight),
        leaf_weight: some(it.leaf_weight),
    };
    oci::BlockIo {
        weight: some(limits.blkio_weight),
        leaf_weight: some(limits.blkio_leaf_weight),
        weight_device: limits.blkio_weight_device.iter().map(weight).collect(),
        throttle_read_bps_device: limits.blkio_throttle_read_bps_device.clone(),
        throttle_write_bps_device: limits.blkio_throttle_write_bps_device.clone(),
        throttle_read_iops_device: limits.blkio_throttle_read_iops_device.clone(),
        throttle_write_iops_device: limits.blkio_throttle_write_iops_device.clone(),
    }
}

fn network(limits: &Resources, missing: &mut Missing) -> oci::Network {
    let mut priorities = Vec::new();
    for (index, it) in limits.net_prio_ifpriomap.iter().enumerate() {
        match u32::try_from(it.priority) {
            Ok(priority) => priorities.push(oci::InterfacePriority {
                name: it.interface.clone(),
                priority,
            }),
            Err(_) => missing.note(format!("cgroups.net_prio_ifpriomap[{index}]")),
        }
    }
    oci::Network {
        class_id: some(limits.net_cls_classid),
        priorities,
    }
}
