//! Device nodes and device cgroup rules.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::int_enum::int_enum;
use crate::nullable::{is_default, or_default};

int_enum! {
    /// Kind of a device; the integer is the letter's code point.
    pub enum DeviceType: u32 {
        /// Every device (rules only).
        All = 97 => "a",
        /// Block device.
        Block = 98 => "b",
        /// Character device.
        Char = 99 => "c",
        /// FIFO (nodes only).
        Fifo = 112 => "p",
    }
}

/// Access rights of a device rule: any of read, write and mknod.
///
/// As text always in the order `rwm`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DeviceAccess {
    /// Open for reading.
    pub read: bool,
    /// Open for writing.
    pub write: bool,
    /// Make a node.
    pub mknod: bool,
}

impl DeviceAccess {
    /// Read, write and mknod.
    pub const ALL: Self = Self {
        read: true,
        write: true,
        mknod: true,
    };
    /// Mknod alone.
    pub const MKNOD: Self = Self {
        read: false,
        write: false,
        mknod: true,
    };

    /// True when nothing is granted.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        !self.read && !self.write && !self.mknod
    }

    /// Reads letters in any order; what is not one of `rwm` is skipped, and reported by
    /// the second value.
    #[must_use]
    pub fn parse_lossy(text: &str) -> (Self, bool) {
        let mut access = Self::default();
        let mut unknown = false;
        for letter in text.chars() {
            match letter {
                'r' => access.read = true,
                'w' => access.write = true,
                'm' => access.mknod = true,
                _ => unknown = true,
            }
        }
        (access, unknown)
    }
}

impl FromStr for DeviceAccess {
    type Err = InvalidDeviceAccess;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match Self::parse_lossy(text) {
            (access, false) => Ok(access),
            (_, true) => Err(InvalidDeviceAccess),
        }
    }
}

/// A letter other than `r`, `w` and `m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("device access may only consist of r, w and m")]
pub struct InvalidDeviceAccess;

impl fmt::Display for DeviceAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (granted, letter) in [(self.read, "r"), (self.write, "w"), (self.mknod, "m")] {
            if granted {
                f.write_str(letter)?;
            }
        }
        Ok(())
    }
}

impl Serialize for DeviceAccess {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeviceAccess {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// One device cgroup rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRule {
    /// Kind of the devices.
    #[serde(rename = "type")]
    pub kind: DeviceType,
    /// Major number; `None` is every one (-1 in JSON).
    #[serde(with = "wildcard")]
    pub major: Option<u32>,
    /// Minor number; `None` is every one (-1 in JSON).
    #[serde(with = "wildcard")]
    pub minor: Option<u32>,
    /// Rights the rule is about (JSON key `permissions`).
    #[serde(rename = "permissions", default, deserialize_with = "or_default")]
    pub access: DeviceAccess,
    /// Grant or take away.
    #[serde(default, deserialize_with = "or_default")]
    pub allow: bool,
}

/// A device node to make in the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Kind of the node; never [`DeviceType::All`].
    #[serde(rename = "type")]
    pub kind: DeviceType,
    /// Major number.
    #[serde(default, deserialize_with = "or_default")]
    pub major: i64,
    /// Minor number.
    #[serde(default, deserialize_with = "or_default")]
    pub minor: i64,
    /// Unused for nodes; kept because the stored object has the key.
    #[serde(rename = "permissions", default, deserialize_with = "or_default")]
    pub access: DeviceAccess,
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

mod wildcard {
    //! A device number where -1 means every one.

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[allow(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes a reference"
    )]
    pub(super) fn serialize<S: Serializer>(
        number: &Option<u32>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        number.map_or(-1, i64::from).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<u32>, D::Error> {
        match i64::deserialize(deserializer)? {
            -1 => Ok(None),
            number => u32::try_from(number)
                .map(Some)
                .map_err(|_| D::Error::custom(format_args!("{number} is no device number"))),
        }
    }
}
