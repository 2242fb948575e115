//! The kernel's file systems, opened when first needed.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, OnceLock};

use cgroups::{Hierarchy, Paths, RecordedFreezers};
use intelrdt::Root;
use nsenter::Procfs;

use crate::error::{Error, Result};
use crate::plan::{HostFacts, in_user_namespace};
use crate::process::child_registry::ChildRegistry;

/// procfs, the cgroup hierarchies and resctrl, those of the machine or a test's, and the children
/// of this process.
#[derive(Debug, Default)]
pub(crate) struct System {
    procfs: OnceLock<Procfs>,
    hierarchy: OnceLock<Hierarchy>,
    /// `None` in a test.
    freezers: OnceLock<Option<RecordedFreezers>>,
    /// `None` in a test that has none.
    resctrl: OnceLock<Option<Root>>,
    in_user_namespace: OnceLock<bool>,
    children: Arc<ChildRegistry>,
}

impl System {
    /// Made-up file systems in place of the machine's.
    #[cfg(test)]
    pub(crate) fn fake(procfs: Procfs, hierarchy: Hierarchy) -> Self {
        Self {
            procfs: procfs.into(),
            hierarchy: hierarchy.into(),
            freezers: None.into(),
            resctrl: None.into(),
            in_user_namespace: OnceLock::new(),
            children: Arc::default(),
        }
    }

    /// With a made-up resctrl as well.
    #[cfg(test)]
    pub(crate) fn with_resctrl(self, root: Root) -> Self {
        Self {
            resctrl: Some(root).into(),
            ..self
        }
    }

    /// The children of this process.
    pub(crate) fn children(&self) -> &Arc<ChildRegistry> {
        &self.children
    }

    pub(crate) fn procfs(&self) -> Result<&Procfs> {
        if let Some(procfs) = self.procfs.get() {
            return Ok(procfs);
        }
        let procfs = Procfs::system().map_err(|error| Error::system("open /proc", error))?;
        Ok(self.procfs.get_or_init(|| procfs))
    }

    /// Whether this process is in a user namespace that does not map every id to itself: looked up
    /// once.
    pub(crate) fn in_user_namespace(&self) -> Result<bool> {
        if let Some(known) = self.in_user_namespace.get() {
            return Ok(*known);
        }
        let found = in_user_namespace(self.procfs()?.as_fd())?;
        Ok(*self.in_user_namespace.get_or_init(|| found))
    }

    /// What plans depend on.
    pub(crate) fn host_facts(&self) -> Result<HostFacts> {
        HostFacts::read_knowing(self.procfs()?.as_fd(), self.in_user_namespace()?)
    }

    pub(crate) fn hierarchy(&self) -> Result<&Hierarchy> {
        if let Some(hierarchy) = self.hierarchy.get() {
            return Ok(hierarchy);
        }
        let found = match self.freezers.get() {
            Some(Some(freezers)) => freezers.hierarchy(),
            _ => Hierarchy::system(),
        };
        let hierarchy =
            found.map_err(|error| Error::system("find the cgroup hierarchies", error))?;
        Ok(self.hierarchy.get_or_init(|| hierarchy))
    }

    /// Whether a cgroup with these paths is certainly not frozen. `false` says nothing.
    pub(crate) fn is_known_to_run(&self, paths: &Paths) -> bool {
        let freezers = self.freezers.get_or_init(RecordedFreezers::system);
        freezers
            .as_ref()
            .is_some_and(|freezers| freezers.is_off(paths))
    }

    /// The resctrl of Intel RDT; `None` if the kernel has none or it is not mounted.
    pub(crate) fn resctrl(&self) -> Result<Option<&Root>> {
        if let Some(root) = self.resctrl.get() {
            return Ok(root.as_ref());
        }
        match Root::system() {
            Ok(root) => Ok(self.resctrl.get_or_init(|| Some(root)).as_ref()),
            // It may be mounted later.
            Err(error) if error.kind() == intelrdt::ErrorKind::Unavailable => Ok(None),
            Err(error) => Err(Error::system("find resctrl", error)),
        }
    }

    /// Whether the recorded process is alive, which takes its pid *and* its start time.
    pub(crate) fn is_alive(&self, pid: i32, start: u64) -> Result<bool> {
        let Some(pid) = u32::try_from(pid).ok().filter(|pid| *pid != 0) else {
            return Ok(false);
        };
        match self.procfs()?.stat(pid) {
            Ok(stat) => Ok(stat.start_time() == start && stat.is_alive()),
            Err(error) if error.kind() == nsenter::ErrorKind::Process => Ok(false),
            Err(error) => Err(Error::system(format!("look for process {pid}"), error)),
        }
    }

    /// A pidfd of the process with this start time, if it is alive.
    pub(crate) fn open_process(&self, pid: u32, start: u64) -> Result<Option<OwnedFd>> {
        match nsenter::pidfd::open_verified(self.procfs()?, pid, start) {
            Ok(pidfd) => Ok(Some(pidfd)),
            Err(error) if error.kind() == nsenter::ErrorKind::Process => Ok(None),
            Err(error) => Err(Error::system(format!("open process {pid}"), error)),
        }
    }
}
