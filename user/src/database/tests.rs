use super::*;
use crate::{ErrorKind, MAX_FILE_BYTES};
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode as FileMode, mknodat};

fn root_with(passwd: impl FnOnce(&Path)) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("etc")).unwrap();
    passwd(&directory.path().join("etc/passwd"));
    directory
}

fn open_db(directory: &tempfile::TempDir) -> Result<UserDb> {
    UserDb::open_at(File::open(directory.path()).unwrap())
}

fn uid(raw: u32) -> Uid {
    Uid::new(raw).unwrap()
}

#[test]
fn missing_files_are_empty() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(open_db(&directory).unwrap(), UserDb::default());
}

#[test]
fn both_files_are_read() {
    let directory = root_with(|path| fs::write(path, "web:x:33:34::/srv:\n").unwrap());
    fs::write(directory.path().join("etc/group"), "log:x:50:web\n").unwrap();
    let db = open_db(&directory).unwrap();
    assert_eq!(db.user_by_name("web").unwrap().unwrap().uid, Some(uid(33)));
    assert_eq!(db.user_by_name("we").unwrap(), None);
    assert_eq!(db.group_by_name("log").unwrap().unwrap().gid, Gid::new(50));
    assert_eq!(
        db.group_by_id(Gid::new(50).unwrap()).unwrap().unwrap().name,
        "log"
    );
    assert_eq!(db.home(uid(33)), Some(Path::new("/srv")));
}

#[test]
fn owners_without_entry_are_shown_as_numbers() {
    let db = UserDb::from_bytes("web:x:33:34::/srv:\n", "");
    assert_eq!(db.owner_name(uid(33)), "web");
    assert_eq!(db.owner_name(uid(34)), "#34");
}

#[test]
fn links_stay_inside_the_root() {
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("passwd");
    fs::write(&secret, "outside:x:1:1:::\n").unwrap();
    let directory = root_with(|path| symlink(&secret, path).unwrap());
    assert_eq!(open_db(&directory).unwrap(), UserDb::default());

    fs::write(directory.path().join("real"), "inside:x:2:2:::\n").unwrap();
    fs::remove_file(directory.path().join("etc/passwd")).unwrap();
    symlink("../../../../real", directory.path().join("etc/passwd")).unwrap();
    let db = open_db(&directory).unwrap();
    assert!(db.user_by_name("inside").unwrap().is_some());
}

#[test]
fn what_is_no_regular_file_is_not_opened() {
    let node = |kind: FileType, device| {
        move |path: &Path| mknodat(CWD, path, kind, FileMode::from_raw_mode(0o666), device).unwrap()
    };
    let mut roots = vec![
        root_with(|path| fs::create_dir(path).unwrap()),
        root_with(node(FileType::Fifo, 0)),
    ];
    if Uid::current() == Uid::ROOT {
        roots.push(root_with(node(
            FileType::CharacterDevice,
            rustix::fs::makedev(1, 5),
        )));
        roots.push(root_with(node(
            FileType::CharacterDevice,
            rustix::fs::makedev(5, 0),
        )));
    } else {
        eprintln!("skipped device nodes: needs root");
    }
    for root in roots {
        let before = Instant::now();
        let error = open_db(&root).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotAFile);
        assert_eq!(error.path(), Some(Path::new("etc/passwd")));
        assert!(before.elapsed() < Duration::from_secs(1));
    }
}

#[test]
fn procfs_is_refused() {
    // With the machine's own root the link leads to a regular file that never ends.
    let kmsg = read_below(File::open("/").unwrap(), Path::new("proc/kmsg"));
    match kmsg {
        Err(error) => assert_eq!(error.kind(), ErrorKind::NotAFile),
        Ok(bytes) => assert_eq!(bytes, None, "only a kernel without the file has none"),
    }
}

#[test]
fn loops_are_errors() {
    let directory = root_with(|path| symlink("passwd", path).unwrap());
    let error = open_db(&directory).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert_eq!(
        error.raw_os_error(),
        Some(rustix::io::Errno::LOOP.raw_os_error())
    );
    assert_eq!(error.to_string(), "open etc/passwd");
}

#[test]
fn a_huge_file_is_refused_unread() {
    let directory = root_with(|path| {
        File::create(path).unwrap().set_len(8 << 30).unwrap();
    });
    let before = Instant::now();
    assert_eq!(open_db(&directory).unwrap_err().kind(), ErrorKind::TooLarge);
    assert!(before.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_file_of_exactly_the_limit_is_read() {
    let limit = usize::try_from(MAX_FILE_BYTES).unwrap();
    let mut bytes = b"last:x:9:9:::\n".to_vec();
    bytes.resize(limit, b'\n');
    let directory = root_with(|path| fs::write(path, &bytes).unwrap());
    assert_eq!(open_db(&directory).unwrap().passwd.len(), limit);
}

#[test]
fn a_look_up_ends_at_a_broken_limit() {
    let mut passwd = b"first:x:1:1:::\n".to_vec();
    passwd.resize(passwd.len() + crate::MAX_LINE_BYTES + 1, b'x');
    passwd.extend_from_slice(b"\nhidden:x:2:2:::\n");
    let db = UserDb::from_bytes(passwd, "");
    assert!(db.user_by_name("first").unwrap().is_some());
    assert_eq!(
        db.user_by_name("hidden").unwrap_err().kind(),
        ErrorKind::TooLarge
    );
    assert_eq!(
        db.user_by_id(uid(2)).unwrap_err().kind(),
        ErrorKind::TooLarge
    );
}
