//! kill and delete.

use cofferdam_integration::{Case, eventually, need};

fn sleeping() -> Case {
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    case
}

#[test]
fn a_signal_is_a_number_or_a_name() {
    need!(Containers, Busybox);
    for signal in ["9", "KILL", "SIGKILL", "sigkill"] {
        let case = sleeping();
        let _ = case.call(&["kill", &case.id, signal]).ok();
        case.wait_for_status("stopped");
        assert_eq!(case.pid(), 0);
        let _ = case.call(&["delete", &case.id]).ok();
        case.finish();
    }
}

#[test]
fn the_default_signal_reaches_a_handler() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle
        .script("trap 'exit 3' TERM; echo ready > /dev/shm/ready; while :; do sleep 0.01; done");
    case.start();
    let _ = case
        .exec(&["/bin/sh", "-c", "until test -e /dev/shm/ready; do :; done"])
        .ok();
    let _ = case.call(&["kill", &case.id]).ok();
    case.wait_for_status("stopped");
    case.delete();
}

#[test]
fn what_is_no_signal_or_no_container_is_refused() {
    need!(Containers, Busybox);
    let case = sleeping();
    let _ = case
        .call(&["kill", &case.id, "NOSUCH"])
        .failed(1, "unknown signal");
    let _ = case
        .call(&["kill", "nobody", "KILL"])
        .failed(1, "container does not exist");
    let _ = case.call(&["kill", &case.id, "KILL"]).ok();
    case.wait_for_status("stopped");
    let _ = case
        .call(&["kill", &case.id, "KILL"])
        .failed(1, "container not running");
    case.delete();
}

#[test]
fn a_running_container_is_deleted_only_by_force() {
    need!(Containers, Busybox);
    let case = sleeping();
    let _ = case
        .call(&["delete", &case.id])
        .failed(1, "that is not stopped: running");
    assert_eq!(case.status(), "running");
    let _ = case.call(&["delete", "--force", &case.id]).ok();
    let _ = case
        .call(&["state", &case.id])
        .failed(1, "container does not exist");
    case.finish();
}

#[test]
fn a_created_container_is_deleted_without_force() {
    need!(Containers, Busybox);
    let case = Case::new();
    case.create();
    let _ = case.call(&["delete", &case.id]).ok();
    case.finish();
}

#[test]
fn deleting_nobody_is_an_error_unless_forced() {
    need!(Containers, Busybox);
    let case = Case::new();
    let _ = case
        .call(&["delete", "nobody"])
        .failed(1, "container does not exist");
    let _ = case.call(&["delete", "--force", "nobody"]).ok();
    case.finish();
}

#[test]
fn a_paused_container_is_deleted_by_force() {
    need!(Containers, Busybox);
    let case = sleeping();
    let _ = case.call(&["pause", &case.id]).ok();
    case.delete();
}

#[test]
fn without_a_pid_namespace_all_processes_are_killed() {
    need!(Root, Busybox);
    let mut case = Case::new();
    case.bundle
        .without_namespace("pid")
        .script("sleep 1000 & sleep 1000 & wait");
    case.start();
    let pids = || {
        case.call(&["ps", "--format", "json", &case.id])
            .ok()
            .json()
            .as_array()
            .map_or(0, Vec::len)
    };
    eventually("three processes run", || pids() == 3);
    let _ = case.call(&["kill", &case.id, "KILL"]).ok();
    case.wait_for_status("stopped");
    eventually("all are gone", || pids() == 0);
    case.delete();
}

#[test]
fn processes_that_outlive_init_are_deleted_with_the_container() {
    need!(Root, Busybox);
    let mut case = Case::new();
    case.bundle
        .without_namespace("pid")
        .script("sleep 1000 >/dev/null 2>&1 </dev/null & exit 0");
    case.start();
    case.wait_for_status("stopped");
    let _ = case.call(&["delete", &case.id]).ok();
    case.finish();
}

#[test]
fn cgroups_made_inside_are_deleted_with_the_container() {
    need!(Containers, Busybox, Controllers);
    let case = sleeping();
    for directory in cofferdam_integration::cgroup::directories(&case.cgroup()) {
        std::fs::create_dir_all(directory.join("a/b")).unwrap();
        std::fs::create_dir_all(directory.join("c")).unwrap();
    }
    case.delete();
}
