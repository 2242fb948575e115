//! Real plans on the running kernel. What needs root says so and skips without it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_sign_loss,
    reason = "a test that meets the unexpected shall fail, and flags are small"
)]

mod at_once;
mod changes;
mod channel;
mod descriptors;
mod devices;
mod end;
mod fallbacks;
mod files;
mod host;
mod masks;
mod mount_points;
mod mounts;
mod namespaces;
mod new_root;
mod process;
mod rootfs;
mod second_stage;
mod support;
mod timing;
