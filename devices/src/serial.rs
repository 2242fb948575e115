//! The JSON of libcontainer: rules and devices as `state.json` carries them.
//!
//! The type is the number of its letter (99 is `c`), -1 is the wildcard, permissions are text. A
//! device repeats the fields of a rule; those have no meaning for a node and are written empty.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

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
        /// The letter, as a number or as itself (the OCI configuration).
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Letter {
            Number(u32),
            Text(char),
        }
        let letter = match Letter::deserialize(deserializer)? {
            Letter::Text(letter) => letter,
            Letter::Number(number) => char::from_u32(number)
                .ok_or_else(|| D::Error::custom(format_args!("invalid device type {number}")))?,
        };
        Self::from_letter(letter).map_err(D::Error::custom)
    }
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
    #[serde(default)]
    permissions: Access,
    #[serde(default)]
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
    #[serde(default)]
    major: i64,
    #[serde(default)]
    minor: i64,
    #[serde(default)]
    permissions: Access,
    #[serde(default)]
    allow: bool,
    path: PathBuf,
    #[serde(default)]
    file_mode: u32,
    #[serde(default)]
    uid: u32,
    #[serde(default)]
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
