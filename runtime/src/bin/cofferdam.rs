//! The command line `cofferdam`: the commands, flags and outputs of runc.

use std::process::ExitCode;

fn main() -> ExitCode {
    cofferdam::cli::run(std::env::args_os())
}
