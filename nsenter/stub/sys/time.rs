//! The clock, and waiting.

use super::consts::*;
use super::{Errno, Result, invoke, number};

/// `clock_gettime(CLOCK_MONOTONIC)` in milliseconds.
pub(crate) fn milliseconds() -> u64 {
    nanoseconds() / 1_000_000
}

/// The same clock in nanoseconds.
pub(super) fn nanoseconds() -> u64 {
    let mut time = [0_u64; 2];
    // SAFETY: the kernel fills a struct timespec.
    let _ = unsafe { call!(CLOCK_GETTIME, CLOCK_MONOTONIC, time.as_mut_ptr()) };
    let [seconds, nanoseconds] = time;
    seconds
        .wrapping_mul(1_000_000_000)
        .wrapping_add(nanoseconds)
}

/// An entry of [`poll`].
#[repr(C)]
pub(crate) struct PollFd {
    /// The descriptor; a negative one is skipped.
    pub(crate) fd: i32,
    /// What to wait for.
    pub(crate) events: i16,
    /// What happened.
    pub(crate) happened: i16,
}

/// `ppoll(2)`; without a timeout it waits as long as it takes. A signal counts as "nothing yet".
pub(crate) fn poll(fds: &mut [PollFd], timeout_ms: Option<u64>) -> Result<()> {
    let time = timeout_ms.map(|ms| [ms / 1000, ms % 1000 * 1_000_000]);
    let time = time.as_ref().map_or(0, |time| time.as_ptr() as usize);
    // SAFETY: the kernel reads and writes the entries of the slice and reads a struct timespec.
    match unsafe { call!(PPOLL, fds.as_mut_ptr(), fds.len(), time, 0, SIGSET_SIZE) } {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(e) => Err(e),
    }
}
