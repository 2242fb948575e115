//! The kernel's file systems, opened when first needed.

use std::sync::{Arc, OnceLock};

use cgroups::Hierarchy;
use nsenter::Procfs;

use crate::error::{Error, Result};
use crate::family::Family;

/// procfs and the cgroup hierarchies, those of the machine or a test's, and the children of this process.
#[derive(Debug, Default)]
pub(crate) struct System {
    procfs: OnceLock<Procfs>,
    hierarchy: OnceLock<Hierarchy>,
    family: Arc<Family>,
}

impl System {
    /// Made-up file systems in place of the machine's.
    #[cfg(test)]
    pub(crate) fn fake(procfs: Procfs, hierarchy: Hierarchy) -> Self {
        Self {
            procfs: procfs.into(),
            hierarchy: hierarchy.into(),
            family: Arc::default(),
        }
    }

    /// The children of this process.
    pub(crate) fn family(&self) -> &Arc<Family> {
        &self.family
    }

    pub(crate) fn procfs(&self) -> Result<&Procfs> {
        if let Some(procfs) = self.procfs.get() {
            return Ok(procfs);
        }
        let procfs = Procfs::system().map_err(|error| Error::system("open /proc", error))?;
        Ok(self.procfs.get_or_init(|| procfs))
    }

    pub(crate) fn hierarchy(&self) -> Result<&Hierarchy> {
        if let Some(hierarchy) = self.hierarchy.get() {
            return Ok(hierarchy);
        }
        let hierarchy = Hierarchy::system()
            .map_err(|error| Error::system("find the cgroup hierarchies", error))?;
        Ok(self.hierarchy.get_or_init(|| hierarchy))
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
}
