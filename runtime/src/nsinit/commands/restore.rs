//! `restore`: makes a container from images.

use crate::Status;
use crate::checkpoint::RestoreOptions;
use crate::cli::command::{Command, Count, Invocation};
use crate::cli::criu_flags as criu;
use crate::cli::failure::Failure;
use crate::cli::flag::Order;
use crate::nsinit::cgroup_parents::CgroupParents;
use crate::nsinit::definition::Definition;
use crate::nsinit::id_lock::IdLock;
use crate::nsinit::{attend, containers};
use crate::process::Process;

pub(crate) static COMMAND: Command = Command {
    name: "restore",
    about: "restore a container from a checkpoint",
    arguments: "",
    completions: &[],
    description: "Makes a container whose processes go on where those of a checkpoint were, and stays until the first\n\
                  of them ends.",
    flags: &[
        containers::ID,
        containers::IMAGE_PATH,
        criu::WORK_PATH,
        criu::TCP_ESTABLISHED,
        criu::EXT_UNIX_SK,
        criu::SHELL_JOB,
    ],
    count: Count::Exactly(0),
    order: Order::FlagsFirst,
    run,
};

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let mut options = RestoreOptions::new("");
    options.criu = containers::criu_options(invocation)?;
    let runtime = containers::runtime(invocation)?;
    let id = containers::id(invocation)?;
    let lock = IdLock::take(&runtime, &id)?;
    let definition = match containers::find(&runtime, &id)? {
        Some(found) if found.status != Status::Stopped => {
            return Err(Failure::new(format!("container {id} is still running")));
        }
        Some(found) => {
            attend::remove(&found.container)?;
            Definition::of(found.config)
        }
        None => match Definition::kept_beside(&options.criu.image_directory)? {
            Some(definition) => definition,
            None => Definition::from_flags(invocation.parsed)?,
        },
    };
    let (terms, mut config) = (definition.terms(), definition.config);
    // Its program, its user and so on are in the images.
    let mut process = Process::new(["restored"]);
    attend::connect(invocation, &mut process, false)?;
    let parents = CgroupParents::to_be_made(&runtime, &mut config)?;
    let make = || runtime.restore(&id, config, process, &options);
    let restored = attend::first_process(invocation, &terms, &parents, make)?;
    drop(lock);
    Ok(restored.wait(invocation, || Ok(()))?.code())
}
