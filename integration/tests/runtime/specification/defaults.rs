//! What holds when nothing is said (DEF): a process with nothing but a program, made by the
//! library.

use std::fs::File;
use std::io::Read as _;
use std::sync::LazyLock;

use cofferdam_integration::{Case, eventually, need};
use runtime::{Bundle, ContainerId, ExitStatus, Process, Runtime, Signal, Status, Stdio};

use super::probe;

/// What a process that has only a program sees, as `KEY:VALUE`.
fn seen() -> &'static str {
    static SEEN: LazyLock<String> = LazyLock::new(|| {
        let script = "id -u; id -g; grep Groups /proc/1/status; pwd; echo $HOME; \
                      touch /tmp/new && echo writable; tty || true";
        let mut case = probe::case();
        case.bundle.config["root"] = serde_json::json!({ "path": "rootfs" });
        let mut process = Process::new(["/bin/sh", "-c", script]);
        let no_variables: [&str; 0] = [];
        process
            .env(no_variables)
            .stdin(Stdio::Null)
            .stdout(Stdio::Pipe);
        let seen = output(&case, process);
        case.finish();
        seen
    });
    &SEEN
}

#[track_caller]
fn line(number: usize) -> &'static str {
    seen()
        .lines()
        .nth(number)
        .unwrap_or_else(|| panic!("{}", seen()))
}

/// The standard output of a process in a container of this case.
fn output(case: &Case, process: Process) -> String {
    case.bundle.write();
    let id: ContainerId = case.id.parse().unwrap();
    let bundle = Bundle::load(case.bundle.path()).unwrap();
    let (config, _) = bundle.configuration(&id).unwrap();
    let runtime = Runtime::new(case.root()).unwrap();
    let mut container = runtime.run(&id, config, process).unwrap();
    let stdout = container.init_mut().unwrap().pipes().stdout.take().unwrap();
    let mut text = String::new();
    File::from(stdout).read_to_string(&mut text).unwrap();
    container.wait().unwrap();
    container.destroy().unwrap();
    text
}

#[test]
fn def_1_with_its_signal_the_program_dies_with_the_thread_that_made_it() {
    need!(Root, Busybox);
    let case = probe::case();
    case.bundle.write();
    let id: ContainerId = case.id.parse().unwrap();
    let bundle = Bundle::load(case.bundle.path()).unwrap();
    let (mut config, _) = bundle.configuration(&id).unwrap();
    config.parent_death_signal = Signal::KILL.number();
    let mut process = Process::new(["/bin/sleep", "1000"]);
    process.stdin(Stdio::Null);
    let runtime = Runtime::new(case.root()).unwrap();
    let container = std::thread::scope(|scope| {
        let maker = scope.spawn(|| runtime.run(&id, config, process).unwrap());
        maker.join().unwrap()
    });
    eventually("it ends with its maker", || {
        container.status().unwrap() == Status::Stopped
    });
    let status = container.wait().unwrap();
    assert_eq!(status, ExitStatus::Signaled(Signal::KILL));
    container.destroy().unwrap();
    case.finish();
}

#[test]
fn def_2_the_user_is_root() {
    need!(Root, Busybox);
    assert_eq!(line(0), "0");
}

#[test]
fn def_3_the_group_is_root() {
    need!(Root, Busybox);
    assert_eq!(line(1), "0");
}

#[test]
fn def_4_there_are_no_other_groups() {
    need!(Root, Busybox);
    assert_eq!(line(2).trim(), "Groups:");
}

#[test]
fn def_5_the_working_directory_is_the_root() {
    need!(Root, Busybox);
    assert_eq!(line(3), "/");
}

#[test]
fn def_6_the_home_is_that_of_the_password_file_or_the_root() {
    need!(Root, Busybox);
    assert_eq!(line(4), "/root");
    let case = probe::case();
    let mut process = Process::new(["/bin/sh", "-c", "echo $HOME"]);
    process.user(4242, 4242).env(["A=1"]).stdin(Stdio::Null);
    process.stdout(Stdio::Pipe);
    assert_eq!(output(&case, process), "/\n");
    case.finish();
}

#[test]
fn def_7_the_root_file_system_is_writable() {
    need!(Root, Busybox);
    assert_eq!(line(5), "writable");
}

#[test]
fn def_8_there_is_no_terminal() {
    need!(Root, Busybox);
    assert_eq!(line(6), "not a tty");
}
