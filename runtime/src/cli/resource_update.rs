//! How the limits given to `update` change those a container has.

use configs::config::{Resources, WeightDevice};
use configs::oci::{self, ThrottleDevice};
use configs::specconv::cpu_weight;

/// Merges `wanted` into the stored limits.
///
/// Most limits change only when given. Some cannot be distinguished from "not given" by the callers
/// of this command and have always been taken as they come: the CPU and memory sets, burst, idle,
/// the number of processes and the `unified` map. Not given, they are forgotten, which leaves the
/// kernel's value alone. Period and quota belong together: one alone keeps the other, neither
/// forgets both.
pub(crate) fn apply(stored: &mut Resources, wanted: &oci::Resources) {
    // Device rules stay as they are, in the kernel too.
    stored.skip_devices = true;
    cpu(stored, &wanted.cpu.clone().unwrap_or_default());
    memory(stored, &wanted.memory.clone().unwrap_or_default());
    stored.pids_limit = wanted.pids.and_then(|pids| pids.limit);
    if let Some(block_io) = &wanted.block_io {
        block_devices(stored, block_io);
    }
    stored.unified.clone_from(&wanted.unified);
}

fn cpu(stored: &mut Resources, wanted: &oci::Cpu) {
    match (wanted.period, wanted.quota) {
        (Some(period), None) => stored.cpu_period = period,
        (None, Some(quota)) => stored.cpu_quota = quota,
        (period, quota) => {
            stored.cpu_period = period.unwrap_or_default();
            stored.cpu_quota = quota.unwrap_or_default();
        }
    }
    if let Some(shares) = wanted.shares {
        set_shares(stored, shares);
    } else if wanted.idle.is_some() {
        // An idle cgroup has no weight to write.
        set_shares(stored, 0);
    }
    if let Some(period) = wanted.realtime_period {
        stored.cpu_rt_period = period;
    }
    if let Some(runtime) = wanted.realtime_runtime {
        stored.cpu_rt_runtime = runtime;
    }
    stored.cpu_burst = wanted.burst;
    stored.cpu_idle = wanted.idle;
    stored.cpuset_cpus.clone_from(&wanted.cpus);
    stored.cpuset_mems.clone_from(&wanted.mems);
}

/// Sets shares, and the weight of cgroup v2 that follows from them.
fn set_shares(stored: &mut Resources, shares: u64) {
    stored.cpu_shares = shares;
    stored.cpu_weight = cpu_weight(shares);
}

fn memory(stored: &mut Resources, wanted: &oci::Memory) {
    if let Some(limit) = wanted.limit {
        stored.memory = limit;
        if limit == -1 && wanted.swap.is_none() {
            // No limit for memory: none for memory and swap together either, which is what unset
            // becomes.
            stored.memory_swap = 0;
        }
    }
    if let Some(reservation) = wanted.reservation {
        stored.memory_reservation = reservation;
    }
    if let Some(swap) = wanted.swap {
        stored.memory_swap = swap;
    }
    stored.memory_check_before_update = wanted.check_before_update.unwrap_or_default();
}

fn block_devices(stored: &mut Resources, wanted: &oci::BlockIo) {
    if let Some(weight) = wanted.weight.filter(|&weight| weight != 0) {
        stored.blkio_weight = weight;
    }
    if let Some(weight) = wanted.leaf_weight.filter(|&weight| weight != 0) {
        stored.blkio_leaf_weight = weight;
    }
    for device in &wanted.weight_device {
        stored
            .blkio_weight_device
            .retain(|old| (old.major, old.minor) != (device.major, device.minor));
        stored.blkio_weight_device.push(WeightDevice {
            major: device.major,
            minor: device.minor,
            weight: device.weight.unwrap_or_default(),
            leaf_weight: device.leaf_weight.unwrap_or_default(),
        });
    }
    throttle(
        &mut stored.blkio_throttle_read_bps_device,
        &wanted.throttle_read_bps_device,
    );
    throttle(
        &mut stored.blkio_throttle_write_bps_device,
        &wanted.throttle_write_bps_device,
    );
    throttle(
        &mut stored.blkio_throttle_read_iops_device,
        &wanted.throttle_read_iops_device,
    );
    throttle(
        &mut stored.blkio_throttle_write_iops_device,
        &wanted.throttle_write_iops_device,
    );
}

/// Sets the limits of devices. A device may be in either list more than once: the last of what
/// is wanted counts, and nothing stored for that device stays.
fn throttle(stored: &mut Vec<ThrottleDevice>, wanted: &[ThrottleDevice]) {
    for &device in wanted {
        stored.retain(|old| (old.major, old.minor) != (device.major, device.minor));
        stored.push(device);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpu_of(cpu: oci::Cpu) -> oci::Resources {
        oci::Resources {
            cpu: Some(cpu),
            ..oci::Resources::default()
        }
    }

    #[test]
    fn a_period_alone_keeps_the_quota_and_neither_forgets_both() {
        let mut stored = Resources {
            cpu_period: 100_000,
            cpu_quota: 50_000,
            ..Resources::default()
        };
        apply(
            &mut stored,
            &cpu_of(oci::Cpu {
                period: Some(200_000),
                ..oci::Cpu::default()
            }),
        );
        assert_eq!((stored.cpu_period, stored.cpu_quota), (200_000, 50_000));
        apply(
            &mut stored,
            &cpu_of(oci::Cpu {
                quota: Some(-1),
                ..oci::Cpu::default()
            }),
        );
        assert_eq!((stored.cpu_period, stored.cpu_quota), (200_000, -1));
        apply(&mut stored, &oci::Resources::default());
        assert_eq!((stored.cpu_period, stored.cpu_quota), (0, 0));
    }

    #[test]
    fn sets_burst_idle_and_pids_are_taken_as_they_come() {
        let mut stored = Resources {
            cpuset_cpus: "0".into(),
            cpu_burst: Some(1),
            cpu_idle: Some(1),
            pids_limit: Some(5),
            unified: [("memory.high".to_owned(), "1".to_owned())].into(),
            ..Resources::default()
        };
        apply(&mut stored, &oci::Resources::default());
        assert_eq!(
            stored,
            Resources {
                skip_devices: true,
                ..Resources::default()
            }
        );
    }

    #[test]
    fn memory_changes_only_when_given_and_no_limit_means_no_limit_of_swap() {
        let mut stored = Resources {
            memory: 10,
            memory_swap: 20,
            memory_reservation: 5,
            ..Resources::default()
        };
        let memory = |memory| oci::Resources {
            memory: Some(memory),
            ..oci::Resources::default()
        };
        apply(
            &mut stored,
            &memory(oci::Memory {
                reservation: Some(6),
                ..oci::Memory::default()
            }),
        );
        assert_eq!(
            (stored.memory, stored.memory_swap, stored.memory_reservation),
            (10, 20, 6)
        );
        apply(
            &mut stored,
            &memory(oci::Memory {
                limit: Some(-1),
                check_before_update: Some(true),
                ..oci::Memory::default()
            }),
        );
        assert_eq!(
            (
                stored.memory,
                stored.memory_swap,
                stored.memory_check_before_update
            ),
            (-1, 0, true)
        );
        apply(&mut stored, &oci::Resources::default());
        assert!(!stored.memory_check_before_update);
    }

    #[test]
    fn idle_without_shares_forgets_the_shares() {
        let mut stored = Resources::default();
        apply(
            &mut stored,
            &cpu_of(oci::Cpu {
                shares: Some(1024),
                ..oci::Cpu::default()
            }),
        );
        assert_eq!((stored.cpu_shares, stored.cpu_weight), (1024, 100));
        apply(
            &mut stored,
            &cpu_of(oci::Cpu {
                idle: Some(1),
                ..oci::Cpu::default()
            }),
        );
        assert_eq!(
            (stored.cpu_shares, stored.cpu_weight, stored.cpu_idle),
            (0, 0, Some(1))
        );
    }

    #[test]
    fn limits_of_block_devices_are_replaced_by_device() {
        let device = |minor, rate| ThrottleDevice {
            major: 8,
            minor,
            rate,
        };
        let mut stored = Resources {
            blkio_throttle_read_bps_device: vec![device(0, 1), device(0, 5)],
            ..Resources::default()
        };
        let block_io = oci::BlockIo {
            throttle_read_bps_device: vec![device(0, 2), device(16, 3), device(16, 4)],
            weight: Some(0),
            ..oci::BlockIo::default()
        };
        stored.blkio_weight = 300;
        apply(
            &mut stored,
            &oci::Resources {
                block_io: Some(block_io),
                ..oci::Resources::default()
            },
        );
        assert_eq!(
            stored.blkio_throttle_read_bps_device,
            [device(0, 2), device(16, 4)]
        );
        assert_eq!(stored.blkio_weight, 300);
    }
}
