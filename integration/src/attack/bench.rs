//! Takes steps, and judges what comes of each.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::calls;
use super::command::{Before, Command, Effect, PIDS_LIMIT};
use super::dump::StandIn;
use super::layout::Layout;
use super::report::Report;
use super::step::{Action, Role, Step};
use super::tracer::{End, LIMIT, Request, Traced, trace};
use super::writes::Written;
use crate::{Case, Output, cgroup, traced};

/// A command in a layout, and what an undisturbed run of it does.
#[derive(Debug)]
pub struct Bench {
    layout: Layout,
    command: Command,
    program: PathBuf,
    case: Case,
    stand_in: StandIn,
    expected: Option<Report>,
    calls: BTreeMap<Role, Vec<u64>>,
    writes: BTreeSet<(Role, Written)>,
}

/// What came of a step.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The name of the system call; `None`: the command made fewer calls, or another one.
    pub call: Option<String>,
    /// Whether the command succeeded.
    pub succeeded: bool,
    /// What the command wrote to standard error.
    pub message: String,
    /// What is wrong, one line each. Empty is good.
    pub faults: Vec<String>,
}

/// The files of the command's streams.
struct Streams {
    out: PathBuf,
    error: PathBuf,
}

fn case(layout: Layout, command: Command) -> Case {
    let mut case = layout.case();
    if !command.reports_in_init() {
        case.bundle.args(&["/bin/sleep", "1000"]);
    }
    case
}

impl Bench {
    /// Runs the command undisturbed, in the layout that the calling thread is in.
    ///
    /// # Errors
    /// It does not succeed, and leaves nothing.
    pub fn new(layout: Layout, command: Command) -> Result<Self, String> {
        let case = case(layout, command);
        let program = fs::canonicalize(&case.program).map_err(|error| error.to_string())?;
        let mut bench = Self {
            layout,
            command,
            program,
            case,
            stand_in: StandIn::new(),
            expected: None,
            calls: BTreeMap::new(),
            writes: BTreeSet::new(),
        };
        let mut outcome = Outcome::default();
        bench.attempt(None, &mut outcome);
        if outcome.succeeded && outcome.faults.is_empty() {
            return Ok(bench);
        }
        let name = command.name;
        Err(format!("an undisturbed {name} fails: {outcome:?}"))
    }

    /// The system calls of an undisturbed run.
    pub fn calls(&self) -> &BTreeMap<Role, Vec<u64>> {
        &self.calls
    }

    /// What each process of an undisturbed run has written to, made and removed.
    pub fn writes(&self) -> &BTreeSet<(Role, Written)> {
        &self.writes
    }

    /// The container.
    pub fn case(&self) -> &Case {
        &self.case
    }

    /// The directory of the images of a checkpoint.
    pub fn images(&self) -> PathBuf {
        self.stand_in.images()
    }

    /// Takes a step, and removes what there is afterwards.
    pub fn take(&mut self, step: Step) -> Outcome {
        let mut outcome = Outcome::default();
        let attempt = AssertUnwindSafe(|| self.attempt(Some(step), &mut outcome));
        if let Err(panic) = catch_unwind(attempt) {
            let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            outcome.faults.push(text);
        }
        if !outcome.faults.is_empty() {
            // The next step begins with nothing that this one left.
            self.case = case(self.layout, self.command);
        }
        outcome
    }

    fn attempt(&mut self, step: Option<Step>, outcome: &mut Outcome) {
        self.case.hand_over();
        self.prepare();
        let streams = self.streams();
        let init = self.command.continues_init().then(|| self.case.pid());
        // A fresh file: a program that an earlier step has left may not write into it.
        let _absent = (
            fs::remove_file(&streams.out),
            fs::remove_file(&streams.error),
        );
        let mut shell = traced::shell();
        let images = self.stand_in.images();
        let arguments = self.command.arguments(&self.case.id, &images);
        shell.env("PATH", self.stand_in.search_path());
        shell.args(self.line(&arguments));
        self.redirect(&mut shell, &streams);
        let request = Request {
            shell,
            program: &self.program,
            step,
            init,
            notes_writes: step.is_none(),
            follow: self.command.runs_a_program(),
            elsewhere: Some(self.removal()),
        };
        let traced = trace(request).expect("trace a command");
        outcome.succeeded = traced.end == End::Exit(0);
        outcome.call = traced.reached.map(|(call, _)| calls::name(call));
        outcome.message = fs::read_to_string(&streams.error).unwrap_or_default();
        judge_end(&traced, step, outcome);
        if let Some(end) = traced.elsewhere {
            self.judge_removal_elsewhere(end, outcome);
            if self.command.effect == Effect::Reports {
                self.judge_effect(step, &traced, &streams, outcome);
            }
        } else {
            self.judge_effect(step, &traced, &streams, outcome);
            self.judge_container(outcome);
        }
        self.judge_removal(&traced.processes, outcome);
        if step.is_none() {
            self.calls = traced.calls;
            self.writes = traced.writes;
        }
    }

    /// What came of `delete --force` while a process was held.
    fn judge_removal_elsewhere(&self, end: End, outcome: &mut Outcome) {
        let said = fs::read_to_string(self.case.bundle.path().join("removal.error"));
        let said = said.unwrap_or_default();
        // The init process of a pid namespace does not end before all its processes are reaped
        // (zap_pid_ns_processes of the kernel), and those of `exec` are by a process that is held.
        let is_exec = self.command.before == Before::Running && self.command.runs_a_program();
        // The lock of the container is waited for as long as no step of a command may take.
        let waits = said.lines().count() == 1
            && (said.contains("has held it for")
                || is_exec && said.contains("container init still running"));
        if end != End::Exit(0) && !waits {
            let fault = format!("delete --force elsewhere: {end:?}: {said}");
            outcome.faults.push(fault);
        }
    }

    /// Makes what the command acts on.
    fn prepare(&self) {
        match self.command.before {
            Before::Nothing => {}
            Before::Images => self.stand_in.begin(true),
            Before::Created => drop(self.case.create()),
            Before::Running => drop(self.case.start()),
            Before::Paused => {
                drop(self.case.start());
                drop(self.case.call(&["pause", &self.case.id]).ok());
            }
            Before::Ended => {
                drop(self.case.create());
                drop(self.case.call(&["kill", &self.case.id, "KILL"]).ok());
                self.case.wait_for_status("stopped");
            }
        }
        if self.command.effect == Effect::Dumped {
            self.stand_in.begin(false);
            self.stand_in.kills(self.case.pid());
        }
    }

    fn streams(&self) -> Streams {
        Streams {
            out: self.case.bundle.path().join("attack.out"),
            error: self.case.bundle.path().join("attack.error"),
        }
    }

    /// A command line of the program under test.
    fn line(&self, arguments: &[String]) -> Vec<OsString> {
        let root = self.case.root().to_string_lossy().into_owned();
        let mut all = vec!["--root", &root];
        all.extend(arguments.iter().map(String::as_str));
        self.case.line(&all)
    }

    fn redirect(&self, command: &mut process::Command, streams: &Streams) {
        command
            .current_dir(self.case.bundle.path())
            .stdin(Stdio::null())
            .stdout(File::create(&streams.out).expect("create a file"))
            .stderr(File::create(&streams.error).expect("create a file"));
    }

    /// What removes the container while a process is held.
    fn removal(&self) -> process::Command {
        let arguments = ["delete", "--force", &self.case.id].map(str::to_owned);
        let line = self.line(&arguments);
        let mut removal = process::Command::new(&line[0]);
        removal.args(&line[1..]);
        let directory = self.case.bundle.path();
        let streams = Streams {
            out: directory.join("removal.out"),
            error: directory.join("removal.error"),
        };
        self.redirect(&mut removal, &streams);
        removal
    }

    fn call(&self, arguments: &[&str]) -> Output {
        self.case.command(arguments).timeout(LIMIT).output()
    }

    /// What has to be true of the container when the command has ended.
    fn judge_effect(
        &mut self,
        step: Option<Step>,
        traced: &Traced,
        streams: &Streams,
        outcome: &mut Outcome,
    ) {
        let id = &self.case.id;
        let out = || fs::read_to_string(&streams.out).unwrap_or_default();
        match self.command.effect {
            Effect::Created if outcome.succeeded => {
                let started = self.call(&["start", id]);
                if started.code != 0 && is_child(step, traced) && is_kill(step) {
                    // It has ended when it was complete, as its program could have.
                } else if started.code == 0 {
                    self.judge_report(&streams.out, step, traced, outcome);
                } else {
                    outcome.faults.push(format!("cannot be started: {started}"));
                }
            }
            Effect::Created => {}
            Effect::Reports => {
                let file = if self.command.continues_init() {
                    self.case.bundle.path().join("stderr.out")
                } else {
                    streams.out.clone()
                };
                self.judge_report(&file, step, traced, outcome);
            }
            Effect::Dumped => self.judge_dump(outcome),
            _ if !outcome.succeeded => {}
            Effect::Status(wanted) => self.case.wait_for_status(wanted),
            Effect::Limit => self.judge_limit(outcome),
            Effect::Gone => {
                let left = self.case.leftovers();
                if !left.is_empty() {
                    outcome.faults.push(format!("not removed: {left:?}"));
                }
            }
            Effect::Names => {
                // A list is what could be read, and a message about the rest.
                if !out().contains(id.as_str()) && outcome.message.is_empty() {
                    outcome
                        .faults
                        .push(format!("says nothing of it: {:?}", out()));
                }
            }
            Effect::Process => {
                if !out().contains(&self.case.pid().to_string()) {
                    outcome.faults.push(format!("no process: {:?}", out()));
                }
            }
        }
    }

    /// What the program of the container has reported, if there is anything; after a success it
    /// has to be there.
    fn judge_report(
        &mut self,
        file: &Path,
        step: Option<Step>,
        traced: &Traced,
        outcome: &mut Outcome,
    ) {
        let found = Report::read(file, &self.case);
        if outcome.succeeded || found.is_some() {
            // The program reports, and ends.
            all_end(&traced.processes, LIMIT);
        }
        // Of what its init process does after `start` the command knows nothing any more.
        let is_lost = is_child(step, traced) && (self.command.continues_init() || is_kill(step));
        let reports = outcome.succeeded && !is_lost && traced.elsewhere.is_none();
        // The stub itself says why it cannot execute the program, where the program's messages go.
        let refused = fs::read_to_string(self.streams().error)
            .is_ok_and(|said| said.lines().any(|line| line.starts_with("exec ")));
        // A command that passes on the output says that it cannot.
        let unwritten = ["write to standard ", "read from standard "]
            .iter()
            .any(|message| outcome.message.contains(message));
        let reports = reports && !(refused && is_child(step, traced)) && !unwritten;
        let found = Report::read(file, &self.case);
        match (found, &self.expected) {
            (None, _) if reports => outcome.faults.push("no report".to_owned()),
            (None, _) => {}
            (Some(found), _) if reports && !found.is_complete => {
                outcome.faults.push("half a report".to_owned());
            }
            (Some(found), None) => self.expected = Some(found),
            (Some(found), Some(expected)) => {
                let call = traced.reached.map_or(0, |(call, _)| call);
                if let Some(difference) = found.difference(expected, call) {
                    outcome.faults.push(format!("protection: {difference}"));
                }
            }
        }
    }

    fn judge_limit(&self, outcome: &mut Outcome) {
        for directory in cgroup::directories(&self.case.cgroup()) {
            let limit = fs::read_to_string(directory.join("pids.max"));
            if limit.as_ref().is_ok_and(|limit| limit.trim() != PIDS_LIMIT) {
                outcome.faults.push(format!("the limit is {limit:?}"));
            }
        }
    }

    /// A container that is gone or has ended is in the images.
    fn judge_dump(&self, outcome: &mut Outcome) {
        let state = self.call(&["state", &self.case.id]);
        let runs = state.code == 0
            && ["running", "paused"]
                .iter()
                .any(|it| state.json()["status"] == **it);
        if self.stand_in.is_complete() || runs && !outcome.succeeded {
            return;
        }
        outcome
            .faults
            .push(format!("the images are not complete: {state}"));
    }

    /// A container that ran before is there, and is not left frozen for good.
    fn judge_container(&self, outcome: &mut Outcome) {
        if !matches!(self.command.before, Before::Running | Before::Paused)
            || self.command.effect == Effect::Gone
            || self.command.effect == Effect::Dumped && self.stand_in.is_complete()
        {
            return;
        }
        let id = &self.case.id;
        let status = || {
            let state = self.call(&["state", id]);
            match state.code {
                0 => Ok(state.json()["status"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()),
                _ => Err(format!("no state: {state}")),
            }
        };
        let resumed = |status: String| match status.as_str() {
            "running" => Ok(()),
            "stopped" if self.command.effect == Effect::Status("stopped") => Ok(()),
            "paused" => match self.call(&["resume", id]) {
                output if output.code == 0 => Ok(()),
                output => Err(format!("cannot be resumed: {output}")),
            },
            other => Err(format!("is {other}")),
        };
        if let Err(fault) = status().and_then(resumed) {
            outcome.faults.push(fault);
        }
    }

    /// Removes everything, and looks whether it is gone.
    fn judge_removal(&self, processes: &[OwnedFd], outcome: &mut Outcome) {
        let removed = self.call(&["delete", "--force", &self.case.id]);
        if removed.code != 0 {
            outcome
                .faults
                .push(format!("delete --force fails: {removed}"));
        }
        if !all_end(processes, LIMIT) {
            outcome.faults.push("a process of it is left".to_owned());
        }
        let left = self.case.leftovers();
        if !left.is_empty() {
            outcome.faults.push(format!("left: {left:?}"));
        }
    }
}

/// How the command has ended, and what it said.
fn judge_end(traced: &Traced, step: Option<Step>, outcome: &mut Outcome) {
    if traced.hung {
        let last: Vec<String> = traced
            .calls
            .iter()
            .filter_map(|(role, calls)| Some(format!("{role} {}", calls::name(*calls.last()?))))
            .collect();
        let last = last.join(", ");
        outcome.faults.push(format!("hangs; last calls: {last}"));
    }
    // The end of the program, which the command reports by its exit code.
    if is_child(step, traced) && is_kill(step) && traced.end == End::Exit(128 + 9) {
        return;
    }
    let (call, first) = traced.reached.unwrap_or_default();
    let was_killed = step.is_some_and(|step| {
        step.action == Action::Hold || (step.action == Action::Kill && step.role == Role::Runtime)
    });
    if outcome.succeeded || was_killed && traced.reached.is_some() {
        return;
    }
    let is_error = matches!(
        step,
        Some(Step {
            action: Action::Error(_),
            ..
        })
    );
    // A message that cannot be written, or a program that has no memory to begin with.
    if is_error && (calls::may_abort(call) || calls::is_write(call) && first == 2) {
        return;
    }
    if let End::Signal(signal) = traced.end {
        outcome.faults.push(format!("ended by {signal}"));
    }
    // A warning alone explains the exit code of a program whose output cannot be written.
    let (warnings, errors) = outcome
        .message
        .lines()
        .partition::<Vec<&str>, _>(|line| line.contains("level=warning"));
    let lines = if errors.is_empty() { warnings } else { errors };
    if lines.len() != 1 || outcome.message.contains("panicked") {
        outcome
            .faults
            .push(format!("not one line of message: {:?}", outcome.message));
    }
}

/// Whether the step was done, and with another process than the runtime.
fn is_child(step: Option<Step>, traced: &Traced) -> bool {
    traced.reached.is_some() && step.is_some_and(|step| step.role != Role::Runtime)
}

fn is_kill(step: Option<Step>) -> bool {
    step.is_some_and(|step| step.action == Action::Kill)
}

/// Waits until all these processes have ended, not longer than `timeout` for each.
fn all_end(processes: &[OwnedFd], timeout: Duration) -> bool {
    let deadline = Instant::now() + timeout;
    processes.iter().all(|process| {
        let left = deadline.saturating_duration_since(Instant::now());
        let limit = Timespec::try_from(left).expect("a short time");
        let mut watched = [PollFd::new(process, PollFlags::IN)];
        poll(&mut watched, Some(&limit)).expect("poll") > 0
    })
}
