//! Published attacks on container runtimes, end to end: each must fail, and the host must be as it
//! was.
//!
//! Every test makes a [`host::Host`] first: a mount namespace of the test's own, with decoy files
//! in it. The program under test runs there, and [`host::Host::unchanged`] checks that it left no
//! trace. An attack that races repeats itself [`RACES`] times; more is a matter of
//! `COFFERDAM_RACES`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails, and says why"
)]

mod capabilities;
mod cgroups;
mod configuration;
mod consoles;
mod descriptors;
mod destinations;
mod devices;
mod environment;
mod executable;
mod groups;
mod hidden_cgroups;
mod hooks;
mod host;
mod identifiers;
mod kernel_parameters;
mod labels;
mod mount_table;
mod password_file;
mod procfs;
mod propagation;
mod ptrace;
mod reachability;
mod read_only;
mod seccomp;
mod shared_root;
mod swapper;
mod sys;
mod terminal;
mod user_ids;
mod victim;

/// How often a race is run when `COFFERDAM_RACES` says nothing: as much as a test of a few seconds
/// allows.
const RACES: usize = 60;

/// How often to run a race.
fn races() -> usize {
    std::env::var("COFFERDAM_RACES").map_or(RACES, |text| {
        text.parse().expect("COFFERDAM_RACES is a number")
    })
}
