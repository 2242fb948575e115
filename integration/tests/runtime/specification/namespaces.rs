//! The system (SYS) and its namespaces (NS).

use std::fs;

use cofferdam_integration::{Case, need};
use serde_json::json;

use super::probe;

/// Version and patch level of the running kernel.
fn kernel() -> (u32, u32) {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release
        .split(|letter: char| !letter.is_ascii_digit())
        .map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

#[test]
fn sys_1_the_kernel_is_that_of_the_host_and_new_enough() {
    need!(Containers, Busybox);
    // docs/kernel-features.md
    assert!(kernel() >= (5, 10));
    let mut case = Case::new();
    let output = case.inside("cat /proc/sys/kernel/osrelease");
    let host = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_eq!(output.stdout, host);
    case.finish();
}

#[test]
fn sys_2_every_hierarchy_of_the_host_has_the_cgroup() {
    need!(Root, Busybox);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    let text = fs::read_to_string(format!("/proc/{}/cgroup", case.pid())).unwrap();
    for line in text.lines() {
        assert!(line.ends_with(&case.cgroup()), "{line}");
    }
    case.delete();
}

/// The probe's namespace of this type, by its place in the report, is another one than the host's.
#[track_caller]
fn is_private(place: usize, kind: &str) {
    let inside = probe::report().section("namespaces").lines().nth(place);
    let host = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
    let inside = inside.expect("a namespace");
    assert!(inside.starts_with(&format!("{kind}:[")), "{inside}");
    assert_ne!(inside, host.to_str().unwrap());
}

#[test]
fn ns_1_pid() {
    need!(Root, Busybox);
    is_private(0, "pid");
}

#[test]
fn ns_2_uts() {
    need!(Root, Busybox);
    is_private(1, "uts");
}

#[test]
fn ns_3_ipc() {
    need!(Root, Busybox);
    is_private(2, "ipc");
}

#[test]
fn ns_4_net() {
    need!(Root, Busybox);
    is_private(3, "net");
}

#[test]
fn ns_5_mount() {
    need!(Root, Busybox);
    is_private(4, "mnt");
}

#[test]
fn ns_6_user_with_its_mappings() {
    need!(Root, Busybox);
    let mut case = probe::case();
    case.bundle.user_namespace(200_000, 1000);
    let output = case.inside("readlink /proc/self/ns/user; cat /proc/self/uid_map");
    let host = fs::read_link("/proc/self/ns/user").unwrap();
    assert_ne!(output.lines()[0], host.to_str().unwrap());
    let map: Vec<&str> = output.lines()[1].split_whitespace().collect();
    assert_eq!(map, ["0", "200000", "1000"]);
    case.finish();
}

#[test]
fn ns_7_cgroup() {
    need!(Root, Busybox);
    let mut case = Case::new();
    case.bundle.without_namespace("cgroup");
    case.bundle.namespace(json!({ "type": "cgroup" }));
    let output = case.inside("readlink /proc/self/ns/cgroup; cat /proc/self/cgroup");
    let host = fs::read_link("/proc/self/ns/cgroup").unwrap();
    assert_ne!(output.lines()[0], host.to_str().unwrap());
    for line in &output.lines()[1..] {
        assert!(line.ends_with(":/"), "{line}");
    }
    case.finish();
}

#[test]
fn ns_8_no_thread_exists_before_the_program() {
    need!(Root, Busybox, Cofferdam);
    let case = Case::new();
    case.create();
    let pid = case.pid();
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().count();
    assert_eq!(threads, 1);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(probe::value(&status, "NSpid").ends_with("\t1"), "{status}");
    case.delete();
}

#[test]
fn ns_9_mounts_vanish_with_the_namespace() {
    need!(Root, Busybox);
    let mut case = probe::case();
    let output = case.inside("wc -l </proc/self/mountinfo");
    assert!(output.stdout.trim().parse::<u32>().unwrap() > 6, "{output}");
    let host = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!host.contains(case.bundle.path().to_str().unwrap()));
    case.finish();
}
