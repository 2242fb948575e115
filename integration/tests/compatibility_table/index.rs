//! docs/legacy-index.md: every item of the older forms of libcontainer has a test or a reason.

use std::collections::BTreeSet;

use crate::{document, exists, quoted, rows};

/// Items with two digits, and how many of each there are.
const ITEMS: [(&str, usize); 12] = [
    ("D", 29),
    ("F", 26),
    ("C", 17),
    ("L", 25),
    ("N", 19),
    ("NA", 11),
    ("NB", 10),
    ("NC", 14),
    ("V", 17),
    ("A", 12),
    ("B", 17),
    ("P", 10),
];

/// Items of the container specification.
const SPECIFICATION: [(&str, usize); 19] = [
    ("SYS", 2),
    ("NS", 9),
    ("FS", 9),
    ("DEV", 9),
    ("PTMX", 1),
    ("TTY", 3),
    ("NULL", 1),
    ("LNK", 5),
    ("ROOT", 4),
    ("BIND", 5),
    ("CG", 13),
    ("RDT", 8),
    ("CAP", 5),
    ("LSM", 4),
    ("SEC", 4),
    ("INIT", 10),
    ("DEF", 8),
    ("ACT", 11),
    ("EX", 7),
];

/// How many tests of libcontainer's own have a twin.
const TWINS: usize = 72;

fn every_item() -> BTreeSet<String> {
    let two_digits = ITEMS
        .into_iter()
        .flat_map(|(name, count)| (1..=count).map(move |number| format!("{name}{number:02}")));
    let specification = SPECIFICATION
        .into_iter()
        .flat_map(|(name, count)| (1..=count).map(move |number| format!("{name}-{number}")));
    two_digits.chain(specification).collect()
}

/// The table: each item with what shows it.
#[derive(Default)]
struct Index<'a> {
    missing: Vec<&'a str>,
    wrong: Vec<String>,
}

impl<'a> Index<'a> {
    /// Checks what a cell says: tests that exist, a reason, or what is missing.
    fn add(&mut self, id: &'a str, shown: &str) {
        let tests: Vec<&str> = quoted(shown).collect();
        let reason = ["no test: ", "missing: "]
            .iter()
            .find_map(|start| shown.strip_prefix(start));
        if shown.starts_with("missing: ") {
            self.missing.push(id);
        }
        match reason {
            Some("") => self.wrong.push(format!("{id}: no reason")),
            Some(_) => {}
            None if tests.is_empty() => self.wrong.push(format!("{id}: no test")),
            None => self.wrong.extend(
                tests
                    .into_iter()
                    .filter(|test| !exists(test))
                    .map(|test| format!("{id}: no test is called {test}")),
            ),
        }
    }
}

#[test]
fn every_item_has_a_test_or_a_reason() {
    let text = document("docs/legacy-index.md");
    let mut items = every_item();
    let mut index = Index::default();
    for cells in rows(&text, "id") {
        let [id, what, shown] = cells[..] else {
            index.wrong.push(format!("{cells:?}: not 3 cells"));
            continue;
        };
        if !items.remove(id) {
            let text = format!("{id}: no such item, or a second row");
            index.wrong.push(text);
        }
        if what.is_empty() {
            index.wrong.push(format!("{id}: says nothing"));
        }
        index.add(id, shown);
    }
    index
        .wrong
        .extend(items.iter().map(|id| format!("{id}: no row")));
    let twins = rows(&text, "their test");
    let names: BTreeSet<&str> = twins.iter().map(|cells| cells[0]).collect();
    assert_eq!((twins.len(), names.len()), (TWINS, TWINS));
    for cells in &twins {
        index.add(cells[0], cells[1]);
    }
    let stated = format!("Missing: {}.", index.missing.len());
    if !text.lines().any(|line| line == stated) {
        let text = format!("no line \"{stated}\" ({})", index.missing.join(" "));
        index.wrong.push(text);
    }
    assert!(index.wrong.is_empty(), "{}", index.wrong.join("\n"));
}
