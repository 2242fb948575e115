//! Namespaces: own ones, the host's, another container's.

use std::path::PathBuf;

use cofferdam_integration::{Case, Limited, need};
use serde_json::json;

fn namespace(pid: &str, name: &str) -> PathBuf {
    std::fs::read_link(format!("/proc/{pid}/ns/{name}")).unwrap()
}

#[test]
fn configured_namespaces_are_new_and_others_are_the_hosts() {
    need!(Root, Busybox);
    let mut case = Case::new();
    case.bundle
        .without_namespace("network")
        .args(&["/bin/sleep", "1000"]);
    case.start();
    let pid = case.pid().to_string();
    for name in ["mnt", "pid", "ipc", "uts"] {
        assert_ne!(namespace(&pid, name), namespace("self", name), "{name}");
    }
    for name in ["net", "user"] {
        assert_eq!(namespace(&pid, name), namespace("self", name), "{name}");
    }
    case.delete();
}

#[test]
fn the_program_is_the_first_process_and_sees_only_its_own() {
    need!(Root, Busybox);
    let mut case = Case::new();
    let output = case.inside("echo $$; ls /proc | grep -c '^[0-9]'; ls /sys/class/net; ip -o link show lo | grep -c LOWER_UP");
    assert_eq!(output.lines()[0], "1");
    assert_eq!(
        output.lines()[2..],
        ["lo", "1"],
        "the loopback device is up"
    );
    case.finish();
}

#[test]
fn a_user_namespace_maps_the_ids() {
    need!(Root, Busybox);
    let mut case = Case::new();
    case.bundle.user_namespace(100_000, 65_536);
    let output = case.inside("id -u; cat /proc/self/uid_map /proc/self/gid_map; stat -c %u /bin/busybox /dev/null /proc/1; grep CapEff /proc/self/status");
    let lines = output.lines();
    assert_eq!(lines[0], "0");
    for map in &lines[1..3] {
        assert_eq!(
            map.split_whitespace().collect::<Vec<_>>(),
            ["0", "100000", "65536"]
        );
    }
    assert_eq!(lines[3], "0", "the root file system belongs to root inside");
    assert!(lines[6].ends_with("0000000020000420"), "{output}");
    case.finish();
}

#[test]
fn exec_enters_a_user_namespace_as_its_user() {
    need!(Root, Busybox);
    let mut case = Case::new();
    case.bundle
        .user_namespace(100_000, 65_536)
        .args(&["/bin/sleep", "1000"]);
    case.start();
    let uid = |pid: u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        status
            .lines()
            .find_map(|line| line.strip_prefix("Uid:"))
            .unwrap()
            .split_whitespace()
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(uid(case.pid()), "100000");
    let output = case
        .exec(&["/bin/sh", "-c", "id -u; readlink /proc/self/ns/user"])
        .ok();
    assert_eq!(output.lines()[0], "0");
    assert_eq!(
        PathBuf::from(output.lines()[1]),
        namespace(&case.pid().to_string(), "user")
    );
    case.delete();
}

#[test]
fn the_network_of_another_container_can_be_joined() {
    need!(Root, Busybox);
    let mut first = Case::new();
    first.bundle.args(&["/bin/sleep", "1000"]);
    first.start();
    let pid = first.pid();
    let mut second = Case::new();
    second
        .bundle
        .without_namespace("network")
        .without_namespace("ipc");
    second
        .bundle
        .namespace(json!({ "type": "network", "path": format!("/proc/{pid}/ns/net") }));
    second
        .bundle
        .namespace(json!({ "type": "ipc", "path": format!("/proc/{pid}/ns/ipc") }));
    let output = second.inside("readlink /proc/self/ns/net; readlink /proc/self/ns/ipc");
    let pid = pid.to_string();
    assert_eq!(
        output
            .lines()
            .into_iter()
            .map(PathBuf::from)
            .collect::<Vec<_>>(),
        [namespace(&pid, "net"), namespace(&pid, "ipc")]
    );
    second.finish();
    first.delete();
}

#[test]
fn the_processes_of_another_container_can_be_joined() {
    need!(Root, Busybox);
    let mut first = Case::new();
    first.bundle.args(&["/bin/sleep", "1000"]);
    first.start();
    let mut second = Case::new();
    second.bundle.without_namespace("pid");
    second
        .bundle
        .namespace(json!({ "type": "pid", "path": format!("/proc/{}/ns/pid", first.pid()) }));
    let output = second.inside("cat /proc/1/comm; test $$ -gt 1 && echo not first");
    assert_eq!(output.lines(), ["sleep", "not first"]);
    second.finish();
    first.delete();
}

#[test]
fn the_user_namespace_of_another_container_can_be_joined() {
    need!(Root, Busybox, Cofferdam);
    let mut first = Case::new();
    first
        .bundle
        .user_namespace(100_000, 65_536)
        .args(&["/bin/sleep", "1000"]);
    first.start();
    let own = format!("/proc/{}/ns/user", first.pid());
    // By the name that procfs has for it, and by one that contains no process id.
    let elsewhere = tempfile::NamedTempFile::new().unwrap();
    let path = elsewhere.path().to_str().unwrap();
    let _ = Limited::new("mount")
        .args(["--bind", &own, path])
        .output()
        .ok();
    for path in [&own, path] {
        let mut second = Case::new();
        second
            .bundle
            .user_namespace(100_000, 65_536)
            .without_namespace("user");
        second.bundle.config["linux"]["uidMappings"] = json!([]);
        second.bundle.config["linux"]["gidMappings"] = json!([]);
        second
            .bundle
            .namespace(json!({ "type": "user", "path": path }));
        let output = second.inside("readlink /proc/self/ns/user; id -u; cat /proc/self/uid_map");
        let inside = PathBuf::from(output.lines()[0]);
        assert_eq!(inside, namespace(&first.pid().to_string(), "user"));
        assert_eq!(output.lines()[1], "0");
        second.finish();
    }
    let _ = Limited::new("umount").args([path]).output().ok();
    first.delete();
}

#[test]
fn a_time_namespace_has_its_offsets() {
    need!(Root, Busybox, TimeNamespace, Cofferdam);
    let mut case = Case::new();
    case.bundle.namespace(json!({ "type": "time" }));
    case.bundle.config["linux"]["timeOffsets"] = json!({ "monotonic": { "secs": 7881, "nanosecs": 2718281 }, "boottime": { "secs": 1337, "nanosecs": 3141519 } });
    let output = case.inside("cat /proc/self/timens_offsets");
    let lines: Vec<Vec<&str>> = output
        .lines()
        .iter()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        lines,
        [
            ["monotonic", "7881", "2718281"],
            ["boottime", "1337", "3141519"]
        ]
    );
    case.finish();
}

#[test]
fn a_namespace_that_is_of_another_type_is_refused() {
    need!(Root, Busybox);
    let mut case = Case::new();
    case.bundle.without_namespace("network");
    case.bundle
        .namespace(json!({ "type": "network", "path": "/proc/self/ns/uts" }));
    assert_eq!(case.run().code, 1);
    case.bundle.without_namespace("network");
    case.bundle
        .namespace(json!({ "type": "network", "path": "/no/such/namespace" }));
    let _ = case.run().failed(1, "/no/such/namespace");
    case.finish();
}
