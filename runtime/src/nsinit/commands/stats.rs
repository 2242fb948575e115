//! `stats`: what a container has used.

use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::Order;
use crate::cli::output;
use crate::nsinit::containers;
use crate::nsinit::era_stats::Stats2015;

pub(crate) static COMMAND: Command = Command {
    name: "stats",
    about: "show the statistics of a container",
    arguments: "",
    completions: &[],
    description: "They are a JSON object with the counters of network interfaces and of cgroups.",
    flags: &[containers::ID],
    count: Count::Exactly(0),
    order: Order::FlagsFirst,
    run,
};

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let stats = containers::named(invocation)?.stats()?;
    output::write(&output::pretty(&Stats2015::from(&stats), "\t")?)?;
    Ok(0)
}
