//! Documents with tables that name tests and items of the library: what they name exists.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails, and says why"
)]

mod attacks;
mod differences;
mod eras;
mod index;
mod security;

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

/// A document of the workspace.
fn document(path: &str) -> String {
    std::fs::read_to_string(workspace_root().join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The cells of the rows of all tables whose first column has this title, without that line.
fn rows<'a>(text: &'a str, title: &str) -> Vec<Vec<&'a str>> {
    let mut inside = false;
    let mut rows = Vec::new();
    for line in text.lines() {
        let Some(row) = line.strip_prefix("| ") else {
            // The line of dashes below the titles belongs to the table.
            inside &= line.starts_with('|');
            continue;
        };
        let row = row.trim_end().trim_end_matches('|').trim_end();
        let cells: Vec<&str> = row.split(" | ").map(str::trim).collect();
        if cells.first() == Some(&title) {
            inside = true;
        } else if inside {
            rows.push(cells);
        }
    }
    rows
}

/// What is between backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}
