//! Making a container.
//!
//! The order is what makes a failure at any point harmless: the directory is the lock, the intent is recorded before the
//! first object exists, and [`Unwind`] removes what was made unless the end is reached. A process that is killed in the
//! middle leaves the record; its children die with it.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use cgroups::Cgroup;
use configs::Config;
use configs::config::{HookPoint, Mount, MountFlags, Namespace, NamespaceType};
use configs::oci::ContainerStatus as Status;
use nsenter::namespaces::Kind;
use nsenter::{Init, Spawn};

use super::answers::{Parent, Ready, STANDARD};
use super::directory::{self, StateDirectory};
use super::inputs::{Inputs, Sources};
use super::seccomp::Agent;
use super::streams::{Receivers, Streams};
use super::{Container, System, answers, cgroup, hooks, network, rdt, seccomp, wording};
use crate::child::Child;
use crate::error::{Error, ErrorKind, Result};
use crate::id::ContainerId;
use crate::notify_socket;
use crate::plan::{
    self, BuiltPlan, CgroupPlacement, CgroupView, Gate, HostFacts, InitRequest, LegacyHierarchy,
};
use crate::process::Process;
use crate::root::Runtime;
use crate::state::{Creator, Record, State};
use crate::timestamp::rfc3339;
use crate::timings::Watch;

/// How long a cgroup may take to become empty.
pub(super) const CGROUP_BUDGET: Duration = Duration::from_secs(10);

/// What the init process of a new container does when it is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenReady {
    /// It waits for [`Container::start`].
    Wait,
    /// It goes on to the user's program.
    Go,
}

/// Makes a container.
pub(crate) fn create(
    runtime: &Runtime,
    id: &ContainerId,
    mut config: Config,
    mut process: Process,
    when_ready: WhenReady,
) -> Result<Container> {
    let mut timings = process.timings.take();
    let mut mark = |what: &str| {
        if let Some(timings) = &mut timings {
            timings.mark(what);
        }
    };
    check(&config, &process)?;
    let mut warnings = Vec::new();
    let filter = seccomp::compile(&config, &mut warnings)?;
    mark("check the configuration, compile the filter");
    // What fails easily comes before anything is made.
    let receivers = Receivers::connect(&mut process)?;
    let agent = Agent::connect(&config, filter.as_ref())?;
    let owner = root_user(&config)?;
    let mut streams = Streams::open(&mut process, owner)?;

    runtime.make_root()?;
    let directory = StateDirectory::make(runtime.root()?, runtime.path(), id)?;
    let mut unwind = Unwind::new(runtime, id);
    let _lock = directory.lock(runtime.root()?, id)?;
    let system = runtime.system();
    let spec = cgroup::spec(&config.cgroups, config.rootless_cgroups);
    let resources = cgroup::resources(&config.cgroups.resources)?;
    let hierarchy = system.hierarchy()?;
    if process.notify_socket.is_some() {
        add_notify_socket(&mut config, &mut process, &directory)?;
    }

    let mut state = State {
        id: id.to_string(),
        init_process_pid: -1,
        init_process_start: 0,
        created: rfc3339(SystemTime::now()),
        rootless: config.rootless_euid && config.rootless_cgroups,
        cgroup_paths: BTreeMap::new(),
        namespace_paths: BTreeMap::new(),
        external_descriptors: streams.external_descriptors(),
        intel_rdt_path: String::new(),
        intel_rdt_mon_path: String::new(),
        creator: Some(creator(system)?),
        host_mounts: Vec::new(),
        config,
    };
    let host = host_facts(&state.config)?;
    let late_limits = needs_late_limits(&state.config);
    let rdt = state.config.intel_rdt.as_ref().map(rdt::settings);
    directory.write_state(&state)?;
    mark("record the intent");

    let group = Cgroup::create(hierarchy, &spec, &resources)
        .map_err(cgroup::failed("make the container's cgroup"))?;
    // Recorded only now: one that somebody else uses is not ours to remove, not even after a crash.
    group
        .check_unused()
        .map_err(cgroup::failed("check the container's cgroup"))?;
    state.cgroup_paths = group.paths();
    unwind.cgroup = Some(group);
    directory.write_state(&state)?;
    let Some(group) = &unwind.cgroup else {
        return Err(Error::new(ErrorKind::System, "the cgroup is gone"));
    };
    mark("make the cgroup");
    // A scope of systemd is made with its first process: by the parent, at the gate.
    let waits = group.needs_first_process();
    if !late_limits && !waits {
        let applied = group
            .set(&resources)
            .map_err(cgroup::failed("set the limits of the container"))?;
        if !state.config.rootless_cgroups {
            warnings.extend(cgroup::warnings(applied));
        }
    }
    if let Some(settings) = &rdt {
        // Called like the container, so that it is found again even unrecorded.
        unwind.rdt = Some(settings.clone());
        let paths = rdt::create(settings, id)?;
        state.intel_rdt_path = paths.class;
        state.intel_rdt_mon_path = paths.monitoring;
        directory.write_state(&state)?;
    }
    let tasks = if waits {
        Vec::new()
    } else {
        group
            .self_join_files()
            .map_err(cgroup::failed("open the container's cgroup"))?
    };
    mark("set limits");
    let waits_for_start = when_ready == WhenReady::Wait;
    let fifo = waits_for_start
        .then(|| directory.make_fifo(owner))
        .transpose()?;

    let view = cgroup_view(group);
    let request = InitRequest {
        container_id: id.as_str(),
        config: &state.config,
        process: &process,
        host: &host,
        cgroup: placement(group, &tasks),
        cgroup_view: &view,
        seccomp: filter,
        late_limits: late_limits || rdt.is_some(),
        waits_for_start,
    };
    let built = plan::init(&request)?;
    mark("build the plan");
    if !built.host_mounts.is_empty() {
        // These would stay on the host: on record before the first one is made.
        state.host_mounts.clone_from(&built.host_mounts);
        directory.write_state(&state)?;
        unwind.host_mounts.clone_from(&built.host_mounts);
    }
    let sources = Sources {
        fifo: fifo.as_ref().map(AsFd::as_fd),
        tasks: &tasks,
        init: None,
    };
    let inputs = Inputs::open(&built.inputs, &sources)?;
    let spawn = Spawn {
        plan: &built.plan,
        stdio: streams.theirs(),
        passed: process.passed.iter().map(AsFd::as_fd).collect(),
        inputs: inputs.borrow(),
        cgroup: if built.spawn_into_cgroup {
            group.dir()
        } else {
            None
        },
    };
    unwind.hooks = Some((state.config.hooks.clone(), state.config.labels.clone()));
    let watch = timings
        .as_ref()
        .map(|timings| Watch::new(timings, &built.plan))
        .transpose()?;
    let init = match &watch {
        Some(watch) => spawn.start_timed(&watch.times),
        None => spawn.start(),
    }
    .map_err(|error| Error::system("unable to start container process", error))?;
    let init = unwind.init.insert(init);
    if let Some(timings) = &mut timings {
        timings.mark("start the init process");
    }
    log::debug!(
        "nsexec container setup: stub started as process {}",
        init.pid()
    );
    drop(inputs);

    let config = state.config.clone();
    let mut publish = Publish {
        id,
        directory: &directory,
        state: &mut state,
        system,
    };
    let mut parent = Parent {
        id,
        config: &config,
        system,
        cgroup: group,
        init_group: None,
        late_limits: match (late_limits, waits) {
            (true, _) => Some((Gate::Hooks, &resources)),
            (false, true) => Some((Gate::Cgroup, &resources)),
            (false, false) => None,
        },
        rdt: rdt.as_ref(),
        uid: process.uid,
        rlimits: if process.rlimits.is_empty() {
            &config.rlimits
        } else {
            &process.rlimits
        },
        console_size: process.console_size,
        receivers: &receivers,
        agent: agent.as_ref(),
        status: Status::Creating,
        pidfd_name: STANDARD,
        ready: &mut publish,
        console: None,
        root: None,
        warnings: Vec::new(),
    };
    let served = init.serve(&mut parent, answers::patience());
    let Parent {
        console,
        warnings: told,
        ..
    } = parent;
    let served = match served {
        Ok(served) => served,
        Err(error) => {
            return Err(explain(wording::init_error(error, &process.args), group));
        }
    };
    warnings.extend(built.warnings);
    warnings.extend(told);
    warnings.extend(answers::words(served.warnings()));
    log::debug!("init: closing the pipe to signal completion");
    if let Some(timings) = &mut timings {
        timings.mark("serve the init process");
    }
    let Some(init) = unwind.finish() else {
        return Err(Error::new(ErrorKind::Init, "the init process is gone"));
    };
    let pid = i32::try_from(init.pid()).unwrap_or_default();
    let child = Child::new(pid, init.detach(), id, system.family())
        .with_streams(console, std::mem::take(&mut streams.ours));
    Ok(Container {
        id: id.clone(),
        runtime: runtime.clone(),
        directory,
        record: Record::from(state),
        child: Some(child),
        warnings,
        timings: timings.zip(watch),
    })
}

/// The plan of a container that would be made, for people to read. Touches nothing.
pub(crate) fn preview(
    runtime: &Runtime,
    id: &ContainerId,
    config: &Config,
    process: &Process,
) -> Result<BuiltPlan> {
    check(config, process)?;
    let filter = seccomp::compile(config, &mut Vec::new())?;
    let spec = cgroup::spec(&config.cgroups, config.rootless_cgroups);
    let hierarchy = runtime.system().hierarchy()?;
    let group = Cgroup::intended(hierarchy, &spec)
        .map_err(cgroup::failed("find a place for the container's cgroup"))?;
    let view = cgroup_view(&group);
    let gate = group.needs_first_process();
    let unified = !gate && hierarchy.mode() != cgroups::Mode::V1;
    let tasks = if gate {
        Vec::new()
    } else {
        cgroup::joined_controllers(&group)
    };
    plan::init(&InitRequest {
        container_id: id.as_str(),
        config,
        process,
        host: &host_facts(config)?,
        cgroup: CgroupPlacement {
            unified,
            tasks,
            gate,
            outside: false,
        },
        cgroup_view: &view,
        seccomp: filter,
        late_limits: needs_late_limits(config) || config.intel_rdt.is_some(),
        waits_for_start: true,
    })
}

/// Refuses what cannot work, before anything is made.
fn check(config: &Config, process: &Process) -> Result<()> {
    if process.args.is_empty() {
        return Err(Error::config("args must not be empty"));
    }
    if !process.cwd.starts_with('/') {
        return Err(Error::config("Cwd must be an absolute path"));
    }
    if config.rootless_euid && !process.additional_gids.is_empty() {
        return Err(Error::config(
            "process.user.additionalGids: cannot set any additional groups in a rootless container",
        ));
    }
    if !process.sub_cgroups.is_empty() {
        return Err(Error::config("a sub cgroup can only be joined by exec"));
    }
    process.check_label()?;
    network::check(config)?;
    rdt::check(config)
}

/// Ids on the host of the container's root user.
pub(super) fn root_user(config: &Config) -> Result<(u32, u32)> {
    let failed = |error| {
        Error::with(
            ErrorKind::InvalidConfig,
            "root user of the container",
            error,
        )
    };
    Ok((
        config.host_uid(0).map_err(failed)?,
        config.host_gid(0).map_err(failed)?,
    ))
}

fn creator(system: &System) -> Result<Creator> {
    let pid = std::process::id();
    let stat = system
        .procfs()?
        .stat(pid)
        .map_err(|error| Error::system("read the start time of this process", error))?;
    Ok(Creator {
        pid,
        start: stat.start_time(),
    })
}

fn host_facts(config: &Config) -> Result<HostFacts> {
    let mut host = HostFacts::read()?;
    if config.no_pivot_root {
        host.read_full_proc_mounts(config.rootfs.as_ref())?;
    }
    Ok(host)
}

/// Whether limits are better written when the mounts are made: a second stage is one process more, and a limit of one
/// process would forbid it.
fn needs_late_limits(config: &Config) -> bool {
    let namespaces = &config.namespaces;
    let two_stages = namespaces.contains(NamespaceType::User)
        || namespaces.contains(NamespaceType::Time)
        || namespaces.path_of(NamespaceType::Pid).is_some();
    two_stages || !config.hooks.create_container.is_empty()
}

pub(super) fn placement(
    group: &Cgroup,
    tasks: &[(String, std::os::fd::OwnedFd)],
) -> CgroupPlacement {
    CgroupPlacement {
        unified: group.dir().is_some(),
        tasks: tasks
            .iter()
            .map(|(controller, _)| controller.clone())
            .collect(),
        gate: group.needs_first_process(),
        outside: false,
    }
}

fn cgroup_view(group: &Cgroup) -> CgroupView {
    if group.hierarchy().mode() == cgroups::Mode::V2 {
        return CgroupView::Unified {
            directory: group.path("").map(PathBuf::from).unwrap_or_default(),
        };
    }
    let convert = |mount: cgroups::HierarchyMount<'_>| LegacyHierarchy {
        directory: mount.directory,
        source: mount.source.to_owned(),
        data: mount.data,
        links: mount.links,
        own: mount.path,
    };
    CgroupView::Legacy(group.mounts().into_iter().map(convert).collect())
}

/// Mounts the directory of the notification socket into the container and tells the process where it is.
fn add_notify_socket(
    config: &mut Config,
    process: &mut Process,
    directory: &StateDirectory,
) -> Result<()> {
    let path = directory.make_notify_directory(notify_socket::DIRECTORY)?;
    let source = path
        .into_os_string()
        .into_string()
        .map_err(|_| Error::config("the path of the state root is not UTF-8"))?;
    config.mounts.push(Mount {
        source,
        destination: notify_socket::MOUNT_POINT.to_owned(),
        device: "bind".to_owned(),
        flags: MountFlags::BIND
            | MountFlags::NOSUID
            | MountFlags::NOEXEC
            | MountFlags::NODEV
            | MountFlags::RDONLY,
        ..Mount::default()
    });
    process.add_env(format!(
        "NOTIFY_SOCKET={}/{}",
        notify_socket::MOUNT_POINT,
        notify_socket::SOCKET
    ));
    Ok(())
}

/// Replaces the error of an init process that was killed for lack of memory by one that says so.
fn explain(error: Error, group: &Cgroup) -> Error {
    if cgroup::oom_kills(group) > 0 {
        log::debug!("{}", error.chain());
        return Error::new(
            ErrorKind::OomKilled,
            "container init was OOM-killed (memory limit too low?)",
        );
    }
    if matches!(error.kind(), ErrorKind::Hook) {
        return error;
    }
    error
        .context("error during container init")
        .context("unable to start container process")
}

/// Records the container as created once its init process is ready.
struct Publish<'a> {
    id: &'a ContainerId,
    directory: &'a StateDirectory,
    state: &'a mut State,
    system: &'a System,
}

impl Ready for Publish<'_> {
    fn ready(&mut self, pid: u32) -> Result<()> {
        let procfs = self.system.procfs()?;
        let stat = procfs
            .stat(pid)
            .map_err(|error| Error::system("read the start time of the init process", error))?;
        self.state.init_process_pid = i32::try_from(pid)
            .map_err(|error| Error::system("record the pid of the init process", error))?;
        self.state.init_process_start = stat.start_time();
        self.state.created = rfc3339(SystemTime::now());
        self.state.creator = None;
        self.state.namespace_paths = Kind::ALL
            .into_iter()
            .filter(|kind| {
                // One that was made or joined is there.
                let named = |ns: &Namespace| ns.kind.proc_file() == kind.file_name();
                self.state.config.namespaces.iter().any(named) || kind.is_supported(procfs)
            })
            .map(|kind| {
                (
                    namespace_key(kind).to_owned(),
                    format!("/proc/{pid}/ns/{}", kind.file_name()),
                )
            })
            .collect();
        self.directory.write_state(self.state)?;
        let config = &self.state.config;
        let state = hooks::oci_state(
            self.id,
            &config.labels,
            Status::Created,
            self.state.init_process_pid,
        );
        hooks::run(&config.hooks, HookPoint::Poststart, &state)
    }
}

fn namespace_key(kind: Kind) -> &'static str {
    let same = NamespaceType::ALL
        .into_iter()
        .find(|other| other.proc_file() == kind.file_name());
    same.map_or("", NamespaceType::name)
}

/// Removes what was made for a container that will not be.
struct Unwind<'a> {
    runtime: &'a Runtime,
    id: &'a ContainerId,
    armed: bool,
    cgroup: Option<Cgroup>,
    rdt: Option<intelrdt::Settings>,
    host_mounts: Vec<PathBuf>,
    /// Hooks and labels, as soon as a hook may have run.
    hooks: Option<(configs::config::Hooks, Vec<String>)>,
    init: Option<Init>,
}

impl<'a> Unwind<'a> {
    fn new(runtime: &'a Runtime, id: &'a ContainerId) -> Self {
        Self {
            runtime,
            id,
            armed: true,
            cgroup: None,
            rdt: None,
            host_mounts: Vec::new(),
            hooks: None,
            init: None,
        }
    }

    /// Everything went well.
    fn finish(&mut self) -> Option<Init> {
        self.armed = false;
        self.init.take()
    }
}

impl Drop for Unwind<'_> {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        // Dropping it kills the process and waits for it.
        drop(self.init.take());
        // A unit that this process has not started is somebody else's of the same name, or nobody's.
        let made = |group: &&Cgroup| !group.needs_first_process();
        if let Some(group) = self.cgroup.as_ref().filter(made) {
            if let Err(error) = group.kill() {
                log::debug!("kill what is left of container {}: {error}", self.id);
            }
            if let Err(error) = group.delete(CGROUP_BUDGET) {
                log::debug!("remove the cgroup of container {}: {error}", self.id);
            }
        }
        if let Some(settings) = &self.rdt
            && let Err(error) = rdt::delete(settings, self.id)
        {
            log::debug!("{}", error.chain());
        }
        super::destroy::unmount(&self.host_mounts);
        match self
            .runtime
            .root()
            .and_then(|root| directory::remove(root, self.runtime.path(), self.id))
        {
            Ok(_) => {}
            Err(error) => log::debug!("{}", error.chain()),
        }
        if let Some((hooks, labels)) = &self.hooks {
            let state = hooks::oci_state(self.id, labels, Status::Stopped, 0);
            if let Err(error) = hooks::run(hooks, HookPoint::Poststop, &state) {
                log::debug!("{}", error.chain());
            }
        }
    }
}
