//! The program under test.

use std::path::{Path, PathBuf};

/// The program that `COFFERDAM_BIN` names, else the release build of this workspace.
///
/// # Panics
/// Neither exists.
pub fn under_test() -> PathBuf {
    if let Some(path) = std::env::var_os("COFFERDAM_BIN") {
        return existing(PathBuf::from(path));
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
        PathBuf::from,
    );
    // The static build has a folder of its own and is what is shipped.
    let static_build = target.join("static/cofferdam");
    if static_build.is_file() {
        static_build
    } else {
        existing(target.join("release/cofferdam"))
    }
}

/// The program `nsinit` that was built with the program under test: the one beside it.
///
/// # Panics
/// It does not exist.
pub fn nsinit() -> PathBuf {
    existing(under_test().with_file_name("nsinit"))
}

fn existing(path: PathBuf) -> PathBuf {
    assert!(
        path.is_file(),
        "{}: build the release binary first, or set COFFERDAM_BIN",
        path.display()
    );
    path
}

/// Whether the program under test is ours; another runtime is there only to test the tests.
pub fn is_cofferdam() -> bool {
    under_test()
        .file_name()
        .is_some_and(|name| name == "cofferdam")
}

/// Debian's runc, to compare answers with.
pub fn reference() -> Option<PathBuf> {
    find("runc")
}

/// A program in the search path of root.
pub fn find(name: &str) -> Option<PathBuf> {
    [
        "/usr/local/sbin",
        "/usr/local/bin",
        "/usr/sbin",
        "/usr/bin",
        "/sbin",
        "/bin",
    ]
    .iter()
    .map(|directory| Path::new(directory).join(name))
    .find(|path| path.is_file())
}
