//! Limits as properties of a unit (systemd.resource-control(5), org.freedesktop.systemd1(5)).
//!
//! systemd writes its properties to the cgroup again whenever it likes, so whatever it has a
//! property for must be told to it. The files are written afterwards with the same values.

use devices::{Emulator, Kind, Rule};
use zbus::Variant;

use crate::{
    Applied, Error, ErrorKind, Resources, Result,
    conversion::{cpu_weight, swap_max},
};

/// Name and value.
pub(super) type Property = (String, Variant<'static>);

/// What systemd calls "infinity".
const UNLIMITED: u64 = u64::MAX;

/// The period of a quota that comes without one, in µs.
const DEFAULT_PERIOD: u64 = 100_000;

/// systemd keeps the quota as percent: in steps of this many µs per second.
const PERCENT: u64 = 10_000;

pub(super) fn property(name: &str, value: impl Into<Variant<'static>>) -> Property {
    (name.to_owned(), value.into())
}

/// A limit with -1 for unlimited; 0 is "not set".
fn limit(value: Option<i64>) -> Option<u64> {
    value
        .filter(|value| *value != 0)
        .map(|value| u64::try_from(value).unwrap_or(UNLIMITED))
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
    let mut properties = devices(resources, applied)?;
    for (name, value) in [
        ("MemoryMax", limit(resources.memory)),
        ("MemoryLow", limit(resources.memory_reservation)),
        (
            "MemorySwapMax",
            limit(swap_max(resources.memory_swap, resources.memory)?),
        ),
    ] {
        if let Some(value) = value {
            properties.push(property(name, value));
        }
    }
    let idle = resources.cpu_idle == Some(1) && version >= 252;
    let weight = resources
        .cpu_weight
        .or_else(|| resources.cpu_shares.map(cpu_weight));
    match weight {
        _ if idle => {
            // The value for "idle"; no weight can be set beside it.
            properties.push(property("CPUWeight", 0_u64));
            if weight.is_some() {
                applied.warn("cpu_shares", "an idle cgroup has no CPU weight");
                (resources.cpu_weight, resources.cpu_shares) = (None, None);
            }
        }
        Some(weight) => properties.push(property("CPUWeight", weight)),
        None => {}
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
    properties.extend(devices(resources, applied)?);
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
            "cpu.idle" => {
                if number() == Some(1) && version >= 252 {
                    properties.push(property("CPUWeight", 0_u64));
                }
                continue;
            }
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
fn devices(resources: &Resources, applied: &mut Applied) -> Result<Vec<Property>> {
    if resources.skip_devices || resources.devices.is_empty() {
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
    let entries = state
        .exceptions()
        .filter_map(|rule| device_entry(&rule, applied))
        .collect();
    properties.push(list(entries));
    Ok(properties)
}

/// A rule as `DeviceAllow=` spells it (systemd 240).
fn device_entry(rule: &Rule, applied: &mut Applied) -> Option<(String, String)> {
    let kind = if rule.kind == Kind::Block {
        "block"
    } else {
        "char"
    };
    let specifier = match (rule.major, rule.minor) {
        (None, None) => format!("{kind}-*"),
        (Some(major), None) => format!("{kind}-{major}"),
        (Some(major), Some(minor)) => format!("/dev/{kind}/{major}:{minor}"),
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
mod tests {
    use std::collections::BTreeMap;

    use devices::Access;
    use proptest::prelude::*;

    use super::*;

    fn text(properties: &[Property]) -> Vec<String> {
        let one = |(name, value): &Property| format!("{name}={value}");
        properties.iter().map(one).collect()
    }

    fn v2_text(mut resources: Resources) -> Vec<String> {
        let mut applied = Applied::default();
        let properties = v2(&mut resources, 257, &mut applied).unwrap();
        assert_eq!(applied.warnings, []);
        text(&properties)
    }

    #[test]
    fn limits_on_v2() {
        let resources = Resources {
            memory: Some(100),
            memory_reservation: Some(-1),
            memory_swap: Some(150),
            cpu_shares: Some(1024),
            pids_limit: Some(0),
            cpuset_cpus: Some("0,9".into()),
            ..Resources::default()
        };
        assert_eq!(
            v2_text(resources),
            [
                "MemoryMax=uint64 100",
                "MemoryLow=uint64 18446744073709551615",
                "MemorySwapMax=uint64 50",
                "CPUWeight=uint64 100",
                "TasksMax=uint64 1",
                "AllowedCPUs=[byte 0x01, 0x02]",
            ]
        );
        assert!(v2_text(Resources::default()).is_empty());
    }

    #[test]
    fn limits_on_v1() {
        let mut resources = Resources {
            memory: Some(-1),
            cpu_shares: Some(512),
            blkio_weight: Some(300),
            pids_limit: Some(-1),
            ..Resources::default()
        };
        let properties = v1(&mut resources, 247, &mut Applied::default()).unwrap();
        assert_eq!(
            text(&properties),
            [
                "MemoryLimit=uint64 18446744073709551615",
                "CPUShares=uint64 512",
                "BlockIOWeight=uint64 300",
                "TasksMax=uint64 18446744073709551615",
            ]
        );
    }

    #[test]
    fn quotas_are_rounded_and_the_file_follows() {
        for (quota, period, per_second, rounded) in [
            (Some(2000), Some(10_000), Some(200_000), Some(2000)),
            (Some(2000), None, Some(20_000), Some(2000)),
            (Some(1), Some(100_000), Some(10_000), Some(1000)),
            (Some(33_333), Some(100_000), Some(340_000), Some(34_000)),
            (Some(-1), Some(5000), Some(UNLIMITED), Some(-1)),
            (None, Some(5000), Some(UNLIMITED), None),
            (None, None, None, None),
        ] {
            let mut properties = Vec::new();
            let mut written = quota;
            cpu_quota(&mut properties, &mut written, period, 257);
            assert_eq!(written, rounded, "{quota:?} {period:?}");
            let found = properties
                .iter()
                .find(|(name, _)| name == "CPUQuotaPerSecUSec")
                .map(|(_, value)| value.try_clone().unwrap());
            assert_eq!(found, per_second.map(Variant::from));
            let has_period = properties
                .iter()
                .any(|(name, _)| name == "CPUQuotaPeriodUSec");
            assert_eq!(has_period, period.is_some());
        }
    }

    #[test]
    fn old_systemd_is_not_told_what_it_does_not_know() {
        let mut resources = Resources {
            cpu_period: Some(5000),
            cpuset_cpus: Some("0".into()),
            cpu_idle: Some(1),
            ..Resources::default()
        };
        let properties = v2(&mut resources, 241, &mut Applied::default()).unwrap();
        assert_eq!(
            text(&properties),
            ["CPUQuotaPerSecUSec=uint64 18446744073709551615"]
        );
    }

    #[test]
    fn idle_has_no_weight() {
        let mut resources = Resources {
            cpu_idle: Some(1),
            cpu_shares: Some(500),
            ..Resources::default()
        };
        let mut applied = Applied::default();
        let properties = v2(&mut resources, 252, &mut applied).unwrap();
        assert_eq!(text(&properties), ["CPUWeight=uint64 0"]);
        assert_eq!(resources.cpu_shares, None);
        assert_eq!(applied.warnings.len(), 1);
    }

    #[test]
    fn files_of_v2() {
        let one = |key: &str, value: &str| Resources {
            unified: BTreeMap::from([(key.to_owned(), value.to_owned())]),
            ..Resources::default()
        };
        for (key, value, expected) in [
            ("cpu.idle", "1", &["CPUWeight=uint64 0"][..]),
            ("cpu.idle", "0", &[]),
            (
                "cpu.max",
                "max",
                &[
                    "CPUQuotaPeriodUSec=uint64 100000",
                    "CPUQuotaPerSecUSec=uint64 18446744073709551615",
                ],
            ),
            (
                "cpu.max",
                "1000 5000",
                &[
                    "CPUQuotaPeriodUSec=uint64 5000",
                    "CPUQuotaPerSecUSec=uint64 200000",
                ],
            ),
            ("cpu.weight", "1000", &["CPUWeight=uint64 1000"]),
            ("cpuset.cpus", "0-2", &["AllowedCPUs=[byte 0x07]"]),
            ("cpuset.mems", "3", &["AllowedMemoryNodes=[byte 0x08]"]),
            ("memory.high", "5", &["MemoryHigh=uint64 5"]),
            ("memory.min", "5", &["MemoryMin=uint64 5"]),
            (
                "memory.swap.max",
                "max",
                &["MemorySwapMax=uint64 18446744073709551615"],
            ),
            ("pids.max", "0", &["TasksMax=uint64 1"]),
            ("memory.oom.group", "1", &[]),
        ] {
            assert_eq!(v2_text(one(key, value)), expected, "{key} {value}");
        }
        for (key, value) in [
            ("cpu.max", "x"),
            ("cpu.max", ""),
            ("cpu.max", "1 2 3"),
            ("memory.max", "1k"),
            ("cpuset.cpus", "3-1"),
            ("nodot", "1"),
            ("a/b.c", "1"),
        ] {
            let mut resources = one(key, value);
            let error = v2(&mut resources, 257, &mut Applied::default()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{key} {value}");
        }
    }

    #[test]
    fn ranges() {
        for (list, expected) in [
            ("4", &[0b1_0000][..]),
            ("0,1,2,3", &[0b1111]),
            ("0-3, 8 - 9,", &[0b1111, 0b11]),
            ("16", &[0, 0, 1]),
        ] {
            assert_eq!(bits(list).unwrap(), expected, "{list}");
        }
        for (list, why) in [
            ("", "empty value"),
            (",", "empty value"),
            ("3-1", "invalid range"),
            ("a", "not a number"),
            ("1-", "not a number"),
            ("99999999999", "number too high"),
        ] {
            assert_eq!(bits(list).unwrap_err(), why, "{list}");
        }
    }

    fn device_text(rules: Vec<Rule>) -> (Vec<String>, usize) {
        let resources = Resources {
            devices: rules,
            ..Resources::default()
        };
        let mut applied = Applied::default();
        let properties = devices(&resources, &mut applied).unwrap();
        (text(&properties), applied.warnings.len())
    }

    #[test]
    fn device_rules() {
        let (properties, warnings) = device_text(vec![
            Rule::everything(false),
            Rule::allow(Kind::Char, None, None, Access::MKNOD),
            Rule::allow(Kind::Block, Some(8), None, Access::READ),
            Rule::allow(Kind::Char, Some(1), Some(3), Access::ALL),
        ]);
        assert_eq!(
            properties,
            [
                "DeviceAllow=@a(ss) []",
                "DevicePolicy=\"strict\"",
                "DeviceAllow=[(\"block-8\", \"r\"), (\"char-*\", \"m\"), (\"/dev/char/1:3\", \"rwm\")]",
            ]
        );
        assert_eq!(warnings, 0);
        let (properties, _) = device_text(vec![Rule::everything(true)]);
        assert_eq!(
            properties,
            ["DeviceAllow=@a(ss) []", "DevicePolicy=\"auto\""]
        );
        let deny = Rule::deny(Kind::Char, Some(1), Some(3), Access::ALL);
        let (properties, warnings) = device_text(vec![Rule::everything(true), deny]);
        assert_eq!((properties.len(), warnings), (2, 1));
        let odd = Rule::allow(Kind::Char, None, Some(3), Access::ALL);
        let (properties, warnings) = device_text(vec![odd]);
        assert_eq!((properties.len(), warnings), (3, 1));
        assert!(device_text(Vec::new()).0.is_empty());
    }

    proptest! {
        #[test]
        fn rounding_never_lowers_a_quota(quota in 1_i64..10_000_000, period in 1_000_u64..1_000_000) {
            let mut properties = Vec::new();
            let mut written = Some(quota);
            cpu_quota(&mut properties, &mut written, Some(period), 257);
            let written = written.unwrap();
            let percent = i64::try_from(period).unwrap() / 100 + 1;
            prop_assert!(written + 1 >= quota && written <= quota + percent);
        }

        #[test]
        fn any_list_is_read_or_refused(list in "[0-9,-]{0,12}") {
            if let Ok(bits) = bits(&list) {
                prop_assert!(bits.iter().any(|byte| *byte != 0));
            }
        }
    }
}
