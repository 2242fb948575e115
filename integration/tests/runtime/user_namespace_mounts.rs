//! What only the host's user and mount namespaces can give to a container in a user namespace.

use std::os::unix::fs::FileTypeExt;

use cofferdam_integration::{Case, need};
use serde_json::{Value, json};

fn case() -> Case {
    let mut case = Case::new();
    case.bundle.user_namespace(100_000, 65_536);
    case
}

/// The mounts below are locked in the container's namespace, and the kernel clones nothing without
/// them there.
#[test]
fn a_bind_without_the_mounts_below_shows_what_is_under_them() {
    need!(Root, Busybox);
    for (options, writable) in [
        (json!(["bind"]), true),
        (json!(["bind", "ro", "private"]), false),
        (json!(["bind", "rro", "rprivate"]), false),
        (json!(["bind", "idmap"]), true),
    ] {
        for reachable in ["755", "700"] {
            let mut case = case();
            let source = case.bundle.path().join("source");
            std::fs::create_dir(&source).unwrap();
            let source = source.to_str().unwrap();
            let tree = format!("{source}/{reachable}/tree");
            case.bundle.mount(
                json!({ "destination": "/mnt", "type": "bind", "source": tree, "options": options }),
            );
            case.bundle
                .script("ls /mnt /mnt/sub; grep ' /mnt' /proc/self/mountinfo | cut -d' ' -f5,6");
            let output = case
                .run_after(&format!(
                    "mount -t tmpfs tmpfs {source}; mkdir -p {tree}/sub; touch {tree}/sub/covered
                     chmod {reachable} {source}/{reachable}; mount -t tmpfs tmpfs {tree}/sub; touch {tree}/sub/cover"
                ))
                .ok();
            assert!(output.lines().contains(&"covered"), "{options} {output}");
            assert!(!output.lines().contains(&"cover"), "{options} {output}");
            let mounted = output.lines();
            let last = mounted.last().unwrap();
            assert!(
                last.starts_with(if writable { "/mnt rw" } else { "/mnt ro" }),
                "{options} {output}"
            );
            case.finish();
        }
    }
}

/// What the container itself has mounted stays inside.
#[test]
fn a_tree_of_the_container_is_not_taken_from_the_host() {
    need!(Root, Busybox);
    let mut case = case();
    let source = case.bundle.path().join("source");
    std::fs::create_dir_all(source.join("sub")).unwrap();
    let source = source.to_str().unwrap().to_owned();
    let inside = format!("{}/mnt", case.bundle.rootfs().display());
    std::fs::create_dir(&inside).unwrap();
    case.bundle.mount(
        json!({ "destination": "/mnt", "type": "bind", "source": source, "options": ["rbind"] }),
    );
    case.bundle.mount(
        json!({ "destination": "/again", "type": "bind", "source": inside, "options": ["bind"] }),
    );
    let output = case
        .run_after(&format!("mount -t tmpfs tmpfs {source}/sub"))
        .failed(1, "only a recursive bind can show it");
    assert!(output.stderr.contains(&inside), "{output}");
    case.finish();
}

fn device(path: &str, kind: &str, numbers: (u32, u32), mode: u32, owner: (u32, u32)) -> Value {
    json!({
        "path": path, "type": kind, "major": numbers.0, "minor": numbers.1,
        "fileMode": mode, "uid": owner.0, "gid": owner.1,
    })
}

#[test]
fn devices_have_the_owner_and_mode_that_are_asked_for() {
    need!(Root, Busybox);
    let mut case = case();
    case.bundle.config["linux"]["devices"] = json!([
        device("/dev/odd", "c", (1, 5), 0o640, (10, 11)),
        device("/dev/deep/er/block", "b", (7, 200), 0o600, (0, 6)),
        device("/dev/null", "c", (1, 3), 0o606, (12, 0)),
        device("/srv/full", "c", (1, 7), 0o666, (0, 0)),
        device("/dev/pipe", "p", (0, 0), 0o620, (1, 2)),
    ]);
    case.bundle.config["linux"]["resources"]["devices"] =
        json!([{ "allow": true, "access": "rwm" }]);
    case.bundle.config["root"]["readonly"] = json!(false);
    let paths = "/dev/odd /dev/deep/er/block /dev/null /srv/full /dev/pipe /dev/zero";
    let script = format!(
        "stat -c '%n %F %t:%T %u:%g %a' {paths}; head -c 3 /srv/full | wc -c; echo x > /srv/full; \
         grep -E ' /dev/(odd|null) ' /proc/self/mountinfo | cut -d' ' -f6; \
         grep -c tmpfs /proc/self/mountinfo; grep -c ' /dev ' /proc/self/mountinfo"
    );
    let output = case.inside(&script);
    assert_eq!(
        output.lines()[..7],
        [
            "/dev/odd character special file 1:5 10:11 640",
            "/dev/deep/er/block block special file 7:c8 0:6 600",
            "/dev/null character special file 1:3 12:0 606",
            "/srv/full character special file 1:7 0:0 666",
            "/dev/pipe fifo 0:0 1:2 620",
            // The usual ones are the host's.
            "/dev/zero character special file 1:5 65534:65534 666",
            "3",
        ],
        "{output}"
    );
    assert!(
        output.stderr.contains("No space left on device"),
        "{output}"
    );
    for flags in &output.lines()[7..9] {
        assert!(flags.contains("nosuid,noexec"), "{output}");
    }
    // The directory that they come from is gone.
    assert_eq!(output.lines().last(), Some(&"1"), "{output}");
    assert!(
        std::fs::symlink_metadata(case.bundle.rootfs().join("srv/full"))
            .is_ok_and(|file| !file.file_type().is_char_device())
    );
    case.finish();
}

/// The kernel mounts a sysfs only for the user namespace that owns the network namespace.
#[test]
fn sysfs_with_the_network_of_the_host_is_the_hosts_and_read_only() {
    need!(Root, Busybox);
    let mut case = case();
    case.bundle.without_namespace("network");
    for mount in case.bundle.config["mounts"].as_array_mut().unwrap() {
        if mount["destination"] == "/sys" {
            mount["options"] = json!(["nosuid", "noexec", "nodev"]);
        }
    }
    let output = case.inside(
        "ls -d /sys/class/net/lo; stat -c %g /dev/mqueue; grep ' /sys' /proc/self/mountinfo | grep -v ' /sys/fs/cgroup' | \
         cut -d' ' -f6 | cut -c1-3 | sort -u",
    );
    assert_eq!(output.lines(), ["/sys/class/net/lo", "0", "ro,"]);
    case.finish();
}

/// The root file system and everything in it stays usable for the terminals of users.
#[test]
fn a_devpts_without_options_gives_users_terminals() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    for mount in case.bundle.config["mounts"].as_array_mut().unwrap() {
        if mount["type"] == "devpts" {
            mount.as_object_mut().unwrap().remove("options");
        }
    }
    let output = case.inside("stat -c %a /dev/pts/ptmx; grep ' /dev/pts ' /proc/self/mountinfo");
    assert_eq!(output.lines()[0], "666");
    assert!(
        output.lines()[1].contains("mode=620,ptmxmode=666"),
        "{output}"
    );
    case.finish();
}
