//! One container.

mod annotations;
mod checkpoint;
mod create;
mod destroy;
pub(crate) mod events;
mod exec;
mod freeze;
mod killed_dump;
mod restore;
mod rollback;
mod signal;
mod start;
pub(crate) mod stats;
pub(crate) mod status;
mod transaction;
mod update;

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use cgroups::Cgroup;
use configs::Config;

pub(crate) use create::{WhenReady, create, preview};
pub(crate) use destroy::force_delete;
pub(crate) use restore::restore;

use crate::error::{Error, Result};
use crate::id::ContainerId;
use crate::launch::hooks;
use crate::process::child::Child;
use crate::process::exit_status::ExitStatus;
use crate::runtime::Runtime;
use crate::state::directory::StateDirectory;
use crate::state::record::{Record, State};
use crate::system::System;
use crate::timings::{Timings, Watch};
use crate::{OciState, cgroup};

/// A container: made by [`Runtime::create`](crate::Runtime::create) or found again by
/// [`Runtime::load`](crate::Runtime::load).
///
/// Another process may change or destroy the container at any time; every method looks at the state
/// of the system, not at a remembered one. Dropping a `Container` leaves the container alone.
#[derive(Debug)]
pub struct Container {
    id: ContainerId,
    runtime: Runtime,
    directory: StateDirectory,
    record: Record,
    /// The record is as it will stay: nothing else changes it as long as this value lives.
    settled: bool,
    child: Option<Child>,
    warnings: Vec<String>,
    timings: Option<(Timings, Watch)>,
}

impl Container {
    pub(crate) fn load(runtime: Runtime, id: &ContainerId) -> Result<Self> {
        let directory = StateDirectory::open(runtime.root()?, runtime.path(), id)?;
        let record = directory.read_record()?;
        Ok(Self::of_record(runtime, id, directory, record))
    }

    /// The same for a record that was just read, under the lock: it is not read again.
    fn of_settled_record(
        runtime: Runtime,
        id: &ContainerId,
        directory: StateDirectory,
        record: Record,
    ) -> Self {
        Self {
            settled: true,
            ..Self::of_record(runtime, id, directory, record)
        }
    }

    /// The container that a record describes.
    fn of_record(
        runtime: Runtime,
        id: &ContainerId,
        directory: StateDirectory,
        record: Record,
    ) -> Self {
        Self {
            id: id.clone(),
            runtime,
            directory,
            record,
            settled: false,
            child: None,
            warnings: Vec::new(),
            timings: None,
        }
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> &ContainerId {
        &self.id
    }

    /// The container's own directory below the state root.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// When the container was created, in the form of RFC 3339 with nanoseconds, UTC.
    #[must_use]
    pub fn created_rfc3339(&self) -> &str {
        &self.record.created
    }

    /// The bundle directory; empty if the configuration names none.
    #[must_use]
    pub fn bundle(&self) -> &Path {
        let labels = self.record.config.labels.iter().rev();
        Path::new(
            labels
                .filter_map(|label| label.strip_prefix("bundle="))
                .next()
                .unwrap_or_default(),
        )
    }

    /// The root file system.
    #[must_use]
    pub fn rootfs(&self) -> &Path {
        Path::new(&self.record.config.rootfs)
    }

    /// User id that owns the container's directory: the one that created it.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::ErrorKind::System).
    pub fn owner(&self) -> Result<u32> {
        self.directory.owner()
    }

    /// The configuration the container was made with, and changed by [`set`](Self::set).
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound),
    /// [`ErrorKind::CorruptState`](crate::ErrorKind::CorruptState).
    pub fn config(&self) -> Result<Config> {
        self.state().map(|state| state.config)
    }

    /// What is questionable but no error: found by
    /// [`Runtime::create`](crate::Runtime::create).
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What took how long, if [`Process::timings`](crate::Process::timings) asked for it. Given
    /// once: the steps of the init process are those that it has taken by now.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::ErrorKind::System).
    pub fn timings(&mut self) -> Result<Option<Timings>> {
        let Some((mut timings, watch)) = self.timings.take() else {
            return Ok(None);
        };
        timings.add(&watch)?;
        Ok(Some(timings))
    }

    /// The containers to which this one belongs.
    #[cfg(feature = "cli")]
    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// What `state.json` says.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound),
    /// [`ErrorKind::CorruptState`](crate::ErrorKind::CorruptState).
    pub fn state(&self) -> Result<State> {
        self.directory.read_state()
    }

    /// The state as the OCI runtime specification defines it.
    ///
    /// # Errors
    /// Those of [`status`](Self::status).
    pub fn oci_state(&self) -> Result<OciState> {
        let status = self.status()?;
        let pid = match status {
            crate::Status::Stopped => None,
            // Its init process was just seen alive.
            crate::Status::Created | crate::Status::Running => {
                Some(self.current()?.init_process_pid)
            }
            _ => self.pid(),
        };
        Ok(hooks::oci_state(
            &self.id,
            &self.record.config.labels,
            status,
            pid.unwrap_or(0),
        ))
    }

    /// The init process, if it is a child of this process.
    #[must_use]
    pub fn init(&self) -> Option<&Child> {
        self.child.as_ref()
    }

    /// The same, to take its console or its pipes.
    #[must_use]
    pub fn init_mut(&mut self) -> Option<&mut Child> {
        self.child.as_mut()
    }

    /// Waits until the init process has ended. For a container of another process its status is
    /// [`ExitStatus::Unknown`].
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::ErrorKind::System).
    pub fn wait(&self) -> Result<ExitStatus> {
        if let Some(child) = &self.child {
            return child.wait();
        }
        if let Some(pidfd) = self.init_pidfd()? {
            self.system()
                .children()
                .wait(&self.id, pidfd.as_fd(), None)?;
        }
        Ok(ExitStatus::Unknown)
    }

    /// Whether the kernel has killed a process of the container for lack of memory, as far as that
    /// is known.
    #[cfg(feature = "cli")]
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        self.cgroup()
            .is_ok_and(|group| cgroup::oom_kills(&group) > 0)
    }

    /// The same for at most so long; says whether it has ended.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::ErrorKind::System).
    pub fn wait_timeout(&self, timeout: std::time::Duration) -> Result<bool> {
        let children = self.system().children();
        match (&self.child, self.init_pidfd()?) {
            (Some(child), _) => children.wait(&self.id, child.pidfd(), Some(timeout)),
            (None, Some(pidfd)) => children.wait(&self.id, pidfd.as_fd(), Some(timeout)),
            (None, None) => Ok(true),
        }
    }

    /// A pidfd of the init process, if it is alive. The start time is compared after opening, so it
    /// is that very process.
    pub(crate) fn init_pidfd(&self) -> Result<Option<OwnedFd>> {
        let record = self.current()?;
        let Some(pid) = u32::try_from(record.init_process_pid)
            .ok()
            .filter(|pid| *pid != 0)
        else {
            return Ok(None);
        };
        match nsenter::pidfd::open_verified(self.system().procfs()?, pid, record.init_process_start)
        {
            Ok(pidfd) => Ok(Some(pidfd)),
            Err(error) if error.kind() == nsenter::ErrorKind::Process => Ok(None),
            Err(error) => Err(Error::system("open the init process", error)),
        }
    }

    pub(crate) fn system(&self) -> &System {
        self.runtime.system()
    }

    /// The cgroup, by its paths on record now; its directories may be gone.
    pub(crate) fn cgroup(&self) -> Result<Cgroup> {
        self.cgroup_of(&*self.current()?)
    }

    /// The same by the paths of a record.
    fn cgroup_of(&self, record: &Record) -> Result<Cgroup> {
        let spec = cgroup::recorded(&record.config);
        Cgroup::load_as(self.system().hierarchy()?, &record.cgroup_paths, &spec)
            .map_err(cgroup::failed("load the container's cgroup"))
    }

    /// Whether a pid namespace was made for the container: then the end of its init process is the
    /// end of all.
    fn has_own_pids(&self) -> bool {
        self.record
            .config
            .namespaces
            .is_private(configs::config::NamespaceType::Pid)
    }

    /// What is on record now. Everything that changes while a container is made has to be taken
    /// from here: the pid, the cgroup, the mounts.
    fn current(&self) -> Result<std::borrow::Cow<'_, Record>> {
        // As soon as it is created, these stay.
        if self.settled || self.record.creator.is_none() {
            return Ok(std::borrow::Cow::Borrowed(&self.record));
        }
        self.directory.read_record().map(std::borrow::Cow::Owned)
    }
}
