//! `stats`: what containers have used so far, for programs that collect such numbers.

mod exposition;
mod metrics;

use crate::Status;
use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::{Failure, describe};
use crate::cli::flag::{Completion, Flag, Order};
use crate::cli::output;
use crate::container::Container;
use crate::error::{ErrorKind, Result};
use exposition::Syntax;
use metrics::Subject;

pub(crate) static COMMAND: Command = Command {
    name: "stats",
    about: "show what a container or all containers have used so far, once",
    arguments: "[<container-id>]",
    completions: &[Completion::Container],
    description: "With format json it is the line of events --stats, one for each container that is not stopped. The formats\n\
                  prometheus (text format 0.0.4) and openmetrics (1.0) are for monitoring systems: names begin with\n\
                  cofferdam_container_, the label container is the id, and times and sizes are in seconds and bytes. A limit that\n\
                  there is not has no sample, and so has what the kernel does not count for a container. Of a stopped container\n\
                  there is the status alone.\n\n\
                  For the textfile collector of the Prometheus node exporter:\n\n    \
                  # cofferdam stats --format prometheus >cofferdam.prom.new && mv cofferdam.prom.new cofferdam.prom\n\n\
                  A container that cannot be read is told of on standard error, and counted by cofferdam_unreadable_containers.",
    flags: &[
        Flag::text("format", "one of: json, prometheus or openmetrics")
            .one_of(&["json", "prometheus", "openmetrics"])
            .letter("f")
            .default("json"),
    ],
    count: Count::Between(0, 1),
    order: Order::Any,
    run,
};

fn run(invocation: &Invocation<'_>) -> std::result::Result<u8, Failure> {
    let format = invocation.parsed.string("format");
    let syntax = match format.as_deref().unwrap_or("json") {
        "json" => None,
        "prometheus" => Some(Syntax::Prometheus),
        "openmetrics" => Some(Syntax::OpenMetrics),
        other => {
            return Err(Failure::new(format!(
                "invalid --format value: {other:?} is none of json, prometheus, openmetrics"
            )));
        }
    };
    let (subjects, unreadable) = if invocation.parsed.positional.is_empty() {
        all(invocation)?
    } else {
        let container = super::container(invocation)?;
        let subject = Subject::of(&container)?;
        if syntax.is_none() && subject.status == Status::Stopped {
            return Err(Failure::new(format!(
                "container with id {} is not running",
                container.id()
            )));
        }
        (vec![subject], 0)
    };
    output::write(&match syntax {
        Some(syntax) => metrics::text(&subjects, unreadable, syntax),
        None => lines(&subjects)?,
    })?;
    Ok(0)
}

/// All containers that can be read, and how many cannot.
fn all(invocation: &Invocation<'_>) -> std::result::Result<(Vec<Subject>, u64), Failure> {
    let listed = match super::runtime(invocation)?.list() {
        Ok(listed) => Some(listed),
        // No container was made yet; only a root that was named has to exist.
        Err(error) if error.kind() == ErrorKind::NotFound && !invocation.globals.root_given => None,
        Err(error) => return Err(error.into()),
    };
    let mut subjects = Vec::new();
    let mut unreadable = 0;
    for container in listed.into_iter().flatten() {
        let subject = match &container {
            Ok(container) => Subject::of(container),
            Err(error) => {
                invocation.log.error(&describe(error));
                unreadable += 1;
                continue;
            }
        };
        match subject {
            Ok(subject) => subjects.push(subject),
            // One that disappeared between being found and being looked at was not there.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                invocation.log.error(&describe(&error));
                unreadable += 1;
            }
        }
    }
    Ok((subjects, unreadable))
}

fn lines(subjects: &[Subject]) -> std::result::Result<String, Failure> {
    let mut text = String::new();
    for subject in subjects {
        if let Some(stats) = &subject.stats {
            text.push_str(&super::events::stats_line(&subject.id, stats)?);
        }
    }
    Ok(text)
}

impl Subject {
    fn of(container: &Container) -> Result<Self> {
        let status = container.status()?;
        let stats = if status == Status::Stopped {
            None
        } else {
            match container.stats() {
                // It has ended meanwhile, or is without a cgroup.
                Err(error) if error.kind() == ErrorKind::CgroupNotFound => None,
                stats => Some(stats?),
            }
        };
        Ok(Self {
            id: container.id().to_string(),
            status,
            oom_kills: container
                .cgroup()
                .ok()
                .map(|group| crate::cgroup::oom_kills(&group)),
            stats,
        })
    }
}
