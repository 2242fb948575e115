//! The commands of the documentation that can be run anywhere do what it says: blocks of code that
//! begin with ```` ```sh run ````.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use cofferdam_integration::{Limited, need, program};

use crate::repository;

const BEGIN: &str = "```sh run\n";
const END: &str = "```\n";

/// The blocks of a page, in their order.
fn blocks(page: &str) -> Vec<&str> {
    let after = page.split(BEGIN).skip(1);
    after
        .map(|text| text.split_once(END).expect("the block has an end").0)
        .collect()
}

/// Runs the blocks of a page in one shell on a terminal; a shell in a container is left at once.
/// `cofferdam` is the program under test, with a state root of its own.
fn run(page: &str) {
    let text = fs::read_to_string(repository(page)).unwrap();
    let blocks = blocks(&text);
    assert!(!blocks.is_empty(), "{page} has no block that is run");
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let wrapper = bin.join("cofferdam");
    let program = program::under_test();
    let lines = format!(
        "#!/bin/sh\nexec '{}' --root '{}/state' \"$@\"\n",
        program.display(),
        folder.path().display()
    );
    fs::write(&wrapper, lines).unwrap();
    fs::set_permissions(&wrapper, PermissionsExt::from_mode(0o755)).unwrap();
    let typed = folder.path().join("typed");
    fs::write(&typed, format!("set -eux\n{}", blocks.concat())).unwrap();

    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let output = Limited::new("script")
        .args(["--quiet", "--return", "--command"])
        .args([format!("sh {}", typed.display())])
        .args(["/dev/null"])
        .env("PATH", path)
        .directory(folder.path())
        .input("exit\n")
        .output()
        .ok();
    // What is typed into a container ends it; what is left would be listed.
    let left = Limited::new(&wrapper)
        .args(["list", "--quiet"])
        .output()
        .ok();
    assert_eq!(left.stdout, "", "{output}");
}

#[test]
fn a_container_by_hand() {
    need!(Containers, Busybox, Script, Cofferdam);
    run("README.md");
}

#[test]
fn the_first_page_of_the_book() {
    need!(Containers, Busybox, Script, Cofferdam);
    run("docs/start.md");
}
