//! `plan`: shows what would be done for a bundle, without doing it.

use std::path::Path;

use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::Order;
use crate::cli::process_flags as flags;
use crate::cli::{bundle, output};
use crate::process::Process;

pub(crate) static COMMAND: Command = Command {
    name: "plan",
    about: "show the steps of a container's init process, one a line, without running them",
    arguments: "<container-id>",
    description: "The init process of a container does nothing but follow a plan that is made beforehand. This command\n\
                  makes the plan for a bundle and prints it.",
    flags: &[flags::BUNDLE, flags::NO_PIVOT, flags::NO_NEW_KEYRING],
    count: Count::Exactly(1),
    order: Order::Any,
    run,
};

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let id = invocation.id()?;
    bundle::enter(invocation)?;
    let spec = bundle::read(Path::new("."))?;
    let described = bundle::process(&spec)?;
    let process = Process::from_oci(described)?;
    let config = bundle::config(invocation, &id, &spec)?;
    output::write(&super::runtime(invocation)?.plan(&id, &config, &process)?)?;
    Ok(0)
}
