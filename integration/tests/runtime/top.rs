//! `top`: what containers use, on a terminal and elsewhere.

use std::process::Command;

use cofferdam_integration::{Case, cgroup, need};
use rustix::process::Signal;
use rustix::termios::{Termios, tcgetattr, tcsetwinsize};
use serde_json::{Value, json};

use crate::terminals::{OnTerminal, size};
use crate::unified;

/// What ends the alternate screen.
const LEAVE: &str = "\u{1b}[?1049l";

/// A container that works all the time, within limits.
fn busy() -> Case {
    let mut case = Case::new();
    case.bundle.script("while :; do :; done");
    case.bundle.config["linux"]["resources"]["memory"] = json!({ "limit": 64 << 20 });
    // As many processes as it may have.
    case.bundle.config["linux"]["resources"]["pids"] = json!({ "limit": 1 });
    case.start();
    case
}

/// Another container of the same bundle in the same state root.
fn start_another(case: &mut Case) -> String {
    let id = format!("{}-z", case.id);
    let cgroup = format!("{}-z", case.cgroup());
    case.bundle.config["linux"]["cgroupsPath"] = cgroup.into();
    let _ = case.detached(&["run", "--detach", &id]).ok();
    id
}

/// `top` on a terminal, over the containers of this state root.
fn on_terminal(case: &Case, arguments: &[&str], no_color: &str) -> OnTerminal {
    let mut command = Command::new(&case.program);
    command
        .arg("--root")
        .arg(case.root())
        .args(["top", "--interval", "100ms"])
        .args(arguments)
        .env("TERM", "xterm")
        .env("LC_ALL", "C.UTF-8")
        .env("NO_COLOR", no_color);
    let terminal = OnTerminal::run_interactively(command);
    tcsetwinsize(&terminal.master, size(30, 160)).unwrap();
    terminal
}

/// The settings of a terminal, to compare.
fn settings(terminal: &OnTerminal) -> String {
    let settings: Termios = tcgetattr(&terminal.master).unwrap();
    format!("{settings:?}")
}

fn json_line(case: &Case) -> Value {
    let line = ["top", "--once", "--interval", "300ms", "--format", "json"];
    let output = case.call(&line).ok();
    let line = output
        .lines()
        .into_iter()
        .find(|line| line.contains(&case.id));
    serde_json::from_str(line.unwrap()).unwrap()
}

#[test]
fn one_table_is_for_pipes() {
    need!(Containers, Busybox, Controllers);
    let case = busy();
    let output = case.call(&["top", "--once", "--interval", "300ms"]).ok();
    let lines = output.lines();
    let titles: Vec<&str> = lines[0].split_whitespace().collect();
    assert_eq!(titles[..4], ["ID", "STATUS", "CPU%", "MEM/LIMIT"]);
    assert!(!output.stdout.contains('\u{1b}'), "{output}");
    let row: Vec<&str> = lines[1].split_whitespace().collect();
    assert_eq!(row[..2], [&*case.id, "running"]);
    assert!(row[2].parse::<f64>().unwrap() > 0.0, "{output}");
    assert!(row[3].ends_with("/64.0M"), "{output}");
    let none = ["top", "--once", "--interval", "1ms", "--filter", "nobody"];
    assert_eq!(case.call(&none).ok().lines().len(), 1);
    case.delete();
}

#[test]
fn an_object_has_what_the_table_has() {
    need!(Containers, Busybox, Controllers);
    let case = busy();
    let line = json_line(&case);
    assert_eq!(line["status"], "running");
    assert_eq!(line["pid"], case.pid());
    let percent = line["cpu"]["percent"].as_f64().unwrap();
    assert!(percent > 0.0, "{line}");
    assert!(line["intervalSeconds"].as_f64().unwrap() >= 0.3, "{line}");
    assert_eq!(line["memory"]["limitBytes"], 64 << 20);
    assert_eq!(line["memory"]["oomKills"], 0);
    assert_eq!(line["pids"], json!({ "current": 1, "limit": 1 }));
    let _ = case.call(&["kill", &case.id, "KILL"]).ok();
    case.wait_for_status("stopped");
    let line = json_line(&case);
    assert_eq!(line["status"], "stopped");
    assert_eq!(line["pid"], Value::Null);
    case.delete();
}

#[test]
fn cgroup_v2_is_read_too() {
    need!(Root, Busybox, CgroupV2);
    let mut case = Case::new();
    case.bundle.script("while :; do :; done");
    unified::detached(&case);
    let line = ["top", "--once", "--interval", "300ms", "--format", "json"];
    let line = unified::call(&case, &line).ok().json();
    // The kernel counts it without the controller.
    assert!(line["cpu"]["percent"].as_f64().unwrap() > 0.0, "{line}");
    assert_eq!(line["memory"].is_object(), cgroup::is_unified(), "{line}");
    let deleted = unified::call(&case, &["delete", "--force", &case.id]);
    assert_eq!(deleted.code, 0, "{deleted}");
    case.finish();
}

#[test]
fn the_terminal_is_as_it_was_whatever_ends_it() {
    need!(Containers, Busybox);
    let case = busy();
    for (name, end) in [("q", "q"), ("control and C", "\u{3}")] {
        let mut top = on_terminal(&case, &[], "");
        top.shows(&case.id);
        let raw = settings(&top);
        top.types(end);
        top.shows(LEAVE);
        let master = top.master.try_clone().unwrap();
        let (code, shown) = top.finish();
        assert_eq!(code, Some(0), "{name}: {shown}");
        let after: Termios = tcgetattr(master).unwrap();
        assert_ne!(format!("{after:?}"), raw, "{name}");
        let flags = rustix::termios::LocalModes::ICANON | rustix::termios::LocalModes::ECHO;
        assert!(after.local_modes.contains(flags), "{name}");
    }
    let mut top = on_terminal(&case, &[], "");
    top.shows(&case.id);
    top.signal(Signal::TERM);
    top.shows(LEAVE);
    assert_eq!(top.finish().0, Some(128 + 15));
    case.delete();
}

#[test]
fn colours_are_for_those_who_want_them() {
    need!(Containers, Busybox, Controllers);
    let mut case = busy();
    let other = start_another(&mut case);
    for (no_color, coloured) in [("", true), ("1", false)] {
        let mut top = on_terminal(&case, &["--sort", "id"], no_color);
        // The second row: the first one is selected, and in reverse video instead.
        top.shows(&other);
        // As many processes as are allowed: red.
        top.shows(if coloured { "\u{1b}[31m" } else { "1/1" });
        top.types("q");
        top.shows(LEAVE);
        let shown = top.all().contains("\u{1b}[3");
        assert_eq!(shown, coloured);
        assert_eq!(top.finish().0, Some(0));
    }
    let _ = case.call(&["delete", "--force", &other]).ok();
    case.delete();
}

#[test]
fn containers_come_and_go() {
    need!(Containers, Busybox);
    let mut case = busy();
    let mut top = on_terminal(&case, &["--sort", "id"], "1");
    top.shows("containers: 1, 1 running");
    let other = start_another(&mut case);
    top.shows("containers: 2, 2 running");
    // The last one, and its page.
    top.types("G\r");
    top.shows(&format!("{other}: running, pid "));
    let _ = case.call(&["delete", "--force", &other]).ok();
    top.shows(&format!("{other} is gone"));
    top.types("q");
    top.shows("containers: 1, 1 running");
    top.types("/no such id\r");
    top.shows("no container has this in its id");
    top.types("q");
    assert_eq!(top.finish().0, Some(0));
    case.delete();
}

#[test]
fn the_table_has_the_columns_that_there_is_room_for() {
    need!(Containers, Busybox);
    let case = busy();
    let mut top = on_terminal(&case, &[], "1");
    top.shows("THR%");
    tcsetwinsize(&top.master, size(10, 30)).unwrap();
    // It is not the controlling terminal of the program, which would get the signal otherwise.
    top.signal(Signal::WINCH);
    top.types("\u{c}");
    // The line of the bottom is cut there.
    top.shows("q quit  ? help  enter page  / \u{1b}");
    top.types("q");
    let (code, shown) = top.finish();
    assert_eq!(code, Some(0));
    let last = shown.rsplit("\u{1b}[H").next().unwrap();
    assert!(!last.contains("THR%"), "{last:?}");
    case.delete();
}

#[test]
fn what_cannot_be_shown_is_refused() {
    let case = Case::new();
    let _ = case
        .call(&["top"])
        .failed(1, "top needs a terminal as standard input and output");
    let _ = case
        .call(&["top", "--once", "--sort", "colour"])
        .failed(1, "is none of id, status, cpu");
    let _ = case
        .call(&["top", "--once", "--format", "xml"])
        .failed(1, "is none of table, json");
    let _ = case
        .call(&["top", "--interval", "0s"])
        .failed(1, "must be greater than 0");
    let _ = std::fs::remove_dir(case.root());
    let _ = case.call(&["top", "--once"]).failed(1, "does not exist");
}
