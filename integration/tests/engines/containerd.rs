//! containerd: its shim calls the program under test.

use cofferdam_integration::engine::Containerd;
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
fn exec_pause_metrics_kill_and_delete() {
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
    assert!(
        containerd
            .call(&["task", "metrics", "one"])
            .ok()
            .stdout
            .contains("pids.current")
    );
    assert_eq!(
        containerd.call(&["task", "ps", "one"]).ok().lines().len(),
        2
    );
    let _ = containerd
        .call(&["task", "kill", "--signal", "KILL", "one"])
        .ok();
    // Deleting waits for the end of the task; its exit code is told as a warning.
    let deleted = containerd.call(&["task", "delete", "--force", "one"]);
    assert!(
        !containerd.call(&["task", "ls"]).ok().stdout.contains("one"),
        "{deleted}"
    );
    let _ = containerd.call(&["container", "delete", "one"]).ok();
}
