//! The forms that the file has had, and what distinguishes them.

use std::fmt;

use serde_json::{Map, Value};

use crate::json::same_but_for_case;

/// One of the forms that the file has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Revision {
    /// 18 February to 17 March 2014: `capabilities` are those to drop; at first one `network`
    /// object and the command itself.
    Zero,
    /// 17 March to the beginning of April 2014: `namespaces` and `capabilities_mask` are lists of
    /// names.
    A,
    /// April to 5 May 2014: both are lists of objects `{key, enabled, value}`.
    B,
    /// 5 to 17 May 2014: both are objects of names and booleans.
    C,
    /// 17 May to 23 June 2014 (1.0): `capabilities` are those to keep; `routes`, `device_nodes`.
    D,
    /// 24 June 2014 to January 2015 (1.1 to 1.4): `mount_config` in place of `context`.
    E,
    /// From February 2015 on: `namespaces` is a list of objects `{type, path}`. The form that
    /// [`Config`](crate::Config) still has.
    F,
}

impl Revision {
    /// Every revision, from the oldest one on.
    pub const ALL: [Self; 7] = [
        Self::Zero,
        Self::A,
        Self::B,
        Self::C,
        Self::D,
        Self::E,
        Self::F,
    ];

    /// Its letter; `0` for the one before A.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Zero => '0',
            Self::A => 'A',
            Self::B => 'B',
            Self::C => 'C',
            Self::D => 'D',
            Self::E => 'E',
            Self::F => 'F',
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.letter())
    }
}

/// Keys that only the first files have.
const FIRST: [&str; 9] = [
    "command",
    "namespace_pid",
    "network_namespace_fd",
    "network",
    "cgroup_name",
    "cgroup_parent",
    "device_access",
    "memory",
    "cpu_shares",
];

/// Keys that files with `mount_config` have beside it.
const FLATTENED: [&str; 6] = [
    "restrict_sys",
    "root_fs",
    "ipc",
    "apparmor_profile",
    "process_label",
    "rlimits",
];

/// Tells the revision of a file, and whether it is a guess.
pub(super) fn detect(file: &Map<String, Value>) -> (Revision, bool) {
    let has = |key| get(file, key).is_some();
    let first = FIRST.into_iter().any(has);
    let flattened = has("mount_config")
        || FLATTENED.into_iter().any(has)
        || any_network_has(file, &["bridge", "veth_prefix", "ns_path"]);
    let certain = match get(file, "namespaces").map(shape) {
        Some(Shape::Map) if has("mount_config") => Some(Revision::E),
        Some(Shape::Map) if has("capabilities_mask") => Some(Revision::C),
        Some(Shape::Map) if flattened => Some(Revision::E),
        Some(Shape::Map) => Some(Revision::D),
        Some(Shape::Names) if first || has("capabilities") => Some(Revision::Zero),
        Some(Shape::Names) => Some(Revision::A),
        Some(Shape::Entries) => Some(Revision::B),
        Some(Shape::Types) => Some(Revision::F),
        Some(Shape::Empty) | None => None,
    };
    if let Some(revision) = certain {
        return (revision, false);
    }
    if first {
        return (Revision::Zero, false);
    }
    // Today's configuration is written with an empty list when it has no namespace.
    if has("rootfs") || has("readonlyfs") {
        return (Revision::F, false);
    }
    match get(file, "capabilities_mask").map(shape) {
        Some(Shape::Names) => return (Revision::A, false),
        Some(Shape::Entries | Shape::Types) => return (Revision::B, false),
        Some(Shape::Map) => return (Revision::C, false),
        Some(Shape::Empty) | None => {}
    }
    if has("mount_config") {
        return (Revision::E, false);
    }
    // Without `capabilities` a container of D or E has none: the safe one of the readings.
    (if flattened { Revision::E } else { Revision::D }, true)
}

/// The value of a key in any case; `null` is an absent key.
fn get<'a>(file: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    file.iter()
        .find(|(name, value)| !value.is_null() && same_but_for_case(name, key))
        .map(|(_, value)| value)
}

fn any_network_has(file: &Map<String, Value>, keys: &[&str]) -> bool {
    get(file, "networks")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .any(|network| keys.iter().any(|key| get(network, key).is_some()))
}

/// The shapes of lists of names.
enum Shape {
    /// An object.
    Map,
    /// Names as they are.
    Names,
    /// Objects with a `key`.
    Entries,
    /// Objects with a `type`.
    Types,
    /// Anything else: a list that says nothing, or a value that is refused later.
    Empty,
}

fn shape(value: &Value) -> Shape {
    let first = match value {
        Value::Object(_) => return Shape::Map,
        Value::Array(list) => list.first(),
        _ => None,
    };
    match first {
        Some(Value::String(_)) => Shape::Names,
        Some(Value::Object(entry)) if get(entry, "type").is_some() => Shape::Types,
        Some(Value::Object(_)) => Shape::Entries,
        _ => Shape::Empty,
    }
}
