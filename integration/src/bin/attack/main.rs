//! `./x attack`: disturbs the runtime at each of its system calls.
//!
//! `attack [--layout NAME] [--kind NAME] [--sample N [--seed N]] [--step PROCESS:N:ACTION]
//! [COMMAND]…`

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool of the command line reports on its output"
)]

use std::process::ExitCode;

#[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
mod arguments;
#[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
mod table;

#[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
fn main() -> ExitCode {
    table::main()
}

#[cfg(not(all(target_arch = "x86_64", target_env = "gnu")))]
fn main() -> ExitCode {
    eprintln!(
        "attack: the registers of system calls are only known for x86-64 with the GNU C library"
    );
    ExitCode::FAILURE
}
