//! Cofferdam beside Debian's crun and runc: the same bundle, the same question, interleaved in one run.
//!
//! `cargo bench -p cofferdam-integration --bench compare -- [--rounds N] [--layout v1|unified] [scenario…]`
//!
//! Needs root, and the release binary (`COFFERDAM_BIN` or the release target folder). Each layout of the cgroup
//! hierarchies is set up in a private mount namespace; a peer that refuses a layout is left out of it, and the report
//! says so. Ratios are medians of the ratios of paired rounds: noise that hits a whole round cancels out.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a benchmark reports on its output, and its tables have the shape it gave them"
)]

mod bundle;
mod layout;
mod measure;
mod peer;
mod report;
mod scenarios;
mod shuffle;
mod sys;

use std::process::ExitCode;

use layout::Layout;

/// What the command line asks for.
struct Request {
    rounds: usize,
    layouts: Vec<Layout>,
    /// Empty: all of them.
    scenarios: Vec<String>,
    /// Set when this process already lives in the private mount namespace of the only layout in `layouts`.
    inside: bool,
}

fn parse(arguments: impl Iterator<Item = String>) -> Result<Request, String> {
    let mut request = Request {
        rounds: 30,
        layouts: vec![Layout::V1, Layout::Unified],
        scenarios: Vec::new(),
        inside: false,
    };
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--rounds" => {
                let text = arguments.next().ok_or("--rounds needs a number")?;
                request.rounds = text
                    .parse()
                    .map_err(|error| format!("--rounds {text}: {error}"))?;
            }
            "--layout" => {
                let text = arguments.next().ok_or("--layout needs a name")?;
                request.layouts = vec![Layout::from_name(&text)?];
            }
            "--inside" => request.inside = true,
            // Given by cargo bench to every bench target.
            "--bench" => {}
            other if other.starts_with('-') => return Err(format!("unknown option {other}")),
            other => request.scenarios.push(other.to_owned()),
        }
    }
    Ok(request)
}

fn main() -> ExitCode {
    let request = match parse(std::env::args().skip(1)) {
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
    let outcome = if request.inside {
        scenarios::run_all(request.layouts[0], request.rounds, &request.scenarios)
    } else {
        request
            .layouts
            .iter()
            .try_for_each(|layout| layout.enter(request.rounds, &request.scenarios))
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}
