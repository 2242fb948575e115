use std::path::{Component, Path, PathBuf};

use crate::{Error, ErrorKind, Result};

/// Which cgroup to create, and by which means.
///
/// Either `path`, or `name` with an optional `parent`. An absolute path starts at the root of the
/// hierarchy. A relative one starts at the cgroup of the calling process on v1, and at its parent
/// on v2, where a cgroup with processes cannot hand controllers to children.
///
/// ```
/// use cofferdam_cgroups::CgroupSpec;
///
/// let spec = CgroupSpec { path: Some("/lab/../a/b".into()), ..CgroupSpec::default() };
/// assert_eq!(spec.inner_path()?.to_str(), Some("/a/b"));
/// # Ok::<(), cofferdam_cgroups::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CgroupSpec {
    /// The name of the cgroup below `parent`; with systemd, the unit's name without prefix.
    pub name: Option<String>,
    /// The parent cgroup; with systemd, the slice.
    pub parent: Option<PathBuf>,
    /// The whole path, instead of name and parent.
    pub path: Option<PathBuf>,
    /// The calling user is not root, or its cgroups are not its own: what it may not do is left
    /// out, as long as nothing was asked for that needs it.
    pub rootless: bool,
    /// Let systemd create the cgroup as a transient unit. Needs feature `systemd`.
    pub systemd: bool,
    /// With systemd: what comes before the name in `PREFIX-NAME.scope`.
    pub scope_prefix: String,
    /// With systemd on cgroup v2: the user who gets the cgroup (delegation).
    pub owner_uid: Option<u32>,
    /// With systemd: further properties of the unit, as (name, value in GVariant text format).
    pub systemd_properties: Vec<(String, String)>,
}

impl CgroupSpec {
    /// A cgroup called `name` at the default place.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            ..Self::default()
        }
    }

    /// The cgroup with this path.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: Some(path.into()),
            ..Self::default()
        }
    }

    /// The path below the hierarchy's root (absolute) or below the default place (relative), with
    /// `.` and `..` resolved lexically and never beyond the top.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] when both or neither of path and name are given;
    /// [`ErrorKind::InvalidPath`] when it has a NUL byte or names the top itself.
    pub fn inner_path(&self) -> Result<PathBuf> {
        let named = self.name.as_deref().is_some_and(|name| !name.is_empty())
            || self.parent.as_deref().is_some_and(has_text);
        let path = self.path.as_deref().filter(|path| has_text(path));
        let inner = match (path, named) {
            (Some(path), false) => clean(path),
            (None, true) => {
                let parent = clean(self.parent.as_deref().unwrap_or(Path::new("")));
                parent.join(relative(self.name.as_deref().unwrap_or_default().as_ref()))
            }
            _ => {
                return Err(Error::new(
                    ErrorKind::InvalidConfig,
                    "cgroup: either Path or Name and Parent should be used",
                ));
            }
        };
        if inner.as_os_str().as_encoded_bytes().contains(&0) {
            return Err(Error::new(
                ErrorKind::InvalidPath,
                format_args!("cgroup path {inner:?} contains a NUL byte"),
            ));
        }
        if !inner
            .components()
            .any(|part| matches!(part, Component::Normal(_)))
        {
            return Err(Error::new(
                ErrorKind::InvalidPath,
                "cgroup path names the root of the hierarchy",
            ));
        }
        Ok(inner)
    }
}

/// Why systemd cannot be asked for a cgroup.
pub(crate) fn systemd_missing() -> Error {
    if Path::new("/run/systemd/system").is_dir() {
        Error::new(
            ErrorKind::Unsupported,
            "this build has no systemd cgroups manager",
        )
    } else {
        Error::new(
            ErrorKind::Systemd,
            "systemd not running on this host, cannot use systemd cgroups manager",
        )
    }
}

fn has_text(path: &Path) -> bool {
    !path.as_os_str().is_empty()
}

/// Resolves `.` and `..` as if the path started at the root; an absolute path stays absolute.
pub(crate) fn clean(path: &Path) -> PathBuf {
    let inside = relative(path);
    if path.has_root() {
        Path::new("/").join(inside)
    } else {
        inside
    }
}

/// As [`clean`], without the leading slash.
pub(crate) fn relative(path: &Path) -> PathBuf {
    let mut inside = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => inside.push(name),
            Component::ParentDir => {
                inside.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    inside
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn inner(spec: &CgroupSpec) -> String {
        spec.inner_path().unwrap().display().to_string()
    }

    #[test]
    fn path_or_name() {
        assert_eq!(inner(&CgroupSpec::at("/a/b/")), "/a/b");
        assert_eq!(inner(&CgroupSpec::named("ctr")), "ctr");
        let mut both = CgroupSpec::named("ctr");
        both.parent = Some("/pods".into());
        assert_eq!(inner(&both), "/pods/ctr");
        both.path = Some("/x".into());
        for wrong in [both, CgroupSpec::default()] {
            let error = wrong.inner_path().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert_eq!(
                error.to_string(),
                "cgroup: either Path or Name and Parent should be used"
            );
        }
    }

    #[test]
    fn dots_cannot_climb() {
        assert_eq!(inner(&CgroupSpec::at("../../../a")), "a");
        assert_eq!(inner(&CgroupSpec::at("/../../../a/../b")), "/b");
        let mut spec = CgroupSpec::named("../../ctr");
        spec.parent = Some("/../pods/../..".into());
        assert_eq!(inner(&spec), "/ctr");
        spec.parent = Some("../../pods".into());
        assert_eq!(inner(&spec), "pods/ctr");
    }

    #[test]
    fn the_root_and_nul_are_refused() {
        for path in ["/", "..", "/a/..", "./", "a\0b"] {
            let error = CgroupSpec::at(path).inner_path().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidPath, "{path:?}");
        }
    }

    proptest! {
        #[test]
        fn cleaned_paths_have_only_names(path in "[/.a-c]{0,24}") {
            let cleaned = clean(Path::new(&path));
            prop_assert_eq!(cleaned.has_root(), path.starts_with('/'));
            prop_assert!(cleaned.components().all(
                |part| matches!(part, Component::Normal(_) | Component::RootDir)
            ));
        }
    }
}
