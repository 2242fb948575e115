//! containerd: its shim calls the program under test.

use cofferdam_integration::engine::{Containerd, RunBy};
use cofferdam_integration::need;

#[test]
fn run_returns_output_and_exit_code() {
    need!(Root, Busybox, Containerd);
    let containerd = Containerd::start();
    let output = containerd.run(&["--rm"], "one", &["/bin/sh", "-c", "id -u; exit 5"]);
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (5, "0\n"),
        "{output}"
    );
}

#[test]
fn a_missing_program_is_named() {
    need!(Root, Busybox, Containerd);
    let containerd = Containerd::start();
    let output = containerd.run(&["--rm"], "one", &["/no/such/program"]);
    assert_ne!(output.code, 0, "{output}");
    assert!(
        output.stderr.contains("no such file or directory"),
        "{output}"
    );
}

#[test]
fn exec_pause_kill_and_delete() {
    need!(Root, Busybox, Containerd);
    let containerd = Containerd::start();
    let _ = containerd
        .run(&["--detach"], "one", &["/bin/sleep", "1000"])
        .ok();
    let exec = containerd
        .call(&[
            "task",
            "exec",
            "--exec-id",
            "e",
            "one",
            "/bin/echo",
            "hello",
        ])
        .ok();
    assert_eq!(exec.stdout, "hello\n");
    let exec = containerd.call(&[
        "task",
        "exec",
        "--exec-id",
        "f",
        "one",
        "/bin/sh",
        "-c",
        "exit 9",
    ]);
    assert_eq!(exec.code, 9, "{exec}");
    let _ = containerd.call(&["task", "pause", "one"]).ok();
    assert!(
        containerd
            .call(&["task", "ls"])
            .ok()
            .stdout
            .contains("PAUSED")
    );
    let _ = containerd.call(&["task", "resume", "one"]).ok();
    assert!(
        containerd
            .call(&["task", "ls"])
            .ok()
            .stdout
            .contains("RUNNING")
    );
    assert_eq!(
        containerd.call(&["task", "ps", "one"]).ok().lines().len(),
        2
    );
    let _ = containerd
        .call(&["task", "kill", "--signal", "KILL", "one"])
        .ok();
    // Deleting waits for the end of the task; its exit code is a warning.
    let deleted = containerd.call(&["task", "delete", "--force", "one"]);
    assert!(
        !containerd.call(&["task", "ls"]).ok().stdout.contains("one"),
        "{deleted}"
    );
    let _ = containerd.call(&["container", "delete", "one"]).ok();
}

/// What is measured depends on the version of containerd and on the controllers of this machine,
/// not on the runtime.
#[test]
fn metrics_are_those_of_a_container_of_runc() {
    need!(Root, Busybox, Containerd, Runc);
    let containerd = Containerd::start();
    let [ours, theirs] = [("one", RunBy::UnderTest), ("two", RunBy::Runc)].map(|(id, runtime)| {
        let sleep = ["/bin/sleep", "1000"];
        let _ = containerd.run_by(runtime, &["--detach"], id, &sleep).ok();
        let metrics = containerd.call(&["task", "metrics", id]).ok();
        let _ = containerd
            .call(&["task", "kill", "--signal", "KILL", id])
            .ok();
        let _ = containerd.call(&["task", "delete", "--force", id]);
        let _ = containerd.call(&["container", "delete", id]).ok();
        let names = metrics
            .lines()
            .into_iter()
            .filter_map(|line| line.split_whitespace().next());
        names.map(|name| name.replace(id, "ID")).collect::<Vec<_>>()
    });
    assert!(ours.len() > 2, "{ours:?}");
    assert_eq!(ours, theirs);
}
