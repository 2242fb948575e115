//! Attributes of processes: capabilities, limits, scheduling names and numbers.

use serde::{Deserialize, Serialize};

use crate::int_enum::int_enum;
use crate::nullable::or_default;
use crate::oci;

/// Capability sets as names with the `CAP_` prefix. The keys are capitalised in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Capabilities {
    /// Upper limit for what an exec may gain.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub bounding: Vec<String>,
    /// What the kernel checks.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub effective: Vec<String>,
    /// Kept across an exec of a file with inheritable file capabilities.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub inheritable: Vec<String>,
    /// Upper limit for the effective set.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub permitted: Vec<String>,
    /// Kept across an exec of an unprivileged file.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub ambient: Vec<String>,
}

impl Capabilities {
    /// No capability in any set.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            bounding: Vec::new(),
            effective: Vec::new(),
            inheritable: Vec::new(),
            permitted: Vec::new(),
            ambient: Vec::new(),
        }
    }

    /// The set that Docker, containerd and podman give to a container for which nothing else is
    /// asked: see [`oci::LinuxCapabilities::docker_default`].
    #[must_use]
    pub fn docker_default() -> Self {
        Self::from(&oci::LinuxCapabilities::docker_default())
    }
}

impl From<&oci::LinuxCapabilities> for Capabilities {
    fn from(sets: &oci::LinuxCapabilities) -> Self {
        let names = |set: &Option<Vec<String>>| set.clone().unwrap_or_default();
        Self {
            bounding: names(&sets.bounding),
            effective: names(&sets.effective),
            inheritable: names(&sets.inheritable),
            permitted: names(&sets.permitted),
            ambient: names(&sets.ambient),
        }
    }
}

int_enum! {
    /// A limited resource; the integer is the one of `setrlimit(2)` on every architecture but MIPS
    /// and SPARC.
    pub enum RlimitType: u32 {
        /// CPU time in seconds.
        Cpu = 0 => "RLIMIT_CPU",
        /// File size in bytes.
        Fsize = 1 => "RLIMIT_FSIZE",
        /// Data segment in bytes.
        Data = 2 => "RLIMIT_DATA",
        /// Stack in bytes.
        Stack = 3 => "RLIMIT_STACK",
        /// Core file in bytes.
        Core = 4 => "RLIMIT_CORE",
        /// Resident set; without effect since Linux 2.6.
        Rss = 5 => "RLIMIT_RSS",
        /// Processes of the user.
        Nproc = 6 => "RLIMIT_NPROC",
        /// Open files.
        Nofile = 7 => "RLIMIT_NOFILE",
        /// Locked memory in bytes.
        Memlock = 8 => "RLIMIT_MEMLOCK",
        /// Address space in bytes.
        As = 9 => "RLIMIT_AS",
        /// File locks; without effect since Linux 2.4.
        Locks = 10 => "RLIMIT_LOCKS",
        /// Queued signals.
        Sigpending = 11 => "RLIMIT_SIGPENDING",
        /// POSIX message queues in bytes.
        Msgqueue = 12 => "RLIMIT_MSGQUEUE",
        /// Ceiling of the nice value, as 20 - nice.
        Nice = 13 => "RLIMIT_NICE",
        /// Ceiling of the real-time priority.
        Rtprio = 14 => "RLIMIT_RTPRIO",
        /// Real-time CPU microseconds without a blocking call.
        Rttime = 15 => "RLIMIT_RTTIME",
    }
}

/// A resource limit; 2⁶⁴−1 is infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rlimit {
    /// Which resource.
    #[serde(rename = "type")]
    pub kind: RlimitType,
    /// Ceiling of the soft limit.
    pub hard: u64,
    /// The limit in force.
    pub soft: u64,
}

int_enum! {
    /// A scheduling policy; the integer is the one of `sched_setattr(2)`.
    pub enum SchedulerPolicy: u32 {
        /// The default, with a nice value.
        Other = 0 => "SCHED_OTHER",
        /// First in, first out, with a static priority.
        Fifo = 1 => "SCHED_FIFO",
        /// Round robin, with a static priority.
        RoundRobin = 2 => "SCHED_RR",
        /// For work without interaction, with a nice value.
        Batch = 3 => "SCHED_BATCH",
        /// Reserved by the kernel, not implemented there.
        Iso = 4 => "SCHED_ISO",
        /// Very low priority.
        Idle = 5 => "SCHED_IDLE",
        /// Sporadic tasks with deadlines.
        Deadline = 6 => "SCHED_DEADLINE",
    }
}

int_enum! {
    /// A scheduling flag; the integer is the bit of `sched_setattr(2)`.
    pub enum SchedulerFlag: u64 {
        /// Children get the default policy.
        ResetOnFork = 0x01 => "SCHED_FLAG_RESET_ON_FORK",
        /// Reclaim bandwidth that other deadline tasks do not use.
        Reclaim = 0x02 => "SCHED_FLAG_RECLAIM",
        /// SIGXCPU on overrun.
        DlOverrun = 0x04 => "SCHED_FLAG_DL_OVERRUN",
        /// Keep the policy.
        KeepPolicy = 0x08 => "SCHED_FLAG_KEEP_POLICY",
        /// Keep the parameters.
        KeepParams = 0x10 => "SCHED_FLAG_KEEP_PARAMS",
        /// The minimum utilisation is set.
        UtilClampMin = 0x20 => "SCHED_FLAG_UTIL_CLAMP_MIN",
        /// The maximum utilisation is set.
        UtilClampMax = 0x40 => "SCHED_FLAG_UTIL_CLAMP_MAX",
    }
}

int_enum! {
    /// An I/O scheduling class; the integer is the one of `ioprio_set(2)`.
    pub enum IoPriorityClass: u32 {
        /// First access to the disk.
        RealTime = 1 => "IOPRIO_CLASS_RT",
        /// The default.
        BestEffort = 2 => "IOPRIO_CLASS_BE",
        /// Only when no other process needs the disk.
        Idle = 3 => "IOPRIO_CLASS_IDLE",
    }
}
