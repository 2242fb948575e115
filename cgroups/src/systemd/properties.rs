//! Limits as properties of a unit (systemd.resource-control(5), org.freedesktop.systemd1(5)).
//!
//! systemd writes its properties to the cgroup again whenever it likes, so whatever it has a
//! property for must be given to it. The files are written afterwards with the same values.

use devices::{Emulator, Kind, Rule};
use zbus::Variant;

use crate::conversion::{cpu_weight, swap_max};
use crate::{Applied, Error, ErrorKind, Resources, Result};

/// Name and value.
pub(super) type Property = (String, Variant<'static>);

/// What systemd calls "infinity".
const UNLIMITED: u64 = u64::MAX;

/// The period of a quota that comes without one, in µs.
const DEFAULT_PERIOD: u64 = 100_000;

/// systemd keeps the quota as percent: in steps of this many µs per second.
const PERCENT: u64 = 10_000;

/// Why a weight is left out.
const IDLE: &str = "unable to apply both a weight and idleness: an idle cgroup has no CPU weight";

pub(super) fn property(name: &str, value: impl Into<Variant<'static>>) -> Property {
    (name.to_owned(), value.into())
}

/// A limit with -1 for unlimited; 0 is "not set".
fn limit(value: Option<i64>) -> Option<u64> {
    value.filter(|value| *value != 0).map(bytes)
}

fn bytes(limit: i64) -> u64 {
    u64::try_from(limit).unwrap_or(UNLIMITED)
}

fn tasks_max(limit: i64) -> u64 {
    match limit {
        0 => 1,
        1.. => limit.unsigned_abs(),
        _ => UNLIMITED,
    }
}

/// The properties for cgroup v2. What systemd rounds is rounded in `resources`, too.
///
/// `version` is systemd's, 0 if it is not known.
pub(super) fn v2(
    resources: &mut Resources,
    version: u32,
    applied: &mut Applied,
) -> Result<Vec<Property>> {
    let mut properties = devices(resources, version, applied)?;
    let swap = swap_max(resources.memory_swap, resources.memory)?;
    for (name, value) in [
        ("MemoryMax", limit(resources.memory)),
        ("MemoryLow", limit(resources.memory_reservation)),
        // Zero is a limit here, unlike everywhere else: memory and swap together are all memory.
        ("MemorySwapMax", swap.map(bytes)),
    ] {
        if let Some(value) = value {
            properties.push(property(name, value));
        }
    }
    let idle_file = resources.unified.get("cpu.idle").map(|on| on.trim());
    if version >= 252 && (resources.cpu_idle == Some(1) || idle_file == Some("1")) {
        // The value for "idle"; no weight can be set beside it, nor written to the files.
        properties.push(property("CPUWeight", 0_u64));
        let weight = resources.cpu_weight.take().is_some();
        let shares = resources.cpu_shares.take().is_some();
        if resources.unified.remove("cpu.weight").is_some() || weight || shares {
            applied.warn("cpu_shares", IDLE);
        }
    } else if let Some(weight) = resources
        .cpu_weight
        .or_else(|| resources.cpu_shares.map(cpu_weight))
    {
        properties.push(property("CPUWeight", weight));
    }
    cpu_quota(
        &mut properties,
        &mut resources.cpu_quota,
        resources.cpu_period,
        version,
    );
    if let Some(limit) = resources.pids_limit {
        properties.push(property("TasksMax", tasks_max(limit)));
    }
    cpusets(&mut properties, resources, version)?;
    unified(&mut properties, resources, version)?;
    Ok(properties)
}

/// The properties for cgroup v1.
pub(super) fn v1(
    resources: &mut Resources,
    version: u32,
    applied: &mut Applied,
) -> Result<Vec<Property>> {
    let mut properties = Vec::new();
    if let Some(memory) = limit(resources.memory) {
        properties.push(property("MemoryLimit", memory));
    }
    if let Some(shares) = resources.cpu_shares {
        properties.push(property("CPUShares", shares));
    }
    cpu_quota(
        &mut properties,
        &mut resources.cpu_quota,
        resources.cpu_period,
        version,
    );
    if let Some(weight) = resources.blkio_weight {
        properties.push(property("BlockIOWeight", u64::from(weight)));
    }
    if let Some(limit) = resources.pids_limit {
        properties.push(property("TasksMax", tasks_max(limit)));
    }
    cpusets(&mut properties, resources, version)?;
    properties.extend(devices(resources, version, applied)?);
    Ok(properties)
}

/// The quota per second, rounded up to whole percents; the quota itself follows.
fn cpu_quota(
    properties: &mut Vec<Property>,
    quota: &mut Option<i64>,
    period: Option<u64>,
    version: u32,
) {
    if let Some(period) = period {
        if version >= 242 {
            properties.push(property("CPUQuotaPeriodUSec", period));
        } else {
            log::debug!("systemd {version} has no CPUQuotaPeriodUSec");
        }
    }
    if quota.is_none() && period.is_none() {
        return;
    }
    let mut per_second = UNLIMITED;
    if let Some(limited) = quota.and_then(|quota| u64::try_from(quota).ok())
        && limited > 0
    {
        let period = period.unwrap_or(DEFAULT_PERIOD).max(1);
        let exact = u128::from(limited) * 1_000_000 / u128::from(period);
        let rounded = exact.next_multiple_of(u128::from(PERCENT));
        if rounded != exact {
            *quota = i64::try_from(rounded * u128::from(period) / 1_000_000).ok();
        }
        per_second = u64::try_from(rounded).unwrap_or(UNLIMITED);
    }
    properties.push(property("CPUQuotaPerSecUSec", per_second));
}

fn cpusets(properties: &mut Vec<Property>, resources: &Resources, version: u32) -> Result<()> {
    for (name, list) in [
        ("AllowedCPUs", &resources.cpuset_cpus),
        ("AllowedMemoryNodes", &resources.cpuset_mems),
    ] {
        if let Some(list) = list {
            cpuset(properties, name, list, version)?;
        }
    }
    Ok(())
}

fn cpuset(properties: &mut Vec<Property>, name: &str, list: &str, version: u32) -> Result<()> {
    let bits = bits(list).map_err(|why| {
        Error::new(
            ErrorKind::InvalidConfig,
            format_args!("{name}={list:?} conversion error: {why}"),
        )
    })?;
    if version >= 244 {
        properties.push(property(name, bits));
    } else {
        log::debug!("systemd {version} has no {name}");
    }
    Ok(())
}

/// A list of the kernel (`0-3,8`) as bits, eight to the byte, the lowest first.
fn bits(list: &str) -> Result<Vec<u8>, &'static str> {
    /// More CPUs than any kernel is built for.
    const HIGHEST: usize = 1 << 16;
    let mut bits = Vec::new();
    for part in list
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| {
            let number = text.trim().parse().map_err(|_| "not a number")?;
            if number < HIGHEST {
                Ok(number)
            } else {
                Err("number too high")
            }
        };
        let (first, last): (usize, usize) = (number(first)?, number(last)?);
        if first > last {
            return Err("invalid range");
        }
        if bits.len() <= last / 8 {
            bits.resize(last / 8 + 1, 0_u8);
        }
        for number in first..=last {
            if let Some(byte) = bits.get_mut(number / 8) {
                *byte |= 1 << (number % 8);
            }
        }
    }
    if bits.is_empty() {
        return Err("empty value");
    }
    Ok(bits)
}

/// What of the files of cgroup v2 systemd has properties for.
fn unified(properties: &mut Vec<Property>, resources: &Resources, version: u32) -> Result<()> {
    for (key, value) in &resources.unified {
        let wrong = |why: &str| {
            Err(Error::new(
                ErrorKind::InvalidConfig,
                format_args!("unified resource {key:?} {why}"),
            ))
        };
        if key.contains('/') {
            return wrong("must be a file name (no slashes)");
        }
        if !key.contains('.') {
            return wrong("must be in the form CONTROLLER.PARAMETER");
        }
        let value = value.trim();
        let number = || match value {
            "max" => Some(UNLIMITED),
            _ => value.parse::<u64>().ok(),
        };
        let not_a_number = format!("value conversion error: {value:?} is not a number");
        let name = match key.as_str() {
            // Set as a weight, above.
            "cpu.idle" => continue,
            "cpu.max" => {
                let mut fields = value.split_whitespace();
                let quota = match fields.next() {
                    Some("max") => Some(-1),
                    Some(quota) => quota.parse::<i64>().ok(),
                    None => None,
                };
                let period = fields
                    .next()
                    .map_or(Some(DEFAULT_PERIOD), |period| period.parse().ok());
                let (Some(quota), Some(period), None) = (quota, period, fields.next()) else {
                    return wrong(&not_a_number);
                };
                cpu_quota(properties, &mut Some(quota), Some(period), version);
                continue;
            }
            "cpuset.cpus" => {
                cpuset(properties, "AllowedCPUs", value, version)?;
                continue;
            }
            "cpuset.mems" => {
                cpuset(properties, "AllowedMemoryNodes", value, version)?;
                continue;
            }
            "cpu.weight" => "CPUWeight",
            "memory.high" => "MemoryHigh",
            "memory.low" => "MemoryLow",
            "memory.min" => "MemoryMin",
            "memory.max" => "MemoryMax",
            "memory.swap.max" => "MemorySwapMax",
            "pids.max" => "TasksMax",
            _ => {
                log::debug!("systemd has no property for {key}");
                continue;
            }
        };
        match number() {
            Some(0) if name == "TasksMax" => properties.push(property(name, 1_u64)),
            Some(number) => properties.push(property(name, number)),
            None => return wrong(&not_a_number),
        }
    }
    Ok(())
}

/// The device rules, in the one order that survives a reload of systemd: empty the list, set the
/// policy, fill the list.
pub(super) fn devices(
    resources: &Resources,
    version: u32,
    applied: &mut Applied,
) -> Result<Vec<Property>> {
    if !resources.sets_devices() {
        return Ok(Vec::new());
    }
    let state = Emulator::from_rules(&resources.devices)
        .map_err(|error| Error::because(ErrorKind::Devices, "device rules", error))?;
    let list = |entries: Vec<(String, String)>| property("DeviceAllow", entries);
    if state.allows_everything() {
        return Ok(vec![list(Vec::new()), property("DevicePolicy", "auto")]);
    }
    let mut properties = vec![list(Vec::new()), property("DevicePolicy", "strict")];
    if state.allows_by_default() {
        applied.warn(
            "devices",
            "systemd cannot allow all devices but some; it may undo the rules when it reloads",
        );
        return Ok(properties);
    }
    let known = Spelling::of(version)?;
    let entries = state
        .exceptions()
        .filter_map(|rule| device_entry(&rule, &known, applied))
        .collect();
    properties.push(list(entries));
    Ok(properties)
}

/// How a version of systemd wants devices to be spelled.
enum Spelling {
    /// Since 240: numbers, whether there is a device node or not.
    Numbers,
    /// Before: the names of the drivers in `/proc/devices`, whose text this is, and nodes that
    /// exist.
    Names(String),
}

impl Spelling {
    /// That of a version, which is 0 if it is not known: every version takes names.
    fn of(version: u32) -> Result<Self> {
        const FILE: &str = "/proc/devices";
        if version >= 240 {
            return Ok(Self::Numbers);
        }
        std::fs::read_to_string(FILE)
            .map(Self::Names)
            .map_err(|error| Error::io(format_args!("read {FILE}"), FILE, error))
    }
}

/// The name that a major number has in the text of `/proc/devices`: the lines `NUMBER NAME` after
/// `Character devices:` or `Block devices:`.
fn driver(devices: &str, kind: Kind, major: u32) -> Option<&str> {
    let heading = if kind == Kind::Block {
        "Block"
    } else {
        "Character"
    };
    let mut section = devices.split("\n\n").flat_map(str::lines);
    section.by_ref().find(|line| line.starts_with(heading))?;
    section
        .take_while(|line| !line.ends_with(" devices:"))
        .filter_map(|line| line.trim().split_once(' '))
        .find(|(number, _)| number.parse() == Ok(major))
        .map(|(_, name)| name)
}

/// A rule as `DeviceAllow=` spells it.
fn device_entry(
    rule: &Rule,
    spelling: &Spelling,
    applied: &mut Applied,
) -> Option<(String, String)> {
    let kind = if rule.kind == Kind::Block {
        "block"
    } else {
        "char"
    };
    let specifier = match (rule.major, rule.minor) {
        (None, None) => format!("{kind}-*"),
        (Some(major), None) => match spelling {
            Spelling::Numbers => format!("{kind}-{major}"),
            Spelling::Names(devices) => match driver(devices, rule.kind, major) {
                Some(name) => format!("{kind}-{name}"),
                None => {
                    let what = format_args!(
                        "no driver in /proc/devices has the numbers of the rule {rule}, and this systemd knows names only"
                    );
                    applied.warn("devices", what);
                    return None;
                }
            },
        },
        (Some(major), Some(minor)) => {
            let path = format!("/dev/{kind}/{major}:{minor}");
            // Without a node systemd would warn; the files are written with all rules anyway.
            if matches!(spelling, Spelling::Names(_)) && !std::path::Path::new(&path).exists() {
                return None;
            }
            path
        }
        (None, Some(_)) => {
            applied.warn(
                "devices",
                format_args!("systemd cannot express the rule {rule}"),
            );
            return None;
        }
    };
    Some((specifier, rule.access.to_string()))
}

#[cfg(test)]
mod tests;
