//! Containers on the running kernel. Needs root and `/bin/busybox` (Debian package busybox-static);
//! without them each test prints one line and does nothing.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests, and helpers of tests"
)]
#![allow(
    clippy::duplicate_mod,
    reason = "the examples are programs, each with its own copy of what they share"
)]

#[cfg(feature = "tokio")]
mod async_command;
mod bundle;
mod command;
mod examples;
mod exec;
mod failures;
mod lifecycle;
mod network;
mod sockets;
mod states;
mod terminal;
mod validation;
