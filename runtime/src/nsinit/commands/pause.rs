//! `pause` and `unpause`: freezes and thaws a container.

use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::Order;
use crate::nsinit::containers;

pub(crate) static PAUSE: Command = Command {
    name: "pause",
    about: "suspend all processes of a container",
    arguments: "",
    completions: &[],
    description: "",
    flags: &[containers::ID],
    count: Count::Exactly(0),
    order: Order::FlagsFirst,
    run: pause,
};

pub(crate) static UNPAUSE: Command = Command {
    name: "unpause",
    about: "let the processes of a container go on",
    arguments: "",
    completions: &[],
    description: "",
    flags: &[containers::ID],
    count: Count::Exactly(0),
    order: Order::FlagsFirst,
    run: unpause,
};

fn pause(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    containers::pause(&containers::named(invocation)?)?;
    Ok(0)
}

fn unpause(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    containers::unpause(&containers::named(invocation)?)?;
    Ok(0)
}
