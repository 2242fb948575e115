//! `resume`: thaws all processes of a container.

use super::pause::warn_without_cgroup_access;
use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::{Completion, Order};

pub(crate) static COMMAND: Command = Command {
    name: "resume",
    about: "resume all processes that were paused",
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
    warn_without_cgroup_access(invocation, "resume", container.resume())?;
    Ok(0)
}
