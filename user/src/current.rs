//! The user that this process runs as, and the id maps that it may have.

use std::path::Path;

use rustix::io::Errno;

use crate::database::UserDb;
use crate::error::{Error, Result};
use crate::id::{Gid, Uid};
use crate::idmap::{IdMap, IdMapping, IdMaps};
use crate::subid::{self, Owner, SubIdRange};
use crate::{group, passwd};

impl UserDb {
    /// The entry of the user that this process runs as (`getuid(2)`), if the file has one.
    ///
    /// # Errors
    /// As [`UserDb::user_by_name`].
    pub fn current_user(&self) -> Result<Option<passwd::Entry<'_>>> {
        match Uid::new(rustix::process::getuid().as_raw()) {
            Some(uid) => self.user_by_id(uid),
            None => Ok(None),
        }
    }

    /// The entry of the group that this process runs as (`getgid(2)`), if the file has one.
    ///
    /// # Errors
    /// As [`UserDb::user_by_name`].
    pub fn current_group(&self) -> Result<Option<group::Entry<'_>>> {
        match Gid::new(rustix::process::getgid().as_raw()) {
            Some(gid) => self.group_by_id(gid),
            None => Ok(None),
        }
    }
}

impl IdMaps {
    /// The map of a user namespace whose root is `own`, an id of the user who makes it, and whose
    /// further ids, from 1 on without a gap, are the subordinate ones in the order of `ranges`.
    ///
    /// ```
    /// use cofferdam_user::{IdMaps, Uid, subid};
    ///
    /// let owner = subid::Owner { name: Some("alice".to_owned()), uid: Uid::new(1000).unwrap() };
    /// let ranges = subid::ranges(b"alice:100000:65536\n", &owner)?;
    /// let map = IdMaps::with_subordinate(1000, &ranges)?;
    /// assert_eq!(map.kernel_text(), "0 1000 1\n1 100000 65536\n");
    /// # Ok::<(), cofferdam_user::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidMap`](crate::ErrorKind::InvalidMap) if the kernel would refuse it: ranges that
    /// overlap, too many of them, or more ids than there are.
    pub fn with_subordinate(own: u32, ranges: &[SubIdRange]) -> Result<Self> {
        let mut maps = vec![IdMap::new(0, own, 1)];
        let mut next = 1_u32;
        for range in ranges {
            maps.push(IdMap::new(next, range.start, range.count));
            // One that does not fit is refused with the range itself.
            next = next.saturating_add(range.count);
        }
        let maps = Self::new(maps);
        maps.validate()?;
        Ok(maps)
    }
}

impl IdMapping {
    /// The maps with which this process, run by an ordinary user, can make a user namespace: root
    /// inside is the user itself, and the ids after it are those of `/etc/subuid` and
    /// `/etc/subgid`. Writing a map of more than the user itself takes `newuidmap(1)` and
    /// `newgidmap(1)`.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io), [`Malformed`](crate::ErrorKind::Malformed),
    /// [`InvalidMap`](crate::ErrorKind::InvalidMap).
    pub fn of_current_user() -> Result<Self> {
        let Some(uid) = Uid::new(rustix::process::geteuid().as_raw()) else {
            // No process has it (`setresuid(2)`).
            return Err(Error::io("get the user id of", "/proc/self", Errno::INVAL));
        };
        let users = UserDb::system()?;
        let entry = users.user_by_id(uid)?;
        let owner = Owner {
            name: entry.and_then(|entry| entry.name.to_str().map(str::to_owned)),
            uid,
        };
        let gid = rustix::process::getegid().as_raw();
        Self::for_owner(
            &owner,
            gid,
            Path::new("/etc/subuid"),
            Path::new("/etc/subgid"),
        )
    }

    fn for_owner(owner: &Owner, gid: u32, subuid: &Path, subgid: &Path) -> Result<Self> {
        Ok(Self {
            uids: IdMaps::with_subordinate(owner.uid.as_raw(), &subid::read(subuid, owner)?)?,
            gids: IdMaps::with_subordinate(gid, &subid::read(subgid, owner)?)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn the_current_ids_are_found_by_number() {
        let (uid, gid) = (
            rustix::process::getuid().as_raw(),
            rustix::process::getgid().as_raw(),
        );
        let users = UserDb::from_bytes(
            format!("other:x:{}:1::/:\nme:x:{uid}:1::/:\n", uid.wrapping_add(1)),
            format!("mine:x:{gid}:\n"),
        );
        assert_eq!(users.current_user().unwrap().unwrap().name, "me");
        assert_eq!(users.current_group().unwrap().unwrap().name, "mine");
        let empty = UserDb::default();
        assert!(empty.current_user().unwrap().is_none());
        assert!(empty.current_group().unwrap().is_none());
    }

    #[test]
    fn maps_are_made_of_the_files() {
        let directory = tempfile::tempdir().unwrap();
        let subuid = directory.path().join("subuid");
        let subgid = directory.path().join("subgid");
        std::fs::write(&subuid, "bob:1:1\nalice:100000:10\n1000:200000:5\n").unwrap();
        let owner = Owner {
            name: Some("alice".to_owned()),
            uid: Uid::new(1000).unwrap(),
        };
        let mapping = IdMapping::for_owner(&owner, 7, &subuid, &subgid).unwrap();
        assert_eq!(
            mapping.uids.kernel_text(),
            "0 1000 1\n1 100000 10\n11 200000 5\n"
        );
        // No file, no subordinate ids.
        assert_eq!(mapping.gids.kernel_text(), "0 7 1\n");
        assert_eq!(mapping.root_pair(), Some((1000, 7)));
    }

    #[test]
    fn maps_that_the_kernel_would_refuse_are_refused() {
        let range = |start, count| SubIdRange { start, count };
        for ranges in [
            vec![range(999, 5)],
            vec![range(5, 10), range(14, 1)],
            vec![range(5, u32::MAX - 5)],
            vec![range(2000, u32::MAX - 1999)],
            vec![range(1, 900), range(2000, u32::MAX - 1999)],
        ] {
            let error = IdMaps::with_subordinate(1000, &ranges).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidMap, "{ranges:?}");
        }
    }

    #[test]
    fn a_file_of_ranges_that_is_no_file_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("subuid");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RUSR).unwrap();
        let owner = Owner {
            name: None,
            uid: Uid::new(1000).unwrap(),
        };
        for path in [fifo.as_path(), directory.path(), Path::new("/dev/zero")] {
            let error = subid::read(path, &owner).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotAFile, "{}", path.display());
        }
        assert_eq!(subid::read("/dev/null/subuid", &owner).unwrap(), []);
    }
}
