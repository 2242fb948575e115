//! The manual pages are what `man` and `mandoc` take without a complaint.

use cofferdam_integration::{Limited, need};

use crate::repository;

#[test]
fn no_page_has_a_mistake() {
    need!(Mandoc);
    let pages: Vec<_> = std::fs::read_dir(repository("docs/man"))
        .unwrap()
        .map(|page| page.unwrap().path())
        .collect();
    assert!(pages.len() > 20, "{pages:?}");
    for page in pages {
        let page = page.to_str().unwrap();
        let linted = Limited::new("mandoc").args(["-T", "lint", page]).output();
        assert_eq!((linted.code, linted.stdout.as_str()), (0, ""), "{page}");
        let formatted = Limited::new("man")
            .args(["--warnings", "-E", "UTF-8", "-Tutf8", "-Z", "-l", page])
            .output()
            .ok();
        assert_eq!(formatted.stderr, "", "{page}");
        // What whatis(1) finds.
        let named = Limited::new("lexgrog").args([page]).output().ok();
        assert!(named.stdout.contains(" - "), "{named}");
    }
}
