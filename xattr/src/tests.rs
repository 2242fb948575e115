//! Against the real kernel, in the temporary directory.

use super::*;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

const NAME: &str = "user.cofferdam";
/// Root may put this one on symbolic links too.
const TRUSTED: &str = "trusted.cofferdam";

/// A file on a file system with attributes, or `None` after a line that says what is missing.
fn file_with(name: &str) -> Option<(tempfile::TempDir, PathBuf)> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    fs::write(&path, "").unwrap();
    match lset(&path, name, b"probe", SetMode::Create) {
        Ok(()) => {
            lremove(&path, name).unwrap();
            Some((directory, path))
        }
        Err(error) => {
            eprintln!("skipped: {error}: {:?}", error.raw_os_error());
            None
        }
    }
}

fn o_path(path: &Path) -> OwnedFd {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    open(path, flags, Mode::empty()).unwrap()
}

#[test]
fn written_values_read_back_by_path_by_descriptor_and_by_handle() {
    let Some((_directory, path)) = file_with(NAME) else {
        return;
    };
    let file = File::open(&path).unwrap();
    let handle = o_path(&path);
    for value in [
        &b""[..],
        b"short",
        b"with\0nul",
        &[b'x'; 128],
        &[b'y'; 129],
        &[b'z'; 1000],
    ] {
        set(&file, NAME, value, SetMode::Any).unwrap();
        assert_eq!(get(&file, NAME).unwrap().unwrap(), value);
        assert_eq!(get(&handle, NAME).unwrap().unwrap(), value);
        assert_eq!(lget(&path, NAME).unwrap().unwrap(), value);
    }
    set(&handle, NAME, b"by handle", SetMode::Replace).unwrap();
    assert_eq!(lget(&path, NAME).unwrap().unwrap(), b"by handle");
    assert!(remove(&handle, NAME).unwrap());
    assert!(!remove(&file, NAME).unwrap());
}

#[test]
fn absent_is_none_and_not_an_error() {
    let Some((_directory, path)) = file_with(NAME) else {
        return;
    };
    assert_eq!(lget(&path, NAME).unwrap(), None);
    assert_eq!(get(o_path(&path), NAME).unwrap(), None);
    assert!(!lremove(&path, NAME).unwrap());
}

#[test]
fn create_and_replace() {
    let Some((_directory, path)) = file_with(NAME) else {
        return;
    };
    let error = lset(&path, NAME, b"1", SetMode::Replace).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    lset(&path, NAME, b"1", SetMode::Create).unwrap();
    let error = lset(&path, NAME, b"2", SetMode::Create).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    lset(&path, NAME, b"3", SetMode::Replace).unwrap();
    assert_eq!(lget(&path, NAME).unwrap().unwrap(), b"3");
}

#[test]
fn lists_hold_every_name() {
    let Some((_directory, path)) = file_with(NAME) else {
        return;
    };
    let handle = o_path(&path);
    let mut wanted: Vec<_> = (0..40)
        .map(|n| std::ffi::OsString::from(format!("user.number-{n}")))
        .collect();
    for name in &wanted {
        lset(&path, name, b"", SetMode::Create).unwrap();
    }
    wanted.sort();
    for names in [llist(&path).unwrap(), list(&handle).unwrap()] {
        let mut listed: Vec<_> = names
            .iter()
            .filter(|name| name.as_encoded_bytes().starts_with(b"user."))
            .map(std::ffi::OsStr::to_owned)
            .collect();
        listed.sort();
        assert_eq!(listed, wanted);
        assert!(names.contains("user.number-7"));
        assert!(!names.contains("user.number-"));
        assert!(!names.is_empty());
    }
}

#[test]
fn links_are_not_followed() {
    let Some((directory, path)) = file_with(TRUSTED) else {
        return;
    };
    let link = directory.path().join("link");
    symlink(&path, &link).unwrap();
    lset(&link, TRUSTED, b"link", SetMode::Any).unwrap();
    assert_eq!(lget(&path, TRUSTED).unwrap(), None);
    assert_eq!(get(o_path(&link), TRUSTED).unwrap().unwrap(), b"link");
    set(o_path(&link), TRUSTED, b"again", SetMode::Any).unwrap();
    assert_eq!(lget(&link, TRUSTED).unwrap().unwrap(), b"again");
    assert!(llist(&path).unwrap().iter().all(|name| name != TRUSTED));
}

#[test]
fn a_file_system_without_attributes_is_told_apart() {
    let error = lset("/proc/self/comm", NAME, b"x", SetMode::Any).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(
        error.to_string(),
        "lsetxattr user.cofferdam of /proc/self/comm"
    );
    assert_eq!(error.path(), Some(Path::new("/proc/self/comm")));
}

#[test]
fn other_failures_keep_their_number() {
    let error = lget("/nonexistent", NAME).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert_eq!(error.raw_os_error(), Some(Errno::NOENT.raw_os_error()));
    let error = llist("/nonexistent").unwrap_err();
    assert_eq!(error.to_string(), "llistxattr of /nonexistent");
}

#[test]
fn a_name_with_a_nul_is_an_error_that_names_it() {
    let file = File::open("/dev/null").unwrap();
    let name = "user.a\0b";
    for (error, text) in [
        (get(&file, name).unwrap_err(), "fgetxattr user.a\\0b"),
        (
            set(&file, name, b"", SetMode::Any).unwrap_err(),
            "fsetxattr user.a\\0b",
        ),
        (remove(&file, name).unwrap_err(), "fremovexattr user.a\\0b"),
        (lget("/a", name).unwrap_err(), "lgetxattr user.a\\0b of /a"),
        (
            lset("/a", name, b"", SetMode::Any).unwrap_err(),
            "lsetxattr user.a\\0b of /a",
        ),
        (
            lremove("/a", name).unwrap_err(),
            "lremovexattr user.a\\0b of /a",
        ),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidName);
        assert_eq!(error.raw_os_error(), None);
        assert_eq!(error.to_string(), text);
        assert_eq!(
            format!("{error:#}"),
            format!("{text}: the name has a NUL in it")
        );
        assert_eq!(
            std::io::Error::from(error).kind(),
            std::io::ErrorKind::InvalidInput
        );
    }
}
