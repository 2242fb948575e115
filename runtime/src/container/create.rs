//! Creating a container.
//!
//! The order is what makes a failure at any point harmless: the directory is claimed and locked,
//! the intent is recorded before the first object exists, and [`Rollback`] removes what was made
//! unless the end is reached. A process that is killed in the middle leaves the record; its
//! children die with it.

use std::os::fd::AsFd;

use cgroups::{Cgroup, Mode};
use configs::Config;
use configs::config::FreezerState;
use nsenter::StubProcess;

use super::rollback::Left;
use super::transaction::{self, CreateTransaction, Limits};
use super::{Container, annotations};
use crate::error::{Error, ErrorKind, Result};
use crate::id::ContainerId;
use crate::launch::connections::Connections;
use crate::launch::inputs::{Inputs, Sources};
use crate::launch::record::RecordCreated;
use crate::launch::supervisor::{self, Launch, Role, Stages, Supervisor};
use crate::launch::{self, error_messages, network, notify_mount, placement, seccomp};
use crate::plan::{self, BuiltPlan, Gate, HostFacts, InitRequest, ProcessRequest};
use crate::process::child::Child;
use crate::process::console::Console;
use crate::process::{Process, check_label, user_names};
use crate::runtime::Runtime;
use crate::state::record::Record;
use crate::system::System;
use crate::timings::Watch;
use crate::validation::{self, Validated};
use crate::{cgroup, missing_calls, pretending_filter, rdt};

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
    conclude(id, made, left, warnings)
}

/// Ends a creation: with its warnings, and with what could not be removed if it failed.
pub(super) fn conclude(
    id: &ContainerId,
    made: Result<Container>,
    left: Left,
    warnings: Vec<String>,
) -> Result<Container> {
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

/// Makes a container of a configuration that has been checked. Warnings are added to
/// `warnings`, however it ends. Not inlined: the stack that reading the bundle has used serves
/// again for this, where both would otherwise lie in the frame of the command.
#[inline(never)]
fn make(
    runtime: &Runtime,
    id: &ContainerId,
    mut config: Config,
    process: &mut Process,
    when_ready: WhenReady,
    left: &Left,
    warnings: &mut Vec<String>,
) -> Result<Container> {
    // Dropped after everything else here: rolling back needs descriptors that the others hold.
    let mut transaction;
    let mut timings = process.timings.take();
    process.look_up_names(|| user_names::root_file_system(&config.rootfs))?;
    check(&config, process)?;
    warnings.extend(annotations::ignored(&config.labels));
    let mut connections = Connections::open(&config, process, runtime.seccomp(), warnings)?;
    if let Some(timings) = &mut timings {
        timings.mark("check the configuration, compile the filter");
    }

    let notify = process.notify_socket.is_some();
    if notify {
        notify_mount::add(&mut config, process, runtime.path().join(id))?;
    }
    let limits = Limits::of(&config)?;
    let host = host_facts(runtime.system(), &config)?;
    let state = transaction::intent(id, config, &connections.streams, runtime)?;
    transaction = CreateTransaction::begin(runtime, id, state, left, warnings, timings)?;
    if notify {
        transaction
            .directory
            .make_notify_directory(notify_mount::DIRECTORY)?;
    }
    transaction.mark("record the intent");
    transaction.make_groups(&limits)?;

    let config = transaction.state.config.shared();
    let group = transaction.rollback.group()?;
    let (tasks, cgroup) = placement::of_init(group, &config)?;
    // On cgroup v2 the start itself looks, right before the clone.
    if !(cgroup.unified && group.hierarchy().mode() == Mode::V2) {
        cgroup::require_thawed(group)?;
    }
    // Poststart hooks run when the program has begun, which the end of the fifo shows.
    let waits_for_start = when_ready == WhenReady::Wait || !config.hooks.poststart.is_empty();
    let request = ProcessRequest {
        container_id: id.as_str(),
        config: &config,
        process,
        host: &host,
        cgroup,
        seccomp: connections.filter.take(),
    };
    let built = build_plan(group, request, &limits, waits_for_start)?;
    transaction.mark("build the plan");

    let fifo = transaction.prepare_start(&built, waits_for_start, connections.owner)?;
    let sources = Sources {
        fifo: fifo.as_ref().map(AsFd::as_fd),
        tasks: &tasks,
        cgroup_root: Some(runtime.system().hierarchy()?.dir()),
        init: None,
    };
    let (mut init, watch) = start(&mut transaction, &built, process, &connections, &sources)?;
    let console = serve(
        &mut transaction,
        &mut init,
        &config,
        process,
        &connections,
        &limits,
        built.two_stages,
    )?;
    if let Some(fifo) = fifo.filter(|_| when_ready == WhenReady::Go) {
        transaction.start(fifo, init.pidfd())?;
        transaction.mark("start the program and run poststart hooks");
    }
    transaction.rollback.finish();
    // The record takes the configuration over, and copies what it needs if it is shared.
    drop(config);
    let pid = i32::try_from(init.pid()).unwrap_or_default();
    let child = Child::new(pid, init.detach(), id, runtime.system().children())
        .with_streams(console, std::mem::take(&mut connections.streams.ours));
    Ok(container(runtime, transaction, child, watch))
}

/// The container that the transaction has made.
fn container(
    runtime: &Runtime,
    transaction: CreateTransaction<'_>,
    child: Child,
    watch: Option<Watch>,
) -> Container {
    Container {
        id: transaction.id.clone(),
        runtime: runtime.clone(),
        directory: transaction.directory,
        record: Record::from(transaction.state),
        settled: false,
        child: Some(child),
        warnings: Vec::new(),
        timings: transaction.timings.zip(watch),
    }
}

/// Builds the plan of the init process.
fn build_plan(
    group: &Cgroup,
    request: ProcessRequest<'_>,
    limits: &Limits,
    waits_for_start: bool,
) -> Result<BuiltPlan> {
    plan::init(&InitRequest {
        request,
        cgroup_view: &placement::cgroup_view(group)?,
        late_limits: limits.late || limits.rdt.is_some(),
        waits_for_start,
    })
    .map_err(error_messages::during_init)
}

/// Starts the stub with the plan of the init process.
fn start(
    transaction: &mut CreateTransaction<'_>,
    built: &BuiltPlan,
    process: &Process,
    connections: &Connections,
    sources: &Sources<'_>,
) -> Result<(StubProcess, Option<Watch>)> {
    let inputs = Inputs::open(&built.inputs, sources)?;
    let watch = transaction
        .timings
        .as_ref()
        .map(|timings| Watch::new(timings, &built.plan))
        .transpose()?;
    transaction.expect_hooks_and_networks();
    let group = transaction.rollback.group()?;
    let spawn = launch::spawn(built, process, &connections.streams, &inputs, Some(group))?;
    let started = match &watch {
        Some(watch) => spawn.start_timed(&watch.times),
        None => spawn.start(),
    };
    let init = started.map_err(|error| {
        let limits_memory = transaction.state.config.cgroups.resources.memory != 0;
        // The clone places it in its v2 cgroup, which has no room for even the stub.
        if error.raw_os_error() == Some(libc::ENOMEM) && limits_memory {
            return oom_killed();
        }
        if error.kind() == nsenter::ErrorKind::Frozen {
            return cgroup::frozen_from_above();
        }
        Error::system("unable to start container process", error)
    })?;
    log::debug!(
        "nsexec container setup: stub started as process {}",
        init.pid()
    );
    drop(inputs);
    transaction.mark("start the init process");
    Ok((init, watch))
}

/// Serves the init process until it is ready and on record. Returns its terminal, if it is kept.
fn serve(
    transaction: &mut CreateTransaction<'_>,
    init: &mut StubProcess,
    config: &Config,
    process: &Process,
    connections: &Connections,
    limits: &Limits,
    two_stages: bool,
) -> Result<Option<Console>> {
    let group = transaction.rollback.group()?;
    let launch = Launch {
        id: transaction.id,
        config,
        system: transaction.system,
        cgroup: group,
        rdt: limits.rdt.as_ref(),
        process,
        receivers: &connections.receivers,
        agent: connections.agent.as_ref(),
    };
    let role = Role::Init {
        late_limits: match (limits.late, group.needs_first_process()) {
            (true, _) => Some((Gate::Hooks, &limits.resources)),
            (false, true) => Some((Gate::Cgroup, &limits.resources)),
            (false, false) => None,
        },
        record: RecordCreated {
            directory: &transaction.directory,
            state: &mut transaction.state,
        },
    };
    let stages = Stages {
        second_to_come: two_stages,
        // A scope of systemd ends when its last process leaves.
        movable: !config.cgroups.systemd,
        outside: false,
    };
    let supervisor = Supervisor::new(launch, role, stages);
    let (served, outcome) = supervisor.serve(init, supervisor::start_deadline());
    transaction.warnings.extend(outcome.warnings);
    served.map_err(|error| {
        // It is gone already, and the cgroup still counts what killed it.
        explain(
            error_messages::init_error(error, &process.args, config),
            group,
        )
    })?;
    log::debug!("init: closing the pipe to signal completion");
    transaction.mark("serve the init process");
    // With their own ids by now.
    transaction
        .rollback
        .host_mounts
        .clone_from(&transaction.state.host_mounts);
    Ok(outcome.console)
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
    let filter = seccomp::compile(config, runtime.seccomp(), &mut Vec::new())?;
    let spec = cgroup::spec(&config.cgroups, config.rootless_cgroups);
    let hierarchy = runtime.system().hierarchy()?;
    let group = Cgroup::intended(hierarchy, &spec)
        .map_err(cgroup::failed("find a place for the container's cgroup"))?;
    plan::init(&InitRequest {
        request: ProcessRequest {
            container_id: id.as_str(),
            config,
            process,
            host: &host_facts(runtime.system(), config)?,
            cgroup: placement::of_preview(&group, config),
            seccomp: filter,
        },
        cgroup_view: &placement::cgroup_view(&group)?,
        late_limits: transaction::are_late(config) || config.intel_rdt.is_some(),
        waits_for_start: true,
    })
}

/// Refuses what cannot work, before anything is made.
pub(super) fn check(config: &Config, process: &Process) -> Result<()> {
    missing_calls::require_what_ends_a_container()?;
    if process.args.is_empty() {
        return Err(Error::config("args must not be empty"));
    }
    process.check_names()?;
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

fn host_facts(system: &System, config: &Config) -> Result<HostFacts> {
    let mut host = system.host_facts()?;
    pretending_filter::refuse(&host)?;
    if config.no_pivot_root {
        host.read_full_proc_mounts(config.rootfs.as_ref())?;
    }
    if !config.hooks.create_container.is_empty() {
        host.read_umask()?;
    }
    Ok(host)
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
