//! `--compat 2014`: a container is what the `container.json` of a directory describes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use cofferdam_integration::limited::{Limited, Output};
use cofferdam_integration::{eventually, need, program};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::subject::{Subject, WAIT, end, ended};
use crate::terminals::OnTerminal;

/// A file of April 2014.
fn april() -> Value {
    json!({
        "hostname": "koye",
        "networks": [{ "type": "loopback", "address": "127.0.0.1/0", "gateway": "localhost" }],
        "environment": ["HOME=/", "PATH=/sbin:/bin", "TERM=xterm"],
        "capabilities_mask": ["SYS_ADMIN", "SYS_MODULE", "NET_ADMIN"],
        "namespaces": ["NEWNS", "NEWUTS", "NEWIPC", "NEWPID", "NEWNET"],
        "cgroups": { "parent": "nsinit", "name": "" }
    })
}

fn prepare(change: impl FnOnce(&mut Value)) -> Subject {
    let subject = Subject::new();
    let mut file = april();
    file["cgroups"]["name"] = json!(subject.name());
    change(&mut file);
    fs::write(subject.rootfs().join("container.json"), file.to_string()).unwrap();
    subject
}

fn typed(subject: &Subject, line: &[&str]) -> Limited {
    subject.bare(line).env("NSINIT_COMPAT", "2014")
}

fn call(subject: &Subject, line: &[&str]) -> Output {
    typed(subject, line).output()
}

fn exec(subject: &Subject, script: &str) -> Output {
    call(subject, &["exec", "/bin/sh", "-c", script])
}

fn start(subject: &Subject, script: &str) -> Child {
    let child = subject.until_ready(typed(subject, &["exec", "/bin/sh", "-c", script]));
    eventually("the container is on record", || {
        subject.rootfs().join("state.json").exists()
    });
    child
}

#[test]
fn exec_starts_the_container_of_the_directory_and_a_second_one_joins() {
    need!(Root, Busybox, Cofferdam);
    let subject = prepare(|_| ());
    let output = exec(
        &subject,
        "echo $$; hostname; echo $HOME $PATH $TERM; ls /; env",
    )
    .ok();
    let lines = output.lines();
    assert_eq!(lines[..3], ["1", "koye", "/ /sbin:/bin xterm"]);
    assert!(
        lines.contains(&"container.json") && !output.stdout.contains("HOSTNAME"),
        "{output}"
    );
    let first = start(&subject, WAIT);
    let pid = fs::read_to_string(subject.rootfs().join("pid")).unwrap();
    let joined = exec(
        &subject,
        "cat /proc/1/comm; readlink /proc/self/ns/net; exit 4",
    );
    let namespace = fs::read_link(format!("/proc/{pid}/ns/net")).unwrap();
    assert_eq!(
        (joined.code, joined.lines()),
        (4, vec!["sh", namespace.to_str().unwrap()])
    );
    assert_eq!(end(first), Some(3));
    subject.finish_2014();
}

#[test]
fn the_flag_and_the_variable_choose_the_year() {
    need!(Root, Busybox, Cofferdam);
    let subject = prepare(|_| ());
    let line = ["--compat", "2014", "exec", "/bin/hostname"];
    assert_eq!(subject.bare(&line).output().ok().stdout, "koye\n");
    assert_eq!(
        call(&subject, &["exec", "/bin/hostname"]).ok().stdout,
        "koye\n"
    );
    // One dash or two, and the flag counts more than the variable.
    let line = [
        "-compat=2015",
        "--root",
        subject.root().to_str().unwrap(),
        "exec",
        "hostname",
    ];
    assert_eq!(call(&subject, &line).ok().stdout, "nsinit\n");
    let help = call(&subject, &["-help"]).ok();
    assert!(
        help.stdout.contains("nsenter") && !help.stdout.contains("restore "),
        "{help}"
    );
    subject.finish_2014();
}

#[test]
fn root_names_the_directory_of_the_file_and_the_current_one_is_the_root_file_system() {
    need!(Root, Busybox, Cofferdam);
    let subject = prepare(|_| ());
    let elsewhere = tempfile::tempdir().unwrap();
    let (from, to) = (
        subject.rootfs().join("container.json"),
        elsewhere.path().join("container.json"),
    );
    fs::rename(from, to).unwrap();
    let path = elsewhere.path().to_str().unwrap();
    let script = "ls /; cat /pid 2>&1";
    let output = call(&subject, &["-root", path, "exec", "/bin/sh", "-c", script]);
    assert!(output.lines().contains(&"bin"), "{output}");
    assert!(output.stdout.contains("can't open '/pid'"), "{output}");
    let by_variable = typed(&subject, &["exec", "/bin/hostname"]).env("data_path", path);
    assert_eq!(by_variable.output().ok().stdout, "koye\n");
    let _ = exec(&subject, "true").failed(1, "container.json");
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1);
    subject.finish_2014();
}

#[test]
fn the_files_say_which_process_it_is_as_long_as_it_runs() {
    need!(Root, Busybox, Cofferdam);
    let subject = prepare(|_| ());
    let first = start(&subject, WAIT);
    let read = |name: &str| fs::read_to_string(subject.rootfs().join(name)).unwrap();
    let pid = read("pid");
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields = stat.rsplit_once(") ").unwrap().1;
    assert_eq!(read("start"), fields.split(' ').nth(19).unwrap());
    let mode = subject
        .rootfs()
        .join("pid")
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777 & 0o644, 0o644);
    let state: Value = serde_json::from_str(&read("state.json")).unwrap();
    assert_eq!(state["init_pid"].to_string(), pid);
    assert_eq!(state["init_start_time"], read("start"));
    assert!(
        state["network_state"].is_object() && state["cgroup_paths"].is_object(),
        "{state}"
    );
    assert_eq!(end(first), Some(3));
    for name in ["pid", "start", "state.json"] {
        assert!(!subject.rootfs().join(name).exists(), "{name}");
    }
    subject.finish_2014();
}

#[test]
fn a_stale_pid_does_not_keep_the_container_from_starting() {
    need!(Root, Busybox, Cofferdam);
    let subject = prepare(|_| ());
    // A process that lives but is not the container's, as a pid that was given to another.
    fs::write(subject.rootfs().join("pid"), "1").unwrap();
    fs::write(subject.rootfs().join("start"), "1").unwrap();
    assert_eq!(exec(&subject, "echo $$").ok().stdout, "1\n");
    assert!(!subject.rootfs().join("pid").exists());
    // One whose exec was killed: its files and its record stay.
    let mut first = start(&subject, WAIT);
    let pid = fs::read_to_string(subject.rootfs().join("pid")).unwrap();
    first.kill().unwrap();
    first.wait().unwrap();
    eventually("the process has ended", || {
        !fs::exists(format!("/proc/{pid}")).unwrap()
    });
    assert!(subject.rootfs().join("pid").exists() && subject.record_2014().exists());
    assert_eq!(exec(&subject, "echo $$").ok().stdout, "1\n");
    subject.finish_2014();
}

#[test]
fn the_files_are_not_written_through_links_of_the_container() {
    need!(Root, Busybox, Cofferdam);
    let subject = prepare(|_| ());
    let outside = subject.root().join("file");
    fs::write(&outside, "kept").unwrap();
    for name in ["pid", "start", "state.json"] {
        std::os::unix::fs::symlink(&outside, subject.rootfs().join(name)).unwrap();
    }
    let _ = exec(&subject, "true").ok();
    assert_eq!(fs::read_to_string(&outside).unwrap(), "kept");
    subject.finish_2014();
}

#[test]
fn the_exit_code_is_that_of_the_program_and_255_for_a_signal() {
    need!(Root, Busybox, Cofferdam);
    let subject = prepare(|_| ());
    assert_eq!(exec(&subject, "exit 7").code, 7);
    let mut first = start(&subject, WAIT);
    assert_eq!(exec(&subject, "kill -KILL $$").code, 255);
    let pid: i32 = fs::read_to_string(subject.rootfs().join("pid"))
        .unwrap()
        .parse()
        .unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    assert_eq!(ended(&mut first), Some(255));
    let _ = call(&subject, &["exec", "/no/such/program"]).failed(1, "no such file or directory");
    subject.finish_2014();
}

#[test]
fn without_a_command_or_a_file_there_is_a_message() {
    need!(Root, Cofferdam, Busybox);
    let subject = prepare(|_| ());
    let _ = call(&subject, &[]).failed(1, "no command is given");
    let _ = call(&subject, &["no-such"]).failed(1, "No help topic for 'no-such'");
    let _ = call(&subject, &["init", "/bin/sh"]).failed(1, "no init entry is needed any more");
    // What that tool called itself with.
    let own = call(
        &subject,
        &["-console", "/dev/pts/0", "-pipe", "3", "init", "/bin/sh"],
    );
    let _ = own.failed(1, "flag provided but not defined: -console");
    let file = subject.rootfs().join("container.json");
    fs::write(&file, "{").unwrap();
    let _ = exec(&subject, "true").failed(1, "container.json");
    fs::remove_file(&file).unwrap();
    let _ = exec(&subject, "true").failed(1, "no such file or directory");
    subject.finish_2014();
}

#[test]
fn the_log_goes_nowhere_to_standard_error_or_to_a_file() {
    need!(Root, Busybox, Cofferdam);
    let subject = prepare(|file| file["no_such_key"] = json!(1));
    let said = |line: &[&str]| {
        call(&subject, &[line, &["exec", "/bin/true"]].concat())
            .ok()
            .stderr
    };
    assert_eq!(said(&[]), "");
    assert_eq!(said(&["-log", "none"]), "");
    let warning = said(&["-log", "stderr"]);
    assert!(
        warning.starts_with("[exec] 20") && warning.contains("no_such_key"),
        "{warning}"
    );
    let file = subject.root().with_extension("log");
    fs::write(&file, "before\n").unwrap();
    assert_eq!(said(&["-log", file.to_str().unwrap()]), "");
    let text = fs::read_to_string(&file).unwrap();
    assert!(
        text.starts_with("before\n[exec] ") && text.contains("no_such_key"),
        "{text}"
    );
    let by_variable = typed(&subject, &["exec", "/bin/true"]).env("log", &file);
    assert_eq!(by_variable.output().ok().stderr, "");
    assert_eq!(
        fs::read_to_string(&file)
            .unwrap()
            .matches("no_such_key")
            .count(),
        2
    );
    fs::remove_file(&file).unwrap();
    subject.finish_2014();
}

#[test]
fn tty_of_the_file_gives_a_terminal() {
    need!(Root, Busybox, Cofferdam);
    let subject = prepare(|file| file["tty"] = json!(true));
    let mut command = Command::new(program::nsinit());
    command
        .args(["--compat=2014", "exec", "/bin/sh", "-c", "tty; stty size"])
        .current_dir(subject.rootfs());
    let (code, shown) = OnTerminal::run(command, Stdio::null(), None).finish();
    assert_eq!(code, Some(0));
    assert!(
        shown.contains("/dev/pts/0") && shown.contains("20 70"),
        "{shown}"
    );
    subject.finish_2014();
}

#[test]
fn user_directory_and_capabilities_are_those_of_the_file() {
    need!(Root, Busybox, Cofferdam);
    let subject = prepare(|file| {
        file["user"] = json!("user");
        file["working_dir"] = json!("/tmp");
    });
    let output = exec(&subject, "id -u; id -G; pwd; grep CapBnd /proc/self/status").ok();
    let lines = output.lines();
    assert_eq!(lines[..3], ["1000", "1000 50", "/tmp"]);
    let set = u64::from_str_radix(lines[3].trim_start_matches("CapBnd:\t"), 16).unwrap();
    // SYS_ADMIN is masked, SYS_CHROOT is not.
    assert_eq!((set >> 21 & 1, set >> 18 & 1), (0, 1), "{output}");
    subject.finish_2014();
}

#[test]
fn the_file_is_shown_in_the_form_of_today() {
    need!(Root, Busybox, Cofferdam);
    let subject = prepare(|_| ());
    let config = call(&subject, &["config"]).ok();
    assert_eq!(config.json()["hostname"], "koye");
    let spec = call(&subject, &["spec"]).ok();
    assert_eq!(spec.stdout, format!("Spec:\n{}", config.stdout));
    // That is a file that exec of 2015 takes.
    let file = subject.root().with_extension("json");
    fs::write(&file, &config.stdout).unwrap();
    let run = subject
        .exec(&["--config", file.to_str().unwrap()], "hostname")
        .ok();
    assert_eq!(run.stdout, "koye\n");
    fs::remove_file(&file).unwrap();
    subject.finish_2014();
}

#[test]
fn statistics_have_the_names_of_2014() {
    need!(Root, Busybox, Cofferdam, Controllers);
    let subject = prepare(|_| ());
    let _ = call(&subject, &["stats"]).failed(1, "no container of the directory . runs");
    let first = start(&subject, WAIT);
    let stats = call(&subject, &["stats"]).ok().json();
    assert!(
        stats["cgroup_stats"]["cpu_stats"]["cpu_usage"]["total_usage"].as_u64() > Some(0),
        "{stats}"
    );
    assert_eq!(stats["network_stats"]["rx_bytes"], 0);
    assert_eq!(end(first), Some(3));
    subject.finish_2014();
}

#[test]
fn pause_and_unpause_are_silent() {
    need!(Root, Busybox, Cofferdam);
    let subject = prepare(|_| ());
    let _ = call(&subject, &["pause"]).failed(1, "no container of the directory . runs");
    let first = start(&subject, WAIT);
    let paused = call(&subject, &["pause"]).ok();
    let _ = exec(&subject, "true").failed(1, "paused container");
    let resumed = call(&subject, &["unpause"]).ok();
    assert_eq!((&*paused.stdout, &*resumed.stdout), ("", ""));
    let _ = exec(&subject, "true").ok();
    assert_eq!(end(first), Some(3));
    subject.finish_2014();
}

#[test]
fn nsenter_joins_by_the_pid_of_the_first_process() {
    need!(Root, Busybox, Cofferdam);
    let subject = prepare(|_| ());
    let first = start(&subject, WAIT);
    let pid = fs::read_to_string(subject.rootfs().join("pid")).unwrap();
    let enter = |json: &[&str], script: &str| {
        let line = [&["nsenter", "--nspid", &pid][..], json];
        let line = [&line.concat()[..], &["--", "sh", "-c", script]].concat();
        call(&subject, &line)
    };
    assert_eq!(enter(&[], "hostname; pwd").ok().lines(), ["koye", "/"]);
    // Of the description counts what is the process's: the rest is made.
    let described =
        r#"{"environment": ["A=1", "PATH=/bin"], "user": "user", "working_dir": "/tmp"}"#;
    let described = ["--containerjson", described];
    let seen = enter(&described, "hostname; pwd; id -u; echo $A").ok();
    assert_eq!(seen.lines(), ["koye", "/tmp", "1000", "1"]);
    let _ =
        enter(&["--containerjson", "["], "true").failed(1, "--containerjson: invalid type: array");
    let _ = call(&subject, &["nsenter", "--nspid=1", "/bin/true"]).failed(1, "process 1 is not");
    let _ = call(&subject, &["nsenter", "/bin/true"]).failed(1, "--nspid option isn't specified");
    assert_eq!(end(first), Some(3));
    subject.finish_2014();
}

#[test]
fn a_file_becomes_a_bundle_that_runs() {
    need!(Root, Busybox, Cofferdam);
    let subject = prepare(|file| {
        file["user"] = json!("user");
        file["networks"] = json!([
            { "type": "loopback" },
            { "type": "veth", "address": "10.0.0.2/24", "context": { "bridge": "b", "prefix": "v" } }
        ]);
    });
    let bundle = tempfile::tempdir().unwrap();
    let path = bundle.path().to_str().unwrap();
    let script = "hostname; id -u; id -G; echo $PATH";
    let line = ["convert", "--bundle", path, "/bin/sh", "-c", script];
    let converted = subject.bare(&line).output().ok();
    assert!(
        converted.stderr.contains("veth"),
        "what is left out is said: {converted}"
    );
    let again = subject.bare(&line).output();
    let _ = again.failed(1, "exists: remove it first");
    let root = subject.root().to_str().unwrap();
    let run = Limited::new(program::under_test())
        .args(["--root", root, "run", "converted"])
        .directory(path)
        .output()
        .ok();
    assert_eq!(run.lines(), ["koye", "1000", "1000 50", "/sbin:/bin"]);
    let none = call(
        &subject,
        &[
            "convert",
            "--bundle",
            "/tmp/none",
            "--file=/no/such",
            "true",
        ],
    );
    let _ = none.failed(1, "no such file or directory");
    subject.finish_2014();
}

#[test]
fn several_that_come_and_go_find_a_container_or_make_one() {
    need!(Root, Busybox, Cofferdam);
    let subject = prepare(|_| ());
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for _ in 0..15 {
                    let one = exec(&subject, "exit 7");
                    // Who has joined may be ended by the end of the container.
                    let ended = [7, 255].contains(&one.code);
                    assert!(ended && one.stderr.is_empty(), "{one}");
                }
            });
        }
    });
    subject.finish_2014();
}
