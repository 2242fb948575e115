//! Device nodes and device rules, with the defaults every container gets.

use crate::config::{Device, DeviceAccess, DeviceRule, DeviceType};
use crate::{Error, Result, Warning, oci};

/// A rule of the default allow list, and the node that comes with it.
struct DefaultDevice {
    kind: DeviceType,
    major: Option<u32>,
    minor: Option<u32>,
    access: DeviceAccess,
    node: Option<&'static str>,
}

impl DefaultDevice {
    const fn char(major: u32, minor: u32, node: Option<&'static str>) -> Self {
        Self {
            kind: DeviceType::Char,
            major: Some(major),
            minor: Some(minor),
            access: DeviceAccess::ALL,
            node,
        }
    }

    const fn mknod(kind: DeviceType) -> Self {
        Self {
            kind,
            major: None,
            minor: None,
            access: DeviceAccess::MKNOD,
            node: None,
        }
    }
}

/// Appended to the rules of every container, in this order; a bundle cannot switch it off.
const DEFAULTS: [DefaultDevice; 11] = [
    DefaultDevice::mknod(DeviceType::Char),
    DefaultDevice::mknod(DeviceType::Block),
    DefaultDevice::char(1, 3, Some("/dev/null")),
    DefaultDevice::char(1, 8, Some("/dev/random")),
    DefaultDevice::char(1, 7, Some("/dev/full")),
    DefaultDevice::char(5, 0, Some("/dev/tty")),
    DefaultDevice::char(1, 5, Some("/dev/zero")),
    DefaultDevice::char(1, 9, Some("/dev/urandom")),
    // Pseudo terminals, their multiplexer, tun.
    DefaultDevice {
        kind: DeviceType::Char,
        major: Some(136),
        minor: None,
        access: DeviceAccess::ALL,
        node: None,
    },
    DefaultDevice::char(5, 2, None),
    DefaultDevice::char(10, 200, None),
];

/// Bits of a file mode that are its type (`S_IFMT`).
const FILE_TYPE: u32 = 0o170_000;

/// The nodes and the default rules of a container. A device of the bundle takes the place of the
/// default with the same path: both the default node and its rule go.
pub(super) fn nodes_and_default_rules(
    devices: &[oci::Device],
) -> Result<(Vec<Device>, Vec<DeviceRule>)> {
    let kept = || {
        DEFAULTS.iter().filter(|it| {
            it.node
                .is_none_or(|path| devices.iter().all(|d| d.path != path))
        })
    };
    let rules = kept()
        .map(|it| DeviceRule {
            kind: it.kind,
            major: it.major,
            minor: it.minor,
            access: it.access,
            allow: true,
        })
        .collect();
    let mut nodes: Vec<Device> = kept()
        .filter_map(|it| {
            Some(Device {
                kind: it.kind,
                major: it.major.map_or(-1, i64::from),
                minor: it.minor.map_or(-1, i64::from),
                access: it.access,
                allow: true,
                path: it.node?.to_owned(),
                file_mode: 0o666,
                uid: 0,
                gid: 0,
            })
        })
        .collect();
    for device in devices {
        nodes.push(node(device)?);
    }
    Ok((nodes, rules))
}

fn node(device: &oci::Device) -> Result<Device> {
    let kind = match device.kind.as_str() {
        "p" => DeviceType::Fifo,
        "u" | "c" => DeviceType::Char,
        "b" => DeviceType::Block,
        other => return Err(Error::conversion(format!("invalid device type {other:?}"))),
    };
    Ok(Device {
        kind,
        major: device.major,
        minor: device.minor,
        access: DeviceAccess::default(),
        allow: false,
        path: device.path.clone(),
        file_mode: device.file_mode.map_or(0o666, |mode| mode & !FILE_TYPE),
        uid: device.uid.unwrap_or(0),
        gid: device.gid.unwrap_or(0),
    })
}

/// Converts the rules of the bundle. One that has only unknown letters for its access does nothing
/// and is left out.
pub(super) fn rules(
    rules: &[oci::DeviceCgroup],
    warnings: &mut Vec<Warning>,
) -> Result<Vec<DeviceRule>> {
    let mut converted = Vec::with_capacity(rules.len());
    for (index, rule) in rules.iter().enumerate() {
        converted.extend(convert_rule(index, rule, warnings)?);
    }
    Ok(converted)
}

fn convert_rule(
    index: usize,
    rule: &oci::DeviceCgroup,
    warnings: &mut Vec<Warning>,
) -> Result<Option<DeviceRule>> {
    let kind = match rule.kind.as_str() {
        "" | "a" => DeviceType::All,
        "b" => DeviceType::Block,
        "c" => DeviceType::Char,
        other => {
            return Err(Error::conversion(format!(
                "invalid cgroup device type {other:?}"
            )));
        }
    };
    let (access, unknown) = DeviceAccess::parse_lossy(&rule.access);
    // One for all devices would be about everything, whatever its letters are.
    if access.is_empty() && (!unknown || kind == DeviceType::All) {
        return Err(Error::conversion(format!(
            "device access at {index} field cannot be empty"
        )));
    }
    if unknown {
        warnings.push(Warning::DeviceAccess {
            index,
            access: rule.access.clone(),
        });
    }
    let rule = DeviceRule {
        kind,
        major: number(index, rule.major)?,
        minor: number(index, rule.minor)?,
        access,
        allow: rule.allow,
    };
    Ok((!access.is_empty()).then_some(rule))
}

/// A device number of a rule; absent and -1 mean every one.
fn number(index: usize, number: Option<i64>) -> Result<Option<u32>> {
    match number {
        None | Some(-1) => Ok(None),
        Some(number) => u32::try_from(number).map(Some).map_err(|_| {
            Error::conversion(format!(
                "device number {number} at {index} field is out of range"
            ))
        }),
    }
}

#[cfg(test)]
mod tests;
