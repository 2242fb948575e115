//! The crate on the kernel it runs on. Every test makes its own `cofferdam-test-…` cgroups and
//! removes them; without root, or the hierarchy it is about, it says so and passes.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot do its work shall say where"
)]

mod devices;
mod events;
#[path = "../fixture/mod.rs"]
mod fixture;
mod freezer;
mod hierarchies;
mod joining;
mod life;
mod limits;
mod mounts;
mod scratch;
mod statistics;
