//! docs/security.md: what enforces a guarantee exists, and so does what tests it; the unsafe code
//! is where it says, and as much.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::{document, exists, quoted, rows, workspace_root};

const DOCUMENT: &str = "docs/security.md";
/// The tables, by the title of the first column, with the number of their columns.
const TABLES: [(&str, usize); 3] = [("crate", 4), ("invariant", 4), ("attack", 4)];
const INVARIANTS: usize = 17;

/// Whether `path/to/file.rs: function` is a function of that file.
fn is_function(place: &str) -> bool {
    let Some((file, function)) = place.split_once(": ") else {
        return false;
    };
    std::fs::read_to_string(workspace_root().join(file)).is_ok_and(|text| {
        [format!("fn {function}("), format!("fn {function}<")]
            .iter()
            .any(|head| text.contains(head))
    })
}

#[test]
fn every_guarantee_is_enforced_somewhere_and_tested() {
    let text = document(DOCUMENT);
    let mut wrong = Vec::new();
    for (title, columns) in TABLES {
        let rows = rows(&text, title);
        assert!(rows.len() > 10, "{title}: {} rows", rows.len());
        for cells in rows {
            if cells.len() != columns {
                wrong.push(format!("{cells:?}: {} cells", cells.len()));
                continue;
            }
            let (places, tests) = (cells[columns - 2], cells[columns - 1]);
            if quoted(places).next().is_none() || quoted(tests).next().is_none() {
                // The one row that says where to read on.
                if !tests.starts_with("the next") {
                    wrong.push(format!("{}: no place or no test", cells[0]));
                }
            }
            let missing = quoted(places).filter(|place| !is_function(place));
            wrong.extend(missing.map(|place| format!("{}: no function {place}", cells[0])));
            let missing = quoted(tests).filter(|test| !exists(test));
            wrong.extend(missing.map(|test| format!("{}: no test is called {test}", cells[0])));
        }
    }
    let found: Vec<String> = rows(&text, "invariant")
        .into_iter()
        .map(|cells| cells[0].to_owned())
        .collect();
    let expected: Vec<String> = (1..=INVARIANTS)
        .map(|number| format!("I{number}"))
        .collect();
    assert_eq!(found, expected);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The crates, by their folders: what has a manifest.
fn crates() -> BTreeSet<String> {
    let folders = std::fs::read_dir(workspace_root()).expect("the workspace is readable");
    folders
        .map(|entry| entry.expect("the workspace is readable to its end"))
        .filter(|entry| entry.path().join("Cargo.toml").exists())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn every_crate_says_what_it_guards() {
    let text = document(DOCUMENT);
    let rows = rows(&text, "crate");
    let named: BTreeSet<String> = rows
        .iter()
        .flat_map(|cells| quoted(cells[0]).take(1))
        .map(str::to_owned)
        .collect();
    assert_eq!(named, crates());
}

/// How often a file has unsafe code: blocks, functions and implementations.
fn uses(text: &str) -> usize {
    let code = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    code.map(|line| {
        ["unsafe {", "unsafe fn ", "unsafe extern ", "unsafe impl "]
            .iter()
            .map(|form| line.matches(form).count())
            .sum::<usize>()
    })
    .sum()
}

/// The files of a folder that are compiled into a library or a program, with their unsafe code.
fn count(folder: &Path, found: &mut BTreeMap<String, usize>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("the folder is readable to its end").path();
        if path.is_dir() {
            count(&path, found);
            continue;
        }
        if path.extension().is_none_or(|ending| ending != "rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a source file is readable");
        let number = uses(&text);
        if number > 0 {
            let root = workspace_root();
            let name = path.strip_prefix(root).expect("below the workspace");
            found.insert(name.to_string_lossy().into_owned(), number);
        }
    }
}

/// Counts allocations in tests, and is compiled for them alone.
const FOR_TESTS: &str = "runtime/src/sys/allocations.rs";

#[test]
fn unsafe_code_is_where_the_table_says_and_as_much() {
    let mut found = BTreeMap::new();
    for folder in crates() {
        // Tests and benchmarks, and what these need.
        if folder == "integration" || folder == "fuzz" {
            continue;
        }
        let folder = workspace_root().join(folder);
        count(&folder.join("src"), &mut found);
        count(&folder.join("stub"), &mut found);
    }
    assert!(found.remove(FOR_TESTS).is_some());
    let text = document(DOCUMENT);
    let mut wrong = Vec::new();
    for cells in rows(&text, "file or folder") {
        let [place, _, stated] = cells[..] else {
            panic!("{cells:?}: not 3 cells");
        };
        let place = quoted(place).next().expect("a file or a folder");
        let below = format!("{place}/");
        let mut counted = 0;
        found.retain(|file, number| {
            let is_there = file == place || file.starts_with(&below);
            counted += if is_there { *number } else { 0 };
            !is_there
        });
        if stated != counted.to_string() {
            wrong.push(format!("{place}: {counted} uses, not {stated}"));
        }
    }
    wrong.extend(
        found
            .iter()
            .map(|(file, number)| format!("{file}: {number} uses, and no row")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
