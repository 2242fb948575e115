//! Running another process in a container.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use cgroups::{Cgroup, Mode};
use configs::Config;
use configs::oci::ContainerStatus as Status;
use nsenter::{Deadline, StubProcess};

use super::Container;
use crate::error::{Error, ErrorKind, Result};
use crate::launch::connections::Connections;
use crate::launch::inputs::{Inputs, Sources};
use crate::launch::supervisor::{self, Launch, Outcome, Role, Stages, Supervisor};
use crate::launch::{self, error_messages, placement};
use crate::plan::{self, BuiltPlan, CgroupPlacement, Filter, ProcessRequest};
use crate::process::child::Child;
use crate::process::{Process, user_names};
use crate::{cgroup, pretending_filter, rdt, validation};

/// How long a process that joins a paused container may take: it is frozen until a command
/// resumes that.
const WHILE_PAUSED: Duration = Duration::from_secs(24 * 60 * 60);

/// How long an init process that has no namespaces any more may take to end.
const ENDING: Duration = Duration::from_secs(1);

impl Container {
    /// Runs another process in the container: in its namespaces and its cgroup, with its filter
    /// and, where `process` does not say otherwise, its attributes.
    ///
    /// # Errors
    /// [`ErrorKind::NotRunning`] if the container is stopped, [`ErrorKind::Paused`] unless
    /// [`Process::ignore_paused`] is set, [`ErrorKind::InvalidConfig`], [`ErrorKind::Init`] for a
    /// step inside the container.
    pub fn exec(&self, process: Process) -> Result<Child> {
        self.exec_in(None, process)
    }

    /// The same; `status` is what the caller has just seen, which is not looked for again.
    pub(crate) fn exec_in(&self, status: Option<Status>, mut process: Process) -> Result<Child> {
        let mut warnings = std::mem::take(&mut process.warnings);
        match self.join(status, &mut process, &mut warnings) {
            Ok(child) => Ok(child.with_warnings(warnings)),
            Err(error) => Err(self.explain_end(error).with_warnings(warnings)),
        }
    }

    /// The plan of the process that [`exec`](Self::exec) would run now, with the configuration of
    /// the container. Nothing is started or changed. Warnings are added to `warnings`.
    #[cfg(feature = "explain")]
    pub(crate) fn preview_exec(
        &self,
        process: &mut Process,
        warnings: &mut Vec<String>,
    ) -> Result<(BuiltPlan, Config)> {
        let paused = require_joinable(self.status()?, process)?;
        let config = self.config()?;
        process.look_up_names(|| self.root_of_init())?;
        check(&config, process)?;
        let filter = launch::seccomp::compile(&config, self.runtime.seccomp(), warnings)?;
        let group = self
            .group_to_join(process)
            .map_err(error_messages::not_started)?;
        let paused = paused || is_frozen_from_above(&group, process)?;
        let needed = !config.rootless_cgroups || !process.sub_cgroups.is_empty();
        let chosen = !process.sub_cgroups.is_empty();
        let joined = placement::Joined {
            needed,
            chosen,
            paused,
        };
        let (_, placement) = placement::of_exec(&group, &config, joined)?;
        let built = build_plan(self, &config, process, placement, filter)?;
        warnings.extend_from_slice(&built.warnings);
        Ok((built, config))
    }

    /// Adds the reason if the container has ended meanwhile: the kernel then answers with whatever
    /// a namespace or a cgroup says that is gone.
    fn explain_end(&self, error: Error) -> Error {
        let limit = match (error.raw_os_error(), error.kind()) {
            // What these say of a process that ends comes before its end can be seen, and so does
            // the kill of those that have joined its pid namespace.
            (Some(libc::ESRCH | libc::ENOMEM), _) | (None, ErrorKind::Init | ErrorKind::System) => {
                ENDING
            }
            _ => Duration::ZERO,
        };
        let ended = match self.init_pidfd() {
            Ok(None) => true,
            Ok(Some(init)) => self
                .system()
                .children()
                .wait(&self.id, init.as_fd(), Some(limit))
                .unwrap_or(false),
            // It is deleted already.
            Err(gone) => gone.kind() == ErrorKind::NotFound,
        };
        if ended && error.kind() != ErrorKind::NotRunning {
            return Error::with(ErrorKind::NotRunning, STOPPED, error);
        }
        error
    }

    /// What [`exec`](Self::exec) does. Warnings are added to `warnings`, however it ends.
    fn join(
        &self,
        status: Option<Status>,
        process: &mut Process,
        warnings: &mut Vec<String>,
    ) -> Result<Child> {
        let status = status.map_or_else(|| self.status(), Ok)?;
        let paused = require_joinable(status, process)?;
        let config = self.config()?;
        process.look_up_names(|| self.root_of_init())?;
        check(&config, process)?;
        let mut connections =
            Connections::open(&config, process, self.runtime.seccomp(), warnings)?;
        let Some(init) = self.init_pidfd()? else {
            return Err(stopped());
        };
        let group = self
            .group_to_join(process)
            .map_err(error_messages::not_started)?;
        let paused = paused || is_frozen_from_above(&group, process)?;
        let needed = !config.rootless_cgroups || !process.sub_cgroups.is_empty();
        let chosen = !process.sub_cgroups.is_empty();
        let (tasks, placement) = placement::of_exec(
            &group,
            &config,
            placement::Joined {
                needed,
                chosen,
                paused,
            },
        )?;
        let filter = connections.filter.take();
        let init_pid = u32::try_from(self.current()?.init_process_pid).ok();
        let join = Join {
            container: self,
            config: &config,
            process,
            connections: &connections,
            group: &group,
            needed,
            paused,
            init_pid,
            // A cgroup that hands controllers to children of its own takes no processes. Then the
            // init process, too, has gone to one of these.
            init_group: init_pid.filter(|_| process.sub_cgroups.is_empty()),
        };
        let built = build_plan(self, &config, process, placement, filter)?;
        warnings.extend_from_slice(&built.warnings);
        let sources = Sources {
            fifo: None,
            tasks: &tasks,
            cgroup_root: Some(group.hierarchy().dir()),
            init: Some(init.as_fd()),
        };
        let inputs = Inputs::open(&built.inputs, &sources)?;
        log_initial_cpus(&config, process);
        let ooms = cgroup::oom_kills(&group);
        let mut started = join.start(&built, &inputs)?;
        drop(inputs);
        log::debug!(
            "nsexec container setup: stub started as process {}",
            started.stub.pid()
        );
        let (served, outcome) = join.serve(&mut started);
        warnings.extend(outcome.warnings);
        served.map_err(|error| explain(error, process, &config, &group, ooms))?;
        log::debug!("setns_init: about to exec");
        let pid = i32::try_from(started.stub.pid()).unwrap_or_default();
        let registry = self.system().children();
        let child = Child::new(pid, started.stub.detach(), &self.id, registry);
        let pipes = std::mem::take(&mut connections.streams.ours);
        Ok(child.with_streams(outcome.console, pipes))
    }

    /// The root directory of the init process.
    fn root_of_init(&self) -> Result<OwnedFd> {
        let pid = self.current()?.init_process_pid;
        let root = match user_names::root_of(self.system().procfs()?, pid) {
            // A process that ends has no root directory some time before its end can be seen.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => {
                return Err(Error::with(ErrorKind::NotRunning, STOPPED, error));
            }
            root => root?,
        };
        // Only now it is known to be that of the init process, whose pid could have been reused.
        match self.init_pidfd()? {
            Some(_) => Ok(root),
            None => Err(stopped()),
        }
    }

    /// The cgroup to join: the container's, one below, or the one its init process has moved to.
    fn group_to_join(&self, process: &Process) -> Result<Cgroup> {
        let own = self.cgroup()?;
        if !process.sub_cgroups.is_empty() {
            if own.paths().is_empty() {
                return Err(Error::new(
                    ErrorKind::CgroupNotFound,
                    format!("{}: the container has none", placement::cannot_join(&own)),
                ));
            }
            let paths: BTreeMap<String, PathBuf> = process
                .sub_cgroups
                .iter()
                .map(|(controller, path)| (controller.clone(), PathBuf::from(path)))
                .collect();
            return own
                .sub_cgroup(&paths)
                .map_err(cgroup::failed(placement::cannot_join(&own)));
        }
        let failed = || cgroup::failed(placement::cannot_join(&own));
        if own.exists().map_err(failed())? && own.dir().map_err(failed())?.is_some() {
            return Ok(own);
        }
        let pid = self
            .pid()
            .and_then(|pid| u32::try_from(pid).ok())
            .ok_or_else(stopped)?;
        if own.hierarchy().mode() == Mode::V2 {
            return supervisor::group_of(own.hierarchy(), pid);
        }
        Ok(own)
    }
}

/// Fails unless a process can join a container of this status; says whether it is paused.
fn require_joinable(status: Status, process: &Process) -> Result<bool> {
    match status {
        Status::Running | Status::Created => Ok(false),
        Status::Paused if process.ignore_paused => Ok(true),
        Status::Paused => Err(Error::new(
            ErrorKind::Paused,
            "cannot exec in a paused container (use --ignore-paused to override)",
        )),
        Status::Creating => Err(Error::new(
            ErrorKind::InvalidState,
            "cannot exec in a container that is being created",
        )),
        _ => Err(stopped()),
    }
}

/// A process that joins a container.
struct Join<'a> {
    container: &'a Container,
    config: &'a Config,
    process: &'a Process,
    connections: &'a Connections,
    group: &'a Cgroup,
    /// The process must be in the cgroup.
    needed: bool,
    /// The process is frozen as soon as it is in the cgroup.
    paused: bool,
    /// The init process of the container.
    init_pid: Option<u32>,
    /// The process whose cgroup is joined if the container's takes no processes.
    init_group: Option<u32>,
}

/// A process that has started, and where.
struct Started {
    stub: StubProcess,
    /// The clone has placed it in the container's cgroup.
    entered: bool,
    /// It has started outside: the cgroup's processes or memory are used up.
    outside: bool,
}

impl Join<'_> {
    fn spawn(
        &self,
        built: &BuiltPlan,
        inputs: &Inputs<'_>,
        group: Option<&Cgroup>,
    ) -> Result<Result<StubProcess, nsenter::Error>> {
        let streams = &self.connections.streams;
        Ok(launch::spawn(built, self.process, streams, inputs, group)?.start())
    }

    /// Starts it in the cgroup, or where the kernel lets it start instead.
    fn start(&self, built: &BuiltPlan, inputs: &Inputs<'_>) -> Result<Started> {
        let spawn = |group| self.spawn(built, inputs, group);
        let started = spawn(Some(self.group))?;
        let into_cgroup = built.spawn_into_cgroup;
        let refused = started
            .as_ref()
            .err()
            .filter(|_| into_cgroup)
            .and_then(nsenter::Error::raw_os_error);
        let entered = started.is_ok() && into_cgroup;
        let mut outside = false;
        let started = match (started, refused) {
            (Err(error), Some(libc::EBUSY)) => {
                let Some(pid) = self.init_group else {
                    let error = Error::system(error_messages::JOIN_CGROUP, error);
                    return Err(error_messages::not_started(error));
                };
                let group = supervisor::group_of(self.group.hierarchy(), pid)?;
                spawn(Some(&group))?
            }
            // Its processes or its memory are used up. What starts outside is moved in, which no
            // limit refuses.
            (Err(_), Some(libc::EAGAIN | libc::ENOMEM)) => {
                outside = true;
                spawn(None)?
            }
            // A container without a cgroup of its own is in that of its creator.
            (Err(_), Some(libc::EACCES)) if !self.needed => spawn(None)?,
            (started, _) => started,
        };
        let stub =
            started.map_err(|error| Error::system("unable to start container process", error))?;
        Ok(Started {
            stub,
            entered,
            outside,
        })
    }

    /// Serves the stub until its program is about to run.
    fn serve(&self, started: &mut Started) -> (Result<(), nsenter::Error>, Outcome) {
        let rdt = self.config.intel_rdt.as_ref().map(rdt::settings);
        let launch = Launch {
            id: &self.container.id,
            config: self.config,
            system: self.container.system(),
            cgroup: self.group,
            rdt: rdt.as_ref(),
            process: self.process,
            receivers: &self.connections.receivers,
            agent: self.connections.agent.as_ref(),
        };
        let role = Role::Exec {
            init: self.init_pid,
            init_group: self.init_group,
        };
        let stages = Stages {
            second_to_come: true,
            movable: (self.needed || started.entered) && !placement::moved_by_systemd(self.config),
            outside: started.outside,
        };
        let deadline = if self.paused {
            Deadline::without_progress(WHILE_PAUSED)
        } else {
            supervisor::start_deadline()
        };
        Supervisor::new(launch, role, stages).serve(&mut started.stub, deadline)
    }
}

/// Builds the plan of a process that joins a container.
fn build_plan(
    container: &Container,
    config: &Config,
    process: &Process,
    cgroup: CgroupPlacement,
    seccomp: Option<Filter>,
) -> Result<BuiltPlan> {
    let mut host = container.system().host_facts()?;
    pretending_filter::refuse(&host)?;
    match process.inherited_umask {
        Some(mask) => host.umask = Some(mask),
        None => host.read_umask()?,
    }
    plan::exec(&ProcessRequest {
        container_id: container.id.as_str(),
        config,
        process,
        host: &host,
        cgroup,
        seccomp,
    })
    .map_err(error_messages::not_started)
}

/// The error of a process that did not start, with what the cgroup counts: `ooms` were killed
/// before.
fn explain(
    error: nsenter::Error,
    process: &Process,
    config: &Config,
    group: &Cgroup,
    ooms: u64,
) -> Error {
    let error = error_messages::init_error(error, &process.args, config);
    let error = cgroup::explain_standstill(error, group);
    let what = if cgroup::oom_kills(group) > ooms {
        "unable to start container process (possibly OOM-killed)"
    } else {
        "unable to start container process"
    };
    error.context(what)
}

/// Whether a cgroup above the container's is frozen, which is an error unless the process may join
/// a paused container.
fn is_frozen_from_above(group: &Cgroup, process: &Process) -> Result<bool> {
    let failed = cgroup::failed("read the state of the container's freezer");
    if !group.is_frozen().map_err(failed)? {
        return Ok(false);
    }
    if !process.ignore_paused {
        return Err(Error::new(
            ErrorKind::Paused,
            "cannot exec in a container below a frozen cgroup (use --ignore-paused to override)",
        ));
    }
    Ok(true)
}

fn log_initial_cpus(config: &Config, process: &Process) {
    if log::log_enabled!(log::Level::Debug) {
        log::debug!(
            "nsexec container setup: affinity: {:#x}",
            initial_cpus(config, process)
        );
    }
}

/// The CPUs that the process starts on, the first 64 as a mask, for the log.
fn initial_cpus(config: &Config, process: &Process) -> u64 {
    let affinity = process
        .cpu_affinity
        .as_ref()
        .or(config.exec_cpu_affinity.as_ref());
    if let Some(initial) = affinity.and_then(|affinity| affinity.initial.as_ref()) {
        return initial.mask().first().copied().unwrap_or(0);
    }
    // Inherited from this thread.
    let Ok(inherited) = rustix::thread::sched_getaffinity(None) else {
        return 0;
    };
    (0..64)
        .filter(|cpu| inherited.is_set(*cpu))
        .fold(0, |mask, cpu| mask | 1 << cpu)
}

fn check(config: &Config, process: &Process) -> Result<()> {
    if process.args.is_empty() {
        return Err(Error::config("exec args cannot be empty"));
    }
    if config.rootless_euid && !process.additional_gids.is_empty() {
        return Err(Error::config(
            "cannot set any additional groups in a rootless container",
        ));
    }
    validation::process(process)?;
    if process.notify_socket.is_some() {
        return Err(Error::config(
            "a notification socket belongs to the init process",
        ));
    }
    Ok(())
}

const STOPPED: &str = "cannot exec in a stopped container";

fn stopped() -> Error {
    Error::new(ErrorKind::NotRunning, STOPPED)
}
