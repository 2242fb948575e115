//! `checkpoint`: dumps a container into images.

use crate::checkpoint::CheckpointOptions;
use crate::cli::command::{Command, Count, Invocation};
use crate::cli::criu_flags as criu;
use crate::cli::failure::Failure;
use crate::cli::flag::Order;
use crate::nsinit::definition::Definition;
use crate::nsinit::{checkpoint_mark, containers};

pub(crate) static COMMAND: Command = Command {
    name: "checkpoint",
    about: "checkpoint a running container",
    arguments: "",
    completions: &[],
    description: "Writes the processes of a container into images, from which restore makes them again. The exec that\n\
                  waits for the container ends, too.",
    flags: &[
        containers::ID,
        containers::IMAGE_PATH,
        criu::WORK_PATH,
        criu::LEAVE_RUNNING,
        criu::TCP_ESTABLISHED,
        criu::EXT_UNIX_SK,
        criu::SHELL_JOB,
        criu::PAGE_SERVER,
    ],
    count: Count::Exactly(0),
    order: Order::FlagsFirst,
    run,
};

/// The directory for logs below that of the container.
const WORK_DIRECTORY: &str = "criu.work";

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let mut options = CheckpointOptions::new("");
    options.criu = containers::criu_options(invocation)?;
    options.leave_running = invocation.parsed.switch(criu::LEAVE_RUNNING.name);
    options.page_server = criu::page_server(invocation.parsed)?;
    let container = containers::alive(invocation)?;
    if options.criu.work_directory.is_none() {
        options.criu.work_directory = Some(container.directory().join(WORK_DIRECTORY));
    }
    let images = options.criu.image_directory.clone();
    let definition = Definition::of(container.config()?);
    let ends = !options.leave_running;
    if ends {
        // Before its process ends, on which exec looks for the mark.
        checkpoint_mark::set(&container)?;
    }
    let done = container.checkpoint(options);
    if ends && done.is_err() {
        checkpoint_mark::take_back(&container)?;
    }
    done?;
    definition.keep_beside(&images)?;
    Ok(0)
}
