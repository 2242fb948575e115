//! A user and groups that are given by name.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use user::{ExecUser, Gid, Uid, UserDb};

use crate::error::{Error, ErrorKind, Result};

/// What is to be looked up in the `/etc/passwd` and `/etc/group` of the container.
#[derive(Debug, Default)]
pub(crate) struct UserNames {
    /// `user[:group]`, both by name or number.
    pub(crate) user: Option<String>,
    /// Supplementary groups, by name or number.
    pub(crate) groups: Vec<String>,
}

/// Ids that take the place of names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ids {
    /// User, group and supplementary groups, if a user was named.
    pub(crate) user: Option<(u32, u32, Vec<u32>)>,
    /// Further supplementary groups.
    pub(crate) groups: Vec<u32>,
}

impl UserNames {
    pub(crate) fn is_empty(&self) -> bool {
        self.user.is_none() && self.groups.is_empty()
    }

    /// Looks them up in the files below a directory.
    pub(crate) fn look_up(&self, root: &OwnedFd) -> Result<Ids> {
        let failed = |error| Error::with(ErrorKind::InvalidConfig, "process.user", error);
        let numbers = |gids: &[Gid]| gids.iter().map(|gid| gid.as_raw()).collect();
        let files = UserDb::open_at(root.as_fd()).map_err(failed)?;
        let find = |spec: &String| {
            let root = ExecUser::new(Uid::ROOT, Gid::ROOT);
            let found = files.resolve(spec, &root).map_err(failed)?;
            let groups = numbers(&found.additional_gids);
            Ok::<_, Error>((found.uid.as_raw(), found.gid.as_raw(), groups))
        };
        Ok(Ids {
            user: self.user.as_ref().map(find).transpose()?,
            groups: numbers(&files.additional_groups(&self.groups).map_err(failed)?),
        })
    }
}

/// The root file system of a container to be made.
pub(crate) fn root_file_system(path: &str) -> Result<OwnedFd> {
    rustix::fs::open(path, DIRECTORY, Mode::empty())
        .map_err(|errno| Error::system(format!("open the root file system {path}"), errno))
}

/// The root directory of a process.
pub(crate) fn root_of(procfs: impl AsFd, pid: i32) -> Result<OwnedFd> {
    rustix::fs::openat(procfs, format!("{pid}/root"), DIRECTORY, Mode::empty())
        .map_err(|errno| Error::system("open the root directory of the container", errno))
}

const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        let passwd = "root:x:0:0::/root:\nweb:x:33:34::/srv:\n";
        std::fs::write(root.path().join("etc/passwd"), passwd).unwrap();
        let group = "root:x:0:\nweb:x:34:\nlog:x:50:web\nadm:x:4:\n";
        std::fs::write(root.path().join("etc/group"), group).unwrap();
        root
    }

    fn looked_up(user: Option<&str>, groups: &[&str]) -> Result<Ids> {
        let root = root();
        let names = UserNames {
            user: user.map(str::to_owned),
            groups: groups.iter().map(ToString::to_string).collect(),
        };
        names.look_up(&root_file_system(root.path().to_str().unwrap())?)
    }

    #[test]
    fn names_are_those_of_the_files_below_the_root() {
        let user = |user: Option<&str>, groups: &[&str]| {
            let ids = looked_up(user, groups).unwrap();
            (ids.user, ids.groups)
        };
        let web = Some((33, 34, vec![50]));
        assert_eq!(user(Some("web"), &[]), (web, vec![]));
        let adm = Some((33, 4, vec![]));
        assert_eq!(
            user(Some("web:adm"), &["log", "7", "log"]),
            (adm, vec![50, 7])
        );
        let unlisted = Some((1000, 0, vec![]));
        assert_eq!(user(Some("1000"), &[]), (unlisted, vec![]));
        assert_eq!(user(None, &["adm"]), (None, vec![4]));
    }

    #[test]
    fn a_name_that_is_not_in_the_files_is_an_error_that_names_it() {
        for error in [
            looked_up(Some("absent"), &[]).unwrap_err(),
            looked_up(None, &["absent"]).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert!(error.chain().contains("absent"), "{}", error.chain());
        }
    }
}
