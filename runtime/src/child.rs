//! A process of a container that this process started.

use std::os::fd::{BorrowedFd, OwnedFd};

use crate::console::Console;
use crate::error::{Error, ErrorKind, Result};
use crate::exit_status::ExitStatus;
use crate::signal::Signal;

/// A process that [`Runtime::create`](crate::Runtime::create) or [`Container::exec`](crate::Container::exec) started: a
/// child of the calling process. Dropping it leaves the process alone.
#[derive(Debug)]
pub struct Child {
    pid: i32,
    pidfd: OwnedFd,
    console: Option<Console>,
    pipes: Pipes,
    warnings: Vec<String>,
}

/// Our ends of the pipes asked for with [`Stdio::Pipe`](crate::Stdio::Pipe).
#[derive(Debug, Default)]
pub struct Pipes {
    /// Writes to the standard input of the process.
    pub stdin: Option<OwnedFd>,
    /// Reads its standard output.
    pub stdout: Option<OwnedFd>,
    /// Reads its standard error.
    pub stderr: Option<OwnedFd>,
}

impl Child {
    /// Its pid as this process sees it.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Its pidfd: readable (`poll(2)`) when the process has ended.
    #[must_use]
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.pidfd.as_fd()
    }

    /// The master side of its terminal, if it was to be kept ([`Terminal::Keep`](crate::Terminal::Keep)).
    pub fn console(&mut self) -> &mut Option<Console> {
        &mut self.console
    }

    /// Our ends of its pipes.
    pub fn pipes(&mut self) -> &mut Pipes {
        &mut self.pipes
    }

    /// What is not an error but should be told.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// [`ErrorKind::NotRunning`] if it has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let _ = signal;
        Err(Error::new(ErrorKind::NotRunning, "process already finished"))
    }

    /// Waits until it has ended. Repeated calls return the same status.
    ///
    /// # Errors
    /// [`ErrorKind::System`].
    pub fn wait(&self) -> Result<ExitStatus> {
        Err(Error::new(ErrorKind::Unsupported, "wait"))
    }

    /// The status if it has ended, without waiting.
    ///
    /// # Errors
    /// [`ErrorKind::System`].
    pub fn try_wait(&self) -> Result<Option<ExitStatus>> {
        Err(Error::new(ErrorKind::Unsupported, "wait"))
    }
}
