//! The `process` object: what to run and with which attributes.

use serde::{Deserialize, Serialize};

use crate::nullable::{is_default, none_or_empty, or_default};

/// The container's process, or one started in it by `exec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Process {
    /// Give the process a pseudo terminal.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub terminal: bool,
    /// Initial size of the terminal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub console_size: Option<ConsoleSize>,
    /// Ids to run with.
    #[serde(deserialize_with = "or_default")]
    pub user: User,
    /// The argument vector; the first element is looked up in `PATH` unless it contains a slash.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// The environment as `NAME=value`; absent is kept apart from empty because only a present
    /// list gets `HOME`.
    #[serde(skip_serializing_if = "none_or_empty")]
    pub env: Option<Vec<String>>,
    /// Working directory, absolute, inside the container.
    #[serde(deserialize_with = "or_default")]
    pub cwd: String,
    /// Capability sets. A process without any gets no capability, as with an empty object; see
    /// [`LinuxCapabilities::docker_default`] for those that engines give.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<LinuxCapabilities>,
    /// Resource limits (`setrlimit(2)`).
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub rlimits: Vec<PosixRlimit>,
    /// Set `no_new_privs` (`prctl(2)`).
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub no_new_privileges: bool,
    /// AppArmor profile to change to on exec.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub apparmor_profile: String,
    /// `/proc/PID/oom_score_adj`, -1000..=1000; absent leaves it alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_score_adj: Option<i32>,
    /// Scheduling policy (`sched_setattr(2)`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<Scheduler>,
    /// SELinux label of the process.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub selinux_label: String,
    /// I/O scheduling class and priority (`ioprio_set(2)`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub io_priority: Option<IoPriority>,
    /// CPUs that `exec` may run on, before and after it joined the cgroup.
    #[serde(rename = "execCPUAffinity", skip_serializing_if = "Option::is_none")]
    pub exec_cpu_affinity: Option<CpuAffinity>,
    /// Where the document had keys that are not known, such as `linux.seccomp.syscals`: ignored,
    /// to be warned of. Set when a whole document is read; at most 32.
    #[serde(skip)]
    pub unknown_keys: Vec<String>,
}

/// Size of a terminal in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConsoleSize {
    /// Rows.
    #[serde(deserialize_with = "or_default")]
    pub height: u64,
    /// Columns.
    #[serde(deserialize_with = "or_default")]
    pub width: u64,
}

/// The ids of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct User {
    /// User id inside the container.
    #[serde(deserialize_with = "or_default")]
    pub uid: u32,
    /// Group id inside the container.
    #[serde(deserialize_with = "or_default")]
    pub gid: u32,
    /// File mode creation mask; absent means the default of 0022 for init.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub umask: Option<u32>,
    /// Supplementary group ids.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub additional_gids: Vec<u32>,
    /// User name; used by other platforms only, kept so that it is not lost.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub username: String,
}

/// Capability sets (`capabilities(7)`) as names with the `CAP_` prefix. In each set an absent list
/// is kept apart from an empty one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LinuxCapabilities {
    /// Upper limit for what an exec may gain.
    #[serde(skip_serializing_if = "none_or_empty")]
    pub bounding: Option<Vec<String>>,
    /// What the kernel checks.
    #[serde(skip_serializing_if = "none_or_empty")]
    pub effective: Option<Vec<String>>,
    /// Kept across an exec of a file with inheritable file capabilities.
    #[serde(skip_serializing_if = "none_or_empty")]
    pub inheritable: Option<Vec<String>>,
    /// Upper limit for the effective set.
    #[serde(skip_serializing_if = "none_or_empty")]
    pub permitted: Option<Vec<String>>,
    /// Kept across an exec of an unprivileged file.
    #[serde(skip_serializing_if = "none_or_empty")]
    pub ambient: Option<Vec<String>>,
}

/// What Docker gives a container that asks for nothing else, by name.
const DOCKER_DEFAULT: [&str; 14] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

impl LinuxCapabilities {
    /// The fourteen capabilities that Docker gives to a container that asks for nothing else, in
    /// the bounding, effective and permitted sets; none is inheritable or ambient.
    ///
    /// They suffice for the usual init scripts and package managers as root of an image: changing
    /// owners and ids, binding ports below 1024, raw sockets. None of them lets a process
    /// mount, load modules, trace others or configure the network.
    ///
    /// Source: `oci/caps/defaults.go` of moby 20.10 to 28.
    #[must_use]
    pub fn docker_default() -> Self {
        let set = || Some(DOCKER_DEFAULT.map(str::to_owned).to_vec());
        Self {
            bounding: set(),
            effective: set(),
            permitted: set(),
            ..Self::default()
        }
    }
}

/// One resource limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PosixRlimit {
    /// Name as in `getrlimit(2)`, for example `RLIMIT_NOFILE`.
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub kind: String,
    /// Ceiling of the soft limit; 2⁶⁴−1 is infinity.
    #[serde(deserialize_with = "or_default")]
    pub hard: u64,
    /// The limit in force.
    #[serde(deserialize_with = "or_default")]
    pub soft: u64,
}

/// Scheduling attributes, also what a stored configuration keeps of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scheduler {
    /// `SCHED_OTHER`, `SCHED_FIFO`, `SCHED_RR`, `SCHED_BATCH`, `SCHED_ISO`, `SCHED_IDLE` or
    /// `SCHED_DEADLINE`.
    #[serde(deserialize_with = "or_default")]
    pub policy: String,
    /// Nice value -20..=19, for OTHER and BATCH.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub nice: i32,
    /// Static priority, for FIFO and RR.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub priority: i32,
    /// `SCHED_FLAG_…` names.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// Nanoseconds, for DEADLINE.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub runtime: u64,
    /// Nanoseconds, for DEADLINE.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub deadline: u64,
    /// Nanoseconds, for DEADLINE.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub period: u64,
}

/// I/O scheduling class and priority, also what a stored configuration keeps of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IoPriority {
    /// `IOPRIO_CLASS_RT`, `IOPRIO_CLASS_BE` or `IOPRIO_CLASS_IDLE`.
    #[serde(deserialize_with = "or_default")]
    pub class: String,
    /// 0 (highest) to 7.
    #[serde(deserialize_with = "or_default")]
    pub priority: i32,
}

/// CPU lists in the kernel's list format (`0-3,7`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CpuAffinity {
    /// In force before the process joins the container's cgroup.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub initial: String,
    /// In force from then on.
    #[serde(
        rename = "final",
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub final_cpus: String,
}
