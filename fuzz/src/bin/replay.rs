//! Gives inputs to a fuzz target, without an engine: what `./x fuzz --coverage` measures.
//!
//! `replay --list` prints the targets, each with its parsers; `replay TARGET FOLDER...` looks at
//! every file of the folders.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the output of this program"
)]

use std::path::Path;
use std::process::ExitCode;

use cofferdam_fuzz::{TARGETS, Target};

fn replay(target: &Target, folder: &Path) -> std::io::Result<usize> {
    let mut count = 0;
    for entry in std::fs::read_dir(folder)? {
        let input = std::fs::read(entry?.path())?;
        // What is found is reported by `./x fuzz` and the tests; here the rest is to be measured.
        let _ = std::panic::catch_unwind(|| target.run(&input));
        count += 1;
    }
    Ok(count)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (target, folders) = match arguments.split_first() {
        Some((first, [])) if first == "--list" => {
            for target in TARGETS {
                println!("{} {}", target.name, target.parsers.join(" "));
            }
            return ExitCode::SUCCESS;
        }
        Some((name, folders)) => (TARGETS.iter().find(|one| one.name == *name), folders),
        None => (None, &[][..]),
    };
    let Some(target) = target else {
        eprintln!("usage: replay --list | replay TARGET FOLDER...");
        return ExitCode::FAILURE;
    };
    for folder in folders {
        match replay(target, Path::new(folder)) {
            Ok(count) => println!("{folder}: {count}"),
            Err(error) => {
                eprintln!("{folder}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
