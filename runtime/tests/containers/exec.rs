//! Further processes in a running container.

use cofferdam::configs::config::{Rlimit, RlimitType};
use cofferdam::{ErrorKind, ExitStatus, Process, Signal, Status, Stdio};

use crate::bundle::{Bundle, forever, read_all, shell};

#[test]
fn a_second_process_shares_the_namespaces_and_the_cgroup() {
    let Some(bundle) = Bundle::new() else { return };
    let container = bundle.run(forever()).unwrap();
    let mut child = container
        .exec(shell(
            "hostname; readlink /proc/self/ns/pid; readlink /proc/1/ns/pid; exit 3",
        ))
        .unwrap();
    let text = read_all(&mut child);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "inside");
    assert_eq!(lines[1], lines[2]);
    assert_eq!(child.wait().unwrap(), ExitStatus::Exited(3));

    let child = container.exec(forever()).unwrap();
    assert!(container.processes().unwrap().contains(&child.pid()));
    child.signal(Signal::KILL).unwrap();
    child.wait().unwrap();
    assert_eq!(container.status().unwrap(), Status::Running);
}

#[test]
fn identity_directory_and_home_are_the_process_own() {
    let Some(bundle) = Bundle::new() else { return };
    let container = bundle.run(forever()).unwrap();
    let mut process = shell("echo $(id -u):$(id -g) $HOME $PWD");
    process.user(1000, 1000).cwd("/tmp");
    let mut child = container.exec(process).unwrap();
    assert_eq!(read_all(&mut child), "1000:1000 /home/user /tmp\n");
    assert!(child.wait().unwrap().success());
}

#[test]
fn descriptors_are_passed_in_order_and_no_others() {
    let Some(bundle) = Bundle::new() else { return };
    let container = bundle.run(forever()).unwrap();
    let mut process = shell("cat <&3; cat <&4; ls /proc/self/fd");
    for name in ["one", "two"] {
        let path = bundle.outside().join(name);
        std::fs::write(&path, format!("{name}\n")).unwrap();
        process.pass(std::fs::File::open(path).unwrap().into());
    }
    let mut child = container.exec(process).unwrap();
    let text = read_all(&mut child);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], ["one", "two"]);
    // 5 is the directory that ls reads.
    assert_eq!(lines[2..], ["0", "1", "2", "3", "4", "5"]);
}

#[test]
fn as_many_processes_are_allowed_as_the_limit_says() {
    let Some(bundle) = Bundle::new() else { return };
    // Counted per user of the machine: one that no other test uses.
    let user = 4_000_000_000;
    let as_user = |mut process: Process, limit: u64| {
        process.user(user, user).rlimits([Rlimit {
            kind: RlimitType::Nproc,
            hard: limit,
            soft: limit,
        }]);
        process
    };
    let container = bundle.run(as_user(forever(), 10)).unwrap();
    let mut child = container
        .exec(as_user(shell("exec cat /proc/self/limits"), 2))
        .unwrap();
    let text = read_all(&mut child);
    let line = text.lines().find(|line| line.starts_with("Max processes"));
    let line: Vec<&str> = line.unwrap().split_whitespace().collect();
    assert_eq!(line[2..4], ["2", "2"]);
    assert!(child.wait().unwrap().success());

    // Only forks are refused: a program that is one too many runs, and can make no other process.
    let script = "echo runs; /bin/true; echo forks";
    let mut child = container.exec(as_user(shell(script), 1)).unwrap();
    let text = read_all(&mut child);
    assert!(
        text.starts_with("runs\n") && !text.contains("forks"),
        "{text}"
    );
    assert!(!child.wait().unwrap().success());
}

#[test]
fn a_paused_container_is_not_entered_unless_asked_for() {
    let Some(bundle) = Bundle::new() else { return };
    let container = bundle.run(forever()).unwrap();
    container.pause().unwrap();
    assert_eq!(
        container.exec(forever()).unwrap_err().kind(),
        ErrorKind::Paused
    );
    container.resume().unwrap();
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let Some(bundle) = Bundle::new() else { return };
    let container = bundle.run(forever()).unwrap();
    let mut process = Process::new(["nothing-of-that-name"]);
    process.env(["PATH=/bin"]).stdin(Stdio::Null);
    let error = container.exec(process).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Init);
    assert!(
        error
            .chain()
            .ends_with("exec: \"nothing-of-that-name\": executable file not found in $PATH"),
        "{}",
        error.chain()
    );
    assert_eq!(container.status().unwrap(), Status::Running);
}

#[test]
fn a_stopped_container_cannot_be_entered() {
    let Some(bundle) = Bundle::new() else { return };
    let container = bundle.run(shell("true")).unwrap();
    container.wait().unwrap();
    let error = container.exec(forever()).unwrap_err();
    assert_eq!(error.to_string(), "cannot exec in a stopped container");
}

#[test]
fn a_child_that_nobody_waits_for_does_not_keep_the_container_alive() {
    let Some(bundle) = Bundle::new() else { return };
    let container = bundle.run(forever()).unwrap();
    let held = container.exec(forever()).unwrap();
    drop(container.exec(forever()).unwrap());
    container.signal(Signal::KILL).unwrap();
    assert!(
        container
            .wait_timeout(std::time::Duration::from_secs(20))
            .unwrap()
    );
    assert_eq!(held.wait().unwrap(), ExitStatus::Signaled(Signal::KILL));
    container.destroy().unwrap();
    bundle.assert_nothing_left();
}

#[test]
fn a_process_added_to_a_paused_container_runs_when_that_is_resumed() {
    let Some(bundle) = Bundle::new() else { return };
    let container = bundle.run(forever()).unwrap();
    container.pause().unwrap();
    let mut process = shell("exit 6");
    process.ignore_paused(true);
    std::thread::scope(|scope| {
        let adder = scope.spawn(|| container.exec(process).unwrap());
        // It is in the cgroup, and frozen there.
        while container.processes().unwrap().len() < 2 {
            std::thread::yield_now();
        }
        assert_eq!(container.status().unwrap(), Status::Paused);
        container.resume().unwrap();
        let child = adder.join().unwrap();
        assert_eq!(child.wait().unwrap(), ExitStatus::Exited(6));
    });
}
