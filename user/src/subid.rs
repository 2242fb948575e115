//! Subordinate ids: [`subuid(5)`](https://man7.org/linux/man-pages/man5/subuid.5.html) and
//! `subgid(5)`, `owner:start:count` per line, where the owner is a name or a uid.

use std::path::Path;

use crate::error::{Repr, Result};
use crate::file::read_trusted;
use crate::id::{Uid, decimal};
use crate::lines::Lines;

/// A range of subordinate ids: `count` ids from `start` on, none of them above 4294967294.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SubIdRange {
    /// The first id.
    pub start: u32,
    /// How many; at least one.
    pub count: u32,
}

/// Whose ranges are wanted. A line belongs to an owner if it starts with the name or with the uid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The login name; without one only lines with the uid count.
    pub name: Option<String>,
    /// The user id.
    pub uid: Uid,
}

impl Owner {
    /// An all-digit first field is a uid, never a name, as everywhere in this crate.
    fn owns(&self, field: &[u8]) -> bool {
        match decimal(field) {
            Some(number) => number == self.uid.as_raw(),
            None => {
                !field.is_empty()
                    && !field.iter().all(u8::is_ascii_digit)
                    && self
                        .name
                        .as_deref()
                        .is_some_and(|name| name.as_bytes() == field)
            }
        }
    }
}

/// The ranges of one owner in the text of a subordinate-id file, in order. `#` starts a comment
/// line.
///
/// Lines of other owners are not judged. An empty range (count 0) gives nothing.
///
/// # Errors
/// [`Malformed`](crate::ErrorKind::Malformed) if a line of this owner has not two numbers, or
/// leaves the id space: read as 0 it would hand out the host's root.
/// [`TooLarge`](crate::ErrorKind::TooLarge) if the file breaks a limit.
pub fn ranges(text: &[u8], owner: &Owner) -> Result<Vec<SubIdRange>> {
    let mut found = Vec::new();
    for line in Lines::new(text) {
        let mut fields = line?.split(|byte| *byte == b':');
        let name = fields.next().unwrap_or_default();
        if name.starts_with(b"#") || !owner.owns(name) {
            continue;
        }
        let (start, count) = match (fields.next(), fields.next(), fields.next()) {
            (Some(start), Some(count), None) => (decimal(start), decimal(count)),
            _ => (None, None),
        };
        match (start, count) {
            (Some(_), Some(0)) => {}
            (Some(start), Some(count)) if start.checked_add(count).is_some() => {
                found.push(SubIdRange { start, count });
            }
            _ => {
                return Err(Repr::BadEntry {
                    file: "subordinate id",
                    name: String::from_utf8_lossy(name).into_owned(),
                    field: "range",
                }
                .into());
            }
        }
    }
    Ok(found)
}

/// The ranges of one owner in a file of the host, such as `/etc/subuid`. A missing file has none.
///
/// # Errors
/// As [`ranges`], and [`Io`](crate::ErrorKind::Io).
pub fn read(path: impl AsRef<Path>, owner: &Owner) -> Result<Vec<SubIdRange>> {
    let text = read_trusted(path.as_ref())?.unwrap_or_default();
    ranges(&text, owner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use proptest::prelude::*;

    fn owner(name: &str, uid: u32) -> Owner {
        Owner {
            name: Some(name.to_owned()),
            uid: Uid::new(uid).unwrap(),
        }
    }

    fn range(start: u32, count: u32) -> SubIdRange {
        SubIdRange { start, count }
    }

    #[test]
    fn lines_of_the_name_and_of_the_uid() {
        let text = b"# comment:1:2\nalice:100000:65536\nbob:200000:65536\n1000:300000:10\nalice:400000:0\n";
        assert_eq!(
            ranges(text, &owner("alice", 1000)).unwrap(),
            [range(100_000, 65_536), range(300_000, 10)]
        );
        let nameless = Owner {
            name: None,
            uid: Uid::new(1000).unwrap(),
        };
        assert_eq!(ranges(text, &nameless).unwrap(), [range(300_000, 10)]);
    }

    #[test]
    fn a_number_is_a_uid_even_for_a_user_of_that_name() {
        assert_eq!(ranges(b"1000:5:5\n", &owner("1000", 7)).unwrap(), []);
        assert_eq!(ranges(b"01000:5:5\n", &owner("01000", 7)).unwrap(), []);
    }

    #[test]
    fn a_bad_line_of_the_owner_is_an_error_and_of_others_is_not() {
        for bad in [
            "a:x:5",
            "a:5",
            "a::5",
            "a:-1:5",
            "a:5:5:5",
            "a:4294967295:1",
            "a:1:4294967295",
        ] {
            let error = ranges(bad.as_bytes(), &owner("a", 9)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Malformed, "{bad}");
            assert_eq!(ranges(bad.as_bytes(), &owner("b", 9)).unwrap(), [], "{bad}");
        }
        assert_eq!(
            ranges(b"a:0:4294967295", &owner("a", 9)).unwrap(),
            [range(0, u32::MAX)]
        );
    }

    #[test]
    fn a_missing_file_has_no_ranges() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(
            read(directory.path().join("subuid"), &owner("a", 1)).unwrap(),
            []
        );
    }

    proptest! {
        #[test]
        fn ranges_never_leave_the_id_space(text in "(a:[0-9]{0,11}:[0-9]{0,11}\n){0,4}|[a:0-9\n]{0,40}") {
            for range in ranges(text.as_bytes(), &owner("a", 1)).unwrap_or_default() {
                prop_assert!(range.count > 0);
                prop_assert!(range.start.checked_add(range.count).is_some());
            }
        }
    }
}
