//! Devices: the nodes, and the rules that let them be used.

use devices::{Access, Emulator, Kind, Rule};

use super::Severity::{High, Low};
use super::rules::{DEVICE_HOST, DEVICE_OTHER, DEVICES_ALL};
use super::subject::Subject;
use crate::error::{Error, ErrorKind, Result};

pub(super) fn check(subject: &mut Subject<'_>) -> Result<()> {
    let access = Emulator::from_rules(&subject.resources.devices)
        .map_err(|error| Error::with(ErrorKind::InvalidConfig, "linux.resources.devices", error))?;
    nodes(subject, &access);
    if access.allows_by_default() {
        let detail = if access.allows_everything() {
            "every device can be used"
        } else {
            "every device that no rule denies can be used"
        };
        subject.add(&DEVICES_ALL, High, "linux.resources.devices", detail);
        return Ok(());
    }
    for rule in access.exceptions() {
        if !is_used(rule.access) || is_default(&rule) || is_of_a_node(subject, &rule) {
            continue;
        }
        let opens_host = match rule.kind {
            Kind::Block | Kind::All => true,
            Kind::Char => rule.major.is_none() || is_memory(rule.major, rule.minor),
            Kind::Fifo => false,
        };
        let (found, severity) = if opens_host {
            (&DEVICE_HOST, High)
        } else {
            (&DEVICE_OTHER, Low)
        };
        let field = field_of(subject, &rule);
        subject.add(found, severity, field, format!("{rule} is allowed"));
    }
    Ok(())
}

/// Tells of the nodes that the rules let be used.
fn nodes(subject: &mut Subject<'_>, access: &Emulator) {
    let Some(linux) = subject.linux() else { return };
    for (index, node) in linux.devices.iter().enumerate() {
        let kind = match node.kind.as_str() {
            "b" => Kind::Block,
            "c" | "u" => Kind::Char,
            _ => continue,
        };
        let numbers = (u32::try_from(node.major), u32::try_from(node.minor));
        let (Ok(major), Ok(minor)) = numbers else {
            continue;
        };
        let wanted = Rule::allow(kind, Some(major), Some(minor), Access::ALL);
        if is_default(&wanted) || !lets_use(access, &wanted) {
            continue;
        }
        let opens_host = kind == Kind::Block || is_memory(wanted.major, wanted.minor);
        let (rule, severity) = if opens_host {
            (&DEVICE_HOST, High)
        } else {
            (&DEVICE_OTHER, Low)
        };
        let detail = format!("{} is {} {major}:{minor}", node.path, kind.letter());
        subject.add(rule, severity, format!("linux.devices[{index}]"), detail);
    }
}

/// Whether more than the node is allowed: making one gives nothing to read.
fn is_used(access: Access) -> bool {
    !(access & (Access::READ | Access::WRITE)).is_empty()
}

/// `/dev/mem`, `/dev/kmem` and `/dev/port` (`Documentation/admin-guide/devices.txt`), or all of
/// their kind.
fn is_memory(major: Option<u32>, minor: Option<u32>) -> bool {
    major == Some(1) && matches!(minor, None | Some(1 | 2 | 4))
}

/// Whether every container may use it: the defaults, and the console that engines add.
fn is_default(rule: &Rule) -> bool {
    let same = |known: &Rule| {
        known.kind == rule.kind
            && known.major == rule.major
            && (known.minor == rule.minor || known.minor.is_none())
    };
    let console = Rule::allow(Kind::Char, Some(5), Some(1), Access::ALL);
    devices::defaults::rules()
        .filter(|known| is_used(known.access))
        .chain([console])
        .any(|known| same(&known))
}

/// Whether the rules let a device be read or written.
fn lets_use(access: &Emulator, wanted: &Rule) -> bool {
    let fits = |rule: &Rule| {
        rule.kind == wanted.kind
            && (rule.major.is_none() || rule.major == wanted.major)
            && (rule.minor.is_none() || rule.minor == wanted.minor)
            && is_used(rule.access)
    };
    access.exceptions().any(|rule| fits(&rule)) != access.allows_by_default()
}

/// Whether a rule is about one of the nodes, which were told of.
fn is_of_a_node(subject: &Subject<'_>, rule: &Rule) -> bool {
    let (Some(major), Some(minor), Some(linux)) = (rule.major, rule.minor, subject.linux()) else {
        return false;
    };
    linux
        .devices
        .iter()
        .any(|node| node.major == i64::from(major) && node.minor == i64::from(minor))
}

/// The rule of the configuration that allows this, the last one.
fn field_of(subject: &Subject<'_>, rule: &Rule) -> String {
    let number = |number: Option<u32>| number.map_or(-1, i64::from);
    let resources = subject.linux().and_then(|linux| linux.resources.as_ref());
    let rules = resources.map_or(&[][..], |resources| &resources.devices);
    let index = rules.iter().rposition(|written| {
        written.allow
            && written.kind.starts_with(rule.kind.letter())
            && written.major.unwrap_or(-1) == number(rule.major)
            && written.minor.unwrap_or(-1) == number(rule.minor)
    });
    index.map_or_else(
        || "linux.resources.devices".to_owned(),
        |index| format!("linux.resources.devices[{index}]"),
    )
}
