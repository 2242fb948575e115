//! Killing everything in a cgroup.

use std::collections::BTreeSet;

use rustix::{
    io::Errno,
    process::{Signal, pidfd_send_signal},
};

use crate::{
    Error, Result,
    dir::Dir,
    tree::{all_processes, pidfd},
};

/// How often the list of processes is read when nothing keeps them from forking.
const PASSES: u32 = 100;

/// Kills the processes of a cgroup and all below at once, by `cgroup.kill` (Linux 5.14, cgroup v2).
/// `false` where the kernel does not have it.
pub(crate) fn at_once(dir: &Dir) -> Result<bool> {
    match dir.write_if_present("cgroup.kill", "1") {
        // A threaded cgroup.
        Err(error) if error.errno() == Some(libc::EOPNOTSUPP) => Ok(false),
        done => done,
    }
}

/// Kills the processes of a cgroup and all below one by one, until a reading of the list shows none
/// that was not signalled before.
///
/// A number is only used through a pidfd, and only if it is still listed after that was opened: it
/// cannot have come to mean another process.
pub(crate) fn one_by_one(dir: &Dir) -> Result<()> {
    let mut signalled = BTreeSet::new();
    for _ in 0..PASSES {
        let new: Vec<_> = all_processes(dir)?
            .into_iter()
            .filter(|pid| !signalled.contains(pid))
            .collect();
        if new.is_empty() {
            break;
        }
        let mut open = Vec::with_capacity(new.len());
        for pid in new {
            signalled.insert(pid);
            let opened = pidfd(pid)
                .map_err(|errno| Error::io(format_args!("pidfd_open {pid}"), dir.path(), errno))?;
            open.extend(opened.map(|pidfd| (pid, pidfd)));
        }
        let still: BTreeSet<_> = all_processes(dir)?.into_iter().collect();
        for (pid, pidfd) in open {
            if !still.contains(&pid) {
                continue;
            }
            match pidfd_send_signal(&pidfd, Signal::KILL) {
                Ok(()) | Err(Errno::SRCH) => {}
                Err(errno) => {
                    return Err(Error::io(format_args!("kill {pid}"), dir.path(), errno));
                }
            }
        }
    }
    Ok(())
}
