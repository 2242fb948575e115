//! What was attempted, and why it failed.

use core::fmt::Write as _;

use rustix::fd::BorrowedFd;
use rustix::io::Errno;

use crate::text::Text;

/// One failed step.
#[derive(Clone, Copy)]
pub(crate) struct Failure {
    what: &'static str,
    errno: Errno,
}

/// What a step gives.
pub(crate) type Result<T> = core::result::Result<T, Failure>;

/// Says what a system call was for.
pub(crate) trait At<T> {
    /// The failure names the step.
    fn at(self, what: &'static str) -> Result<T>;
}

impl<T> At<T> for rustix::io::Result<T> {
    fn at(self, what: &'static str) -> Result<T> {
        self.map_err(|errno| Failure { what, errno })
    }
}

impl Failure {
    pub(crate) fn new(what: &'static str, errno: Errno) -> Self {
        Self { what, errno }
    }

    /// One line on `stream`.
    pub(crate) fn report(self, stream: BorrowedFd<'_>) {
        let mut line = Text::new();
        let _always_fits = writeln!(
            line,
            "floor: {}: errno {}",
            self.what,
            self.errno.raw_os_error()
        );
        let _nothing_else_to_tell = rustix::io::write(stream, line.bytes());
    }
}
