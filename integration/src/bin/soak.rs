//! `./x soak`: thousands of containers in one process, and what there is before and after.
//!
//! `soak [--threads N] [--hierarchies own|unified] [LIVES]`; without LIVES it is 5000.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool of the command line reports on its output"
)]

use std::process::ExitCode;
use std::thread;

use cofferdam_integration::cgroup;
use cofferdam_integration::soak::{Hierarchies, Options, Outcome, remove_abandoned, soak};

const USAGE: &str = "\
usage: ./x soak [OPTION]… [LIVES]
  --threads N                  so many threads (4)
  --hierarchies own|unified    how cgroups are mounted; without it both, one after the other
LIVES by the library in one process, and as many by the command line; 5000 without a number.
It fails if something has grown.";

struct Arguments {
    lives: usize,
    threads: usize,
    hierarchies: Vec<Hierarchies>,
}

fn read(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let number = |text: &str| -> Result<usize, String> {
        let number = text.parse().ok().filter(|number| *number > 0);
        number.ok_or_else(|| format!("not a number of at least 1: {text}"))
    };
    let mut found = Arguments {
        lives: 5000,
        threads: 4,
        hierarchies: Vec::new(),
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or("a value is missing");
        match word.as_str() {
            "--threads" => found.threads = number(&value()?)?,
            "--hierarchies" => found.hierarchies.push(match value()?.as_str() {
                "own" => Hierarchies::Own,
                "unified" => Hierarchies::Unified,
                other => return Err(format!("{other} is not one of own, unified")),
            }),
            lives => found.lives = number(lives)?,
        }
    }
    if found.hierarchies.is_empty() {
        found.hierarchies.push(Hierarchies::Own);
        if cgroup::v2_mount().is_some() && !cgroup::is_unified() {
            found.hierarchies.push(Hierarchies::Unified);
        }
    }
    Ok(found)
}

/// Prints the table; whether nothing has grown.
fn report(hierarchies: Hierarchies, outcome: &Outcome) -> bool {
    let seconds = outcome.elapsed.as_secs_f64();
    println!(
        "{hierarchies:?}: {} lives in {seconds:.1} s, {:.0} a second",
        outcome.lives,
        outcome.lives as f64 / seconds
    );
    print!("{}", outcome.table);
    let faults = outcome.table.faults();
    for fault in &faults {
        println!("grown: {fault}");
    }
    faults.is_empty()
}

fn main() -> ExitCode {
    if std::env::args().any(|word| word == "--help") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let arguments = match read(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("soak: {message}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = remove_abandoned() {
        eprintln!("soak: remove what an earlier one has left: {error}");
        return ExitCode::FAILURE;
    }
    let mut good = true;
    for hierarchies in arguments.hierarchies {
        let options = Options {
            library: arguments.lives,
            commands: arguments.lives,
            threads: arguments.threads,
            hierarchies,
        };
        // In a thread of its own, which does not get its namespaces back.
        let result = thread::spawn(move || soak(options)).join();
        good &= match result {
            Ok(Ok(outcome)) => report(hierarchies, &outcome),
            Ok(Err(error)) => {
                eprintln!("soak: {hierarchies:?}: {error}");
                false
            }
            Err(_) => false,
        };
    }
    ExitCode::from(u8::from(!good))
}
