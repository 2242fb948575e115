//! [`group(5)`](https://man7.org/linux/man-pages/man5/group.5.html):
//! `name:password:gid:member,member`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::error::Result;
use crate::id::Gid;
use crate::lines::Lines;

/// One line of a group file. Absent fields are empty; the password field is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry<'a> {
    /// The group name.
    pub name: &'a OsStr,
    /// The group id; `None` where the field is not a number (see
    /// [`passwd::Entry`](crate::passwd::Entry)).
    pub gid: Option<Gid>,
    members: &'a [u8],
}

impl<'a> Entry<'a> {
    fn parse(line: &'a [u8]) -> Self {
        let mut fields = line.split(|byte| *byte == b':');
        let mut field = || fields.next().unwrap_or_default();
        let name = field();
        let _password = field();
        Self {
            name: OsStr::from_bytes(name),
            gid: Gid::parse_quietly(field()),
            members: field(),
        }
    }

    /// The users whom the group lists; an empty list has no member.
    pub fn members(&self) -> impl Iterator<Item = &'a OsStr> + Clone {
        self.members
            .split(|byte| *byte == b',')
            .filter(|member| !member.is_empty())
            .map(OsStr::from_bytes)
    }
}

/// The entries of a group file, in order. Lines that start with `#` are comments.
///
/// An item is an error, and the last one, where the file breaks one of [the crate's
/// limits](crate#limits).
pub fn entries(bytes: &[u8]) -> impl Iterator<Item = Result<Entry<'_>>> + Clone {
    Lines::new(bytes)
        .filter(|line| !matches!(line, Ok([b'#', ..])))
        .map(|line| line.map(Entry::parse))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(bytes: &[u8]) -> Vec<Entry<'_>> {
        entries(bytes).map(Result::unwrap).collect()
    }

    fn members<'a>(entry: &Entry<'a>) -> Vec<&'a OsStr> {
        entry.members().collect()
    }

    #[test]
    fn members_and_comments() {
        let groups =
            all(b"# adm:x:9:mallory\nadm:x:4:root,adm\n  #x\nempty:x:5:\nshort\nbad:x:-4:root\n");
        assert_eq!(groups.len(), 4);
        assert_eq!(groups[0].gid, Gid::new(4));
        assert_eq!(members(&groups[0]), ["root", "adm"]);
        assert_eq!(members(&groups[1]), [] as [&str; 0]);
        assert_eq!((groups[2].name, groups[2].gid), (OsStr::new("short"), None));
        assert_eq!(groups[3].gid, None);
    }

    #[test]
    fn a_group_may_have_many_members() {
        let text = format!("big:x:8:{}", "user,".repeat(20_000));
        assert_eq!(all(text.as_bytes())[0].members().count(), 20_000);
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            for entry in entries(&bytes) {
                for member in entry.unwrap().members() {
                    prop_assert!(!member.is_empty());
                    prop_assert!(!member.as_bytes().contains(&b','));
                }
            }
        }
    }
}
