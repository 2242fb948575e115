//! What comes out: the plan, and what the lifecycle has to bring for it.

use std::fmt;
use std::path::PathBuf;

use configs::config::NamespaceType;
use nsenter::plan::{Plan, Slot};

/// A plan and what its execution needs from the supervisor.
#[derive(Debug)]
#[non_exhaustive]
pub struct BuiltPlan {
    /// The steps.
    pub plan: Plan,
    /// Descriptors the supervisor opens and hands over at spawn.
    pub inputs: Vec<(Slot, Input)>,
    /// The host's clone carries `CLONE_INTO_CGROUP` with the container's v2 directory.
    pub spawn_into_cgroup: bool,
    /// The process that runs the user's program starts by a second clone; the supervisor learns it
    /// by [`RequestHandler::second_stage`](nsenter::RequestHandler::second_stage).
    pub two_stages: bool,
    /// Where the plan mounts something in the mount namespace of the host, in order, because the
    /// container has none of its own: as seen from inside the root file system. Deleting
    /// the container unmounts them in reverse.
    pub host_mounts: Vec<PathBuf>,
    /// Warnings.
    pub warnings: Vec<String>,
}

/// A descriptor that the supervisor opens before the spawn.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Input {
    /// The container's `exec.fifo`, `O_RDWR`: the process then is a writer itself and never reads
    /// an end of file.
    ExecFifo,
    /// The `tasks` file of the container's cgroup in the hierarchy of this v1 controller,
    /// `O_WRONLY`.
    CgroupTasks(String),
    /// The directory below which the cgroup v1 hierarchies are mounted.
    CgroupRoot,
    /// A namespace file, whose type was checked (`NS_GET_NSTYPE`).
    Namespace {
        /// Its type.
        kind: NamespaceType,
        /// Its path on the host.
        path: String,
    },
    /// A pidfd of the container's init process, verified against the stored start time.
    InitPidfd,
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ExecFifo => f.write_str("exec fifo"),
            Self::CgroupTasks(controller) => write!(f, "cgroup tasks: {controller}"),
            Self::CgroupRoot => f.write_str("cgroup root"),
            Self::Namespace { kind, .. } => write!(f, "namespace: {}", kind.oci_name()),
            Self::InitPidfd => f.write_str("pidfd of init"),
        }
    }
}

/// Where the process waits for the supervisor to do something
/// ([`Op::AskGate`](nsenter::plan::Op::AskGate)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Gate {
    /// The process is to be placed in its cgroup: systemd makes a scope of it, or it must not be
    /// cloned into it.
    Cgroup,
    /// Mounts and devices are made, the root is not yet switched: limits, RDT, `prestart` and
    /// `createRuntime` hooks.
    Hooks,
    /// The process still has the runtime's identity, and the second stage will inherit its resource
    /// limits.
    ResourceLimits,
    /// The process has the identity of its program, and a filter may have answered for the kernel
    /// on the way there: what the kernel says of it (`/proc/PID/status`) is compared with the plan.
    Identity,
    /// A filter around this program may have answered for the kernel when namespaces and mounts
    /// were made: what the kernel shows of them in `/proc/PID` is compared with the configuration.
    Isolation,
}

impl Gate {
    /// The number in the plan.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::Cgroup => 1,
            Self::Hooks => 2,
            Self::ResourceLimits => 3,
            Self::Identity => 4,
            Self::Isolation => 5,
        }
    }

    /// The gate of a number in the plan.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Cgroup),
            2 => Some(Self::Hooks),
            3 => Some(Self::ResourceLimits),
            4 => Some(Self::Identity),
            5 => Some(Self::Isolation),
            _ => None,
        }
    }
}

/// What a descriptor that crosses between the process and the supervisor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tag {
    /// Sent by the process: its root directory (`O_PATH`). The supervisor keeps it and resolves
    /// later [`Tag::Source`] questions below it (`openat2(2)` with `RESOLVE_IN_ROOT |
    /// RESOLVE_NO_MAGICLINKS`), with its own rights.
    Root,
    /// Sent by the process: a `NETLINK_ROUTE` socket of the container's network namespace. The
    /// supervisor moves `netDevices`, makes veth pairs, sets addresses and routes.
    RouteSocket,
    /// Asked for by the process: the root of a detached tmpfs, made in the user namespace of the
    /// supervisor, with those nodes of `linux.devices` that the process cannot make itself. Each
    /// has its index as name. The supervisor leaves out what it may not make either.
    Devices,
    /// Asked for by the process: the source of the mount with this index in the configuration,
    /// `O_PATH`, resolved below [`Tag::Root`]. Asked only if the process itself was refused.
    Source(u32),
    /// Asked for by the process: a detached tree of the source of the mount with this index,
    /// without the mounts below, cloned in the mount namespace of the supervisor. Asked only if the
    /// kernel does not clone it in that of the process.
    Tree(u32),
    /// Sent by the process: the detached tree of the mount with this index. The supervisor sets its
    /// id mapping (`mount_setattr(2)` with `MOUNT_ATTR_IDMAP`).
    IdMap(u32),
}

const SOURCE: u32 = 0x1_0000;
const ID_MAP: u32 = 0x2_0000;
const TREE: u32 = 0x3_0000;
const INDEX: u32 = 0xffff;

impl Tag {
    /// The number in the plan. Indexes are below 65536 ([`super::init`] refuses more mounts).
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::Root => 1,
            Self::RouteSocket => 2,
            Self::Devices => 3,
            Self::Source(index) => SOURCE | (index & INDEX),
            Self::IdMap(index) => ID_MAP | (index & INDEX),
            Self::Tree(index) => TREE | (index & INDEX),
        }
    }

    /// The tag of a number in the plan.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Self> {
        match (number & !INDEX, number & INDEX) {
            (0, 1) => Some(Self::Root),
            (0, 2) => Some(Self::RouteSocket),
            (0, 3) => Some(Self::Devices),
            (SOURCE, index) => Some(Self::Source(index)),
            (ID_MAP, index) => Some(Self::IdMap(index)),
            (TREE, index) => Some(Self::Tree(index)),
            _ => None,
        }
    }
}
