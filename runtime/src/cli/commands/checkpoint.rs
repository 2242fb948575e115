//! `checkpoint` and `restore`: known by name and flags, so that a command line that is right gets a
//! clear refusal.
//!
//! Engines ask `checkpoint --help` and take exit code 0 for "can do checkpoints", so that fails,
//! too. `-h` and `help checkpoint`, which people type, explain.

use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::{Flag, Order};
use crate::cli::process_flags as flags;

const IMAGE_PATH: Flag = Flag::text("image-path", "directory of the images of CRIU");
const WORK_PATH: Flag = Flag::text("work-path", "directory of work files and logs");
const TCP_ESTABLISHED: Flag = Flag::switch("tcp-established", "allow open TCP connections");
const EXT_UNIX_SK: Flag = Flag::switch("ext-unix-sk", "allow external unix sockets");
const SHELL_JOB: Flag = Flag::switch("shell-job", "allow jobs of a shell");
const LAZY_PAGES: Flag = Flag::switch("lazy-pages", "take memory pages over when they are needed");
const FILE_LOCKS: Flag = Flag::switch("file-locks", "handle file locks");
const MANAGE_CGROUPS_MODE: Flag = Flag::text(
    "manage-cgroups-mode",
    "how cgroups are handled: soft, full, strict or ignore",
);
const EMPTY_NS: Flag = Flag::texts(
    "empty-ns",
    "make a namespace without restoring its properties; may be repeated",
);
const AUTO_DEDUP: Flag = Flag::switch("auto-dedup", "do not keep pages twice");

pub(crate) static CHECKPOINT: Command = Command {
    name: "checkpoint",
    about: "not available: checkpoint a running container",
    arguments: "<container-id>",
    description: "This version cannot checkpoint containers.",
    flags: &[
        IMAGE_PATH,
        WORK_PATH,
        Flag::text(
            "parent-path",
            "directory of the images of the pre-dump before",
        ),
        Flag::switch("leave-running", "keep the container running"),
        TCP_ESTABLISHED,
        Flag::switch(
            "tcp-skip-in-flight",
            "leave out TCP connections that are not established yet",
        ),
        Flag::switch("link-remap", "link unlinked files back where possible"),
        EXT_UNIX_SK,
        SHELL_JOB,
        LAZY_PAGES,
        Flag::integer(
            "status-fd",
            "descriptor that gets a byte when lazy pages are ready",
        )
        .default("-1"),
        Flag::text("page-server", "ADDRESS:PORT of the page server"),
        FILE_LOCKS,
        Flag::switch(
            "pre-dump",
            "save the memory only, and keep the container running",
        ),
        MANAGE_CGROUPS_MODE,
        EMPTY_NS,
        AUTO_DEDUP,
    ],
    count: Count::Exactly(1),
    order: Order::Any,
    run: refuse,
};

pub(crate) static RESTORE: Command = Command {
    name: "restore",
    about: "not available: restore a container from a checkpoint",
    arguments: "<container-id>",
    description: "This version cannot restore containers.",
    flags: &[
        flags::CONSOLE_SOCKET,
        IMAGE_PATH,
        WORK_PATH,
        TCP_ESTABLISHED,
        EXT_UNIX_SK,
        SHELL_JOB,
        FILE_LOCKS,
        MANAGE_CGROUPS_MODE,
        flags::BUNDLE,
        flags::DETACH,
        flags::PID_FILE,
        Flag::switch(
            "no-subreaper",
            "do not become the parent of orphans of the container",
        ),
        flags::NO_PIVOT,
        EMPTY_NS,
        AUTO_DEDUP,
        LAZY_PAGES,
        Flag::text("lsm-profile", "LSM profile to restore with, TYPE:NAME"),
        Flag::text("lsm-mount-context", "LSM mount context to restore with"),
    ],
    count: Count::Exactly(1),
    order: Order::Any,
    run: refuse,
};

/// Whether this is a command that is only known, and refused.
pub(crate) fn is_refused(command: &Command) -> bool {
    [CHECKPOINT.name, RESTORE.name].contains(&command.name)
}

fn refuse(_: &Invocation<'_>) -> Result<u8, Failure> {
    Err(Failure::new(
        "checkpoint and restore are not available in this version",
    ))
}
