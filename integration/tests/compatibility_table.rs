//! Every row of docs/compatibility.md names a reason and tests, and the tests exist.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails, and says why"
)]

use std::path::{Path, PathBuf};

fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate lies in the workspace")
        .to_path_buf()
}

/// The source files below `folder` whose stem or whose folder is called `name`.
fn sources(folder: &Path, name: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the workspace is readable") {
        let path = entry.expect("the folder is readable to its end").path();
        if path.is_dir() {
            sources(&path, name, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let in_folder = path.parent().and_then(Path::file_name);
            if path.file_stem().is_some_and(|stem| stem == name)
                || in_folder.is_some_and(|folder| folder == name)
            {
                found.push(path);
            }
        }
    }
}

/// Whether `reference`, `file::test` or `crate: file::test`, names a function that exists.
fn exists(reference: &str) -> bool {
    let (folder, path) = reference.split_once(": ").map_or(
        (PathBuf::from("integration/tests/runtime"), reference),
        |(folder, path)| (PathBuf::from(folder), path),
    );
    let Some((file, test)) = path.rsplit_once("::") else {
        return false;
    };
    let name = file.rsplit("::").next().unwrap_or(file);
    let folder = workspace_root().join(folder);
    if !folder.is_dir() {
        return false;
    }
    let mut files = Vec::new();
    sources(&folder, name, &mut files);
    files.iter().any(|file| {
        std::fs::read_to_string(file)
            .expect("a source file is readable")
            .contains(&format!("fn {test}("))
    })
}

#[test]
fn every_difference_has_a_reason_and_a_test() {
    let text = std::fs::read_to_string(workspace_root().join("docs/compatibility.md"))
        .expect("docs/compatibility.md is readable");
    let mut rows = 0;
    let mut wrong = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        if cells.first() == Some(&"what") {
            continue;
        }
        rows += 1;
        let [_, _, _, why, tests] = cells[..] else {
            wrong.push(format!("{line}: {} cells, not 5", cells.len()));
            continue;
        };
        if why.is_empty() {
            wrong.push(format!("{line}: no reason"));
        }
        let tests: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        if tests.is_empty() {
            wrong.push(format!("{line}: no test"));
        }
        for test in tests.into_iter().filter(|test| !exists(test)) {
            wrong.push(format!("{line}: no test is called {test}"));
        }
    }
    assert!(rows > 0, "docs/compatibility.md has no rows");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
