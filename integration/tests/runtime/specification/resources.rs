//! Cgroups (CG).

use std::fs;
use std::sync::LazyLock;

use cofferdam_integration::{Case, cgroup, need, needs};
use serde_json::json;

use super::probe;

/// `/proc/PID/cgroup` of a running container, and the path of its cgroup.
fn placement() -> &'static (String, String) {
    static PLACEMENT: LazyLock<(String, String)> = LazyLock::new(|| {
        let case = resident();
        let text = fs::read_to_string(format!("/proc/{}/cgroup", case.pid())).unwrap();
        let path = case.cgroup();
        case.delete();
        (text, path)
    });
    &PLACEMENT
}

fn resident() -> Case {
    let mut case = probe::case();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    case
}

/// The container is in its cgroup in the hierarchy of this controller.
#[track_caller]
fn joined(test: &str, controller: &str) {
    let (text, path) = placement();
    let of = |line: &&str| {
        let controllers = line.split(':').nth(1).unwrap();
        // The unified hierarchy has all controllers that v1 does not have.
        controllers.split(',').any(|name| name == controller)
            || (cgroup::is_unified() && controllers.is_empty())
    };
    match text.lines().find(of) {
        Some(line) => assert!(line.ends_with(&**path), "{line}"),
        None => needs::skip(test, &format!("no controller {controller} in this kernel")),
    }
}

#[test]
fn cg_1_devices() {
    need!(Root, Busybox, Controllers);
    joined("cg_1", "devices");
}

#[test]
fn cg_2_memory() {
    need!(Root, Busybox, Controllers);
    joined("cg_2", "memory");
}

#[test]
fn cg_3_cpu() {
    need!(Root, Busybox, Controllers);
    joined("cg_3", "cpu");
}

#[test]
fn cg_4_cpuacct() {
    need!(Root, Busybox, Controllers);
    joined("cg_4", "cpuacct");
}

#[test]
fn cg_5_cpuset() {
    need!(Root, Busybox, Controllers);
    joined("cg_5", "cpuset");
}

#[test]
fn cg_6_blkio() {
    need!(Root, Busybox, Controllers);
    joined("cg_6", "blkio");
}

#[test]
fn cg_7_perf_event() {
    need!(Root, Busybox, Controllers);
    joined("cg_7", "perf_event");
}

#[test]
fn cg_8_freezer() {
    need!(Root, Busybox, Controllers);
    joined("cg_8", "freezer");
}

#[test]
fn cg_9_hugetlb() {
    need!(Root, Busybox, Controllers);
    joined("cg_9", "hugetlb");
}

#[test]
fn cg_10_pids() {
    need!(Root, Busybox, Controllers);
    joined("cg_10", "pids");
}

#[test]
fn cg_11_statistics_are_there_without_any_limit() {
    need!(Root, Busybox, Controllers);
    let case = resident();
    let event = case.call(&["events", "--stats", &case.id]).ok().json();
    let data = &event["data"];
    assert_eq!(data["pids"]["current"], 1);
    assert!(data["memory"]["usage"]["usage"].as_u64().unwrap() > 0);
    assert!(data["cpu"]["usage"]["total"].as_u64().unwrap() > 0);
    case.delete();
}

#[test]
fn cg_12_the_freezer_pauses_and_resumes() {
    need!(Root, Busybox);
    let case = resident();
    let _ = case.call(&["pause", &case.id]).ok();
    let paused = case.status();
    let _ = case.call(&["resume", &case.id]).ok();
    assert_eq!((&*paused, &*case.status()), ("paused", "running"));
    case.delete();
}

#[test]
fn cg_13_the_first_instruction_runs_within_the_limits() {
    need!(Root, Busybox, Controllers);
    let mut case = probe::case();
    case.bundle.config["linux"]["resources"]["pids"] = json!({ "limit": 4 });
    case.bundle
        .script("for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; echo never");
    let output = case.run();
    assert!(!output.stdout.contains("never"), "{output}");
    assert!(output.stderr.contains("fork"), "{output}");
    case.finish();
}
