//! The cgroup of a container and its limits, in libcontainer's flat JSON shape.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::SystemdProperty;
use crate::nullable::{is_default, or_default, unique_map};

pub use crate::oci::ThrottleDevice;

/// Where the container's cgroup is, and its limits.
///
/// In JSON the limits are beside the other keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cgroup {
    /// Last part of the name; excludes `path`.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub name: String,
    /// Parent: a cgroup path, or the slice for systemd.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub parent: String,
    /// Absolute cgroup path, cleaned; excludes `name` and `parent`.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub path: String,
    /// What the systemd unit's name starts with.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub scope_prefix: String,
    /// The cgroup is a systemd unit.
    #[serde(
        rename = "Systemd",
        deserialize_with = "or_default",
        skip_serializing_if = "is_default"
    )]
    pub systemd: bool,
    /// Further properties of the systemd unit, set at its creation. Not stored.
    #[serde(skip)]
    pub systemd_properties: Vec<SystemdProperty>,
    /// Permission errors are tolerated; for systemd, use the user's instance.
    #[serde(
        rename = "Rootless",
        deserialize_with = "or_default",
        skip_serializing_if = "is_default"
    )]
    pub rootless: bool,
    /// Host uid that gets the cgroup directory (systemd on cgroup v2); absent leaves the ownership
    /// alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_uid: Option<u32>,
    /// The limits.
    #[serde(flatten)]
    pub resources: Resources,
}

/// Limits in libcontainer's units. For plain integers 0 means "leave alone".
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// Device rules in the order they apply.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<devices::Rule>,
    /// Memory limit in bytes, -1 for none.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub memory: i64,
    /// Soft memory limit in bytes.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub memory_reservation: i64,
    /// Limit of memory and swap together in bytes, -1 for none.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub memory_swap: i64,
    /// Relative CPU share, 2..=262144.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub cpu_shares: u64,
    /// Microseconds of CPU time per period, -1 for no limit.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub cpu_quota: i64,
    /// Microseconds that may be saved up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_burst: Option<u64>,
    /// Period in microseconds.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub cpu_period: u64,
    /// Microseconds of real-time scheduling per real-time period (JSON key `cpu_rt_quota`).
    #[serde(
        rename = "cpu_rt_quota",
        deserialize_with = "or_default",
        skip_serializing_if = "is_default"
    )]
    pub cpu_rt_runtime: i64,
    /// Real-time period in microseconds.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub cpu_rt_period: u64,
    /// CPU list.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub cpuset_cpus: String,
    /// Memory node list.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub cpuset_mems: String,
    /// 1 makes the whole cgroup SCHED_IDLE.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_idle: Option<i64>,
    /// Number of tasks, -1 for no limit; 0 is a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids_limit: Option<i64>,
    /// Block I/O weight, 10..=1000.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub blkio_weight: u16,
    /// Block I/O weight against child cgroups (v1).
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub blkio_leaf_weight: u16,
    /// Block I/O weights per device.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub blkio_weight_device: Vec<WeightDevice>,
    /// Bytes read per second, per device.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub blkio_throttle_read_bps_device: Vec<ThrottleDevice>,
    /// Bytes written per second, per device.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub blkio_throttle_write_bps_device: Vec<ThrottleDevice>,
    /// Reads per second, per device.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub blkio_throttle_read_iops_device: Vec<ThrottleDevice>,
    /// Writes per second, per device.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub blkio_throttle_write_iops_device: Vec<ThrottleDevice>,
    /// Whether the container is to be frozen.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub freezer: FreezerState,
    /// Huge page limits.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub hugetlb_limit: Vec<HugepageLimit>,
    /// Let tasks wait instead of killing one (v1).
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub oom_kill_disable: bool,
    /// Swappiness 0..=100 (v1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_swappiness: Option<u64>,
    /// Network priorities per interface (v1).
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub net_prio_ifpriomap: Vec<InterfacePriority>,
    /// Class of outgoing packets (v1).
    #[serde(
        rename = "net_cls_classid_u",
        deserialize_with = "or_default",
        skip_serializing_if = "is_default"
    )]
    pub net_cls_classid: u32,
    /// RDMA limits by device.
    #[serde(
        deserialize_with = "unique_map",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub rdma: BTreeMap<String, RdmaLimit>,
    /// CPU weight of cgroup v2, computed from the shares.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub cpu_weight: u64,
    /// cgroup v2 files and what to write to them, after everything else.
    #[serde(
        deserialize_with = "unique_map",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub unified: BTreeMap<String, String>,
    /// Leave device rules alone. Not stored.
    #[serde(skip)]
    pub skip_devices: bool,
    /// Do not freeze around systemd's device update (v1). Not stored.
    #[serde(skip)]
    pub skip_freeze_on_set: bool,
    /// Refuse a memory limit below the usage.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub memory_check_before_update: bool,
}

/// What the freezer is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FreezerState {
    /// Nothing: leave it as it is.
    #[default]
    #[serde(rename = "")]
    Undefined,
    /// Frozen.
    #[serde(rename = "FROZEN")]
    Frozen,
    /// Running.
    #[serde(rename = "THAWED")]
    Thawed,
}

/// Block I/O weights of one device; 0 leaves one alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WeightDevice {
    /// Major number.
    #[serde(deserialize_with = "or_default")]
    pub major: i64,
    /// Minor number.
    #[serde(deserialize_with = "or_default")]
    pub minor: i64,
    /// Weight.
    #[serde(deserialize_with = "or_default")]
    pub weight: u16,
    /// Weight against child cgroups (v1).
    #[serde(rename = "leafWeight", deserialize_with = "or_default")]
    pub leaf_weight: u16,
}

/// Limit for one huge page size.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HugepageLimit {
    /// Page size such as `2MB`.
    #[serde(deserialize_with = "or_default")]
    pub page_size: String,
    /// Bytes.
    #[serde(deserialize_with = "or_default")]
    pub limit: u64,
}

/// Priority of traffic on one interface (v1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InterfacePriority {
    /// Interface name.
    #[serde(deserialize_with = "or_default")]
    pub interface: String,
    /// Priority.
    #[serde(deserialize_with = "or_default")]
    pub priority: i64,
}

/// RDMA limits of one device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RdmaLimit {
    /// Number of HCA handles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hca_handles: Option<u32>,
    /// Number of HCA objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hca_objects: Option<u32>,
}
