//! `plan`: shows what would be done for a bundle, without doing it.

use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::Order;
use crate::cli::process_flags as flags;
use crate::cli::{bundle, output};

pub(crate) static COMMAND: Command = Command {
    name: "plan",
    about: "show the steps of a container's init process, one a line, without running them",
    arguments: "<container-id>",
    completions: &[],
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
    let bundle = bundle::load(invocation)?;
    let (plan, warnings) = super::runtime(invocation)?.plan_bundle(&id, bundle)?;
    for warning in warnings {
        invocation.log.warn(&warning);
    }
    output::write(&plan)?;
    Ok(0)
}
