//! Containers of an ordinary user that are units of the user's own systemd.

use std::path::PathBuf;

use cofferdam_integration::unit::property;
use cofferdam_integration::{Case, need};
use serde_json::json;

use super::case;

fn unit(case: &Case) -> String {
    format!("runc-{}.scope", case.id)
}

#[test]
fn a_container_is_a_scope_of_the_users_manager() {
    need!(OrdinaryUser, Busybox, DelegatedCgroup, Systemd);
    let mut case = case();
    case.bundle.config["linux"]["resources"] =
        json!({ "memory": { "limit": 64 << 20 }, "pids": { "limit": 20 } });
    let _ = case
        .detached(&["--systemd-cgroup", "run", "--detach", &case.id])
        .ok();
    let unit = unit(&case);
    assert_eq!(property(&unit, "ActiveState"), "active");
    assert_eq!(property(&unit, "Slice"), "user.slice");
    assert_eq!(property(&unit, "MemoryMax"), (64 << 20).to_string());
    let group = property(&unit, "ControlGroup");
    assert!(group.contains("/user@"), "{group}");
    let directory = PathBuf::from(format!("/sys/fs/cgroup{group}"));
    let read = |file: &str| {
        let text = std::fs::read_to_string(directory.join(file)).unwrap();
        text.trim_end().to_owned()
    };
    assert_eq!(read("pids.max"), "20");
    assert_eq!(read("cgroup.procs"), case.pid().to_string());

    // Only the manager can move a process from this test's unit to the container's.
    let _ = case.detached(&["exec", "--detach", &case.id, "/bin/sleep", "1000"]);
    let listed = case.call(&["ps", "--format", "json", &case.id]).ok().json();
    assert_eq!(listed.as_array().map(Vec::len), Some(2));
    assert_eq!(read("cgroup.procs").lines().count(), 2);

    let _ = case.call(&["update", "--pids-limit", "30", &case.id]).ok();
    assert_eq!(property(&unit, "TasksMax"), "30");
    assert_eq!(read("pids.max"), "30");
    let _ = case.call(&["pause", &case.id]).ok();
    assert_eq!(case.status(), "paused");
    let _ = case.call(&["delete", "--force", &case.id]).ok();
    assert_eq!(property(&unit, "LoadState"), "not-found");
    assert!(!directory.exists());
    case.finish();
}

#[test]
fn without_a_bus_the_error_says_what_to_install() {
    need!(OrdinaryUser, Busybox, Systemd);
    let case = case();
    let _ = case
        .command(&["--systemd-cgroup", "run", &case.id])
        .without_env("DBUS_SESSION_BUS_ADDRESS")
        .without_env("XDG_RUNTIME_DIR")
        .output()
        .failed(1, "maybe you need to install dbus-user-session package");
    case.finish();
}
