use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Repr, Result};

/// One line of a `schemata` file: a resource and a value per domain, such as `L3:0=7f0;1=1f`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    resource: String,
    values: BTreeMap<u32, String>,
}

impl Schema {
    /// The resource: `L3`, `L2`, `MB`, …
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The value of a cache or memory domain.
    #[must_use]
    pub fn value(&self, domain: u32) -> Option<&str> {
        self.values.get(&domain).map(String::as_str)
    }

    /// Whether every domain this line names has the same value in the other, which may name more.
    ///
    /// Masks compare by value: `0f` is `f`. A bandwidth may still be rounded by the processor.
    #[must_use]
    pub fn is_within(&self, present: &Self) -> bool {
        let mask = !self.resource.starts_with("MB");
        self.resource == present.resource
            && self.values.iter().all(|(domain, wanted)| {
                present.value(*domain).is_some_and(|value| {
                    value == wanted
                        || (mask && number(value).is_some_and(|n| number(wanted) == Some(n)))
                })
            })
    }
}

fn number(mask: &str) -> Option<u64> {
    u64::from_str_radix(mask, 16).ok()
}

impl FromStr for Schema {
    type Err = Error;

    /// Reads a line. Blanks around its parts are allowed, as the kernel prints them; a domain may
    /// occur once.
    fn from_str(line: &str) -> Result<Self> {
        parse(line).ok_or_else(|| Repr::Schema(line.to_owned()).into())
    }
}

fn parse(line: &str) -> Option<Schema> {
    let (resource, domains) = line.split_once(':')?;
    let resource = resource.trim();
    let word =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !resource.split('_').all(word) {
        return None;
    }
    let mut values = BTreeMap::new();
    for domain in domains.split(';') {
        let (id, value) = domain.split_once('=')?;
        let (id, value) = (id.trim(), value.trim());
        if !id.bytes().all(|byte| byte.is_ascii_digit()) || !word(value) {
            return None;
        }
        if values.insert(id.parse().ok()?, value.to_owned()).is_some() {
            return None;
        }
    }
    Some(Schema {
        resource: resource.to_owned(),
        values,
    })
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.resource)?;
        let mut separator = ':';
        for (domain, value) in &self.values {
            write!(f, "{separator}{domain}={value}")?;
            separator = ';';
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn schema(line: &str) -> Schema {
        line.parse().unwrap()
    }

    #[test]
    fn lines() {
        let line = schema("    L3:0=7f0;1= 1f");
        assert_eq!(
            (line.resource(), line.value(0), line.value(1)),
            ("L3", Some("7f0"), Some("1f"))
        );
        assert_eq!(line.value(2), None);
        assert_eq!(line.to_string(), "L3:0=7f0;1=1f");
        assert_eq!(schema("MB_HF:0=50").resource(), "MB_HF");
    }

    #[test]
    fn what_is_no_line() {
        for bad in [
            "",
            "L3",
            "L3:",
            ":0=f",
            "L3:0",
            "L3:=f",
            "L3:0=",
            "L3:0=f;",
            "L3:0=f;0=f",
            "L3:-1=f",
            "L3:0=f\nMB:0=1",
            "L 3:0=f",
            "L3:99999999999=f",
        ] {
            assert!(bad.parse::<Schema>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn comparison_by_domain_and_value() {
        let present = schema("L3:0=7ff;1=0f");
        assert!(schema("L3:1=f").is_within(&present));
        assert!(schema("L3:0=7ff;1=00f").is_within(&present));
        assert!(!schema("L3:0=7f").is_within(&present));
        assert!(!schema("L3:2=f").is_within(&present));
        assert!(!schema("L2:1=f").is_within(&present));
        assert!(!schema("MB:0=0010").is_within(&schema("MB:0=10")));
    }

    proptest! {
        #[test]
        fn printed_lines_read_back(resource in "[A-Z0-9]{1,6}", values in proptest::collection::btree_map(any::<u32>(), "[0-9a-f]{1,8}", 1..6)) {
            let line = Schema { resource, values };
            prop_assert_eq!(line.to_string().parse::<Schema>().unwrap(), line.clone());
            prop_assert!(line.is_within(&line));
        }

        #[test]
        fn any_text_ends(text in "[L3MB:0-9a-f=; ]{0,30}|.{0,30}") {
            let _ = text.parse::<Schema>();
        }
    }
}
