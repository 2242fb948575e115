//! One measured command, and what is kept of it.

use std::error::Error;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::sys;

/// What one round of one peer took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
    pub(crate) max_rss_kib: i64,
    pub(crate) minor_faults: i64,
}

/// Starts the command, waits for it, and says what it took. It must exit with 0.
pub(crate) fn command(mut command: Command) -> Result<Sample, Box<dyn Error>> {
    let start = Instant::now();
    let child = command.spawn()?;
    let usage = sys::wait(&child)?;
    let wall = start.elapsed();
    if usage.code != 0 {
        return Err(format!("{command:?} exited with {}", usage.code).into());
    }
    Ok(Sample {
        wall,
        cpu: usage.cpu,
        max_rss_kib: usage.max_rss_kib,
        minor_faults: usage.minor_faults,
    })
}

/// Starts all commands at once and says how long it took until the last one ended.
pub(crate) fn batch(commands: Vec<Command>) -> Result<Sample, Box<dyn Error>> {
    let start = Instant::now();
    let mut children = Vec::with_capacity(commands.len());
    for mut command in commands {
        let child = command.spawn()?;
        children.push(child);
    }
    let mut sample = Sample {
        wall: Duration::ZERO,
        cpu: Duration::ZERO,
        max_rss_kib: 0,
        minor_faults: 0,
    };
    let mut failed = 0;
    for child in &children {
        let usage = sys::wait(child)?;
        failed += usize::from(usage.code != 0);
        sample.cpu += usage.cpu;
        sample.max_rss_kib = sample.max_rss_kib.max(usage.max_rss_kib);
        sample.minor_faults += usage.minor_faults;
    }
    sample.wall = start.elapsed();
    if failed > 0 {
        return Err(format!("{failed} of {} commands failed", children.len()).into());
    }
    Ok(sample)
}
