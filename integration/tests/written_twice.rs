//! What crates without a common one write twice, because it is small, is the same in all of them.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails, and says why"
)]

use std::path::Path;

/// A function, with the files that have a copy of it.
const COPIES: [(&str, &[&str]); 1] = [(
    "unescape",
    &[
        "cgroups/src/membership.rs",
        "intelrdt/src/mountinfo.rs",
        "runtime/src/plan/host.rs",
        "selinux/src/mountinfo.rs",
    ],
)];

/// The text of a function of a file, its documentation included, whoever may call it.
fn function(file: &str, name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = std::fs::read_to_string(root.join(file)).expect("the file is readable");
    let text = text.replace("\npub(crate) fn ", "\nfn ");
    let start = text
        .find(&format!("\nfn {name}("))
        .unwrap_or_else(|| panic!("{file} has no function {name}"));
    let above = text[..start].rfind("\n\n").map_or(0, |blank| blank + 2);
    let end = text[start..].find("\n}\n").expect("a function has an end");
    text[above..start + end].to_owned()
}

#[test]
fn copies_of_a_function_are_the_same() {
    for (name, files) in COPIES {
        let (first, others) = files.split_first().expect("there are copies");
        for other in others {
            assert_eq!(
                function(first, name),
                function(other, name),
                "{name} of {other} is not that of {first}"
            );
        }
    }
}
