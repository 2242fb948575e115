//! What std's `Child` and rustix do not offer: the resources a child used, and signals as a
//! descriptor.
#![allow(
    unsafe_code,
    reason = "wait4(2), unshare(2), signalfd(2) and prctl(2) after fork have no safe wrapper among \
              the dependencies"
)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// What `wait4(2)` reports of a finished child and of those it waited for.
///
/// Its largest resident set is not here: the kernel counts in what the child was before it executed
/// anything, that is, the memory of this program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Exit code, or 128 and the signal number.
    pub(crate) code: i32,
    /// User and system time.
    pub(crate) cpu: Duration,
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
        minor_faults: usage.ru_minflt,
    })
}

/// Gives the calling thread a mount namespace of its own; the only thread of a process.
pub(crate) fn unshare_mounts() -> io::Result<()> {
    // SAFETY: the call takes no pointer, and changes nothing that this program relies on.
    match unsafe { libc::unshare(libc::CLONE_NEWNS) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A descriptor that the program was started with, by its number.
pub(crate) fn inherited(number: i32) -> io::Result<BorrowedFd<'static>> {
    // SAFETY: fcntl has no requirements on the number; one that is not open is an error.
    if unsafe { libc::fcntl(number, libc::F_GETFD) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, and nothing in this program closes what it was started with.
    Ok(unsafe { BorrowedFd::borrow_raw(number) })
}

/// A descriptor that is readable once SIGINT, SIGTERM or SIGHUP came; see `signalfd(2)`.
#[derive(Debug)]
pub(crate) struct Signals(OwnedFd);

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Blocks the signals that end a program, and offers them as a descriptor. To be called before any
/// thread is made; std unblocks all signals in the programs it starts.
pub(crate) fn ending_signals() -> io::Result<Signals> {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the pointer is valid for the duration of each call, the signal numbers are valid
    // ones, and a null pointer is allowed for the mask that was.
    let fd = unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        if libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
        libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: signalfd returned a new descriptor that nothing else owns.
    Ok(Signals(unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// Whether one of the signals came.
pub(crate) fn has_signal(signals: &Signals) -> io::Result<bool> {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    Ok(poll(&mut [PollFd::new(signals, PollFlags::IN)], Some(&now))? > 0)
}

/// Starts a command as leader of a process group of its own, which the kernel kills when this
/// thread ends.
pub(crate) fn spawn_group(mut command: Command) -> io::Result<Child> {
    command.process_group(0);
    // SAFETY: prctl is a plain system call, safe between fork and exec.
    unsafe {
        command.pre_exec(|| {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) == 0 {
                Ok(())
            } else {
                Err(io::Error::last_os_error())
            }
        });
    }
    command.spawn()
}
