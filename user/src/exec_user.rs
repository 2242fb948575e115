use std::path::PathBuf;

use crate::database::UserDb;
use crate::error::{Error, Repr, Result};
use crate::id::{Gid, MAX_UNLISTED_ID, Uid};
use crate::{group, passwd};

/// The identity a process gets: ids, supplementary groups and home directory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExecUser {
    /// The user id.
    pub uid: Uid,
    /// The primary group id.
    pub gid: Gid,
    /// The supplementary group ids.
    pub additional_gids: Vec<Gid>,
    /// The home directory.
    pub home: PathBuf,
}

impl ExecUser {
    /// An identity without supplementary groups, at home in `/`.
    #[must_use]
    pub fn new(uid: Uid, gid: Gid) -> Self {
        Self {
            uid,
            gid,
            additional_gids: Vec::new(),
            home: PathBuf::from("/"),
        }
    }

    /// Reads `uid[:gid]`, the form of a runtime's `--user`, where names mean nothing. Without gid
    /// it is 0, as with runc's `exec --user`.
    ///
    /// # Errors
    /// [`InvalidId`](crate::ErrorKind::InvalidId): a part is missing or is not [a
    /// number](crate#numbers).
    pub fn numeric(spec: &str) -> Result<(Uid, Gid)> {
        match spec.split_once(':') {
            None => Ok((spec.parse()?, Gid::ROOT)),
            Some((uid, gid)) => Ok((uid.parse()?, gid.parse()?)),
        }
    }
}

/// One half of a specification.
#[derive(Clone, Copy)]
enum Part<'a> {
    Id(&'a str),
    Name(&'a str),
}

impl<'a> Part<'a> {
    /// Text of digits alone is a number, whatever entry may be *named* so (CVE-2016-3697). What
    /// other tools read as a number with a sign, or would trim to one, is neither number nor
    /// name here.
    fn new(text: &'a str) -> Option<Self> {
        if text.is_empty()
            || text.starts_with(['+', '-'])
            || text.contains(|c: char| c.is_whitespace() || c.is_control())
        {
            None
        } else if text.bytes().all(|byte| byte.is_ascii_digit()) {
            Some(Self::Id(text))
        } else {
            Some(Self::Name(text))
        }
    }
}

impl UserDb {
    /// Turns `user`, `user:group`, or the empty text into an identity; both halves are a name or a
    /// number.
    ///
    /// * A number is an id even if an entry has that number for a name.
    /// * A name without entry is an error. A number without entry is taken as it is, up to
    ///   [`MAX_UNLISTED_ID`].
    /// * A listed user brings its primary group and home; without entry those of `default` stay.
    ///   Runtimes pass root as `default`, so an unlisted uid without group has gid 0: the OCI image
    ///   specification (`config.User`) takes the group from the container's `/etc/passwd`, and
    ///   names none for a user that is not there.
    /// * Without group, the supplementary groups are those that list the user's name (those of
    ///   `default` if the user is not listed). With a group, none.
    /// * The empty text is the user `default.uid`.
    ///
    /// ```
    /// use cofferdam_user::{ExecUser, Gid, Uid, UserDb};
    ///
    /// let db = UserDb::from_bytes("web:x:33:34::/srv:\n", "web:x:34:\nlog:x:50:web\n");
    /// let root = ExecUser::new(Uid::ROOT, Gid::ROOT);
    /// let web = db.resolve("web", &root)?;
    /// assert_eq!((web.uid.as_raw(), web.gid.as_raw()), (33, 34));
    /// assert_eq!(web.additional_gids, [Gid::new(50).unwrap()]);
    /// # Ok::<(), cofferdam_user::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`InvalidId`](crate::ErrorKind::InvalidId),
    /// [`InvalidSpec`](crate::ErrorKind::InvalidSpec); [`Malformed`](crate::ErrorKind::Malformed)
    /// if the entry that decides has no valid id; [`TooLarge`](crate::ErrorKind::TooLarge) if a
    /// file breaks a limit.
    pub fn resolve(&self, spec: &str, default: &ExecUser) -> Result<ExecUser> {
        let bad = || Error::from(Repr::BadSpec(spec.to_owned()));
        let (user, group) = match spec.split_once(':') {
            Some((user, group)) => (user, Some(Part::new(group).ok_or_else(bad)?)),
            None => (spec, None),
        };
        let (uid, entry) = if spec.is_empty() {
            (default.uid, self.user_by_id(default.uid)?)
        } else {
            self.find_user(Part::new(user).ok_or_else(bad)?)?
        };
        let mut found = ExecUser {
            uid,
            ..default.clone()
        };
        if let Some(entry) = entry {
            found.gid = entry
                .gid
                .ok_or_else(|| bad_entry("passwd", entry.name, "gid"))?;
            if let Some(home) = entry.home_dir() {
                found.home = home.to_owned();
            }
        }
        match (group, entry) {
            (Some(group), _) => {
                found.gid = self.find_group(group, Repr::NoGroup)?;
                found.additional_gids.clear();
            }
            (None, Some(entry)) => found.additional_gids = self.groups_of(&entry)?,
            (None, None) => {}
        }
        Ok(found)
    }

    /// Turns group names and numbers into ids, without duplicates, in the order of their first
    /// mention.
    ///
    /// # Errors
    /// As [`UserDb::resolve`]; an unknown name is `Unable to find group X: …`.
    pub fn additional_groups<S: AsRef<str>>(&self, groups: &[S]) -> Result<Vec<Gid>> {
        let mut gids = Vec::with_capacity(groups.len());
        for text in groups.iter().map(AsRef::as_ref) {
            let part = Part::new(text).ok_or_else(|| Repr::NoAdditionalGroup(text.to_owned()))?;
            let gid = self.find_group(part, Repr::NoAdditionalGroup)?;
            if !gids.contains(&gid) {
                gids.push(gid);
            }
        }
        Ok(gids)
    }

    fn find_user(&self, user: Part<'_>) -> Result<(Uid, Option<passwd::Entry<'_>>)> {
        match user {
            Part::Id(text) => {
                let uid: Uid = text.parse()?;
                let entry = self.user_by_id(uid)?;
                if entry.is_none() {
                    check_unlisted("uid", uid.as_raw())?;
                }
                Ok((uid, entry))
            }
            Part::Name(name) => {
                let entry = self
                    .user_by_name(name)?
                    .ok_or_else(|| Repr::NoUser(name.to_owned()))?;
                let uid = entry
                    .uid
                    .ok_or_else(|| bad_entry("passwd", entry.name, "uid"))?;
                Ok((uid, Some(entry)))
            }
        }
    }

    fn find_group(&self, group: Part<'_>, missing: fn(String) -> Repr) -> Result<Gid> {
        match group {
            Part::Id(text) => {
                let gid: Gid = text.parse()?;
                if gid.as_raw() > MAX_UNLISTED_ID && self.group_by_id(gid)?.is_none() {
                    check_unlisted("gid", gid.as_raw())?;
                }
                Ok(gid)
            }
            Part::Name(name) => {
                let entry = self
                    .group_by_name(name)?
                    .ok_or_else(|| missing(name.to_owned()))?;
                entry
                    .gid
                    .ok_or_else(|| bad_entry("group", entry.name, "gid"))
            }
        }
    }

    /// The groups that list a user's name, without duplicates; one without valid id gives the user
    /// nothing.
    fn groups_of(&self, user: &passwd::Entry<'_>) -> Result<Vec<Gid>> {
        let mut gids = Vec::new();
        for entry in group::entries(&self.group) {
            let entry = entry?;
            if let Some(gid) = entry.gid
                && !gids.contains(&gid)
                && entry.members().any(|member| member == user.name)
            {
                gids.push(gid);
            }
        }
        Ok(gids)
    }
}

fn check_unlisted(what: &'static str, id: u32) -> Result<()> {
    if id > MAX_UNLISTED_ID {
        return Err(Repr::UnlistedIdTooLarge { what, id }.into());
    }
    Ok(())
}

fn bad_entry(file: &'static str, name: &std::ffi::OsStr, field: &'static str) -> Error {
    Repr::BadEntry {
        file,
        name: name.to_string_lossy().into_owned(),
        field,
    }
    .into()
}

#[cfg(test)]
mod tests;
