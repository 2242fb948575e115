//! `checkpoint`: known by name and flags, so that a command line that is right gets a clear refusal.
//!
//! Engines ask `checkpoint --help` and take exit code 0 for "can do checkpoints", so that fails,
//! too. `-h` and `help checkpoint`, which people type, explain.

use crate::cli::command::{Command, Count, Invocation};
use crate::cli::criu_flags as criu;
use crate::cli::failure::Failure;
use crate::cli::flag::{Flag, Order};

pub(crate) static CHECKPOINT: Command = Command {
    name: "checkpoint",
    about: "not available: checkpoint a running container",
    arguments: "<container-id>",
    description: "This version cannot checkpoint containers.",
    flags: &[
        criu::IMAGE_PATH,
        criu::WORK_PATH,
        Flag::text(
            "parent-path",
            "directory of the images of the pre-dump before",
        ),
        Flag::switch("leave-running", "keep the container running"),
        criu::TCP_ESTABLISHED,
        Flag::switch(
            "tcp-skip-in-flight",
            "leave out TCP connections that are not established yet",
        ),
        Flag::switch("link-remap", "link unlinked files back where possible"),
        criu::EXT_UNIX_SK,
        criu::SHELL_JOB,
        criu::LAZY_PAGES,
        Flag::integer(
            "status-fd",
            "descriptor that gets a byte when lazy pages are ready",
        )
        .default("-1"),
        Flag::text("page-server", "ADDRESS:PORT of the page server"),
        criu::FILE_LOCKS,
        Flag::switch(
            "pre-dump",
            "save the memory only, and keep the container running",
        ),
        criu::MANAGE_CGROUPS_MODE,
        criu::EMPTY_NS,
        criu::AUTO_DEDUP,
    ],
    count: Count::Exactly(1),
    order: Order::Any,
    run: refuse,
};

/// Whether this is a command that is only known, and refused.
pub(crate) fn is_refused(command: &Command) -> bool {
    command.name == CHECKPOINT.name
}

fn refuse(_: &Invocation<'_>) -> Result<u8, Failure> {
    Err(Failure::new("checkpoint is not available in this version"))
}
