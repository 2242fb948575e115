#![doc = include_str!("../README.md")]
//!
//! ## In detail
//!
//! OCI seccomp profiles as kernel filters: a native compiler, a libseccomp backend, and the
//! ENOSYS rule.
//!
//! [`compile()`] turns a [`Profile`] (the `linux.seccomp` object of an OCI configuration) into a
//! [`Program`]: classic BPF instructions and the flags to load them with. [`install()`] loads it
//! for the calling thread; a caller that loads it elsewhere takes [`Program::as_bytes`].
//! [`evaluate()`] says what a program answers for a system call, and [`features()`] what this crate
//! and the kernel support.
//!
//! ## What a filter answers
//!
//! 1. A call of an architecture that is not in the filter ends the thread. The native architecture
//!    always is in it.
//! 2. A call with a number above every one that the profile mentions on its architecture fails with
//!    `ENOSYS`, unless the default action lets calls through or traces them.
//! 3. A rule without conditions decides; of several, the first.
//! 4. Of the rules whose conditions hold, the one with the strictest action decides.
//! 5. Otherwise it is the default action.
//!
//! ## Kernel interface
//!
//! seccomp(2) and prctl(2) `PR_SET_SECCOMP` (Linux 3.5), `SECCOMP_SET_MODE_FILTER` with flags
//! (3.17), actions and flags as documented at [`Action`] and [`FilterFlags`].
#![cfg_attr(docsrs, feature(doc_cfg))]

mod action;
mod architecture;
mod bpf;
mod compile;
#[cfg(feature = "serde")]
mod docker;
mod enosys;
mod error;
mod evaluate;
mod features;
mod flags;
mod install;
#[cfg(feature = "libseccomp")]
mod libseccomp_backend;
mod named;
mod native;
mod operator;
mod profile;
mod program;
#[cfg(feature = "libseccomp")]
mod prologue;
mod rules;
mod sys;
mod syscalls;
mod warning;

pub use action::{Action, ActionName};
pub use architecture::Architecture;
pub use compile::{Backend, Compiled, compile};
#[cfg(feature = "serde")]
pub use docker::{DockerConditions, DockerProfile};
pub use error::{Error, ErrorKind, Result};
pub use evaluate::evaluate;
pub use features::{Features, features};
pub use flags::{FilterFlag, FilterFlags};
pub use install::install;
pub use operator::Operator;
pub use profile::{Arg, Profile, Rule};
pub use program::{Instruction, MAX_INSTRUCTIONS, Program};
pub use warning::Warning;
