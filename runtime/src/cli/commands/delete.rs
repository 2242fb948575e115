//! `delete`: removes what a container consists of.

use std::mem::ManuallyDrop;

use crate::Status;
use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::{Completion, Flag, Order};
use crate::container::Container;
use crate::error::{ErrorKind, Result};
use crate::id::ContainerId;
use crate::runtime::Runtime;

pub(crate) static COMMAND: Command = Command {
    name: "delete",
    about: "delete the resources held by a container",
    arguments: "<container-id>",
    completions: &[Completion::Container],
    description: "For containers that were created, or run with --detach or --keep.",
    flags: &[Flag::switch("force", "kill the container first if it still runs").letter("f")],
    count: Count::Exactly(1),
    order: Order::Any,
    run,
};

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let force = invocation.parsed.switch("force");
    let runtime = super::runtime(invocation)?;
    let id = invocation.id()?;
    if force {
        // One that is not there, or that another process removes meanwhile, is gone: that is what
        // was asked for.
        runtime.force_delete(&id)?;
        return Ok(0);
    }
    let container = ManuallyDrop::new(load(invocation, &runtime, &id)?);
    match container.status()? {
        // Whether it still is that, is looked at again under its lock.
        Status::Stopped | Status::Created | Status::Creating => container.destroy()?,
        status => {
            return Err(Failure::new(format!(
                "cannot delete container {id} that is not stopped: {status}"
            )));
        }
    }
    Ok(0)
}

/// The container. If it does not exist, what an interrupted command may have left of it is removed;
/// whether that works does not change the answer.
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
