//! A program that runs in a sandbox.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{PipeReader, PipeWriter};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use nsenter::pidfd;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::host_root::{self, OwnRoot};
use super::{Command, Output, Usage, output};
use crate::bundle::Bundle;
use crate::container::Container;
use crate::error::{Error, ErrorKind, Result, Subject};
use crate::id::ContainerId;
use crate::process::Stdio;
use crate::process::child::Pipes;
use crate::process::exit_status::ExitStatus;
use crate::process::signal::Signal;
use crate::runtime::Runtime;

/// A program that runs in a sandbox: what [`Command::spawn`] returns.
///
/// It is a container with this program as its first process: everything in it ends with the
/// program. [`wait`](Self::wait) removes it; so does dropping this, which kills everything first,
/// unless [`Command::kill_on_drop`] was set to false.
///
/// Its descriptor ([`AsFd`]) is a pidfd, which becomes readable when the program has ended: an
/// event loop waits for that and then calls [`try_wait`](Self::try_wait).
#[derive(Debug)]
pub struct Child {
    container: Container,
    /// Of its first process, the program.
    pidfd: OwnedFd,
    /// Writes to its standard input, if that was to be a pipe.
    pub stdin: Option<PipeWriter>,
    /// Reads its standard output, if that was to be a pipe.
    pub stdout: Option<PipeReader>,
    /// Reads its standard error, if that was to be a pipe.
    pub stderr: Option<PipeReader>,
    timed_out: Arc<AtomicBool>,
    kill_on_drop: bool,
    own_root: Option<OwnRoot>,
    ended: Option<Ended>,
    output_limit: usize,
}

/// What is known of a program that has ended, and whose container is removed.
#[derive(Clone, Copy, Debug)]
struct Ended {
    status: ExitStatus,
    usage: Usage,
}

/// The last part of the id of the next container.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// How long dropping waits for the end of what it has killed.
const END: Duration = Duration::from_secs(10);

impl Command {
    /// Runs the program, in a container of its own. Returns when it has begun.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] for what cannot be; it names the method. Those of
    /// [`Runtime::run_bundle`].
    pub fn spawn(&mut self) -> Result<Child> {
        self.start([Stdio::Inherit, Stdio::Inherit, Stdio::Inherit])
    }

    /// Runs the program and waits for its end.
    ///
    /// # Errors
    /// Those of [`spawn`](Self::spawn) and [`Child::wait`].
    pub fn status(&mut self) -> Result<ExitStatus> {
        self.spawn()?.wait()
    }

    /// Runs the program, waits for its end, and returns what it has written.
    ///
    /// # Errors
    /// Those of [`spawn`](Self::spawn) and [`Child::wait_with_output`].
    pub fn output(&mut self) -> Result<Output> {
        self.start([Stdio::Null, Stdio::Pipe, Stdio::Pipe])?
            .wait_with_output()
    }

    fn start(&mut self, default: [Stdio; 3]) -> Result<Child> {
        let state = self.state();
        let runtime = Runtime::new(state.join("containers"))?;
        // With the directory above, which has those of the quick sandbox.
        runtime.make_root()?;
        let id = next_id()?;
        let own_root = match self.adds_to_host_root() {
            true => Some(OwnRoot::new(&state, id.as_str())?),
            false => None,
        };
        let host_root = match &own_root {
            Some(own) => own.directory().to_owned(),
            None => host_root::shared(&state),
        };
        let mut bundle = Bundle::new(&state, self.described(&host_root)?)?;
        let process = bundle.process();
        for ((stream, given), default) in process.stdio.iter_mut().zip(&mut self.stdio).zip(default)
        {
            *stream = taken(given).unwrap_or(default);
        }
        let container = runtime.run_bundle(&id, bundle);
        let mut container = container.map_err(|error| self.explained(error))?;
        let (pidfd, pipes) = program(&mut container).inspect_err(|_| {
            let _ = end(&container);
        })?;
        let mut child = Child {
            pidfd,
            container,
            stdin: pipes.stdin.map(PipeWriter::from),
            stdout: pipes.stdout.map(PipeReader::from),
            stderr: pipes.stderr.map(PipeReader::from),
            timed_out: Arc::default(),
            // What fails from here on leaves nothing.
            kill_on_drop: true,
            own_root,
            ended: None,
            output_limit: self.output_limit,
        };
        if let Some(timeout) = self.timeout {
            child.kill_after(timeout)?;
        }
        child.kill_on_drop = self.kill_on_drop;
        Ok(child)
    }

    /// An error that names the method which is to blame, if it is known to be one.
    fn explained(&self, error: Error) -> Error {
        match error.with_subject() {
            Ok((Subject::Program, error)) => {
                error.prefixed(&format!("Command::new({:?}): ", self.program()))
            }
            Ok((Subject::WorkingDirectory, error)) => {
                error.prefixed(&format!("Command::current_dir({:?}): ", self.current_dir))
            }
            Err(error) => error,
        }
    }
}

/// The pidfd of the first process of a container, and its pipes.
fn program(container: &mut Container) -> Result<(OwnedFd, Pipes)> {
    let init = container.init_mut().ok_or_else(|| {
        let why = "the program is no child of this process";
        Error::new(ErrorKind::NotRunning, why)
    })?;
    let pidfd = init.pidfd().try_clone_to_owned();
    let pidfd = pidfd.map_err(|error| Error::system("duplicate a pidfd", error))?;
    Ok((pidfd, std::mem::take(init.pipes())))
}

/// Kills everything in a container, and removes it.
fn end(container: &Container) -> Result<()> {
    kill(container)?;
    container.wait_timeout(END)?;
    container.destroy()
}

fn kill(container: &Container) -> Result<()> {
    match container.signal(Signal::KILL) {
        Err(error) if error.kind() == ErrorKind::NotRunning => Ok(()),
        killed => killed,
    }
}

/// What was given for a stream; a descriptor only once.
fn taken(given: &mut Option<Stdio>) -> Option<Stdio> {
    match given {
        None => None,
        Some(Stdio::Inherit) => Some(Stdio::Inherit),
        Some(Stdio::Null) => Some(Stdio::Null),
        Some(Stdio::Pipe) => Some(Stdio::Pipe),
        Some(Stdio::Descriptor(_)) => given.take(),
    }
}

/// The id of a new container. Processes in other pid namespaces may have the same pid and the same
/// directory, so there is a part by chance.
fn next_id() -> Result<ContainerId> {
    static CHANCE: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish());
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    ContainerId::new(format!("{}-{:016x}-{number}", std::process::id(), *CHANCE))
}

impl Child {
    /// The pid of the program on the host.
    #[must_use]
    pub fn id(&self) -> u32 {
        let init = self.container.init();
        init.map_or(0, |init| init.pid().unsigned_abs())
    }

    /// The container: to look at it ([`Container::stats`]), to run more in it
    /// ([`Container::exec`]), to suspend it.
    #[must_use]
    pub fn container(&self) -> &Container {
        &self.container
    }

    /// Kills everything in the sandbox. Nothing happens if the program has ended.
    ///
    /// # Errors
    /// [`ErrorKind::System`].
    pub fn kill(&mut self) -> Result<()> {
        if self.ended.is_some() {
            return Ok(());
        }
        kill(&self.container)
    }

    /// Waits until the program has ended, and removes the container. Closes
    /// [`stdin`](Self::stdin) first, so that a program that reads it comes to its end.
    ///
    /// Repeated calls return the same status.
    ///
    /// # Errors
    /// [`ErrorKind::System`]; [`ErrorKind::Timeout`] if the container cannot be removed because
    /// processes do not end. Then it is there to be called again.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        drop(self.stdin.take());
        if let Some(ended) = self.ended {
            return Ok(ended.status);
        }
        let status = self.container.wait()?;
        self.finish(status)
    }

    /// The same without waiting; `None` as long as the program runs.
    ///
    /// # Errors
    /// Those of [`wait`](Self::wait).
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        if let Some(ended) = self.ended {
            return Ok(Some(ended.status));
        }
        let status = match self.container.init() {
            Some(init) => init.try_wait()?,
            None => Some(ExitStatus::Unknown),
        };
        status.map(|status| self.finish(status)).transpose()
    }

    /// Reads what the program writes to its pipes until it has ended, and removes the container.
    ///
    /// # Errors
    /// Those of [`wait`](Self::wait).
    pub fn wait_with_output(mut self) -> Result<Output> {
        drop(self.stdin.take());
        let limit = self.output_limit;
        let (stdout, stderr) = output::read(self.stdout.take(), self.stderr.take(), limit)?;
        let status = self.wait()?;
        Ok(Output {
            status,
            truncated: stdout.truncated || stderr.truncated,
            stdout: stdout.bytes,
            stderr: stderr.bytes,
            timed_out: self.timed_out(),
            usage: self.usage().unwrap_or_default(),
        })
    }

    /// Whether the program has ended because the time was over.
    #[must_use]
    pub fn timed_out(&self) -> bool {
        let killed = ExitStatus::Signaled(Signal::KILL);
        self.timed_out.load(Ordering::Acquire)
            && self.ended.is_some_and(|ended| ended.status == killed)
    }

    /// What the program and everything that it started has used; `None` before it has been waited
    /// for.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.ended.map(|ended| ended.usage)
    }

    fn finish(&mut self, status: ExitStatus) -> Result<ExitStatus> {
        let usage = Usage::of(&self.container);
        self.container.destroy()?;
        self.own_root = None;
        self.ended = Some(Ended { status, usage });
        Ok(status)
    }

    /// Has another thread kill the program when the time is over. The thread ends with the program.
    fn kill_after(&self, timeout: Duration) -> Result<()> {
        let failed = |error| Error::system("start a thread that watches the time", error);
        let program = self.pidfd.try_clone().map_err(failed)?;
        let timed_out = Arc::clone(&self.timed_out);
        let deadline = Instant::now().checked_add(timeout);
        let watch = move || {
            if !ends_before(&program, deadline) {
                timed_out.store(true, Ordering::Release);
                let _ = pidfd::send_signal(program.as_fd(), Signal::KILL.number());
            }
        };
        thread::Builder::new()
            .name("timeout".to_owned())
            .spawn(watch)
            .map(drop)
            .map_err(failed)
    }
}

/// Waits for the end of a process or for a point in time, if there is one.
fn ends_before(process: &OwnedFd, deadline: Option<Instant>) -> bool {
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        // One that is too long to be said is no limit.
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        let mut descriptors = [PollFd::new(process, PollFlags::IN)];
        match poll(&mut descriptors, timeout.as_ref()) {
            Ok(0) => return false,
            Err(rustix::io::Errno::INTR) => {}
            _ => return true,
        }
    }
}

impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// For event loops that take numbers, as tokio's `AsyncFd` does.
impl AsRawFd for Child {
    fn as_raw_fd(&self) -> RawFd {
        self.pidfd.as_raw_fd()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.kill_on_drop {
            // The program may go on, and needs its root.
            std::mem::forget(self.own_root.take());
            return;
        }
        if self.ended.is_some() {
            return;
        }
        if let Err(error) = end(&self.container) {
            log::warn!(
                "remove the sandbox {}: {}",
                self.container.id(),
                error.chain()
            );
        }
    }
}
