//! `init`: was how that tool called itself inside a container.

use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::Order;

pub(crate) static COMMAND: Command = Command {
    name: "init",
    about: "not needed any more: says so",
    arguments: "",
    completions: &[],
    description: "That tool called itself with this command to prepare a container from inside. Here a program of\n\
                  its own does that, which needs no entry in this one.",
    flags: &[],
    count: Count::AtLeast(0),
    order: Order::FlagsFirst,
    run: refuse,
};

/// Says that there is nothing to be called.
pub(crate) fn refuse(_: &Invocation<'_>) -> Result<u8, Failure> {
    Err(Failure::new(
        "init: no init entry is needed any more: exec prepares a container by itself",
    ))
}
