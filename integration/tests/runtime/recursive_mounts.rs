//! Recursive mounts and attributes on the kernel.

use cofferdam_integration::{Case, need};
use serde_json::{Value, json};

/// A case with a bind of a source that has mounts below, and the script that makes them.
fn tree(options: &Value) -> (Case, String) {
    let mut case = Case::new();
    let source = case.bundle.path().join("source");
    std::fs::create_dir(&source).unwrap();
    let source = source.to_str().unwrap();
    case.bundle.mount(
        json!({ "destination": "/mnt", "type": "bind", "source": source, "options": options }),
    );
    let script = format!(
        "mount -t tmpfs tmpfs {source}; mkdir {source}/a; mount -t tmpfs -o nodev tmpfs {source}/a; \
         mkdir {source}/a/b; mount -t tmpfs tmpfs {source}/a/b"
    );
    (case, script)
}

/// Mount point and options of all mounts below `/mnt`.
const SHOWN: &str = "grep ' /mnt' /proc/self/mountinfo | cut -d' ' -f5,6";

#[test]
fn recursive_attributes_are_on_every_mount_of_a_tree() {
    need!(Root, Busybox);
    for (options, expected) in [
        (
            json!(["rbind", "rro"]),
            [
                "/mnt ro,relatime",
                "/mnt/a ro,nodev,relatime",
                "/mnt/a/b ro,relatime",
            ],
        ),
        (
            json!(["rbind", "rprivate", "rnosuid", "rnoatime", "rdev"]),
            [
                "/mnt rw,nosuid,noatime",
                "/mnt/a rw,nosuid,noatime",
                "/mnt/a/b rw,nosuid,noatime",
            ],
        ),
        // Without the letter only the top is meant, and the recursive ones come on top of the
        // others.
        (
            json!(["rbind", "ro", "rslave"]),
            [
                "/mnt ro,relatime",
                "/mnt/a rw,nodev,relatime",
                "/mnt/a/b rw,relatime",
            ],
        ),
        (
            json!(["rbind", "ro", "rrw", "rnoexec", "rshared"]),
            [
                "/mnt rw,noexec,relatime",
                "/mnt/a rw,nodev,noexec,relatime",
                "/mnt/a/b rw,noexec,relatime",
            ],
        ),
    ] {
        for user_namespace in [false, true] {
            // What the host has set cannot be taken away there.
            if user_namespace && options.to_string().contains("rdev") {
                continue;
            }
            let (mut case, script) = tree(&options);
            if user_namespace {
                case.bundle.user_namespace(100_000, 65_536);
            }
            case.bundle.script(SHOWN);
            let output = case.run_after(&script).ok();
            assert_eq!(output.lines(), expected, "{options}");
            case.finish();
        }
    }
}

/// They are options of every mount, and a protection among them is never dropped.
#[test]
fn recursive_attributes_are_on_every_kind_of_mount() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    for (point, kind) in [("/t", "tmpfs"), ("/p", "devpts"), ("/q", "mqueue")] {
        case.bundle.mount(json!({
            "destination": point, "type": kind, "source": kind, "options": ["rro", "rnosuid"] }));
    }
    // What is mounted inside finds its place, although the outer mount is read-only in the end.
    case.bundle
        .mount(json!({ "destination": "/t/inner", "type": "tmpfs", "source": "tmpfs" }));
    for mount in case.bundle.config["mounts"].as_array_mut().unwrap() {
        let point = mount["destination"].as_str().unwrap();
        if ["/proc", "/sys", "/sys/fs/cgroup", "/dev"].contains(&point) {
            // An ordinary user's /sys is a bind.
            let bind = mount["options"].as_array().into_iter().flatten();
            let bind = bind.filter(|option| [json!("bind"), json!("rbind")].contains(option));
            let options = bind.cloned().chain([json!("rro"), json!("rnosuid")]);
            mount["options"] = options.collect();
        }
    }
    let points = "/t /p /q /proc /sys /sys/fs/cgroup /dev";
    let script = format!(
        "for p in {points}; do awk -v p=$p '$5 == p {{ line = $5 \" \" $6 }} END {{ print line }}' /proc/self/mountinfo; done; \
         touch /t/inner/x /t/x /dev/x 2>&1; mkdir /sys/fs/cgroup/x 2>&1; true"
    );
    let output = case.inside(&script);
    for (line, point) in output.lines().iter().zip(points.split(' ')) {
        assert!(line.starts_with(&format!("{point} ro,nosuid")), "{output}");
    }
    let refused = output.stdout.matches("Read-only file system").count();
    assert_eq!(refused, 3, "{output}");
    case.finish();
}

/// Others mount, unmount and change the propagation of everything around the source all the time:
/// the tree of a private bind is read-only as a whole in every container.
#[test]
fn a_private_tree_is_read_only_whatever_happens_around_its_source() {
    need!(Root, Busybox);
    for user_namespace in [false, true] {
        let (mut case, script) = tree(&json!(["rbind", "rro", "rprivate"]));
        if user_namespace {
            case.bundle.user_namespace(100_000, 65_536);
        }
        let source = case.bundle.path().join("source");
        let source = source.to_str().unwrap();
        case.bundle
            .script("grep ' /mnt' /proc/self/mountinfo | cut -d' ' -f5,6 | grep -v ' ro'; true");
        // The last run is that of the case; the loop ends with the namespace's other programs.
        let disturbed = format!(
            "{script}; mkdir {source}/c {source}/a/d
             (while [ ! -e stop ]; do
                mount --make-rshared /; mount -t tmpfs tmpfs {source}/c; mount -t tmpfs tmpfs {source}/a/d
                mount --make-rprivate /; umount {source}/c {source}/a/d; done; touch stopped) >/dev/null 2>&1 </dev/null &
             for n in $(seq 25); do \"$@\" || touch failed; done >found
             touch stop; while [ ! -e stopped ]; do :; done"
        );
        let output = case.run_after(&disturbed).ok();
        assert_eq!(output.stdout, "");
        let found = std::fs::read_to_string(case.bundle.path().join("found")).unwrap();
        assert_eq!(found, "", "writable mounts");
        assert!(!case.bundle.path().join("failed").exists());
        case.finish();
    }
}
