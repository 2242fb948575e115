//! What a container had used at one moment.

use std::time::Instant;

use cgroups::stats::{Controllers, Psi};

use crate::Status;
use crate::cli::usage;
use crate::container::Container;
use crate::error::{Error, ErrorKind, Result};
use crate::runtime::Runtime;

/// A container at one moment.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) id: String,
    pub(super) status: Status,
    pub(super) pid: Option<i32>,
    pub(super) created: String,
    pub(super) bundle: String,
    /// When the counters were read.
    pub(super) at: Instant,
    pub(super) counters: Counters,
}

/// What its cgroup counts; `None` is what the kernel does not count for it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    pub(super) cpu: Option<Cpu>,
    pub(super) memory: Option<Memory>,
    pub(super) io: Option<Io>,
    pub(super) pids: Option<Pids>,
    pub(super) pressure: Pressure,
}

/// Processor time, in nanoseconds, and periods of the quota.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cpu {
    pub(super) usage: u64,
    pub(super) periods: u64,
    pub(super) throttled_periods: u64,
    pub(super) throttled_time: u64,
}

/// Memory, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Memory {
    pub(super) usage: u64,
    /// Without the part of the page cache that has not been used lately.
    pub(super) working_set: u64,
    pub(super) limit: Option<u64>,
    pub(super) oom_kills: u64,
}

/// Bytes from and to block devices.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Io {
    pub(super) read: u64,
    pub(super) written: u64,
}

/// Processes and threads.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pids {
    pub(super) current: u64,
    pub(super) limit: Option<u64>,
}

/// Pressure stall information.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pressure {
    pub(super) cpu: Option<Psi>,
    pub(super) memory: Option<Psi>,
    pub(super) io: Option<Psi>,
}

impl Sample {
    /// `None` if the container is not there any more.
    fn of(container: &Container) -> Result<Option<Self>> {
        let status = match container.status() {
            Err(error) if is_gone(&error) => return Ok(None),
            status => status?,
        };
        let counters = match Counters::of(container) {
            Err(error) if is_gone(&error) => Counters::default(),
            counters => counters?,
        };
        Ok(Some(Self {
            id: container.id().to_string(),
            status,
            pid: container.pid(),
            created: container.created_rfc3339().to_owned(),
            bundle: container.bundle().to_string_lossy().into_owned(),
            at: Instant::now(),
            counters,
        }))
    }
}

fn is_gone(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::CgroupNotFound
    )
}

impl Counters {
    fn of(container: &Container) -> Result<Self> {
        let group = match container.cgroup() {
            // There is no cgroup file system where the caller is.
            Err(error) if error.kind() == ErrorKind::Unsupported => return Ok(Self::default()),
            group => group?,
        };
        let wanted = Controllers::CPU | Controllers::MEMORY | Controllers::PIDS | Controllers::IO;
        let failed = crate::cgroup::failed("read the statistics of the container's cgroup");
        let stats = group.stats_of(wanted).map_err(failed)?;
        let mut counters = Self::from_stats(&stats);
        if let Some(memory) = &mut counters.memory {
            memory.oom_kills = crate::cgroup::oom_kills(&group);
        }
        Ok(counters)
    }

    /// All but the OOM kills, which are not among the statistics.
    fn from_stats(stats: &cgroups::Stats) -> Self {
        let counted = |controller| stats.counted.contains(controller);
        Self {
            cpu: counted(Controllers::CPU).then_some(Cpu {
                usage: stats.cpu.usage.total,
                periods: stats.cpu.throttling.periods,
                throttled_periods: stats.cpu.throttling.throttled_periods,
                throttled_time: stats.cpu.throttling.throttled_time,
            }),
            memory: counted(Controllers::MEMORY).then(|| memory(&stats.memory)),
            io: counted(Controllers::IO).then(|| Io {
                read: usage::transferred(&stats.blkio, "Read"),
                written: usage::transferred(&stats.blkio, "Write"),
            }),
            pids: counted(Controllers::PIDS).then_some(Pids {
                current: stats.pids.current,
                limit: Some(stats.pids.limit).filter(|limit| *limit != 0),
            }),
            pressure: Pressure {
                cpu: stats.cpu.psi,
                memory: stats.memory.psi,
                io: stats.blkio.psi,
            },
        }
    }
}

fn memory(memory: &cgroups::stats::Memory) -> Memory {
    Memory {
        usage: memory.usage.usage,
        working_set: usage::working_set(memory),
        limit: usage::memory_limit(memory),
        oom_kills: 0,
    }
}

/// All containers of a state root now, and why some of them could not be read.
#[derive(Debug, Default)]
pub(super) struct Round {
    pub(super) samples: Vec<Sample>,
    pub(super) errors: Vec<Error>,
}

impl Round {
    /// Reads them one after the other. Nothing stays open in between: what a reading costs is
    /// little for a command that people look at, and descriptors for hundreds of containers are
    /// more than a process may have by default.
    pub(super) fn read(runtime: &Runtime) -> Result<Self> {
        let mut round = Self::default();
        for container in runtime.list()? {
            match container.and_then(|container| Sample::of(&container)) {
                Ok(sample) => round.samples.extend(sample),
                Err(error) => round.errors.push(error),
            }
        }
        Ok(round)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_controller_counts_is_unknown() {
        let counters = Counters::from_stats(&cgroups::Stats::default());
        assert!(counters.cpu.is_none() && counters.memory.is_none());
        assert!(counters.io.is_none() && counters.pids.is_none());
    }

    #[test]
    fn a_limit_of_processes_that_is_none() {
        let mut stats = cgroups::Stats::default();
        stats.counted = Controllers::PIDS;
        for (number, limit) in [(0, None), (7, Some(7))] {
            stats.pids.limit = number;
            let counters = Counters::from_stats(&stats);
            assert_eq!(counters.pids.unwrap().limit, limit);
        }
    }
}
