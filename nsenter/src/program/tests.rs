use std::os::fd::AsRawFd;

use super::*;
use crate::error::ErrorKind;
use crate::output::KEPT;

fn strings<const N: usize>(texts: [&str; N]) -> Vec<CString> {
    texts.map(|text| CString::new(text).unwrap()).to_vec()
}

fn script(text: &str) -> Vec<CString> {
    strings(["my-hook", "-c", text])
}

fn shell(args: &[CString]) -> Program<'_> {
    Program {
        path: c"/bin/sh",
        args,
        env: None,
        directory: None,
        stdin: b"{\"id\":\"x\"}",
        timeout: None,
        lives_with: None,
    }
}

fn said(outcome: &HookOutcome) -> String {
    String::from_utf8(outcome.stdout().to_vec()).unwrap()
}

#[test]
fn it_gets_input_arguments_environment_and_directory_verbatim() {
    let args = script(
        r#"read line; test "$line" = '{"id":"x"}' && test "$A" = "b=c" && test "$0" = my-hook && test -z "$HOME" && pwd"#,
    );
    let env = strings(["A=b=c", "novalue"]);
    let directory = tempfile::tempdir().unwrap();
    let open = File::open(directory.path()).unwrap();
    let outcome = Program {
        env: Some(&env),
        directory: Some(open.as_fd()),
        ..shell(&args)
    }
    .run()
    .unwrap();
    assert!(outcome.success(), "{outcome}");
    let path = directory.path().canonicalize().unwrap();
    assert_eq!(said(&outcome).trim_end(), path.to_str().unwrap());
}

#[test]
fn no_descriptor_of_this_process_gets_into_it() {
    use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
    let null = File::open("/dev/null").unwrap();
    // As a host program may have it that was written in another language.
    let left_open = fcntl_dupfd_cloexec(&null, 500).unwrap();
    fcntl_setfd(&left_open, FdFlags::empty()).unwrap();
    // Without another process or a directory to read, which would take numbers for themselves.
    let args = script(
        "for n in 3 4 5 6 7 8 9 10 11 12 500; do test -e /proc/$$/fd/$n && echo $n; done; exit 0",
    );
    assert_eq!(said(&shell(&args).run().unwrap()), "");
}

#[test]
fn it_inherits_the_environment_if_none_is_given() {
    let args = script(r#"test -n "$PATH""#);
    assert!(shell(&args).run().unwrap().success());
}

#[test]
fn it_has_no_blocked_signals_and_ignores_none_for_our_sake() {
    // Rust ignores SIGPIPE before main.
    let args = script("grep -E 'SigBlk|SigIgn' /proc/$$/status | cut -f 2");
    let said = said(&shell(&args).run().unwrap());
    let masks: Vec<u64> = said
        .lines()
        .map(|mask| u64::from_str_radix(mask, 16).unwrap())
        .collect();
    // Others may be ignored by the caller of this test.
    let own = 1 << (libc::SIGPIPE - 1) | 1 << (libc::SIGXFSZ - 1);
    assert_eq!((masks[0], masks[1] & own), (0, 0), "{said}");
}

#[test]
fn a_failure_tells_status_and_output() {
    for (text, expected) in [
        (
            "echo out; echo err >&2; exit 3",
            "exit status 3, stdout: out, stderr: err",
        ),
        ("kill -9 $$", "signal: killed, stdout: , stderr: "),
        ("kill -TERM $$", "signal: terminated, stdout: , stderr: "),
        (
            "kill -SYS $$",
            "signal: bad system call, stdout: , stderr: ",
        ),
        ("kill -40 $$", "signal: signal 40, stdout: , stderr: "),
    ] {
        let args = script(&format!("ulimit -c 0; {text}"));
        let outcome = shell(&args).run().unwrap();
        assert!(!outcome.success());
        let shown = outcome.to_string().replace(" (core dumped)", "");
        assert_eq!(shown, expected);
    }
}

#[test]
fn it_ends_with_the_process_that_it_lives_with() {
    use std::io::BufRead;
    use std::process::{Command, Stdio};
    // Says when the program runs, and then waits to be killed, as the program does.
    let mut other = Command::new("/bin/cat")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = Pid::from_child(&other);
    let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap();
    let (read, write) = std::io::pipe().unwrap();
    let fd = write.as_raw_fd();
    let args = script(&format!(
        "echo runs >/proc/{}/fd/{fd}; exec sleep 1000",
        std::process::id()
    ));
    let killer = std::thread::spawn(move || {
        let mut line = String::new();
        std::io::BufReader::new(read).read_line(&mut line).unwrap();
        other.kill().unwrap();
        other.wait().unwrap();
    });
    let outcome = Program {
        lives_with: Some(pidfd.as_fd()),
        ..shell(&args)
    }
    .run()
    .unwrap();
    killer.join().unwrap();
    drop(write);
    assert!(!outcome.success());
    let text = outcome.to_string();
    assert!(text.starts_with("signal: killed"), "{text}");
    // One that is gone already.
    let outcome = Program {
        lives_with: Some(pidfd.as_fd()),
        ..shell(&args)
    };
    assert!(!outcome.run().unwrap().success());
}

#[test]
fn a_timeout_ends_the_whole_group() {
    let dir = tempfile::tempdir().unwrap();
    let pids = dir.path().join("pids");
    let args = script(&format!(
        "sleep 1000 & echo $! $$ > {}; wait",
        pids.display()
    ));
    let outcome = Program {
        timeout: Some(Duration::from_secs(1)),
        ..shell(&args)
    }
    .run()
    .unwrap();
    assert_eq!(
        outcome.to_string(),
        "hook ran past specified timeout of 1.0s"
    );
    assert_eq!(outcome.timed_out(), Some(Duration::from_secs(1)));
    for pid in std::fs::read_to_string(pids).unwrap().split_whitespace() {
        // Killed, it may take a moment to end; reaped already, it is gone.
        if let Ok(pidfd) = pidfd::open(pid.parse().unwrap()) {
            let limit = Some(Duration::from_secs(60));
            assert!(pidfd::wait_timeout(pidfd, limit).unwrap(), "{pid} is alive");
        }
    }
}

#[test]
fn a_process_that_holds_the_output_open_is_not_waited_for() {
    let args = script("sleep 1000 & echo $! >&2; exit 1");
    let outcome = shell(&args).run().unwrap();
    assert_eq!(outcome.exit(), Exit::Code(1));
    let pid = std::str::from_utf8(outcome.stderr()).unwrap();
    let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
}

#[test]
fn output_is_capped_and_never_blocks_the_program() {
    let args = script("head -c 3000000 /dev/zero | tr '\\0' x; exit 1");
    let outcome = shell(&args).run().unwrap();
    assert_eq!(outcome.exit(), Exit::Code(1));
    assert!(outcome.stdout() == vec![b'x'; KEPT]);
}

#[test]
fn what_cannot_be_started_is_named_and_leaves_no_child() {
    let file = File::open("/dev/null").unwrap();
    let plain = tempfile::NamedTempFile::new().unwrap();
    let plain = CString::new(plain.path().to_str().unwrap()).unwrap();
    for (program, text, errno) in [
        (
            Program {
                path: c"/nonexistent/hook",
                ..shell(&[])
            },
            "fork/exec /nonexistent/hook".to_owned(),
            libc::ENOENT,
        ),
        (
            Program {
                path: &plain,
                ..shell(&[])
            },
            format!("fork/exec {}", plain.to_str().unwrap()),
            libc::EACCES,
        ),
        (
            Program {
                directory: Some(file.as_fd()),
                ..shell(&[])
            },
            "enter the working directory of /bin/sh".to_owned(),
            libc::ENOTDIR,
        ),
    ] {
        let error = program.run().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::System);
        assert_eq!(
            (error.to_string(), error.raw_os_error()),
            (text, Some(errno))
        );
    }
}

#[test]
fn many_threads_run_programs_at_once() {
    std::thread::scope(|scope| {
        for number in 0..8 {
            scope.spawn(move || {
                let args = script(&format!("echo {number}; exit {number}"));
                for _ in 0..10 {
                    let outcome = shell(&args).run().unwrap();
                    assert_eq!(outcome.exit(), Exit::Code(number));
                    assert_eq!(said(&outcome), format!("{number}\n"));
                }
            });
        }
    });
}
