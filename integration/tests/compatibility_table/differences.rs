//! Every row of docs/compatibility.md names a reason and tests, and the tests exist.

use crate::{document, exists, quoted, rows};

#[test]
fn every_difference_has_a_reason_and_a_test() {
    let text = document("docs/compatibility.md");
    let rows = rows(&text, "what");
    let mut wrong = Vec::new();
    for cells in &rows {
        let [what, _, _, why, tests] = cells[..] else {
            wrong.push(format!("{cells:?}: {} cells, not 5", cells.len()));
            continue;
        };
        if why.is_empty() {
            wrong.push(format!("{what}: no reason"));
        }
        let tests: Vec<&str> = quoted(tests).collect();
        if tests.is_empty() {
            wrong.push(format!("{what}: no test"));
        }
        for test in tests.into_iter().filter(|test| !exists(test)) {
            wrong.push(format!("{what}: no test is called {test}"));
        }
    }
    assert!(!rows.is_empty(), "docs/compatibility.md has no rows");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
