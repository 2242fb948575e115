//! Published attacks on container runtimes, end to end: each must fail, and the host must be as it
//! was.
//!
//! Every test makes a [`host::Host`] first: a mount namespace of the test's own, with decoy files
//! in it. The program under test runs there, and [`host::Host::unchanged`] checks that it left no
//! trace. An attack that races has a few rounds here, and as many as its recipe says by `./x attack
//! races` ([`races::Race`]).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on fails, and says why; races and reduced kernels are counted"
)]

mod annotations;
mod capabilities;
mod cgroups;
mod configuration;
mod consoles;
mod descriptors;
mod destinations;
mod devices;
mod dropped_files;
mod environment;
mod executable;
mod exposure;
mod groups;
mod hidden_cgroups;
mod hooks;
mod host;
mod identifiers;
mod kernel_parameters;
mod keyrings;
mod labels;
mod mount_table;
mod password_file;
mod procfs;
mod propagation;
mod ptrace;
mod races;
mod reachability;
mod read_only;
mod readable;
#[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
mod reduced_kernels;
mod seccomp;
mod shared_root;
mod storm;
mod swapper;
mod sys;
mod terminal;
mod user_ids;
mod victim;
