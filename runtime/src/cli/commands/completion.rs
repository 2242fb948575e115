//! `completion`: prints the script that completes command lines in a shell.

use crate::cli::command::{Command, Count, Invocation};
use crate::cli::completion::{self, Shell};
use crate::cli::failure::Failure;
use crate::cli::flag::{Completion, Order};
use crate::cli::output;

pub(crate) static COMMAND: Command = Command {
    name: "completion",
    about: "print the completions of a shell",
    arguments: "bash|zsh|fish",
    completions: &[Completion::OneOf(Shell::NAMES)],
    description: "Prints a script that completes commands, flags, their values, and the ids of the containers below\n\
                  the state root. Packages have it where the shell looks for it; without a package:\n\n    \
                  # cofferdam completion bash >/etc/bash_completion.d/cofferdam\n    \
                  # cofferdam completion zsh >/usr/local/share/zsh/site-functions/_cofferdam\n    \
                  # cofferdam completion fish >/etc/fish/completions/cofferdam.fish",
    flags: &[],
    count: Count::Exactly(1),
    order: Order::Any,
    run,
};

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let typed = invocation.argument(0).unwrap_or_default();
    let shell = Shell::from_name(&typed).ok_or_else(|| {
        let names = Shell::NAMES.join(", ");
        Failure::new(format!(
            "no completions for {typed:?}, which is none of {names}"
        ))
    })?;
    output::write(&completion::script(shell, invocation.vocabulary))?;
    Ok(0)
}
