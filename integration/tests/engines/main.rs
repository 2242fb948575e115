//! Container engines with the program under test as their runtime.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails, and says why"
)]

mod containerd;
mod cri;
mod docker;
mod podman;
mod podman_checkpoint;
mod podman_systemd;
mod promises;
mod upgrade;
