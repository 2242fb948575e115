//! A command of the runtime under ptrace(2), with all processes that it makes.
//!
//! The calling thread is the tracer. System calls are counted for each [`Role`], at their entry.
//! A call that is to fail is replaced by one that does not exist (number -1), which the kernel
//! skips, and its result by the error, so that nothing of it has been done.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::ptrace::{self, Event, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};

use super::calls;
use super::step::{Action, Role, Step};
use super::writes::{Attempt, HostMounts, Written, attempt};
use crate::{limited, traced};

/// How long a command may take before it counts as hung: each of its system calls stops twice, and
/// on a machine with other work the kernel lets it go on a clock tick later.
pub const LIMIT: Duration = limited::TIMEOUT;

/// What to trace.
#[derive(Debug)]
pub(super) struct Request<'a> {
    /// The command line, of [`traced::shell`].
    pub(super) shell: process::Command,
    /// The runtime: calls are counted from its execution on.
    pub(super) program: &'a Path,
    /// What happens; nothing in an undisturbed run.
    pub(super) step: Option<Step>,
    /// A process that exists already and is the first child.
    pub(super) init: Option<u32>,
    /// Whether to go on after the end of the command until all that it has made has ended or
    /// executed a program. With `init` only after a success.
    pub(super) follow: bool,
    /// Whether it is noted what is written to.
    pub(super) notes_writes: bool,
    /// What runs elsewhere while a process is held.
    pub(super) elsewhere: Option<process::Command>,
}

/// How a process has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Exit(i32),
    Signal(Signal),
}

impl Default for End {
    fn default() -> Self {
        Self::Exit(-1)
    }
}

/// What happened.
#[derive(Debug, Default)]
pub(super) struct Traced {
    /// How the command has ended.
    pub(super) end: End,
    /// The system calls of each process, in their order.
    pub(super) calls: BTreeMap<Role, Vec<u64>>,
    /// What each process has written to, made and removed.
    pub(super) writes: BTreeSet<(Role, Written)>,
    /// The system call at which the step was done, with its first argument.
    pub(super) reached: Option<(u64, u64)>,
    /// Whether it took longer than [`LIMIT`].
    pub(super) hung: bool,
    /// All processes that were traced. A descriptor is readable when its process has ended.
    pub(super) processes: Vec<OwnedFd>,
    /// How what ran elsewhere has ended.
    pub(super) elsewhere: Option<End>,
}

/// Executes a command. Of a process that has executed another program than the runtime or the stub
/// nothing is traced any more.
pub(super) fn trace(mut request: Request<'_>) -> io::Result<Traced> {
    let options = Options::PTRACE_O_EXITKILL
        | Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK;
    let host = HostMounts::read()?;
    let root = traced::start(&mut request.shell, options)?;
    let processes = Mutex::new(Vec::new());
    let hung = AtomicBool::new(false);
    let mut tracer = Tracer {
        root,
        tracees: BTreeMap::new(),
        unclaimed: BTreeSet::new(),
        children: 0,
        root_ended: false,
        started: false,
        held: None,
        elsewhere: None,
        host,
        processes: &processes,
        traced: Traced::default(),
        request,
    };
    let (done, wait) = mpsc::channel::<()>();
    let result = thread::scope(|scope| {
        scope.spawn(|| {
            let wait = wait;
            let mut limit = LIMIT;
            while wait.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                hung.store(true, Ordering::Release);
                for process in &*processes.lock().expect("no panic with the lock") {
                    let _ended_before = pidfd_send_signal(process, rustix::process::Signal::KILL);
                }
                limit = Duration::from_millis(100);
            }
        });
        let result = tracer.run(options);
        drop(done);
        result
    });
    let mut traced = tracer.traced;
    result?;
    traced.hung = hung.into_inner();
    traced.processes = processes.into_inner().expect("no panic with the lock");
    Ok(traced)
}

struct Tracee {
    role: Role,
    /// What the call that it is in will answer.
    answer: Option<i32>,
    /// What that call writes to, if it succeeds.
    attempt: Option<Attempt>,
}

struct Tracer<'a> {
    request: Request<'a>,
    root: Pid,
    tracees: BTreeMap<Pid, Tracee>,
    /// Processes that have stopped before the kernel has said whose children they are.
    unclaimed: BTreeSet<Pid>,
    children: u32,
    root_ended: bool,
    /// Whether the runtime is executed, not a program that prepares it.
    started: bool,
    held: Option<Pid>,
    elsewhere: Option<Pid>,
    host: HostMounts,
    processes: &'a Mutex<Vec<OwnedFd>>,
    traced: Traced,
}

/// A request to a process that may have been killed meanwhile.
fn unless_killed(result: nix::Result<()>) -> io::Result<()> {
    match result {
        Err(Errno::ESRCH) => Ok(()),
        other => other.map_err(Into::into),
    }
}

fn resume(pid: Pid, signal: Option<Signal>) -> io::Result<()> {
    unless_killed(ptrace::syscall(pid, signal))
}

impl Tracer<'_> {
    fn run(&mut self, options: Options) -> io::Result<()> {
        self.add(self.root, Role::Runtime);
        self.executed(self.root)?;
        if let Some(init) = self.request.init {
            let init = Pid::from_raw(i32::try_from(init).map_err(io::Error::other)?);
            ptrace::seize(init, options | Options::PTRACE_O_TRACEEXEC)?;
            ptrace::interrupt(init)?;
            self.children += 1;
            self.add(init, Role::Child(self.children));
        }
        while !self.has_ended() {
            // Of this thread alone: others start commands, too.
            let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
            match waitpid(Pid::from_raw(-1), Some(flags)) {
                Ok(status) => self.event(status)?,
                Err(Errno::EINTR) => {}
                Err(Errno::ECHILD) => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.release()
    }

    fn has_ended(&self) -> bool {
        let follow =
            self.request.follow && (self.request.init.is_none() || self.traced.end == End::Exit(0));
        let followed = self.tracees.is_empty() && self.unclaimed.is_empty();
        self.root_ended && self.elsewhere.is_none() && (followed || !follow)
    }

    fn add(&mut self, pid: Pid, role: Role) {
        self.tracees.insert(
            pid,
            Tracee {
                role,
                answer: None,
                attempt: None,
            },
        );
        // A thread other than the first has none.
        let number = rustix::process::Pid::from_raw(pid.as_raw()).expect("a process id");
        if let Ok(process) = pidfd_open(number, PidfdFlags::empty()) {
            let mut processes = self.processes.lock().expect("no panic with the lock");
            processes.push(process);
        }
    }

    fn event(&mut self, status: WaitStatus) -> io::Result<()> {
        match status {
            WaitStatus::Exited(pid, code) => self.ended(pid, End::Exit(code)),
            WaitStatus::Signaled(pid, signal, _) => self.ended(pid, End::Signal(signal)),
            WaitStatus::Stopped(pid, signal) => resume(pid, Some(signal)),
            WaitStatus::PtraceSyscall(pid) => self.system_call(pid),
            WaitStatus::PtraceEvent(pid, _, event) => self.ptrace_event(pid, event),
            _ => Ok(()),
        }
    }

    fn ended(&mut self, pid: Pid, end: End) -> io::Result<()> {
        self.tracees.remove(&pid);
        self.unclaimed.remove(&pid);
        if pid == self.root {
            self.root_ended = true;
            self.traced.end = end;
            // The kernel says no more whose they are.
            for child in std::mem::take(&mut self.unclaimed) {
                self.children += 1;
                self.add(child, Role::Child(self.children));
                resume(child, None)?;
            }
        }
        if Some(pid) == self.elsewhere {
            self.elsewhere = None;
            self.traced.elsewhere = Some(end);
            if let Some(held) = self.held.take() {
                resume(held, None)?;
            }
        }
        Ok(())
    }

    fn ptrace_event(&mut self, pid: Pid, event: i32) -> io::Result<()> {
        if event == Event::PTRACE_EVENT_EXEC as i32 {
            return self.executed(pid);
        }
        if is_creation(event) {
            if let Ok(child) = ptrace::getevent(pid) {
                let child = Pid::from_raw(i32::try_from(child).map_err(io::Error::other)?);
                self.created(pid, child)?;
            }
        } else if !self.tracees.contains_key(&pid) {
            self.unclaimed.insert(pid);
            return Ok(());
        }
        resume(pid, None)
    }

    /// A new process or thread, which the kernel traces already.
    fn created(&mut self, maker: Pid, child: Pid) -> io::Result<()> {
        let role = match self.tracees.get(&maker) {
            Some(tracee) if is_thread(maker, child) => tracee.role,
            _ => {
                self.children += 1;
                Role::Child(self.children)
            }
        };
        self.add(child, role);
        if self.unclaimed.remove(&child) {
            resume(child, None)?;
        }
        Ok(())
    }

    /// A process has executed a program.
    fn executed(&mut self, pid: Pid) -> io::Result<()> {
        let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        let is_runtime = program == self.request.program;
        if pid == self.root {
            self.started |= is_runtime;
        } else if !is_runtime && !is_unnamed(&program) {
            self.tracees.remove(&pid);
            return unless_killed(ptrace::detach(pid, None));
        }
        resume(pid, None)
    }

    fn system_call(&mut self, pid: Pid) -> io::Result<()> {
        let Some(tracee) = self.tracees.get_mut(&pid) else {
            return resume(pid, None);
        };
        let stop = match ptrace::syscall_info(pid) {
            Ok(stop) => stop.op,
            Err(Errno::ESRCH) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if stop != libc::PTRACE_SYSCALL_INFO_ENTRY {
            if let Some(number) = tracee.answer.take() {
                unless_killed(change(pid, |registers| {
                    registers.rax = u64::from_ne_bytes(i64::from(-number).to_ne_bytes());
                }))?;
            }
            if let Some(attempt) = tracee.attempt.take()
                && let Ok(registers) = ptrace::getregs(pid)
            {
                let role = tracee.role;
                let found = attempt.done(pid, registers.rax, &self.host);
                let found = found.into_iter().map(|written| (role, written));
                self.traced.writes.extend(found);
            }
            return resume(pid, None);
        }
        let Ok(registers) = ptrace::getregs(pid) else {
            return Ok(());
        };
        if !self.started {
            return resume(pid, None);
        }
        if self.request.notes_writes {
            tracee.attempt = attempt(pid, &registers, &self.host)?;
        }
        let calls = self.traced.calls.entry(tracee.role).or_default();
        calls.push(registers.orig_rax);
        let here = self.request.step.filter(|step| {
            step.role == tracee.role && usize::try_from(step.number) == Ok(calls.len())
        });
        let Some(step) = here else {
            return resume(pid, None);
        };
        self.act(pid, step.action, registers)
    }

    /// Does what the step says with a process that is about to enter a system call.
    fn act(
        &mut self,
        pid: Pid,
        action: Action,
        registers: libc::user_regs_struct,
    ) -> io::Result<()> {
        let call = registers.orig_rax;
        match action {
            Action::Kill => {
                self.traced.reached = Some((call, registers.rdi));
                unless_killed(kill(pid, Signal::SIGKILL))
            }
            Action::Hold => {
                self.traced.reached = Some((call, registers.rdi));
                self.held = Some(pid);
                let mut elsewhere = self.request.elsewhere.take().expect("a command");
                let id = elsewhere.spawn()?.id();
                let id = i32::try_from(id).map_err(io::Error::other)?;
                self.elsewhere = Some(Pid::from_raw(id));
                let number = rustix::process::Pid::from_raw(id).expect("a process id");
                let process = pidfd_open(number, PidfdFlags::empty())?;
                let mut processes = self.processes.lock().expect("no panic with the lock");
                processes.push(process);
                Ok(())
            }
            // Another call than in the undisturbed run may be the n-th.
            Action::Error(number) if calls::errors(call).contains(&number) => {
                self.traced.reached = Some((call, registers.rdi));
                if let Some(tracee) = self.tracees.get_mut(&pid) {
                    tracee.answer = Some(number);
                }
                if !calls::is_done_nevertheless(call) {
                    unless_killed(change(pid, |registers| registers.orig_rax = u64::MAX))?;
                }
                resume(pid, None)
            }
            Action::Error(_) => resume(pid, None),
        }
    }

    /// Lets all that is still traced go on untraced.
    fn release(&mut self) -> io::Result<()> {
        let mut left: Vec<Pid> = std::mem::take(&mut self.tracees).into_keys().collect();
        while let Some(pid) = left.pop() {
            // One that is stopped already needs none.
            let _stopped = ptrace::interrupt(pid);
            loop {
                let signal = match waitpid(pid, Some(WaitPidFlag::__WALL)) {
                    Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) => break,
                    Ok(WaitStatus::Stopped(_, signal)) => Some(signal),
                    Ok(WaitStatus::PtraceEvent(_, _, event)) => {
                        if is_creation(event)
                            && let Ok(child) = ptrace::getevent(pid)
                            && let Ok(child) = i32::try_from(child)
                        {
                            left.push(Pid::from_raw(child));
                        }
                        None
                    }
                    Ok(_) => None,
                    Err(Errno::EINTR) => continue,
                    Err(Errno::ECHILD) => break,
                    Err(error) => return Err(error.into()),
                };
                unless_killed(ptrace::detach(pid, signal))?;
                break;
            }
        }
        Ok(())
    }
}

/// Whether a process has made another one.
fn is_creation(event: i32) -> bool {
    [
        Event::PTRACE_EVENT_CLONE,
        Event::PTRACE_EVENT_FORK,
        Event::PTRACE_EVENT_VFORK,
    ]
    .iter()
    .any(|kind| *kind as i32 == event)
}

/// Whether a program has no name: the stub is in memory, or in a file that no directory has.
fn is_unnamed(program: &Path) -> bool {
    program.to_string_lossy().ends_with(" (deleted)")
}

/// Whether two ids are of one process.
fn is_thread(one: Pid, other: Pid) -> bool {
    Path::new(&format!("/proc/{one}/task/{other}")).exists()
}

fn change(pid: Pid, with: impl FnOnce(&mut libc::user_regs_struct)) -> nix::Result<()> {
    let mut registers = ptrace::getregs(pid)?;
    with(&mut registers);
    ptrace::setregs(pid, registers)
}
