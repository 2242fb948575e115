//! The formats of cgroup files: numbers, `max`, and tables of keys and values.

use std::path::Path;

use crate::dir::Dir;
use crate::{Error, ErrorKind, Result};

/// A number; `max` is 2⁶⁴-1, and a negative one, which some kernels print for a counter that went
/// below zero, is 0.
pub(crate) fn unsigned(text: &str) -> Option<u64> {
    let text = text.trim();
    if text == "max" {
        return Some(u64::MAX);
    }
    match text.strip_prefix('-') {
        Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => Some(0),
        Some(_) => None,
        None => text.parse().ok(),
    }
}

/// A table of lines `KEY VALUE`, split at the first space.
pub(crate) fn key_values<'a>(
    text: &'a str,
    path: &Path,
) -> impl Iterator<Item = Result<(&'a str, u64)>> {
    text.lines().map(move |line| {
        let (key, value) = line
            .split_once(' ')
            .filter(|(key, value)| !key.is_empty() && !value.is_empty())
            .ok_or_else(|| {
                unparsable(
                    path,
                    &format!("line {line:?} is not in \"key value\" format"),
                )
            })?;
        let value = unsigned(value)
            .ok_or_else(|| unparsable(path, &format!("{value:?} is not a number")))?;
        Ok((key, value))
    })
}

/// One value of a table; a missing key is 0.
pub(crate) fn value_of(text: &str, key: &str, path: &Path) -> Result<u64> {
    for pair in key_values(text, path) {
        let (name, value) = pair?;
        if name == key {
            return Ok(value);
        }
    }
    Ok(0)
}

pub(crate) fn unparsable(path: &Path, why: &str) -> Error {
    Error::new(
        ErrorKind::Parse,
        format_args!("unable to parse {}: {why}", path.display()),
    )
}

/// A file with one number.
pub(crate) fn read_unsigned(dir: &Dir, name: &str) -> Result<u64> {
    let text = dir.read(name)?;
    parse_unsigned(&text, dir, name)
}

/// A file with one number; `None` without the file.
pub(crate) fn read_unsigned_if_present(dir: &Dir, name: &str) -> Result<Option<u64>> {
    match dir.read_if_present(name)? {
        Some(text) => parse_unsigned(&text, dir, name).map(Some),
        None => Ok(None),
    }
}

fn parse_unsigned(text: &str, dir: &Dir, name: &str) -> Result<u64> {
    unsigned(text).ok_or_else(|| {
        unparsable(
            &dir.path().join(name),
            &format!("{:?} is not a number", text.trim()),
        )
    })
}

/// The numbers of a list like `0-2,7`.
pub(crate) fn list(text: &str) -> Option<Vec<u16>> {
    let mut numbers = Vec::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
        if first > last {
            return None;
        }
        numbers.extend(first..=last);
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers() {
        for (text, value) in [
            ("0\n", Some(0)),
            ("2048\n", Some(2048)),
            ("max\n", Some(u64::MAX)),
            ("-12345\n", Some(0)),
            ("-99999999999999999999999\n", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("-", None),
            ("", None),
            ("1 2", None),
            ("0x10", None),
        ] {
            assert_eq!(unsigned(text), value, "{text:?}");
        }
    }

    #[test]
    fn tables() {
        let path = Path::new("/sys/fs/cgroup/x/memory.stat");
        assert_eq!(value_of("a 1\nb 2\n", "b", path).unwrap(), 2);
        assert_eq!(value_of("a 1\nb 2\n", "c", path).unwrap(), 0);
        let error = value_of("a\n", "c", path).unwrap_err();
        assert_eq!(
            error.to_string(),
            "unable to parse /sys/fs/cgroup/x/memory.stat: line \"a\" is not in \"key value\" format"
        );
        for wrong in ["a \n", " 1\n", "a b\n", "a 1 2\n"] {
            assert!(value_of(wrong, "c", path).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn lists() {
        assert_eq!(list("0-2,7\n").unwrap(), [0, 1, 2, 7]);
        assert!(list("\n").unwrap().is_empty());
        for wrong in ["3-1", "a", "1-", "70000"] {
            assert_eq!(list(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn any_list_text_is_read_or_refused(text in "[0-9,-]{0,12}") {
            if let Some(numbers) = list(&text) {
                prop_assert!(numbers.len() <= 1 << 18);
            }
        }

        #[test]
        fn lists_round_trip(numbers in proptest::collection::btree_set(0_u16..2000, 0..40)) {
            let text: Vec<_> = numbers.iter().map(u16::to_string).collect();
            let numbers: Vec<_> = numbers.into_iter().collect();
            prop_assert_eq!(list(&text.join(",")).unwrap(), numbers);
        }
    }
}
