//! The cgroup and its limits.

use std::collections::BTreeMap;

use devices::Rule;

use super::device::{Device, default_rules, rules};
use super::reading::{Reading, below, keys, number, refused};
use super::shapes::{Names, TextOr};
use super::{Loaded, Revision};
use crate::config::{
    Cgroup, FreezerState, HugepageLimit, InterfacePriority, RdmaLimit, ThrottleDevice, WeightDevice,
};
use crate::{Result, specconv};

keys! {
    /// The object `cgroups`.
    struct RawCgroup {
        name: String, "0ABCDEF";
        parent: String, "0ABCDEF";
        path: String, "F";
        scope_prefix: String, "F";
        systemd as "Systemd": bool, "F";
        rootless as "Rootless": bool, "F";
        owner_uid: u32, "F";
        device_access: bool, "0ABCD";
        allow_all_devices: bool, "DEF";
        allowed_devices: Vec<Device>, "DEF";
        denied_devices: Vec<Device>, "F";
        devices: Vec<Device>, "F";
        memory: i64, "0ABCDEF";
        memory_reservation: i64, "BCDEF";
        memory_swap: i64, "0ABCDEF";
        kernel_memory: i64, "F";
        kernel_memory_tcp: i64, "F";
        cpu_shares: i64, "0ABCDEF";
        cpu_quota: i64, "BCDEF";
        cpu_period: i64, "BCDEF";
        cpu_burst: u64, "F";
        cpu_rt_quota: i64, "F";
        cpu_rt_period: i64, "F";
        cpuset_cpus: String, "BCDEF";
        cpuset_mems: String, "EF";
        cpu_idle: i64, "F";
        cpu_weight: u64, "F";
        pids_limit: i64, "F";
        blkio_weight: i64, "F";
        blkio_leaf_weight: i64, "F";
        blkio_weight_device: TextOr<WeightDevice>, "F";
        read_bps as "blkio_throttle_read_bps_device": TextOr<ThrottleDevice>, "F";
        write_bps as "blkio_throttle_write_bps_device": TextOr<ThrottleDevice>, "F";
        read_iops as "blkio_throttle_read_iops_device": TextOr<ThrottleDevice>, "F";
        write_iops as "blkio_throttle_write_iops_device": TextOr<ThrottleDevice>, "F";
        freezer: FreezerState, "BCDEF";
        hugetlb_limit: Vec<HugepageLimit>, "F";
        slice: String, "BCDEF";
        unit_properties: Vec<Vec<String>>, "0ABC";
        oom_kill_disable: bool, "F";
        memory_swappiness: i64, "F";
        net_prio_ifpriomap: Vec<InterfacePriority>, "F";
        net_cls_classid: TextOr<u32>, "F";
        net_cls_classid_u: u32, "F";
        rdma: Names<RdmaLimit>, "F";
        unified: Names<String>, "F";
        memory_check_before_update: bool, "F";
    }
}

/// Where the object is in a file.
const PLACE: &str = "cgroups";

/// Converts the object of a file that has one.
pub(super) fn convert(
    mut raw: RawCgroup,
    loaded: &mut Loaded,
    reading: &mut Reading<'_>,
) -> Result<()> {
    raw.only_known(PLACE, reading);
    loaded.has_cgroup = true;
    loaded.slice = slice(&mut raw)?;
    let cgroup = &mut loaded.config.cgroups;
    cgroup.resources.devices = device_rules(&mut raw, reading)?;
    place_of_cgroup(&mut raw, cgroup)?;
    memory(&mut raw, cgroup, reading)?;
    cpu(&mut raw, cgroup)?;
    block_io(&mut raw, cgroup)?;
    others(raw, cgroup)
}

/// The slice was a property of the unit until April 2014; no other one was accepted.
fn slice(raw: &mut RawCgroup) -> Result<Option<String>> {
    let mut slice = raw.slice.take();
    let properties = raw.unit_properties.take().unwrap_or_default();
    for (index, property) in properties.into_iter().enumerate() {
        match property.as_slice() {
            [name, value] if name == "Slice" => slice = Some(value.clone()),
            _ => {
                let place = format!("{PLACE}.unit_properties[{index}]");
                let name = property.first().map_or("", String::as_str);
                let message = format!("unknown property {name:?} of a unit");
                return Err(refused(place, message));
            }
        }
    }
    Ok(slice.filter(|slice| !slice.is_empty()))
}

fn place_of_cgroup(raw: &mut RawCgroup, cgroup: &mut Cgroup) -> Result<()> {
    for (key, path) in [("name", &raw.name), ("parent", &raw.parent)] {
        let path = path.as_deref().unwrap_or_default();
        if path.split('/').any(|part| part == "..") {
            let message = format!("{path:?} leads out of its cgroup");
            return Err(refused(below(PLACE, key), message));
        }
    }
    let text = |field: &mut Option<String>| field.take().unwrap_or_default();
    cgroup.name = text(&mut raw.name);
    cgroup.parent = text(&mut raw.parent);
    cgroup.path = text(&mut raw.path);
    cgroup.scope_prefix = text(&mut raw.scope_prefix);
    cgroup.systemd = raw.systemd.unwrap_or_default();
    cgroup.rootless = raw.rootless.unwrap_or_default();
    cgroup.owner_uid = raw.owner_uid;
    Ok(())
}

/// The rules in the order in which they apply.
fn device_rules(raw: &mut RawCgroup, reading: &mut Reading<'_>) -> Result<Vec<Rule>> {
    let mut list = |list: Option<Vec<Device>>, verdict, key| {
        rules(
            list.unwrap_or_default(),
            verdict,
            &below(PLACE, key),
            reading,
        )
    };
    let own = list(raw.devices.take(), None, "devices")?;
    let has_allowed = raw.allowed_devices.is_some();
    let allowed = list(raw.allowed_devices.take(), Some(true), "allowed_devices")?;
    let denied = list(raw.denied_devices.take(), Some(false), "denied_devices")?;
    if !own.is_empty() {
        return Ok(own);
    }
    let all = raw.allow_all_devices.or(raw.device_access);
    // Lists came in the course of revision D. One without them is older.
    let has_lists = match reading.revision {
        Revision::E | Revision::F => true,
        _ => has_allowed || raw.allow_all_devices.is_some(),
    };
    Ok(if all == Some(true) {
        [vec![Rule::everything(true)], denied].concat()
    } else if !has_lists {
        default_rules()
    } else if reading.revision < Revision::F || reading.is_of_2015 || has_allowed || all.is_some() {
        [vec![Rule::everything(false)], allowed].concat()
    } else {
        Vec::new()
    })
}

fn memory(raw: &mut RawCgroup, cgroup: &mut Cgroup, reading: &mut Reading<'_>) -> Result<()> {
    let limits = &mut cgroup.resources;
    limits.memory = raw.memory.unwrap_or_default();
    limits.memory_reservation = match raw.memory_reservation {
        // The limit was the soft limit as well.
        None if reading.revision <= Revision::A => limits.memory,
        reservation => reservation.unwrap_or_default(),
    };
    let swap = raw.memory_swap.unwrap_or_default();
    limits.memory_swap = if reading.revision == Revision::F && !reading.is_of_2015 {
        swap
    } else {
        match swap {
            // Not touched: there is no limit in a new cgroup.
            -1 => 0,
            0 if limits.memory > 0 => limits.memory.saturating_mul(2),
            swap => swap,
        }
    };
    limits.oom_kill_disable = raw.oom_kill_disable.unwrap_or_default();
    limits.memory_check_before_update = raw.memory_check_before_update.unwrap_or_default();
    // -1 leaves it alone.
    limits.memory_swappiness = raw
        .memory_swappiness
        .filter(|value| *value != -1)
        .map(|value| number(value, &below(PLACE, "memory_swappiness")))
        .transpose()?;
    for (key, value) in [
        ("kernel_memory", raw.kernel_memory),
        ("kernel_memory_tcp", raw.kernel_memory_tcp),
    ] {
        if value.is_some_and(|value| value != 0) {
            reading.no_effect(&below(PLACE, key));
        }
    }
    Ok(())
}

fn cpu(raw: &mut RawCgroup, cgroup: &mut Cgroup) -> Result<()> {
    let limits = &mut cgroup.resources;
    let unsigned =
        |value: Option<i64>, key: &str| number(value.unwrap_or_default(), &below(PLACE, key));
    limits.cpu_shares = unsigned(raw.cpu_shares, "cpu_shares")?;
    limits.cpu_quota = raw.cpu_quota.unwrap_or_default();
    limits.cpu_period = unsigned(raw.cpu_period, "cpu_period")?;
    limits.cpu_burst = raw.cpu_burst;
    limits.cpu_rt_runtime = raw.cpu_rt_quota.unwrap_or_default();
    limits.cpu_rt_period = unsigned(raw.cpu_rt_period, "cpu_rt_period")?;
    limits.cpuset_cpus = raw.cpuset_cpus.take().unwrap_or_default();
    limits.cpuset_mems = raw.cpuset_mems.take().unwrap_or_default();
    limits.cpu_idle = raw.cpu_idle;
    // What cgroup v2 takes in place of the shares.
    let weight = raw.cpu_weight.filter(|weight| *weight != 0);
    limits.cpu_weight = weight.unwrap_or_else(|| specconv::cpu_weight(limits.cpu_shares));
    Ok(())
}

fn block_io(raw: &mut RawCgroup, cgroup: &mut Cgroup) -> Result<()> {
    let limits = &mut cgroup.resources;
    let weight =
        |value: Option<i64>, key: &str| number(value.unwrap_or_default(), &below(PLACE, key));
    limits.blkio_weight = weight(raw.blkio_weight, "blkio_weight")?;
    limits.blkio_leaf_weight = weight(raw.blkio_leaf_weight, "blkio_leaf_weight")?;
    let weights = raw.blkio_weight_device.take();
    limits.blkio_weight_device = devices_of(weights, "blkio_weight_device", |numbers, weight| {
        Some(WeightDevice {
            major: numbers.0,
            minor: numbers.1,
            weight: weight.try_into().ok()?,
            leaf_weight: 0,
        })
    })?;
    let throttles = |list, key| {
        devices_of(list, key, |(major, minor), rate| {
            Some(ThrottleDevice { major, minor, rate })
        })
    };
    limits.blkio_throttle_read_bps_device =
        throttles(raw.read_bps.take(), "blkio_throttle_read_bps_device")?;
    limits.blkio_throttle_write_bps_device =
        throttles(raw.write_bps.take(), "blkio_throttle_write_bps_device")?;
    limits.blkio_throttle_read_iops_device =
        throttles(raw.read_iops.take(), "blkio_throttle_read_iops_device")?;
    limits.blkio_throttle_write_iops_device =
        throttles(raw.write_iops.take(), "blkio_throttle_write_iops_device")?;
    Ok(())
}

/// A list, or the lines `MAJOR:MINOR VALUE` that the files of the kernel take.
fn devices_of<T>(
    list: Option<TextOr<T>>,
    key: &str,
    make: impl Fn((i64, i64), u64) -> Option<T>,
) -> Result<Vec<T>> {
    let line = |line: &str| {
        let (numbers, value) = line.trim().split_once(char::is_whitespace)?;
        let (major, minor) = numbers.split_once(':')?;
        let numbers = (
            major.parse::<u32>().ok()?.into(),
            minor.parse::<u32>().ok()?.into(),
        );
        make(numbers, value.trim().parse().ok()?)
    };
    match list {
        None => Ok(Vec::new()),
        Some(TextOr::List(list)) => Ok(list),
        Some(TextOr::Number(number)) => {
            let message = format!("{number} is not of the form MAJOR:MINOR VALUE");
            Err(refused(below(PLACE, key), message))
        }
        Some(TextOr::Text(text)) => text
            .lines()
            .filter(|text| !text.trim().is_empty())
            .map(|text| {
                line(text).ok_or_else(|| {
                    let message = format!("{text:?} is not of the form MAJOR:MINOR VALUE");
                    refused(below(PLACE, key), message)
                })
            })
            .collect(),
    }
}

fn others(raw: RawCgroup, cgroup: &mut Cgroup) -> Result<()> {
    let limits = &mut cgroup.resources;
    // 0 was no limit until 2025.
    limits.pids_limit = raw.pids_limit.filter(|limit| *limit != 0);
    limits.freezer = raw.freezer.unwrap_or_default();
    limits.hugetlb_limit = raw.hugetlb_limit.unwrap_or_default();
    limits.net_prio_ifpriomap = raw.net_prio_ifpriomap.unwrap_or_default();
    limits.net_cls_classid = class_id(raw.net_cls_classid, raw.net_cls_classid_u)?;
    limits.rdma = raw.rdma.map_or_else(BTreeMap::new, |names| names.0);
    limits.unified = raw.unified.map_or_else(BTreeMap::new, |names| names.0);
    Ok(())
}

/// A number in text, decimal or with `0x`, as `net_cls.classid` takes it.
fn class_id(id: Option<TextOr<u32>>, later: Option<u32>) -> Result<u32> {
    let place = below(PLACE, "net_cls_classid");
    let message = |value: &dyn std::fmt::Display| format!("{value} is not a class of packets");
    match id {
        None => Ok(later.unwrap_or_default()),
        Some(TextOr::Number(id)) => u32::try_from(id).map_err(|_| refused(place, message(&id))),
        Some(TextOr::Text(text)) if text.is_empty() => Ok(later.unwrap_or_default()),
        Some(TextOr::Text(text)) => text
            .strip_prefix("0x")
            .map_or_else(|| text.parse(), |digits| u32::from_str_radix(digits, 16))
            .map_err(|_| refused(place, message(&format!("{text:?}")))),
        Some(TextOr::List(_)) => Err(refused(place, message(&"a list"))),
    }
}

/// A container without the object had no cgroup of its own, so that nothing was restricted.
pub(super) fn unrestricted(loaded: &mut Loaded) {
    loaded.has_cgroup = false;
    loaded.config.cgroups.resources.devices = vec![Rule::everything(true)];
}
