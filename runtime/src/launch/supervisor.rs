//! The answers to what an init process asks while it prepares itself.
//!
//! The process is untrusted from the moment it is inside the container: what it sends is checked,
//! and it is never waited for by anything but a poll with a deadline.

use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use cgroups::{Cgroup, Hierarchy};
use configs::Config;
use configs::config::{HookPoint, Mount, Rlimit};
use configs::oci::{self, ContainerStatus as Status};
use nsenter::plan::{Plan, Step};
use nsenter::{
    Closer, Deadline, HookOutcome, ProcessRef, Refusal, RequestHandler, StubProcess, Warnings,
};
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::net::AddressFamily;
use rustix::net::sockopt::socket_domain;
use user::Uid;

use super::id_mapped_mounts::UserNamespaces;
use super::identity::Expected;
use super::record::RecordCreated;
use super::seccomp::Agent;
use super::streams::Receivers;
use super::{
    device_nodes, error_messages, hooks, id_mapped_mounts, id_maps, identity, isolation,
    mount_sources, rlimits,
};
use crate::error::{Error, ErrorKind, Result};
use crate::id::ContainerId;
use crate::launch::send_descriptor::send_named;
use crate::plan::{AFFINITY_STEP, Gate, Tag, capability_name};
use crate::process::Process;
use crate::process::console::Console;
use crate::system::System;
use crate::{cgroup, rdt};

/// Which process of a container starts, with what only one of the two needs.
pub(crate) enum Role<'a> {
    /// The init process of a new container.
    Init {
        /// Limits to write while the process waits at this gate: when it is in its cgroup, or when
        /// the mounts are made.
        late_limits: Option<(Gate, &'a cgroups::Resources)>,
        /// Records the container as created when the process is ready.
        record: RecordCreated<'a>,
    },
    /// A process that joins a running container. It is not recorded.
    Exec {
        /// The init process of the container.
        init: Option<u32>,
        /// The process whose cgroup is joined if the container's takes no processes.
        init_group: Option<u32>,
    },
}

/// A process that starts in a container: what stays the same until it has started.
#[derive(Clone, Copy)]
pub(crate) struct Launch<'a> {
    pub(crate) id: &'a ContainerId,
    pub(crate) config: &'a Config,
    pub(crate) system: &'a System,
    pub(crate) cgroup: &'a Cgroup,
    /// The settings of the Intel RDT group.
    pub(crate) rdt: Option<&'a intelrdt::Settings>,
    pub(crate) process: &'a Process,
    pub(crate) receivers: &'a Receivers,
    pub(crate) agent: Option<&'a Agent>,
}

impl<'a> Launch<'a> {
    /// The resource limits that the process gets.
    fn rlimits(&self) -> &'a [Rlimit] {
        match self.process.rlimits.as_slice() {
            [] => &self.config.rlimits,
            own => own,
        }
    }
}

/// What the supervision of a process has brought, whether it has started or not.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The terminal, if the caller keeps it.
    pub(crate) console: Option<Console>,
    /// What is not an error but worth reporting.
    pub(crate) warnings: Vec<String>,
}

/// Serves the requests of a process that starts.
pub(crate) struct Supervisor<'a> {
    launch: Launch<'a>,
    role: Role<'a>,
    stages: Stages,
    /// The resource limits that are not set yet.
    rlimits: &'a [Rlimit],
    /// The root directory of the process, below which sources of mounts are resolved.
    root: Option<OwnedFd>,
    /// The user namespaces of id-mapped mounts.
    user_namespaces: UserNamespaces,
    /// What the plan makes of the process.
    expected: Option<Expected>,
    outcome: Outcome,
}

/// The two stages of a process, and the cgroup.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    /// The second stage is still to come.
    pub(crate) second_to_come: bool,
    /// The process may be moved between the container's cgroup and the one of this process.
    pub(crate) movable: bool,
    /// The process is not in the container's cgroup: the second stage is moved there.
    pub(crate) outside: bool,
}

impl<'a> Supervisor<'a> {
    pub(crate) fn new(launch: Launch<'a>, role: Role<'a>, stages: Stages) -> Self {
        Self {
            launch,
            role,
            stages,
            rlimits: launch.rlimits(),
            root: None,
            user_namespaces: UserNamespaces::default(),
            expected: None,
            outcome: Outcome::default(),
        }
    }

    /// Serves the process until its program is about to run.
    pub(crate) fn serve(
        mut self,
        stub: &mut StubProcess,
        deadline: Deadline,
    ) -> (Result<(), nsenter::Error>, Outcome) {
        self.expected = Expected::where_asked_for(stub.plan());
        let served = stub.serve(&mut self, deadline).map(|served| {
            let texts = warning_texts(served.warnings(), stub.plan());
            self.outcome.warnings.extend(texts);
        });
        (served, self.outcome)
    }

    /// The state of the container while this process starts.
    fn state(&self, pid: u32) -> oci::State {
        let (status, init) = match &self.role {
            Role::Init { .. } => (Status::Creating, pid),
            Role::Exec { init, .. } => (Status::Running, init.unwrap_or(pid)),
        };
        let init = i32::try_from(init).unwrap_or_default();
        hooks::oci_state(self.launch.id, &self.launch.config.labels, status, init)
    }

    fn pass_gate(&mut self, number: u32, process: &ProcessRef<'_>) -> Result<()> {
        match Gate::from_number(number) {
            Some(Gate::Cgroup) => {
                self.place(process.pid())?;
                self.set_limits(Gate::Cgroup)
            }
            Some(Gate::Hooks) => {
                self.set_limits(Gate::Hooks)?;
                if let Some(settings) = self.launch.rdt {
                    rdt::join_first(self.launch.system, settings, self.launch.id, process.pid())?;
                }
                let state = self.state(process.pid());
                let (hooks, init) = (&self.launch.config.hooks, Some(process.pidfd()));
                hooks::run(hooks, HookPoint::Prestart, &state, init)?;
                hooks::run(hooks, HookPoint::CreateRuntime, &state, init)
            }
            Some(Gate::ResourceLimits) => self.limit_second_stage(process.pid()),
            Some(Gate::Identity) => self.expected.as_ref().map_or(Ok(()), |expected| {
                identity::verify(
                    expected,
                    self.launch.system,
                    self.launch.config,
                    process.pid(),
                )
            }),
            Some(Gate::Isolation) => {
                let (system, config) = (self.launch.system, self.launch.config);
                let container = match &self.role {
                    Role::Init { .. } => None,
                    Role::Exec { init, .. } => Some(init.ok_or_else(|| {
                        Error::new(
                            ErrorKind::Init,
                            "the init process of the container is unknown",
                        )
                    })?),
                };
                rlimits::verify(system, process.pid(), self.launch.rlimits())?;
                isolation::verify(system, config, process.pid(), container)
            }
            None => Err(Error::new(
                ErrorKind::Init,
                format!("the init process waits at an unknown gate ({number})"),
            )),
        }
    }

    fn place(&self, pid: u32) -> Result<()> {
        let (context, init_group) = match &self.role {
            Role::Init { .. } => (error_messages::APPLY_CGROUP, None),
            Role::Exec { init, init_group } if init.is_some() => {
                (error_messages::JOIN_CGROUP, *init_group)
            }
            Role::Exec { init_group, .. } => (error_messages::APPLY_CGROUP, *init_group),
        };
        let failed = cgroup::failed(context);
        let group = self.launch.cgroup;
        match (group.add(pid), init_group) {
            (Err(error), Some(init)) if error.raw_os_error() == Some(libc::EBUSY) => {
                let group = group_of(group.hierarchy(), init)?;
                group.add(pid).map_err(failed)
            }
            (added, _) => added.map_err(failed),
        }
    }

    /// Sets the limits that are set while the process waits at this gate.
    fn set_limits(&mut self, gate: Gate) -> Result<()> {
        let Role::Init { late_limits, .. } = &mut self.role else {
            return Ok(());
        };
        let Some((_, limits)) = late_limits.filter(|(at, _)| *at == gate) else {
            return Ok(());
        };
        if self.stages.second_to_come {
            return self.apply(&cgroup::split_process_limit(limits).0);
        }
        *late_limits = None;
        self.apply(limits)
    }

    /// Sets the limit that had to wait for the second stage.
    fn set_process_limit(&mut self, limits: &cgroups::Resources) -> Result<()> {
        match cgroup::split_process_limit(limits) {
            (_, Some(limit)) => self.apply(&limit),
            (_, None) => Ok(()),
        }
    }

    fn apply(&mut self, limits: &cgroups::Resources) -> Result<()> {
        let applied = self
            .launch
            .cgroup
            .set(limits)
            .map_err(cgroup::failed(error_messages::SET_LIMITS))?;
        // Without privilege some limits are expected not to be in force.
        if !self.launch.config.rootless_cgroups {
            self.outcome.warnings.extend(cgroup::warnings(applied));
        }
        Ok(())
    }

    /// The mount that a question about its source is about, and the root the process sent.
    fn asked_mount(&self, index: u32) -> Result<(&Mount, &OwnedFd)> {
        let index = usize::try_from(index).ok();
        let mount = index.and_then(|index| self.launch.config.mounts.get(index));
        mount
            .filter(|mount| mount.is_bind())
            .zip(self.root.as_ref())
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Init,
                    "the init process asks for a mount source that it has no mount for",
                )
            })
    }

    /// The source of a mount that only we may reach, below the root the process sent.
    fn open_source(&self, index: u32) -> Result<OwnedFd> {
        let (mount, root) = self.asked_mount(index)?;
        mount_sources::open_below(root.as_fd(), &mount.source)
    }

    /// The source of a mount without what is mounted below it: only this process has the right to
    /// see that uncovered.
    fn clone_source(&self, index: u32) -> Result<OwnedFd> {
        let (mount, root) = self.asked_mount(index)?;
        mount_sources::clone_alone(root.as_fd(), &mount.source)
    }

    fn map_tree(&mut self, index: u32, tree: &OwnedFd, process: &ProcessRef<'_>) -> Result<()> {
        let mount = usize::try_from(index)
            .ok()
            .and_then(|index| self.launch.config.mounts.get(index));
        let mapping = mount.and_then(|mount| mount.id_mapping.as_ref());
        let mapping = mapping.ok_or_else(|| {
            Error::new(
                ErrorKind::Init,
                "the init process sends a tree that no mapping is asked for",
            )
        })?;
        id_mapped_mounts::apply(
            tree.as_fd(),
            mapping,
            &mut self.user_namespaces,
            self.launch.config,
            self.launch.system,
            process,
        )
    }

    fn take_console(&mut self, master: OwnedFd, pts: u32) -> Result<()> {
        let console = Console::new(master, pts);
        if let Some((rows @ 1.., columns @ 1..)) = self.launch.process.console_size {
            console.resize(rows, columns)?;
        }
        match &self.launch.receivers.console {
            Some(socket) => {
                send_named(socket, console.name(), &console)
                    .map_err(|error| Error::system("send the console", error))?;
            }
            None => {
                // Before the program writes its first line.
                console.clear_onlcr()?;
                self.outcome.console = Some(console);
            }
        }
        Ok(())
    }

    /// Sends the pidfd with the kind of process, by the name that receivers know.
    fn send_pidfd(&self, process: &ProcessRef<'_>) -> Result<()> {
        let kind = match &self.role {
            Role::Init { .. } => "standard",
            Role::Exec { .. } => "setns",
        };
        match &self.launch.receivers.pidfd {
            Some(socket) => send_named(socket, kind, process.pidfd())
                .map_err(|error| Error::system("send the pidfd", error)),
            None => Ok(()),
        }
    }

    /// Sets the resource limits that the second stage inherits.
    fn limit_second_stage(&mut self, pid: u32) -> Result<()> {
        let limits = std::mem::take(&mut self.rlimits);
        rlimits::before_second_stage(self.launch.system, pid, limits)
    }

    /// Takes the process out of the container's cgroup, whose processes or memory are used up: what
    /// starts outside can be moved in, which no limit refuses. If that fails, the second
    /// attempt of the process fails with the reason.
    fn take_out(&mut self, pid: u32) {
        if !self.stages.movable || self.stages.outside {
            return;
        }
        // Also if it gets out of some hierarchies only.
        self.stages.outside = true;
        let moved = group_of(self.launch.cgroup.hierarchy(), std::process::id()).and_then(|own| {
            let failed = cgroup::failed("move the process out of the container's cgroup");
            own.add(pid).map_err(failed)
        });
        if let Err(error) = moved {
            log::debug!("{}", error.chain());
        }
    }

    fn prepare_ready(&mut self, process: &ProcessRef<'_>) -> Result<()> {
        log::debug!(
            "child process in init(): ready as process {}",
            process.pid()
        );
        let pid = process.pid();
        let Role::Init { late_limits, .. } = &mut self.role else {
            self.limit_second_stage(pid)?;
            if let Some(settings) = self.launch.rdt {
                // The second stage, which comes next, inherits it.
                let warnings = rdt::join(self.launch.system, settings, self.launch.id, pid)?;
                self.outcome.warnings.extend(warnings);
            }
            return Ok(());
        };
        if let Some((_, limits)) = late_limits.take() {
            self.set_process_limit(limits)?;
        }
        rlimits::set(pid, self.rlimits)?;
        self.send_pidfd(process)?;
        match &mut self.role {
            Role::Init { record, .. } => record.write(self.launch.system, pid),
            Role::Exec { .. } => Ok(()),
        }
    }
}

/// The cgroup in which a process is.
pub(crate) fn group_of(hierarchy: &Hierarchy, pid: u32) -> Result<Cgroup> {
    Cgroup::of_process(hierarchy, pid).map_err(cgroup::failed("can't open cgroup"))
}

/// How long a process may go without progress. A quota of a hundredth of a CPU makes milliseconds a
/// second, and it is not the process' fault if the machine is busy.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// The deadline that [`START_TIMEOUT`] sets.
pub(crate) fn start_deadline() -> Deadline {
    Deadline::without_progress(START_TIMEOUT)
}

/// What the stub could not do and is not a failure.
fn warning_texts(warnings: &Warnings, plan: &Plan) -> Vec<String> {
    // The only reason the kernel has: a capability is not both permitted and inheritable. Engines
    // ask for many that are not, with every container, so that all of them share a line.
    let refused = |number: &u32| warnings.ambient() >> number & 1 == 1;
    let names: Vec<String> = (0..64).filter(refused).map(capability_name).collect();
    let plural = if names.len() > 1 { "ies" } else { "y" };
    let mut texts = Vec::new();
    if !names.is_empty() {
        texts.push(format!(
            "can't raise ambient capabilit{plural} {}: operation not permitted",
            names.join(", ")
        ));
    }
    // What else is tolerated is followed by another way, or is usual for an ordinary user.
    for (step, errno) in warnings.tolerated() {
        if plan.steps().get(*step).map(Step::context) == Some(AFFINITY_STEP) {
            let reason = nsenter::errno_text(*errno);
            texts.push(format!("can't {AFFINITY_STEP}: {reason}"));
        }
    }
    texts
}

/// A place or a detached mount: no open file.
fn is_place(descriptor: &OwnedFd) -> bool {
    fcntl_getfl(descriptor).is_ok_and(|flags| flags.contains(OFlags::PATH))
}

fn is_netlink(descriptor: &OwnedFd) -> bool {
    socket_domain(descriptor) == Ok(AddressFamily::NETLINK)
}

/// Closing it may take as long as the process likes.
fn not_used(descriptor: OwnedFd) -> Error {
    Closer::default().close(vec![descriptor]);
    Error::new(
        ErrorKind::Init,
        "the init process sends a descriptor that the plan does not use",
    )
}

fn refuse(error: Error) -> Refusal {
    Box::new(error)
}

impl RequestHandler for Supervisor<'_> {
    fn gate(&mut self, number: u32, process: &ProcessRef<'_>) -> Result<(), Refusal> {
        self.pass_gate(number, process).map_err(refuse)
    }

    fn id_maps(&mut self, process: &ProcessRef<'_>) -> Result<(), Refusal> {
        let procfs = self.launch.system.procfs().map_err(refuse)?;
        id_maps::write(self.launch.config, procfs, process.pid()).map_err(refuse)
    }

    fn no_room(&mut self, process: &ProcessRef<'_>, errno: i32) -> Result<(), Refusal> {
        log::debug!("no room for the second stage in the container's cgroup (errno {errno})");
        self.take_out(process.pid());
        Ok(())
    }

    fn second_stage(&mut self, process: &ProcessRef<'_>) -> Result<(), Refusal> {
        self.stages.second_to_come = false;
        if std::mem::take(&mut self.stages.outside) {
            self.place(process.pid()).map_err(refuse)?;
        }
        match self.role {
            // It goes on preparing, and is ready later.
            Role::Init { .. } => Ok(()),
            // The process that runs the program exists from here on.
            Role::Exec { .. } => self.send_pidfd(process).map_err(refuse),
        }
    }

    fn keep_descriptor(&mut self, tag: u32, descriptor: OwnedFd) -> Result<(), Refusal> {
        match Tag::from_number(tag) {
            Some(Tag::Root) if is_place(&descriptor) => {
                self.root = Some(descriptor);
                Ok(())
            }
            _ => Err(refuse(not_used(descriptor))),
        }
    }

    fn provide_descriptor(&mut self, tag: u32) -> Result<OwnedFd, Refusal> {
        match Tag::from_number(tag) {
            Some(Tag::Source(index)) => self.open_source(index).map_err(refuse),
            Some(Tag::Tree(index)) => self.clone_source(index).map_err(refuse),
            Some(Tag::Devices) => device_nodes::make(self.launch.config).map_err(refuse),
            _ => Err(refuse(Error::new(
                ErrorKind::Init,
                "the init process asks for a descriptor that there is not",
            ))),
        }
    }

    fn use_descriptor(
        &mut self,
        tag: u32,
        descriptor: OwnedFd,
        process: &ProcessRef<'_>,
    ) -> Result<(), Refusal> {
        match Tag::from_number(tag) {
            Some(Tag::IdMap(index)) if is_place(&descriptor) => {
                self.map_tree(index, &descriptor, process).map_err(refuse)
            }
            Some(Tag::RouteSocket) if is_netlink(&descriptor) => {
                super::network::configure(self.launch.id, self.launch.config, descriptor, process)
                    .map_err(refuse)
            }
            _ => Err(refuse(not_used(descriptor))),
        }
    }

    fn console(&mut self, master: OwnedFd, pts: u32) -> Result<(), Refusal> {
        self.take_console(master, pts).map_err(refuse)
    }

    fn home(&mut self, passwd: &[u8]) -> Result<Vec<u8>, Refusal> {
        use std::os::unix::ffi::OsStringExt;
        let home = Uid::new(self.launch.process.uid)
            .and_then(|uid| user::home_of(passwd, uid))
            .map_or_else(|| PathBuf::from("/"), PathBuf::from);
        Ok(home.into_os_string().into_vec())
    }

    fn ready(&mut self, process: &ProcessRef<'_>, _: &Warnings) -> Result<(), Refusal> {
        self.prepare_ready(process).map_err(refuse)
    }

    fn hook(&mut self, context: &str, outcome: HookOutcome) -> Result<(), Refusal> {
        if outcome.success() {
            return Ok(());
        }
        Err(refuse(Error::new(
            ErrorKind::Hook,
            format!("error {context}: {outcome}"),
        )))
    }

    fn seccomp_listener(
        &mut self,
        listener: OwnedFd,
        process: &ProcessRef<'_>,
    ) -> Result<(), Refusal> {
        let agent = self.launch.agent.ok_or_else(|| {
            refuse(Error::new(
                ErrorKind::Init,
                "no agent takes the seccomp notifications",
            ))
        })?;
        agent
            .send(&listener, process.pid(), self.state(process.pid()))
            .map_err(refuse)
    }
}
