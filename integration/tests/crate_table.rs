//! The table of ARCHITECTURE.md says which crate uses which; the manifests agree with it.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails, and says why"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

type Table = BTreeMap<String, BTreeSet<String>>;

fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate lies in the workspace")
        .to_path_buf()
}

/// Rows `| crate | owns | may use |` of ARCHITECTURE.md.
fn documented() -> Table {
    let text = std::fs::read_to_string(workspace_root().join("ARCHITECTURE.md"))
        .expect("ARCHITECTURE.md is readable");
    text.lines()
        .skip_while(|line| !line.starts_with("| crate |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let name = cells[0].trim_matches('`').to_owned();
            let uses = cells[2]
                .split(',')
                .map(str::trim)
                .filter(|cell| !cell.is_empty())
                .map(str::to_owned)
                .collect();
            (name, uses)
        })
        .collect()
}

/// Normal dependencies between members, by folder name.
fn actual() -> Table {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(workspace_root())
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "cargo metadata failed");
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let folder_of = |package: &serde_json::Value| {
        Path::new(package["manifest_path"].as_str().expect("manifest_path"))
            .parent()
            .and_then(Path::file_name)
            .and_then(|name| name.to_str())
            .expect("a member lies in a folder")
            .to_owned()
    };
    let folders: BTreeMap<&str, String> = packages
        .iter()
        .map(|package| (package["name"].as_str().expect("name"), folder_of(package)))
        .collect();
    packages
        .iter()
        .map(|package| {
            let uses = package["dependencies"]
                .as_array()
                .expect("dependencies")
                .iter()
                .filter(|dependency| dependency["kind"].is_null())
                .filter_map(|dependency| folders.get(dependency["name"].as_str()?).cloned())
                .collect();
            (folder_of(package), uses)
        })
        .collect()
}

#[test]
fn members_use_what_the_architecture_says() {
    let documented = documented();
    let actual = actual();
    assert_eq!(
        documented.keys().collect::<Vec<_>>(),
        actual.keys().collect::<Vec<_>>(),
        "ARCHITECTURE.md and the workspace name different crates"
    );
    let mut wrong = Vec::new();
    for (name, uses) in &actual {
        let said = &documented[name];
        for used in uses.difference(said) {
            wrong.push(format!(
                "{name} uses {used}: add it to the row, or remove the dependency"
            ));
        }
        for unused in said.difference(uses) {
            wrong.push(format!(
                "{name} does not use {unused}: remove it from the row"
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "the table under \"Crates\" of ARCHITECTURE.md is not what the manifests say:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn packages_are_named_after_their_folders() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(workspace_root())
        .output()
        .expect("cargo metadata runs");
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    for package in metadata["packages"].as_array().expect("packages") {
        let manifest = Path::new(package["manifest_path"].as_str().expect("manifest_path"));
        let folder = manifest
            .parent()
            .and_then(Path::file_name)
            .and_then(|name| name.to_str())
            .expect("a member lies in a folder");
        let expected = match folder {
            "runtime" => "cofferdam".to_owned(),
            other => format!("cofferdam-{other}"),
        };
        assert_eq!(package["name"].as_str(), Some(expected.as_str()));
        assert_eq!(package["license"].as_str(), Some("Apache-2.0"), "{folder}");
    }
}
