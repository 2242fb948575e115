//! Mount points in directories of the image that somebody else owns, that are sticky, or that
//! cannot be changed (CVE-2024-5154, CVE-2025-24965): nothing is made outside, and nothing is
//! skipped.

use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use cofferdam_integration::{Case, need};
use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};
use serde_json::json;

use crate::host::Host;
use crate::{mount_table, victim};

/// Where each of the mounts of this file is to be.
const PLACES: [&str; 3] = ["/shared/directory", "/shared/new/deep/er", "/shared/file"];

/// A container with mounts in `/shared` of its image, which belongs to a user and is sticky.
fn shared() -> Case {
    let mut case = Case::new();
    victim::writable(&mut case);
    let directory = case.bundle.rootfs().join("shared");
    std::fs::create_dir(&directory).unwrap();
    std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o1777)).unwrap();
    chown(&directory, Some(1000), Some(1000)).unwrap();
    let note = case.bundle.path().join("note");
    std::fs::write(&note, "x").unwrap();
    for place in &PLACES[..2] {
        case.bundle
            .mount(json!({ "destination": place, "type": "tmpfs", "source": "tmpfs" }));
    }
    case.bundle.mount(victim::bind(&note, PLACES[2]));
    case.bundle.script("cat /proc/self/mountinfo");
    case
}

#[track_caller]
fn judge(host: &Host, case: &Case, what: &str) -> bool {
    let output = case.run();
    victim::sane(&output);
    if output.code == 0 {
        let mounts = mount_table::parse(&output.stdout);
        let note = case.bundle.path().join("note");
        let allowed = [&*case.bundle.rootfs(), &*note];
        mount_table::nothing_foreign(host, &mounts, &allowed, what);
        let shared = mounts.iter().filter(|mount| {
            let target = mount.target.to_string_lossy();
            // What a link of the image leads to is in the image as well.
            target.contains("shared") || target.contains("canary")
        });
        assert_eq!(shared.count(), PLACES.len(), "{what}: {output}");
    }
    host.unchanged(&format!("{what}: {output}"));
    case.nothing_left();
    output.code == 0
}

#[test]
fn a_sticky_directory_of_another_user_is_one_as_any_other() {
    need!(Root, Busybox);
    let host = Host::new();
    let case = shared();
    assert!(judge(&host, &case, "a sticky directory"), "it is refused");
    case.finish();
    // Links of that user (fs.protected_symlinks), and files (fs.protected_regular).
    for place in ["directory", "new", "file"] {
        let case = shared();
        let link = case.bundle.rootfs().join("shared").join(place);
        symlink(host.canary().join(place), &link).unwrap();
        rustix::fs::chownat(
            rustix::fs::CWD,
            &link,
            Some(rustix::fs::Uid::from_raw(1001)),
            None,
            rustix::fs::AtFlags::SYMLINK_NOFOLLOW,
        )
        .unwrap();
        judge(&host, &case, &format!("a link at {place}"));
        case.finish();
    }
    let case = shared();
    let file = case.bundle.rootfs().join("shared/file");
    std::fs::write(&file, "of another user").unwrap();
    chown(&file, Some(1001), Some(1001)).unwrap();
    assert!(
        judge(&host, &case, "a file of another user"),
        "it is refused"
    );
    assert_eq!(std::fs::read(&file).unwrap(), b"of another user");
    case.finish();
}

/// What chattr(1) calls immutable, until this is dropped.
struct Immutable<'a>(&'a Path);

impl<'a> Immutable<'a> {
    /// `None` where the file system has no such flag.
    fn new(path: &'a Path) -> Option<Self> {
        set(path, true).then_some(Self(path))
    }
}

impl Drop for Immutable<'_> {
    fn drop(&mut self) {
        set(self.0, false);
    }
}

fn set(path: &Path, on: bool) -> bool {
    let file = std::fs::File::open(path).unwrap();
    let flags = ioctl_getflags(&file);
    flags.is_ok_and(|mut flags| {
        flags.set(IFlags::IMMUTABLE, on);
        ioctl_setflags(&file, flags).is_ok()
    })
}

#[test]
fn a_mount_point_in_an_immutable_directory_is_refused() {
    need!(Root, Busybox);
    let host = Host::new();
    let case = shared();
    let directory = case.bundle.rootfs().join("shared");
    let Some(immutable) = Immutable::new(&directory) else {
        cofferdam_integration::needs::skip(
            "a_mount_point_in_an_immutable_directory_is_refused",
            "the file system has no immutable files",
        );
        return;
    };
    assert!(
        !judge(&host, &case, "an immutable directory"),
        "the mounts are nowhere, and nothing is said"
    );
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);
    drop(immutable);
    assert!(judge(&host, &case, "a directory"), "it is refused");
    // With the mount points there, nothing is to be made.
    let _immutable = Immutable::new(&directory);
    assert!(
        judge(&host, &case, "an immutable directory"),
        "it is refused"
    );
    drop(_immutable);
    case.finish();
}
