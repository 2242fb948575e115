//! `state`: what is on record of a container.

use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::Order;
use crate::cli::output;
use crate::nsinit::containers;

pub(crate) static COMMAND: Command = Command {
    name: "state",
    about: "show the state of a running container",
    arguments: "",
    completions: &[],
    description: "The state is a JSON object with the process, the paths of cgroups and namespaces, and the whole\n\
                  configuration.",
    flags: &[containers::ID],
    count: Count::Exactly(0),
    order: Order::FlagsFirst,
    run,
};

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let state = containers::alive(invocation)?.state()?;
    output::write(&output::pretty(&state, "\t")?)?;
    Ok(0)
}
