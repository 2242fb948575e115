//! The environment of the user's program and the candidates for its path.

use std::ffi::CString;

use super::steps::c_string;
use crate::{Error, Result};

/// A prepared environment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Environment {
    /// `NAME=value`, each name once.
    pub(super) entries: Vec<CString>,
    /// There is a list of variables, and no home directory in it.
    pub(super) wants_home: bool,
    /// The value of `PATH`.
    path: Option<String>,
}

/// Of variables with one name the last counts, at its last position. An empty `HOME`
/// counts as none.
///
/// # Errors
/// An entry has no name, no `=`, or a null byte.
pub(super) fn prepare(list: Option<&[String]>) -> Result<Environment> {
    let Some(list) = list else {
        return Ok(Environment::default());
    };
    let mut seen = std::collections::BTreeSet::new();
    let mut kept: Vec<(&str, &str, &str)> = Vec::with_capacity(list.len());
    for entry in list.iter().rev() {
        let Some((name, value)) = entry.split_once('=') else {
            return Err(Error::config("invalid environment variable: missing '='"));
        };
        if name.is_empty() {
            return Err(Error::config(
                "invalid environment variable: name cannot be empty",
            ));
        }
        if entry.contains('\0') {
            return Err(Error::config(format!(
                "invalid environment variable {:?}: contains nul byte (\\x00)",
                name.replace('\0', "\\x00")
            )));
        }
        if seen.insert(name) {
            kept.push((name, value, entry));
        }
    }
    kept.reverse();
    let path = kept
        .iter()
        .find(|(name, ..)| *name == "PATH")
        .map(|(_, value, _)| (*value).to_owned());
    kept.retain(|(name, value, _)| !(*name == "HOME" && value.is_empty()));
    let wants_home = !kept.iter().any(|(name, ..)| *name == "HOME");
    let entries = kept
        .into_iter()
        .map(|(.., entry)| c_string("process.env", entry))
        .collect::<Result<_>>()?;
    Ok(Environment {
        entries,
        wants_home,
        path,
    })
}

impl Environment {
    /// Where a program may be: the name itself if it has a slash (relative to the working
    /// directory), else in each directory of `PATH`. A relative directory there is never
    /// searched: what lies in the working directory must be named.
    pub(super) fn candidates(&self, name: &str) -> Result<Vec<CString>> {
        if name.contains('/') {
            return Ok(vec![c_string("process.args", name)?]);
        }
        let directories = self
            .path
            .iter()
            .flat_map(|path| path.split(':'))
            .filter(|dir| dir.starts_with('/'));
        // An empty name, `.` and `..` are not programs in any directory.
        let searched = !matches!(name, "" | "." | "..");
        directories
            .filter(|_| searched)
            .map(|dir| {
                c_string(
                    "process.args",
                    format!("{}/{name}", dir.trim_end_matches('/')),
                )
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(list: &[&str]) -> Environment {
        let list: Vec<String> = list.iter().map(|&entry| entry.to_owned()).collect();
        prepare(Some(&list)).unwrap()
    }

    fn texts(strings: &[CString]) -> Vec<&str> {
        strings
            .iter()
            .map(|string| string.to_str().unwrap())
            .collect()
    }

    #[test]
    fn the_last_of_a_name_counts_in_its_own_place() {
        let env = prepared(&["A=1", "B=2", "A=3", "HOME=/h", "C=x=y\nz"]);
        assert_eq!(texts(&env.entries), ["B=2", "A=3", "HOME=/h", "C=x=y\nz"]);
        assert!(!env.wants_home);
    }

    #[test]
    fn an_empty_home_is_dropped_and_asked_for() {
        let env = prepared(&["HOME=/h", "HOME=", "A=1"]);
        assert_eq!(texts(&env.entries), ["A=1"]);
        assert!(env.wants_home);
    }

    #[test]
    fn no_list_stays_no_list_but_an_empty_one_gets_a_home() {
        assert!(!prepare(None).unwrap().wants_home);
        assert!(prepare(Some(&[])).unwrap().wants_home);
    }

    #[test]
    fn bad_entries_are_refused_in_words() {
        let message = |entry: &str| prepare(Some(&[entry.to_owned()])).unwrap_err().to_string();
        assert_eq!(message("A"), "invalid environment variable: missing '='");
        assert_eq!(
            message("=x"),
            "invalid environment variable: name cannot be empty"
        );
        assert!(message("A=\0").starts_with("invalid environment variable \"A\": contains nul"));
    }

    #[test]
    fn programs_are_searched_in_the_path_of_the_environment() {
        let env = prepared(&["PATH=/usr/bin/:bin::/bin:."]);
        assert_eq!(
            texts(&env.candidates("sh").unwrap()),
            ["/usr/bin/sh", "/bin/sh"]
        );
        assert_eq!(texts(&env.candidates("./sh").unwrap()), ["./sh"]);
        assert_eq!(texts(&env.candidates("a/sh").unwrap()), ["a/sh"]);
        assert!(env.candidates("..").unwrap().is_empty());
        assert!(prepared(&[]).candidates("sh").unwrap().is_empty());
    }
}
