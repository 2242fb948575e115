//! Ending CRIU together with the processes that it has started.
//!
//! CRIU forks to find out what the kernel can do, and to run helpers (`iptables`, `tar`). A child
//! that it has stopped or traces does not notice the end of CRIU, and would stay for ever.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// How long a process may take to stop. One that sleeps in the kernel without being interruptible
/// is not waited for any longer; it starts no other one.
const STOP_TIMEOUT: Duration = Duration::from_millis(500);

/// How often it is looked at meanwhile: the kernel reports a stop to the parent of the process
/// alone.
const INTERVAL: Duration = Duration::from_millis(1);

/// Processes do not nest deeper than this here.
const DEEPEST: usize = 32;

/// Kills a process and all its descendants. `pidfd` is the process with this number.
///
/// Each process is stopped (`SIGSTOP`) before its children are listed in
/// `/proc/PID/task/*/children` (Linux 3.5 with `CONFIG_PROC_CHILDREN`): so it starts no other, and
/// reaps none, whose number could be another process's by then. Processes that it traces and has
/// not started, such as those of a container, are no descendants and go on.
///
/// # Errors
/// A signal cannot be sent. That the process has ended is none.
pub fn kill_tree(pid: u32, pidfd: BorrowedFd<'_>) -> io::Result<()> {
    kill_below(pid, pidfd, DEEPEST)
}

fn kill_below(pid: u32, pidfd: BorrowedFd<'_>, depth: usize) -> io::Result<()> {
    if !send(pidfd, Signal::STOP)? {
        return Ok(());
    }
    let directory = format!("/proc/{pid}");
    let directory = Path::new(&directory);
    let deadline = Instant::now() + STOP_TIMEOUT;
    while !is_still(directory) && Instant::now() < deadline {
        std::thread::sleep(INTERVAL);
    }
    let mut killed = Ok(());
    for child in children(directory) {
        let Some(number) = i32::try_from(child).ok().and_then(Pid::from_raw) else {
            continue;
        };
        let Ok(opened) = pidfd_open(number, PidfdFlags::empty()) else {
            continue;
        };
        let below = match depth.checked_sub(1) {
            Some(depth) => kill_below(child, opened.as_fd(), depth),
            None => send(opened.as_fd(), Signal::KILL).map(drop),
        };
        killed = killed.and(below);
    }
    send(pidfd, Signal::KILL)?;
    killed
}

/// Sends a signal; `false` if the process has ended.
fn send(pidfd: BorrowedFd<'_>, signal: Signal) -> io::Result<bool> {
    match pidfd_send_signal(pidfd, signal) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::SRCH) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Whether no thread of the process runs: each is stopped, traced or has ended.
fn is_still(directory: &Path) -> bool {
    tasks(directory).all(|task| {
        let stat = std::fs::read_to_string(task.join("stat")).unwrap_or_default();
        // The name of the program, in parentheses, may have any character.
        let state = stat
            .rsplit_once(") ")
            .and_then(|(_, rest)| rest.chars().next());
        matches!(state, None | Some('T' | 't' | 'Z' | 'X'))
    })
}

fn children(directory: &Path) -> Vec<u32> {
    let listed = tasks(directory)
        .map(|task| std::fs::read_to_string(task.join("children")).unwrap_or_default());
    listed
        .flat_map(|text| {
            let pids = text.split_whitespace().filter_map(|pid| pid.parse().ok());
            pids.collect::<Vec<u32>>()
        })
        .collect()
}

fn tasks(directory: &Path) -> impl Iterator<Item = std::path::PathBuf> {
    let entries = std::fs::read_dir(directory.join("task"));
    entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
}
