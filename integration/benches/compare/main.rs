//! Cofferdam beside Debian's crun and runc: the same bundle, the same question, interleaved in one
//! run.
//!
//! `cargo bench -p cofferdam-integration --bench compare -- [--rounds N] [--layout v1|unified]
//! [scenario…]`
//!
//! Needs root, and the release binary (`COFFERDAM_BIN` or the release target folder). Each layout
//! of the cgroup hierarchies is set up in a private mount namespace; a peer that refuses a layout
//! is left out of it, and each table says so. Ratios are medians of the ratios of paired rounds:
//! noise that hits a whole round cancels out.
//!
//! A process that measures nothing supervises the one that measures: when that one ends, however it
//! ends, or when a signal asks for the end, every container, cgroup and folder of the run is
//! removed. What a killed supervisor left is removed by the next run.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark reports on its output"
)]

mod bench;
mod bundle;
mod checkpoint;
mod fixed;
mod layout;
mod life;
mod many;
mod measure;
mod mounts;
mod peer;
mod remove;
mod report;
mod rounds;
mod run;
mod shuffle;
mod stand_in;
mod supervise;
mod sys;
mod target;

use std::path::PathBuf;
use std::process::ExitCode;

use layout::Layout;

/// What this process is for.
enum Role {
    /// Supervises one process a layout.
    Supervise,
    /// Measures in the private mount namespace of the only layout, with everything below this
    /// folder.
    Measure(PathBuf),
    /// Removes what belongs to this folder, in the mount namespace of the only layout.
    Remove(PathBuf),
}

/// What the command line asks for.
struct Request {
    rounds: usize,
    layouts: Vec<Layout>,
    /// Empty: all of them.
    scenarios: Vec<String>,
    role: Role,
}

fn parse(arguments: impl Iterator<Item = String>) -> Result<Request, String> {
    let mut request = Request {
        rounds: 30,
        layouts: vec![Layout::V1, Layout::Unified],
        scenarios: Vec::new(),
        role: Role::Supervise,
    };
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or_else(|| format!("{argument} needs a value"))
        };
        match argument.as_str() {
            "--rounds" => request.rounds = rounds::from_argument(&value()?)?,
            "--layout" => request.layouts = vec![Layout::from_name(&value()?)?],
            "--measure-in" => request.role = Role::Measure(value()?.into()),
            "--remove" => request.role = Role::Remove(value()?.into()),
            // Given by cargo bench to every bench target.
            "--bench" => {}
            other if bench::SCENARIOS.contains(&other) => request.scenarios.push(argument),
            other => {
                let known = bench::SCENARIOS.join(", ");
                return Err(format!(
                    "{other} is neither an option nor one of the scenarios {known}"
                ));
            }
        }
    }
    Ok(request)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments
        .first()
        .is_some_and(|argument| argument == stand_in::ARGUMENT)
    {
        return conclude(stand_in::answer(&arguments));
    }
    let request = match parse(arguments.into_iter()) {
        Ok(request) => request,
        Err(message) => {
            eprintln!("compare: {message}");
            return ExitCode::from(2);
        }
    };
    if !rustix::process::geteuid().is_root() {
        println!("compare: skipped, containers are measured as root");
        return ExitCode::SUCCESS;
    }
    let outcome = match (&request.role, request.layouts.first()) {
        (Role::Measure(folder), Some(layout)) => {
            bench::run_all(*layout, folder, request.rounds, &request.scenarios)
        }
        (Role::Remove(folder), _) => remove::everything(folder),
        _ => supervise::all(&request.layouts, request.rounds, &request.scenarios),
    };
    conclude(outcome)
}

fn conclude(outcome: bench::Outcome<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}
