//! The commands that look at the container of a directory, or suspend it.

use super::Directory;
use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::Order;
use crate::cli::output;
use crate::nsinit::commands::init;
use crate::nsinit::containers;
use crate::nsinit::era_stats::Stats2014;

const fn command(
    name: &'static str,
    about: &'static str,
    run: fn(&Invocation<'_>) -> Result<u8, Failure>,
) -> Command {
    Command {
        name,
        about,
        arguments: "",
        completions: &[],
        description: "",
        flags: &[],
        count: Count::Exactly(0),
        order: Order::FlagsFirst,
        run,
    }
}

pub(super) static INIT: Command = Command {
    count: Count::AtLeast(0),
    ..command("init", "not needed any more: says so", init::refuse)
};
pub(super) static SPEC: Command = command(
    "spec",
    "show container.json in the form of today, after a title",
    spec,
);
pub(super) static CONFIG: Command =
    command("config", "show container.json in the form of today", config);
pub(super) static STATS: Command = command("stats", "show the statistics of the container", stats);
pub(super) static PAUSE: Command = command(
    "pause",
    "suspend all processes of the container",
    |invocation| {
        containers::pause(&Directory::of(invocation)?.existing(invocation)?)?;
        Ok(0)
    },
);
pub(super) static UNPAUSE: Command = command(
    "unpause",
    "let the processes of the container go on",
    |invocation| {
        containers::unpause(&Directory::of(invocation)?.existing(invocation)?)?;
        Ok(0)
    },
);

fn spec(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    output::write("Spec:\n")?;
    config(invocation)
}

fn config(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    output::write(&Directory::of(invocation)?.definition()?.to_json()?)?;
    Ok(0)
}

fn stats(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let stats = Directory::of(invocation)?.existing(invocation)?.stats()?;
    output::write(&output::pretty(&Stats2014::from(&stats), "\t")?)?;
    Ok(0)
}
