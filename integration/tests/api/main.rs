//! The public interface of each crate is the one that its `api.txt` records, and names no type of
//! a crate that it does not re-export.
//!
//! The interface is read from the source with `syn`, with every feature switched on, so that the
//! test needs no nightly compiler. What a macro of the crate defines is recorded as the use of the
//! macro, and the public heads in its definition.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails, and says why"
)]

mod growth;
mod interface;
mod names;
mod source;
mod tokens;

use std::path::{Path, PathBuf};

use interface::Interface;

/// Every published crate, by its folder.
const CRATES: [&str; 14] = [
    "apparmor", "cgroups", "configs", "criu", "devices", "intelrdt", "keys", "netlink", "nsenter",
    "runtime", "seccomp", "selinux", "user", "xattr",
];

fn folder(name: &str) -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    workspace
        .expect("the crate lies in the workspace")
        .join(name)
}

fn interface(name: &str) -> Interface {
    Interface::of(&source::Source::read(&folder(name).join("src/lib.rs")))
}

/// The lines of `new` that `old` does not have.
fn added<'a>(old: &str, new: &'a str) -> Vec<&'a str> {
    let old: std::collections::BTreeSet<&str> = old.lines().collect();
    new.lines().filter(|line| !old.contains(line)).collect()
}

#[test]
fn public_interfaces_are_the_recorded_ones() {
    let mut changes = String::new();
    for name in CRATES {
        let path = folder(name).join("api.txt");
        let found = interface(name).to_string();
        if std::env::var_os("COFFERDAM_WRITE_API").is_some() {
            std::fs::write(&path, &found).expect("api.txt can be written");
        }
        let recorded = std::fs::read_to_string(&path).unwrap_or_default();
        if recorded != found {
            changes += &format!("\n{name}:");
            for (sign, lines) in [
                ("-", added(&found, &recorded)),
                ("+", added(&recorded, &found)),
            ] {
                lines
                    .iter()
                    .for_each(|line| changes += &format!("\n  {sign} {line}"));
            }
        }
    }
    assert!(
        changes.is_empty(),
        "public interfaces differ from the recorded ones:{changes}\n\
         If that is meant, `./x api` records them; commit the files with the change."
    );
}

#[test]
fn signatures_name_only_types_that_a_user_of_the_crate_can_name() {
    let mut wrong = Vec::new();
    for name in CRATES {
        let foreign = interface(name).foreign;
        wrong.extend(foreign.into_iter().map(|line| format!("{name}: {line}")));
    }
    assert!(
        wrong.is_empty(),
        "types of crates that are not re-exported by `pub use`:\n{}",
        wrong.join("\n")
    );
}
