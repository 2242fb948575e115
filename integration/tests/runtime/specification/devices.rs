//! Device nodes (DEV) and terminals (TTY).

use cofferdam_integration::console::{ConsoleSocket, read_terminal};
use cofferdam_integration::need;
use serde_json::json;

use super::probe;

/// The node with its numbers and mode 0666.
#[track_caller]
fn node(name: &str, numbers: &str) {
    let line = format!("/dev/{name} character special file {numbers} 666");
    let report = probe::report();
    assert!(
        report.has("devices", &line),
        "{}",
        report.section("devices")
    );
}

/// What one byte read from the device is, in hexadecimal; any with `None`. Writing works.
#[track_caller]
fn works(name: &str, byte: Option<&str>) {
    let report = probe::report();
    let read = report
        .section("devices")
        .lines()
        .find_map(|line| line.strip_prefix(&format!("read {name} ")));
    match byte {
        Some(byte) => assert_eq!(read, Some(byte)),
        None => assert_eq!(read.map(str::len), Some(2)),
    }
    assert!(report.has("devices", &format!("written {name}")));
}

#[test]
fn dev_1_null() {
    need!(Root, Busybox);
    node("null", "1:3");
    let report = probe::report();
    // It has no byte to read.
    let devices = report.section("devices");
    assert!(!devices.contains("read null"), "{devices}");
    assert!(report.has("devices", "written null"));
}

#[test]
fn dev_2_zero() {
    need!(Root, Busybox);
    node("zero", "1:5");
    works("zero", Some("00"));
}

#[test]
fn dev_3_full() {
    need!(Root, Busybox);
    node("full", "1:7");
    let devices = probe::report().section("devices");
    assert!(devices.contains("read full 00"), "{devices}");
    assert!(devices.contains("No space left on device"), "{devices}");
}

#[test]
fn dev_4_tty() {
    need!(Root, Busybox);
    node("tty", "5:0");
}

#[test]
fn dev_5_random() {
    need!(Root, Busybox);
    node("random", "1:8");
    works("random", None);
}

#[test]
fn dev_6_urandom() {
    need!(Root, Busybox);
    node("urandom", "1:9");
    works("urandom", None);
}

#[test]
fn dev_7_fuse_is_there_when_the_configuration_lists_it() {
    need!(Root, Busybox, Controllers);
    let fuse =
        json!({ "path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o666 });
    let mut case = probe::case();
    assert_eq!(case.inside("ls /dev | grep fuse || true").stdout, "");
    case.bundle.config["linux"]["devices"] = json!([fuse]);
    let output = case.inside("stat -c '%F %t:%T %a' /dev/fuse");
    assert_eq!(output.stdout, "character special file a:e5 666\n");
    case.finish();
}

#[test]
fn dev_8_in_a_user_namespace_the_devices_work() {
    need!(Root, Busybox);
    let mut case = probe::case();
    case.bundle.user_namespace(200_000, 1000);
    let output = case.inside(
        "stat -c '%t:%T %a' /dev/null; echo x >/dev/null && head -c 1 /dev/zero | od -An -tx1; \
         grep -c ' /dev/null ' /proc/self/mountinfo",
    );
    // Nodes cannot be made there: it is a mount of one from outside.
    assert_eq!(output.lines(), ["1:3 666", " 00", "1"]);
    case.finish();
}

#[test]
fn dev_9_what_is_not_listed_is_refused() {
    need!(Root, Busybox, Controllers);
    let mut case = probe::case();
    case.bundle.config["root"]["readonly"] = json!(false);
    // The kernel's log, whatever its mode is: not a device of the list.
    let output = case.inside("mknod /dev/kmsg c 1 11; cat /dev/kmsg 2>&1 || true");
    assert!(
        output.stdout.contains("Operation not permitted"),
        "{output}"
    );
    case.finish();
}

#[test]
fn tty_1_a_terminal_is_optional() {
    need!(Root, Busybox);
    let mut case = probe::case();
    assert_eq!(case.inside("tty || true").stdout, "not a tty\n");
    assert_eq!(on_a_terminal("tty"), "/dev/pts/0\r\n");
    case.finish();
}

#[test]
fn tty_2_the_console_is_the_terminal_and_others_cannot_open_it() {
    need!(Root, Busybox);
    let shown = on_a_terminal(
        "stat -c '%F %u:%g %a' /dev/console; stat -c %t:%T /dev/console; stat -c %t:%T $(tty)",
    );
    let lines: Vec<&str> = shown.lines().collect();
    // The text has 0600; the terminals of a container have the mode of its devpts.
    assert_eq!(lines[0], "character special file 0:5 620");
    assert_eq!(lines[1], lines[2]);
}

#[test]
fn tty_3_the_terminal_is_all_three_streams_and_controls_the_session() {
    need!(Root, Busybox);
    let shown = on_a_terminal(
        "test -t 0 && test -t 1 && test -t 2 && echo three; \
         echo controlling >/dev/tty; cut -d' ' -f6,7 /proc/1/stat",
    );
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[..2], ["three", "controlling"]);
    // The first process leads a session that has a terminal.
    let (session, terminal) = lines[2].split_once(' ').unwrap();
    assert_eq!(session, "1");
    assert_ne!(terminal, "0");
}

/// What a script prints on a terminal.
pub(super) fn on_a_terminal(script: &str) -> String {
    let mut case = probe::case();
    case.bundle.config["process"]["terminal"] = json!(true);
    case.bundle.script(script);
    let socket = ConsoleSocket::bind(&case.bundle.path().join("socket"));
    let _ = case
        .detached(&["create", "--console-socket", socket.path(), &case.id])
        .ok();
    let (master, _) = socket.receive();
    let _ = case.call(&["start", &case.id]).ok();
    let shown = read_terminal(master);
    case.wait_for_status("stopped");
    case.delete();
    shown
}
