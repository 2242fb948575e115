use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::dir::Dir;
use crate::open_files::DescriptorBudget;
use crate::stats::Controllers;
use crate::{
    Applied, Error, ErrorKind, FreezerState, Hierarchy, HierarchyMount, Mode, Resources, Result,
    Stats, kill, processes, v1, v2,
};

mod create;
#[cfg(feature = "systemd")]
mod systemd_unit;
mod watch;

/// The directories of a cgroup by controller, as `state.json` stores them: on cgroup v1 one per
/// controller (with `name=systemd`, and an empty name for the hybrid hierarchy), on v2 one with the
/// empty name.
pub type Paths = BTreeMap<String, PathBuf>;

/// A cgroup: one directory on cgroup v2, one per hierarchy on v1.
///
/// Directories are opened when they are first needed and stay open as long as the value lives. On
/// cgroup v1, where statistics are many small files, so do up to 12 of these once they were read.
/// Dropping the value leaves the cgroup as it is.
///
/// When a cgroup is removed, and one of the same name is made, values that have opened the old one
/// are not for the new one.
#[derive(Debug)]
pub struct Cgroup {
    pub(crate) hierarchy: Hierarchy,
    pub(crate) driver: Driver,
    rootless: bool,
    /// The unit of systemd that the cgroup belongs to.
    #[cfg(feature = "systemd")]
    unit: Option<systemd_unit::SystemdUnit>,
}

#[derive(Debug)]
pub(crate) enum Driver {
    V1(v1::Group),
    V2(v2::Group),
}

/// Thaws the cgroup when it goes out of scope; see [`Cgroup::freeze_guard`].
#[derive(Debug)]
#[must_use = "the cgroup is thawed when the guard is dropped"]
pub struct Frozen<'a> {
    cgroup: &'a Cgroup,
}

impl Cgroup {
    fn new(hierarchy: &Hierarchy, driver: Driver, rootless: bool) -> Self {
        let mut cgroup = Self {
            hierarchy: hierarchy.clone(),
            driver,
            rootless,
            #[cfg(feature = "systemd")]
            unit: None,
        };
        if hierarchy.mode() != Mode::V2 {
            cgroup.keep_files(&Arc::new(DescriptorBudget::new(v1::KEPT_FILES)));
        }
        cgroup
    }

    /// Whether the cgroup only comes into being with the first process that is
    /// [`add`](Self::add)ed: so it is with a scope of systemd, which cannot be without. Until then
    /// [`dir`](Self::dir) returns none to clone into, and limits cannot be [`set`](Self::set).
    #[must_use]
    pub fn needs_first_process(&self) -> bool {
        #[cfg(feature = "systemd")]
        if let Some(unit) = &self.unit {
            return unit.is_waiting();
        }
        false
    }

    /// Closes all directories and files that are open, for a caller who is short of descriptors.
    /// They are opened again when they are needed: if the cgroup was removed and made anew
    /// meanwhile, those of the new one.
    pub fn close_directories(&mut self) {
        match &mut self.driver {
            Driver::V2(group) => group.group_dir.close(),
            Driver::V1(group) => group.close(),
        }
    }

    /// The hierarchy it belongs to.
    #[must_use]
    pub fn hierarchy(&self) -> &Hierarchy {
        &self.hierarchy
    }

    /// Whether to leave out, instead of failing on, what a rootless caller may not do. A cgroup
    /// from [`load`](Self::load) starts without.
    pub fn set_rootless(&mut self, rootless: bool) {
        self.rootless = rootless;
    }

    /// The directories by controller, to be stored for [`load`](Self::load).
    #[must_use]
    pub fn paths(&self) -> Paths {
        match &self.driver {
            Driver::V2(group) => Paths::from([(String::new(), group.group_dir.path().to_owned())]),
            Driver::V1(group) => group
                .members()
                .iter()
                .flat_map(|member| {
                    let path = member.group_dir.path();
                    let names = member.controllers.iter();
                    names.map(move |name| (name.clone(), path.to_owned()))
                })
                .collect(),
        }
    }

    /// The directory of one controller. On cgroup v2 the answer is the same for every controller;
    /// on v1 it is `None` for one that the cgroup does not have.
    #[must_use]
    pub fn path(&self, controller: &str) -> Option<&Path> {
        match &self.driver {
            Driver::V2(group) => Some(group.group_dir.path()),
            Driver::V1(group) => group
                .member(controller)
                .map(|member| member.group_dir.path()),
        }
    }

    /// The cgroup v2 directory, for clone3(2) with `CLONE_INTO_CGROUP`: the new process is never
    /// anywhere else, and no lock of the whole system is taken. On a hybrid machine it is the
    /// directory below `unified`.
    ///
    /// `None` on plain cgroup v1, when the directory does not exist, and before a unit of systemd
    /// has its first process.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], [`ErrorKind::InvalidPath`] when it cannot be opened, or is covered by
    /// another mount: a process that is started elsewhere for want of it would be without limits.
    pub fn dir(&self) -> Result<Option<BorrowedFd<'_>>> {
        if self.needs_first_process() {
            // What may be there is left from an earlier unit of the same name.
            return Ok(None);
        }
        let dir = match &self.driver {
            Driver::V2(group) => group.group_dir.dir_if_present(&self.hierarchy)?,
            Driver::V1(group) => group.unified_dir(&self.hierarchy)?,
        };
        Ok(dir.map(AsFd::as_fd))
    }

    /// Whether the cgroup is there: on cgroup v1, its directory in the `devices` hierarchy.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], [`ErrorKind::InvalidPath`] when it cannot be looked at.
    pub fn exists(&self) -> Result<bool> {
        self.process_dir()?.map_or(Ok(false), Dir::still_exists)
    }

    /// The `tasks` files of the cgroup v1 hierarchies, open for writing, with the names of their
    /// controllers. A process with a single thread joins by writing `0` to each.
    ///
    /// That is much cheaper than [`add`](Self::add), where the kernel makes every other process
    /// that forks or exits wait for an RCU grace period. Empty on cgroup v2, and without the v2
    /// side of a hybrid machine: that is what [`dir`](Self::dir) is for.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when the cgroup is gone, [`ErrorKind::Io`].
    pub fn self_join_files(&self) -> Result<Vec<(String, OwnedFd)>> {
        match &self.driver {
            Driver::V2(_) => Ok(Vec::new()),
            Driver::V1(group) => group.self_join_files(&self.hierarchy, self.rootless),
        }
    }

    /// The same files by name, for a process that opens them itself: the path of each is below
    /// [`Hierarchy::dir`], and is not looked at. One descriptor is enough then, where
    /// [`self_join_files`](Self::self_join_files) needs one a hierarchy.
    ///
    /// Where the cgroup [is new](Self::is_new) nothing else can be mounted over these directories,
    /// which is what `self_join_files` checks.
    #[must_use]
    pub fn self_join_paths(&self) -> Vec<(String, PathBuf)> {
        match &self.driver {
            Driver::V2(_) => Vec::new(),
            Driver::V1(group) => group.self_join_paths(),
        }
    }

    /// Whether this value has made all directories of the cgroup, and has found none.
    #[must_use]
    pub fn is_new(&self) -> bool {
        match &self.driver {
            Driver::V2(group) => group.is_fresh(),
            Driver::V1(group) => group.is_fresh(),
        }
    }

    /// Moves the process `pid`, with all its threads, into the cgroup: into every hierarchy on
    /// cgroup v1. With systemd, the first process starts the unit.
    ///
    /// # Errors
    /// With systemd: ``error creating systemd unit `U`: got `R` ``, `Timeout waiting for systemd to
    /// create U`, or what systemd answered ([`ErrorKind::Systemd`], [`ErrorKind::Timeout`]).
    ///
    /// `failed to write PID`, with the kernel's reason. For a rootless caller a lack of permission
    /// on cgroup v1 is not an error.
    pub fn add(&self, pid: u32) -> Result<()> {
        #[cfg(feature = "systemd")]
        if let Some(unit) = &self.unit {
            return self.add_by_unit(unit, pid);
        }
        match &self.driver {
            Driver::V2(group) => group.add(&self.hierarchy, pid, self.rootless),
            Driver::V1(group) => group.add(&self.hierarchy, pid, self.rootless),
        }
    }

    /// Writes limits: those that are set in `resources`, and no others.
    ///
    /// Each value becomes one write to one file of the kernel; where the kernel only accepts two
    /// values in one order, that is the order.
    ///
    /// # Errors
    /// * [`ErrorKind::NoController`]: `cannot set X limit: container could not join or create
    ///   cgroup`, or a `unified` key whose controller is not available.
    /// * [`ErrorKind::LimitBelowUsage`]: with `memory_check_before_update`; before anything was
    ///   written.
    /// * [`ErrorKind::InvalidConfig`]: values that contradict each other.
    /// * [`ErrorKind::Devices`]: rules no device cgroup can have, or that the kernel refused.
    /// * [`ErrorKind::Io`]: `failed to write "VALUE": …`.
    ///
    /// What was written before the failure stays.
    pub fn set(&self, resources: &Resources) -> Result<Applied> {
        #[cfg(feature = "systemd")]
        if let Some(unit) = &self.unit {
            return self.set_by_unit(unit, resources);
        }
        self.set_files(resources)
    }

    fn set_files(&self, resources: &Resources) -> Result<Applied> {
        match &self.driver {
            Driver::V2(group) => group.set(&self.hierarchy, resources, self.rootless),
            Driver::V1(group) => group.set(&self.hierarchy, resources, self.rootless),
        }
    }

    /// Reads what the controllers count. Controllers that are not there count nothing.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when the cgroup was removed, or, on cgroup v2, never there.
    /// [`ErrorKind::Parse`] when a file is not in its documented format, [`ErrorKind::Io`]. On
    /// cgroup v2 rootless callers get what could be read.
    pub fn stats(&self) -> Result<Stats> {
        self.stats_of(Controllers::ALL)
    }

    /// As [`stats`](Self::stats), of some controllers only: the files of the others are not read.
    ///
    /// # Errors
    /// As [`stats`](Self::stats).
    pub fn stats_of(&self, wanted: Controllers) -> Result<Stats> {
        match &self.driver {
            Driver::V2(group) => group.stats(&self.hierarchy, wanted, self.rootless),
            Driver::V1(group) => group.stats(&self.hierarchy, wanted, self.rootless),
        }
    }

    pub(crate) fn is_rootless(&self) -> bool {
        self.rootless
    }

    pub(crate) fn keep_files(&mut self, budget: &Arc<DescriptorBudget>) {
        match &mut self.driver {
            Driver::V2(group) => group.group_dir.keep_files(budget),
            Driver::V1(group) => group.keep_files(budget),
        }
    }

    /// Stops all processes in the cgroup and below, and waits until all are frozen.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`]: `cannot toggle freezer: cgroups not configured for container`,
    /// `freezer not supported`. [`ErrorKind::Timeout`]: `unable to freeze` within ten seconds, or
    /// because another process thaws them; they are running again then.
    pub fn freeze(&self) -> Result<()> {
        self.set_freezer(FreezerState::Frozen)
    }

    /// Lets all processes run.
    ///
    /// # Errors
    /// As [`freeze`](Self::freeze), without the timeout.
    pub fn thaw(&self) -> Result<()> {
        self.set_freezer(FreezerState::Thawed)
    }

    /// Lets all processes run that must be able to end once they are killed: on cgroup v1 also
    /// those that are frozen by a cgroup below this one. (On v2 a frozen process that is killed
    /// ends.) Nothing happens to a cgroup that does not exist, or has no freezer.
    ///
    /// # Errors
    /// [`ErrorKind::Io`].
    pub fn thaw_tree(&self) -> Result<()> {
        match &self.driver {
            Driver::V1(group) => group.thaw_all(&self.hierarchy),
            Driver::V2(group) => group.thaw(&self.hierarchy),
        }
    }

    fn set_freezer(&self, state: FreezerState) -> Result<()> {
        match &self.driver {
            Driver::V2(group) => group.freeze(&self.hierarchy, state, self.rootless),
            Driver::V1(group) => group.freeze(&self.hierarchy, state),
        }
    }

    /// As [`freeze`](Self::freeze); dropping the guard thaws, whatever happened in between.
    ///
    /// # Errors
    /// As [`freeze`](Self::freeze).
    pub fn freeze_guard(&self) -> Result<Frozen<'_>> {
        self.freeze()?;
        Ok(Frozen { cgroup: self })
    }

    /// Whether the processes are stopped by this cgroup's own freezer; `None` without a freezer, or
    /// a cgroup. That an ancestor is frozen does not count.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] when the cgroup is neither for ten seconds, [`ErrorKind::Io`].
    pub fn freezer_state(&self) -> Result<Option<FreezerState>> {
        match &self.driver {
            Driver::V2(group) => group.freezer_state(&self.hierarchy),
            Driver::V1(group) => group.freezer_state(&self.hierarchy),
        }
    }

    /// Whether a process in the cgroup would not run: it or a cgroup above is frozen. `false`
    /// without a freezer, or a cgroup.
    ///
    /// # Errors
    /// [`ErrorKind::Io`].
    pub fn is_frozen(&self) -> Result<bool> {
        match &self.driver {
            Driver::V2(group) => group.is_frozen(&self.hierarchy),
            Driver::V1(group) => group.is_frozen(&self.hierarchy),
        }
    }

    /// Kills every process in the cgroup and below with `SIGKILL`, frozen ones included: those that
    /// are frozen by a cgroup below this one are thawed. On cgroup v1 those that are in one of its
    /// hierarchies only are killed, too, and what is frozen by a cgroup above is moved to the root
    /// of the freezer hierarchy, where it ends. Does not wait until they are gone.
    ///
    /// Uses `cgroup.kill` (Linux 5.14) where there is a cgroup v2 directory. Without it, the
    /// processes are frozen first, so that none can fork meanwhile, and thawed in any case.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when the cgroup is gone, [`ErrorKind::Io`].
    pub fn kill(&self) -> Result<()> {
        match &self.driver {
            Driver::V2(group) => {
                let dir = group.dir(&self.hierarchy)?;
                if kill::at_once(dir)? {
                    return Ok(());
                }
                if !dir.still_exists()? {
                    return Err(Error::gone(dir.path()));
                }
                let _frozen = self.frozen_if_possible();
                kill::one_by_one(&[dir], kill::send_kill)
            }
            Driver::V1(group) => self.kill_v1(group),
        }
    }

    fn kill_v1(&self, group: &v1::Group) -> Result<()> {
        let mut dirs = Vec::new();
        for dir in group.dirs(&self.hierarchy)? {
            if dir.still_exists()? {
                dirs.push(dir);
            }
        }
        if dirs.is_empty() {
            return Err(Error::gone(self.path("devices").unwrap_or(Path::new(""))));
        }
        if let Some(unified) = group.unified_dir(&self.hierarchy)? {
            kill::at_once(unified)?;
        }
        // What the v1 freezer has stopped dies when it is thawed. No process has to be in the v2
        // directory, so the lists have the last word.
        let killed = match kill::is_empty(&dirs) {
            Ok(true) => Ok(()),
            _ => {
                let _frozen = self.frozen_if_possible();
                kill::one_by_one(&dirs, kill::send_kill)
            }
        };
        let thawed = group.thaw_all(&self.hierarchy);
        let released = group.release_killed(&self.hierarchy);
        killed.and(thawed).and(released.map(drop))
    }

    /// Calls `signal` once with a pidfd of every process in the cgroup and below, to send it a
    /// signal. While that goes on the processes are frozen, if the cgroup can be and is not
    /// already, so that none can fork. The lists are read twice, however many processes there
    /// are.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when the cgroup is gone, [`ErrorKind::Io`].
    pub fn signal_each(&self, mut signal: impl FnMut(BorrowedFd<'_>)) -> Result<()> {
        let dir = match self.process_dir()? {
            Some(dir) if dir.still_exists()? => dir,
            _ => {
                let path = self.paths().into_values().next().unwrap_or_default();
                return Err(Error::gone(&path));
            }
        };
        let _frozen = match self.freezer_state()? {
            Some(FreezerState::Frozen) => None,
            _ => self.frozen_if_possible(),
        };
        kill::one_by_one(&[dir], |pidfd, _| {
            signal(pidfd);
            Ok(())
        })
    }

    fn frozen_if_possible(&self) -> Option<Frozen<'_>> {
        self.freeze_guard()
            .inspect_err(|error| log::debug!("signal without freezing: {error}"))
            .ok()
    }

    fn thaw_quietly(&self) {
        if let Err(error) = self.thaw() {
            log::debug!("thaw: {error}");
        }
    }

    /// The directory in which processes are listed; `None` if the cgroup does not exist.
    fn process_dir(&self) -> Result<Option<&Dir>> {
        match &self.driver {
            Driver::V2(group) => group.group_dir.dir_if_present(&self.hierarchy),
            Driver::V1(group) => group.process_dir(&self.hierarchy),
        }
    }

    /// The processes in the cgroup itself; none if it does not exist.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], [`ErrorKind::Parse`].
    pub fn processes(&self) -> Result<Vec<u32>> {
        self.process_dir()?
            .map_or(Ok(Vec::new()), processes::in_group)
    }

    /// The processes in the cgroup and all below; none if it does not exist.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], [`ErrorKind::Parse`].
    pub fn all_processes(&self) -> Result<Vec<u32>> {
        self.process_dir()?
            .map_or(Ok(Vec::new()), processes::in_tree)
    }

    /// Whether a new container may use the cgroup: it has no process, and is not frozen. Costs
    /// nothing for a cgroup that [`prepare`](Self::prepare) has made rather than found.
    ///
    /// # Errors
    /// [`ErrorKind::NotEmpty`]: `container's cgroup is not empty: N process(es) found`.
    /// [`ErrorKind::Frozen`]: `container's cgroup unexpectedly frozen`.
    pub fn check_unused(&self) -> Result<()> {
        if self.is_new() {
            return Ok(());
        }
        if self.needs_first_process() {
            // Looked at, but not kept open: systemd makes the directory anew.
            return Self::load(&self.hierarchy, &self.paths())?.check_unused();
        }
        let count = self.all_processes()?.len();
        if count > 0 {
            return Err(Error::new(
                ErrorKind::NotEmpty,
                format_args!("container's cgroup is not empty: {count} process(es) found"),
            ));
        }
        if self.freezer_state()? == Some(FreezerState::Frozen) {
            return Err(Error::new(
                ErrorKind::Frozen,
                "container's cgroup unexpectedly frozen",
            ));
        }
        Ok(())
    }

    /// Removes the cgroup and all below. It need not exist. Waits, at most for `budget`, until the
    /// processes inside have ended; killing them is up to the caller. With systemd, the unit is
    /// stopped first, which does kill them.
    ///
    /// # Errors
    /// [`ErrorKind::NotEmpty`] names the processes that are still inside; [`ErrorKind::Io`]. On
    /// cgroup v1 everything that can be removed is, and the message names what remains.
    pub fn delete(&self, budget: Duration) -> Result<()> {
        #[cfg(feature = "systemd")]
        if let Some(unit) = &self.unit {
            // What can be removed is removed, whatever systemd says.
            let stopped = unit.stop();
            return self.delete_files(budget).and(stopped);
        }
        self.delete_files(budget)
    }

    fn delete_files(&self, budget: Duration) -> Result<()> {
        match &self.driver {
            Driver::V2(group) => group.delete(&self.hierarchy, Instant::now() + budget),
            Driver::V1(group) => group.delete(&self.hierarchy, budget),
        }
    }

    /// What it takes to mount the cgroup v1 hierarchies inside a container, in the order of their
    /// controllers. Empty on cgroup v2, where [`dir`](Self::dir) is all there is.
    #[must_use]
    pub fn mounts(&self) -> Vec<HierarchyMount> {
        match &self.driver {
            Driver::V2(_) => Vec::new(),
            Driver::V1(group) => group.mounts(&self.hierarchy),
        }
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        self.cgroup.thaw_quietly();
    }
}

#[cfg(test)]
mod tests;
