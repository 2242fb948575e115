//! Device nodes and device rules, with the defaults every container gets.

use devices::defaults::DEFAULTS;
use devices::{Access, Kind, Rule, number_from_i64};

use crate::config::Device;
use crate::{Error, Result, Warning, oci};

/// Bits of a file mode that are its type (`S_IFMT`).
const FILE_TYPE: u32 = 0o170_000;

/// The nodes and the default rules of a container, which a bundle cannot switch off. A device of
/// the bundle takes the place of the default with the same path: both the default node and its rule
/// go.
pub(super) fn nodes_and_default_rules(devices: &[oci::Device]) -> Result<(Vec<Device>, Vec<Rule>)> {
    let configured = |path: &str| devices.iter().any(|device| device.path == path);
    let mut nodes: Vec<Device> = Device::defaults()
        .filter(|node| !configured(&node.path))
        .collect();
    let rules = DEFAULTS
        .iter()
        .filter(|default| !default.node.is_some_and(configured))
        .map(|default| default.rule)
        .collect();
    for device in devices {
        nodes.push(node(device)?);
    }
    Ok((nodes, rules))
}

fn node(device: &oci::Device) -> Result<Device> {
    let kind = match device.kind.as_str() {
        "p" => Kind::Fifo,
        "u" | "c" => Kind::Char,
        "b" => Kind::Block,
        other => return Err(Error::conversion(format!("invalid device type {other:?}"))),
    };
    Ok(Device {
        kind,
        major: device.major,
        minor: device.minor,
        access: Access::NONE,
        allow: false,
        path: device.path.clone(),
        file_mode: device.file_mode.map_or(0o666, |mode| mode & !FILE_TYPE),
        uid: device.uid.unwrap_or(0),
        gid: device.gid.unwrap_or(0),
    })
}

/// Converts the rules of the bundle. One that has only unknown letters for its access does nothing
/// and is left out.
pub(super) fn rules(rules: &[oci::DeviceCgroup], warnings: &mut Vec<Warning>) -> Result<Vec<Rule>> {
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
) -> Result<Option<Rule>> {
    let kind = match rule.kind.as_str() {
        "" | "a" => Kind::All,
        "b" => Kind::Block,
        "c" => Kind::Char,
        other => {
            return Err(Error::conversion(format!(
                "invalid cgroup device type {other:?}"
            )));
        }
    };
    let (access, unknown) = access(&rule.access);
    // One for all devices would be about everything, whatever its letters are.
    if access.is_empty() && (!unknown || kind == Kind::All) {
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
    let rule = Rule {
        kind,
        major: number(index, rule.major)?,
        minor: number(index, rule.minor)?,
        access,
        allow: rule.allow,
    };
    Ok((!access.is_empty()).then_some(rule))
}

/// The letters `r`, `w` and `m` in any order, and whether there are others.
fn access(text: &str) -> (Access, bool) {
    let mut access = Access::NONE;
    let mut unknown = false;
    for letter in text.chars() {
        match letter {
            'r' => access = access | Access::READ,
            'w' => access = access | Access::WRITE,
            'm' => access = access | Access::MKNOD,
            _ => unknown = true,
        }
    }
    (access, unknown)
}

/// A device number of a rule; absent and -1 mean every one.
fn number(index: usize, number: Option<i64>) -> Result<Option<u32>> {
    let number = number.unwrap_or(-1);
    number_from_i64(number).map_err(|_| {
        Error::conversion(format!(
            "device number {number} at {index} field is out of range"
        ))
    })
}

#[cfg(test)]
mod tests;
