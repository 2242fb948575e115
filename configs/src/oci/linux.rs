//! The `linux` object of `config.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use user::IdMap;

use super::{Resources, Seccomp};
use crate::nullable::{is_default, or_default, unique_map};

/// What is particular to Linux.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Linux {
    /// Uid mappings of the user namespace.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub uid_mappings: Vec<IdMap>,
    /// Gid mappings of the user namespace.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub gid_mappings: Vec<IdMap>,
    /// Kernel parameters to set, by name.
    #[serde(
        deserialize_with = "unique_map",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub sysctl: BTreeMap<String, String>,
    /// Limits applied through cgroups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Where the cgroup goes: a path, or `slice:prefix:name` for systemd.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub cgroups_path: String,
    /// Namespaces to create or join.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<Namespace>,
    /// Device nodes to make; a node alone gives no access, see [`Resources::devices`].
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Device>,
    /// Network devices to move in, by their name on the host.
    #[serde(
        deserialize_with = "unique_map",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub net_devices: BTreeMap<String, NetDevice>,
    /// System call filter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seccomp: Option<Seccomp>,
    /// Propagation of the root mount: `[r]shared`, `[r]slave`, `[r]private` or `[r]unbindable`.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub rootfs_propagation: String,
    /// Paths made unreadable inside the container.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub masked_paths: Vec<String>,
    /// Paths made read-only inside the container.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub readonly_paths: Vec<String>,
    /// SELinux label of the container's mounts.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub mount_label: String,
    /// Intel RDT: cache and memory bandwidth allocation and monitoring (resctrl).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intel_rdt: Option<IntelRdt>,
    /// NUMA memory policy (`set_mempolicy(2)`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_policy: Option<MemoryPolicy>,
    /// Execution domain (`personality(2)`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub personality: Option<Personality>,
    /// Offsets of the time namespace by clock: `monotonic` and `boottime` (`time_namespaces(7)`).
    #[serde(
        deserialize_with = "unique_map",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub time_offsets: BTreeMap<String, TimeOffset>,
}

/// A namespace to create, or to join when it has a path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Namespace {
    /// `pid`, `network`, `mount`, `ipc`, `uts`, `user`, `cgroup` or `time`.
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub kind: String,
    /// A namespace file to join; empty creates a new one.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub path: String,
}

/// A device node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Device {
    /// Path inside the container.
    #[serde(deserialize_with = "or_default")]
    pub path: String,
    /// `c` or `u` (character), `b` (block) or `p` (FIFO).
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub kind: String,
    /// Major number.
    #[serde(deserialize_with = "or_default")]
    pub major: i64,
    /// Minor number.
    #[serde(deserialize_with = "or_default")]
    pub minor: i64,
    /// Permission bits; absent means 0666.
    #[serde(rename = "fileMode", skip_serializing_if = "Option::is_none")]
    pub file_mode: Option<u32>,
    /// Owner; absent means 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Group; absent means 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
}

/// A network device to move into the container's network namespace; also what a stored
/// configuration keeps of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetDevice {
    /// Name inside the container; empty keeps the host's.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub name: String,
}

/// Intel RDT settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IntelRdt {
    /// Class of service: a directory name below the resctrl root, `/` for the root itself, empty
    /// for the container id.
    #[serde(
        rename = "closID",
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub clos_id: String,
    /// Lines for the `schemata` file.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub schemata: Vec<String>,
    /// Older form: the L3 lines of `schemata`.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub l3_cache_schema: String,
    /// Older form: the MB line of `schemata`.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub mem_bw_schema: String,
    /// Make a monitoring group for the container.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub enable_monitoring: bool,
}

/// NUMA memory policy of the container's processes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MemoryPolicy {
    /// `MPOL_…` name of the mode.
    #[serde(deserialize_with = "or_default")]
    pub mode: String,
    /// Node list in the kernel's list format.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub nodes: String,
    /// `MPOL_F_…` names.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
}

/// Execution domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Personality {
    /// `LINUX` or `LINUX32`.
    #[serde(deserialize_with = "or_default")]
    pub domain: String,
    /// Reserved by the specification; no flag is defined.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
}

/// Offset of one clock of a time namespace; also what a stored configuration keeps of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TimeOffset {
    /// Seconds, may be negative.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub secs: i64,
    /// Nanoseconds.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub nanosecs: u32,
}
