//! Annotations that become properties of the systemd unit.

use std::collections::BTreeMap;

use crate::config::SystemdProperty;
use crate::{Error, Result};

/// What such an annotation begins with.
const PREFIX: &str = "org.systemd.property.";

/// Microseconds in a second.
const USEC_PER_SEC: u64 = 1_000_000;

/// The properties that the annotations ask for.
///
/// systemd's D-Bus interface has times in microseconds under names ending in `USec`, while its
/// documentation and unit files have seconds under names ending in `Sec`: the latter are
/// translated.
pub(super) fn properties(annotations: &BTreeMap<String, String>) -> Result<Vec<SystemdProperty>> {
    annotations
        .iter()
        .filter_map(|(key, value)| Some((key, key.strip_prefix(PREFIX)?, value)))
        .map(|(key, name, value)| property(key, name, value))
        .collect()
}

fn property(key: &str, name: &str, value: &str) -> Result<SystemdProperty> {
    check_name(name).map_err(|problem| {
        Error::conversion(format!("annotation {key} name incorrect")).because(problem)
    })?;
    let invalid = |problem: &str| {
        Error::conversion(format!("annotation {key}={value} value parse error")).because(problem)
    };
    if value.trim().is_empty() {
        return Err(invalid("empty value"));
    }
    let Some(stem) = seconds_stem(name) else {
        return Ok(SystemdProperty {
            name: name.to_owned(),
            value: value.to_owned(),
        });
    };
    let microseconds = microseconds(value).ok_or_else(|| invalid("not a number"))?;
    Ok(SystemdProperty {
        name: format!("{stem}USec"),
        value: format!("uint64 {microseconds}"),
    })
}

fn check_name(name: &str) -> Result<(), &'static str> {
    if name.len() < 3 {
        return Err("too short");
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Err("contains non-alphabetic character");
    }
    Ok(())
}

/// The name without `Sec`, if that ends a word of its own: `RuntimeMaxSec`, but not `USec` or `Sec`
/// alone.
fn seconds_stem(name: &str) -> Option<&str> {
    name.strip_suffix("Sec")
        .filter(|stem| stem.ends_with(|last: char| last.is_ascii_lowercase()))
}

/// The microseconds of a GVariant number in seconds: any integer or floating point type, with or
/// without its type name.
fn microseconds(value: &str) -> Option<u64> {
    let number = match value.trim().split_once(char::is_whitespace) {
        None => value.trim(),
        // The types by name, or by their letters in a signature.
        Some((
            "byte" | "int16" | "uint16" | "int32" | "uint32" | "int64" | "uint64" | "double" | "@y"
            | "@n" | "@q" | "@i" | "@u" | "@x" | "@t" | "@d",
            number,
        )) => number.trim(),
        Some(_) => return None,
    };
    let digits = number.strip_prefix("0x").or(number.strip_prefix("0X"));
    if let Some(digits) = digits.filter(|digits| !digits.starts_with('+')) {
        return u64::from_str_radix(digits, 16)
            .ok()?
            .checked_mul(USEC_PER_SEC);
    }
    if let Ok(seconds) = number.parse::<u64>() {
        return seconds.checked_mul(USEC_PER_SEC);
    }
    let seconds: f64 = number.parse().ok()?;
    #[allow(clippy::cast_precision_loss, reason = "a power of ten")]
    let microseconds = (seconds * USEC_PER_SEC as f64).trunc();
    #[allow(clippy::cast_precision_loss, reason = "an upper bound")]
    let limit = u64::MAX as f64;
    if !(0.0..limit).contains(&microseconds) {
        return None;
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be in range just above"
    )]
    let microseconds = microseconds as u64;
    Some(microseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, value: &str) -> Result<SystemdProperty> {
        let annotations = BTreeMap::from([(format!("{PREFIX}{name}"), value.to_owned())]);
        properties(&annotations).map(|mut list| list.remove(0))
    }

    fn text(error: &Error) -> String {
        format!(
            "{error}: {}",
            std::error::Error::source(error)
                .map(ToString::to_string)
                .unwrap_or_default()
        )
    }

    #[test]
    fn other_annotations_are_no_properties() {
        let annotations = BTreeMap::from([("org.systemd.prop".to_owned(), "x".to_owned())]);
        assert_eq!(properties(&annotations).unwrap(), []);
    }

    #[test]
    fn values_stay_as_written() {
        for (name, value) in [
            ("CollectMode", "'inactive-or-failed'"),
            ("TimeoutStopUSec", "uint64 123456789"),
        ] {
            assert_eq!(
                one(name, value).unwrap(),
                SystemdProperty {
                    name: name.to_owned(),
                    value: value.to_owned()
                }
            );
        }
    }

    #[test]
    fn seconds_become_microseconds() {
        for (name, value, new_name, new_value) in [
            (
                "TimeoutStopSec",
                "uint64 123",
                "TimeoutStopUSec",
                "uint64 123000000",
            ),
            (
                "TimeoutStopSec",
                "123",
                "TimeoutStopUSec",
                "uint64 123000000",
            ),
            ("RuntimeMaxSec", "0x10", "RuntimeMaxUSec", "uint64 16000000"),
            ("RuntimeMaxSec", "@t 5", "RuntimeMaxUSec", "uint64 5000000"),
            ("RuntimeMaxSec", "1.5", "RuntimeMaxUSec", "uint64 1500000"),
            (
                "RuntimeMaxSec",
                "double 0.25",
                "RuntimeMaxUSec",
                "uint64 250000",
            ),
            (
                "RuntimeMaxSec",
                "int16 4",
                "RuntimeMaxUSec",
                "uint64 4000000",
            ),
        ] {
            let property = one(name, value).unwrap();
            assert_eq!(
                (property.name.as_str(), property.value.as_str()),
                (new_name, new_value),
                "{name}={value}"
            );
        }
    }

    #[test]
    fn only_a_word_of_its_own_is_translated() {
        for name in ["Sec", "FooUSec", "FOOSec"] {
            assert_eq!(one(name, "5").unwrap().name, name);
        }
    }

    #[test]
    fn bad_names_and_values_are_named() {
        assert_eq!(
            text(&one("ab", "1").unwrap_err()),
            "annotation org.systemd.property.ab name incorrect: too short"
        );
        assert_eq!(
            text(&one("Number-Three", "1").unwrap_err()),
            "annotation org.systemd.property.Number-Three name incorrect: contains non-alphabetic character"
        );
        for value in [
            "'covid'",
            "-1",
            "uint64 99999999999999999999",
            "NaN",
            "inf",
            "string 5",
        ] {
            assert_eq!(
                text(&one("TimeoutStopSec", value).unwrap_err()),
                format!(
                    "annotation org.systemd.property.TimeoutStopSec={value} value parse error: not a number"
                )
            );
        }
        assert!(one("CollectMode", " ").is_err());
    }
}
