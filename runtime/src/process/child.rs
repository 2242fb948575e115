//! A process of a container that this process started.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
#[cfg(feature = "cli")]
use std::time::Duration;

use nsenter::pidfd;

use crate::error::{Error, ErrorKind, Result};
use crate::id::ContainerId;
use crate::process::child_registry::{ChildRegistry, RegisteredChild};
use crate::process::console::Console;
use crate::process::exit_status::ExitStatus;
use crate::process::signal::Signal;

/// How long a command waits for a process that it has killed.
#[cfg(feature = "cli")]
pub(crate) const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// A process that [`Runtime::create`](crate::Runtime::create) or
/// [`Container::exec`](crate::Container::exec) started: a child of the calling process. Dropping it
/// leaves the process alone; it is reaped when its container is waited for.
#[derive(Debug)]
pub struct Child {
    pid: i32,
    container: ContainerId,
    entry: Arc<RegisteredChild>,
    registry: Arc<ChildRegistry>,
    console: Option<Console>,
    pipes: Pipes,
    warnings: Vec<String>,
}

/// Our ends of the pipes asked for with [`Stdio::Pipe`](crate::Stdio::Pipe).
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Pipes {
    /// Writes to the standard input of the process.
    pub stdin: Option<OwnedFd>,
    /// Reads its standard output.
    pub stdout: Option<OwnedFd>,
    /// Reads its standard error.
    pub stderr: Option<OwnedFd>,
}

impl Child {
    pub(crate) fn new(
        pid: i32,
        pidfd: OwnedFd,
        container: &ContainerId,
        registry: &Arc<ChildRegistry>,
    ) -> Self {
        Self {
            pid,
            container: container.clone(),
            entry: registry.add(container, pidfd),
            registry: Arc::clone(registry),
            console: None,
            pipes: Pipes::default(),
            warnings: Vec::new(),
        }
    }

    pub(crate) fn with_streams(mut self, console: Option<Console>, pipes: Pipes) -> Self {
        self.console = console;
        self.pipes = pipes;
        self
    }

    pub(crate) fn with_warnings(mut self, warnings: Vec<String>) -> Self {
        self.warnings = warnings;
        self
    }

    /// Its pid as this process sees it.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Its pidfd: readable (`poll(2)`) when the process has ended. What an event loop waits for.
    #[must_use]
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.entry.pidfd()
    }

    /// The master side of its terminal, if it was to be kept
    /// ([`Terminal::Keep`](crate::Terminal::Keep)).
    pub fn console(&mut self) -> &mut Option<Console> {
        &mut self.console
    }

    /// Our ends of its pipes.
    pub fn pipes(&mut self) -> &mut Pipes {
        &mut self.pipes
    }

    /// What is questionable but no error.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// [`ErrorKind::NotRunning`] if it has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        send(self.pidfd(), signal)
    }

    /// Waits until it has ended. Repeated calls, and calls from several threads, return the same
    /// status.
    ///
    /// # Errors
    /// [`ErrorKind::System`].
    pub fn wait(&self) -> Result<ExitStatus> {
        loop {
            self.registry
                .wait(&self.container, self.entry.pidfd(), None)?;
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
        }
    }

    /// Waits for one that was killed. A frozen process does not end before it is thawed, so there
    /// is a limit.
    #[cfg(feature = "cli")]
    pub(crate) fn wait_after_kill(&self) {
        let waited = self
            .registry
            .wait(&self.container, self.entry.pidfd(), Some(KILL_TIMEOUT));
        match waited {
            Ok(true) => {}
            Ok(false) => log::debug!("process {} does not end although it was killed", self.pid),
            Err(error) => log::debug!("{}", error.chain()),
        }
    }

    /// The status if it has ended, without waiting.
    ///
    /// # Errors
    /// [`ErrorKind::System`].
    pub fn try_wait(&self) -> Result<Option<ExitStatus>> {
        self.entry.try_wait()
    }

    /// The other children of this process in the same container, which may have to be reaped before
    /// this one can end.
    pub(crate) fn siblings(&self) -> Vec<Arc<RegisteredChild>> {
        self.registry.reap_others(&self.container, &self.entry)
    }
}

/// Sends a signal to a process that may have ended.
pub(crate) fn send(pidfd: BorrowedFd<'_>, signal: Signal) -> Result<()> {
    pidfd::send_signal(pidfd, signal.number()).map_err(|error| match error.kind() {
        nsenter::ErrorKind::Process => {
            Error::new(ErrorKind::NotRunning, "process already finished")
        }
        _ => Error::system(format!("send {signal}"), error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::zombie_processes, reason = "waited for through its pidfd")]
    fn start(script: &str) -> Child {
        let child = std::process::Command::new("/bin/sh")
            .args(["-c", script])
            .spawn()
            .unwrap();
        let pidfd = pidfd::open(child.id()).unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        Child::new(pid, pidfd, &"x".parse().unwrap(), &Arc::default())
    }

    #[test]
    fn every_waiter_gets_the_status() {
        let child = start("exit 7");
        let all: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| child.wait().unwrap()))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(all, [ExitStatus::Exited(7); 8]);
        assert_eq!(child.try_wait().unwrap(), Some(ExitStatus::Exited(7)));
        assert_eq!(
            child.signal(Signal::TERM).unwrap_err().kind(),
            ErrorKind::NotRunning
        );
    }

    #[test]
    fn signals_arrive() {
        let child = start("exec sleep 1000");
        assert_eq!(child.try_wait().unwrap(), None);
        child.signal(Signal::KILL).unwrap();
        assert_eq!(child.wait().unwrap(), ExitStatus::Signaled(Signal::KILL));
    }
}
