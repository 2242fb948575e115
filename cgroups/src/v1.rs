//! cgroup v1: one directory per hierarchy (`Documentation/admin-guide/cgroup-v1/`), and the one of
//! cgroup v2 beside them on a hybrid machine.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::OFlags;

use crate::dir::{Below, Dir};
use crate::file_format::value_of;
use crate::group_dir::{GroupDir, unmake};
use crate::hierarchy::V1;
use crate::open_files::DescriptorBudget;
use crate::stats::Controllers;
use crate::{
    Applied, CgroupSpec, Error, ErrorKind, FreezerState, Hierarchy, HierarchyMount, Resources,
    Result, Stats, hugepages, processes, remove,
};

mod blkio;
mod cpu;
mod cpuset;
mod devices;
pub(crate) mod freezer;
mod memory;
mod net;
pub(crate) mod stats;
#[cfg(test)]
mod tests;

/// The pseudo controller that means cgroup v2 on a hybrid machine.
pub(crate) const UNIFIED: &str = "";

/// How many files of statistics a cgroup keeps open. There are about 40, and up to ten directories
/// are open anyway.
pub(crate) const KEPT_FILES: usize = 12;

/// A cgroup of cgroup v1.
#[derive(Debug)]
pub(crate) struct Group {
    members: Vec<Member>,
    /// All directories were made by this value: no process can be inside.
    fresh: bool,
    /// The directories that were made by it, those above included, in their order.
    made: Vec<PathBuf>,
}

/// The cgroup in one hierarchy.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) controllers: Vec<String>,
    pub(crate) group_dir: GroupDir,
}

impl Member {
    pub(crate) fn new(v1: &V1, group_dir: GroupDir) -> Self {
        Self {
            controllers: v1.controllers.clone(),
            group_dir,
        }
    }

    fn is_unified(&self) -> bool {
        self.controllers.iter().any(|name| name == UNIFIED)
    }

    #[cfg(feature = "systemd")]
    fn is_systemds(&self) -> bool {
        self.is_unified() || self.controllers.iter().any(|name| name == "name=systemd")
    }
}

/// The error of a limit whose controller this machine does not have: the same text, which programs
/// look for, and the reason.
fn not_mounted(controller: &str) -> Error {
    let known = Error::no_cgroup(controller);
    Error::new(
        ErrorKind::NoController,
        format_args!("{known}: no hierarchy with controller {controller:?} is mounted"),
    )
}

/// The place of a cgroup in one hierarchy: an absolute path as it is, a relative one below the
/// caller's own cgroup.
pub(crate) fn place(hierarchy: &Hierarchy, v1: &V1, inner: &Path) -> Result<PathBuf> {
    let inside = match inner.strip_prefix("/") {
        Ok(inside) => inside.to_owned(),
        Err(_) => hierarchy.own_v1(v1)?.join(inner),
    };
    Ok(Path::new(&v1.directory).join(inside))
}

/// Fails for the directory of another user, which would be on record and could not be removed.
fn may_be_joined(hierarchy: &Hierarchy, group_dir: &GroupDir, v1: &V1) -> Result<()> {
    let unified = v1.controllers.iter().any(|name| name == UNIFIED);
    let file = if unified { "cgroup.procs" } else { "tasks" };
    match group_dir.open(hierarchy, file, OFlags::WRONLY) {
        Err(error) if error.is_permission() => Err(error),
        _ => Ok(()),
    }
}

impl Group {
    pub(crate) fn create(
        hierarchy: &Hierarchy,
        spec: &CgroupSpec,
        resources: &Resources,
    ) -> Result<Self> {
        if !resources.unified.is_empty() {
            return Err(unified_on_v1());
        }
        let inner = spec.inner_path()?;
        let mut made = Vec::new();
        let group = Self::make(hierarchy, spec, &inner, &mut made).and_then(|group| {
            group.prepare(hierarchy, resources, spec.rootless && spec.path.is_none())?;
            Ok(group)
        });
        match group {
            Ok(group) => Ok(Self { made, ..group }),
            Err(error) => {
                unmake(hierarchy, &made);
                Err(error)
            }
        }
    }

    /// Removes what [`create`](Self::create) has made.
    pub(crate) fn undo_create(&self, hierarchy: &Hierarchy) {
        unmake(hierarchy, &self.made);
    }

    fn make(
        hierarchy: &Hierarchy,
        spec: &CgroupSpec,
        inner: &Path,
        made: &mut Vec<PathBuf>,
    ) -> Result<Self> {
        let mut members = Vec::new();
        let mut fresh = true;
        for v1 in hierarchy.v1() {
            let mut group_dir = GroupDir::new(hierarchy, place(hierarchy, v1, inner)?, Below::V1);
            // Without a path of their own, rootless callers use what they may.
            let lenient = spec.rootless && spec.path.is_none();
            let usable = group_dir.make_v1(hierarchy, made).and_then(|()| {
                if lenient && made.last().is_none_or(|last| last != group_dir.relative()) {
                    may_be_joined(hierarchy, &group_dir, v1)
                } else {
                    Ok(())
                }
            });
            match usable {
                Ok(()) => {}
                Err(error) if error.is_permission() && lenient => {
                    log::debug!("{error}: left out");
                    continue;
                }
                Err(error) => return Err(error),
            }
            fresh &= made.last().is_some_and(|last| last == group_dir.relative());
            members.push(Member::new(v1, group_dir));
        }
        Ok(Self {
            members,
            fresh,
            made: Vec::new(),
        })
    }

    /// What has to be set before the first process joins.
    fn prepare(&self, hierarchy: &Hierarchy, resources: &Resources, rootless: bool) -> Result<()> {
        if resources.sets_devices() && !rootless && self.member("devices").is_none() {
            return Err(Error::new(
                ErrorKind::NoController,
                "cgroup v1 devices controller is not mounted",
            ));
        }
        let lenient = |result: Result<()>| match result {
            Err(error) if rootless && error.is_permission() => {
                log::debug!("{error}: left out");
                Ok(())
            }
            done => done,
        };
        if let Some(cpuset) = self.member("cpuset") {
            lenient(cpuset::prepare(hierarchy, &cpuset.group_dir, resources))?;
        }
        if let Some(cpu) = self.member("cpu")
            && cpu::sets_realtime(resources)
        {
            lenient(cpu::set_realtime(cpu.group_dir.dir(hierarchy)?, resources))?;
        }
        Ok(())
    }

    /// Makes the directories that systemd does not: all but its own hierarchy's, and the one of
    /// cgroup v2.
    #[cfg(feature = "systemd")]
    pub(crate) fn settle(&self, hierarchy: &Hierarchy, resources: &Resources) -> Result<()> {
        for member in self.members.iter().filter(|member| !member.is_systemds()) {
            member.group_dir.make(hierarchy, &mut Vec::new())?;
        }
        self.prepare(hierarchy, resources, false)
    }

    /// Moves a process into the hierarchies that systemd leaves alone.
    #[cfg(feature = "systemd")]
    pub(crate) fn add_beside_systemd(&self, hierarchy: &Hierarchy, pid: u32) -> Result<()> {
        self.members
            .iter()
            .filter(|member| !member.is_systemds())
            .try_for_each(|member| processes::add(member.group_dir.dir(hierarchy)?, pid))
    }

    pub(crate) fn from_members(members: Vec<Member>) -> Self {
        Self {
            members,
            fresh: false,
            made: Vec::new(),
        }
    }

    pub(crate) fn is_fresh(&self) -> bool {
        self.fresh
    }

    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    pub(crate) fn member(&self, controller: &str) -> Option<&Member> {
        self.members
            .iter()
            .find(|member| member.controllers.iter().any(|name| name == controller))
    }

    /// The directory of a controller; `None` if it has none, or it does not exist.
    fn dir<'a>(&'a self, hierarchy: &Hierarchy, controller: &str) -> Result<Option<&'a Dir>> {
        match self.member(controller) {
            Some(member) => member.group_dir.dir_if_present(hierarchy),
            None => Ok(None),
        }
    }

    /// The directory that is used for the whole cgroup where there can be only one: every process
    /// is in all of them.
    fn main(&self) -> Option<&Member> {
        self.member("devices")
            .or_else(|| self.member(UNIFIED))
            .or_else(|| self.members.first())
    }

    pub(crate) fn unified_dir(&self, hierarchy: &Hierarchy) -> Result<Option<&Dir>> {
        self.dir(hierarchy, UNIFIED)
    }

    pub(crate) fn self_join_files(
        &self,
        hierarchy: &Hierarchy,
        rootless: bool,
    ) -> Result<Vec<(String, OwnedFd)>> {
        let mut files = Vec::new();
        for member in &self.members {
            if member.is_unified() {
                continue;
            }
            match member.group_dir.open(hierarchy, "tasks", OFlags::WRONLY) {
                Err(error) if rootless && error.is_permission() => log::debug!("{error}"),
                file => files.push((member.controllers.join(","), file?)),
            }
        }
        Ok(files)
    }

    pub(crate) fn self_join_paths(&self) -> Vec<(String, PathBuf)> {
        let members = self.members.iter().filter(|member| !member.is_unified());
        members
            .map(|member| {
                let path = member.group_dir.relative().join("tasks");
                (member.controllers.join(","), path)
            })
            .collect()
    }

    pub(crate) fn add(&self, hierarchy: &Hierarchy, pid: u32, rootless: bool) -> Result<()> {
        // Where nothing is mounted there is nothing to join.
        if self.members.is_empty() && !rootless && !hierarchy.v1().is_empty() {
            return Err(Error::new(
                ErrorKind::NotFound,
                "no such directory for cgroup.procs",
            ));
        }
        for member in &self.members {
            match processes::add(member.group_dir.dir(hierarchy)?, pid) {
                Err(error) if rootless && error.is_permission() => log::debug!("{error}"),
                done => done?,
            }
        }
        Ok(())
    }

    pub(crate) fn set(
        &self,
        hierarchy: &Hierarchy,
        resources: &Resources,
        rootless: bool,
    ) -> Result<Applied> {
        if !resources.unified.is_empty() {
            return Err(unified_on_v1());
        }
        let mut applied = Applied::default();
        let with = |name: &str, wanted: bool, set: &mut dyn FnMut(&Dir) -> Result<()>| {
            if !wanted {
                return Ok(());
            }
            let mounted = |v1: &V1| v1.controllers.iter().any(|known| known == name);
            let member = self.member(name).ok_or_else(|| {
                if hierarchy.v1().iter().any(mounted) {
                    Error::no_cgroup(name)
                } else {
                    not_mounted(name)
                }
            })?;
            set(member.group_dir.dir(hierarchy)?)
        };
        with("cpuset", resources.sets_cpuset(), &mut |dir| {
            cpuset::set(dir, resources)
        })?;
        if resources.sets_devices() {
            let set = || {
                let member = self
                    .member("devices")
                    .ok_or_else(|| Error::no_cgroup("devices"))?;
                devices::apply(
                    hierarchy,
                    member.group_dir.dir(hierarchy)?,
                    &resources.devices,
                )
            };
            applied.devices(set(), rootless)?;
        }
        with("memory", memory::is_set(resources), &mut |dir| {
            memory::set(dir, resources)
        })?;
        with("cpu", cpu::is_set(resources), &mut |dir| {
            cpu::set(dir, resources)
        })?;
        with("pids", resources.pids_limit.is_some(), &mut |dir| {
            let limit = resources.pids_limit.unwrap_or(-1);
            dir.write("pids.max", &crate::conversion::pids_text(limit))
        })?;
        let blkio = resources.sets_io() || resources.blkio_leaf_weight.is_some();
        with("blkio", blkio, &mut |dir| blkio::set(dir, resources))?;
        with("hugetlb", !resources.hugetlb_limit.is_empty(), &mut |dir| {
            hugepages::set(dir, &resources.hugetlb_limit, "limit_in_bytes")
        })?;
        with("net_cls", resources.net_cls_classid.is_some(), &mut |dir| {
            net::set_class(dir, resources)
        })?;
        let priorities = !resources.net_prio_ifpriomap.is_empty();
        with("net_prio", priorities, &mut |dir| {
            net::set_priorities(dir, resources)
        })?;
        with("rdma", !resources.rdma.is_empty(), &mut |dir| {
            resources.rdma.iter().try_for_each(|(device, limit)| {
                dir.write("rdma.max", &crate::v2::rdma_text(device, limit))
            })
        })?;
        if let Some(state) = resources.freezer {
            self.freeze(hierarchy, state)?;
        }
        if resources.cpu_weight.is_some() && resources.cpu_shares.is_none() {
            applied.warn("cpu_weight", "cgroup v1 has no such setting");
        }
        Ok(applied)
    }

    pub(crate) fn stats(
        &self,
        hierarchy: &Hierarchy,
        wanted: Controllers,
        rootless: bool,
    ) -> Result<Stats> {
        let mut stats = Stats::default();
        for member in &self.members {
            let mut controllers = member
                .controllers
                .iter()
                .filter(|controller| stats::counts(controller, wanted))
                .peekable();
            // A directory without numbers need not be opened.
            if controllers.peek().is_none() {
                continue;
            }
            let Some(mut files) = member.group_dir.files(hierarchy)? else {
                continue;
            };
            if !member.is_unified() {
                files = files.complete();
            }
            for controller in controllers {
                match stats::read(&files, controller, wanted, &mut stats) {
                    Err(error) if rootless => log::debug!("{error}"),
                    done => done?,
                }
            }
            files.finish()?;
        }
        Ok(stats)
    }

    pub(crate) fn close(&mut self) {
        for member in &mut self.members {
            member.group_dir.close();
        }
    }

    pub(crate) fn keep_files(&mut self, budget: &Arc<DescriptorBudget>) {
        for member in &mut self.members {
            member.group_dir.keep_files(budget);
        }
    }

    pub(crate) fn freeze(&self, hierarchy: &Hierarchy, state: FreezerState) -> Result<()> {
        match self.dir(hierarchy, "freezer")? {
            Some(dir) => freezer::set(dir, state),
            None => Err(crate::freezer::not_configured()),
        }
    }

    pub(crate) fn freezer_state(&self, hierarchy: &Hierarchy) -> Result<Option<FreezerState>> {
        let read = |member: &Member| member.group_dir.read_in_one_step(hierarchy, freezer::FILE);
        if self.member("freezer").and_then(read).as_deref() == Some(freezer::THAWED) {
            return Ok(Some(FreezerState::Thawed));
        }
        match self.dir(hierarchy, "freezer")? {
            Some(dir) => freezer::state(dir),
            None => Ok(None),
        }
    }

    pub(crate) fn is_frozen(&self, hierarchy: &Hierarchy) -> Result<bool> {
        let by_v1 = match self.dir(hierarchy, "freezer")? {
            Some(dir) => freezer::is_frozen(dir)?,
            None => false,
        };
        match self.unified_dir(hierarchy)? {
            Some(dir) if !by_v1 => crate::v2::freezer::is_frozen(dir),
            _ => Ok(by_v1),
        }
    }

    /// The directories that exist, in all hierarchies.
    pub(crate) fn dirs(&self, hierarchy: &Hierarchy) -> Result<Vec<&Dir>> {
        let dirs = self.members.iter();
        dirs.filter_map(|member| member.group_dir.dir_if_present(hierarchy).transpose())
            .collect()
    }

    /// Lets everything run that is frozen by the cgroup or by one below it.
    pub(crate) fn thaw_all(&self, hierarchy: &Hierarchy) -> Result<()> {
        match self.dir(hierarchy, "freezer")? {
            Some(dir) => freezer::thaw_all(dir),
            None => Ok(()),
        }
    }

    /// Moves processes that were killed out of the cgroup if it is frozen by one above it: they end
    /// only where they can run. Says whether there was a need.
    pub(crate) fn release_killed(&self, hierarchy: &Hierarchy) -> Result<bool> {
        let Some(member) = self.member("freezer") else {
            return Ok(false);
        };
        match member.group_dir.dir_if_present(hierarchy)? {
            Some(dir) if freezer::is_frozen_from_above(dir)? => {
                let Some(top) = member.group_dir.relative().components().next() else {
                    return Ok(false);
                };
                let top = hierarchy.root().descend(top.as_ref(), Below::V1)?;
                freezer::move_killed(dir, &top)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// The directory in which processes are listed.
    pub(crate) fn process_dir(&self, hierarchy: &Hierarchy) -> Result<Option<&Dir>> {
        match self.main() {
            Some(member) => member.group_dir.dir_if_present(hierarchy),
            None => Ok(None),
        }
    }

    pub(crate) fn memory_dir(&self, hierarchy: &Hierarchy) -> Result<Option<&Dir>> {
        self.dir(hierarchy, "memory")
    }

    pub(crate) fn oom_kill_count(&self, hierarchy: &Hierarchy, rootless: bool) -> Result<u64> {
        const FILE: &str = "memory.oom_control";
        let missing = || Error::new(ErrorKind::NoController, "memory controller missing");
        match self.memory_dir(hierarchy)? {
            Some(dir) => value_of(&dir.read(FILE)?, "oom_kill", &dir.path().join(FILE)),
            None if rootless => Ok(0),
            None => Err(missing()),
        }
    }

    pub(crate) fn delete(&self, hierarchy: &Hierarchy, budget: Duration) -> Result<()> {
        let deadline = std::time::Instant::now() + budget;
        // Every process is in all of them, so they become empty together.
        let empty = match self.process_dir(hierarchy) {
            Ok(Some(dir)) => processes::in_group(dir).is_ok_and(|processes| processes.is_empty()),
            _ => false,
        };
        let group_dirs = self.members.iter().map(|member| &member.group_dir);
        let left = group_dirs.filter(|group_dir| !(empty && group_dir.rmdir(hierarchy).is_ok()));
        remove::cgroups(hierarchy, left, deadline)
    }

    pub(crate) fn mounts(&self, hierarchy: &Hierarchy) -> Vec<HierarchyMount> {
        let named = |name: &String| name.starts_with("name=");
        let v1 = hierarchy.v1().iter();
        v1.filter(|v1| v1.controllers.iter().all(|name| name != UNIFIED))
            .map(|v1| {
                let member = v1
                    .controllers
                    .first()
                    .and_then(|controller| self.member(controller));
                let merged = v1.controllers.len() > 1;
                HierarchyMount {
                    directory: v1.directory.clone(),
                    controllers: v1.controllers.clone(),
                    source: if v1.controllers.iter().any(named) {
                        "systemd"
                    } else {
                        "cgroup"
                    },
                    data: v1.controllers.join(","),
                    links: v1
                        .controllers
                        .iter()
                        .filter(|name| merged && !named(name) && **name != v1.directory)
                        .cloned()
                        .collect(),
                    path: member
                        .map_or_else(PathBuf::new, |member| member.group_dir.path().to_owned()),
                }
            })
            .collect()
    }
}

pub(crate) fn unified_on_v1() -> Error {
    Error::new(
        ErrorKind::InvalidConfig,
        "invalid configuration: cannot use unified on cgroup v1",
    )
}
