//! `pause`: freezes all processes of a container.

use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::{Completion, Order};

pub(crate) static COMMAND: Command = Command {
    name: "pause",
    about: "suspend all processes inside a container",
    arguments: "<container-id>",
    completions: &[Completion::Container],
    description: "Use the list command to see containers and their status.",
    flags: &[],
    count: Count::Exactly(1),
    order: Order::Any,
    run,
};

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let container = super::container(invocation)?;
    warn_without_cgroup_access(invocation, "pause", container.pause())?;
    Ok(0)
}

/// Adds to a refusal what usually is the reason for it when the caller is not root.
pub(crate) fn warn_without_cgroup_access<T>(
    invocation: &Invocation<'_>,
    command: &str,
    result: crate::error::Result<T>,
) -> Result<T, Failure> {
    result.map_err(|error| {
        if error.raw_os_error() == Some(libc::EPERM) {
            let program = invocation.program;
            invocation.log.warn(&format!(
                "{program} {command} failure might be caused by lack of full access to cgroups"
            ));
        }
        error.into()
    })
}
