//! A process of a container, from its start to its end.

use std::mem::ManuallyDrop;
use std::time::{Duration, Instant};

use configs::Config;

use super::cgroup_parents::{CgroupParents, exclusive};
use super::checkpoint_mark;
use super::containers::Found;
use super::id_lock::IdLock;
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

/// How long programs that do not take the [`IdLock`] may be faster.
const MEETING: Duration = Duration::from_secs(10);

/// A process that runs, to be waited for.
#[derive(Debug)]
pub(crate) struct Attended {
    process: Attendee,
    /// Signals are collected until this process ends.
    foreground: ManuallyDrop<Foreground>,
}

#[derive(Debug)]
enum Attendee {
    /// The first one of a container, which ends with it.
    First(Box<Container>),
    /// Another one.
    Joined(Child),
}

/// Makes a container, or joins it: repeats `attempt` until it has a result, which it has not when
/// another program made or removed a container of the same id at the same time. Only one command
/// does this at a time for one id.
///
/// # Errors
/// No attempt of ten seconds has a result.
pub(crate) fn begin(
    runtime: &Runtime,
    id: &ContainerId,
    mut attempt: impl FnMut() -> Result<Option<Attended>, Failure>,
) -> Result<Attended, Failure> {
    let _lock = IdLock::take(runtime, id)?;
    let deadline = Instant::now() + MEETING;
    loop {
        if let Some(attended) = attempt()? {
            return Ok(attended);
        }
        if Instant::now() >= deadline {
            return Err(Failure::new(format!(
                "container {id} is made and removed by other programs all the time"
            )));
        }
    }
}

/// Makes a container of a configuration. Returns `None` if another program has made a container of
/// this id meanwhile.
pub(crate) fn create(
    invocation: &Invocation<'_>,
    runtime: &Runtime,
    id: &ContainerId,
    (mut config, terms, mut process): (Config, Terms, Process),
    terminal: bool,
) -> Result<Option<Attended>, Failure> {
    connect(invocation, &mut process, terminal)?;
    let mut taken = false;
    let parents = CgroupParents::to_be_made(runtime, &mut config)?;
    let made = first_process(invocation, &terms, &parents, || {
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

/// Lets `make` make a container whose first process runs.
pub(crate) fn first_process(
    invocation: &Invocation<'_>,
    terms: &Terms,
    parents: &CgroupParents,
    make: impl FnOnce() -> Result<Container, Error>,
) -> Result<Attended, Failure> {
    let foreground = ManuallyDrop::new(Foreground::prepare(false)?);
    let container = make().map_err(|error| {
        parents.remove();
        terms.translate(error.into())
    })?;
    for warning in container.warnings() {
        invocation.log.warn(warning);
    }
    Ok(Attended {
        process: Attendee::First(Box::new(container)),
        foreground,
    })
}

impl Attended {
    /// The container, if the process is its first one.
    pub(crate) fn container(&self) -> Option<&Container> {
        match &self.process {
            Attendee::First(container) => Some(container),
            Attendee::Joined(_) => None,
        }
    }

    /// Waits for the end of the process. A container whose first process it is is removed then,
    /// unless that ended because it was checkpointed.
    ///
    /// `ended` is called then, before another command can make a container of this id; not for a
    /// process that joined.
    pub(crate) fn wait(
        mut self,
        invocation: &Invocation<'_>,
        ended: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<ExitStatus, Failure> {
        let waited = match &mut self.process {
            Attendee::First(container) => match container.init_mut() {
                Some(init) => self.foreground.wait(init),
                None => container.wait(),
            },
            Attendee::Joined(child) => self.foreground.wait(child),
        };
        let container = match &self.process {
            Attendee::First(container) => container,
            Attendee::Joined(child) => {
                let waited = waited.inspect_err(|_| {
                    let _ = child.signal(Signal::KILL);
                });
                invocation.warn_of(self.foreground.warnings());
                return Ok(waited?);
            }
        };
        if waited.is_err() {
            // A program whose streams are not carried any more is of no use.
            end(container);
        }
        invocation.warn_of(self.foreground.warnings());
        let runtime = container.runtime();
        // It stays on record without: the next command that makes one removes it.
        let _lock = match IdLock::take(runtime, container.id()) {
            Ok(lock) => lock,
            Err(error) => {
                invocation.log.warn(&describe(&error));
                return Ok(waited?);
            }
        };
        if !checkpoint_mark::is_there(container)
            && let Err(error) = remove(container)
        {
            invocation.log.warn(&describe(&error));
        }
        let ended = ended();
        let status = waited?;
        ended.map(|()| status)
    }
}

/// Kills and removes a container that nobody is going to wait for.
pub(crate) fn end(container: &Container) {
    let _exclusive = exclusive(container.runtime());
    let parents = CgroupParents::of(container);
    abandon(container);
    parents.remove();
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

/// Runs another process in a container. Returns `None` if the container ended before the process
/// was in it.
pub(crate) fn join(
    invocation: &Invocation<'_>,
    found: &Found,
    mut process: Process,
    terminal: bool,
) -> Result<Option<Attended>, Failure> {
    if found.status == Status::Paused {
        return Err(Failure::new(
            "cannot exec in a paused container: unpause it first",
        ));
    }
    if process.parent_death_signal == 0 {
        process.parent_death_signal = found.config.parent_death_signal;
    }
    connect(invocation, &mut process, terminal)?;
    let foreground = ManuallyDrop::new(Foreground::prepare(false)?);
    let terms = Terms::of(&Config::default(), Origin::Flags);
    let child = match found.container.exec(process) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotRunning) => {
            return Ok(None);
        }
        joined => joined.map_err(|error| terms.translate(error.into()))?,
    };
    for warning in child.warnings() {
        invocation.log.warn(warning);
    }
    Ok(Some(Attended {
        process: Attendee::Joined(child),
        foreground,
    }))
}

/// Connects a process with the streams of this one: by its own terminal, or by pipes.
pub(crate) fn connect(
    invocation: &Invocation<'_>,
    process: &mut Process,
    terminal: bool,
) -> Result<(), Failure> {
    flags::connect(invocation, process, terminal, Presence::Foreground, 0)
}
