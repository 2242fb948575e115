//! The init process (INIT).

use std::fs;

use cofferdam_integration::{Limited, need};
use serde_json::json;

use super::devices::on_a_terminal;
use super::probe;

#[test]
fn init_1_the_program_waits_until_it_is_released() {
    need!(Root, Busybox);
    let mut case = probe::case();
    case.bundle.config["root"]["readonly"] = json!(false);
    case.bundle.script("touch /ran");
    case.create();
    let ran = case.bundle.rootfs().join("ran");
    assert_eq!(case.status(), "created");
    assert!(!fs::exists(&ran).unwrap());
    let _ = case.call(&["start", &case.id]).ok();
    case.wait_for_status("stopped");
    assert!(fs::exists(&ran).unwrap());
    case.delete();
}

#[test]
fn init_2_while_it_waits_cgroup_mappings_and_network_are_made() {
    need!(Root, Busybox);
    let mut case = probe::case();
    case.bundle.user_namespace(200_000, 1000);
    case.create();
    let read = |file: &str| fs::read_to_string(format!("/proc/{}/{file}", case.pid())).unwrap();
    for map in ["uid_map", "gid_map"] {
        assert!(read(map).contains("200000"), "{map}");
    }
    assert!(read("cgroup").contains(&case.cgroup()));
    // A loopback interface that is up has the route to itself.
    assert!(read("net/fib_trie").contains("127.0.0.1"));
    case.delete();
}

#[test]
fn init_3_descriptors_of_the_caller_begin_at_three() {
    need!(Root, Busybox);
    let mut case = probe::case();
    case.bundle.script("cat <&3; cat <&4; ls /proc/1/fd; true");
    case.bundle.write();
    let line = format!(
        "echo three >3; echo four >4; exec 3<3 4<4; exec {} --root {} run --preserve-fds 2 {}",
        case.program.display(),
        case.root().display(),
        case.id
    );
    let shell = Limited::new("/bin/sh").args(["-c", &line]);
    let output = shell.directory(case.bundle.path()).output().ok();
    assert_eq!(output.lines(), ["three", "four", "0", "1", "2", "3", "4"]);
    case.finish();
}

#[test]
fn init_4_what_waits_is_a_static_program() {
    need!(Root, Busybox, Cofferdam);
    let case = probe::case();
    case.create();
    let program = fs::read(format!("/proc/{}/exe", case.pid())).unwrap();
    assert!(program.starts_with(b"\x7fELF"));
    assert!(!program.windows(3).any(|bytes| bytes == b"ld-"));
    // No file of the host, and none that could be changed.
    let link = fs::read_link(format!("/proc/{}/exe", case.pid())).unwrap();
    assert!(link.to_str().unwrap().starts_with("/memfd:"), "{link:?}");
    case.delete();
}

#[test]
fn init_5_the_program_is_the_first_process() {
    need!(Root, Busybox);
    let command = probe::report().section("command");
    assert!(command.starts_with("/bin/sh\n-c\n"), "{command}");
    assert_eq!(probe::report().status("NSpid"), "1");
}

#[test]
fn init_6_a_terminal_is_streams_and_console() {
    need!(Root, Busybox);
    let shown = on_a_terminal(
        "for name in stdin stdout stderr console; do stat -L -c %t:%T /dev/$name; done; tty",
    );
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[1..4], [lines[0]; 3]);
    assert_eq!(lines[4], "/dev/pts/0");
}

#[test]
fn init_7_files_of_the_host_can_be_mounted_over_those_of_the_image() {
    need!(Root, Busybox);
    let mut case = probe::case();
    for name in ["hosts", "resolv.conf", "hostname", "localtime"] {
        let source = case.bundle.path().join(name);
        fs::write(&source, format!("{name} of the host\n")).unwrap();
        case.bundle.mount(json!({
            "destination": format!("/etc/{name}"), "type": "bind", "source": source,
            "options": ["bind", "ro"]
        }));
    }
    let output = case.inside("cd /etc; cat hosts resolv.conf hostname localtime");
    assert_eq!(
        output.lines(),
        [
            "hosts of the host",
            "resolv.conf of the host",
            "hostname of the host",
            "localtime of the host"
        ]
    );
    case.finish();
}

#[test]
fn init_8_a_failing_step_is_reported_and_leaves_nothing() {
    need!(Root, Busybox);
    let mut case = probe::case();
    case.bundle.config["process"]["cwd"] = json!("/etc/passwd");
    let _ = case.run().failed(1, "/etc/passwd");
    case.nothing_left();
    case.bundle.config["process"]["cwd"] = json!("/");
    case.bundle.args(&["/no/such/program"]);
    let _ = case.run().failed(1, "/no/such/program");
    case.finish();
}

#[test]
fn init_10_no_descriptor_leaks() {
    need!(Root, Busybox);
    let descriptors: Vec<&str> = probe::report().section("descriptors").lines().collect();
    assert_eq!(descriptors, ["0", "1", "2"]);
}
