use super::*;
use crate::{ErrorKind, file_label, set_file};
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;

fn label() -> Label {
    "system_u:object_r:container_file_t:s0:c1,c2"
        .parse()
        .unwrap()
}

/// A tree of three directories, a file and a link that leads out, or `None` where labels cannot be
/// written.
fn tree() -> Option<(tempfile::TempDir, tempfile::TempDir)> {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("victim"), "").unwrap();
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("a/b")).unwrap();
    fs::write(directory.path().join("a/file"), "").unwrap();
    symlink(outside.path(), directory.path().join("a/link")).unwrap();
    symlink(outside.path().join("victim"), directory.path().join("link")).unwrap();
    match set_file(tempfile::tempfile().unwrap(), &label()) {
        Ok(()) => Some((directory, outside)),
        Err(error) => {
            eprintln!("skipped: {error}: {:?}", error.raw_os_error());
            None
        }
    }
}

fn label_of(path: &Path) -> Option<String> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty()).unwrap();
    file_label(file).unwrap().map(|label| label.to_string())
}

fn start(directory: &tempfile::TempDir) -> File {
    File::open(directory.path()).unwrap()
}

#[test]
fn a_private_tree_gets_the_label_everywhere() {
    let Some((directory, _outside)) = tree() else {
        return;
    };
    let done = relabel(
        start(&directory),
        &label(),
        Share::Private,
        RelabelLimits::default(),
    )
    .unwrap();
    assert_eq!((done.changed, done.unchanged, done.unsupported), (6, 0, 0));
    for path in ["", "a", "a/b", "a/file", "a/link", "link"] {
        let found = label_of(&directory.path().join(path));
        assert_eq!(found.as_deref(), Some(label().as_str()), "{path}");
    }
    let again = relabel(
        start(&directory),
        &label(),
        Share::Private,
        RelabelLimits::default(),
    )
    .unwrap();
    assert_eq!((again.changed, again.unchanged), (0, 6));
}

#[test]
fn a_shared_tree_gets_no_categories() {
    let Some((directory, _outside)) = tree() else {
        return;
    };
    relabel(
        start(&directory),
        &label(),
        Share::Shared,
        RelabelLimits::default(),
    )
    .unwrap();
    let found = label_of(&directory.path().join("a/file"));
    assert_eq!(
        found.as_deref(),
        Some("system_u:object_r:container_file_t:s0")
    );
}

#[test]
fn links_do_not_lead_out() {
    let Some((directory, outside)) = tree() else {
        return;
    };
    // None, or what the policy gave it.
    let labels =
        || [outside.path().to_owned(), outside.path().join("victim")].map(|path| label_of(&path));
    let before = labels();
    relabel(
        start(&directory),
        &label(),
        Share::Private,
        RelabelLimits::default(),
    )
    .unwrap();
    assert_eq!(labels(), before);
}

#[test]
fn a_single_file() {
    let Some((directory, _outside)) = tree() else {
        return;
    };
    let parent = directory.path().join("a");
    let before = label_of(&parent);
    let file = File::open(parent.join("file")).unwrap();
    let done = relabel(file, &label(), Share::Private, RelabelLimits::default()).unwrap();
    assert_eq!(done.changed, 1);
    assert_eq!(label_of(&parent), before);
}

#[test]
fn limits_end_the_walk() {
    let Some((directory, _outside)) = tree() else {
        return;
    };
    let with = |files, depth| {
        relabel(
            start(&directory),
            &label(),
            Share::Private,
            RelabelLimits { files, depth },
        )
        .map(drop)
        .map_err(|error| (error.kind(), error.to_string()))
    };
    assert_eq!(
        with(5, 9),
        Err((ErrorKind::TooLarge, "more than 5 files to relabel".into()))
    );
    assert_eq!(
        with(9, 2),
        Err((ErrorKind::TooLarge, "more than 2 levels to relabel".into()))
    );
    assert_eq!(with(6, 3), Ok(()));
}

#[test]
fn directories_of_the_host_are_protected_under_any_name() {
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("link");
    symlink("/etc", &link).unwrap();
    for path in [
        Path::new("/"),
        Path::new("/etc"),
        Path::new("/usr/../usr"),
        &link,
    ] {
        let error = relabel(
            File::open(path).unwrap(),
            &label(),
            Share::Shared,
            RelabelLimits::default(),
        );
        assert_eq!(
            error.unwrap_err().kind(),
            ErrorKind::Protected,
            "{}",
            path.display()
        );
    }
}
