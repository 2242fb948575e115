//! The `cpu` controller: shares, CFS quota, real-time budget.

use crate::dir::Dir;
use crate::file_format::read_unsigned;
use crate::{Error, ErrorKind, Resources, Result};

pub(super) fn is_set(resources: &Resources) -> bool {
    resources.cpu_shares.is_some()
        || resources.cpu_quota.is_some()
        || resources.cpu_period.is_some()
        || resources.cpu_burst.is_some()
        || resources.cpu_idle.is_some()
        || resources.cpu_rt_period.is_some()
        || resources.cpu_rt_runtime.is_some()
}

pub(super) fn set(dir: &Dir, resources: &Resources) -> Result<()> {
    if let Some(shares) = resources.cpu_shares {
        set_shares(dir, shares)?;
    }
    set_quota(dir, resources)?;
    set_realtime(dir, resources)?;
    if let Some(idle) = resources.cpu_idle {
        dir.write("cpu.idle", &idle.to_string())?;
    }
    Ok(())
}

/// The kernel clamps shares silently.
fn set_shares(dir: &Dir, shares: u64) -> Result<()> {
    dir.write("cpu.shares", &shares.to_string())?;
    let now = read_unsigned(dir, "cpu.shares")?;
    let bound = match shares.cmp(&now) {
        std::cmp::Ordering::Equal => return Ok(()),
        std::cmp::Ordering::Greater => "maximum",
        std::cmp::Ordering::Less => "minimum",
    };
    Err(Error::new(
        ErrorKind::InvalidConfig,
        format_args!("the {bound} allowed cpu-shares is {now}"),
    ))
}

/// The kernel checks each of period, quota and burst against the other two as they are. A value
/// that does not fit yet is written again after the quota.
fn set_quota(dir: &Dir, resources: &Resources) -> Result<()> {
    const PERIOD: &str = "cpu.cfs_period_us";
    const BURST: &str = "cpu.cfs_burst_us";
    let quota = resources.cpu_quota.map(|quota| quota.to_string());
    let mut later = Vec::new();
    if let Some(period) = resources.cpu_period {
        write_now_or(dir, PERIOD, period.to_string(), quota.is_some(), &mut later)?;
    }
    if let Some(burst) = resources.cpu_burst {
        match write_now_or(dir, BURST, burst.to_string(), quota.is_some(), &mut later) {
            // Linux 5.14.
            Err(error) if error.is_not_found() => {}
            done => done?,
        }
    }
    if let Some(quota) = quota {
        dir.write("cpu.cfs_quota_us", &quota)?;
    }
    later
        .iter()
        .try_for_each(|(name, value)| dir.write(name, value))
}

/// Writes the real-time settings. A process can only join a cgroup with a real-time budget when it
/// has real-time threads, so they come before the first one, too.
pub(super) fn sets_realtime(resources: &Resources) -> bool {
    resources.cpu_rt_runtime.is_some() || resources.cpu_rt_period.is_some()
}

pub(super) fn set_realtime(dir: &Dir, resources: &Resources) -> Result<()> {
    const PERIOD: &str = "cpu.rt_period_us";
    let runtime = resources.cpu_rt_runtime.map(|runtime| runtime.to_string());
    let mut later = Vec::new();
    if let Some(period) = resources.cpu_rt_period {
        write_now_or(
            dir,
            PERIOD,
            period.to_string(),
            runtime.is_some(),
            &mut later,
        )?;
    }
    if let Some(runtime) = runtime {
        dir.write("cpu.rt_runtime_us", &runtime)?;
    }
    later
        .iter()
        .try_for_each(|(name, value)| dir.write(name, value))
}

/// Writes a value, or keeps it for later when it is invalid together with one that will change.
fn write_now_or(
    dir: &Dir,
    name: &'static str,
    value: String,
    may_wait: bool,
    later: &mut Vec<(&'static str, String)>,
) -> Result<()> {
    match dir.write(name, &value) {
        Err(error) if may_wait && error.raw_os_error() == Some(libc::EINVAL) => {
            later.push((name, value));
            Ok(())
        }
        done => done,
    }
}
