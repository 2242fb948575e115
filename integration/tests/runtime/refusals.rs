//! Bad input: each with its message, its exit code, and nothing left behind.

use cofferdam_integration::{Case, Limited, need};
use serde_json::{Value, json};

/// Changes the configuration at a JSON pointer, runs, and expects exit code 1 and a text.
fn refused(pointer: &str, value: Value, said: &str) {
    let mut case = Case::new();
    set(&mut case.bundle.config, pointer, value);
    let output = case.run();
    assert_eq!(output.code, 1, "{pointer}: {output}");
    assert!(
        output.stderr.to_lowercase().contains(&said.to_lowercase()),
        "{pointer} does not say {said:?}: {output}"
    );
    case.finish();
}

/// Sets what a JSON pointer names, whether it is there or not.
pub(crate) fn set(config: &mut Value, pointer: &str, value: Value) {
    if let Some(old) = config.pointer_mut(pointer) {
        *old = value;
        return;
    }
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = config
        .pointer_mut(parent)
        .unwrap_or_else(|| panic!("{pointer}"));
    parent[key] = value;
}

#[test]
fn a_mount_label_without_selinux() {
    need!(Containers, Busybox);
    if !std::path::Path::new("/sys/fs/selinux/enforce").exists() {
        refused("/linux/mountLabel", json!("u:r:t:s0"), "selinux");
    }
}

#[test]
fn a_process_must_be_there_and_complete() {
    need!(Containers, Busybox);
    refused(
        "/process",
        Value::Null,
        "process property must not be empty",
    );
    refused("/process/args", json!([]), "args must not be empty");
    refused("/process/cwd", json!(""), "Cwd property must not be empty");
    refused(
        "/process/cwd",
        json!("relative"),
        "Cwd must be an absolute path",
    );
    refused(
        "/process/args",
        json!(["/no/such/program"]),
        "no such file or directory",
    );
    refused(
        "/process/args",
        json!(["no-such-program"]),
        "executable file not found in $PATH",
    );
    refused("/process/args", json!(["/etc/passwd"]), "permission denied");
}

#[test]
fn the_root_must_be_there() {
    need!(Containers, Busybox);
    refused(
        "/root/path",
        json!("no-such-directory"),
        "no-such-directory",
    );
    refused("/root", Value::Null, "root must be specified");
}

#[test]
fn what_is_unknown_is_named() {
    need!(Containers, Busybox);
    refused(
        "/process/rlimits",
        json!([{ "type": "RLIMIT_NOSUCH", "soft": 1, "hard": 1 }]),
        "RLIMIT_NOSUCH",
    );
    refused(
        "/linux/namespaces",
        json!([{ "type": "mount" }, { "type": "nosuch" }]),
        "nosuch",
    );
    refused(
        "/linux/seccomp",
        json!({ "defaultAction": "SCMP_ACT_NOSUCH" }),
        "SCMP_ACT_NOSUCH",
    );
    refused("/linux/rootfsPropagation", json!("nosuch"), "nosuch");
}

#[test]
fn namespaces_are_needed_for_what_they_separate() {
    need!(Root, Busybox, Cofferdam);
    refused(
        "/linux/namespaces",
        json!([{ "type": "mount" }, { "type": "mount" }]),
        "malformed spec file: duplicated ns",
    );
    refused(
        "/linux/namespaces",
        json!([{ "type": "pid" }, { "type": "mount" }]),
        "UTS namespace",
    );
    refused(
        "/linux/timeOffsets",
        json!({ "boottime": { "secs": 1 } }),
        "time namespace",
    );
}

#[test]
fn mounts_must_make_sense() {
    need!(Containers, Busybox);
    refused(
        "/mounts/0",
        json!({ "destination": "/mnt", "type": "nosuchfs", "source": "x" }),
        "no such device",
    );
    refused(
        "/mounts/0",
        json!({ "destination": "/mnt", "source": "/no/such/source", "options": ["bind"] }),
        "no such file or directory",
    );
    refused(
        "/mounts/0",
        json!({ "destination": "/mnt", "type": "tmpfs", "source": "x", "options": ["size=some"] }),
        "error mounting \\\"x\\\" to rootfs at \\\"/mnt\\\": mount (tmpfs: Bad value for 'size'): invalid argument",
    );
}

#[test]
fn text_that_is_no_configuration_is_refused() {
    need!(Containers, Busybox, Cofferdam);
    for text in [
        "",
        "{",
        "[]",
        "null",
        "\"x\"",
        "{\"process\": 5}",
        "{\"linux\": {\"uidMappings\": \"x\"}}",
    ] {
        let case = Case::new();
        let command = case.command(&["run", &case.id]);
        std::fs::write(case.bundle.path().join("config.json"), text).unwrap();
        let output = command.output();
        assert_eq!(output.code, 1, "{text}: {output}");
        assert!(
            !output.stderr.is_empty() && !output.stderr.contains("panicked"),
            "{text}: {output}"
        );
        case.finish();
    }
    let case = Case::new();
    let command = case.command(&["run", &case.id]);
    std::fs::remove_file(case.bundle.path().join("config.json")).unwrap();
    let _ = command
        .output()
        .failed(1, "JSON specification file config.json not found");
    case.finish();
}

#[test]
fn ids_are_plain_file_names() {
    need!(Containers, Busybox);
    let case = Case::new();
    for id in ["a/b", "..", ".", "a b", "a\nb", "ä", "/", "a:b"] {
        for verb in ["run", "create", "state", "delete", "kill"] {
            let output = case.call(&[verb, id]);
            assert_eq!(output.code, 1, "{verb} {id:?}: {output}");
            assert!(
                output.stderr.contains("invalid") || output.stderr.contains("does not exist"),
                "{verb} {id:?}: {output}"
            );
        }
    }
    assert_ne!(case.call(&["run", ""]).code, 0);
    case.finish();
}

/// Makes the directory `$0` a second root with all that is in the first, and calls there. Of `$1`
/// it depends whether it is a mount point.
const SECOND_ROOT: &str = r#"
    set -e
    kind=$1 && shift
    [ "$kind" = directory ] || mount --bind "$0" "$0"
    for entry in /*; do
        if [ -L "$entry" ]; then
            cp -P "$entry" "$0/"
        elif [ -d "$entry" ]; then
            mkdir -p "$0$entry"
            mount --rbind "$entry" "$0$entry"
        fi
    done
    exec chroot "$0" "$@"
"#;

#[test]
fn in_a_chroot_the_root_has_to_be_a_mount_point() {
    need!(Root, Busybox, Cofferdam);
    let case = Case::new();
    case.bundle.write();
    for (kind, code) in [("mount", 0), ("directory", 1)] {
        let root = tempfile::tempdir().unwrap();
        let output = Limited::new("unshare")
            .args(["--mount", "sh", "-c", SECOND_ROOT])
            .args([root.path().as_os_str(), kind.as_ref()])
            .args([case.program.as_os_str(), "--root".as_ref()])
            .args([case.root().as_os_str(), "run".as_ref(), "--bundle".as_ref()])
            .args([case.bundle.path().as_os_str(), case.id.as_ref()])
            .output();
        assert_eq!(output.code, code, "{kind}: {output}");
        let said = "set the propagation of /: the root directory of this process is no mount point";
        assert_eq!(output.stderr.contains(said), code == 1, "{kind}: {output}");
    }
    case.finish();
}
