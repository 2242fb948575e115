//! The environment of a process.

use std::collections::BTreeMap;

use crate::{Error, Result};

/// A checked environment: every name once.
///
/// A list that was not given is kept apart from an empty one: `HOME` is added to the latter only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    entries: Option<Vec<String>>,
}

impl Environment {
    /// Checks a list of `NAME=value`. Of a name given twice the last value counts, at its last
    /// place. An empty `HOME` is dropped.
    ///
    /// # Errors
    /// An entry has no `=`, no name, or a NUL.
    pub fn new(list: Option<&[String]>) -> Result<Self> {
        let Some(list) = list else {
            return Ok(Self::default());
        };
        let mut last = BTreeMap::new();
        for (index, entry) in list.iter().enumerate() {
            let (name, value) = entry
                .split_once('=')
                .ok_or_else(|| Error::conversion("invalid environment variable: missing '='"))?;
            if name.is_empty() {
                return Err(Error::conversion(
                    "invalid environment variable: name cannot be empty",
                ));
            }
            if entry.contains('\0') {
                return Err(Error::conversion(format!(
                    "invalid environment variable {name:?}: contains nul byte (\\x00)"
                )));
            }
            last.insert(name, (index, value));
        }
        let is_kept = |index: usize, entry: &str| {
            entry
                .split_once('=')
                .and_then(|(name, value)| Some((name, value, last.get(name)?.0)))
                .is_some_and(|(name, value, last)| {
                    last == index && !(name == "HOME" && value.is_empty())
                })
        };
        let entries = list
            .iter()
            .enumerate()
            .filter(|(index, entry)| is_kept(*index, entry));
        Ok(Self {
            entries: Some(entries.map(|(_, entry)| entry.clone()).collect()),
        })
    }

    /// The entries, in order.
    #[must_use]
    pub fn entries(&self) -> &[String] {
        self.entries.as_deref().unwrap_or_default()
    }

    /// Whether the bundle gave a list at all.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.entries.is_some()
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.entries()
            .iter()
            .filter_map(|entry| entry.split_once('='))
            .find(|(n, _)| *n == name)
            .map(|(_, v)| v)
    }

    /// Whether `HOME` is to be added with [`Environment::set_home`]: the list was given and has
    /// none.
    #[must_use]
    pub fn needs_home(&self) -> bool {
        self.is_given() && self.get("HOME").is_none()
    }

    /// Appends `HOME`, if [needed](Environment::needs_home): the user's home directory according to
    /// the container's `/etc/passwd`, or `/`.
    pub fn set_home(&mut self, home: &str) {
        if self.needs_home() {
            self.push("HOME", home);
        }
    }

    /// Sets a variable, at the end; an earlier value is dropped.
    pub fn push(&mut self, name: &str, value: &str) {
        let entries = self.entries.get_or_insert_default();
        entries.retain(|entry| entry.split_once('=').is_none_or(|(n, _)| n != name));
        entries.push(format!("{name}={value}"));
    }

    /// The entries, to be passed on.
    #[must_use]
    pub fn into_entries(self) -> Vec<String> {
        self.entries.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn environment(list: &[&str]) -> Result<Environment> {
        let list: Vec<String> = list.iter().map(|entry| (*entry).to_owned()).collect();
        Environment::new(Some(&list))
    }

    #[test]
    fn the_last_value_counts_at_its_last_place() {
        let env = environment(&["A=1", "B=2", "A=3=x", "C="]).unwrap();
        assert_eq!(env.entries(), ["B=2", "A=3=x", "C="]);
        assert_eq!(env.get("A"), Some("3=x"));
        assert_eq!(env.get("D"), None);
    }

    #[test]
    fn newlines_are_values() {
        assert_eq!(environment(&["A=1\n2"]).unwrap().get("A"), Some("1\n2"));
    }

    #[test]
    fn malformed_entries() {
        for (entry, text) in [
            ("A", "invalid environment variable: missing '='"),
            ("", "invalid environment variable: missing '='"),
            ("=1", "invalid environment variable: name cannot be empty"),
            (
                "A=1\0",
                "invalid environment variable \"A\": contains nul byte (\\x00)",
            ),
        ] {
            assert_eq!(environment(&["B=2", entry]).unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn home() {
        for (list, needs, result) in [
            (&["A=1"][..], true, &["A=1", "HOME=/root"][..]),
            (&[], true, &["HOME=/root"]),
            (&["HOME=", "A=1"], true, &["A=1", "HOME=/root"]),
            (&["HOME=/x", "HOME="], true, &["HOME=/root"]),
            (&["HOME=/x", "HOME=/y"], false, &["HOME=/y"]),
        ] {
            let mut env = environment(list).unwrap();
            assert_eq!(env.needs_home(), needs, "{list:?}");
            env.set_home("/root");
            assert_eq!(env.entries(), result, "{list:?}");
        }
    }

    #[test]
    fn a_list_that_is_not_given_stays_so() {
        let mut env = Environment::new(None).unwrap();
        env.set_home("/root");
        assert!(!env.is_given());
        assert!(env.into_entries().is_empty());
    }

    #[test]
    fn setting_a_variable_replaces_it() {
        let mut env = environment(&["A=1", "B=2"]).unwrap();
        env.push("A", "3");
        assert_eq!(env.entries(), ["B=2", "A=3"]);
    }

    proptest! {
        #[test]
        fn every_name_is_there_once_with_its_last_value(
            pairs in prop::collection::vec(("[A-E]", "[a-z=]{0,4}"), 0..20)
        ) {
            let list: Vec<String> = pairs.iter().map(|(n, v)| format!("{n}={v}")).collect();
            let env = Environment::new(Some(&list)).unwrap();
            for (name, _) in &pairs {
                let last = pairs.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
                prop_assert_eq!(env.get(name), last);
                let prefix = format!("{name}=");
                prop_assert_eq!(env.entries().iter().filter(|e| e.starts_with(&prefix)).count(), 1);
            }
        }
    }
}
