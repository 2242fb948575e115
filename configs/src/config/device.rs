//! Device nodes.

use devices::defaults::DEFAULTS;
use devices::{Access, Kind};
use serde::{Deserialize, Serialize};

use crate::nullable::{is_default, or_default};

/// A device node to make in the container, as it is configured: the numbers are checked when it is
/// made. `devices::Device` is one that exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Kind of the node; never [`Kind::All`].
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Major number.
    #[serde(default, deserialize_with = "or_default")]
    pub major: i64,
    /// Minor number.
    #[serde(default, deserialize_with = "or_default")]
    pub minor: i64,
    /// Unused for nodes; kept because the stored object has the key.
    #[serde(rename = "permissions", default, deserialize_with = "or_default")]
    pub access: Access,
    /// Unused for nodes; kept because the stored object has the key.
    #[serde(default, deserialize_with = "or_default")]
    pub allow: bool,
    /// Absolute path inside the container.
    #[serde(default, deserialize_with = "or_default")]
    pub path: String,
    /// Permission bits without the file type.
    #[serde(default, deserialize_with = "or_default")]
    pub file_mode: u32,
    /// Owner on the host.
    #[serde(
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "is_default"
    )]
    pub uid: u32,
    /// Group on the host.
    #[serde(
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "is_default"
    )]
    pub gid: u32,
}

impl Device {
    /// The nodes that every container of a bundle gets, `/dev/null` and the like
    /// ([`devices::defaults`]): for a configuration that is not made of a bundle.
    pub fn defaults() -> impl Iterator<Item = Self> {
        DEFAULTS.iter().filter_map(|default| {
            Some(Self {
                kind: default.rule.kind,
                major: default.rule.major.map_or(-1, i64::from),
                minor: default.rule.minor.map_or(-1, i64::from),
                access: default.rule.access,
                allow: default.rule.allow,
                path: default.node?.to_owned(),
                file_mode: 0o666,
                uid: 0,
                gid: 0,
            })
        })
    }
}
