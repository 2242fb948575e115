//! `oom`: says when a container runs out of memory.

use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::Order;
use crate::container::events::Event;
use crate::nsinit::containers;

pub(crate) static COMMAND: Command = Command {
    name: "oom",
    about: "log a line whenever a container runs out of memory",
    arguments: "",
    completions: &[],
    description: "Ends with the container.",
    flags: &[containers::ID],
    count: Count::Exactly(0),
    order: Order::FlagsFirst,
    run,
};

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    for event in containers::alive(invocation)?.events(None)? {
        if matches!(event?, Event::OutOfMemory) {
            invocation.log.info("OOM notification received");
        }
    }
    Ok(0)
}
