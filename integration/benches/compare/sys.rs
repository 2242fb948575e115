//! What std's `Child` does not tell: the resources a child used.
#![allow(
    unsafe_code,
    reason = "wait4(2) has no safe wrapper among the dependencies"
)]

use std::io;
use std::mem::MaybeUninit;
use std::process::Child;
use std::time::Duration;

/// What `wait4(2)` reports of a finished child and of those it waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Exit code, or 128 and the signal number.
    pub(crate) code: i32,
    /// User and system time.
    pub(crate) cpu: Duration,
    /// Largest resident set of any of them, in KiB.
    pub(crate) max_rss_kib: i64,
    /// Page faults served without I/O.
    pub(crate) minor_faults: i64,
}

/// Waits for `child` and reports what it used.
pub(crate) fn wait(child: &Child) -> io::Result<Usage> {
    let pid = libc::pid_t::try_from(child.id()).map_err(io::Error::other)?;
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers are valid for writes of their types for the duration of the call.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) };
    if waited != pid {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: zeroed is a valid rusage, and wait4 filled it.
    let usage = unsafe { usage.assume_init() };
    let time = |value: libc::timeval| {
        let seconds = u64::try_from(value.tv_sec).unwrap_or(0);
        let micros = u64::try_from(value.tv_usec).unwrap_or(0);
        Duration::from_secs(seconds) + Duration::from_micros(micros)
    };
    let code = if libc::WIFEXITED(status) {
        libc::WEXITSTATUS(status)
    } else {
        128 + libc::WTERMSIG(status)
    };
    Ok(Usage {
        code,
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        max_rss_kib: usage.ru_maxrss,
        minor_faults: usage.ru_minflt,
    })
}
