//! The first page of each crate: an example before all else, what can be switched on, and what the
//! crate does not do.

use std::fs;

use crate::repository;

/// The crates that are published, by their folders.
fn crates() -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(repository("")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Ok(manifest) = fs::read_to_string(repository(&name).join("Cargo.toml")) else {
            continue;
        };
        if !manifest.contains("\npublish = false\n") {
            found.push(name);
        }
    }
    assert!(found.len() >= 14, "{found:?}");
    found
}

/// The names in the section `[features]` of a manifest, but for the list of those that are on.
fn features(manifest: &str) -> Vec<&str> {
    let lines = manifest.lines().skip_while(|line| *line != "[features]");
    lines
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| Some(line.split_once(" = [")?.0))
        .filter(|name| *name != "default")
        .collect()
}

/// The text below a heading of the second level.
fn section<'a>(page: &'a str, heading: &str) -> Option<&'a str> {
    let (_, below) = page.split_once(&format!("\n## {heading}\n"))?;
    Some(below.split("\n## ").next().unwrap_or(below))
}

#[test]
fn each_crate_begins_with_an_example_and_says_what_it_does_not_do() {
    let mut wrong = Vec::new();
    for name in crates() {
        let folder = repository(&name);
        let page = fs::read_to_string(folder.join("README.md")).unwrap();
        let mut complain = |what: &str| wrong.push(format!("{name}: {what}"));
        let before = page.split("```rust").next().unwrap_or_default();
        if before.len() == page.len() {
            complain("no example");
        }
        let is_other = |line: &&str| {
            line.starts_with("* ") || line.starts_with('|') || line.starts_with("## ")
        };
        if let Some(line) = before.lines().find(is_other) {
            complain(&format!("before the example there is: {line}"));
        }
        if section(&page, "What this crate does not do").is_none() {
            complain("no section \"What this crate does not do\"");
        }
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let told = section(&page, "Features").unwrap_or_default();
        if told.is_empty() {
            complain("no section \"Features\"");
        }
        for feature in features(&manifest) {
            if !told.contains(&format!("`{feature}`")) {
                complain(&format!("the feature {feature} is not explained"));
            }
        }
        let library = fs::read_to_string(folder.join("src/lib.rs")).unwrap();
        if !library.starts_with("#![doc = include_str!(\"../README.md\")]\n") {
            complain("its documentation does not begin with README.md");
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
