//! `checkpoint` and `restore`: known by name, so that their help and their refusal are clear.

use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::{Flag, Order};

pub(crate) static CHECKPOINT: Command = Command {
    name: "checkpoint",
    about: "not available: checkpoint a running container",
    arguments: "<container-id>",
    description: "This version cannot checkpoint containers.",
    flags: &[
        Flag::text("image-path", "where the images would be saved"),
        Flag::text("work-path", "where the logs would be saved"),
        Flag::switch("leave-running", "keep the container running"),
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
        Flag::text("image-path", "where the images would be"),
        Flag::text("work-path", "where the logs would be saved"),
        Flag::text("bundle", "path of the bundle").letter("b"),
    ],
    count: Count::Exactly(1),
    order: Order::Any,
    run: refuse,
};

fn refuse(_: &Invocation<'_>) -> Result<u8, Failure> {
    Err(Failure::new(
        "checkpoint and restore are not available in this version",
    ))
}
