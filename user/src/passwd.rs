//! [`passwd(5)`](https://man7.org/linux/man-pages/man5/passwd.5.html):
//! `name:password:uid:gid:gecos:home:shell`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::error::Result;
use crate::id::{Gid, Uid};
use crate::lines::{Lines, first_with_field};

/// One line of a passwd file. Absent fields are empty; the password field is not kept.
///
/// An id is `None` where the field is not a number: such an entry never matches an id, and a
/// look-up by name that ends at it fails instead of giving id 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry<'a> {
    /// The login name.
    pub name: &'a OsStr,
    /// The user id.
    pub uid: Option<Uid>,
    /// The id of the primary group.
    pub gid: Option<Gid>,
    /// The comment field.
    pub gecos: &'a OsStr,
    /// The home directory.
    pub home: &'a OsStr,
    /// The login shell.
    pub shell: &'a OsStr,
}

impl<'a> Entry<'a> {
    fn parse(line: &'a [u8]) -> Self {
        let mut fields = line.split(|byte| *byte == b':');
        let mut field = || fields.next().unwrap_or_default();
        let name = field();
        let _password = field();
        Self {
            name: OsStr::from_bytes(name),
            uid: Uid::parse_quietly(field()),
            gid: Gid::parse_quietly(field()),
            gecos: OsStr::from_bytes(field()),
            home: OsStr::from_bytes(field()),
            shell: OsStr::from_bytes(field()),
        }
    }

    /// The home directory if it can be one: not empty and without NUL byte.
    #[must_use]
    pub fn home_dir(&self) -> Option<&'a Path> {
        let bytes = self.home.as_bytes();
        (!bytes.is_empty() && !bytes.contains(&0)).then(|| Path::new(self.home))
    }
}

/// The entries of a passwd file, in order.
///
/// An item is an error, and the last one, where the file breaks one of [the crate's
/// limits](crate#limits).
pub fn entries(bytes: &[u8]) -> impl Iterator<Item = Result<Entry<'_>>> + Clone {
    Lines::new(bytes).map(|line| line.map(Entry::parse))
}

/// The home directory that a passwd file gives for a user id: that of the first entry with this id.
///
/// `None` without an entry, if its home field is empty or holds a NUL byte, or if the file
/// breaks a limit before the entry; the caller then uses `/`.
///
/// ```
/// use std::path::Path;
/// use cofferdam_user::{Uid, home_of};
///
/// let passwd = b"root:x:0:0:root:/root:/bin/sh\nweb:x:33:33::/srv/web:\n";
/// assert_eq!(home_of(passwd, Uid::new(33).unwrap()), Some(Path::new("/srv/web")));
/// assert_eq!(home_of(passwd, Uid::new(34).unwrap()), None);
/// ```
#[must_use]
pub fn home_of(passwd: &[u8], uid: Uid) -> Option<&Path> {
    with_id(passwd, uid).ok()??.home_dir()
}

/// The first entry with this name.
pub(crate) fn with_name<'a>(passwd: &'a [u8], name: &OsStr) -> Result<Option<Entry<'a>>> {
    first_with_field(passwd, 0, |field| field == name.as_bytes()).map(|line| line.map(Entry::parse))
}

/// The first entry with this id. A number has one spelling, so texts are compared.
pub(crate) fn with_id(passwd: &[u8], uid: Uid) -> Result<Option<Entry<'_>>> {
    let text = uid.to_string();
    first_with_field(passwd, 2, |field| field == text.as_bytes()).map(|line| line.map(Entry::parse))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(bytes: &[u8]) -> Vec<Entry<'_>> {
        entries(bytes).map(Result::unwrap).collect()
    }

    fn uid(raw: u32) -> Uid {
        Uid::new(raw).unwrap()
    }

    #[test]
    fn all_fields() {
        assert_eq!(
            all(b"adm:x:3:4:Admin,,:/var/adm:/bin/sh"),
            [Entry {
                name: OsStr::new("adm"),
                uid: Some(uid(3)),
                gid: Gid::new(4),
                gecos: OsStr::new("Admin,,"),
                home: OsStr::new("/var/adm"),
                shell: OsStr::new("/bin/sh"),
            }]
        );
    }

    #[test]
    fn missing_fields_are_empty_and_missing_numbers_are_none() {
        let short = all(b"root:x:0\n\nonly\r\nbad:x:abc:-1:\n");
        assert_eq!(short.len(), 3);
        assert_eq!((short[0].uid, short[0].gid), (Some(Uid::ROOT), None));
        assert_eq!((short[1].uid, short[1].gid), (None, None));
        assert_eq!((short[2].uid, short[2].gid), (None, None));
        assert_eq!(short[2].shell, OsStr::new(""));
    }

    #[test]
    fn home_is_that_of_the_first_entry_with_the_id() {
        let passwd = b"a:x:7:7::/first:\nb:x:7:7::/second:\n";
        assert_eq!(home_of(passwd, uid(7)), Some(Path::new("/first")));
    }

    #[test]
    fn an_unreadable_number_gives_nobody_a_home() {
        let passwd = b"evil:x:zero:0::/evil:\nroot:x:00:0::/evil:\n";
        assert_eq!(home_of(passwd, Uid::ROOT), None);
    }

    #[test]
    fn a_home_that_cannot_be_a_path_is_none() {
        assert_eq!(home_of(b"a:x:1:1:::", uid(1)), None);
        assert_eq!(home_of(b"a:x:1:1::/a\0b:", uid(1)), None);
        assert_eq!(
            home_of(b"a:x:1:1::/\xff:", uid(1)),
            Some(Path::new(OsStr::from_bytes(b"/\xff")))
        );
    }

    #[test]
    fn nothing_behind_a_broken_limit_is_believed() {
        let mut passwd = vec![b'x'; crate::MAX_LINE_BYTES + 1];
        passwd.extend_from_slice(b"\na:x:1:1::/home/a:\n");
        assert_eq!(home_of(&passwd, uid(1)), None);
        assert!(entries(&passwd).next().unwrap().is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed(
            bytes in proptest::collection::vec(any::<u8>(), 0..512),
            raw in 0u32..9,
        ) {
            let _ = home_of(&bytes, uid(raw));
            for entry in entries(&bytes) {
                prop_assert!(!entry.unwrap().name.as_bytes().contains(&b'\n'));
            }
        }

        #[test]
        fn a_written_entry_reads_back(name in "[a-z]{1,8}", raw in 0..u32::MAX, home in "/[a-z/]{0,20}") {
            let text = format!("other:x:1:2::/:\n{name}:x:{raw}:{raw}:g:{home}:/bin/sh\n");
            let entry = all(text.as_bytes())[1];
            prop_assert_eq!(entry.name, OsStr::new(&name));
            prop_assert_eq!(entry.uid, Uid::new(raw));
            prop_assert_eq!(entry.home_dir(), Some(Path::new(&home)));
        }
    }
}
