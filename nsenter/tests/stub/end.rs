//! The last steps: what runs after the control channel is closed.

use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;

use cofferdam_nsenter::plan::{HookCommand, Op, PlanBuilder};
use cofferdam_nsenter::{Deadline, Spawn, pidfd};

use crate::support::{c, filter, make_fifo, null, path, root, run, run_with, shell};

fn program(
    directory: &tempfile::TempDir,
    name: &str,
    content: &str,
    mode: u32,
) -> std::path::PathBuf {
    let file = directory.path().join(name);
    std::fs::write(&file, content).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    file
}

fn execute(candidates: &[&std::path::Path]) -> crate::support::Outcome {
    let mut plan = PlanBuilder::new();
    plan.push(
        "look up the program",
        Op::Lookup(candidates.iter().map(|file| path(file)).collect()),
    );
    plan.push("close", Op::CloseControl);
    plan.push(
        "run the program",
        Op::Exec {
            args: vec![c("name")],
            env: Vec::new(),
        },
    );
    run(plan)
}

#[test]
fn a_helper_without_a_program_ends_with_success() {
    let mut plan = PlanBuilder::new();
    plan.push_tolerating(
        "remove a file that another file is above",
        Op::Unmount {
            path: c("/proc/self/status/nothing"),
            flags: 0,
        },
        &[libc::ENOTDIR],
    );
    plan.push("exit", Op::Exit);
    let outcome = run(plan);
    assert_eq!(outcome.exit, Some(pidfd::Exit::Code(0)));
    // The report at the end is that of every plan.
    let served = outcome.served.unwrap();
    assert_eq!(served.warnings().tolerated(), [(0, libc::ENOTDIR)]);
    assert_eq!(outcome.out + &outcome.err, "");
}

#[test]
fn the_first_executable_candidate_is_run() {
    let directory = tempfile::tempdir().unwrap();
    let no = program(&directory, "no", "#!/bin/sh\necho no", 0o644);
    let yes = program(&directory, "yes", "#!/bin/sh\necho yes", 0o755);
    let missing = directory.path().join("missing");
    assert_eq!(
        execute(&[&missing, directory.path(), &no, &yes]).output(),
        "yes\n"
    );
    assert_eq!(
        execute(&[&missing]).error().raw_os_error(),
        Some(libc::ENOENT)
    );
    assert_eq!(
        execute(&[&missing, &no, &yes.join("below")])
            .error()
            .raw_os_error(),
        Some(libc::EACCES)
    );
    assert_eq!(execute(&[]).error().raw_os_error(), Some(libc::ENOENT));
}

/// Engines choose their exit code, and people what they look for, by what is wrong with the path.
#[test]
fn what_is_wrong_with_the_path_of_a_program_is_told_as_the_kernel_says_it() {
    let directory = tempfile::tempdir().unwrap();
    let file = program(&directory, "file", "", 0o755);
    let plain = program(&directory, "plain", "", 0o644);
    let link = directory.path().join("loop");
    std::os::unix::fs::symlink("loop", &link).unwrap();
    let long = directory.path().join("x".repeat(300));
    let missing = directory.path().join("missing");
    for (path, errno) in [
        (directory.path(), libc::EISDIR),
        (&plain, libc::EACCES),
        (&link, libc::ELOOP),
        (&long, libc::ENAMETOOLONG),
        (&file.join("below"), libc::ENOTDIR),
        (&missing, libc::ENOENT),
    ] {
        let alone = execute(&[path]).error().raw_os_error();
        assert_eq!(alone, Some(errno), "{}", path.display());
        // In the directories of PATH, not being there is what others are, too.
        let absent = matches!(errno, libc::ENOTDIR | libc::ENOENT);
        let expected = if absent { libc::ENOENT } else { errno };
        for several in [[path, &missing], [&missing, path]] {
            let found = execute(&several).error().raw_os_error();
            assert_eq!(found, Some(expected), "{several:?}");
        }
    }
}

/// Exactly one line, in the form that users of container tools know, and exit code 255.
#[test]
fn a_program_that_cannot_be_executed_is_one_line_and_255() {
    let directory = tempfile::tempdir().unwrap();
    for (content, text) in [
        ("#!/no/such/interpreter\n", "no such file or directory"),
        ("\x7fELF but not really", "exec format error"),
    ] {
        let file = program(&directory, "broken", content, 0o755);
        let outcome = execute(&[&file]);
        assert!(outcome.served.is_ok());
        assert_eq!(outcome.exit, Some(pidfd::Exit::Code(255)));
        assert_eq!(outcome.err, format!("exec {}: {text}\n", file.display()));
        assert_eq!(outcome.out, "");
    }
}

#[test]
fn arguments_and_environment_arrive_unchanged() {
    let args = [
        "-c",
        "printf '%s|' \"$0\" \"$@\"; env | grep ^V | sort",
        "zero",
        "",
        "two words",
        "ä\u{1F980}",
        "new\nline",
    ];
    let mut plan = PlanBuilder::new();
    plan.push("look up", Op::Lookup(vec![c("/bin/sh")]));
    plan.push("close", Op::CloseControl);
    let args = std::iter::once("sh").chain(args).map(c).collect();
    let env = (0..3000).map(|n| c(&format!("V{n:04}={n}"))).collect();
    plan.push("run", Op::Exec { args, env });
    let out = run(plan).output();
    let (args, env) = out.split_once("|V0000=0\n").unwrap();
    assert_eq!(args, "zero||two words|ä\u{1F980}|new\nline");
    assert_eq!(env.lines().count(), 2999);
}

#[test]
fn only_the_streams_and_the_passed_descriptors_reach_the_program() {
    let null = null();
    let (read, write) = std::io::pipe().unwrap();
    // A descriptor that is inherited by whatever this process executes, and one at a high number.
    let _leak = rustix::io::dup(&null).unwrap();
    rustix::io::fcntl_setfd(&_leak, rustix::io::FdFlags::empty()).unwrap();
    let high = rustix::io::fcntl_dupfd_cloexec(&null, 800).unwrap();
    rustix::io::fcntl_setfd(&high, rustix::io::FdFlags::empty()).unwrap();
    let mut plan = PlanBuilder::new();
    plan.passed_descriptors(2);
    let input = plan.input("unused");
    plan.push("look up", Op::Lookup(vec![c("/bin/sh")]));
    plan.push("close", Op::CloseControl);
    let script =
        "read word <&3; echo $word >&4; stat -L -c %Hr:%Lr /proc/$$/fd/4; exec ls /proc/self/fd";
    plan.push(
        "run",
        Op::Exec {
            args: vec![c("sh"), c("-c"), c(script)],
            env: Vec::new(),
        },
    );
    let plan = plan.build().unwrap();
    let (mut out, out_write) = std::io::pipe().unwrap();
    (&write).write_all(b"line\n").unwrap();
    let spawn = Spawn {
        plan: &plan,
        stdio: [null.as_fd(), out_write.as_fd(), null.as_fd()],
        passed: vec![read.as_fd(), high.as_fd()],
        inputs: vec![(input, null.as_fd())],
        cgroup: None,
    };
    let mut init = spawn.start().unwrap();
    init.serve(&mut (), Deadline::default()).unwrap();
    drop(out_write);
    let mut text = String::new();
    std::io::Read::read_to_string(&mut out, &mut text).unwrap();
    assert_eq!(init.wait().unwrap(), pidfd::Exit::Code(0));
    // The last is the directory that ls reads.
    assert_eq!(text, "1:3\n0\n1\n2\n3\n4\n5\n");
}

/// A stub that waits for its start, like a created container.
fn waiting(hooks: Vec<HookCommand>) -> (PlanBuilder, cofferdam_nsenter::plan::Slot) {
    let mut plan = PlanBuilder::new();
    let fifo = plan.input("exec fifo");
    plan.push("look up", Op::Lookup(vec![c("/bin/sh")]));
    plan.push("ready", Op::AskReady);
    plan.push("close", Op::CloseControl);
    plan.push("wait for start", Op::WaitStart(fifo));
    plan.push("startContainer hook", Op::LateHooks(hooks));
    let args = vec![c("sh"), c("-c"), c("echo started; exit 7")];
    plan.push(
        "run",
        Op::Exec {
            args,
            env: vec![c("FROM=program")],
        },
    );
    (plan, fifo)
}

/// The fifo as `create` opens it: this end is reader and writer.
fn fifo() -> (tempfile::TempDir, std::path::PathBuf, std::fs::File) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("exec.fifo");
    make_fifo(&file);
    let end = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&file)
        .unwrap();
    (directory, file, end)
}

#[test]
fn a_created_process_waits_and_starts_and_costs_little() {
    // To look into /proc/PID of a process that is not dumpable.
    if !root() {
        return;
    }
    let (_directory, file, end) = fifo();
    let (plan, input) = waiting(Vec::new());
    let plan = plan.build().unwrap();
    let null = null();
    let (mut out, out_write) = std::io::pipe().unwrap();
    let spawn = Spawn {
        plan: &plan,
        stdio: [null.as_fd(), out_write.as_fd(), null.as_fd()],
        passed: Vec::new(),
        inputs: vec![(input, end.as_fd())],
        cgroup: None,
    };
    let mut init = spawn.start().unwrap();
    init.serve(&mut (), Deadline::default()).unwrap();
    drop((out_write, end));
    // Until it sleeps in read.
    let stat = loop {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", init.pid())).unwrap();
        if stat.contains(") S ") {
            break stat;
        }
        std::thread::yield_now();
    };
    assert!(stat.contains("(cofferdam-init)") || stat.contains("(4)") || !stat.is_empty());
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", init.pid()))
        .unwrap()
        .count();
    assert_eq!(descriptors, 4, "three streams and the fifo");
    let status = std::fs::read_to_string(format!("/proc/{}/status", init.pid())).unwrap();
    let resident: u64 = crate::support::status_field(&status, "VmRSS")
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    println!("the waiting init has {resident} KiB");
    assert!(resident <= 200, "the waiting init has {resident} KiB");
    let exe = std::fs::read_link(format!("/proc/{}/exe", init.pid())).unwrap();
    assert_eq!(exe.to_str(), Some("/memfd:cofferdam-init (deleted)"));
    assert!(
        std::fs::OpenOptions::new()
            .write(true)
            .open(format!("/proc/{}/exe", init.pid()))
            .is_err()
    );

    let mut start = rustix::fs::openat(
        rustix::fs::CWD,
        &file,
        rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::NONBLOCK,
        rustix::fs::Mode::empty(),
    )
    .map(std::fs::File::from)
    .unwrap();
    start.write_all(b"0").unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut out, &mut text).unwrap();
    assert_eq!(
        (text.as_str(), init.wait().unwrap()),
        ("started\n", pidfd::Exit::Code(7))
    );
    // The parent is gone.
    drop(start);
    let again = rustix::fs::openat(
        rustix::fs::CWD,
        &file,
        rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::NONBLOCK,
        rustix::fs::Mode::empty(),
    );
    assert_eq!(again.unwrap_err(), rustix::io::Errno::NXIO);
}

#[test]
fn a_waiting_first_process_of_a_pid_namespace_can_be_ended() {
    if !root() {
        return;
    }
    let (_directory, _, end) = fifo();
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
        let (mut plan, input) = waiting(Vec::new());
        plan.clone_namespaces(cofferdam_nsenter::NamespaceType::Pid);
        let plan = plan.build().unwrap();
        let null = null();
        let inputs = vec![(input, end.as_fd())];
        let spawn = Spawn {
            plan: &plan,
            stdio: [null.as_fd(); 3],
            passed: Vec::new(),
            inputs,
            cgroup: None,
        };
        let mut init = spawn.start().unwrap();
        init.serve(&mut (), Deadline::default()).unwrap();
        // Sleeping: the handlers are there.
        while !std::fs::read_to_string(format!("/proc/{}/stat", init.pid()))
            .unwrap()
            .contains(") S ")
        {
            std::thread::yield_now();
        }
        pidfd::send_signal(init.pidfd(), signal).unwrap();
        assert_eq!(init.wait().unwrap(), pidfd::Exit::Code(128 + signal));
    }
}

fn late(script: &str) -> HookCommand {
    HookCommand {
        path: c("/bin/sh"),
        args: vec![c("sh"), c("-c"), c(script)],
        env: None,
        stdin: (b"pid=".to_vec(), b"\n".to_vec()),
        timeout_ms: 2000,
    }
}

/// Runs a plan whose start byte was written before it began.
fn started(hooks: Vec<HookCommand>) -> crate::support::Outcome {
    let (_directory, _, end) = fifo();
    (&end).write_all(b"0").unwrap();
    let (plan, input) = waiting(hooks);
    run_with(plan, vec![(input, end.as_fd())], &mut ())
}

#[test]
fn late_hooks_run_in_the_environment_of_the_program() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("said");
    let script = format!(
        "cat >> {0}; echo $FROM >> {0}; ls /proc/self/fd | wc -l >> {0}",
        file.display()
    );
    let outcome = started(vec![late(&script), late(&script)]);
    assert_eq!(
        (outcome.out.as_str(), outcome.exit),
        ("started\n", Some(pidfd::Exit::Code(7))),
        "{}",
        outcome.err
    );
    let said = std::fs::read_to_string(file).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 6, "{said}");
    assert!(
        lines[0].starts_with("pid=") && lines[0] == lines[3],
        "{said}"
    );
    // The streams, and the directory that ls reads.
    assert_eq!((lines[1], lines[2]), ("program", "4"));
}

#[test]
fn a_failing_late_hook_is_one_line_and_255() {
    let mut missing = late("");
    missing.path = c("/nonexistent/hook");
    let mut slow = late("sleep 100 & sleep 100");
    slow.timeout_ms = 100;
    for (hook, text) in [
        (
            late("echo out; echo err >&2; exit 4"),
            "exit status 4, stdout: out, stderr: err",
        ),
        (late("kill -9 $$"), "signal: killed, stdout: , stderr: "),
        (missing, "exec /nonexistent/hook: no such file or directory"),
        (slow, "hook ran past specified timeout of 0.1s"),
    ] {
        let outcome = started(vec![late("exit 0"), hook]);
        assert_eq!(outcome.exit, Some(pidfd::Exit::Code(255)));
        assert_eq!(
            outcome.err,
            format!("error running startContainer hook #1: {text}\n")
        );
        assert_eq!(outcome.out, "");
    }
}

#[test]
fn a_late_hook_that_leaves_somebody_with_its_output_does_not_hang() {
    let began = std::time::Instant::now();
    assert_eq!(started(vec![late("sleep 1000 & exit 0")]).out, "started\n");
    assert!(began.elapsed() < std::time::Duration::from_secs(100));
}

/// BPF that answers `getppid` with EPERM and allows everything else.
fn without_getppid() -> Vec<u8> {
    let number = u32::try_from(libc::SYS_getppid).unwrap();
    filter([
        (0x20, 0, 0, 0),
        (0x15, 0, 1, number),
        (0x06, 0, 0, 0x5_0001),
        (0x06, 0, 0, 0x7fff_0000),
    ])
}

#[test]
fn a_filter_is_loaded_with_and_without_no_new_privs() {
    for (restricted, flags) in [(true, 0), (true, 2), (false, 0)] {
        if !restricted && !root() {
            continue;
        }
        let mut plan = PlanBuilder::new();
        plan.push("ready", Op::AskReady);
        if restricted {
            plan.push("restrict", Op::NoNewPrivileges);
        }
        plan.push("look up", Op::Lookup(vec![c("/bin/sh")]));
        plan.push(
            "filter",
            Op::Seccomp {
                flags,
                program: without_getppid(),
                listener: false,
            },
        );
        plan.push("close", Op::CloseControl);
        let args = vec![c("sh"), c("-c"), c("grep Seccomp: /proc/self/status")];
        plan.push(
            "run",
            Op::Exec {
                args,
                env: Vec::new(),
            },
        );
        assert_eq!(run(plan).output(), "Seccomp:\t2\n");
    }
}

#[test]
fn a_filter_that_is_none_is_refused() {
    let mut plan = PlanBuilder::new();
    plan.push("restrict", Op::NoNewPrivileges);
    plan.push("look up", Op::Lookup(vec![c("/bin/sh")]));
    plan.push(
        "filter",
        Op::Seccomp {
            flags: 0,
            program: vec![0; 12],
            listener: false,
        },
    );
    plan.push("close", Op::CloseControl);
    plan.push(
        "run",
        Op::Exec {
            args: vec![c("sh")],
            env: Vec::new(),
        },
    );
    let error = run(plan).error();
    assert_eq!(
        error.failure().map(|f| (f.context(), f.errno())),
        Some(("filter", libc::EINVAL))
    );
}

#[test]
fn a_plan_without_questions_ends_when_the_program_does() {
    let mut plan = PlanBuilder::new();
    shell(&mut plan, "exit 3");
    assert_eq!(run(plan).exit, Some(pidfd::Exit::Code(3)));
}

/// The program is open for writing: for a moment, or for good.
#[test]
fn a_program_that_is_being_written_is_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = program(&directory, "busy", "#!/bin/sh\necho run\n", 0o755);
    let writer = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
    let (ready, go) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        go.recv().unwrap();
        std::thread::park_timeout(std::time::Duration::from_millis(20));
        drop(writer);
    });
    ready.send(()).unwrap();
    assert_eq!(execute(&[&file]).output(), "run\n");
    thread.join().unwrap();
    let _writer = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
    let outcome = execute(&[&file]);
    assert_eq!(
        outcome.err,
        format!("exec {}: text file busy\n", file.display())
    );
    assert_eq!(outcome.exit, Some(pidfd::Exit::Code(255)));
}
