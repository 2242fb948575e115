//! What can be limited: the union of what both cgroup versions know.

use std::collections::BTreeMap;

use devices::Rule;

/// Limits and settings for a cgroup. `None`, and an empty list, leave the kernel's value alone.
///
/// The fields are those of libcontainer's configuration, and with feature `serde` so is the JSON:
/// the field's name is its key, and 0 means "not set" where libcontainer has no other way to
/// say it. OCI runtime-spec, config-linux.md, "Control groups", describes the same things.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default)
)]
pub struct Resources {
    /// Device rules, in order; see [`devices::Emulator`] for what they mean together.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "json::null_is_default"))]
    pub devices: Vec<Rule>,
    /// Leave the device rules of the cgroup as they are, whatever `devices` says.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub skip_devices: bool,
    /// With systemd on cgroup v1: do not freeze the processes while the unit's properties change.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub skip_freeze_on_set: bool,

    /// Memory limit in bytes, which the kernel rounds down to whole pages; -1 is unlimited.
    #[cfg_attr(feature = "serde", serde(with = "json::zero_is_none"))]
    pub memory: Option<i64>,
    /// Memory the kernel tries not to take away (v2 `memory.low`, v1 soft limit), in bytes; -1 is
    /// everything.
    #[cfg_attr(feature = "serde", serde(with = "json::zero_is_none"))]
    pub memory_reservation: Option<i64>,
    /// Memory *and* swap together, in bytes: at least `memory`, without which the kernel has no
    /// such limit on cgroup v2; -1 is unlimited.
    #[cfg_attr(feature = "serde", serde(with = "json::zero_is_none"))]
    pub memory_swap: Option<i64>,
    /// How readily the kernel swaps, 0 to 100. cgroup v1 only. -1 (in JSON) is "not set".
    #[cfg_attr(feature = "serde", serde(with = "json::negative_is_none"))]
    pub memory_swappiness: Option<u64>,
    /// Do not kill when memory runs out, let processes wait instead. cgroup v1 only.
    pub oom_kill_disable: bool,
    /// Refuse a memory limit below what is in use already, instead of letting the kernel kill.
    /// cgroup v2 only.
    pub memory_check_before_update: bool,

    /// CPU weight on the scale of cgroup v1: 2 to 262144, default 1024.
    #[cfg_attr(feature = "serde", serde(with = "json::zero_is_none"))]
    pub cpu_shares: Option<u64>,
    /// CPU weight on the scale of cgroup v2: 1 to 10000, default 100. Wins over `cpu_shares`
    /// there.
    #[cfg_attr(feature = "serde", serde(with = "json::zero_is_none"))]
    pub cpu_weight: Option<u64>,
    /// CPU time per period and in total of all CPUs, in µs: at least 1000; negative is unlimited.
    #[cfg_attr(feature = "serde", serde(with = "json::zero_is_none"))]
    pub cpu_quota: Option<i64>,
    /// Unused quota that may be saved up, in µs: at most the quota, 0 for no burst (Linux 5.14).
    pub cpu_burst: Option<u64>,
    /// The period of the quota, in µs: 1000 to 1000000, default 100000.
    #[cfg_attr(feature = "serde", serde(with = "json::zero_is_none"))]
    pub cpu_period: Option<u64>,
    /// Real-time CPU time per real-time period, in µs: at most the period, and what the cgroup
    /// above has left. cgroup v1 with `CONFIG_RT_GROUP_SCHED`.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "cpu_rt_quota", with = "json::zero_is_none")
    )]
    pub cpu_rt_runtime: Option<i64>,
    /// The real-time period, in µs; the default of the kernel is 1000000. cgroup v1 with
    /// `CONFIG_RT_GROUP_SCHED`.
    #[cfg_attr(feature = "serde", serde(with = "json::zero_is_none"))]
    pub cpu_rt_period: Option<u64>,
    /// 1 for `SCHED_IDLE`, 0 for a normal cgroup (Linux 5.15). A weight cannot be set with 1.
    pub cpu_idle: Option<i64>,
    /// CPUs to run on, as a list of the kernel (`0-3,8`, cpuset(7)).
    #[cfg_attr(feature = "serde", serde(with = "json::empty_is_none"))]
    pub cpuset_cpus: Option<String>,
    /// Memory nodes to allocate from, as a list of the kernel.
    #[cfg_attr(feature = "serde", serde(with = "json::empty_is_none"))]
    pub cpuset_mems: Option<String>,

    /// How many processes and threads may exist; -1 is unlimited, 0 is read as 1.
    pub pids_limit: Option<i64>,

    /// Block I/O weight: 10 to 1000 (1 to 1000 with BFQ).
    #[cfg_attr(feature = "serde", serde(with = "json::zero_is_none"))]
    pub blkio_weight: Option<u16>,
    /// Weight against child cgroups, 10 to 1000. cgroup v1 with CFQ (before Linux 5.0).
    #[cfg_attr(feature = "serde", serde(with = "json::zero_is_none"))]
    pub blkio_leaf_weight: Option<u16>,
    /// Weights for single devices.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "json::null_is_default"))]
    pub blkio_weight_device: Vec<WeightDevice>,
    /// Bytes read per second.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "json::null_is_default"))]
    pub blkio_throttle_read_bps_device: Vec<ThrottleDevice>,
    /// Bytes written per second.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "json::null_is_default"))]
    pub blkio_throttle_write_bps_device: Vec<ThrottleDevice>,
    /// Reads per second.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "json::null_is_default"))]
    pub blkio_throttle_read_iops_device: Vec<ThrottleDevice>,
    /// Writes per second.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "json::null_is_default"))]
    pub blkio_throttle_write_iops_device: Vec<ThrottleDevice>,

    /// Whether the processes shall run, if that is part of the configuration.
    #[cfg_attr(feature = "serde", serde(with = "json::freezer"))]
    pub freezer: Option<FreezerState>,
    /// Huge pages.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "json::null_is_default"))]
    pub hugetlb_limit: Vec<HugepageLimit>,
    /// RDMA/InfiniBand resources by device name.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "json::null_is_default"))]
    pub rdma: BTreeMap<String, Rdma>,
    /// Priority of traffic per network interface. cgroup v1 only.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "json::null_is_default"))]
    pub net_prio_ifpriomap: Vec<IfPriority>,
    /// Class of the network packets (`0xAAAABBBB` is the tc handle AAAA:BBBB). cgroup v1 only.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "net_cls_classid_u", with = "json::zero_is_none")
    )]
    pub net_cls_classid: Option<u32>,
    /// Any file of cgroup v2 by name, with its value. Written last: it overrides the other fields.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "json::null_is_default"))]
    pub unified: BTreeMap<String, String>,
}

/// The weights of one block device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default)
)]
pub struct WeightDevice {
    /// Major number: 0 to 4095.
    pub major: i64,
    /// Minor number: 0 to 1048575.
    pub minor: i64,
    /// Weight, 10 to 1000; 0 is "not set".
    pub weight: u16,
    /// Weight against child cgroups (cgroup v1, CFQ), 10 to 1000; 0 is "not set".
    #[cfg_attr(feature = "serde", serde(rename = "leafWeight"))]
    pub leaf_weight: u16,
}

/// A rate for one block device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default)
)]
pub struct ThrottleDevice {
    /// Major number: 0 to 4095.
    pub major: i64,
    /// Minor number: 0 to 1048575.
    pub minor: i64,
    /// Bytes or operations per second. 0 takes the limit away on cgroup v1, and is refused by v2.
    pub rate: u64,
}

/// A limit for one size of huge pages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default)
)]
pub struct HugepageLimit {
    /// The size as cgroup file names spell it: `2MB`, `1GB`, `64KB`.
    pub page_size: String,
    /// Bytes, which the kernel rounds down to whole huge pages.
    pub limit: u64,
}

/// Limits for one RDMA device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default)
)]
pub struct Rdma {
    /// Handles of the host channel adapter.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub hca_handles: Option<u32>,
    /// Objects of the host channel adapter.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub hca_objects: Option<u32>,
}

/// The priority of one network interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default)
)]
pub struct IfPriority {
    /// Interface name.
    pub interface: String,
    /// Priority: 0 to 2³²-1.
    pub priority: i64,
}

/// Whether the processes of a cgroup run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "UPPERCASE")
)]
pub enum FreezerState {
    /// They are stopped.
    Frozen,
    /// They run.
    Thawed,
}

impl Resources {
    /// Whether a controller of cgroup v2 that only manages whole processes is needed. (`cpu`
    /// counts, although it knows threads: weight and quota are not available to a threaded
    /// cgroup's processes as a whole.)
    pub(crate) fn needs_domain_controller(&self) -> bool {
        self.sets_memory() || self.sets_io() || self.sets_cpu() || !self.hugetlb_limit.is_empty()
    }

    pub(crate) fn sets_devices(&self) -> bool {
        !self.skip_devices && !self.devices.is_empty()
    }

    pub(crate) fn sets_memory(&self) -> bool {
        self.memory.is_some() || self.memory_reservation.is_some() || self.memory_swap.is_some()
    }

    pub(crate) fn sets_io(&self) -> bool {
        self.blkio_weight.is_some()
            || !self.blkio_weight_device.is_empty()
            || !self.blkio_throttle_read_bps_device.is_empty()
            || !self.blkio_throttle_write_bps_device.is_empty()
            || !self.blkio_throttle_read_iops_device.is_empty()
            || !self.blkio_throttle_write_iops_device.is_empty()
    }

    pub(crate) fn sets_cpu(&self) -> bool {
        self.cpu_shares.is_some()
            || self.cpu_weight.is_some()
            || self.cpu_quota.is_some()
            || self.cpu_period.is_some()
            || self.cpu_idle.is_some()
            || self.cpu_burst.is_some()
    }

    pub(crate) fn sets_cpuset(&self) -> bool {
        self.cpuset_cpus.is_some() || self.cpuset_mems.is_some()
    }

    /// The names of the cgroup v2 controllers that these limits need.
    pub(crate) fn needed_controllers(&self) -> Vec<&'static str> {
        [
            ("pids", self.pids_limit.is_some()),
            ("memory", self.sets_memory()),
            ("io", self.sets_io()),
            ("cpu", self.sets_cpu()),
            ("cpuset", self.sets_cpuset()),
            ("hugetlb", !self.hugetlb_limit.is_empty()),
            ("rdma", !self.rdma.is_empty()),
        ]
        .into_iter()
        .filter_map(|(name, needed)| needed.then_some(name))
        .collect()
    }
}

#[cfg(feature = "serde")]
mod json;
#[cfg(test)]
mod tests;
