//! Containers, end to end: the program under test on this machine's kernel.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails, and says why"
)]

mod audit;
mod contention;
mod documents;
mod exec;
mod fast_exit;
mod fifos;
mod files;
mod filters;
mod hooks;
mod id_mapped_mounts;
mod identity;
mod interrupted;
mod lifecycle;
mod limits;
mod mount_errors;
mod mounts;
mod namespaces;
mod networks;
mod no_room;
mod nsinit;
mod odd_bundles;
mod odd_commands;
mod old_configurations;
mod output;
mod plan;
mod pressure;
mod pretending_filters;
mod recursive_mounts;
mod reference;
mod refusals;
mod remounts;
mod removal;
mod rootless;
mod signals;
mod small_limits;
mod sockets;
mod specification;
mod stats;
mod system_calls;
mod systemd;
mod terminals;
mod texts;
mod top;
mod twins;
mod unified;
mod user_namespace_mounts;
