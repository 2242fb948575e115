//! Device nodes and device rules: one kind of object for both.

use devices::defaults::DEFAULTS;
use devices::{Access, Kind, Rule, number_from_i64};

use super::Warning;
use super::reading::{Reading, below, keys, refused};
use super::shapes::{ListOrNames, Names};
use crate::Result;
use crate::config;

keys! {
    /// A device: a node to make, or what a rule is about.
    struct Device {
        kind as "type": Kind, "DEF";
        path: String, "DEF";
        major_number: i64, "DE";
        minor_number: i64, "DE";
        cgroup_permissions: String, "DE";
        major: i64, "F";
        minor: i64, "F";
        permissions: String, "F";
        allow: bool, "F";
        file_mode: u32, "DEF";
        uid: u32, "DEF";
        gid: u32, "DEF";
    }
}

/// The names of device nodes: those the host must have, and others.
pub(super) type NodeList = ListOrNames<Device, Option<Vec<String>>>;

/// The permission bits of a mode. Go has the type of a file in bits of its own.
const PERMISSIONS: u32 = 0o7777;

impl Device {
    /// Major and minor number, each with its place.
    fn numbers(&self, place: &str) -> [(i64, String); 2] {
        let pick = |short: Option<i64>, long: Option<i64>, key: &str| match (short, long) {
            (None, Some(number)) => (number, below(place, &format!("{key}_number"))),
            (number, _) => (number.unwrap_or_default(), below(place, key)),
        };
        [
            pick(self.major, self.major_number, "major"),
            pick(self.minor, self.minor_number, "minor"),
        ]
    }

    fn access(&self, place: &str) -> Result<Access> {
        let (text, key) = match (&self.permissions, &self.cgroup_permissions) {
            (None, Some(text)) => (text.as_str(), "cgroup_permissions"),
            (text, _) => (text.as_deref().unwrap_or_default(), "permissions"),
        };
        text.parse()
            .map_err(|error| refused(below(place, key), error))
    }

    fn kind(&self, place: &str) -> Result<Kind> {
        self.kind
            .ok_or_else(|| refused(below(place, "type"), "the type of a device is missing"))
    }

    fn node(&self, place: &str) -> Result<config::Device> {
        let kind = self.kind(place)?;
        if !kind.can_mknod() {
            let message = format!("a device node cannot have the type {:?}", kind.letter());
            return Err(refused(below(place, "type"), message));
        }
        let path = self.path.clone().unwrap_or_default();
        if !path.starts_with('/') {
            let message = format!("{path:?} is not an absolute path");
            return Err(refused(below(place, "path"), message));
        }
        let [(major, _), (minor, _)] = self.numbers(place);
        Ok(config::Device {
            kind,
            major,
            minor,
            access: self.access(place)?,
            allow: false,
            path,
            file_mode: self.file_mode.unwrap_or_default() & PERMISSIONS,
            uid: self.uid.unwrap_or_default(),
            gid: self.gid.unwrap_or_default(),
        })
    }

    fn rule(&self, allow: bool, place: &str) -> Result<Rule> {
        let number = |(number, place): (i64, String)| {
            number_from_i64(number).map_err(|error| refused(place, error))
        };
        let kind = self.kind(place)?;
        if !kind.can_cgroup() {
            let message = format!("no rule is about devices of type {:?}", kind.letter());
            return Err(refused(below(place, "type"), message));
        }
        let [major, minor] = self.numbers(place);
        Ok(Rule {
            kind,
            major: number(major)?,
            minor: number(minor)?,
            access: self.access(place)?,
            allow,
        })
    }
}

/// The rules of a list. A verdict of an element itself counts where it can have one.
pub(super) fn rules(
    list: Vec<Device>,
    verdict: Option<bool>,
    place: &str,
    reading: &mut Reading<'_>,
) -> Result<Vec<Rule>> {
    let mut rules = Vec::with_capacity(list.len());
    for (index, mut device) in list.into_iter().enumerate() {
        let place = format!("{place}[{index}]");
        device.only_known(&place, reading);
        let allow = verdict.unwrap_or_else(|| device.allow.unwrap_or_default());
        rules.push(device.rule(allow, &place)?);
    }
    Ok(rules)
}

/// The nodes of a list of devices.
pub(super) fn nodes(
    list: Vec<Device>,
    place: &str,
    reading: &mut Reading<'_>,
) -> Result<Vec<config::Device>> {
    let mut nodes = Vec::with_capacity(list.len());
    for (index, mut device) in list.into_iter().enumerate() {
        let place = format!("{place}[{index}]");
        device.only_known(&place, reading);
        nodes.push(device.node(&place)?);
    }
    Ok(nodes)
}

/// The nodes of `device_nodes` in the forms of May 2014: a list of devices, or lists of names
/// under `required` and `additional`.
pub(super) fn node_list(
    list: NodeList,
    place: &str,
    reading: &mut Reading<'_>,
) -> Result<Vec<config::Device>> {
    match list {
        ListOrNames::List(list) => nodes(list, place, reading),
        ListOrNames::Names(mut names) => {
            let mut take = |key: &str| names.take(key).flatten().unwrap_or_default();
            let required = take("required");
            let additional = take("additional");
            unknown(names, place, reading);
            let mut nodes = named(required, true, &below(place, "required"), reading)?;
            let place = below(place, "additional");
            nodes.extend(named(additional, false, &place, reading)?);
            Ok(nodes)
        }
    }
}

fn unknown(names: Names<Option<Vec<String>>>, place: &str, reading: &mut Reading<'_>) {
    for key in names.0.into_keys() {
        reading.unknown_key(place, &key);
    }
}

/// Nodes of `/dev` by name. They were copied from the host, which had the numbers; only those
/// of the default nodes and of FUSE are the same everywhere.
pub(super) fn named(
    names: Vec<String>,
    required: bool,
    place: &str,
    reading: &mut Reading<'_>,
) -> Result<Vec<config::Device>> {
    let mut nodes = Vec::with_capacity(names.len());
    for (index, name) in names.into_iter().enumerate() {
        let place = format!("{place}[{index}]");
        let path = format!("/dev/{name}");
        let node = default_nodes()
            .chain([fuse()])
            .find(|node| node.path == path);
        match node {
            Some(node) => nodes.push(node),
            None if required => {
                let message = format!("the numbers of device {name:?} are not known");
                return Err(refused(place, message));
            }
            None => reading
                .warnings
                .push(Warning::UnknownDevice { place, name }),
        }
    }
    Ok(nodes)
}

/// The nodes that every container had.
pub(super) fn default_nodes() -> impl Iterator<Item = config::Device> {
    DEFAULTS.iter().filter_map(|default| {
        let path = default.node?;
        Some(character(
            path,
            default.rule.major?.into(),
            default.rule.minor?.into(),
        ))
    })
}

fn fuse() -> config::Device {
    character("/dev/fuse", 10, 229)
}

fn character(path: &str, major: i64, minor: i64) -> config::Device {
    config::Device {
        kind: Kind::Char,
        major,
        minor,
        access: Access::ALL,
        allow: false,
        path: path.to_owned(),
        file_mode: 0o666,
        uid: 0,
        gid: 0,
    }
}

/// The rules of a container that was not given all devices, until lists of them were in the file:
/// today's defaults and the consoles.
pub(super) fn default_rules() -> Vec<Rule> {
    let console = |major, minor| Rule::allow(Kind::Char, Some(major), Some(minor), Access::ALL);
    let consoles = [console(5, 1), console(4, 0), console(4, 1)];
    let mut rules = vec![Rule::everything(false)];
    rules.extend(devices::defaults::rules().chain(consoles));
    rules
}
