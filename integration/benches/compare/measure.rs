//! One measured command, and what is kept of it.

use std::error::Error;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::sys;

/// A command that takes longer has hung.
const LIMIT: Timespec = Timespec {
    tv_sec: 60,
    tv_nsec: 0,
};

/// What one round of one peer took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) wall: Duration,
    /// User and system time, of all processes that were waited for.
    pub(crate) cpu: Duration,
    pub(crate) minor_faults: i64,
}

/// Starts the command, waits for it, and says what it took. It must exit with 0.
pub(crate) fn command(command: Command) -> Result<Sample, Box<dyn Error>> {
    batch(vec![command])
}

/// Starts all commands at once and says how long it took until the last one ended.
pub(crate) fn batch(commands: Vec<Command>) -> Result<Sample, Box<dyn Error>> {
    let shown = commands
        .first()
        .map_or_else(String::new, |command| format!("{command:?}"));
    let start = Instant::now();
    let mut children = Vec::with_capacity(commands.len());
    for mut command in commands {
        children.push(command.spawn()?);
    }
    let mut sample = Sample {
        wall: Duration::ZERO,
        cpu: Duration::ZERO,
        minor_faults: 0,
    };
    let mut failed = Vec::new();
    for child in &children {
        let usage = end_in_time(child)?;
        if usage.code != 0 {
            failed.push(usage.code);
        }
        sample.cpu += usage.cpu;
        sample.minor_faults += usage.minor_faults;
    }
    sample.wall = start.elapsed();
    match failed.first() {
        None => Ok(sample),
        Some(code) => Err(format!(
            "{} of {} commands failed; exit code {code}: {shown}",
            failed.len(),
            children.len()
        )
        .into()),
    }
}

/// Waits for the end, and brings it about when it does not come.
fn end_in_time(child: &Child) -> Result<sys::Usage, Box<dyn Error>> {
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or("a child without pid")?;
    let end = pidfd_open(pid, PidfdFlags::empty())?;
    if poll(&mut [PollFd::new(&end, PollFlags::IN)], Some(&LIMIT))? == 0 {
        pidfd_send_signal(&end, Signal::KILL)?;
    }
    Ok(sys::wait(child)?)
}
