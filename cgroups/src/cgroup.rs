use std::{
    collections::BTreeMap,
    os::fd::{BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    CgroupSpec, Error, ErrorKind, FreezerState, Hierarchy, HierarchyMount, Resources, Result, Stats,
};

/// The directories of a cgroup by controller, as `state.json` stores them: on cgroup v1 one per
/// controller (with `name=systemd`, and an empty name for the hybrid hierarchy), on v2 one with the
/// empty name.
pub type Paths = BTreeMap<String, PathBuf>;

/// A cgroup: one directory on cgroup v2, one per hierarchy on v1.
#[derive(Debug)]
pub struct Cgroup {
    hierarchy: Hierarchy,
}

/// What [`Cgroup::set`] did beside writing the values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Applied {
    /// What was asked for and is not in force.
    pub warnings: Vec<Warning>,
}

/// Something that was asked for, is not in force, and is no error.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warning {
    /// The setting, by the name of its field or file.
    pub setting: String,
    /// Why it is not in force.
    pub reason: String,
}

/// Thaws the cgroup when it goes out of scope; see [`Cgroup::freeze_guard`].
#[derive(Debug)]
#[must_use = "the cgroup is thawed when the guard is dropped"]
pub struct Frozen<'a> {
    cgroup: &'a Cgroup,
}

fn unsupported<T>() -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported, "not available yet"))
}

impl Cgroup {
    /// Creates the cgroup, and prepares it for its first process: controllers are enabled, the cpuset is filled, real-time
    /// settings are written. Other limits are written by [`set`](Self::set).
    ///
    /// # Errors
    /// See [`ErrorKind`].
    pub fn create(hierarchy: &Hierarchy, spec: &CgroupSpec, resources: &Resources) -> Result<Self> {
        let _ = (hierarchy, spec, resources);
        unsupported()
    }

    /// A cgroup that was created earlier, by its [`paths`](Self::paths). The directories need not exist any more.
    ///
    /// # Errors
    /// [`ErrorKind::InconsistentPaths`]
    pub fn load(hierarchy: &Hierarchy, paths: &Paths) -> Result<Self> {
        let _ = (hierarchy, paths);
        unsupported()
    }

    /// The cgroup in which the process `pid` is.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] without such a process.
    pub fn of_process(hierarchy: &Hierarchy, pid: u32) -> Result<Self> {
        let _ = (hierarchy, pid);
        unsupported()
    }

    /// An existing cgroup below this one, for exec. Key: controller, or "" for all of them.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidPath`] `bad sub cgroup path: X`.
    pub fn sub_cgroup(&self, paths: &BTreeMap<String, PathBuf>) -> Result<Self> {
        let _ = paths;
        unsupported()
    }

    /// The hierarchy it belongs to.
    #[must_use]
    pub fn hierarchy(&self) -> &Hierarchy {
        &self.hierarchy
    }

    /// Leave out, instead of failing on, what a rootless caller may not do. Loaded cgroups start with `false`.
    pub fn set_rootless(&mut self, rootless: bool) {
        let _ = rootless;
    }

    /// The directories by controller.
    #[must_use]
    pub fn paths(&self) -> Paths {
        Paths::new()
    }

    /// The path of one controller's directory; on cgroup v2 the answer is always the same.
    #[must_use]
    pub fn path(&self, controller: &str) -> Option<&Path> {
        let _ = controller;
        None
    }

    /// The cgroup v2 directory, for `CLONE_INTO_CGROUP`. `None` on cgroup v1, and if there is none. On a hybrid machine it is the directory in `unified`.
    #[must_use]
    pub fn dir(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Whether it is there.
    #[must_use]
    pub fn exists(&self) -> bool {
        false
    }

    /// The `tasks` files of the v1 hierarchies, open for writing: a process with one thread joins by writing `0`.
    ///
    /// # Errors
    /// When one cannot be opened.
    pub fn self_join_files(&self) -> Result<Vec<(String, OwnedFd)>> {
        unsupported()
    }

    /// Moves a process into the cgroup.
    ///
    /// # Errors
    /// `failed to write PID: …`.
    pub fn add(&self, pid: u32) -> Result<()> {
        let _ = pid;
        unsupported()
    }

    /// Writes the limits.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    pub fn set(&self, resources: &Resources) -> Result<Applied> {
        let _ = resources;
        unsupported()
    }

    /// Reads what the controllers count.
    ///
    /// # Errors
    /// Parse errors.
    pub fn stats(&self) -> Result<Stats> {
        unsupported()
    }

    /// Stops all processes and waits until they stand.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`].
    pub fn freeze(&self) -> Result<()> {
        unsupported()
    }

    /// Lets all processes run.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    pub fn thaw(&self) -> Result<()> {
        unsupported()
    }

    /// As [`freeze`](Self::freeze), until the guard is dropped.
    ///
    /// # Errors
    /// As [`freeze`](Self::freeze).
    pub fn freeze_guard(&self) -> Result<Frozen<'_>> {
        self.freeze()?;
        Ok(Frozen { cgroup: self })
    }

    /// Whether the processes are stopped; `None` without a freezer.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    pub fn freezer_state(&self) -> Result<Option<FreezerState>> {
        unsupported()
    }

    /// Kills every process in the cgroup and below.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when the cgroup is gone.
    pub fn kill(&self) -> Result<()> {
        unsupported()
    }

    /// The processes in the cgroup itself.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    pub fn processes(&self) -> Result<Vec<u32>> {
        unsupported()
    }

    /// The processes in the cgroup and all below.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    pub fn all_processes(&self) -> Result<Vec<u32>> {
        unsupported()
    }

    /// That a new container may use it: no process, not frozen. (`container's cgroup is not empty: N process(es) found`, `container's cgroup unexpectedly frozen`)
    ///
    /// # Errors
    /// [`ErrorKind::NotEmpty`], [`ErrorKind::Frozen`].
    pub fn check_unused(&self) -> Result<()> {
        unsupported()
    }

    /// How many processes were killed because memory ran out.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    pub fn oom_kill_count(&self) -> Result<u64> {
        unsupported()
    }

    /// Removes the cgroup and all below, waiting up to `budget` for it to become empty.
    ///
    /// # Errors
    /// [`ErrorKind::NotEmpty`] with the pids still inside.
    pub fn delete(&self, budget: Duration) -> Result<()> {
        let _ = budget;
        unsupported()
    }

    /// What it takes to mount the v1 hierarchies inside a container. Empty on cgroup v2.
    #[must_use]
    pub fn mounts(&self) -> Vec<HierarchyMount<'_>> {
        Vec::new()
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.cgroup.thaw() {
            log::debug!("thaw: {error}");
        }
    }
}
