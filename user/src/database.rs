use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags, open};

use crate::error::{Error, Result};
use crate::file::read_below;
use crate::id::{Gid, Uid};
use crate::{group, passwd};

/// The users and groups of one root: the bytes of its `/etc/passwd` and `/etc/group`.
///
/// Look-ups go through the bytes each time; nothing is indexed, because a container start asks
/// once. In every look-up the first matching entry decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserDb {
    pub(crate) passwd: Vec<u8>,
    pub(crate) group: Vec<u8>,
}

impl UserDb {
    /// Takes the contents of a passwd and a group file, as read elsewhere.
    #[must_use]
    pub fn from_bytes(passwd: impl Into<Vec<u8>>, group: impl Into<Vec<u8>>) -> Self {
        Self {
            passwd: passwd.into(),
            group: group.into(),
        }
    }

    /// Reads `etc/passwd` and `etc/group` below the directory `root`. A missing file counts as
    /// empty.
    ///
    /// Nothing outside the root can be reached, nothing but a regular file is opened, and what is
    /// read is [limited](crate#limits). A file of a FUSE file system can still keep the caller
    /// waiting: a caller that must not wait lets a disposable process read, and uses
    /// [`UserDb::from_bytes`]. Needs `/proc` mounted.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io), [`NotAFile`](crate::ErrorKind::NotAFile) and
    /// [`TooLarge`](crate::ErrorKind::TooLarge), each with the path.
    pub fn open_at(root: impl AsFd) -> Result<Self> {
        let root = root.as_fd();
        Ok(Self {
            passwd: read_below(root, Path::new("etc/passwd"))?.unwrap_or_default(),
            group: read_below(root, Path::new("etc/group"))?.unwrap_or_default(),
        })
    }

    /// Reads `/etc/passwd` and `/etc/group` of the calling process.
    ///
    /// # Errors
    /// As [`UserDb::open_at`].
    pub fn system() -> Result<Self> {
        let root = open(
            "/",
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .map_err(|errno| Error::io("open", "/", errno))?;
        Self::open_at(root)
    }

    /// The user with this name.
    ///
    /// # Errors
    /// [`TooLarge`](crate::ErrorKind::TooLarge) if the file breaks a limit before the entry.
    pub fn user_by_name(&self, name: impl AsRef<OsStr>) -> Result<Option<passwd::Entry<'_>>> {
        passwd::with_name(&self.passwd, name.as_ref())
    }

    /// The user with this id.
    ///
    /// # Errors
    /// As [`UserDb::user_by_name`].
    pub fn user_by_id(&self, uid: Uid) -> Result<Option<passwd::Entry<'_>>> {
        passwd::with_id(&self.passwd, uid)
    }

    /// The group with this name.
    ///
    /// # Errors
    /// As [`UserDb::user_by_name`].
    pub fn group_by_name(&self, name: impl AsRef<OsStr>) -> Result<Option<group::Entry<'_>>> {
        let name = name.as_ref();
        first(group::entries(&self.group), |entry| entry.name == name)
    }

    /// The group with this id.
    ///
    /// # Errors
    /// As [`UserDb::user_by_name`].
    pub fn group_by_id(&self, gid: Gid) -> Result<Option<group::Entry<'_>>> {
        first(group::entries(&self.group), |entry| entry.gid == Some(gid))
    }

    /// The home directory of a user id; see [`home_of`](crate::home_of).
    #[must_use]
    pub fn home(&self, uid: Uid) -> Option<&Path> {
        crate::home_of(&self.passwd, uid)
    }

    /// The name to show for the owner of a file: the user's name, or `#` and the number if it has
    /// none.
    #[must_use]
    pub fn owner_name(&self, uid: Uid) -> String {
        match self.user_by_id(uid) {
            Ok(Some(entry)) => entry.name.to_string_lossy().into_owned(),
            Ok(None) | Err(_) => format!("#{uid}"),
        }
    }
}

/// The first entry that matches; an error in front of it is the answer instead.
fn first<T>(
    mut entries: impl Iterator<Item = Result<T>>,
    matches: impl Fn(&T) -> bool,
) -> Result<Option<T>> {
    entries
        .find(|entry| entry.as_ref().map_or(true, &matches))
        .transpose()
}

#[cfg(test)]
mod tests;
