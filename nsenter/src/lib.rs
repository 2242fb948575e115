#![doc = include_str!("../README.md")]

mod detail;
mod error;
#[path = "../stub/fields.rs"]
mod fields;
mod hook;
pub mod id_maps;
mod image;
#[path = "../stub/messages.rs"]
#[allow(
    dead_code,
    reason = "the stub says errnos, the parent has std for that"
)]
mod messages;
pub mod namespaces;
#[path = "../stub/operations.rs"]
mod operations;
mod output;
pub mod pidfd;
pub mod plan;
mod procfs;
mod program;
mod second_stage;
mod spawn;
mod step_times;
mod supervise;
#[cfg(test)]
#[path = "../stub"]
#[allow(
    dead_code,
    clippy::duplicate_mod,
    reason = "compiled here for its unit tests alone"
)]
mod stub {
    use crate::{fields, messages, operations, wire};

    #[path = "executor/mod.rs"]
    mod executor;
    mod sys;
}
mod sys;
#[path = "../stub/wire.rs"]
mod wire;

// Its types are part of this interface.
pub use user;

pub use error::{Error, ErrorKind, Failure, Refusal, Result};
pub use hook::HookOutcome;
pub use procfs::{Procfs, Stat};
pub use program::Program;
pub use spawn::Spawn;
pub use step_times::StepTimes;
pub use supervise::{Answers, Deadline, Init, ProcessRef, Served, Warnings};

/// Detail of a failed [`plan::Op::MakePath`]: a link leads the path onto a procfs.
pub const INSIDE_PROCFS: &[u8] = wire::INSIDE_PROCFS;
