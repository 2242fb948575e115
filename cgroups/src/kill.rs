//! Killing everything in a cgroup, and sending signals to it.

use std::collections::BTreeSet;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Signal, pidfd_send_signal};

use crate::dir::Dir;
use crate::processes::{in_tree, pidfd};
use crate::{Error, Result};

/// How often the list of processes is read when nothing keeps them from forking.
const PASSES: u32 = 100;

/// Kills the processes of a cgroup and all below at once, by `cgroup.kill` (Linux 5.14, cgroup v2).
/// `false` where the kernel does not have it.
pub(crate) fn at_once(dir: &Dir) -> Result<bool> {
    match dir.write_if_present("cgroup.kill", "1") {
        // A threaded cgroup.
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(false),
        done => done,
    }
}

/// Whether no process is in any of these directories, or below.
pub(crate) fn is_empty(dirs: &[&Dir]) -> Result<bool> {
    for dir in dirs {
        if !in_tree(dir)?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Sends a signal to the processes of a cgroup and all below one by one, until a reading of the
/// lists shows none that was not signalled before. `dirs` are the directories of the cgroup; a
/// process that is in several gets one signal.
///
/// A number is only used through a pidfd, and only if it is still listed after that was opened: it
/// cannot have come to mean another process.
pub(crate) fn one_by_one(
    dirs: &[&Dir],
    mut send: impl FnMut(BorrowedFd<'_>, u32) -> Result<()>,
) -> Result<()> {
    let mut signalled = BTreeSet::new();
    for _ in 0..PASSES {
        let new: Vec<_> = listed(dirs)?
            .into_iter()
            .filter(|pid| !signalled.contains(pid))
            .collect();
        if new.is_empty() {
            break;
        }
        let mut open = Vec::with_capacity(new.len());
        for pid in new {
            signalled.insert(pid);
            let opened = pidfd(pid).map_err(|errno| failed("pidfd_open", pid, errno))?;
            open.extend(opened.map(|pidfd| (pid, pidfd)));
        }
        let still = listed(dirs)?;
        for (pid, pidfd) in open {
            if still.contains(&pid) {
                send(pidfd.as_fd(), pid)?;
            }
        }
    }
    Ok(())
}

/// `SIGKILL`, for [`one_by_one`]. A process that has ended meanwhile is not an error.
pub(crate) fn send_kill(pidfd: BorrowedFd<'_>, pid: u32) -> Result<()> {
    match pidfd_send_signal(pidfd, Signal::KILL) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(errno) => Err(failed("kill", pid, errno)),
    }
}

fn failed(what: &str, pid: u32, errno: Errno) -> Error {
    Error::io(format_args!("{what} {pid}"), Path::new(""), errno)
}

fn listed(dirs: &[&Dir]) -> Result<BTreeSet<u32>> {
    let mut pids = BTreeSet::new();
    for dir in dirs {
        pids.extend(in_tree(dir)?);
    }
    Ok(pids)
}
