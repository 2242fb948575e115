//! `audit`: what a bundle or a running container is allowed.

mod json;
mod text;

use std::path::Path;

use crate::audit::{self, Report, Severity};
use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::{Completion, Flag, Order};
use crate::cli::output;

/// The exit code if there is a finding as severe as `--fail-on` says: another than that of a
/// command that failed.
const FOUND: u8 = 2;

pub(crate) static COMMAND: Command = Command {
    name: "audit",
    about: "tell what a bundle or a running container is allowed",
    arguments: "<bundle>|<container-id>",
    completions: &[Completion::ContainerOrDirectory],
    description: "An argument with a slash in it, and . and .., is the directory of a bundle; any other is the id of a\n\
                  container, which has to run. Bundles are only read. Containers are looked at from outside: their\n\
                  namespaces, credentials, mounts and limits, as the kernel has them now.\n\n\
                  A finding names the field of config.json that decides, what it allows, and what to put there; the sources are\n\
                  the CIS Docker Benchmark 1.6.0 and the Kubernetes Pod Security Standards. High is a way to the host that needs no\n\
                  fault elsewhere, medium helps an attacker much, low is a line of defence less, info is worth knowing.\n\n\
                  The exit code is 0 whatever is found. With --fail-on it is 2 if there is a finding of that severity or a worse\n\
                  one. It is 1 if the audit cannot be made.",
    flags: &[
        Flag::text("format", "one of: text, json or sarif (SARIF 2.1.0)").one_of(&["text", "json", "sarif"])
            .letter("f")
            .default("text"),
        Flag::text(
            "fail-on",
            "exit with 2 if there is a finding of this severity or worse: high, medium, low or info",
        ).one_of(&["high", "medium", "low", "info"]),
    ],
    count: Count::Exactly(1),
    order: Order::Any,
    run,
};

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let threshold = match invocation.parsed.string("fail-on") {
        None => None,
        Some(name) => Some(Severity::from_name(&name).ok_or_else(|| {
            Failure::new(format!(
                "invalid --fail-on value: {name:?} is none of high, medium, low, info"
            ))
        })?),
    };
    let format = invocation.parsed.string("format");
    let format = format.as_deref().unwrap_or("text");
    if !matches!(format, "text" | "json" | "sarif") {
        return Err(Failure::new(format!(
            "invalid --format value: {format:?} is none of text, json, sarif"
        )));
    }
    let (subject, report) = examine(invocation)?;
    let text = match format {
        "json" => json::report(&subject, &report),
        "sarif" => json::sarif(&report),
        _ => text::report(&subject, &report),
    };
    output::write(&text)?;
    let found = threshold.is_some_and(|threshold| report.worst() >= Some(threshold));
    Ok(if found { FOUND } else { 0 })
}

/// What is named by the argument, and the report about it.
fn examine(invocation: &Invocation<'_>) -> Result<(String, Report), Failure> {
    let argument = invocation.argument(0).unwrap_or_default();
    if argument.contains('/') || matches!(argument.as_str(), "." | "..") {
        let directory = invocation.parsed.positional.first();
        let spec = crate::bundle::read(Path::new(directory.unwrap_or(&argument.clone().into())))?;
        return Ok((argument, audit::of_config(&spec)?));
    }
    let container = super::container(invocation)?;
    Ok((argument, audit::of_container(&container)?))
}
