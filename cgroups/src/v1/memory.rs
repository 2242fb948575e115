//! The `memory` controller.

use crate::dir::Dir;
use crate::file_format::{read_unsigned, read_unsigned_if_present};
use crate::{Error, ErrorKind, Resources, Result};

const LIMIT: &str = "memory.limit_in_bytes";
const SWAP_LIMIT: &str = "memory.memsw.limit_in_bytes";

pub(super) fn is_set(resources: &Resources) -> bool {
    resources.sets_memory() || resources.oom_kill_disable || resources.memory_swappiness.is_some()
}

pub(super) fn set(dir: &Dir, resources: &Resources) -> Result<()> {
    set_limits(dir, resources.memory, resources.memory_swap)?;
    if let Some(reservation) = resources.memory_reservation {
        dir.write("memory.soft_limit_in_bytes", &reservation.to_string())?;
    }
    if resources.oom_kill_disable {
        dir.write("memory.oom_control", "1")?;
    }
    match resources.memory_swappiness {
        None => Ok(()),
        Some(swappiness @ 0..=100) => dir.write("memory.swappiness", &swappiness.to_string()),
        Some(_) => Err(Error::new(
            ErrorKind::InvalidConfig,
            "invalid memory swappiness value",
        )),
    }
}

/// The limit of memory may never be above the one of memory and swap, so which one is written first
/// depends on where they are now.
fn set_limits(dir: &Dir, memory: Option<i64>, swap: Option<i64>) -> Result<()> {
    let is_set = |limit: &i64| *limit != 0;
    let (memory, swap) = (memory.filter(is_set), swap.filter(is_set));
    let swap = match (memory, swap) {
        // Unlimited memory would be held back by the old limit of both.
        (Some(-1), None) if dir.exists(SWAP_LIMIT)? => Some(-1),
        _ => swap,
    };
    match (memory, swap) {
        (Some(memory), Some(swap)) => {
            let swap_first = swap == -1 || {
                let now = read_unsigned(dir, LIMIT)?;
                u64::try_from(swap).is_ok_and(|swap| now < swap)
            };
            if swap_first {
                set_swap(dir, swap)?;
                set_memory(dir, memory)
            } else {
                set_memory(dir, memory)?;
                set_swap(dir, swap)
            }
        }
        (Some(memory), None) => set_memory(dir, memory),
        (None, Some(swap)) => set_swap(dir, swap),
        (None, None) => Ok(()),
    }
}

fn set_swap(dir: &Dir, limit: i64) -> Result<()> {
    dir.write(SWAP_LIMIT, &limit.to_string())
}

fn set_memory(dir: &Dir, limit: i64) -> Result<()> {
    let Err(error) = dir.write(LIMIT, &limit.to_string()) else {
        return Ok(());
    };
    if error.raw_os_error() != Some(libc::EBUSY) {
        return Err(error);
    }
    let usage = read_unsigned_if_present(dir, "memory.usage_in_bytes")?.unwrap_or_default();
    let peak = read_unsigned_if_present(dir, "memory.max_usage_in_bytes")?.unwrap_or_default();
    Err(Error::because(
        ErrorKind::LimitBelowUsage,
        format_args!(
            "unable to set memory limit to {limit} (current usage: {usage}, peak usage: {peak})"
        ),
        error,
    ))
}
