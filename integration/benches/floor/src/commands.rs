//! What is done for each command, by the process that was called.

use core::convert::Infallible;
use core::ffi::CStr;
use core::fmt::Write as _;
use core::ptr::null;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::io::{Errno, read, write};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};

use crate::bundle::{Bundle, Strings};
use crate::cgroup::Hierarchies;
use crate::failure::{At as _, Failure, Result};
use crate::init::{self, Gate, Init, Joining, NAMESPACES};
use crate::record::Record;
use crate::sys::{self, Child};
use crate::text::Text;

/// `SIGCHLD`, which is nothing to pass on, as bit of a set.
const CHILD_ENDED: u64 = 1 << 16;

/// A command line.
#[derive(Default)]
pub(crate) struct Command<'a> {
    pub(crate) root: &'a CStr,
    pub(crate) bundle: &'a CStr,
    pub(crate) force: bool,
    pub(crate) verb: &'a CStr,
    pub(crate) id: &'a CStr,
    pub(crate) argument: &'a CStr,
}

impl Command<'_> {
    /// The exit code.
    pub(crate) fn perform(&self) -> Result<i32> {
        let record = Record::new(self.root.to_bytes(), self.id.to_bytes());
        match self.verb.to_bytes() {
            b"run" => self.launch(&record, true).map(|never| match never {}),
            b"create" => self.launch(&record, false).map(|never| match never {}),
            b"exec" => self.exec(&record).map(|never| match never {}),
            b"start" => record.start().map(|()| 0),
            b"state" => self.state(&record).map(|()| 0),
            b"kill" => kill(&record).map(|()| 0),
            b"delete" => self.delete(&record).map(|()| 0),
            _ => Err(Failure::new("understand the command", Errno::INVAL)),
        }
    }

    /// `run`, which waits for the end, or `create`.
    fn launch(&self, record: &Record<'_>, run: bool) -> Result<Infallible> {
        let id = self.id.to_bytes();
        let mut bundle = Bundle::EMPTY;
        bundle.read(self.bundle.to_bytes())?;
        let mut hierarchies = Hierarchies::EMPTY;
        hierarchies.find()?;
        record.create()?;
        let cgroup = hierarchies.create(id)?;
        let signals = if run { Some(keep_signals()?) } else { None };
        let (gate, ready) = if run {
            (None, None)
        } else {
            let (read_end, write_end) = pipe_with(PipeFlags::CLOEXEC).at("make a pipe")?;
            let fifo = record.make_fifo()?;
            (
                Some(Gate {
                    ready: write_end,
                    fifo,
                }),
                Some(read_end),
            )
        };
        let init = Init {
            id,
            root: bundle.string(b"\"path\"")?,
            hierarchies: &hierarchies,
            arguments: bundle.list(b"\"args\": [")?,
            environment: bundle.list(b"\"env\": [")?,
            gate,
        };
        let cgroup = cgroup.as_ref().map(OwnedFd::as_fd);
        sys::with_child(NAMESPACES, cgroup, init::begin, &init, |child| {
            record.write(&child)?;
            match (signals, ready) {
                (Some(signals), _) => {
                    let code = wait(&child, &signals)?;
                    hierarchies.remove(id)?;
                    record.remove()?;
                    Ok(code)
                }
                (None, Some(ready)) => until_ready(&ready).map(|()| 0),
                (None, None) => Ok(1),
            }
        })
        .at("start the container")
    }

    fn exec(&self, record: &Record<'_>) -> Result<Infallible> {
        let id = self.id.to_bytes();
        let (_, init) = record.init()?;
        let init = init.ok_or(Failure::new("execute in a container", Errno::SRCH))?;
        let mut hierarchies = Hierarchies::EMPTY;
        hierarchies.find()?;
        let cgroup = hierarchies.open(id)?;
        let signals = keep_signals()?;
        // Children of this process are in that namespace from here on.
        move_into_thread_name_spaces(init.as_fd(), ThreadNameSpaceType::PROCESS_ID)
            .at("join the pid namespace")?;
        let mut arguments: Strings = [null(); _];
        if let Some(program) = arguments.first_mut() {
            *program = self.argument.as_ptr().cast();
        }
        let joining = Joining {
            id,
            init,
            hierarchies: &hierarchies,
            arguments,
        };
        let cgroup = cgroup.as_ref().map(OwnedFd::as_fd);
        sys::with_child(0, cgroup, init::join, &joining, |child| {
            wait(&child, &signals)
        })
        .at("start the process")
    }

    fn state(&self, record: &Record<'_>) -> Result<()> {
        let (pid, init) = record.init()?;
        let (pid, status) = match init {
            None => (0, "stopped"),
            Some(_) if record.waits() => (pid, "created"),
            Some(_) => (pid, "running"),
        };
        let id = self.id.to_str().unwrap_or_default();
        let mut answer = Text::new();
        let _always_fits = writeln!(
            answer,
            "{{\"ociVersion\":\"1.0.2\",\"id\":\"{id}\",\"pid\":{pid},\"status\":\"{status}\"}}"
        );
        write(sys::stream(1), answer.bytes())
            .at("write the answer")
            .map(drop)
    }

    fn delete(&self, record: &Record<'_>) -> Result<()> {
        if let (_, Some(init)) = record.init()? {
            if !self.force {
                return Err(Failure::new("delete a container that runs", Errno::BUSY));
            }
            pidfd_send_signal(&init, Signal::KILL).at("kill the init process")?;
            poll(&mut [PollFd::new(&init, PollFlags::IN)], None).at("wait for its end")?;
        }
        let mut hierarchies = Hierarchies::EMPTY;
        hierarchies.find()?;
        hierarchies.remove(self.id.to_bytes())?;
        record.remove()
    }
}

fn kill(record: &Record<'_>) -> Result<()> {
    let (_, init) = record.init()?;
    let init = init.ok_or(Failure::new("kill a container", Errno::SRCH))?;
    pidfd_send_signal(&init, Signal::KILL).at("kill the init process")
}

/// Signals to this process are for the program: none may end it.
fn keep_signals() -> Result<OwnedFd> {
    let set = !CHILD_ENDED;
    sys::block_signals(set).at("block signals")?;
    sys::signal_descriptor(set).at("open a signal descriptor")
}

/// Passes signals on until the child has ended; its exit code.
fn wait(child: &Child, signals: &OwnedFd) -> Result<i32> {
    loop {
        let mut ready = [
            PollFd::new(&child.pidfd, PollFlags::IN),
            PollFd::new(signals, PollFlags::IN),
        ];
        poll(&mut ready, None).at("wait for the program")?;
        let [ended, signal] = ready;
        if !ended.revents().is_empty() {
            break;
        }
        if !signal.revents().is_empty() {
            pass_on(child, signals)?;
        }
    }
    let status = waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED)
        .at("wait for the program")?;
    Ok(status.map_or(1, |status| {
        status
            .exit_status()
            .or_else(|| status.terminating_signal().map(|signal| 128 + signal))
            .unwrap_or(1)
    }))
}

fn pass_on(child: &Child, signals: &OwnedFd) -> Result<()> {
    // struct signalfd_siginfo, which begins with the number.
    let mut info = [0; 128];
    read(signals, &mut info).at("read a signal")?;
    let [first, second, third, fourth, ..] = info;
    let number = i32::from_ne_bytes([first, second, third, fourth]);
    match Signal::from_named_raw(number) {
        Some(signal) => pidfd_send_signal(&child.pidfd, signal).at("pass a signal on"),
        None => Ok(()),
    }
}

/// Waits for the byte; without it the child has failed, and has said why.
fn until_ready(ready: &OwnedFd) -> Result<()> {
    match read(ready, &mut [0]).at("wait for the container")? {
        0 => Err(Failure::new("make the container", Errno::CHILD)),
        _ => Ok(()),
    }
}
