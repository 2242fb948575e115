//! What the tests share: a plan that ends in a shell script, and a supervisor that records the
//! requests.

use std::ffi::CString;
use std::io::{PipeWriter, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use cofferdam_nsenter::id_maps::{self, Request};
use cofferdam_nsenter::pidfd::Exit;
use cofferdam_nsenter::plan::{Dir, Op, Plan, PlanBuilder, Slot};
use cofferdam_nsenter::{
    Deadline, Error, HookOutcome, ProcessRef, Procfs, Refusal, RequestHandler, Served, Spawn,
    StubProcess, Warnings,
};
use user::{IdMap, IdMaps};

/// A C string.
pub(crate) fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

/// A path as a C string.
pub(crate) fn path(path: &Path) -> CString {
    c(path.to_str().unwrap())
}

/// Whether this is root; if not, says that the test is skipped.
pub(crate) fn root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("skipped: needs root");
    }
    root
}

/// Appends the steps that run a shell script.
pub(crate) fn shell(plan: &mut PlanBuilder, script: &str) {
    shell_with(plan, script, &[]);
}

/// The same with an environment.
pub(crate) fn shell_with(plan: &mut PlanBuilder, script: &str, env: &[&str]) {
    plan.push("look up the shell", Op::Lookup(vec![c("/bin/sh")]));
    plan.push("close the control channel", Op::CloseControl);
    plan.push(
        "run the shell",
        Op::Exec {
            args: vec![c("sh"), c("-c"), c(script)],
            env: env.iter().map(|v| c(v)).collect(),
        },
    );
}

/// Appends a step that opens a directory with `O_PATH`.
pub(crate) fn open_directory(plan: &mut PlanBuilder, directory: &Path) -> Slot {
    let into = plan.slot();
    plan.push(
        format!("open {}", directory.display()),
        Op::Open {
            dir: Dir::Cwd,
            path: path(directory),
            flags: (libc::O_PATH | libc::O_DIRECTORY) as u32,
            mode: 0,
            resolve: 0,
            into,
        },
    );
    into
}

/// Appends a step that opens what a name below an open directory refers to with `O_PATH`.
pub(crate) fn open_below(plan: &mut PlanBuilder, dir: Slot, name: &str) -> Slot {
    let into = plan.slot();
    let open = Op::Open {
        dir: Dir::Slot(dir),
        path: c(name),
        flags: libc::O_PATH as u32,
        mode: 0,
        resolve: 0,
        into,
    };
    plan.push(format!("open {name}"), open);
    into
}

/// A seccomp program of these instructions: `code`, `jt`, `jf` and `k` of `struct sock_filter`.
pub(crate) fn filter(instructions: impl IntoIterator<Item = (u16, u8, u8, u32)>) -> Vec<u8> {
    let encode = |(code, jt, jf, k): (u16, u8, u8, u32)| {
        let [a, b] = code.to_le_bytes();
        let [w, x, y, z] = k.to_le_bytes();
        [a, b, jt, jf, w, x, y, z]
    };
    instructions.into_iter().flat_map(encode).collect()
}

/// How a plan went.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) served: Result<Served, Error>,
    pub(crate) exit: Option<Exit>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Outcome {
    /// The output of a plan that succeeded.
    #[track_caller]
    pub(crate) fn output(self) -> String {
        if let Err(e) = &self.served {
            panic!(
                "{e}: {:?}",
                std::error::Error::source(e).map(ToString::to_string)
            );
        }
        assert_eq!(self.exit, Some(Exit::Code(0)), "{}", self.err);
        self.out
    }

    /// The error of a plan that failed.
    #[track_caller]
    pub(crate) fn error(self) -> Error {
        self.served.expect_err("the plan was expected to fail")
    }
}

/// Runs a plan without inputs.
pub(crate) fn run(plan: PlanBuilder) -> Outcome {
    run_with(plan, Vec::new(), &mut ())
}

/// Runs a plan to its end.
pub(crate) fn run_with(
    plan: PlanBuilder,
    inputs: Vec<(Slot, BorrowedFd<'_>)>,
    answers: &mut dyn RequestHandler,
) -> Outcome {
    run_built(&plan.build().unwrap(), inputs, answers)
}

/// Runs a built plan to its end.
pub(crate) fn run_built(
    plan: &Plan,
    inputs: Vec<(Slot, BorrowedFd<'_>)>,
    answers: &mut dyn RequestHandler,
) -> Outcome {
    let null = null();
    let (mut out, out_write) = std::io::pipe().unwrap();
    let (mut err, err_write) = std::io::pipe().unwrap();
    let stdio = [null.as_fd(), out_write.as_fd(), err_write.as_fd()];
    let mut init = start_with(plan, stdio, inputs);
    let served = init.serve(answers, Deadline::default());
    drop((out_write, err_write));
    let mut outcome = Outcome {
        served,
        exit: None,
        out: String::new(),
        err: String::new(),
    };
    if outcome.served.is_ok() {
        out.read_to_string(&mut outcome.out).unwrap();
        err.read_to_string(&mut outcome.err).unwrap();
        outcome.exit = Some(init.wait().unwrap());
    }
    outcome
}

/// Starts a stub for a plan without inputs.
pub(crate) fn start(plan: &Plan, stdio: [BorrowedFd<'_>; 3]) -> StubProcess {
    start_with(plan, stdio, Vec::new())
}

/// Starts a stub.
fn start_with(
    plan: &Plan,
    stdio: [BorrowedFd<'_>; 3],
    inputs: Vec<(Slot, BorrowedFd<'_>)>,
) -> StubProcess {
    let spawn = Spawn {
        plan,
        stdio,
        passed: Vec::new(),
        inputs,
        cgroup: None,
    };
    spawn.start().unwrap()
}

/// Starts the program of a plan; it stays as long as it reads its input and the writing end of that
/// is open.
pub(crate) fn resident(
    plan: PlanBuilder,
    answers: &mut dyn RequestHandler,
) -> (StubProcess, PipeWriter) {
    let null = null();
    let (read, write) = std::io::pipe().unwrap();
    let stdio = [read.as_fd(), null.as_fd(), null.as_fd()];
    let mut init = start(&plan.build().unwrap(), stdio);
    init.serve(answers, Deadline::default()).unwrap();
    (init, write)
}

/// The null device.
pub(crate) fn null() -> OwnedFd {
    std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")
        .unwrap()
        .into()
}

/// Handles every request and records it.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) log: Vec<String>,
    pub(crate) home: Vec<u8>,
    pub(crate) passwd: Vec<u8>,
    pub(crate) received: Vec<OwnedFd>,
    pub(crate) gives: Vec<OwnedFd>,
    pub(crate) warnings: Warnings,
    pub(crate) outcomes: Vec<HookOutcome>,
    pub(crate) refuses: Option<&'static str>,
    pub(crate) deny_setgroups: bool,
    pub(crate) pids: Vec<u32>,
}

impl Recorder {
    fn note(&mut self, what: String) -> Result<(), Refusal> {
        let refused = self.refuses.is_some_and(|name| what.starts_with(name));
        self.log.push(what);
        if refused {
            Err("the test refuses".into())
        } else {
            Ok(())
        }
    }
}

impl RequestHandler for Recorder {
    fn gate(&mut self, number: u32, process: &ProcessRef<'_>) -> Result<(), Refusal> {
        self.pids.push(process.pid());
        self.note(format!("gate {number}"))
    }

    fn id_maps(&mut self, process: &ProcessRef<'_>) -> Result<(), Refusal> {
        let maps = IdMaps::new([IdMap::new(0, 100_000, 1000)]);
        let request = Request {
            uid: maps.clone(),
            gid: maps,
            deny_setgroups: self.deny_setgroups,
            ..Request::default()
        };
        id_maps::write(&Procfs::system()?, process.pid(), &request)?;
        self.note("id maps".into())
    }

    fn second_stage(&mut self, process: &ProcessRef<'_>) -> Result<(), Refusal> {
        self.pids.push(process.pid());
        self.note("second stage".into())
    }

    fn keep_descriptor(&mut self, tag: u32, descriptor: OwnedFd) -> Result<(), Refusal> {
        self.received.push(descriptor);
        self.note(format!("sent {tag}"))
    }

    fn provide_descriptor(&mut self, tag: u32) -> Result<OwnedFd, Refusal> {
        self.note(format!("asked {tag}"))?;
        self.gives.pop().ok_or_else(|| "nothing to give".into())
    }

    fn use_descriptor(
        &mut self,
        tag: u32,
        descriptor: OwnedFd,
        _: &ProcessRef<'_>,
    ) -> Result<(), Refusal> {
        self.received.push(descriptor);
        self.note(format!("sent and waited for {tag}"))
    }

    fn console(&mut self, master: OwnedFd, pts: u32) -> Result<(), Refusal> {
        self.received.push(master);
        self.note(format!("console {pts}"))
    }

    fn home(&mut self, passwd: &[u8]) -> Result<Vec<u8>, Refusal> {
        self.passwd = passwd.to_vec();
        self.note("home".into())?;
        Ok(self.home.clone())
    }

    fn ready(&mut self, process: &ProcessRef<'_>, warnings: &Warnings) -> Result<(), Refusal> {
        self.pids.push(process.pid());
        self.warnings = warnings.clone();
        self.note("ready".into())
    }

    fn hook(&mut self, context: &str, outcome: HookOutcome) -> Result<(), Refusal> {
        let result = if outcome.success() {
            Ok(())
        } else {
            Err(outcome.clone().into())
        };
        self.outcomes.push(outcome);
        self.note(context.to_owned())?;
        result
    }

    fn seccomp_listener(&mut self, listener: OwnedFd, _: &ProcessRef<'_>) -> Result<(), Refusal> {
        self.received.push(listener);
        self.note("listener".into())
    }
}

/// The value of a field of `/proc/PID/status`.
pub(crate) fn status_field<'a>(status: &'a str, name: &str) -> &'a str {
    let line = status
        .lines()
        .find(|line| line.split(':').next() == Some(name));
    line.unwrap_or_else(|| panic!("no field {name} in {status}"))
        .split(':')
        .nth(1)
        .unwrap()
        .trim()
}

/// Makes a named pipe.
pub(crate) fn make_fifo(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).unwrap();
}
