//! What is shipped beside the programs: completions of shells, manual pages, packages, and the
//! commands that the documentation tells to type.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails, and says why"
)]

mod completions;
mod documented_commands;
mod front_pages;
mod help;
mod links;
mod manual_pages;
mod packages;
mod plots;

use std::path::{Path, PathBuf};

/// A file of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}
