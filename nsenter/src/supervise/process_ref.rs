//! The process on the other end of the control channel.

use std::os::fd::{AsFd, BorrowedFd};

/// The process that asks: alive and not reaped as long as this reference exists, so that its number
/// cannot be another process' by now.
#[derive(Clone, Copy, Debug)]
pub struct ProcessRef<'a> {
    pid: u32,
    pidfd: BorrowedFd<'a>,
}

impl<'a> ProcessRef<'a> {
    pub(crate) fn new(pid: u32, pidfd: BorrowedFd<'a>) -> Self {
        Self { pid, pidfd }
    }

    /// The process id, in the pid namespace of the supervisor.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its pidfd.
    #[must_use]
    pub fn pidfd(&self) -> BorrowedFd<'a> {
        self.pidfd
    }
}

impl AsFd for ProcessRef<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd
    }
}
