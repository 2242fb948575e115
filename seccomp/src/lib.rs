//! OCI seccomp profiles to BPF: native compiler and libseccomp backend, cache, ENOSYS stub.

mod action;
mod architecture;
mod bpf;
mod cache;
mod compile;
mod enosys;
mod error;
mod evaluate;
mod features;
mod flags;
#[cfg(feature = "libseccomp")]
mod libseccomp_backend;
mod native;
mod operator;
mod profile;
mod program;
mod rules;
mod sys;
mod syscalls;

pub use action::Action;
pub use architecture::Architecture;
pub use cache::Cache;
pub use compile::{Backend, Compiled, Warning, compile};
pub use error::{Error, ErrorKind, Result};
pub use evaluate::evaluate;
pub use features::{Features, features};
pub use flags::FilterFlags;
pub use operator::Operator;
pub use profile::{Arg, Profile, Rule};
pub use program::{Instruction, MAX_INSTRUCTIONS, Program};
pub use sys::install;
