//! What a mount that cannot be made says.

use std::os::unix::fs::symlink;

use cofferdam_integration::{Case, need};
use serde_json::json;

/// Engines look for this text, and add a hint.
#[test]
fn a_directory_and_a_file_do_not_go_together() {
    need!(Containers, Busybox);
    let host = tempfile::tempdir().unwrap();
    std::fs::write(host.path().join("file"), "").unwrap();
    let directory = host.path().to_str().unwrap();
    let file = format!("{directory}/file");
    let bind = |source: &str, target: &str| json!({ "destination": target, "type": "bind", "source": source, "options": ["rbind"] });
    let new = |kind: &str| json!({ "destination": "/file", "type": kind, "source": kind });
    for mount in [
        bind(directory, "/file"),
        bind(&file, "/directory"),
        bind(directory, "/link"),
        new("tmpfs"),
        new("mqueue"),
        new("devpts"),
        new("cgroup"),
        new("proc"),
    ] {
        let mut case = Case::new();
        let rootfs = case.bundle.rootfs();
        std::fs::write(rootfs.join("file"), "").unwrap();
        std::fs::create_dir(rootfs.join("directory")).unwrap();
        symlink("file", rootfs.join("link")).unwrap();
        case.bundle.mount(mount);
        let output = case.run();
        assert_eq!(output.code, 1, "{output}");
        assert!(output.stderr.contains("ot a directory"), "{output}");
        case.finish();
    }
}

#[test]
fn nothing_is_mounted_over_procfs_and_the_error_says_so() {
    need!(Containers, Busybox);
    let host = tempfile::tempdir().unwrap();
    let source = host.path().to_str().unwrap();
    for (destination, said) in [
        ("/proc", "cannot be mounted because it is not of type proc"),
        ("/proc/self", "cannot be mounted because it is inside /proc"),
        ("/link", "cannot be mounted because it is inside /proc"),
        ("/link/new", "cannot be mounted because it is inside /proc"),
        (
            "/link/new/deep",
            "cannot be mounted because it is inside /proc",
        ),
    ] {
        let mut case = Case::new();
        symlink("/proc", case.bundle.rootfs().join("link")).unwrap();
        case.bundle.mount(
            json!({ "destination": destination, "type": "bind", "source": source, "options": ["bind"] }),
        );
        let output = case.run().failed(1, said);
        assert!(!output.stderr.contains("bad message"), "{output}");
        case.finish();
    }
}

/// The path that could not be handled, as the configuration has it.
#[test]
fn a_protected_path_that_fails_is_named() {
    need!(Containers, Busybox);
    for (list, said) in [
        ("readonlyPaths", "make paths read-only (/loop/x)"),
        ("maskedPaths", "mask paths (/loop/x)"),
    ] {
        let mut case = Case::new();
        symlink("loop", case.bundle.rootfs().join("loop")).unwrap();
        case.bundle.config["linux"][list] =
            json!(["/proc/sys", "/missing", "/etc", "/loop/x", "/proc/bus"]);
        let _ = case.run().failed(1, said);
        case.finish();
    }
    // One on a mount is named as a whole.
    let mut case = Case::new();
    case.bundle
        .mount(json!({ "destination": "/run", "type": "tmpfs", "source": "tmpfs" }));
    case.bundle.config["linux"]["maskedPaths"] = json!(["/proc/self/exe/x"]);
    let _ = case.run().failed(1, "mask paths (/proc/self/exe/x)");
    case.finish();
}

#[test]
fn a_null_device_that_is_none_is_called_so() {
    need!(Root, Busybox);
    let mut case = Case::new();
    let device = tempfile::tempdir().unwrap();
    std::fs::write(device.path().join("null"), "").unwrap();
    let source = device.path().to_str().unwrap();
    case.bundle.mount(
        json!({ "destination": "/dev", "type": "bind", "source": source, "options": ["rbind"] }),
    );
    case.bundle.config["linux"]["maskedPaths"] = json!(["/proc/keys"]);
    let output = case.run();
    assert_eq!(output.code, 1);
    assert!(
        output.stderr.contains("is not the null device") && !output.stderr.contains("bad message"),
        "{output}"
    );
    case.finish();
}

/// A contradiction to what the host has set on the source is an error that names the flags.
#[test]
fn locked_flags_are_named() {
    need!(Root, Busybox);
    for (present, asked, said) in [
        (
            "nosuid,nodev,noexec",
            json!(["bind", "exec", "suid", "dev"]),
            "cannot clear locked flags MS_NOSUID|MS_NODEV|MS_NOEXEC: operation not permitted",
        ),
        (
            "ro",
            json!(["bind", "rw"]),
            "cannot clear locked flags MS_RDONLY: ",
        ),
        (
            "noatime",
            json!(["bind", "strictatime"]),
            "cannot change locked atime flags MS_NOATIME: ",
        ),
        (
            "relatime",
            json!(["bind", "noatime", "nodev"]),
            "cannot change locked atime flags MS_RELATIME: ",
        ),
        (
            "nosuid,noexec",
            json!(["rbind", "rexec"]),
            "cannot clear locked flags MS_NOEXEC: ",
        ),
    ] {
        let mut case = Case::new();
        case.bundle.user_namespace(100_000, 65_536);
        let source = case.bundle.path().join("source");
        std::fs::create_dir(&source).unwrap();
        let source = source.to_str().unwrap();
        case.bundle.mount(
            json!({ "destination": "/mnt", "type": "bind", "source": source, "options": asked }),
        );
        let output = case.run_after(&format!("mount -t tmpfs -o {present} tmpfs {source}"));
        let _ = output.failed(1, said);
        case.finish();
    }
}
