//! What is kept of the inputs of the fuzz targets is looked at once more: an example of each
//! format, and each input with which something was found.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails, and says why"
)]

use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use cofferdam_fuzz::TARGETS;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The names in a folder, without an ending.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .map(|entry| {
            let name = PathBuf::from(entry.expect("an entry").file_name());
            let name = name.file_stem().expect("a name").to_owned();
            name.into_string().expect("a name in UTF-8")
        })
        .collect()
}

#[test]
fn every_target_has_seeds_and_a_program() {
    let targets: BTreeSet<String> = TARGETS
        .iter()
        .map(|target| target.name.to_owned())
        .collect();
    assert_eq!(targets, names(&folder("seeds")));
    assert_eq!(targets, names(&folder("libfuzzer/fuzz_targets")));
    let text = std::fs::read_to_string(folder("libfuzzer/Cargo.toml")).expect("the manifest");
    for name in targets {
        assert!(text.contains(&format!("\nname = \"{name}\"\n")), "{name}");
    }
}

/// libFuzzer refuses to begin with a dictionary that it cannot read.
#[test]
fn dictionaries_are_of_targets_and_in_the_form_of_libfuzzer() {
    for name in names(&folder("dictionaries")) {
        assert!(TARGETS.iter().any(|target| target.name == name), "{name}");
        let path = folder("dictionaries").join(format!("{name}.dict"));
        let text = std::fs::read_to_string(&path).expect("a dictionary is text");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            assert!(is_entry(line), "{name}: {line}");
        }
    }
}

/// A word in quotes; in it a quote, a backslash and a byte in hexadecimal (`\x00`) are escaped.
fn is_entry(line: &str) -> bool {
    let inner = line
        .strip_prefix('"')
        .and_then(|line| line.strip_suffix('"'));
    let mut rest = inner.unwrap_or("");
    while let Some(escape) = rest.find(['"', '\\']) {
        let escaped = &rest[escape..];
        let hex = escaped.strip_prefix("\\x").and_then(|rest| rest.get(..2));
        let length = if escaped.starts_with("\\\"") || escaped.starts_with("\\\\") {
            2
        } else if hex.is_some_and(|hex| u8::from_str_radix(hex, 16).is_ok()) {
            4
        } else {
            return false;
        };
        rest = &escaped[length..];
    }
    inner.is_some_and(|inner| !inner.is_empty())
}

#[test]
fn no_seed_finds_a_fault() {
    let mut failed = Vec::new();
    for target in TARGETS {
        let folder = folder("seeds").join(target.name);
        for entry in std::fs::read_dir(&folder).expect("every target has seeds") {
            let path = entry.expect("an entry").path();
            let input = std::fs::read(&path).expect("a seed is readable");
            if catch_unwind(|| target.run(&input)).is_err() {
                failed.push(path);
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}
