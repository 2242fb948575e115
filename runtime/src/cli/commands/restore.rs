//! `restore`: makes a container from images, and goes on as `run` does.

use super::create::connected_bundle;
use super::run::{self, Creation};
use crate::checkpoint::RestoreOptions;
use crate::cli::command::{Command, Count, Invocation};
use crate::cli::criu_flags as criu;
use crate::cli::failure::Failure;
use crate::cli::flag::{Flag, Order};
use crate::cli::process_flags::{self as flags, Presence};
use crate::cli::restore_progress;
use crate::container::Container;

const LSM_PROFILE: Flag = Flag::text("lsm-profile", "LSM profile to restore with, TYPE:NAME");
const LSM_MOUNT_CONTEXT: Flag =
    Flag::text("lsm-mount-context", "LSM mount context to restore with");

pub(crate) static COMMAND: Command = Command {
    name: "restore",
    about: "restore a container from a checkpoint",
    arguments: "<container-id>",
    completions: &[],
    description: "Makes a container whose processes go on where those of a checkpoint were, and stays until the first\n\
                  of them ends, as run does. The container may have another id and another bundle than it had.",
    flags: &[
        flags::CONSOLE_SOCKET,
        criu::IMAGE_PATH,
        criu::WORK_PATH,
        criu::TCP_ESTABLISHED,
        criu::EXT_UNIX_SK,
        criu::SHELL_JOB,
        criu::FILE_LOCKS,
        criu::MANAGE_CGROUPS_MODE,
        flags::BUNDLE,
        flags::DETACH,
        flags::PID_FILE,
        flags::NO_SUBREAPER,
        flags::NO_PIVOT,
        criu::EMPTY_NS,
        criu::AUTO_DEDUP,
        criu::LAZY_PAGES,
        LSM_PROFILE,
        LSM_MOUNT_CONTEXT,
    ],
    count: Count::Exactly(1),
    order: Order::Any,
    run: carry_out,
};

fn carry_out(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    if !rustix::process::geteuid().is_root() {
        let text = "runc checkpoint is untested with rootless containers";
        invocation.log.warn(text);
    }
    let mut options = RestoreOptions::new("");
    options.criu = criu::options(invocation)?;
    options.lsm_profile = invocation.parsed.string(LSM_PROFILE.name);
    options.lsm_mount_context = invocation.parsed.string(LSM_MOUNT_CONTEXT.name);
    let creation = Creation {
        create: &|presence| {
            // The line of progress is gone when this returns.
            let observer = restore_progress::observer();
            let options = RestoreOptions {
                observer,
                ..options.clone()
            };
            make(invocation, presence, &options)
        },
        start: None,
    };
    run::carry_out(invocation, &creation)
}

fn make(
    invocation: &Invocation<'_>,
    presence: Presence,
    options: &RestoreOptions,
) -> Result<Container, Failure> {
    let (id, bundle) = connected_bundle(invocation, presence, 0)?;
    let container = super::runtime(invocation)?.restore_bundle(&id, bundle, options)?;
    for warning in container.warnings() {
        invocation.log.warn(warning);
    }
    Ok(container)
}
