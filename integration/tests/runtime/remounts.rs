//! Entries with `remount`: they change the mount at their destination.

use cofferdam_integration::{Case, need};
use serde_json::json;

/// Fields 6 (mount) and the last (file system) of the mounts at a point.
fn shown(point: &str) -> String {
    format!("grep ' {point} ' /proc/self/mountinfo | sed 's/^[^ ]* [^ ]* [^ ]* [^ ]* [^ ]* //'")
}

#[test]
fn a_file_system_is_remounted_with_its_options() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.mount(json!({
        "destination": "/scratch", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "size=2m"] }));
    case.bundle.mount(json!({
        "destination": "/scratch", "type": "tmpfs", "source": "whatever",
        "options": ["remount", "noexec", "nodev", "size=1m"] }));
    case.bundle.mount(
        json!({ "destination": "/proc", "type": "proc", "source": "proc", "options": ["remount", "ro"] }),
    );
    let script = format!(
        "{}; {}; echo x 2>&1 > /proc/self/comm",
        shown("/scratch"),
        shown("/proc")
    );
    case.bundle.script(&script);
    let output = case.run();
    let lines = output.lines();
    assert!(lines[0].starts_with("rw,nodev,noexec"), "{output}");
    // Newer kernels name further options behind it.
    let size = lines[0]
        .split([',', ' '])
        .find(|part| part.starts_with("size="));
    assert_eq!(size, Some("size=1024k"), "{output}");
    assert!(lines[1].starts_with("ro,"), "{output}");
    assert!(
        format!("{}{}", output.stdout, output.stderr).contains("Read-only file system"),
        "{output}"
    );
    case.finish();
}

/// A read-only remount makes exactly that mount read-only, whatever its source says.
#[test]
fn a_bind_remount_protects_the_mount_that_is_there() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    let shared = tempfile::tempdir().unwrap();
    std::fs::write(shared.path().join("file"), "").unwrap();
    let source = shared.path().to_str().unwrap();
    case.bundle.mount(
        json!({ "destination": "/mnt", "type": "bind", "source": source, "options": ["bind"] }),
    );
    case.bundle.mount(
        json!({ "destination": "/mnt", "source": "/", "options": ["bind", "remount", "ro", "nosuid"] }),
    );
    let output = case.inside(&format!(
        "ls /mnt; {}; touch /mnt/x 2>&1 || true",
        shown("/mnt")
    ));
    assert_eq!(output.lines()[0], "file");
    assert!(output.lines()[1].starts_with("ro,nosuid"), "{output}");
    assert!(
        output.lines()[2].contains("Read-only file system"),
        "{output}"
    );
    assert_eq!(output.lines().len(), 3, "one mount: {output}");
    assert!(!shared.path().join("x").exists());
    case.finish();
}

/// A symbolic link of the image leads a remount to no other mount of the container.
#[test]
fn a_remount_finds_its_mount_by_the_entry_that_made_it() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    std::os::unix::fs::symlink("real", case.bundle.rootfs().join("link")).unwrap();
    for options in [json!(["size=1m"]), json!(["remount", "ro"])] {
        case.bundle.mount(
            json!({ "destination": "/link", "type": "tmpfs", "source": "tmpfs", "options": options }),
        );
    }
    let output = case.inside(&shown("/real"));
    assert!(output.stdout.starts_with("ro,"), "{output}");
    assert_eq!(output.lines().len(), 1, "{output}");
    case.finish();
}

#[test]
fn there_must_be_a_mount() {
    need!(Containers, Busybox);
    for options in [json!(["remount", "ro"]), json!(["bind", "remount", "ro"])] {
        let mut case = Case::new();
        case.bundle.mount(
            json!({ "destination": "/mnt", "type": "tmpfs", "source": "/etc", "options": options }),
        );
        let _ = case.run().failed(1, "invalid argument");
        case.finish();
    }
}

/// In a user namespace what the host has set stays, and a contradiction to it is an error.
#[test]
fn a_remount_in_a_user_namespace_keeps_what_is_locked() {
    need!(Root, Busybox);
    let mut case = Case::new();
    case.bundle.user_namespace(100_000, 65_536);
    case.bundle.mount(
        json!({ "destination": "/mnt", "source": "/proc", "options": ["rbind", "rprivate"] }),
    );
    case.bundle.mount(
        json!({ "destination": "/mnt", "source": "", "options": ["bind", "remount", "ro"] }),
    );
    let output = case.inside(&shown("/mnt"));
    assert!(output.stdout.starts_with("ro,"), "{output}");
    case.finish();
}
