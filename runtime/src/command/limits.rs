//! Limits: checked, and as the specification of a bundle has them.

use configs::oci::{BlockIo, Cpu, DeviceCgroup, Memory, Pids, Resources};

use super::Command;
use super::specification::refused;
use crate::error::Result;

/// Microseconds of the period in which processor time is counted, that of the kernel and of
/// engines.
const PERIOD: u64 = 100_000;
/// The kernel takes no quota below a millisecond.
const LEAST_QUOTA: f64 = 1_000.0;
/// More than any machine has, and far from what the kernel cannot count.
const MOST_CPUS: f64 = 1_000_000.0;
const WEIGHTS: std::ops::RangeInclusive<u16> = 10..=1000;

impl Command {
    pub(super) fn resources(&self) -> Result<Resources> {
        let memory = self.memory.map(memory).transpose()?;
        let pids = self.pids.map(pids).transpose()?;
        let cpu = self.cpus.map(cpu).transpose()?;
        let block_io = self.io_weight.map(block_io).transpose()?;
        Ok(Resources {
            memory,
            pids,
            cpu,
            block_io,
            devices: vec![DeviceCgroup {
                access: "rwm".to_owned(),
                ..DeviceCgroup::default()
            }],
            ..Resources::default()
        })
    }

    /// Whether the program is to be limited by its cgroup.
    pub(super) fn has_limits(&self) -> bool {
        self.memory.is_some()
            || self.pids.is_some()
            || self.cpus.is_some()
            || self.io_weight.is_some()
    }
}

fn memory(bytes: u64) -> Result<Memory> {
    let limit = i64::try_from(bytes).ok().filter(|bytes| *bytes > 0);
    let limit = limit.ok_or_else(|| refused("memory", bytes, "not a number of bytes"))?;
    Ok(Memory {
        limit: Some(limit),
        swap: Some(limit),
        ..Memory::default()
    })
}

fn pids(count: u32) -> Result<Pids> {
    if count == 0 {
        return Err(refused("pids", count, "there is at least the program"));
    }
    Ok(Pids {
        limit: Some(i64::from(count)),
    })
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the range is checked before"
)]
fn cpu(count: f64) -> Result<Cpu> {
    let quota = count * PERIOD as f64;
    if !(quota >= LEAST_QUOTA && count <= MOST_CPUS) {
        let why = "not a number of processors from 0.01 on";
        return Err(refused("cpus", count, why));
    }
    Ok(Cpu {
        quota: Some(quota as i64),
        period: Some(PERIOD),
        ..Cpu::default()
    })
}

fn block_io(weight: u16) -> Result<BlockIo> {
    if !WEIGHTS.contains(&weight) {
        return Err(refused("io_weight", weight, "not from 10 to 1000"));
    }
    Ok(BlockIo {
        weight: Some(weight),
        ..BlockIo::default()
    })
}
