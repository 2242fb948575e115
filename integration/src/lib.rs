//! End-to-end tests and benchmarks: the harness.
//!
//! A test makes a [`Case`]: a state root, a bundle and an id of its own. It runs the program under
//! test on it, looks at what the kernel shows, and ends with [`Case::finish`], which fails if
//! anything is left behind.
//!
//! * The program under test is the release build, or what `COFFERDAM_BIN` names. With another OCI
//!   runtime there the harness tests itself: `COFFERDAM_BIN=/usr/sbin/runc`.
//! * [`need!`] states what a test needs of the machine. What is not there makes it a counted skip,
//!   never a silent pass; on a machine that must have it, which `COFFERDAM_MUST_HAVE` says, a
//!   failure.
//! * Every command has a limit of time: a hang is a failure, not a hang of the tests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "a test that cannot go on fails, and says why"
)]

#[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
pub mod attack;
pub mod bundle;
pub mod case;
pub mod cgroup;
mod confinement;
pub mod console;
pub mod cri;
pub mod engine;
mod filter_answer;
pub mod leftovers;
pub mod library;
pub mod limited;
pub mod needs;
pub mod networks;
pub mod older_configuration;
pub mod ordinary_user;
pub mod parallel;
pub mod plot;
pub mod program;
pub mod reduced_kernel;
pub mod reviewed;
pub mod scratch;
pub mod soak;
pub mod subordinate_ids;
mod sys;
pub mod tiny_program;
pub mod traced;
pub mod unit;

pub use bundle::Bundle;
pub use case::{Case, eventually};
pub use confinement::CONFINEMENT;
pub use filter_answer::FilterAnswer;
pub use limited::{Limited, Output};
pub use ordinary_user::OrdinaryUser;
