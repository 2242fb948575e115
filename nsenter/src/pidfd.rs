//! Processes by descriptor (`pidfd_open(2)`, Linux 5.3): no number can be mistaken for another
//! process.

use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, PidfdGetfdFlags, Signal, WaitId, WaitIdOptions, pidfd_getfd, pidfd_open,
    pidfd_send_signal, waitid,
};

use crate::error::{Error, ErrorKind, Result};
use crate::procfs::Procfs;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It called `exit` with this code, 0 to 255.
    Code(i32),
    /// A signal ended it.
    Signal {
        /// The number of the signal.
        signal: i32,
        /// Whether it left a core dump.
        core_dumped: bool,
    },
    /// It ended, and its status is not known: it is not our child, or another part of the program
    /// has collected its status (a handler that waits for any child, or an ignored `SIGCHLD`).
    Unknown,
}

impl Exit {
    /// Whether it ended with exit code 0.
    #[must_use]
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal {
                signal,
                core_dumped,
            } => {
                match crate::messages::signal(*signal) {
                    "" => write!(f, "signal: signal {signal}")?,
                    name => write!(f, "signal: {name}")?,
                }
                if *core_dumped {
                    f.write_str(" (core dumped)")
                } else {
                    Ok(())
                }
            }
            Self::Unknown => f.write_str("exit status unknown"),
        }
    }
}

/// `__WALL` of `wait(2)`: also children whose end is reported by another signal than `SIGCHLD`.
pub(crate) const WALL: WaitIdOptions = WaitIdOptions::from_bits_retain(0x4000_0000);

fn to_pid(pid: u32) -> Result<Pid> {
    i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| Error::new(ErrorKind::Process, format!("{pid} is no process id")))
}

/// Opens a process by its number. The number may be another process' by now: see [`open_verified`].
///
/// # Errors
/// [`ErrorKind::Process`] if no such process exists, else [`ErrorKind::System`].
pub fn open(pid: u32) -> Result<OwnedFd> {
    pidfd_open(to_pid(pid)?, PidfdFlags::empty()).map_err(|e| {
        // EINVAL: the number is of a process that was reaped just now, or of a thread, which is not
        // a process either; newer kernels say ENOENT for the latter.
        let kind = match e {
            Errno::SRCH | Errno::INVAL | Errno::NOENT => ErrorKind::Process,
            _ => ErrorKind::System,
        };
        Error::with_source(
            kind,
            format!("open process {pid}"),
            Box::new(std::io::Error::from(e)),
        )
    })
}

/// Opens a recorded process: the one with this number *and* this start time, and alive.
///
/// The descriptor is opened first and the start time compared after, so a number that is reused in
/// between is noticed.
///
/// # Errors
/// [`ErrorKind::Process`] if that process is gone.
pub fn open_verified(procfs: &Procfs, pid: u32, start_time: u64) -> Result<OwnedFd> {
    let pidfd = open(pid)?;
    let stat = procfs.stat(pid)?;
    if stat.start_time() != start_time || !stat.is_alive() {
        return Err(Error::new(
            ErrorKind::Process,
            format!("process {pid} is not the recorded one any more"),
        ));
    }
    Ok(pidfd)
}

/// Sends a signal. Signal 0 only asks whether the process exists.
///
/// # Errors
/// [`ErrorKind::Process`] if it has ended and was reaped, else [`ErrorKind::System`] (`EINVAL`,
/// `EPERM`).
pub fn send_signal(pidfd: impl AsFd, signal: i32) -> Result<()> {
    let result = match Signal::from_named_raw(signal) {
        Some(named) => pidfd_send_signal(pidfd, named).map_err(std::io::Error::from),
        // 0, and the real-time signals, for which rustix has no names.
        None => crate::sys::signal::pidfd_send_signal(pidfd.as_fd(), signal, false),
    };
    result.map_err(|e| {
        let kind = if e.raw_os_error() == Some(libc::ESRCH) {
            ErrorKind::Process
        } else {
            ErrorKind::System
        };
        Error::with_source(kind, format!("send signal {signal}"), Box::new(e))
    })
}

/// Whether the process has ended. Does not reap it.
///
/// # Errors
/// [`ErrorKind::System`].
pub fn has_exited(pidfd: impl AsFd) -> Result<bool> {
    wait_until(pidfd, Some(Instant::now()))
}

/// Waits until the process ends, or until the timeout has passed (`None`: without bound). Does not
/// reap it. Says whether it ended.
///
/// # Errors
/// [`ErrorKind::System`].
pub fn wait_timeout(pidfd: impl AsFd, timeout: Option<Duration>) -> Result<bool> {
    wait_until(
        pidfd,
        timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
    )
}

fn wait_until(pidfd: impl AsFd, end: Option<Instant>) -> Result<bool> {
    loop {
        let left = end.map(remaining);
        match poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], left.as_ref()) {
            Ok(0) if end.is_some_and(|end| Instant::now() >= end) => return Ok(false),
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(e) => return Err(Error::system("poll a process", e)),
        }
    }
}

/// How long until then, for `ppoll(2)`.
pub(crate) fn remaining(end: Instant) -> Timespec {
    let left = end.saturating_duration_since(Instant::now());
    Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(left.subsec_nanos()),
    }
}

/// Waits until the process ends and reaps it. A process that is not a child, or was reaped by
/// another part of the program, is [`Exit::Unknown`] once it has ended, never a success.
///
/// # Errors
/// [`ErrorKind::System`].
pub fn wait(pidfd: impl AsFd) -> Result<Exit> {
    wait_timeout(&pidfd, None)?;
    try_wait(pidfd).map(|exit| exit.unwrap_or(Exit::Unknown))
}

/// Reaps a child once it ends, in a thread of its own.
pub(crate) fn reap_later(pidfd: impl AsFd) {
    let reaper = std::thread::Builder::new().name("reaper".to_owned());
    if let Ok(pidfd) = pidfd.as_fd().try_clone_to_owned()
        && let Err(error) = reaper.spawn(move || wait(pidfd))
    {
        log::debug!("a killed process that does not end stays unreaped: {error}");
    }
}

/// Reaps the process if it has ended; `None` if it has not.
///
/// # Errors
/// [`ErrorKind::System`].
pub fn try_wait(pidfd: impl AsFd) -> Result<Option<Exit>> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WALL;
    loop {
        return match waitid(WaitId::PidFd(pidfd.as_fd()), options) {
            Ok(None) => Ok(None),
            Ok(Some(status)) => Ok(Some(if let Some(code) = status.exit_status() {
                Exit::Code(code)
            } else if let Some(signal) = status.terminating_signal() {
                Exit::Signal {
                    signal,
                    core_dumped: status.dumped(),
                }
            } else {
                Exit::Unknown
            })),
            // No child of ours, or reaped already.
            Err(Errno::CHILD) => has_exited(pidfd).map(|ended| ended.then_some(Exit::Unknown)),
            Err(Errno::INTR) => continue,
            Err(e) => Err(Error::system("wait for a process", e)),
        };
    }
}

/// Whether the process is a child of this one that was not reaped yet.
pub(crate) fn is_child(pidfd: impl AsFd) -> Result<bool> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT | WALL;
    loop {
        return match waitid(WaitId::PidFd(pidfd.as_fd()), options) {
            Ok(_) => Ok(true),
            Err(Errno::CHILD | Errno::INVAL | Errno::BADF) => Ok(false),
            Err(Errno::INTR) => continue,
            Err(e) => Err(Error::system("look at a process", e)),
        };
    }
}

/// The number of the process, in the pid namespace of this process' procfs; from the descriptor's
/// `fdinfo`.
///
/// # Errors [`ErrorKind::Process`] if the descriptor is not a pidfd, if the process is reaped, or
/// if it has no number here.
pub fn pid_of(procfs: &Procfs, pidfd: impl AsFd) -> Result<u32> {
    use std::os::fd::AsRawFd;
    let info = procfs.read(&format!("thread-self/fdinfo/{}", pidfd.as_fd().as_raw_fd()))?;
    info.split(|b| *b == b'\n')
        .find_map(|line| line.strip_prefix(b"Pid:"))
        .and_then(|number| {
            std::str::from_utf8(number.trim_ascii())
                .ok()?
                .parse::<i32>()
                .ok()
        })
        .and_then(|pid| u32::try_from(pid).ok())
        .filter(|pid| *pid != 0)
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Process,
                "the descriptor refers to no process of this pid namespace",
            )
        })
}

/// Duplicates a descriptor of another process (`pidfd_getfd(2)`, Linux 5.6; needs
/// `PTRACE_MODE_ATTACH_REALCREDS`).
///
/// # Errors
/// [`ErrorKind::System`]: `EBADF`, `EPERM`, `ESRCH`.
pub fn take_descriptor(pidfd: impl AsFd, number: u32) -> Result<OwnedFd> {
    let number = i32::try_from(number)
        .map_err(|_| Error::new(ErrorKind::Process, format!("{number} is no descriptor")))?;
    pidfd_getfd(pidfd, number, PidfdGetfdFlags::empty())
        .map_err(|e| Error::system("take a descriptor of a process", e))
}

/// Whether the descriptor is what `SECCOMP_FILTER_FLAG_NEW_LISTENER` gives.
pub(crate) fn is_seccomp_listener(descriptor: impl AsFd) -> bool {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/thread-self/fd/{}", descriptor.as_fd().as_raw_fd());
    rustix::fs::readlink(path, Vec::new())
        .is_ok_and(|link| link.as_c_str() == c"anon_inode:seccomp notify")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_a_thread_is_no_process() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                sender
                    .send(rustix::thread::gettid().as_raw_nonzero().get())
                    .unwrap();
                // Until the other side is dropped.
                let _ = ended.recv();
            });
            let number = u32::try_from(receiver.recv().unwrap()).unwrap();
            assert_eq!(open(number).unwrap_err().kind(), ErrorKind::Process);
            drop(end);
        });
    }

    #[test]
    fn other_descriptors_are_no_listeners() {
        assert!(!is_seccomp_listener(std::io::stdin()));
        assert!(!is_seccomp_listener(open(std::process::id()).unwrap()));
    }

    #[test]
    fn a_process_is_opened_by_number_and_start_time() {
        let procfs = Procfs::system().unwrap();
        let own = std::process::id();
        let start = procfs.stat(own).unwrap().start_time();
        let pidfd = open_verified(&procfs, own, start).unwrap();
        assert_eq!(pid_of(&procfs, &pidfd).unwrap(), own);
        assert!(!has_exited(&pidfd).unwrap());
        send_signal(&pidfd, 0).unwrap();
        let another = open_verified(&procfs, own, start + 1).unwrap_err();
        assert_eq!(another.kind(), ErrorKind::Process);
        assert!(pid_of(&procfs, std::io::stdin()).is_err());
        for impossible in [0, u32::MAX] {
            assert_eq!(open(impossible).unwrap_err().kind(), ErrorKind::Process);
        }
    }

    #[test]
    fn the_end_of_a_child_is_told_once_and_never_as_success_when_unknown() {
        let mut child = std::process::Command::new("sh")
            .args(["-c", "exit 6"])
            .spawn()
            .unwrap();
        let pidfd = open(child.id()).unwrap();
        assert!(is_child(&pidfd).unwrap());
        assert_eq!(wait(&pidfd).unwrap(), Exit::Code(6));
        // Reaped: the status is gone.
        assert_eq!(wait(&pidfd).unwrap(), Exit::Unknown);
        assert!(!is_child(&pidfd).unwrap());
        assert_eq!(
            send_signal(&pidfd, libc::SIGTERM).unwrap_err().kind(),
            ErrorKind::Process
        );
        assert!(child.wait().is_err());
        let own = open(std::process::id()).unwrap();
        assert!(!is_child(&own).unwrap());
    }

    #[test]
    fn a_signal_is_told_by_name() {
        let mut child = std::process::Command::new("sleep")
            .arg("100")
            .spawn()
            .unwrap();
        let pidfd = open(child.id()).unwrap();
        assert_eq!(try_wait(&pidfd).unwrap(), None);
        assert!(!wait_timeout(&pidfd, Some(Duration::from_millis(1))).unwrap());
        // A real-time signal, which has no name.
        send_signal(&pidfd, 40).unwrap();
        let exit = wait(&pidfd).unwrap();
        assert!(child.wait().is_err(), "reaped already");
        assert_eq!(
            exit,
            Exit::Signal {
                signal: 40,
                core_dumped: false
            }
        );
        assert_eq!(exit.to_string(), "signal: signal 40");
        assert_eq!(
            Exit::Signal {
                signal: 31,
                core_dumped: true
            }
            .to_string(),
            "signal: bad system call (core dumped)"
        );
        assert!(!Exit::Unknown.success());
    }

    #[test]
    fn a_descriptor_is_taken_from_a_process() {
        use std::os::fd::AsRawFd;
        let (read, _write) = std::io::pipe().unwrap();
        let own = open(std::process::id()).unwrap();
        let number = u32::try_from(read.as_raw_fd()).unwrap();
        let taken = take_descriptor(&own, number).unwrap();
        let identity = |fd: std::os::fd::BorrowedFd<'_>| {
            rustix::fs::fstat(fd).map(|s| (s.st_dev, s.st_ino)).unwrap()
        };
        assert_eq!(identity(taken.as_fd()), identity(read.as_fd()));
        assert_eq!(
            take_descriptor(&own, 100_000).unwrap_err().raw_os_error(),
            Some(libc::EBADF)
        );
    }
}
