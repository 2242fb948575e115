//! The runtime killed at any moment: delete removes what is there.

use std::process::Stdio;
use std::time::Duration;

use cofferdam_integration::{Case, eventually, limited, need};
use rustix::process::{Pid, Signal, kill_process};

/// Kills `arguments` after each of many delays and expects that everything can be deleted and used
/// again.
fn killed(arguments: &[&str]) {
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    for step in 0..60 {
        let line: Vec<&str> = arguments
            .iter()
            .copied()
            .chain([case.id.as_str()])
            .collect();
        let mut child = case.command(&line).spawn(Stdio::null());
        // From before the first system call to after the last.
        limited::wait(&child, Duration::from_micros(step * 250));
        let _ = kill_process(Pid::from_child(&child), Signal::KILL);
        let _ = child.wait();
        let deleted = case.call(&["delete", "--force", &case.id]);
        assert_eq!(deleted.code, 0, "killed after {} µs: {deleted}", step * 250);
        let left = case.leftovers();
        assert!(left.is_empty(), "killed after {} µs: {left:#?}", step * 250);
    }
    // The id is free.
    let _ = case.detached(&["run", "--detach", &case.id]).ok();
    case.delete();
}

#[test]
fn create() {
    need!(Containers, Busybox, Cofferdam);
    killed(&["create"]);
}

#[test]
fn run_in_the_background() {
    need!(Containers, Busybox, Cofferdam);
    killed(&["run", "--detach"]);
}

#[test]
fn run_in_the_foreground() {
    need!(Containers, Busybox, Cofferdam);
    killed(&["run"]);
}

#[test]
fn start() {
    need!(Root, Busybox, Cofferdam);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    let runs = |case: &Case| {
        let line = std::fs::read(format!("/proc/{}/cmdline", case.pid())).unwrap();
        line.starts_with(b"/bin/sleep")
    };
    for step in 0..30 {
        case.create();
        let mut child = case.spawn(&["start", &case.id]);
        limited::wait(&child, Duration::from_micros(step * 100));
        let _ = kill_process(Pid::from_child(&child), Signal::KILL);
        let _ = child.wait();
        // What counts as running runs or will; and what does not can be started.
        if case.status() == "created" {
            let again = case.call(&["start", &case.id]);
            assert!(again.code == 0 || case.status() == "running", "{again}");
        }
        eventually("the program runs", || runs(&case));
        let deleted = case.call(&["delete", "--force", &case.id]);
        assert_eq!(deleted.code, 0, "{deleted}");
        case.nothing_left();
    }
    case.finish();
}

/// The moment in which the process that starts is killed, made: the byte is written and the fifo is
/// still there.
#[test]
fn start_between_its_two_steps() {
    need!(Root, Busybox, Cofferdam);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.create();
    let fifo = case.root().join(&case.id).join("exec.fifo");
    std::fs::write(&fifo, "0").unwrap();
    case.wait_for_status("running");
    let _ = case
        .call(&["start", &case.id])
        .failed(1, "cannot start an already running container");
    case.delete();
}

#[test]
fn delete() {
    need!(Containers, Busybox, Cofferdam);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    for step in 0..30 {
        let started = case.detached(&["run", "--detach", &case.id]);
        assert_eq!(started.code, 0, "{started}");
        let mut child = case.spawn(&["delete", "--force", &case.id]);
        limited::wait(&child, Duration::from_micros(step * 200));
        let _ = kill_process(Pid::from_child(&child), Signal::KILL);
        let _ = child.wait();
        let deleted = case.call(&["delete", "--force", &case.id]);
        assert_eq!(deleted.code, 0, "{deleted}");
        case.nothing_left();
    }
    case.finish();
}
