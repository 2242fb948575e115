//! Requests and answers, and a supervisor that refuses, is slow, or is gone.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use cofferdam_nsenter::plan::{HookCommand, Op, PlanBuilder};
use cofferdam_nsenter::{Deadline, ErrorKind, ProcessRef, Refusal, RequestHandler, pidfd};

use crate::support::{
    Recorder, c, filter, make_fifo, null, path, resident, root, run, run_with, shell, shell_with,
    start,
};

#[test]
fn questions_come_in_the_order_of_the_plan() {
    let mut plan = PlanBuilder::new();
    plan.push("first", Op::AskGate(7));
    plan.push("second", Op::AskGate(3));
    plan.push("third", Op::AskReady);
    shell(&mut plan, "exit 0");
    let mut recorder = Recorder::default();
    run_with(plan, Vec::new(), &mut recorder).output();
    assert_eq!(recorder.log, ["gate 7", "gate 3", "ready"]);
}

#[test]
fn a_refusal_ends_the_stub_and_is_given_back() {
    let mut plan = PlanBuilder::new();
    plan.push("place the process", Op::AskGate(1));
    plan.push("never", Op::AskGate(2));
    shell(&mut plan, "exit 0");
    let mut recorder = Recorder {
        refuses: Some("gate 1"),
        ..Recorder::default()
    };
    let error = run_with(plan, Vec::new(), &mut recorder).error();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Refused, "place the process")
    );
    assert_eq!(error.into_source().unwrap().to_string(), "the test refuses");
    assert_eq!(recorder.log, ["gate 1"]);
}

#[test]
fn a_parent_without_an_answer_refuses() {
    let mut plan = PlanBuilder::new();
    plan.push("place the process", Op::AskGate(1));
    shell(&mut plan, "exit 0");
    assert_eq!(run(plan).error().kind(), ErrorKind::Refused);
}

#[test]
fn descriptors_travel_both_ways() {
    let (read, write) = std::io::pipe().unwrap();
    let mut plan = PlanBuilder::new();
    let (mine, yours) = (plan.input("pipe"), plan.slot());
    plan.push("send", Op::SendDescriptor { tag: 1, fd: mine });
    plan.push(
        "ask",
        Op::AskDescriptor {
            tag: 2,
            into: yours,
        },
    );
    plan.push(
        "write",
        Op::Write {
            fd: yours,
            bytes: b"through the answer".to_vec(),
        },
    );
    plan.push(
        "send and wait",
        Op::SendDescriptorAndWait { tag: 3, fd: mine },
    );
    shell(&mut plan, "exit 0");
    let mut recorder = Recorder {
        gives: vec![write.into()],
        ..Recorder::default()
    };
    run_with(plan, vec![(mine, read.as_fd())], &mut recorder).output();
    assert_eq!(recorder.log, ["sent 1", "asked 2", "sent and waited for 3"]);
    let mut text = String::new();
    std::fs::File::from(recorder.received.pop().unwrap())
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, "through the answer");
}

fn ask_home(file: &std::path::Path) -> Op {
    Op::AskHome {
        path: path(file),
        otherwise: c("/otherwise"),
    }
}

#[test]
fn home_is_answered_from_the_password_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("passwd");
    let content = "someone:x:1:1::/home/someone:/bin/sh\n".repeat(3000);
    std::fs::write(&file, &content).unwrap();
    let mut plan = PlanBuilder::new();
    plan.push("home", ask_home(&file));
    shell_with(&mut plan, "echo $HOME; echo $OTHER", &["OTHER=1"]);
    let mut recorder = Recorder {
        home: b"/home/someone".to_vec(),
        ..Recorder::default()
    };
    assert_eq!(
        run_with(plan, Vec::new(), &mut recorder).output(),
        "/home/someone\n1\n"
    );
    assert!(
        recorder.passwd == content.as_bytes(),
        "{} bytes came",
        recorder.passwd.len()
    );
}

#[test]
fn a_password_file_that_is_no_file_is_empty() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    make_fifo(&fifo);
    let large = directory.path().join("large");
    std::fs::write(&large, vec![b'x'; (1 << 20) + 5]).unwrap();
    for (file, length) in [(fifo, 0), ("/".into(), 0), (large, 1 << 20)] {
        let mut plan = PlanBuilder::new();
        plan.push("home", ask_home(&file));
        shell(&mut plan, "echo $HOME");
        let mut recorder = Recorder {
            home: b"/".to_vec(),
            passwd: b"untouched".to_vec(),
            ..Recorder::default()
        };
        assert_eq!(run_with(plan, Vec::new(), &mut recorder).output(), "/\n");
        assert_eq!(recorder.passwd.len(), length, "{}", file.display());
    }
}

#[test]
fn without_a_password_file_nothing_is_asked() {
    let directory = tempfile::tempdir().unwrap();
    let mut plan = PlanBuilder::new();
    plan.push("home", ask_home(&directory.path().join("nothing")));
    shell(&mut plan, "echo $HOME");
    // This one refuses whatever is asked.
    let mut recorder = Recorder {
        passwd: b"untouched".to_vec(),
        ..Recorder::default()
    };
    assert_eq!(
        run_with(plan, Vec::new(), &mut recorder).output(),
        "/otherwise\n"
    );
    assert_eq!(recorder.passwd, b"untouched");
}

fn hook(script: &str) -> HookCommand {
    HookCommand {
        path: c("/bin/sh"),
        args: vec![c("sh"), c("-c"), c(script)],
        env: Some(vec![c("ONLY=this")]),
        stdin: (b"{\"pid\":".to_vec(), b"}".to_vec()),
        timeout_ms: 5000,
    }
}

fn with_hook(command: HookCommand) -> PlanBuilder {
    let mut plan = PlanBuilder::new();
    plan.push("error running createContainer hook #0", Op::Hook(command));
    shell(&mut plan, "exit 0");
    plan
}

#[test]
fn a_hook_gets_the_state_and_its_environment_and_nothing_else() {
    let script = "cat; echo; env | grep -v '^PWD\\|^_\\|^SHLVL\\|^OLDPWD'; ls /proc/self/fd | wc -l; echo error >&2";
    let mut recorder = Recorder::default();
    let plan = with_hook(hook(script));
    run_with(plan, Vec::new(), &mut recorder).output();
    let [outcome] = &recorder.outcomes[..] else {
        panic!("{:?}", recorder.log)
    };
    let out = String::from_utf8_lossy(outcome.stdout()).into_owned();
    let lines: Vec<&str> = out.lines().collect();
    let pid = lines[0]
        .strip_prefix("{\"pid\":")
        .and_then(|rest| rest.strip_suffix('}'))
        .unwrap();
    assert!(pid.parse::<u32>().unwrap() > 1, "{out}");
    // The three streams, and the directory that ls reads.
    assert_eq!(lines[1..], ["ONLY=this", "4"]);
    assert_eq!(outcome.stderr(), b"error\n");
}

#[test]
fn a_large_state_reaches_a_hook_that_reads_late() {
    let mut command = hook("sleep 0.05; wc -c");
    command.stdin = (vec![b'x'; 300_000], vec![b'y'; 300_000]);
    let mut recorder = Recorder::default();
    run_with(with_hook(command), Vec::new(), &mut recorder).output();
    let count: usize = String::from_utf8_lossy(recorder.outcomes[0].stdout())
        .trim()
        .parse()
        .unwrap();
    assert!((600_001..600_010).contains(&count), "{count}");
}

#[test]
fn a_failing_hook_is_a_refusal_with_its_output() {
    let plan = with_hook(hook("echo out; echo err >&2; exit 3"));
    let error = run_with(plan, Vec::new(), &mut Recorder::default()).error();
    assert_eq!(error.to_string(), "error running createContainer hook #0");
    assert_eq!(
        error.into_source().unwrap().to_string(),
        "exit status 3, stdout: out, stderr: err"
    );
    let plan = with_hook(hook("kill -9 $$"));
    let error = run_with(plan, Vec::new(), &mut Recorder::default()).error();
    assert_eq!(
        error.into_source().unwrap().to_string(),
        "signal: killed, stdout: , stderr: "
    );
}

#[test]
fn a_hook_that_takes_too_long_is_killed_with_what_it_started() {
    let mut command = hook("sleep 1000 & sleep 1000");
    command.timeout_ms = 100;
    let began = Instant::now();
    let error = run_with(with_hook(command), Vec::new(), &mut Recorder::default()).error();
    assert!(began.elapsed() < Duration::from_secs(100));
    assert_eq!(
        error.into_source().unwrap().to_string(),
        "hook ran past specified timeout of 0.1s"
    );
}

#[test]
fn a_hook_that_leaves_somebody_with_its_output_does_not_hang() {
    let mut recorder = Recorder::default();
    let began = Instant::now();
    run_with(
        with_hook(hook("sleep 1000 & echo done")),
        Vec::new(),
        &mut recorder,
    )
    .output();
    assert!(began.elapsed() < Duration::from_secs(100));
    assert_eq!(recorder.outcomes[0].stdout(), b"done\n");
}

#[test]
fn a_hook_that_writes_without_end_is_cut_off() {
    let mut recorder = Recorder::default();
    run_with(
        with_hook(hook("head -c 10000000 /dev/zero")),
        Vec::new(),
        &mut recorder,
    )
    .output();
    assert_eq!(recorder.outcomes[0].stdout().len(), 64 << 10);
}

#[test]
fn a_hook_that_cannot_be_executed_is_a_failed_step() {
    let mut command = hook("");
    command.path = c("/nonexistent/hook");
    let error = run_with(with_hook(command), Vec::new(), &mut Recorder::default()).error();
    assert_eq!(
        (error.kind(), error.raw_os_error()),
        (ErrorKind::Step, Some(libc::ENOENT))
    );
}

/// A stub that hangs (here: a read of an empty pipe, in a step that asks nothing) is killed when
/// the deadline is over.
#[test]
fn a_stub_without_progress_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    make_fifo(&fifo);
    let mut plan = PlanBuilder::new();
    let into = plan.slot();
    let open = Op::Open {
        dir: cofferdam_nsenter::plan::Dir::Cwd,
        path: path(&fifo),
        flags: libc::O_RDONLY as u32,
        mode: 0,
        resolve: 0,
        into,
    };
    plan.push("open a fifo without a writer", open);
    shell(&mut plan, "exit 0");
    let plan = plan.build().unwrap();
    let mut init = start(&plan, [null().as_fd(); 3]);
    let pid = init.pid();
    let error = init
        .serve(
            &mut (),
            Deadline::without_progress(Duration::from_millis(100)),
        )
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    assert_eq!(init.wait().unwrap(), pidfd::Exit::Unknown);
}

/// Kills the stub instead of answering.
struct Killer;

impl RequestHandler for Killer {
    fn gate(&mut self, _: u32, process: &ProcessRef<'_>) -> Result<(), Refusal> {
        pidfd::send_signal(process.pidfd(), libc::SIGKILL)?;
        Ok(())
    }
}

#[test]
fn a_stub_that_dies_is_noticed() {
    let mut plan = PlanBuilder::new();
    plan.push("gate", Op::AskGate(1));
    plan.push("gate", Op::AskGate(2));
    shell(&mut plan, "exit 0");
    let error = run_with(plan, Vec::new(), &mut Killer).error();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (
            ErrorKind::Died,
            "the init process ended early: signal: killed, some time after \"gate\""
        )
    );
}

#[test]
fn a_dropped_stub_is_killed_and_reaped_and_a_detached_one_lives() {
    let mut plan = PlanBuilder::new();
    plan.push("gate", Op::AskGate(1));
    shell(&mut plan, "exit 0");
    let plan = plan.build().unwrap();
    let init = start(&plan, [null().as_fd(); 3]);
    let pid = init.pid();
    drop(init);
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());

    let mut plan = PlanBuilder::new();
    plan.push("ready", Op::AskReady);
    shell(&mut plan, "read line; exit 9");
    let (init, input) = resident(plan, &mut ());
    let detached = init.detach();
    assert!(!pidfd::has_exited(&detached).unwrap());
    drop(input);
    assert_eq!(pidfd::wait(&detached).unwrap(), pidfd::Exit::Code(9));
}

/// SECCOMP_RET_USER_NOTIF for getppid, everything else allowed.
#[test]
fn a_listener_reaches_the_parent() {
    if !root() {
        return;
    }
    let number = u32::try_from(libc::SYS_getppid).unwrap();
    let program = filter([
        (0x20, 0, 0, 0),
        (0x15, 0, 1, number),
        (0x06, 0, 0, 0x7fc0_0000),
        (0x06, 0, 0, 0x7fff_0000),
    ]);
    let mut plan = PlanBuilder::new();
    plan.push("ready", Op::AskReady);
    // SECCOMP_FILTER_FLAG_NEW_LISTENER.
    plan.push(
        "filter",
        Op::Seccomp {
            flags: 8,
            program,
            listener: true,
        },
    );
    shell(
        &mut plan,
        "grep Seccomp: /proc/self/status; ls /proc/self/fd | wc -l",
    );
    let mut recorder = Recorder::default();
    let plan = plan.build().unwrap();
    let (mut out, out_write) = std::io::pipe().unwrap();
    let null = null();
    let stdio = [null.as_fd(), out_write.as_fd(), null.as_fd()];
    let mut init = start(&plan, stdio);
    init.serve(&mut recorder, Deadline::default()).unwrap();
    drop(out_write);
    assert_eq!(recorder.log, ["ready", "listener"]);
    let listener = recorder.received.pop().unwrap();
    let link = std::fs::read_link(format!(
        "/proc/self/fd/{}",
        std::os::fd::AsRawFd::as_raw_fd(&listener)
    ))
    .unwrap();
    assert_eq!(link.to_str(), Some("anon_inode:seccomp notify"));
    // Without a listener the calls that are to be reported fail.
    drop(listener);
    let mut text = String::new();
    out.read_to_string(&mut text).unwrap();
    init.wait().unwrap();
    assert_eq!(text, "Seccomp:\t2\n4\n");
}

/// The parent of the stub is a process that goes away in the middle of the conversation: here a
/// thread.
#[test]
fn a_stub_whose_parent_is_gone_ends() {
    let mut plan = PlanBuilder::new();
    plan.push("gate", Op::AskGate(1));
    shell(&mut plan, "exit 0");
    let plan = plan.build().unwrap();
    let thread = std::thread::spawn(move || {
        let init = start(&plan, [null().as_fd(); 3]);
        // Until it sleeps, waiting for the answer: it has asked for its death signal by then.
        while !std::fs::read_to_string(format!("/proc/{}/stat", init.pid()))
            .unwrap()
            .contains(") S ")
        {
            std::thread::yield_now();
        }
        init
    });
    // The control channel is still open in `init`; the thread that made it is not there any more.
    let mut init = thread.join().unwrap();
    assert_eq!(
        init.wait().unwrap(),
        pidfd::Exit::Signal {
            signal: libc::SIGKILL,
            core_dumped: false
        }
    );
}

#[test]
fn answers_can_take_their_time() {
    struct Slow;
    impl RequestHandler for Slow {
        fn gate(&mut self, _: u32, _: &ProcessRef<'_>) -> Result<(), Refusal> {
            // Longer than the deadline, which is for the stub alone.
            let (mut read, write) = std::io::pipe()?;
            let thread = std::thread::spawn(move || {
                let mut write = write;
                std::thread::park_timeout(Duration::from_millis(1500));
                write.write_all(b"x")
            });
            read.read_exact(&mut [0])?;
            thread.join().map_err(|_| "the thread failed")??;
            Ok(())
        }
    }
    let mut plan = PlanBuilder::new();
    plan.push("gate", Op::AskGate(1));
    plan.push("gate", Op::AskGate(2));
    shell(&mut plan, "exit 0");
    let plan = plan.build().unwrap();
    let mut init = start(&plan, [null().as_fd(); 3]);
    init.serve(
        &mut Slow,
        Deadline::without_progress(Duration::from_secs(1)),
    )
    .unwrap();
    assert_eq!(init.wait().unwrap(), pidfd::Exit::Code(0));
}

/// The stub is killed while its hook runs: the hook does not stay behind.
#[test]
fn a_hook_does_not_outlive_the_stub() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pids");
    let script = format!(
        "echo $PPID $$ > {0}.new; mv {0}.new {0}; sleep 100",
        file.display()
    );
    let plan = with_hook(hook(&script)).build().unwrap();
    let mut init = start(&plan, [null().as_fd(); 3]);
    let stub = pidfd::open(init.pid()).unwrap();
    let killer = std::thread::spawn(move || {
        while !file.exists() {
            std::thread::yield_now();
        }
        let pids = std::fs::read_to_string(file).unwrap();
        let hook: u32 = pids.split_whitespace().nth(1).unwrap().parse().unwrap();
        let hook = pidfd::open(hook).unwrap();
        pidfd::send_signal(&stub, libc::SIGKILL).unwrap();
        hook
    });
    let error = init
        .serve(&mut Recorder::default(), Deadline::default())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Died);
    let hook = killer.join().unwrap();
    assert!(pidfd::wait_timeout(&hook, Some(Duration::from_secs(50))).unwrap());
}
