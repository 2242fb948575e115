//! A process of a container, from its start to its end.

use std::mem::ManuallyDrop;
use std::time::{Duration, Instant};

use configs::Config;

use super::cgroup_parents::{CgroupParents, exclusive};
use super::checkpoint_mark;
use super::containers::Found;
use super::terms::{Origin, Terms};
use crate::Status;
use crate::cli::command::Invocation;
use crate::cli::commands::abandon;
use crate::cli::failure::{Failure, describe};
use crate::cli::process_flags::{self as flags, Presence};
use crate::container::Container;
use crate::error::{Error, ErrorKind};
use crate::id::ContainerId;
use crate::process::Process;
use crate::process::child::Child;
use crate::process::exit_status::ExitStatus;
use crate::process::foreground::Foreground;
use crate::process::signal::Signal;
use crate::runtime::Runtime;

/// How long other processes may be faster.
const MEETING: Duration = Duration::from_secs(10);

/// Makes a container of a configuration, waits for the end of its first process, and removes it.
/// Returns `None` if another process has made a container of this id meanwhile.
///
/// `running` is called when the process runs, and not if that fails.
pub(crate) fn create(
    invocation: &Invocation<'_>,
    runtime: &Runtime,
    id: &ContainerId,
    (mut config, terms, mut process): (Config, Terms, Process),
    terminal: bool,
    running: impl FnOnce(&Container) -> Result<(), Failure>,
) -> Result<Option<ExitStatus>, Failure> {
    connect(invocation, &mut process, terminal)?;
    let mut taken = false;
    let parents = CgroupParents::to_be_made(runtime, &mut config)?;
    let made = first_process(invocation, &terms, &parents, running, || {
        let made = runtime.run(id, config, process);
        made.inspect_err(|error| {
            // A directory that is not locked yet looks like what a killed process has left: the
            // other one may have removed it, too.
            taken = matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound);
        })
    });
    if taken {
        return Ok(None);
    }
    made.map(Some)
}

/// Does something until it has a result, which it has not when another process made or removed a
/// container of the same id at the same time: then there is another one to join or to make.
///
/// # Errors
/// No attempt of ten seconds has a result: containers of this id come and go.
pub(crate) fn until_done<T>(
    id: &ContainerId,
    mut attempt: impl FnMut() -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    let deadline = Instant::now() + MEETING;
    loop {
        if let Some(done) = attempt()? {
            return Ok(done);
        }
        if Instant::now() >= deadline {
            return Err(Failure::new(format!(
                "container {id} is made and removed by other processes all the time"
            )));
        }
    }
}

/// Lets `make` make a container, waits for the end of its first process, and removes it, unless it
/// ended because it was checkpointed.
pub(crate) fn first_process(
    invocation: &Invocation<'_>,
    terms: &Terms,
    parents: &CgroupParents,
    running: impl FnOnce(&Container) -> Result<(), Failure>,
    make: impl FnOnce() -> Result<Container, Error>,
) -> Result<ExitStatus, Failure> {
    // Signals are collected from here on until this process ends.
    let mut foreground = ManuallyDrop::new(Foreground::prepare(false)?);
    let mut container = make().map_err(|error| {
        parents.remove();
        terms.translate(error.into())
    })?;
    for warning in container.warnings() {
        invocation.log.warn(warning);
    }
    running(&container).inspect_err(|_| {
        let _exclusive = exclusive(container.runtime());
        abandon(&container);
        parents.remove();
    })?;
    let waited = match container.init_mut() {
        Some(init) => foreground.wait(init),
        None => container.wait(),
    };
    // A program whose streams are not carried any more is of no use.
    let status = waited.inspect_err(|_| abandon(&container))?;
    invocation.warn_of(foreground.warnings());
    if checkpoint_mark::is_there(&container) {
        return Ok(status);
    }
    if let Err(error) = remove(&container) {
        invocation.log.warn(&describe(&error));
    }
    Ok(status)
}

/// Removes a container whose processes have ended, and the cgroups that were made for it. Another
/// process may have done it already.
pub(crate) fn remove(container: &Container) -> Result<(), Error> {
    let _exclusive = exclusive(container.runtime());
    let parents = CgroupParents::of(container);
    match container.destroy() {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        destroyed => {
            destroyed?;
            parents.remove();
        }
    }
    Ok(())
}

/// Runs another process in a container and waits for its end. Returns `None` if the container ended
/// before the process was in it.
pub(crate) fn join(
    invocation: &Invocation<'_>,
    found: &Found,
    mut process: Process,
    terminal: bool,
) -> Result<Option<ExitStatus>, Failure> {
    if found.status == Status::Paused {
        return Err(Failure::new(
            "cannot exec in a paused container: unpause it first",
        ));
    }
    if process.parent_death_signal == 0 {
        process.parent_death_signal = found.config.parent_death_signal;
    }
    connect(invocation, &mut process, terminal)?;
    let mut foreground = ManuallyDrop::new(Foreground::prepare(false)?);
    let terms = Terms::of(&Config::default(), Origin::Flags);
    let mut child: Child = match found.container.exec(process) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotRunning) => {
            return Ok(None);
        }
        joined => joined.map_err(|error| terms.translate(error.into()))?,
    };
    for warning in child.warnings() {
        invocation.log.warn(warning);
    }
    let waited = foreground.wait(&mut child).inspect_err(|_| {
        let _ = child.signal(Signal::KILL);
    });
    invocation.warn_of(foreground.warnings());
    Ok(Some(waited?))
}

/// Connects a process with the streams of this one: by its own terminal, or by pipes.
pub(crate) fn connect(
    invocation: &Invocation<'_>,
    process: &mut Process,
    terminal: bool,
) -> Result<(), Failure> {
    flags::connect(invocation, process, terminal, Presence::Foreground, 0)
}
