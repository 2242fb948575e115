//! `start`: lets a created container run its program.

use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::{Completion, Order};
use crate::cli::process_flags;
use crate::process::notify_socket::NotifySocket;

pub(crate) static COMMAND: Command = Command {
    name: "start",
    about: "run the user's program in a created container",
    arguments: "<container-id>",
    completions: &[Completion::Container],
    description: "The program is the one of the process object in the bundle's config.json.",
    flags: &[],
    count: Count::Exactly(1),
    order: Order::Any,
    run,
};

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let container = super::container(invocation)?;
    let notify = match process_flags::notify_socket() {
        Some(host) => NotifySocket::bind(&container, &host)?,
        None => None,
    };
    container.start()?;
    if let Some(socket) = notify {
        socket.forward()?;
    }
    Ok(0)
}
