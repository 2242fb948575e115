//! Cofferdam beside Debian's crun and runc, any other runtime, and a floor of its own: the same
//! bundle, the same question, interleaved in one run.
//!
//! `cargo bench -p cofferdam-integration --bench compare -- [--rounds N] [--layout v1|unified]
//! [--peer NAME=PATH]… [--json FILE] [scenario…]`, or `-- --plot FILE FOLDER`
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
mod counts;
mod fixed;
mod layout;
mod life;
mod many;
mod measure;
mod mounts;
mod options;
mod peer;
mod profile;
mod record;
mod remove;
mod report;
mod rounds;
mod run;
mod scale;
mod scenarios;
mod shuffle;
mod stand_in;
mod supervise;
mod sys;
mod target;

use std::process::ExitCode;

use options::{Role, parse};

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
    if let Role::Plot(file, folder) = &request.role {
        return conclude(record::plot(file, folder));
    }
    if !rustix::process::geteuid().is_root() {
        println!("compare: skipped, containers are measured as root");
        return ExitCode::SUCCESS;
    }
    let outcome = match (&request.role, request.layouts.first()) {
        (Role::Measure(folder), Some(layout)) => bench::run_all(*layout, folder, &request.options),
        (Role::Remove(folder), _) => remove::everything(folder, &request.options.peers),
        _ => supervise::all(&request.layouts, &request.options),
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
