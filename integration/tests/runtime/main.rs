//! Containers, end to end: the program under test on this machine's kernel.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails, and says why"
)]

mod contention;
mod exec;
mod fast_exit;
mod files;
mod filters;
mod hooks;
mod identity;
mod interrupted;
mod lifecycle;
mod limits;
mod mounts;
mod namespaces;
mod no_room;
mod odd_bundles;
mod odd_commands;
mod output;
mod reference;
mod refusals;
mod removal;
mod rootless;
mod signals;
mod small_limits;
mod sockets;
mod systemd;
mod terminals;
mod texts;
mod unified;
