//! Writing limits. What is not set is not written.

use std::ffi::OsStr;
use std::path::Path;

use rustix::fs::OFlags;

use super::devices::Attachment;
use crate::conversion::{cpu_weight, io_weight, limit_text, pids_text, swap_max};
use crate::dir::{Dir, check_name, read_all};
use crate::file_format::{read_unsigned_if_present, unsigned};
use crate::{Applied, Error, ErrorKind, Hierarchy, Resources, Result, hugepages};

/// The period of a quota that comes without one, in µs; also the kernel's default.
const DEFAULT_PERIOD: u64 = 100_000;

pub(super) fn set(
    hierarchy: &Hierarchy,
    dir: &Dir,
    resources: &Resources,
    attachment: Attachment,
    rootless: bool,
) -> Result<Applied> {
    put_in_force(hierarchy, dir, resources, attachment, rootless)
        .map_err(|error| missing_controller(dir, error))
}

/// Says which controller is missing where a file of one is.
fn missing_controller(dir: &Dir, error: Error) -> Error {
    let name = error.path().and_then(Path::file_name);
    let name = name.and_then(OsStr::to_str).unwrap_or_default();
    let Some((controller, _)) = name.split_once('.').filter(|(first, _)| *first != "cgroup") else {
        return error;
    };
    let available = match dir.read("cgroup.controllers") {
        Ok(available) if error.is_not_found() => available,
        _ => return error,
    };
    if available.split_whitespace().any(|name| name == controller) {
        return error;
    }
    log::debug!("{error}");
    Error::new(
        ErrorKind::NoController,
        format_args!("cannot set {controller} limit: controller {controller:?} not available"),
    )
}

fn put_in_force(
    hierarchy: &Hierarchy,
    dir: &Dir,
    resources: &Resources,
    attachment: Attachment,
    rootless: bool,
) -> Result<Applied> {
    let mut applied = Applied::default();
    check_memory_usage(dir, resources)?;
    if let Some(limit) = resources.pids_limit {
        dir.write("pids.max", &pids_text(limit))?;
    }
    set_memory(dir, resources)?;
    set_io(dir, resources, &mut applied)?;
    set_cpu(dir, resources)?;
    if resources.sets_devices() {
        let outcome = super::devices::apply(hierarchy, dir, &resources.devices, attachment);
        applied.devices(outcome, rootless)?;
    }
    set_cpuset(dir, resources)?;
    hugepages::set(dir, &resources.hugetlb_limit, "max")?;
    for (device, limit) in &resources.rdma {
        dir.write("rdma.max", &rdma_text(device, limit))?;
    }
    if let Some(state) = resources.freezer {
        super::freezer::set(dir, state)?;
    }
    set_unified(dir, resources)?;
    ignored(resources, &mut applied);
    Ok(applied)
}

/// Settings that only cgroup v1 has.
fn ignored(resources: &Resources, applied: &mut Applied) {
    for (setting, asked) in [
        ("memory_swappiness", resources.memory_swappiness.is_some()),
        ("oom_kill_disable", resources.oom_kill_disable),
        ("cpu_rt_quota", resources.cpu_rt_runtime.is_some()),
        ("cpu_rt_period", resources.cpu_rt_period.is_some()),
        ("blkio_leaf_weight", resources.blkio_leaf_weight.is_some()),
        ("net_cls_classid_u", resources.net_cls_classid.is_some()),
        (
            "net_prio_ifpriomap",
            !resources.net_prio_ifpriomap.is_empty(),
        ),
    ] {
        if asked {
            applied.warn(setting, "cgroup v2 has no such setting");
        }
    }
}

/// With a limit below what is in use the kernel would start to kill.
pub(crate) fn check_memory_usage(dir: &Dir, resources: &Resources) -> Result<()> {
    let positive = |limit: Option<i64>| limit.and_then(|limit| u64::try_from(limit).ok());
    let (memory, swap) = (positive(resources.memory), positive(resources.memory_swap));
    if !resources.memory_check_before_update || (memory.is_none() && swap.is_none()) {
        return Ok(());
    }
    let Some(usage) = read_unsigned_if_present(dir, "memory.current")? else {
        return Ok(());
    };
    for (what, limit) in [("memory+swap", swap), ("memory", memory)] {
        if let Some(limit) = limit.filter(|limit| *limit > 0 && *limit <= usage) {
            return Err(Error::new(
                ErrorKind::LimitBelowUsage,
                format_args!("rejecting {what} limit {limit} <= usage {usage}"),
            ));
        }
    }
    Ok(())
}

fn set_memory(dir: &Dir, resources: &Resources) -> Result<()> {
    let swap = swap_max(resources.memory_swap, resources.memory)?;
    // Zero is a limit here, unlike everywhere else: memory and swap together are all memory.
    let swap = match swap {
        Some(0) => Some("0".to_owned()),
        swap => limit_text(swap),
    };
    if let Some(swap) = swap {
        match dir.write("memory.swap.max", &swap) {
            // A kernel without swap accounting; both mean what it does anyway.
            Err(error) if error.is_not_found() && (swap == "max" || swap == "0") => {}
            done => done?,
        }
    }
    if let Some(limit) = limit_text(resources.memory) {
        dir.write("memory.max", &limit)?;
    }
    if let Some(low) = limit_text(resources.memory_reservation) {
        dir.write("memory.low", &low)?;
    }
    Ok(())
}

fn set_io(dir: &Dir, resources: &Resources, applied: &mut Applied) -> Result<()> {
    if resources.blkio_weight.is_some() || !resources.blkio_weight_device.is_empty() {
        set_io_weight(dir, resources, applied)?;
    }
    for (key, devices) in [
        ("rbps", &resources.blkio_throttle_read_bps_device),
        ("wbps", &resources.blkio_throttle_write_bps_device),
        ("riops", &resources.blkio_throttle_read_iops_device),
        ("wiops", &resources.blkio_throttle_write_iops_device),
    ] {
        for device in devices {
            let line = format!("{}:{} {key}={}", device.major, device.minor, device.rate);
            dir.write("io.max", &line)?;
        }
    }
    Ok(())
}

/// The BFQ scheduler has its own file, with the scale of cgroup v1.
fn set_io_weight(dir: &Dir, resources: &Resources, applied: &mut Applied) -> Result<()> {
    const BFQ: &str = "io.bfq.weight";
    let bfq = match dir.open(BFQ, OFlags::RDWR) {
        Ok(file) => Some(file),
        Err(error) if error.is_not_found() => None,
        Err(error) => return Err(error),
    };
    match (resources.blkio_weight, &bfq) {
        (Some(weight), Some(bfq)) => dir.write_to(bfq, BFQ, &weight.to_string())?,
        (Some(weight), None) => dir.write("io.weight", &io_weight(weight).to_string())?,
        (None, _) => {}
    }
    if resources.blkio_weight_device.is_empty() {
        return Ok(());
    }
    // Kernels that know weights per device print a table ("default 100"), others one number.
    let bfq = bfq.filter(|bfq| {
        rustix::fs::seek(bfq, rustix::fs::SeekFrom::Start(0)).is_ok()
            && read_all(bfq).is_ok_and(|text| unsigned(&text).is_none())
    });
    let Some(bfq) = bfq else {
        applied.warn(
            "blkio_weight_device",
            "the kernel has no I/O weights per device without the BFQ scheduler",
        );
        return Ok(());
    };
    for device in &resources.blkio_weight_device {
        if device.weight != 0 {
            let line = format!("{}:{} {}\n", device.major, device.minor, device.weight);
            dir.write_to(&bfq, BFQ, &line)?;
        }
    }
    Ok(())
}

fn set_cpu(dir: &Dir, resources: &Resources) -> Result<()> {
    if let Some(idle) = resources.cpu_idle {
        dir.write("cpu.idle", &idle.to_string())?;
    }
    let weight = resources
        .cpu_weight
        .or_else(|| resources.cpu_shares.map(cpu_weight));
    if let Some(weight) = weight {
        dir.write("cpu.weight", &weight.to_string())?;
    }
    let quota = resources.cpu_quota.is_some() || resources.cpu_period.is_some();
    let mut late_burst = None;
    if let Some(burst) = resources.cpu_burst {
        let burst = burst.to_string();
        match dir.write("cpu.max.burst", &burst) {
            // More than the old quota; the new one may allow it.
            Err(error) if quota && error.raw_os_error() == Some(libc::EINVAL) => {
                late_burst = Some(burst)
            }
            done => done?,
        }
    }
    if quota {
        let period = resources.cpu_period.unwrap_or(DEFAULT_PERIOD);
        let quota = resources.cpu_quota.filter(|quota| *quota > 0);
        let quota = quota.map_or_else(|| "max".to_owned(), |quota| quota.to_string());
        dir.write("cpu.max", &format!("{quota} {period}"))?;
    }
    if let Some(burst) = late_burst {
        dir.write("cpu.max.burst", &burst)?;
    }
    Ok(())
}

fn set_cpuset(dir: &Dir, resources: &Resources) -> Result<()> {
    for (name, list) in [
        ("cpuset.cpus", &resources.cpuset_cpus),
        ("cpuset.mems", &resources.cpuset_mems),
    ] {
        if let Some(list) = list {
            dir.write(name, list)?;
        }
    }
    Ok(())
}

pub(crate) fn rdma_text(device: &str, limit: &crate::Rdma) -> String {
    let mut line = device.to_owned();
    for (key, value) in [
        ("hca_handle", limit.hca_handles),
        ("hca_object", limit.hca_objects),
    ] {
        if let Some(value) = value {
            line.push_str(&format!(" {key}={value}"));
        }
    }
    line
}

fn set_unified(dir: &Dir, resources: &Resources) -> Result<()> {
    for (key, value) in &resources.unified {
        if key.contains('/') {
            return Err(Error::new(
                ErrorKind::InvalidPath,
                format_args!("unified resource {key:?} must be a file name (no slashes)"),
            ));
        }
        check_name(key)?;
        if matches!(key.as_str(), "cgroup.procs" | "cgroup.threads") {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                format_args!("unified resource {key:?} moves processes, it is no setting"),
            ));
        }
        write_lines(dir, key, value).map_err(|error| unified_error(dir, key, error))?;
    }
    Ok(())
}

/// The kernel takes one line per write.
fn write_lines(dir: &Dir, name: &str, value: &str) -> Result<()> {
    let file = dir.open(name, OFlags::WRONLY)?;
    if value.is_empty() {
        return dir.write_to(&file, name, value);
    }
    value
        .split_inclusive('\n')
        .try_for_each(|line| dir.write_to(&file, name, line))
}

fn unified_error(dir: &Dir, key: &str, error: Error) -> Error {
    if error.is_permission() || error.is_not_found() {
        let Some((controller, _)) = key.split_once('.') else {
            return Error::because(
                ErrorKind::InvalidConfig,
                format_args!("unified resource {key:?} must be in the form CONTROLLER.PARAMETER"),
                error,
            );
        };
        let available = dir.read("cgroup.controllers").unwrap_or_default();
        if !available.split_whitespace().any(|name| name == controller) {
            // Without the kernel's text: it is about a file, and the controller is what is
            // missing.
            log::debug!("{error}");
            return Error::new(
                ErrorKind::NoController,
                format_args!(
                    "unified resource {key:?} can't be set: controller {controller:?} not available"
                ),
            );
        }
    }
    Error::because(
        error.kind(),
        format_args!("unable to set unified resource {key:?}"),
        error,
    )
}

#[cfg(test)]
mod tests;
