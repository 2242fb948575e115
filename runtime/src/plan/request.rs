//! What a plan is made from.

use std::path::PathBuf;

use configs::Config;

use super::host::HostFacts;
use crate::Process;

/// Everything the plan of a process added to a running container depends on, and most of what that
/// of an init process does. The same request always gives the same plan, byte for byte.
#[derive(Debug)]
pub struct ProcessRequest<'a> {
    /// Id of the container: names its session keyring and is in the state that hooks get.
    pub container_id: &'a str,
    /// The validated configuration of the container.
    pub config: &'a Config,
    /// What to run.
    pub process: &'a Process,
    /// What the plan must know of the machine.
    pub host: &'a HostFacts,
    /// How the process gets into the container's cgroup.
    pub cgroup: CgroupPlacement,
    /// The compiled system call filter.
    pub seccomp: Option<Filter>,
}

/// Everything the plan of a container's init process depends on.
#[derive(Debug)]
pub struct InitRequest<'a> {
    /// What is asked for any process.
    pub request: ProcessRequest<'a>,
    /// What a mount of type `cgroup` shows.
    pub cgroup_view: &'a CgroupView,
    /// The supervisor has something to do once the mounts are made, besides `prestart` and
    /// `createRuntime` hooks: limits to set, an RDT group to fill. Asked as
    /// [`Gate::Hooks`](super::Gate::Hooks).
    pub late_limits: bool,
    /// The process waits on [`Input::ExecFifo`](super::Input::ExecFifo) before it runs the user's
    /// program, and its `startContainer` hooks.
    pub waits_for_start: bool,
}

/// How a process gets into its cgroup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CgroupPlacement {
    /// There is a cgroup v2 directory to be cloned into: the clone has `CLONE_INTO_CGROUP`
    /// ([`BuiltPlan::spawn_into_cgroup`](super::BuiltPlan::spawn_into_cgroup)). An exec that must
    /// start outside is placed at [`Gate::Cgroup`](super::Gate::Cgroup) instead.
    pub unified: bool,
    /// v1 controllers whose `tasks` file the process writes `0` to; each becomes an input
    /// [`Input::CgroupTasks`](super::Input::CgroupTasks).
    pub tasks: Vec<String>,
    /// v1 controllers with the path of their `tasks` file below the directory of the hierarchies:
    /// the process opens them by itself and writes `0`. The directory is the one input
    /// [`Input::CgroupRoot`](super::Input::CgroupRoot), where `tasks` takes an input each.
    pub task_paths: Vec<(String, PathBuf)>,
    /// The supervisor places the process itself while it waits at
    /// [`Gate::Cgroup`](super::Gate::Cgroup): the systemd driver, or a directory that
    /// `CLONE_INTO_CGROUP` refused.
    pub gate: bool,
    /// Exec only: not cloned into the cgroup, which would block while the
    /// cgroup is frozen.
    pub outside: bool,
}

/// The cgroup file systems of the machine and the container's place in them, for mounts of type
/// `cgroup`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CgroupView {
    /// cgroup v2 at `/sys/fs/cgroup`.
    Unified {
        /// The container's own directory on the host; empty if it has none, which shows an empty
        /// directory where it would have been bound.
        directory: PathBuf,
    },
    /// cgroup v1, or both: one entry a v1 hierarchy.
    Legacy(Vec<LegacyHierarchy>),
}

/// One cgroup v1 hierarchy, as a container gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyHierarchy {
    /// Name of its directory below the mount: `memory`, `cpu,cpuacct`, `systemd`.
    pub directory: String,
    /// Source of a fresh mount: `cgroup`, or `systemd` for the named hierarchy.
    pub source: String,
    /// Data of a fresh mount: the controllers, or `name=systemd`.
    pub data: String,
    /// Symbolic links to `directory` beside it: `cpu` and `cpuacct` for `cpu,cpuacct`.
    pub links: Vec<String>,
    /// The container's own directory on the host, or that of the caller; empty if neither exists,
    /// which shows an empty directory in place of it.
    pub own: PathBuf,
    /// The container has no cgroup of its own here, but runs in that of its caller: it is shown
    /// read-only.
    pub of_caller: bool,
}

/// A compiled system call filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// `SECCOMP_FILTER_FLAG_*` of `seccomp(2)`.
    pub flags: u32,
    /// `struct sock_filter` records, 8 bytes each, native byte order.
    pub program: Vec<u8>,
    /// The filter has a notification descriptor, which the supervisor takes.
    pub listener: bool,
}
