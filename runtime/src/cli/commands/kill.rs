//! `kill`: sends a signal to a container.

use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::{Completion, Flag, Order};
use crate::error::ErrorKind;
use crate::process::signal::Signal;

/// The signals that are offered to complete a line; `kill` takes all of signal(7).
const SIGNALS: &[&str] = &[
    "ABRT", "ALRM", "CONT", "HUP", "INT", "KILL", "QUIT", "STOP", "TERM", "TSTP", "USR1", "USR2",
    "WINCH",
];

pub(crate) static COMMAND: Command = Command {
    name: "kill",
    about: "send a signal (default: SIGTERM) to a container's init process",
    arguments: "<container-id> [signal]",
    completions: &[Completion::Container, Completion::OneOf(SIGNALS)],
    description: "The signal is a number or a name, with or without SIG: KILL, SIGKILL and 9 are the same. SIGKILL to a\n\
                  container without a pid namespace of its own kills all its processes.",
    // Since SIGKILL reaches all processes by itself, --all only makes a container that is gone no
    // failure.
    flags: &[
        Flag::switch("all", "succeed also if the container is not running")
            .letter("a")
            .hidden(),
    ],
    count: Count::Between(1, 2),
    order: Order::Any,
    run,
};

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let container = super::container(invocation)?;
    let signal = match invocation.argument(1) {
        Some(text) => text.parse()?,
        None => Signal::TERM,
    };
    match container.signal(signal) {
        Err(error) if error.kind() == ErrorKind::NotRunning && invocation.parsed.switch("all") => {
            Ok(0)
        }
        result => Ok(result.map(|()| 0)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_that_are_offered_are_taken() {
        for name in SIGNALS {
            assert!(name.parse::<Signal>().is_ok(), "{name}");
        }
    }
}
