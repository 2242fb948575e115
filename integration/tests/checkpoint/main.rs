//! Checkpoint and restore, end to end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails, and says why"
)]

mod confined;
mod damaged;
mod dump;
mod dump_failures;
mod ended;
mod net_devices;
mod networks;
mod options;
mod outside;
mod portable;
mod progress;
mod restore;
mod round_trip;
mod stand_in;
mod subject;
mod surroundings;
