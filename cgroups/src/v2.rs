//! cgroup v2: one directory, every controller (`Documentation/admin-guide/cgroup-v2.rst`).

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use self::devices::Attachment;
use crate::dir::{Below, Dir};
use crate::file_format::value_of;
use crate::group_dir::{GroupDir, unmake};
use crate::stats::Controllers;
use crate::{
    Applied, CgroupSpec, Error, ErrorKind, FreezerState, Hierarchy, Resources, Result, Stats,
    processes, remove,
};

mod devices;
pub(crate) mod freezer;
mod set;
#[cfg(feature = "systemd")]
pub(crate) use set::check_memory_usage;
pub(crate) use set::rdma_text;
pub(crate) mod stats;
#[cfg(test)]
mod tests;

/// A cgroup of cgroup v2.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) group_dir: GroupDir,
    /// The directory was made by this value: no other program has set anything in it.
    fresh: bool,
    /// A device program may be attached already.
    has_program: AtomicBool,
    /// A rootless caller may not have a cgroup here, and needs none.
    denied: bool,
    /// The directories that were made by this value, those above included, in their order.
    made: Vec<PathBuf>,
}

impl Group {
    pub(crate) fn create(
        hierarchy: &Hierarchy,
        spec: &CgroupSpec,
        resources: &Resources,
    ) -> Result<Self> {
        let path = path_for(hierarchy, &spec.inner_path()?)?;
        Self::create_at(hierarchy, path, spec, resources)
    }

    /// Creates the cgroup at `path` below the root.
    pub(crate) fn create_at(
        hierarchy: &Hierarchy,
        path: PathBuf,
        spec: &CgroupSpec,
        resources: &Resources,
    ) -> Result<Self> {
        let group_dir = GroupDir::new(hierarchy, path, Below::Unified);
        let mut made = Vec::new();
        let created = group_dir.make(hierarchy, &mut made).and_then(|dir| {
            enable(hierarchy, &group_dir, dir).and_then(|()| make_usable(dir, resources))
        });
        let fresh = made.last().is_some_and(|last| last == group_dir.relative());
        match created {
            Ok(()) => Ok(Self {
                group_dir,
                fresh,
                has_program: AtomicBool::new(!fresh),
                denied: false,
                made,
            }),
            Err(error) => {
                unmake(hierarchy, &made);
                if error.is_permission() && spec.rootless && spec.path.is_none() {
                    Self::without_permission(hierarchy, group_dir, resources, error)
                } else {
                    Err(error)
                }
            }
        }
    }

    /// What becomes of a rootless container whose cgroup cannot be made: it does without, unless a
    /// limit depends on it.
    fn without_permission(
        hierarchy: &Hierarchy,
        group_dir: GroupDir,
        resources: &Resources,
        error: Error,
    ) -> Result<Self> {
        let available = hierarchy.controllers()?;
        let needed = resources.needed_controllers();
        if needed
            .iter()
            .any(|name| available.iter().any(|other| other == name))
        {
            return Err(Error::because(
                ErrorKind::Rootless,
                "rootless needs no limits + no cgrouppath when no permission is granted for cgroups",
                error,
            ));
        }
        Ok(Self {
            group_dir,
            fresh: false,
            has_program: AtomicBool::new(false),
            denied: true,
            made: Vec::new(),
        })
    }

    /// Makes a cgroup of systemd's ready for use: systemd does not enable what it does not use.
    #[cfg(feature = "systemd")]
    pub(crate) fn settle(
        &self,
        hierarchy: &Hierarchy,
        resources: &Resources,
        owner: Option<u32>,
    ) -> Result<()> {
        let dir = self.group_dir.make(hierarchy, &mut Vec::new())?;
        enable(hierarchy, &self.group_dir, dir)?;
        make_usable(dir, resources)?;
        match owner {
            Some(owner) => delegate(dir, owner),
            None => Ok(()),
        }
    }

    pub(crate) fn at(group_dir: GroupDir) -> Self {
        Self {
            group_dir,
            fresh: false,
            has_program: AtomicBool::new(true),
            denied: false,
            made: Vec::new(),
        }
    }

    /// Removes what [`create`](Self::create) has made.
    pub(crate) fn undo_create(&self, hierarchy: &Hierarchy) {
        unmake(hierarchy, &self.made);
    }

    pub(crate) fn is_fresh(&self) -> bool {
        self.fresh
    }

    pub(crate) fn dir<'a>(&'a self, hierarchy: &Hierarchy) -> Result<&'a Dir> {
        self.group_dir.dir(hierarchy)
    }

    pub(crate) fn set(
        &self,
        hierarchy: &Hierarchy,
        resources: &Resources,
        rootless: bool,
    ) -> Result<Applied> {
        if self.denied {
            return match resources.needed_controllers().first() {
                Some(name) => Err(Error::no_cgroup(name)),
                None => Ok(Applied::default()),
            };
        }
        let dir = self.dir(hierarchy)?;
        let attachment =
            if resources.sets_devices() && !self.has_program.swap(true, Ordering::Relaxed) {
                Attachment::First
            } else {
                Attachment::Replace
            };
        set::set(hierarchy, dir, resources, attachment, rootless)
    }

    pub(crate) fn stats(
        &self,
        hierarchy: &Hierarchy,
        wanted: Controllers,
        rootless: bool,
    ) -> Result<Stats> {
        if self.denied {
            return Ok(Stats::default());
        }
        let is_root = self.group_dir.relative().as_os_str().is_empty();
        let root = is_root.then_some(hierarchy);
        let files = self.group_dir.files(hierarchy)?;
        let files = files.ok_or_else(|| Error::gone(self.group_dir.path()))?;
        let stats = stats::read(&files, wanted, root, rootless)?;
        files.finish()?;
        Ok(stats)
    }

    pub(crate) fn freeze(
        &self,
        hierarchy: &Hierarchy,
        state: FreezerState,
        rootless: bool,
    ) -> Result<()> {
        match self.dir(hierarchy) {
            _ if self.denied => Err(crate::freezer::not_configured()),
            Ok(dir) => freezer::set(dir, state),
            // The caller was not allowed to make it.
            Err(error) if rootless && error.is_not_found() => Err(crate::freezer::not_configured()),
            Err(error) => Err(error),
        }
    }

    /// Thaws what is frozen or about to be; nothing happens to a cgroup that does not exist.
    pub(crate) fn thaw(&self, hierarchy: &Hierarchy) -> Result<()> {
        if self.is_to_run(hierarchy) {
            return Ok(());
        }
        match self.group_dir.dir_if_present(hierarchy)? {
            Some(dir) => freezer::thaw(dir),
            None => Ok(()),
        }
    }

    /// Whether the freezer is known to be off.
    fn is_to_run(&self, hierarchy: &Hierarchy) -> bool {
        let state = self.group_dir.read_in_one_step(hierarchy, freezer::FILE);
        state.as_deref() == Some("0")
    }

    pub(crate) fn freezer_state(&self, hierarchy: &Hierarchy) -> Result<Option<FreezerState>> {
        if self.is_to_run(hierarchy) {
            return Ok(Some(FreezerState::Thawed));
        }
        match self.group_dir.dir_if_present(hierarchy)? {
            Some(dir) => freezer::state(dir),
            None => Ok(None),
        }
    }

    pub(crate) fn is_frozen(&self, hierarchy: &Hierarchy) -> Result<bool> {
        match self.group_dir.dir_if_present(hierarchy)? {
            Some(dir) => freezer::is_frozen(dir),
            None => Ok(false),
        }
    }

    pub(crate) fn oom_kill_count(&self, hierarchy: &Hierarchy, rootless: bool) -> Result<u64> {
        let dir = self.dir(hierarchy)?;
        match dir.read("memory.events") {
            Ok(text) => value_of(&text, "oom_kill", &dir.path().join("memory.events")),
            Err(error) if rootless && error.is_not_found() => Ok(0),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn add(&self, hierarchy: &Hierarchy, pid: u32, rootless: bool) -> Result<()> {
        if self.denied && rootless {
            return Ok(());
        }
        processes::add(self.dir(hierarchy)?, pid)
    }

    pub(crate) fn delete(&self, hierarchy: &Hierarchy, deadline: remove::Deadline) -> Result<()> {
        remove::cgroup(hierarchy, &self.group_dir, deadline)
    }
}

/// The place of a cgroup below the root: an absolute path as it is, a relative one below the parent
/// of the caller's own cgroup.
pub(crate) fn path_for(hierarchy: &Hierarchy, inner: &Path) -> Result<PathBuf> {
    if let Ok(inner) = inner.strip_prefix("/") {
        return Ok(inner.to_owned());
    }
    let own = crate::spec::relative(&hierarchy.own_unified()?);
    Ok(own.parent().unwrap_or(Path::new("")).join(inner))
}

/// Hands every controller of the root down to the cgroup, through all its ancestors.
///
/// A controller that cannot be enabled is not an error here, but when a limit needs it.
pub(crate) fn enable(hierarchy: &Hierarchy, group_dir: &GroupDir, dir: &Dir) -> Result<()> {
    let wanted = hierarchy.controllers()?;
    let has_all = |text: &str| {
        wanted
            .iter()
            .all(|name| text.split_whitespace().any(|other| other == name))
    };
    // The last link of the chain shows whether it is complete.
    if wanted.is_empty() || has_all(&dir.read("cgroup.controllers")?) {
        return Ok(());
    }
    let ancestors: Vec<_> = group_dir.relative().ancestors().skip(1).collect();
    for ancestor in ancestors.into_iter().rev() {
        let ancestor = hierarchy.root().descend(ancestor, Below::Unified)?;
        if ancestor
            .read_if_present("cgroup.subtree_control")?
            .is_some_and(|text| has_all(&text))
        {
            continue;
        }
        hand_down(&wanted, |change| {
            ancestor.write("cgroup.subtree_control", change)
        });
    }
    Ok(())
}

/// Enables controllers for the children of a cgroup by writes to its `cgroup.subtree_control`: all
/// with one write or, as the kernel refuses that as a whole, each one that can be.
fn hand_down(wanted: &[String], write: impl Fn(&str) -> Result<()>) {
    let all: Vec<_> = wanted.iter().map(|name| format!("+{name}")).collect();
    if write(&all.join(" ")).is_ok() {
        return;
    }
    for one in &all {
        if let Err(error) = write(one) {
            log::debug!("enable {one}: {error}");
        }
    }
}

/// The files of a cgroup that its owner may write (Linux 4.15).
#[cfg(feature = "systemd")]
const DELEGATED: &str = "/sys/kernel/cgroup/delegate";

/// The text of that list; what it was before there was one, but only then.
#[cfg(feature = "systemd")]
fn delegated(read: std::io::Result<String>) -> Result<String> {
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Ok("cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n".to_owned())
        }
        list => list.map_err(|error| Error::io(format_args!("read {DELEGATED}"), DELEGATED, error)),
    }
}

/// Gives the cgroup, and the files that a delegate needs, to a user; the group stays.
#[cfg(feature = "systemd")]
fn delegate(dir: &Dir, owner: u32) -> Result<()> {
    use rustix::fs::{AtFlags, Uid, chownat};
    let list = delegated(std::fs::read_to_string(DELEGATED))?;
    for name in std::iter::once(".").chain(list.lines()) {
        let path = dir.path().join(name);
        match chownat(
            dir,
            name,
            Some(Uid::from_raw(owner)),
            None,
            AtFlags::SYMLINK_NOFOLLOW,
        ) {
            Ok(()) => {}
            Err(rustix::io::Errno::NOENT) if name != "." => {}
            Err(errno) => {
                return Err(Error::io(
                    format_args!("chown {}", path.display()),
                    &path,
                    errno,
                ));
            }
        }
    }
    Ok(())
}

/// Deals with a cgroup below a threaded one, which no process can enter as it is.
fn make_usable(dir: &Dir, resources: &Resources) -> Result<()> {
    // Only the root has no such file; kernels before 4.14 have none at all.
    let Some(mode) = dir.read_if_present("cgroup.type")? else {
        return Ok(());
    };
    let refuse = |why: &str| {
        Err(Error::new(
            ErrorKind::InvalidConfig,
            format_args!(
                "cannot enter cgroupv2 {:?} with domain controllers -- it is in {why}",
                dir.path().display().to_string()
            ),
        ))
    };
    match mode.trim() {
        "domain invalid" if resources.needs_domain_controller() => refuse("an invalid state"),
        "domain invalid" => dir.write("cgroup.type", "threaded"),
        mode @ ("domain threaded" | "threaded") if resources.needs_domain_controller() => {
            refuse(&format!("{mode} mode"))
        }
        _ => Ok(()),
    }
}
