//! The container configuration: what `state.json` stores under `config`.
//!
//! JSON keys, their order and what is left out when empty are libcontainer's: cAdvisor, podman and
//! the kubelet's tooling read this object. Everything here is decided and typed; the bundle's own
//! JSON form is in [`oci`].
//!
//! Many types exist twice therefore, here and there, with fields of the same names: they are two
//! file formats. One has the specification's keys and values as written, unknown ones among them;
//! the other has libcontainer's keys, numbers for names, and only what was understood.
//! [`specconv`](crate::specconv) leads from one to the other. Where key for key and value for value
//! are the same (time offsets, network devices, scheduler, I/O priority), there is one type, in
//! [`oci`].

mod cgroup;
mod cpu_set;
mod device;
mod hooks;
mod id_map;
mod labels;
mod memory_policy;
mod mount;
mod namespaces;
mod network;
mod personality;
mod process;
mod seccomp;
mod systemd_property;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::nullable::{is_default, or_default, unique_map};
use crate::{oci, stored};

pub use self::seccomp::{Seccomp, SeccompSyscall};
pub use crate::oci::{NetDevice, TimeOffset};
pub use ::seccomp::{ActionName, Architecture, Arg, FilterFlag, Operator};
pub use cgroup::{
    Cgroup, FreezerState, HugepageLimit, InterfacePriority, RdmaLimit, Resources, ThrottleDevice,
    WeightDevice,
};
pub use cpu_set::{CpuAffinity, CpuAffinityError, CpuSet, CpuSetError};
pub use device::Device;
pub use hooks::{Command, HookPoint, Hooks};
pub use id_map::IdMapError;
pub use memory_policy::{MemoryPolicy, MemoryPolicyFlag, MemoryPolicyMode};
pub use mount::{Mount, MountAttr, MountFlags, MountIdMapping};
pub use namespaces::{Namespace, Namespaces};
pub use network::{Network, Route};
pub use nsenter::NamespaceType;
pub use personality::{Personality, PersonalityDomain};
pub use process::{
    Capabilities, IoPriorityClass, Rlimit, RlimitType, SchedulerFlag, SchedulerPolicy,
};
pub use systemd_property::SystemdProperty;
pub use user::IdMap;

/// The configuration of a container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Do not `pivot_root(2)`: move the root mount over `/` and `chroot(2)`. For a root on a
    /// ramfs; less safe.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub no_pivot_root: bool,
    /// Signal the init gets when its parent dies (`prctl(2)` PR_SET_PDEATHSIG); 0 for none.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub parent_death_signal: i32,
    /// Absolute path of the root file system on the host.
    #[serde(deserialize_with = "or_default")]
    pub rootfs: String,
    /// File mode creation mask of the init; absent means 0022.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub umask: Option<u32>,
    /// Make the root read-only.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub readonlyfs: bool,
    /// `MS_…` propagation flags of the root mount; none means `rslave`.
    #[serde(
        rename = "rootPropagation",
        deserialize_with = "or_default",
        skip_serializing_if = "is_default"
    )]
    pub root_propagation: MountFlags,
    /// Mounts in the order they are made.
    #[serde(deserialize_with = "or_default")]
    pub mounts: Vec<Mount>,
    /// Device nodes.
    #[serde(deserialize_with = "or_default")]
    pub devices: Vec<Device>,
    /// Network devices to move in, by their name on the host.
    #[serde(
        rename = "netDevices",
        deserialize_with = "unique_map",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub net_devices: BTreeMap<String, NetDevice>,
    /// SELinux label of the mounts.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub mount_label: String,
    /// Host name; empty leaves it alone.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub hostname: String,
    /// NIS domain name; empty leaves it alone.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub domainname: String,
    /// Namespaces to create or join.
    #[serde(deserialize_with = "or_default")]
    pub namespaces: Namespaces,
    /// Capability sets of processes that bring none of their own; absent means no capability at
    /// all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Capabilities>,
    /// Network interfaces to set up (loopback, veth).
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Network>,
    /// Routes to add.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
    /// Cgroup and its limits.
    #[serde(deserialize_with = "or_default")]
    pub cgroups: Cgroup,
    /// AppArmor profile used when the process names none.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub apparmor_profile: String,
    /// SELinux label used when the process names none.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub process_label: String,
    /// Resource limits used when the process names none.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub rlimits: Vec<Rlimit>,
    /// `oom_score_adj` of the container's processes; absent inherits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_score_adj: Option<i32>,
    /// Uid mappings of the user namespace; for a joined one, those it has.
    #[serde(with = "stored::list", skip_serializing_if = "Vec::is_empty")]
    pub uid_mappings: Vec<IdMap>,
    /// Gid mappings of the user namespace; for a joined one, those it has.
    #[serde(with = "stored::list", skip_serializing_if = "Vec::is_empty")]
    pub gid_mappings: Vec<IdMap>,
    /// Paths made unreadable.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub mask_paths: Vec<String>,
    /// Paths made read-only.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub readonly_paths: Vec<String>,
    /// Kernel parameters by name.
    #[serde(
        deserialize_with = "unique_map",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub sysctl: BTreeMap<String, String>,
    /// System call filter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seccomp: Option<Seccomp>,
    /// Set `no_new_privs` unless the process says otherwise.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub no_new_privileges: bool,
    /// Programs to run at the points of the container's life.
    #[serde(
        rename = "Hooks",
        deserialize_with = "or_default",
        skip_serializing_if = "Hooks::is_empty"
    )]
    pub hooks: Hooks,
    /// Specification version of the runtime that made this configuration.
    #[serde(deserialize_with = "or_default")]
    pub version: String,
    /// Annotations as `key=value`, and the bundle as the last one; see [`Config::annotations`] and
    /// [`Config::bundle`].
    #[serde(deserialize_with = "or_default")]
    pub labels: Vec<String>,
    /// Do not give the container its own session keyring.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub no_new_keyring: bool,
    /// Intel RDT settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intel_rdt: Option<IntelRdt>,
    /// NUMA memory policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_policy: Option<MemoryPolicy>,
    /// The runtime runs without being root: a user namespace is needed for everything.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub rootless_euid: bool,
    /// Failing to write cgroups is tolerated.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub rootless_cgroups: bool,
    /// Offsets of the time namespace by clock.
    #[serde(
        deserialize_with = "unique_map",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub time_offsets: BTreeMap<String, TimeOffset>,
    /// Scheduling attributes used when the process names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<oci::Scheduler>,
    /// Execution domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub personality: Option<Personality>,
    /// I/O priority used when the process names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub io_priority: Option<oci::IoPriority>,
    /// CPU affinity of `exec` used when the process names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exec_cpu_affinity: Option<CpuAffinity>,
}

/// Intel RDT settings as stored. Field meanings as in [`oci::IntelRdt`]; the keys differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IntelRdt {
    /// Class of service.
    #[serde(
        rename = "closID",
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub clos_id: String,
    /// Lines for the `schemata` file.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub schemata: Vec<String>,
    /// L3 lines.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub l3_cache_schema: String,
    /// MB line.
    #[serde(
        rename = "memBwSchema",
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub mem_bw_schema: String,
    /// Whether a monitoring group is made.
    #[serde(
        rename = "enableMonitoring",
        deserialize_with = "or_default",
        skip_serializing_if = "is_default"
    )]
    pub enable_monitoring: bool,
}

#[cfg(test)]
mod tests;
