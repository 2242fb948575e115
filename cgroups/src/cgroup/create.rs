//! Creating cgroups, and finding those that exist.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::{Cgroup, Driver, Paths};
use crate::dir::Below;
use crate::group_dir::GroupDir;
use crate::{Applied, CgroupSpec, Error, ErrorKind, Hierarchy, Mode, Resources, Result, v1, v2};

/// How often another program may remove a directory above the cgroup while that is made: it was
/// empty until then, and who has made it may be through with it.
const CREATE_RETRIES: usize = 5;

/// Whether a directory is gone that was there a moment ago.
fn was_removed(error: &Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV))
}

impl Cgroup {
    /// Creates the cgroup with its limits: [`prepare`](Self::prepare) and [`set`](Self::set). Look
    /// at the [warnings](Applied::warnings) for limits that are not in force.
    ///
    /// When something fails, the directories made until then are removed again, and a cgroup that
    /// was there has the limits that it had.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare) and [`set`](Self::set). [`ErrorKind::Unsupported`] for a scope
    /// of systemd, which has no limits before its first process: [`prepare`](Self::prepare) it,
    /// [`add`](Self::add) the process, and [`set`](Self::set) the limits.
    pub fn create(
        hierarchy: &Hierarchy,
        spec: &CgroupSpec,
        resources: &Resources,
    ) -> Result<(Self, Applied)> {
        let cgroup = Self::prepare(hierarchy, spec, resources)?;
        if cgroup.needs_first_process() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a scope of systemd has no limits before its first process",
            ));
        }
        let before = cgroup.snapshot(resources);
        let applied = before.and_then(|before| {
            cgroup.set(resources).inspect_err(|_| {
                if let Err(error) = cgroup.restore(&before) {
                    log::debug!("put the limits back: {error}");
                }
            })
        });
        match applied {
            Ok(applied) => Ok((cgroup, applied)),
            Err(error) => {
                cgroup.undo_create();
                Err(error)
            }
        }
    }

    /// Creates the cgroup and prepares it for its first process: controllers are handed down
    /// (cgroup v2), the cpuset gets its CPUs and memory nodes and the real-time budget is set
    /// (cgroup v1).
    ///
    /// **No other limit is in force** before [`set`](Self::set): `resources` is what the
    /// directories are prepared for. [`create`](Self::create) does both.
    ///
    /// With `spec.systemd` a slice is started; a scope only when its first process is
    /// [`add`](Self::add)ed, see [`needs_first_process`](Self::needs_first_process).
    ///
    /// A cgroup that exists is taken over as it is; see [`check_unused`](Self::check_unused). When
    /// something fails, the directories made until then are removed again.
    ///
    /// # Errors
    /// * [`ErrorKind::InvalidConfig`], [`ErrorKind::InvalidPath`]: as [`CgroupSpec::inner_path`];
    ///   `unified` resources on cgroup v1; a threaded cgroup v2 that cannot have the limits.
    /// * [`ErrorKind::Rootless`]: a rootless caller may not create it and limits need it. Without
    ///   limits, and without an explicit path, the result is a cgroup that does not exist, and
    ///   whose operations do nothing.
    /// * [`ErrorKind::NoController`]: device rules, and no `devices` hierarchy (cgroup v1).
    /// * [`ErrorKind::Unsupported`], [`ErrorKind::Systemd`]: `spec.systemd`, and this build has no
    ///   feature `systemd`, or the machine does not run it.
    /// * [`ErrorKind::Io`]: the kernel refused.
    pub fn prepare(
        hierarchy: &Hierarchy,
        spec: &CgroupSpec,
        resources: &Resources,
    ) -> Result<Self> {
        if spec.systemd {
            #[cfg(feature = "systemd")]
            return Self::create_by_unit(hierarchy, spec, resources);
            #[cfg(not(feature = "systemd"))]
            return Err(crate::spec::systemd_missing());
        }
        let create = || {
            Ok(match hierarchy.mode() {
                Mode::V2 => Driver::V2(v2::Group::create(hierarchy, spec, resources)?),
                Mode::V1 | Mode::Hybrid => {
                    Driver::V1(v1::Group::create(hierarchy, spec, resources)?)
                }
            })
        };
        let mut created = create();
        for _ in 0..CREATE_RETRIES {
            match &created {
                Err(error) if was_removed(error) => created = create(),
                _ => break,
            }
        }
        Ok(Self::new(hierarchy, created?, spec.rootless))
    }

    /// Removes the directories that [`prepare`](Self::prepare) has made rather than found, as far
    /// as no process uses them: for a caller who may not have the cgroup after all, because
    /// [`check_unused`](Self::check_unused) says that it is another's. On cgroup v1 that may have
    /// been there in some hierarchies only.
    ///
    /// Nothing happens to a unit of systemd.
    pub fn undo_create(&self) {
        #[cfg(feature = "systemd")]
        if self.unit.is_some() {
            return;
        }
        match &self.driver {
            Driver::V1(group) => group.undo_create(&self.hierarchy),
            Driver::V2(group) => group.undo_create(&self.hierarchy),
        }
    }

    /// The cgroup at `path` below the root of the hierarchies (`/my-job`), made by whom it may: to
    /// be measured, watched, or joined. On cgroup v1 it is the one of this path in every
    /// hierarchy. It need not exist, see [`exists`](Self::exists);
    /// [`of_process`](Self::of_process) finds the one of a process.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidPath`] for a path that is relative, or that names the root.
    pub fn open(hierarchy: &Hierarchy, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if !path.is_absolute() {
            return Err(Error::new(
                ErrorKind::InvalidPath,
                format_args!("cgroup path {} is not absolute", path.display()),
            ));
        }
        Self::intended(hierarchy, &CgroupSpec::at(path))
    }

    /// The cgroup that [`prepare`](Self::prepare) would make; nothing is made.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare), as far as they come from `spec` or from finding its place.
    pub fn intended(hierarchy: &Hierarchy, spec: &CgroupSpec) -> Result<Self> {
        if spec.systemd {
            #[cfg(feature = "systemd")]
            return Self::described_by_unit(hierarchy, spec, &Resources::default());
            #[cfg(not(feature = "systemd"))]
            return Err(crate::spec::systemd_missing());
        }
        let inner = spec.inner_path()?;
        let driver = match hierarchy.mode() {
            Mode::V2 => {
                let path = v2::path_for(hierarchy, &inner)?;
                Driver::V2(v2::Group::at(GroupDir::new(
                    hierarchy,
                    path,
                    Below::Unified,
                )))
            }
            Mode::V1 | Mode::Hybrid => {
                let member = |v1| {
                    let place = v1::place(hierarchy, v1, &inner)?;
                    Ok(v1::Member::new(
                        v1,
                        GroupDir::new(hierarchy, place, Below::V1),
                    ))
                };
                let members = hierarchy.v1().iter().map(member).collect::<Result<_>>()?;
                Driver::V1(v1::Group::from_members(members))
            }
        };
        Ok(Self::new(hierarchy, driver, spec.rootless))
    }

    /// The cgroup with these [`paths`](Self::paths), which were stored when it was created. It need
    /// not exist any more, but every path has to be in a hierarchy that is mounted here: a process
    /// that joins must not stay outside of one, and removing must not overlook one.
    ///
    /// # Errors
    /// [`ErrorKind::InconsistentPaths`] on cgroup v2 for anything but one absolute path without
    /// `.` and `..`, on v1 for two paths in one hierarchy; [`ErrorKind::NotMounted`] for a
    /// controller that no hierarchy here has; [`ErrorKind::InvalidPath`] for a path that is not
    /// below the hierarchies.
    pub fn load(hierarchy: &Hierarchy, paths: &Paths) -> Result<Self> {
        let driver = match hierarchy.mode() {
            Mode::V2 => {
                let mut all = paths.values();
                let (Some(path), None) = (all.next(), all.next()) else {
                    return Err(inconsistent(paths));
                };
                if !path.is_absolute() || crate::spec::clean(path) != *path {
                    return Err(inconsistent(paths));
                }
                Driver::V2(v2::Group::at(GroupDir::at(
                    hierarchy,
                    path,
                    Below::Unified,
                )?))
            }
            Mode::V1 | Mode::Hybrid => {
                Driver::V1(v1::Group::from_members(recorded_members(hierarchy, paths)?))
            }
        };
        Ok(Self::new(hierarchy, driver, false))
    }

    /// As [`load`](Self::load), for a cgroup that was created with this `spec`: when that names a
    /// unit of systemd, limits are set on the unit, and it is stopped by [`delete`](Self::delete).
    ///
    /// # Errors
    /// As [`load`](Self::load); [`ErrorKind::InvalidConfig`] for a name that no unit can have;
    /// [`ErrorKind::Unsupported`] without feature `systemd`.
    pub fn load_as(hierarchy: &Hierarchy, paths: &Paths, spec: &CgroupSpec) -> Result<Self> {
        let mut cgroup = Self::load(hierarchy, paths)?;
        cgroup.rootless = spec.rootless;
        if spec.systemd {
            #[cfg(feature = "systemd")]
            return cgroup.with_existing_unit(spec);
            #[cfg(not(feature = "systemd"))]
            return Err(crate::spec::systemd_missing());
        }
        Ok(cgroup)
    }

    /// The cgroup in which the process `pid` is now.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] without such a process, or when its cgroup lies outside of what this
    /// process can see (another cgroup namespace).
    pub fn of_process(hierarchy: &Hierarchy, pid: u32) -> Result<Self> {
        let membership = hierarchy.membership_of(pid)?;
        let invisible = |path: &Path| {
            Error::new(
                ErrorKind::NotFound,
                format_args!("cgroup {} of process {pid} is not visible", path.display()),
            )
        };
        let visible = |path: &Path| {
            let hidden = path.components().any(|part| part.as_os_str() == "..");
            if hidden { Err(invisible(path)) } else { Ok(()) }
        };
        let driver = match hierarchy.mode() {
            Mode::V2 => {
                let path = membership
                    .path_of("")
                    .ok_or_else(|| invisible(Path::new("")))?;
                visible(path)?;
                let relative = crate::spec::relative(path);
                Driver::V2(v2::Group::at(GroupDir::new(
                    hierarchy,
                    relative,
                    Below::Unified,
                )))
            }
            Mode::V1 | Mode::Hybrid => {
                let mut members = Vec::new();
                for v1 in hierarchy.v1() {
                    let first = v1.controllers.first().map_or("", String::as_str);
                    let Some(path) = membership.path_of(first) else {
                        continue;
                    };
                    visible(path)?;
                    let inside = hierarchy.below_mount(v1, path)?;
                    let place = Path::new(&v1.directory).join(inside);
                    members.push(v1::Member::new(
                        v1,
                        GroupDir::new(hierarchy, place, Below::V1),
                    ));
                }
                Driver::V1(v1::Group::from_members(members))
            }
        };
        Ok(Self::new(hierarchy, driver, false))
    }

    /// A cgroup at or below this one, which must exist to be of use: what a process joins that is
    /// executed in a sub-cgroup of a container.
    ///
    /// The key is a controller, the value the path below its directory. The empty key means
    /// all controllers, and is the only one on cgroup v2. An empty map is this cgroup itself.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidPath`]: `bad sub cgroup path: X` for a path that would lead elsewhere;
    /// `unknown controller X in SubCgroupPaths`.
    pub fn sub_cgroup(&self, paths: &BTreeMap<String, PathBuf>) -> Result<Self> {
        let below = |group_dir: &GroupDir, sub: Option<&PathBuf>| {
            let sub = sub.map_or(Path::new(""), PathBuf::as_path);
            Ok(GroupDir::new(
                &self.hierarchy,
                group_dir.relative().join(sub_path(sub)?),
                group_dir.below(),
            ))
        };
        let unknown = |name: &str| {
            Error::new(
                ErrorKind::InvalidPath,
                format_args!("unknown controller {name} in SubCgroupPaths"),
            )
        };
        let driver = match &self.driver {
            Driver::V2(group) => {
                if let Some(name) = paths.keys().find(|name| !name.is_empty()) {
                    return Err(unknown(name));
                }
                Driver::V2(v2::Group::at(below(&group.group_dir, paths.get(""))?))
            }
            Driver::V1(group) => {
                if !paths.contains_key("")
                    && let Some(name) = paths.keys().find(|name| group.member(name).is_none())
                {
                    return Err(unknown(name));
                }
                let members = group.members().iter().map(|member| {
                    let own = member.controllers.iter().find_map(|name| paths.get(name));
                    Ok(v1::Member {
                        controllers: member.controllers.clone(),
                        group_dir: below(&member.group_dir, paths.get("").or(own))?,
                    })
                });
                Driver::V1(v1::Group::from_members(members.collect::<Result<_>>()?))
            }
        };
        let sub = Self::new(&self.hierarchy, driver, self.rootless);
        #[cfg(feature = "systemd")]
        let sub = Self {
            unit: self
                .unit
                .as_ref()
                .map(|unit| unit.below(paths))
                .transpose()?,
            ..sub
        };
        Ok(sub)
    }
}

/// The directories that `paths` names, each in its hierarchy.
fn recorded_members(hierarchy: &Hierarchy, paths: &Paths) -> Result<Vec<v1::Member>> {
    let mut left: BTreeMap<_, _> = paths
        .iter()
        .filter(|(_, path)| !path.as_os_str().is_empty())
        .collect();
    let mut members = Vec::new();
    for v1 in hierarchy.v1() {
        let mut recorded = v1.controllers.iter().filter_map(|name| left.remove(name));
        let Some(path) = recorded.next() else {
            continue;
        };
        if recorded.any(|other| other != path) {
            return Err(inconsistent(paths));
        }
        let group_dir = GroupDir::at(hierarchy, path, Below::V1)?;
        members.push(v1::Member::new(v1, group_dir));
    }
    let Some((name, path)) = left.into_iter().next() else {
        return Ok(members);
    };
    let what = if name.is_empty() {
        "cgroup v2 is".to_owned()
    } else {
        format!("the cgroup hierarchy of {name} is")
    };
    Err(Error::new(
        ErrorKind::NotMounted,
        format_args!(
            "{what} not mounted below {}, and {} is in it",
            hierarchy.path().display(),
            path.display()
        ),
    ))
}

fn inconsistent(paths: &Paths) -> Error {
    Error::new(
        ErrorKind::InconsistentPaths,
        format_args!("inconsistent paths: {paths:?}"),
    )
}

/// A path below a cgroup: never above it, nor beside it.
pub(super) fn sub_path(path: &Path) -> Result<PathBuf> {
    let bad = || {
        Error::new(
            ErrorKind::InvalidPath,
            format_args!("bad sub cgroup path: {}", path.display()),
        )
    };
    let mut inside = PathBuf::new();
    for part in path.components() {
        let stays = match part {
            Component::Normal(name) => {
                inside.push(name);
                true
            }
            Component::ParentDir => inside.pop(),
            // "/" is the top of the container's own cgroup.
            _ => true,
        };
        if !stays {
            return Err(bad());
        }
    }
    if path.as_os_str().as_encoded_bytes().contains(&0) {
        return Err(bad());
    }
    Ok(inside)
}
