//! Whether recorded cgroups are known to run, without a look for the hierarchies.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustix::fs::OFlags;

use crate::dir::{Below, Dir};
use crate::hierarchy::{SYSTEM_ROOT, file_system, open_directory};
use crate::{Hierarchy, Paths, Result, v1, v2};

/// A first look at the freezers of recorded cgroups, for callers who want to know nothing else: the
/// cgroup hierarchies are not looked for, which takes some twenty system calls on cgroup v1.
///
/// Holds the directory `/sys/fs/cgroup` open.
#[derive(Debug)]
pub struct RecordedFreezers {
    root: Arc<Dir>,
    /// Whether the root is of cgroup v2, found out when it is first needed.
    unified: OnceLock<bool>,
}

impl RecordedFreezers {
    /// Those of this machine. `None` where `/sys/fs/cgroup` cannot be opened.
    #[must_use]
    pub fn system() -> Option<Self> {
        let root = open_directory(Path::new(SYSTEM_ROOT)).ok()?;
        Some(Self {
            root: Arc::new(root),
            unified: OnceLock::new(),
        })
    }

    /// Whether the freezer of the cgroup that has these paths is there and off: `freezer.state` of
    /// cgroup v1 says `THAWED`, or else `cgroup.freeze` of v2 says `0`.
    ///
    /// `false` where that is not certain, for whatever reason: then
    /// [`Cgroup::freezer_state`](crate::Cgroup::freezer_state) has the answer.
    #[must_use]
    pub fn is_off(&self, paths: &Paths) -> bool {
        match (paths.get("freezer"), paths.get("")) {
            (Some(path), _) => self.says(path, Below::V1, v1::freezer::FILE, v1::freezer::THAWED),
            (None, Some(path)) => self.says(path, Below::Unified, v2::freezer::FILE, "0"),
            (None, None) => false,
        }
    }

    /// What [`Hierarchy::system`] finds, with less effort.
    ///
    /// # Errors
    /// Those of [`Hierarchy::system`].
    pub fn hierarchy(&self) -> Result<Hierarchy> {
        Hierarchy::of_root(Arc::clone(&self.root), self.unified.get().copied())
    }

    fn says(&self, path: &Path, below: Below, name: &str, off: &str) -> bool {
        let Some(path) = below_root(path) else {
            return false;
        };
        let Ok(Some(file)) = self.root.open_below(path, below, name, OFlags::RDONLY) else {
            return false;
        };
        let right = match below {
            // The way from the root crosses no mount.
            Below::Unified => *self.unified.get_or_init(|| {
                let found = file_system(&*self.root, self.root.path());
                found.is_ok_and(|found| found == libc::CGROUP2_SUPER_MAGIC)
            }),
            // Something else may be mounted over the cgroup.
            Below::V1 => {
                file_system(&file, path).is_ok_and(|found| found == libc::CGROUP_SUPER_MAGIC)
            }
        };
        right && says_only(file, off)
    }
}

/// The part of a path below the root of the hierarchies, if it has names alone.
fn below_root(path: &Path) -> Option<&Path> {
    let relative = path
        .to_str()?
        .strip_prefix(SYSTEM_ROOT)?
        .strip_prefix('/')?;
    let is_name = |part| !matches!(part, "" | "." | "..");
    relative
        .split('/')
        .all(is_name)
        .then_some(Path::new(relative))
}

/// Whether a file has this one line.
fn says_only(file: OwnedFd, line: &str) -> bool {
    let mut text = [0; 16];
    let read = rustix::io::read(file, &mut text);
    let text = read.ok().and_then(|count| text.get(..count));
    text.is_some_and(|text| text.trim_ascii_end() == line.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_below_the_root_has_names_alone() {
        let below = |path| below_root(Path::new(path)).map(|path| path.to_str().unwrap());
        assert_eq!(below("/sys/fs/cgroup/freezer/x"), Some("freezer/x"));
        assert_eq!(below("/sys/fs/cgroup/x"), Some("x"));
        for path in [
            "/sys/fs/cgroup",
            "/sys/fs/cgroup/",
            "/sys/fs/cgroups/x",
            "/sys/fs/cgroup//x",
            "/sys/fs/cgroup/x/",
            "/sys/fs/cgroup/./x",
            "/sys/fs/cgroup/x/../y",
            "x",
        ] {
            assert_eq!(below(path), None, "{path}");
        }
    }

    fn freezers(root: &Path) -> RecordedFreezers {
        RecordedFreezers {
            root: Arc::new(open_directory(root).unwrap()),
            unified: OnceLock::new(),
        }
    }

    #[test]
    fn a_file_that_is_not_of_cgroupfs_says_nothing() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("x")).unwrap();
        std::fs::write(root.path().join("x/freezer.state"), "THAWED\n").unwrap();
        std::fs::write(root.path().join("x/cgroup.freeze"), "0\n").unwrap();
        let freezers = freezers(root.path());
        let path = Path::new(SYSTEM_ROOT).join("x");
        for controller in ["freezer", ""] {
            let paths = [(controller.to_owned(), path.clone())].into();
            assert!(!freezers.is_off(&paths));
        }
        let file = || {
            std::fs::File::open(root.path().join("x/freezer.state"))
                .unwrap()
                .into()
        };
        assert!(says_only(file(), "THAWED"));
        assert!(!says_only(file(), "THAW"));
        assert!(!says_only(file(), "0"));
    }
}
