//! `delete`: removes what a container consists of.

use std::time::Duration;

use crate::Status;
use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::{Flag, Order};
use crate::container::Container;
use crate::error::{Error, ErrorKind, Result};
use crate::id::ContainerId;
use crate::root::Runtime;
use crate::signal::Signal;

pub(crate) static COMMAND: Command = Command {
    name: "delete",
    about: "delete the resources held by a container",
    arguments: "<container-id>",
    description: "For containers that were created, or run with --detach or --keep.",
    flags: &[Flag::switch("force", "kill the container first if it still runs").letter("f")],
    count: Count::Exactly(1),
    order: Order::Any,
    run,
};

/// How long a killed init process may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let force = invocation.parsed.switch("force");
    let runtime = super::runtime(invocation)?;
    let id = invocation.id()?;
    let container = match load(invocation, &runtime, &id) {
        Err(error) if force && error.kind() == ErrorKind::NotFound => return Ok(0),
        container => container?,
    };
    if force {
        return match kill_and_destroy(&container) {
            // Removed meanwhile by whoever ran it.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            result => Ok(result.map(|()| 0)?),
        };
    }
    match container.status()? {
        Status::Stopped => container.destroy()?,
        Status::Created | Status::Creating => kill_and_destroy(&container)?,
        status => {
            return Err(Failure::new(format!(
                "cannot delete container {id} that is not stopped: {status}"
            )));
        }
    }
    Ok(0)
}

/// The container. If there is none, what an interrupted command may have left of it is removed; whether that works does not
/// change the answer.
fn load(invocation: &Invocation<'_>, runtime: &Runtime, id: &ContainerId) -> Result<Container> {
    let absent = match runtime.load(id) {
        Err(error) if error.kind() == ErrorKind::NotFound => error,
        result => return result,
    };
    match runtime.remove_stale(id) {
        // It was just being made.
        Err(error) if error.kind() == ErrorKind::InvalidState => return runtime.load(id),
        Err(error) => invocation.log.warn(&Failure::from(error).message),
        Ok(_) => {}
    }
    Err(absent)
}

fn kill_and_destroy(container: &Container) -> Result<()> {
    // A container that is gone already needs no signal.
    let _ = container.signal(Signal::KILL);
    if !container.wait_timeout(PATIENCE)? {
        return Err(Error::new(
            ErrorKind::StillRunning,
            "container init still running",
        ));
    }
    container.destroy()
}
