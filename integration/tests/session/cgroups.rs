//! Limits of an ordinary user, in the cgroup that the manager of the user's units handed over.

use cofferdam_integration::{Case, cgroup, need};
use serde_json::json;

use super::case;

/// A container below the delegated cgroup, with limits.
fn limited() -> Case {
    let mut case = case();
    let parent = cgroup::delegated().unwrap();
    case.bundle.config["linux"]["cgroupsPath"] = json!(format!("{parent}/{}", case.id));
    case.bundle.config["linux"]["resources"] =
        json!({ "memory": { "limit": 64 << 20 }, "pids": { "limit": 20 } });
    case
}

#[test]
fn limits_are_set() {
    need!(OrdinaryUser, Busybox, DelegatedCgroup);
    let case = limited();
    case.start();
    let read = |file: &str| cgroup::read("", &case.cgroup(), file);
    assert_eq!(read("memory.max"), (64 << 20).to_string());
    assert_eq!(read("pids.max"), "20");
    assert_eq!(read("cgroup.procs"), case.pid().to_string());
    let _ = case
        .call(&["update", "--memory", "80m", "--pids-limit", "30", &case.id])
        .ok();
    assert_eq!(read("memory.max"), (80 << 20).to_string());
    assert_eq!(read("pids.max"), "30");
    case.delete();
}

#[test]
fn paused_and_resumed_and_counted() {
    need!(OrdinaryUser, Busybox, DelegatedCgroup);
    let case = limited();
    case.start();
    let _ = case.call(&["pause", &case.id]).ok();
    assert_eq!(case.status(), "paused");
    let _ = case.call(&["resume", &case.id]).ok();
    let event = case.call(&["events", "--stats", &case.id]).ok().json();
    assert_eq!(event["data"]["pids"]["current"], 1);
    assert_eq!(event["data"]["memory"]["usage"]["limit"], 64 << 20);
    case.delete();
}

#[test]
fn a_program_that_needs_too_much_memory_is_killed() {
    need!(OrdinaryUser, Busybox, DelegatedCgroup);
    let mut case = limited();
    case.bundle.too_little_memory();
    assert_eq!(case.run().code, 137);
    case.finish();
}

#[test]
fn limits_elsewhere_are_refused() {
    need!(OrdinaryUser, Busybox, DelegatedCgroup);
    let mut case = limited();
    case.bundle.config["linux"]["cgroupsPath"] = json!(format!("/cofferdam-{}", case.id));
    let output = case.run();
    assert_eq!(output.code, 1, "{output}");
    assert!(output.stderr.contains("ermission denied"), "{output}");
    case.finish();
}
