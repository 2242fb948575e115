//! `delete`: removes what a container consists of.

use crate::Status;
use std::time::Duration;

use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::{Flag, Order};
use crate::container::Container;
use crate::error::{Error, ErrorKind, Result};
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
    let container = match runtime.load(&id) {
        Ok(container) => container,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // What an interrupted command may have left. Whether that works does not change the answer.
            if let Err(error) = runtime.remove_stale(&id) {
                invocation.log.warn(&Failure::from(error).message);
            }
            return if force { Ok(0) } else { Err(error.into()) };
        }
        Err(error) => return Err(error.into()),
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
