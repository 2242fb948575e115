//! What a program has written, and what it has used.

use std::io::{self, PipeReader, Read};
use std::thread;
use std::time::Duration;

use cgroups::stats::Controllers;

use crate::container::Container;
use crate::error::{Error, Result};
use crate::process::exit_status::ExitStatus;

/// What [`Command::output`](super::Command::output) returns.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Output {
    /// How the program ended.
    pub status: ExitStatus,
    /// What was written to its standard output.
    pub stdout: Vec<u8>,
    /// What was written to its standard error.
    pub stderr: Vec<u8>,
    /// Whether one of them is not all that was written:
    /// [`Command::output_limit`](super::Command::output_limit).
    pub truncated: bool,
    /// Whether it was killed because the [time](super::Command::timeout) was over.
    pub timed_out: bool,
    /// What it has used.
    pub usage: Usage,
}

/// What all processes of a sandbox have used together, as far as the kernel counts it for the
/// caller: without a cgroup it does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// The most memory that was in use at a time, in bytes (cgroup v1, or Linux 5.19).
    pub peak_memory: Option<u64>,
    /// Processor time.
    pub cpu_time: Option<Duration>,
    /// How many processes the kernel has killed for lack of memory.
    pub oom_kills: Option<u64>,
}

impl Usage {
    /// That of a container whose processes have ended, but whose cgroup is there.
    pub(super) fn of(container: &Container) -> Self {
        let asked = Controllers::CPU | Controllers::MEMORY;
        let Ok(cgroup) = container.cgroup() else {
            return Self::default();
        };
        let Ok(stats) = cgroup.stats_of(asked) else {
            return Self::default();
        };
        let counted = |controller| stats.counted.contains(controller);
        let memory = counted(Controllers::MEMORY).then_some(stats.memory.usage);
        let cpu = counted(Controllers::CPU).then_some(stats.cpu.usage.total);
        Self {
            // Kernels that do not know it leave it out.
            peak_memory: memory.map(|usage| usage.max).filter(|peak| *peak > 0),
            cpu_time: cpu.map(Duration::from_nanos),
            oom_kills: memory.and_then(|_| cgroup.oom_kill_count().ok()),
        }
    }
}

/// What came from one pipe.
#[derive(Debug, Default)]
pub(super) struct Captured {
    pub(super) bytes: Vec<u8>,
    pub(super) truncated: bool,
}

/// Reads both pipes to their ends: a program that has filled one waits before it writes to the
/// other.
pub(super) fn read(
    stdout: Option<PipeReader>,
    stderr: Option<PipeReader>,
    limit: usize,
) -> Result<(Captured, Captured)> {
    let failed = |error| Error::system("read what the program writes", error);
    let (Some(stdout), Some(stderr)) = (&stdout, &stderr) else {
        let one = |pipe: Option<PipeReader>| {
            pipe.map_or_else(|| Ok(Captured::default()), |pipe| capture(pipe, limit))
        };
        return Ok((one(stdout).map_err(failed)?, one(stderr).map_err(failed)?));
    };
    thread::scope(|scope| {
        let other = thread::Builder::new().spawn_scoped(scope, || capture(stderr, limit));
        let other = other.map_err(failed)?;
        let stdout = capture(stdout, limit);
        let stderr = other
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("a thread panicked")));
        Ok((stdout.map_err(failed)?, stderr.map_err(failed)?))
    })
}

fn capture(mut pipe: impl Read, limit: usize) -> io::Result<Captured> {
    let mut bytes = Vec::new();
    let kept = u64::try_from(limit).unwrap_or(u64::MAX);
    pipe.by_ref().take(kept).read_to_end(&mut bytes)?;
    let beyond = io::copy(&mut pipe, &mut io::sink())?;
    Ok(Captured {
        bytes,
        truncated: beyond > 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_limit_is_read_and_said() {
        for (limit, kept, truncated) in [(0, "", true), (3, "abc", true), (6, "abcdef", false)] {
            let captured = capture(&b"abcdef"[..], limit).unwrap();
            assert_eq!(captured.bytes, kept.as_bytes());
            assert_eq!(captured.truncated, truncated);
        }
    }
}
