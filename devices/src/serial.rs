//! The JSON of libcontainer: rules and devices as `state.json` carries them.
//!
//! The type is the number of its letter (99 is `c`), -1 is the wildcard, permissions are text. A
//! device repeats the fields of a rule; those have no meaning for a node and are written empty.

use std::fmt;
use std::path::PathBuf;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Access, Device, Kind, Rule, number_from_i64};

impl Serialize for Access {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Access {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(u32::from(self.letter()))
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Letter)
    }
}

/// Reads a letter, as a number or as itself (the OCI configuration).
struct Letter;

impl Visitor<'_> for Letter {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the type of a device")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Kind, E> {
        let letter = u32::try_from(number).ok().and_then(char::from_u32);
        let letter =
            letter.ok_or_else(|| E::custom(format_args!("invalid device type {number}")))?;
        Kind::from_letter(letter).map_err(E::custom)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Kind, E> {
        text.parse().map_err(E::custom)
    }
}

/// A field that may be `null`, as Go writes what is not set.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn wildcard() -> i64 {
    -1
}

#[derive(Serialize, Deserialize)]
struct RuleFields {
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(default = "wildcard")]
    major: i64,
    #[serde(default = "wildcard")]
    minor: i64,
    #[serde(default, deserialize_with = "or_default")]
    permissions: Access,
    #[serde(default, deserialize_with = "or_default")]
    allow: bool,
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RuleFields {
            kind: self.kind,
            major: self.major.map_or(-1, i64::from),
            minor: self.minor.map_or(-1, i64::from),
            permissions: self.access,
            allow: self.allow,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = RuleFields::deserialize(deserializer)?;
        Ok(Self {
            kind: fields.kind,
            major: number_from_i64(fields.major).map_err(D::Error::custom)?,
            minor: number_from_i64(fields.minor).map_err(D::Error::custom)?,
            access: fields.permissions,
            allow: fields.allow,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct DeviceFields {
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(default, deserialize_with = "or_default")]
    major: i64,
    #[serde(default, deserialize_with = "or_default")]
    minor: i64,
    #[serde(default, deserialize_with = "or_default")]
    permissions: Access,
    #[serde(default, deserialize_with = "or_default")]
    allow: bool,
    path: PathBuf,
    #[serde(default, deserialize_with = "or_default")]
    file_mode: u32,
    #[serde(default, deserialize_with = "or_default")]
    uid: u32,
    #[serde(default, deserialize_with = "or_default")]
    gid: u32,
}

impl Serialize for Device {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        DeviceFields {
            kind: self.kind,
            major: i64::from(self.major),
            minor: i64::from(self.minor),
            permissions: Access::NONE,
            allow: false,
            path: self.path.clone(),
            file_mode: self.mode,
            uid: self.uid,
            gid: self.gid,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Device {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = DeviceFields::deserialize(deserializer)?;
        let number = |number| match number_from_i64(number) {
            Ok(Some(number)) => Ok(number),
            Ok(None) => Err(D::Error::custom("cannot mkdev() device with wildcards")),
            Err(error) => Err(D::Error::custom(error)),
        };
        Ok(Self {
            kind: fields.kind,
            major: number(fields.major)?,
            minor: number(fields.minor)?,
            path: fields.path,
            mode: fields.file_mode & 0o7777,
            uid: fields.uid,
            gid: fields.gid,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rule_json_is_libcontainers() {
        let rule = Rule::allow(Kind::Char, Some(136), None, Access::ALL);
        let value = json!({
            "type": 99, "major": 136, "minor": -1, "permissions": "rwm", "allow": true
        });
        assert_eq!(serde_json::to_value(rule).unwrap(), value);
        assert_eq!(serde_json::from_value::<Rule>(value).unwrap(), rule);
    }

    #[test]
    fn type_may_be_a_letter() {
        let rule: Rule = serde_json::from_value(json!({"type": "b", "permissions": "r"})).unwrap();
        assert_eq!(rule, Rule::deny(Kind::Block, None, None, Access::READ));
    }

    #[test]
    fn null_is_what_go_writes_for_nothing() {
        let null = json!({"type": 98, "permissions": null, "allow": null});
        let rule: Rule = serde_json::from_value(null).unwrap();
        assert_eq!(rule, Rule::deny(Kind::Block, None, None, Access::NONE));
    }

    #[test]
    fn device_json_is_libcontainers() {
        let device = crate::defaults::nodes().next().unwrap();
        let value = json!({
            "type": 99, "major": 1, "minor": 3, "permissions": "", "allow": false,
            "path": "/dev/null", "file_mode": 438, "uid": 0, "gid": 0
        });
        assert_eq!(serde_json::to_value(&device).unwrap(), value);
        assert_eq!(serde_json::from_value::<Device>(value).unwrap(), device);
    }

    #[test]
    fn wrong_values_are_refused() {
        for wrong in [
            json!({"type": 120}),
            json!({"type": "cc"}),
            json!({"type": 4_294_967_395_u64}),
            json!({"type": -99}),
            json!({"type": 99, "major": -2}),
            json!({"type": 99, "minor": 4_294_967_295_u32}),
            json!({"type": 99, "permissions": "rx"}),
        ] {
            assert!(
                serde_json::from_value::<Rule>(wrong.clone()).is_err(),
                "{wrong}"
            );
        }
        let wildcard = json!({"type": 99, "major": -1, "minor": 0, "path": "/dev/x"});
        let error = serde_json::from_value::<Device>(wildcard).unwrap_err();
        assert!(error.to_string().contains("with wildcards"), "{error}");
    }
}
