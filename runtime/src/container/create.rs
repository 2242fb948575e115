//! Creating a container.
//!
//! The order is what makes a failure at any point harmless: the directory is claimed and locked,
//! the intent is recorded before the first object exists, and [`Rollback`] removes what was made
//! unless the end is reached. A process that is killed in the middle leaves the record; its
//! children die with it.

use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

use cgroups::Cgroup;
use configs::Config;
use configs::config::{FreezerState, Mount, MountFlags, NamespaceType};
use configs::oci::ContainerStatus as Status;
use nsenter::Spawn;

use super::rollback::{Left, Rollback};
use super::transaction::{self, CreateTransaction, RecordCreated};
use super::{Container, annotations};
use crate::error::{Error, ErrorKind, Result};
use crate::id::ContainerId;
use crate::launch::inputs::{Inputs, Sources};
use crate::launch::seccomp::Agent;
use crate::launch::streams::{Receivers, Streams};
use crate::launch::supervisor::{STANDARD, Stages, Supervisor};
use crate::launch::{error_messages, network, seccomp, supervisor};
use crate::plan;
use crate::plan::{
    BuiltPlan, CgroupPlacement, CgroupView, Gate, HostFacts, InitRequest, LegacyHierarchy,
    ProcessRequest,
};
use crate::process::child::Child;
use crate::process::notify_socket;
use crate::process::{Process, check_label};
use crate::runtime::Runtime;
use crate::state::directory::StateDirectory;
use crate::state::record::Record;
use crate::system::System;
use crate::timings::Watch;
use crate::validation;
use crate::validation::Validated;
use crate::{cgroup, rdt};

/// How long a cgroup may take to become empty.
pub(super) const CGROUP_EMPTY_TIMEOUT: Duration = Duration::from_secs(10);

/// What the init process of a new container does when it is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenReady {
    /// It waits for [`Container::start`].
    Wait,
    /// It goes on to the user's program; `poststart` hooks run when that has begun.
    Go,
}

/// Makes a container.
pub(crate) fn create(
    runtime: &Runtime,
    id: &ContainerId,
    checked: Validated,
    mut process: Process,
    when_ready: WhenReady,
) -> Result<Container> {
    let left = Left::new();
    let mut warnings = checked.warnings;
    warnings.append(&mut process.warnings);
    let made = make(
        runtime,
        id,
        checked.config,
        &mut process,
        when_ready,
        &left,
        &mut warnings,
    );
    match (made, left.into_inner()) {
        (Err(error), Some(left)) => Err(error
            .context(format!(
                "container {id} stays on record, to be deleted, since not all of it could be removed ({})",
                left.chain()
            ))
            .with_warnings(warnings)),
        (Err(error), None) => Err(error.with_warnings(warnings)),
        (Ok(mut container), _) => {
            container.warnings = warnings;
            Ok(container)
        }
    }
}

/// Makes a container of a configuration that has been checked. What is told on the way is in
/// `warnings`, however it ends.
fn make(
    runtime: &Runtime,
    id: &ContainerId,
    mut config: Config,
    process: &mut Process,
    when_ready: WhenReady,
    left: &Left,
    warnings: &mut Vec<String>,
) -> Result<Container> {
    // Dropped after everything else here: undoing needs descriptors that the others hold.
    let mut transaction;
    let mut timings = process.timings.take();
    check(&config, process)?;
    warnings.extend(annotations::ignored(&config.labels));
    let filter = seccomp::compile(&config, warnings)?;
    // What fails easily comes before anything is made.
    let receivers = Receivers::connect(process)?;
    let agent = Agent::connect(&config, filter.as_ref())?;
    let owner = root_user(&config)?;
    let mut streams = Streams::open(process, owner)?;
    if let Some(timings) = &mut timings {
        timings.mark("check the configuration, compile the filter");
    }

    let notify = process.notify_socket.is_some();
    if notify {
        add_notify_socket(&mut config, process, runtime.path().join(id))?;
    }
    let spec = cgroup::spec(&config.cgroups, config.rootless_cgroups);
    let resources = cgroup::resources(&config.cgroups.resources)?;
    let rdt = config.intel_rdt.as_ref().map(rdt::settings);
    let late_limits = needs_late_limits(&config);
    // Poststart hooks come when the program has begun, which the end of the fifo tells.
    let waits_for_start = when_ready == WhenReady::Wait || !config.hooks.poststart.is_empty();
    let system = runtime.system();
    let host = host_facts(system, &config)?;
    let state = transaction::intent(id, config, &streams, runtime)?;
    runtime.make_root()?;
    let root = runtime.root()?;
    let (directory, lock) = StateDirectory::make(&root, runtime.path(), id)?;
    directory.claim(&lock, &root, id, &state)?;
    transaction = CreateTransaction {
        id,
        system,
        directory,
        state,
        rollback: Rollback::new(runtime, id, lock, left),
        warnings,
        timings,
    };
    if notify {
        transaction
            .directory
            .make_notify_directory(notify_socket::DIRECTORY)?;
    }
    transaction.mark("record the intent");

    transaction.make_cgroup(&spec, &resources)?;
    transaction.mark("make the cgroup");
    // A scope of systemd is made with its first process: by the parent, at the gate.
    let needs_first_process = transaction.rollback.group()?.needs_first_process();
    if !late_limits && !needs_first_process {
        transaction.set_limits(&resources)?;
    }
    if let Some(settings) = &rdt {
        transaction.make_rdt_groups(settings)?;
    }
    transaction.mark("set limits");

    let group = transaction.rollback.group()?;
    let config_is_rootless = transaction.state.config.rootless_cgroups;
    cgroup::require_thawed(group)?;
    // By name where that is safe, and where no hierarchy may be left out: it takes far fewer
    // descriptors.
    let by_name = group.is_new() && !config_is_rootless;
    let tasks = if needs_first_process || by_name {
        Vec::new()
    } else {
        group
            .self_join_files()
            .map_err(cgroup::failed(error_messages::APPLY_CGROUP))
            .map_err(error_messages::not_started)?
    };
    let mut placement = placement(group, &tasks, config_is_rootless)?;
    if by_name && !needs_first_process {
        placement.task_paths = group.self_join_paths();
    }
    let built = plan::init(&InitRequest {
        request: ProcessRequest {
            container_id: id.as_str(),
            config: &transaction.state.config,
            process,
            host: &host,
            cgroup: placement,
            seccomp: filter,
        },
        cgroup_view: &cgroup_view(group),
        late_limits: late_limits || rdt.is_some(),
        waits_for_start,
    })
    .map_err(error_messages::during_init)?;
    transaction.mark("build the plan");

    transaction.warnings.extend_from_slice(&built.warnings);
    transaction.record_host_mounts(&built)?;
    let fifo = if waits_for_start {
        Some(transaction.directory.make_fifo(owner)?)
    } else {
        None
    };
    let sources = Sources {
        fifo: fifo.as_ref().map(AsFd::as_fd),
        tasks: &tasks,
        cgroup_root: Some(system.hierarchy()?.dir()),
        init: None,
    };
    let inputs = Inputs::open(&built.inputs, &sources)?;
    let watch = transaction
        .timings
        .as_ref()
        .map(|timings| Watch::new(timings, &built.plan))
        .transpose()?;
    let hooks = &transaction.state.config.hooks;
    transaction.rollback.hooks = Some((hooks.clone(), transaction.state.config.labels.clone()));
    transaction.rollback.networks = transaction.state.config.networks.clone();
    let group = transaction.rollback.group()?;
    let spawn = Spawn {
        plan: &built.plan,
        stdio: streams.theirs(),
        passed: process.passed.iter().map(AsFd::as_fd).collect(),
        inputs: inputs.borrow(),
        cgroup: match built.spawn_into_cgroup {
            true => Some(cgroup::open_unified(group)?),
            false => None,
        },
    };
    let mut init = match &watch {
        Some(watch) => spawn.start_timed(&watch.times),
        None => spawn.start(),
    }
    .map_err(|error| {
        // In its v2 cgroup from birth, with no room for even the stub.
        if error.raw_os_error() == Some(libc::ENOMEM) && resources.memory.is_some() {
            return oom_killed();
        }
        Error::system("unable to start container process", error)
    })?;
    log::debug!(
        "nsexec container setup: stub started as process {}",
        init.pid()
    );
    drop(inputs);
    transaction.mark("start the init process");

    let config = transaction.state.config.clone();
    let mut parent = Supervisor {
        id,
        config: &config,
        system,
        cgroup: transaction.rollback.group()?,
        init: None,
        init_group: None,
        late_limits: match (late_limits, needs_first_process) {
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
        ready: &mut RecordCreated {
            directory: &transaction.directory,
            state: &mut transaction.state,
            system,
        },
        console: None,
        root: None,
        mapped: crate::launch::id_mapped_mounts::Made::default(),
        warnings: Vec::new(),
        stages: Stages {
            second_to_come: built.two_stages,
            // A scope of systemd ends when its last process leaves.
            movable: !config.cgroups.systemd,
            outside: false,
        },
    };
    let served = init.serve(&mut parent, supervisor::start_deadline());
    let (console, told) = (parent.console.take(), std::mem::take(&mut parent.warnings));
    transaction.warnings.extend(told);
    let served = served.map_err(|error| {
        // It is gone already, and the cgroup still counts what killed it.
        explain(
            error_messages::init_error(error, &process.args, parent.config),
            parent.cgroup,
        )
    })?;
    transaction
        .warnings
        .extend(supervisor::warning_texts(served.warnings()));
    log::debug!("init: closing the pipe to signal completion");
    transaction.mark("serve the init process");
    // With their own ids by now.
    transaction
        .rollback
        .host_mounts
        .clone_from(&transaction.state.host_mounts);

    if let Some(fifo) = fifo.filter(|_| when_ready == WhenReady::Go) {
        transaction.start(fifo, init.pidfd())?;
        transaction.mark("start the program and run poststart hooks");
    }
    transaction.rollback.finish();
    let pid = i32::try_from(init.pid()).unwrap_or_default();
    let child = Child::new(pid, init.detach(), id, system.children())
        .with_streams(console, std::mem::take(&mut streams.ours));
    Ok(Container {
        id: id.clone(),
        runtime: runtime.clone(),
        directory: transaction.directory,
        record: Record::from(transaction.state),
        settled: false,
        child: Some(child),
        warnings: Vec::new(),
        timings: transaction.timings.zip(watch),
    })
}

/// The plan of a container that would be made, for people to read. Touches nothing.
pub(crate) fn preview(
    runtime: &Runtime,
    id: &ContainerId,
    checked: &Validated,
    process: &Process,
) -> Result<BuiltPlan> {
    let config = &checked.config;
    check(config, process)?;
    let filter = seccomp::compile(config, &mut Vec::new())?;
    let spec = cgroup::spec(&config.cgroups, config.rootless_cgroups);
    let hierarchy = runtime.system().hierarchy()?;
    let group = Cgroup::intended(hierarchy, &spec)
        .map_err(cgroup::failed("find a place for the container's cgroup"))?;
    let view = cgroup_view(&group);
    let gate = group.needs_first_process();
    let unified = !gate && hierarchy.mode() != cgroups::Mode::V1;
    let (tasks, task_paths) = match (gate, config.rootless_cgroups) {
        (true, _) => (Vec::new(), Vec::new()),
        (false, true) => (cgroup::joined_controllers(&group), Vec::new()),
        (false, false) => (Vec::new(), group.self_join_paths()),
    };
    plan::init(&InitRequest {
        request: ProcessRequest {
            container_id: id.as_str(),
            config,
            process,
            host: &host_facts(runtime.system(), config)?,
            cgroup: CgroupPlacement {
                unified,
                tasks,
                task_paths,
                gate,
                outside: false,
            },
            seccomp: filter,
        },
        cgroup_view: &view,
        late_limits: needs_late_limits(config) || config.intel_rdt.is_some(),
        waits_for_start: true,
    })
}

/// Refuses what cannot work, before anything is made.
fn check(config: &Config, process: &Process) -> Result<()> {
    if process.args.is_empty() {
        return Err(Error::config("args must not be empty"));
    }
    validation::process(process)?;
    if config.rootless_euid && !process.additional_gids.is_empty() {
        return Err(Error::config(
            "process.user.additionalGids: cannot set any additional groups in a rootless container",
        ));
    }
    if !process.sub_cgroups.is_empty() {
        return Err(Error::config("a sub cgroup can only be joined by exec"));
    }
    check_label(&config.mount_label)?;
    let resources = &config.cgroups.resources;
    let freezes = resources.unified.get("cgroup.freeze");
    if resources.freezer == FreezerState::Frozen || freezes.is_some_and(|value| value.trim() != "0")
    {
        return Err(Error::config(
            "linux.resources: a cgroup that is frozen (cgroup.freeze) lets no process start",
        ));
    }
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

fn host_facts(system: &System, config: &Config) -> Result<HostFacts> {
    let mut host = HostFacts::read_at(system.procfs()?.as_fd())?;
    if config.no_pivot_root {
        host.read_full_proc_mounts(config.rootfs.as_ref())?;
    }
    if !config.hooks.create_container.is_empty() {
        host.read_umask()?;
    }
    Ok(host)
}

/// Whether limits are better written when the mounts are made: a second stage is one process more,
/// and a limit of one process would forbid it.
fn needs_late_limits(config: &Config) -> bool {
    let namespaces = &config.namespaces;
    let two_stages = namespaces.contains(NamespaceType::User)
        || namespaces.contains(NamespaceType::Time)
        || namespaces.path_of(NamespaceType::Pid).is_some();
    two_stages || !config.hooks.create_container.is_empty()
}

/// How the process gets into the cgroup: a v2 directory may only be missing if that is `optional`.
pub(super) fn placement(
    group: &Cgroup,
    tasks: &[(String, std::os::fd::OwnedFd)],
    optional: bool,
) -> Result<CgroupPlacement> {
    Ok(CgroupPlacement {
        unified: cgroup::unified_directory(group, optional)?,
        tasks: tasks
            .iter()
            .map(|(controller, _)| controller.clone())
            .collect(),
        task_paths: Vec::new(),
        gate: group.needs_first_process(),
        outside: false,
    })
}

fn cgroup_view(group: &Cgroup) -> CgroupView {
    if group.hierarchy().mode() == cgroups::Mode::V2 {
        return CgroupView::Unified {
            directory: group.path("").map(PathBuf::from).unwrap_or_default(),
        };
    }
    let mounts = group.mounts();
    // Where the container has no cgroup of its own, it is in that of this process.
    let callers = if mounts.iter().any(|mount| mount.path.as_os_str().is_empty()) {
        Cgroup::of_process(group.hierarchy(), std::process::id())
            .map(|caller| caller.mounts())
            .unwrap_or_default()
    } else {
        Vec::new()
    };
    let convert = |mount: cgroups::HierarchyMount| {
        let of_caller = mount.path.as_os_str().is_empty();
        let caller = callers
            .iter()
            .find(|caller| of_caller && caller.directory == mount.directory);
        LegacyHierarchy {
            directory: mount.directory,
            source: mount.source.to_owned(),
            data: mount.data,
            links: mount.links,
            own: caller.map_or(mount.path, |caller| caller.path.clone()),
            of_caller,
        }
    };
    CgroupView::Legacy(mounts.into_iter().map(convert).collect())
}

/// Mounts the directory of the notification socket into the container and tells the process where
/// it is.
fn add_notify_socket(config: &mut Config, process: &mut Process, directory: PathBuf) -> Result<()> {
    let source = directory
        .join(notify_socket::DIRECTORY)
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

fn oom_killed() -> Error {
    Error::new(
        ErrorKind::OomKilled,
        "container init was OOM-killed (memory limit too low?)",
    )
}

/// Replaces the error of an init process that was killed for lack of memory by one that says so.
fn explain(error: Error, group: &Cgroup) -> Error {
    if cgroup::oom_kills(group) > 0 {
        log::debug!("{}", error.chain());
        return oom_killed();
    }
    if error.to_string() == error_messages::APPLY_CGROUP {
        return error_messages::not_started(error);
    }
    error_messages::during_init(cgroup::explain_standstill(error, group))
}
