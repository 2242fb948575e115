//! `events`: what happens in a container, one JSON object a line.

use std::time::Duration;

use serde::Serialize;

use crate::Status;
use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::{Failure, describe};
use crate::cli::flag::{Completion, Flag, Order};
use crate::cli::output;
use crate::container::events::Event;
use crate::container::stats::Stats;

pub(crate) static COMMAND: Command = Command {
    name: "events",
    about: "show events of a container: out of memory, and statistics at an interval",
    arguments: "<container-id>",
    completions: &[Completion::Container],
    description: "Every event is a JSON object on a line of its own.",
    flags: &[
        Flag::duration("interval", "time between statistics").default("5s"),
        Flag::switch("stats", "show the statistics once and exit"),
    ],
    count: Count::Exactly(1),
    order: Order::Any,
    run,
};

const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);

/// One line.
#[derive(Debug, Serialize)]
struct Line<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Stats>,
}

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let container = super::container(invocation)?;
    let interval = invocation
        .parsed
        .duration("interval")
        .unwrap_or(DEFAULT_INTERVAL);
    if interval.is_zero() {
        return Err(Failure::new("duration interval must be greater than 0"));
    }
    if container.status()? == Status::Stopped {
        return Err(Failure::new(format!(
            "container with id {} is not running",
            container.id()
        )));
    }
    let id = container.id().as_str();
    let line = |kind, data: Option<&Stats>| output::write(&text(kind, id, data)?);
    if invocation.parsed.switch("stats") {
        line("stats", Some(&container.stats()?))?;
        return Ok(0);
    }
    for event in container.events(Some(interval))? {
        match event? {
            Event::OutOfMemory => line("oom", None)?,
            Event::Stats(Ok(stats)) => line("stats", Some(&stats))?,
            Event::Stats(Err(error)) => invocation.log.error(&describe(&error)),
        }
    }
    Ok(0)
}

fn text(kind: &'static str, id: &str, data: Option<&Stats>) -> Result<String, Failure> {
    Ok(format!("{}\n", output::compact(&Line { kind, id, data })?))
}

/// The line of `events --stats`, with its line feed.
#[cfg(feature = "top")]
pub(super) fn stats_line(id: &str, stats: &Stats) -> Result<String, Failure> {
    text("stats", id, Some(stats))
}
