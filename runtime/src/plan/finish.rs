//! The last steps: from "all is ready" to the execution of the user's program.

use std::ffi::CString;

use configs::config::Rlimit;
use nsenter::plan::{Op, Slot};

use super::environment::Environment;
use super::identity::{Directory, Sets};
use super::namespaces::{SecondStage, start_second_stage};
use super::output::{Gate, Input};
use super::params::ProcessParams;
use super::steps::{Steps, c_string};
use super::{attributes, hooks, identity, lsm, seccomp, terminal};
use crate::{Error, Result};

/// What was opened before and is used up here.
#[derive(Debug)]
pub(super) struct Pending {
    /// The file that takes the SELinux label.
    pub(super) selinux: Option<Slot>,
    /// The file that takes the AppArmor profile, if that is set as late as here.
    pub(super) apparmor: Option<Slot>,
    /// The terminal that is not yet the controlling one.
    pub(super) terminal: Option<Slot>,
}

/// When the filter is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LoadFilter {
    /// Before the capabilities go: without `no_new_privs` loading it takes one.
    Early,
    /// In the second stage, which starts with that one capability.
    InSecondStage,
    /// As late as possible: with `no_new_privs` it takes no capability.
    Last,
}

/// The steps from ready to the end.
pub(super) fn finish(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    environment: Environment,
    second_stage: SecondStage,
    pending: Pending,
) -> Result<()> {
    let name = program(params)?;
    let candidates = environment.candidates(name)?;
    let late = second_stage == SecondStage::Late;
    // An init process that the second clone makes is known to no other process before, so it
    // reports itself that it is ready.
    let ready_late = late && !params.exec;
    if !ready_late {
        steps.push("ready", Op::AskReady);
    } else if !params.resource_limits().is_empty() {
        // While it has the identity of the runtime, which may then lower its limits without a
        // privilege.
        steps.push(
            "set the resource limits",
            Op::AskGate(Gate::ResourceLimits.number()),
        );
    }
    lsm::write_selinux(steps, params, pending.selinux)?;
    let schedules = attributes::schedules_itself(params, second_stage);
    // It counts the first stage, too, so it is set when that has ended.
    let process_limit = params.process_limit().filter(|_| late);
    let steps_left = seccomp::Later {
        terminal: pending.terminal.is_some(),
        limit: process_limit.is_some(),
        schedule: schedules,
    };
    let load = load_filter(params, late, ready_late, &steps_left);
    refuse_pretence(params, load)?;
    identity::drop_groups_if_allowed(steps, params);
    let sets = Sets::asked_for(steps, params);
    identity::drop_what_needs_no_filter(steps, params, &sets)?;
    let mut directory = Directory::Later;
    if load == LoadFilter::Early {
        if params.filter.is_some_and(seccomp::hides_directory) {
            identity::enter_directory(steps, params)?;
            directory = Directory::Entered;
        }
        seccomp::load(steps, params);
    }
    let mut kept = 0;
    if load == LoadFilter::InSecondStage {
        kept |= identity::SYS_ADMIN;
    }
    if schedules {
        kept |= identity::SYS_NICE;
    }
    let rest = identity::assume(steps, params, sets, kept, directory)?;
    lsm::write_apparmor(steps, params, pending.apparmor)?;
    steps.push(format!("exec: {name:?}"), Op::Lookup(candidates));
    if late {
        enter_second_stage(steps, pending.terminal, process_limit);
        if ready_late {
            steps.push("ready", Op::AskReady);
        }
    }
    if schedules {
        attributes::schedule(steps, params)?;
    }
    // The stub itself dies with the runtime until it is ready; afterwards only if that was asked
    // for.
    death_signal(steps, params)?;
    if load != LoadFilter::Early {
        seccomp::load(steps, params);
    }
    if let Some(rest) = rest {
        rest.apply(steps);
    }
    if identity_is_in_doubt(params, load) {
        steps.push("verify the identity", Op::AskGate(Gate::Identity.number()));
    }
    // The filter of the container comes after them.
    if params.host.filtered {
        steps.push(
            "verify namespaces and mounts",
            Op::AskGate(Gate::Isolation.number()),
        );
    }
    execute(steps, params, name, environment)
}

/// A filter that is loaded before the identity is complete must not say that it is.
fn refuse_pretence(params: &ProcessParams<'_>, load: LoadFilter) -> Result<()> {
    let ids = (params.process.uid, params.process.gid);
    let pretended = params
        .filter
        .filter(|_| load != LoadFilter::Last)
        .and_then(|filter| seccomp::pretended(filter, ids));
    match pretended {
        Some(call) => Err(Error::config(format!(
            "linux.seccomp answers {call} with success without calling the kernel: that needs process.noNewPrivileges"
        ))),
        None => Ok(()),
    }
}

/// Whether a filter may have answered for the kernel when the process changed its identity: one
/// that this process has from its caller, or its own, loaded before that.
fn identity_is_in_doubt(params: &ProcessParams<'_>, load: LoadFilter) -> bool {
    params.host.filtered
        || load != LoadFilter::Last && params.filter.is_some_and(seccomp::may_pretend)
}

/// The name of the program.
fn program<'a>(params: &ProcessParams<'a>) -> Result<&'a str> {
    params
        .process
        .args
        .first()
        .map(String::as_str)
        .ok_or_else(|| Error::config("args must not be empty"))
}

/// A filter that would not let the second stage start, would be loaded before that is ready, or
/// whose agent learns which process it is for, is left to the second stage.
fn load_filter(
    params: &ProcessParams<'_>,
    late: bool,
    ready_late: bool,
    steps_left: &seccomp::Later,
) -> LoadFilter {
    if params.no_new_privileges() {
        return LoadFilter::Last;
    }
    let left_to_second_stage = params.filter.is_some_and(|filter| {
        ready_late || filter.listener || !seccomp::lets_second_stage_start(filter, steps_left)
    });
    if late && left_to_second_stage {
        LoadFilter::InSecondStage
    } else {
        LoadFilter::Early
    }
}

/// The second stage, and what only the process that becomes the program can do.
fn enter_second_stage(steps: &mut Steps, tty: Option<Slot>, process_limit: Option<Rlimit>) {
    start_second_stage(steps);
    steps.push("start a session", Op::NewSession);
    terminal::control(steps, tty);
    if let Some(limit) = process_limit {
        steps.push(
            "set the limit on the number of processes",
            Op::ResourceLimit {
                resource: limit.kind.to_int(),
                soft: limit.soft,
                hard: limit.hard,
            },
        );
    }
}

/// From the end of the control channel to the execution of the program.
fn execute(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    name: &str,
    environment: Environment,
) -> Result<()> {
    joinable(steps, params);
    steps.push("close the control channel", Op::CloseControl);
    if params.waits_for_start {
        let fifo = steps.input(Input::ExecFifo);
        // It stays open until the program is executed, which is seen from outside by that.
        steps.push("wait for start", Op::WaitStart(fifo));
    }
    if !params.exec {
        hooks::late(steps, params)?;
    }
    let process = params.process;
    let args = process
        .args
        .iter()
        .map(|arg| c_string("process.args", arg.as_str()))
        .collect::<Result<Vec<CString>>>()?;
    steps.passed_descriptors(process.passed.len())?;
    steps.push(
        format!("exec {name}"),
        Op::Exec {
            args,
            env: environment.entries,
        },
    );
    Ok(())
}

/// Processes are added to a container through its init process, also before that runs the program.
/// Joining its namespaces takes the right to look into it, which an ordinary user has if it is
/// dumpable. It has nothing any more that the program will not have. A filter that forbids it costs
/// no more than that right.
fn joinable(steps: &mut Steps, params: &ProcessParams<'_>) {
    if !params.exec && params.host.effective_uid != 0 {
        steps.push_tolerating(
            "let the user join the container",
            Op::Dumpable(true),
            &[libc::EPERM, libc::EACCES, libc::ENOSYS],
        );
    }
}

/// The signal asked for, in the last process and after its last change of credentials.
fn death_signal(steps: &mut Steps, params: &ProcessParams<'_>) -> Result<()> {
    let asked_for = if params.exec {
        params.process.parent_death_signal
    } else {
        params.config.parent_death_signal
    };
    if asked_for == 0 {
        return Ok(());
    }
    let signal = u32::try_from(asked_for)
        .ok()
        .filter(|signal| *signal <= 64)
        .ok_or_else(|| Error::config(format!("parent_death_signal {asked_for} is no signal")))?;
    steps.push("restore the parent death signal", Op::DeathSignal(signal));
    Ok(())
}
