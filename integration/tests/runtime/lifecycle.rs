//! create, start, run, delete: the life of a container.

use std::fs;
use std::process::Stdio;

use cofferdam_integration::limited::{TIMEOUT, wait};
use cofferdam_integration::{Case, Limited, eventually, need};

#[test]
fn run_returns_the_exit_code_and_the_output_of_the_program() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.script("echo out; echo err >&2; exit 7");
    let output = case.run();
    assert_eq!(
        (output.code, output.stdout.as_str(), output.stderr.as_str()),
        (7, "out\n", "err\n"),
        "{output}"
    );
    case.finish();
}

#[test]
fn run_returns_128_and_the_number_of_the_signal_that_ended_the_program() {
    need!(Root, Busybox);
    let mut case = Case::new();
    // The first process of a pid namespace ignores signals it has no handler for, also from itself:
    // a child is killed.
    case.bundle.without_namespace("pid").script("kill -9 $$");
    assert_eq!(case.run().code, 137);
    case.finish();
}

#[test]
fn a_created_container_waits_for_start() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.script("touch /dev/shm/started; sleep 100");
    case.create();
    let state = case.state();
    assert_eq!(state["status"], "created");
    assert!(state["pid"].as_u64().unwrap() > 0);
    let pid = case.pid();
    let shm = format!("/proc/{pid}/root/dev/shm/started");
    assert!(
        !std::path::Path::new(&shm).exists(),
        "the program ran before start"
    );
    let _ = case.call(&["start", &case.id]).ok();
    case.wait_for_status("running");
    assert_eq!(case.pid(), pid, "start keeps the process");
    let _ = case
        .call(&["start", &case.id])
        .failed(1, "cannot start an already running container");
    case.delete();
}

#[test]
fn an_id_is_taken_until_it_is_deleted() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.script("sleep 100");
    case.start();
    let second = case.detached(&["run", "--detach", &case.id]);
    let _ = second.failed(1, "already exists");
    assert_eq!(case.status(), "running", "the first one is not disturbed");
    case.delete();
}

#[test]
fn a_container_in_the_foreground_is_deleted_by_force() {
    need!(Root, Busybox);
    for _ in 0..10 {
        let mut case = Case::new();
        case.bundle.args(&["/bin/sleep", "1000"]);
        case.bundle.write();
        let said = case.bundle.path().join("said");
        let line = format!("exec \"$@\" </dev/null >{} 2>&1", said.display());
        let mut running = Limited::new("/bin/sh")
            .args(["-c", &line, "sh"])
            .args([
                case.program.as_os_str(),
                "--root".as_ref(),
                case.root().as_os_str(),
            ])
            .args(["run", &case.id])
            .directory(case.bundle.path())
            .spawn(Stdio::null());
        // Not before: a program that could not be started is something to complain about.
        eventually("the program runs", || {
            let listed = case.call(&["list", "--quiet"]).ok();
            listed.stdout.trim() == case.id
                && case.status() == "running"
                && fs::read_to_string(format!("/proc/{}/comm", case.pid()))
                    .is_ok_and(|comm| comm == "sleep\n")
        });
        // Both remove it; neither has anything to complain about.
        let deleted = case.call(&["delete", "--force", &case.id]).ok();
        assert_eq!(deleted.stderr, "");
        assert!(wait(&running, TIMEOUT));
        assert_eq!(running.wait().unwrap().code(), Some(137));
        assert_eq!(fs::read_to_string(&said).unwrap(), "");
        case.finish();
    }
}
