//! `exec`: makes containers, joins them, ends as they do.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use cofferdam_integration::{eventually, need};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::tcsetwinsize;

use super::subject::{Subject, WAIT, end, ended};
use crate::terminals::{OnTerminal, size};

#[test]
fn exec_makes_a_container_and_removes_it_at_its_end() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    let output = subject.exec(&[], "echo $$; hostname; id -u; pwd").ok();
    assert_eq!(output.lines(), ["1", "nsinit", "0", "/"]);
    subject.finish();
}

#[test]
fn a_second_exec_joins_and_ends_without_the_container() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    let first = subject.start(&["--hostname=first"], WAIT);
    let joined = subject.exec(
        &["--hostname=ignored"],
        "hostname; cat /proc/1/comm; exit 4",
    );
    assert_eq!((joined.code, joined.lines()), (4, vec!["first", "sh"]));
    let state = subject.state().unwrap();
    let pid = state["init_process_pid"].as_i64().unwrap();
    let inside = subject.exec(
        &[],
        "for n in mnt uts ipc net pid; do readlink /proc/self/ns/$n; done",
    );
    let inside = inside.ok();
    for (kind, seen) in ["mnt", "uts", "ipc", "net", "pid"]
        .iter()
        .zip(inside.lines())
    {
        let of_first = fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
        assert_eq!(of_first.to_str(), Some(seen));
    }
    assert_eq!(end(first), Some(3));
    subject.finish();
}

#[test]
fn other_ids_are_other_containers() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    let first = subject.start(&[], WAIT);
    let other = subject.exec(&["--id=other", "--hostname=two"], "hostname; echo $$");
    assert_eq!(other.ok().lines(), ["two", "1"]);
    let wrong = subject.call(&["state", "--id=other"]);
    let _ = wrong.failed(1, "container does not exist");
    let _ = subject
        .exec(&["--id=a/b"], "true")
        .failed(1, "invalid container ID format");
    assert_eq!(end(first), Some(3));
    subject.finish();
}

#[test]
fn the_exit_code_is_that_of_the_program_or_says_the_signal() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    assert_eq!(subject.exec(&[], "exit 7").code, 7);
    let missing = subject.call(&["exec", "/no/such/program"]);
    let _ = missing.failed(1, "no such file or directory");
    let first = subject.start(&[], WAIT);
    assert_eq!(subject.exec(&[], "kill -KILL $$").code, 128 + 9);
    assert_eq!(end(first), Some(3));
    // The first process, too: it can be ended from outside only.
    let mut first = subject.start(&[], WAIT);
    let pid = subject.state().unwrap()["init_process_pid"]
        .as_i64()
        .unwrap();
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    assert_eq!(ended(&mut first), Some(128 + 9));
    subject.finish();
}

#[test]
fn arguments_end_with_the_first_one_that_is_no_flag() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    // The tool of 2015 took the -c for one of its own flags.
    for line in [
        &["exec", "sh", "-c", "echo $0 $1", "--tty", "-x"][..],
        &["exec", "--", "sh", "-c", "echo $0 $1", "--tty", "-x"],
    ] {
        assert_eq!(subject.call(line).ok().lines(), ["--tty -x"], "{line:?}");
    }
    let none = subject.call(&["exec"]);
    let _ = none.failed(1, "requires a minimum of 1 argument(s)");
    subject.finish();
}

#[test]
fn user_groups_directory_and_environment_are_those_of_the_flags() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    let script = "id -u; id -g; id -G; pwd; echo $PATH; echo $HOSTNAME $TERM $A $HOME";
    let flags = [
        "--user",
        "user",
        "--groups=adm",
        "--cwd=/tmp",
        "--env=A=1",
        "--env",
        "TERM=vt",
    ];
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let output = subject.exec(&flags, script).ok();
    let expected = [
        "1000",
        "1000",
        "1000 4 50",
        "/tmp",
        path,
        "nsinit vt 1 /home/user",
    ];
    assert_eq!(output.lines(), expected);
    let first = subject.start(&["--groups=adm"], WAIT);
    // Groups are the container's, the user is that of the process.
    let joined = subject
        .exec(&["-u", "user:root"], "id -u; id -g; id -G")
        .ok();
    assert_eq!(joined.lines(), ["1000", "0", "0 4"]);
    let joined = subject.exec(&["-u", "7:8"], "id -u; id -g; id -G").ok();
    assert_eq!(joined.lines(), ["7", "8", "8 4"]);
    let _ = subject.exec(&["-u", "absent"], "true").failed(1, "absent");
    assert_eq!(end(first), Some(3));
    let _ = subject.exec(&["-u", "absent"], "true").failed(1, "absent");
    subject.finish();
}

#[test]
fn without_tty_the_streams_are_pipes_and_signals_are_forwarded() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    let script = "tty; for fd in 0 1 2; do readlink /proc/self/fd/$fd; done; cat; echo err >&2";
    let line = [
        "--root",
        subject.root().to_str().unwrap(),
        "exec",
        "sh",
        "-c",
        script,
    ];
    let output = subject.bare(&line).input("typed").output().ok();
    let lines = output.lines();
    assert_eq!(
        (lines[0], lines[4], &*output.stderr),
        ("not a tty", "typed", "err\n")
    );
    assert!(
        lines[1..4].iter().all(|target| target.starts_with("pipe:")),
        "{output}"
    );
    let first = subject.start(&[], "trap 'exit 9' USR1; >/tmp/ready; sleep 1000 & wait");
    kill_process(Pid::from_child(&first), Signal::USR1).unwrap();
    let mut first = first;
    assert_eq!(ended(&mut first), Some(9));
    subject.finish();
}

#[test]
fn with_tty_the_terminal_follows_that_of_the_caller() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    // A signal that comes just before `read` waits does not interrupt it: its time limit does.
    let script = "trap 'stty size; echo changed' WINCH; tty; stty size; echo ready; \
                  while :; do read -t 1 line && exit 4; done";
    let command = subject.command(&["exec", "--tty", "sh", "-c", script]);
    let mut command = OnTerminal::run(command, Stdio::piped(), None);
    command.shows("/dev/pts/0");
    command.shows("20 70");
    command.shows("ready");
    tcsetwinsize(&command.master, size(33, 111)).unwrap();
    command.signal(Signal::WINCH);
    command.shows("33 111");
    let mut stdin = command.child.stdin.take().unwrap();
    stdin.write_all(b"end\n").unwrap();
    assert_eq!(command.finish().0, Some(4));
    subject.finish();
}

#[test]
fn a_container_whose_exec_was_killed_goes_on_or_ends_and_is_made_anew_as_it_was() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    let killed = |flags: &[&str]| {
        let mut first = subject.start(flags, WAIT);
        first.kill().unwrap();
        first.wait().unwrap();
    };
    killed(&["--hostname=alone"]);
    let joined = subject.exec(&[], "hostname; echo $$").ok();
    assert!(
        joined.lines()[0] == "alone" && joined.lines()[1] != "1",
        "{joined}"
    );
    let pid = subject.state().unwrap()["init_process_pid"]
        .as_i64()
        .unwrap();
    kill_process(
        Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(),
        Signal::KILL,
    )
    .unwrap();
    eventually("the container has ended", || subject.state().is_none());
    assert_eq!(subject.exec(&[], "hostname").ok().stdout, "alone\n");
    killed(&["--hostname=kept", "--parent-death-signal=9"]);
    eventually("the container has ended", || subject.state().is_none());
    let _ = subject.call(&["state"]).failed(1, "is not running");
    let again = subject
        .exec(&["--hostname=other"], "hostname; echo $$")
        .ok();
    assert_eq!(again.lines(), ["kept", "1"]);
    subject.finish();
}

#[test]
fn a_log_file_is_emptied_and_gets_errors() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    let log = subject.root().with_extension("log");
    fs::write(&log, "before\n").unwrap();
    let line = ["--log-file", log.to_str().unwrap(), "state", "--id=none"];
    let _ = subject.call(&line).failed(1, "container does not exist");
    let text = fs::read_to_string(&log).unwrap();
    fs::remove_file(&log).unwrap();
    assert!(
        text.contains("container does not exist") && !text.contains("before"),
        "{text}"
    );
    subject.finish();
}

#[test]
fn help_and_version_need_no_container_and_init_is_not_needed() {
    need!(Cofferdam);
    let subject = Subject::new();
    for line in [&[][..], &["--help"], &["help"], &["-h"]] {
        let help = subject.call(line).ok();
        assert!(
            help.stdout.contains("unpause") && help.stdout.contains("--criu"),
            "{help}"
        );
    }
    let help = subject.call(&["help", "exec"]).ok();
    assert!(help.stdout.contains("--userns-root-uid"), "{help}");
    for line in [&["--version"][..], &["-v"]] {
        assert!(
            subject
                .call(line)
                .ok()
                .stdout
                .starts_with("nsinit version 2\n")
        );
    }
    let _ = subject
        .call(&["no-such"])
        .failed(1, "No help topic for 'no-such'");
    let _ = subject
        .call(&["--compat=2013", "exec", "true"])
        .failed(1, "neither 2014 nor 2015");
    let _ = subject
        .call(&["init"])
        .failed(1, "no init entry is needed any more");
    subject.finish();
}

/// The documents tell their readers to type the same line once more.
#[test]
fn flags_that_say_what_they_said_are_not_warned_of() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    let file = subject.root().with_extension("json");
    let config = subject.call(&["config", "--hostname=of-file"]).ok().stdout;
    fs::write(&file, &config).unwrap();
    let from_file = ["--config", file.to_str().unwrap()];
    for line in [
        &from_file[..],
        &["--hostname=typed", "--tmpfs=/mnt", "--security=low"],
    ] {
        let first = subject.start(line, WAIT);
        assert_eq!(subject.exec(line, "true").ok().stderr, "");
        let other = subject.exec(&[line, &["--uts=host"]].concat(), "true").ok();
        let text = "the container runs already: --uts ignored";
        assert!(other.stderr.contains(text), "{other}");
        assert_eq!(end(first), Some(3));
    }
    // Another file, or another content, is another container.
    let first = subject.start(&from_file, WAIT);
    fs::write(&file, config.replace("of-file", "changed")).unwrap();
    let other = subject.exec(&from_file, "hostname").ok();
    assert_eq!(other.lines(), ["of-file"]);
    let text = "the container runs already: --config ignored";
    assert!(other.stderr.contains(text), "{other}");
    assert_eq!(end(first), Some(3));
    fs::remove_file(&file).unwrap();
    subject.finish();
}

/// What describes a container counts where one is made; the groups are the process's.
#[test]
fn flags_without_an_effect_are_warned_of() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    let first = subject.start(&[], WAIT);
    let flags = ["--hostname=x", "--security=high", "--groups=99"];
    let joined = subject.exec(&flags, "id -G").ok();
    assert_eq!(joined.lines(), ["0 99"]);
    let text = "the container runs already: --hostname, --security ignored";
    assert!(joined.stderr.contains(text), "{joined}");
    let _ = subject.call(&["pause"]).ok();
    let refused = subject.exec(&[], "true");
    let _ = refused.failed(1, "cannot exec in a paused container: unpause it first");
    let _ = subject.call(&["unpause"]).ok();
    assert_eq!(end(first), Some(3));
    let refused = subject.exec(&["--uts=host", "--hostname=x"], "true");
    let _ = refused.failed(1, "--hostname needs --uts private");
    let refused = subject.call(&["--log=x", "exec", "true"]);
    let _ = refused.failed(1, "--log needs --compat 2014");
    let refused = subject.exec(&["--veth-mtu=1400"], "true");
    let _ = refused.failed(1, "--veth-mtu needs --veth-bridge");
    let _ = subject
        .exec(&["--id="], "true")
        .failed(1, "invalid container ID format");
    subject.finish();
}

/// An `exec` that is killed before the container is on record leaves the directory.
#[test]
fn what_a_killed_exec_has_left_does_not_keep_the_id() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    fs::create_dir(subject.root().join("nsinit")).unwrap();
    let _ = subject.exec(&[], "true").ok();
    assert!(!subject.root().join("nsinit").exists());
    subject.finish();
}

#[test]
fn several_at_once_are_in_one_container() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    // The others may still be about to end when the first one, and with it the container, ends.
    let script = "echo $$ >>/tmp/all; [ $$ = 1 ] || exit 0; \
                  until [ $(wc -l </tmp/all) = 4 ]; do sleep 0.01; done";
    std::thread::scope(|scope| {
        let run = || subject.exec(&[], script);
        let all: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        for one in all {
            let one = one.join().unwrap();
            assert!(
                [0, 137].contains(&one.code) && one.stderr.is_empty(),
                "{one}"
            );
        }
    });
    let pids = fs::read_to_string(subject.rootfs().join("tmp/all")).unwrap();
    assert_eq!(pids.lines().filter(|pid| *pid == "1").count(), 1, "{pids}");
    assert_eq!(pids.lines().count(), 4, "{pids}");
    subject.finish();
}

/// Each joins the container of another one, which may end before it is joined, or makes one, which
/// another may have begun.
#[test]
fn several_that_come_and_go_find_a_container_or_make_one() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for _ in 0..15 {
                    let one = subject.exec(&[], "exit 7");
                    // Who has joined may be ended by the end of the container.
                    let ended = [7, 128 + 9].contains(&one.code);
                    assert!(ended && one.stderr.is_empty(), "{one}");
                }
            });
        }
    });
    subject.finish();
}
