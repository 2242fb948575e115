//! create, start, run, delete: the life of a container.

use cofferdam_integration::{Case, need};

#[test]
fn run_returns_the_exit_code_and_the_output_of_the_program() {
    need!(Root, Busybox);
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
    // The first process of a pid namespace ignores signals it has no handler for, also from itself: a child is killed.
    case.bundle.without_namespace("pid").script("kill -9 $$");
    assert_eq!(case.run().code, 137);
    case.finish();
}

#[test]
fn a_created_container_waits_for_start() {
    need!(Root, Busybox);
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
    need!(Root, Busybox);
    let mut case = Case::new();
    case.bundle.script("sleep 100");
    case.start();
    let second = case.detached(&["run", "--detach", &case.id]);
    let _ = second.failed(1, "already exists");
    assert_eq!(case.status(), "running", "the first one is not disturbed");
    case.delete();
}
