#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod namespace_types;

#[cfg(feature = "stub")]
mod error;
#[cfg(feature = "stub")]
#[path = "../stub/fields.rs"]
mod fields;
#[cfg(feature = "stub")]
mod foreign_descriptors;
#[cfg(feature = "stub")]
mod hook_outcome;
#[cfg(feature = "stub")]
pub mod id_maps;
#[cfg(feature = "stub")]
mod image;
#[cfg(feature = "stub")]
#[path = "../stub/messages.rs"]
mod messages;
#[cfg(feature = "stub")]
pub mod namespaces;
#[cfg(feature = "stub")]
#[path = "../stub/operations.rs"]
mod operations;
#[cfg(feature = "stub")]
mod output;
#[cfg(feature = "stub")]
pub mod pidfd;
#[cfg(feature = "stub")]
pub mod plan;
#[cfg(feature = "stub")]
mod procfs;
#[cfg(feature = "stub")]
mod program;
#[cfg(feature = "stub")]
mod second_stage;
#[cfg(feature = "stub")]
mod spawn;
#[cfg(feature = "stub")]
mod step_times;
#[cfg(feature = "stub")]
mod supervise;
#[cfg(test)]
#[cfg(feature = "stub")]
#[path = "../stub"]
#[allow(
    dead_code,
    clippy::duplicate_mod,
    reason = "compiled here for its unit tests alone"
)]
mod stub {
    use crate::{fields, messages, operations, wire};

    mod executor;
    mod sys;
}
#[cfg(feature = "stub")]
mod sys;
#[cfg(feature = "stub")]
#[path = "../stub/wire.rs"]
mod wire;

pub use namespace_types::{NamespaceSet, NamespaceType};

// Its types are part of this interface.
#[cfg(feature = "stub")]
pub use user;

#[cfg(feature = "stub")]
pub use foreign_descriptors::Closer;

#[cfg(feature = "stub")]
pub use error::{Error, ErrorKind, Refusal, Result};
#[cfg(feature = "stub")]
pub use hook_outcome::HookOutcome;
#[cfg(feature = "stub")]
pub use messages::errno as errno_text;
#[cfg(feature = "stub")]
pub use plan::Failure;
#[cfg(feature = "stub")]
pub use procfs::{Procfs, Stat};
#[cfg(feature = "stub")]
pub use program::Program;
#[cfg(feature = "stub")]
pub use spawn::Spawn;
#[cfg(feature = "stub")]
pub use step_times::StepTimes;
#[cfg(feature = "stub")]
pub use supervise::{Deadline, ProcessRef, RequestHandler, Served, StubProcess, Warnings};

/// Detail of a failed [`plan::Op::MakePath`]: a link leads the path onto a procfs.
#[cfg(feature = "stub")]
pub const INSIDE_PROCFS: &[u8] = wire::INSIDE_PROCFS;
