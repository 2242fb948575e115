//! One container.

use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::child::Child;
use crate::error::{Error, ErrorKind, Result};
use crate::events::Events;
use crate::exit_status::ExitStatus;
use crate::id::ContainerId;
use crate::process::Process;
use crate::signal::Signal;
use crate::state::State;
use crate::stats::Stats;
use crate::{OciState, Status};

/// A container: made by [`Runtime::create`](crate::Runtime::create) or found again by
/// [`Runtime::load`](crate::Runtime::load).
///
/// Another process may change or destroy the container at any time; every method looks at the state of the system, not
/// at a remembered one. Dropping a `Container` leaves the container alone.
#[derive(Debug)]
pub struct Container {
    id: ContainerId,
}

fn unfinished<T>(what: &str) -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported, what))
}

impl Container {
    /// The id.
    #[must_use]
    pub fn id(&self) -> &ContainerId {
        &self.id
    }

    /// The status now.
    ///
    /// # Errors
    /// [`ErrorKind::System`] if the cgroup cannot be read.
    pub fn status(&self) -> Result<Status> {
        unfinished("status")
    }

    /// Pid of the init process, if it is alive.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        None
    }

    /// The container's own directory below the state root.
    pub(crate) fn directory(&self) -> std::path::PathBuf {
        std::path::PathBuf::new()
    }

    pub(crate) fn init_pidfd(&self) -> Result<Option<std::os::fd::OwnedFd>> {
        unfinished("init_pidfd")
    }

    /// When the container was created.
    #[must_use]
    pub fn created(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    /// The same in the form of RFC 3339 with nanoseconds, UTC.
    #[must_use]
    pub fn created_rfc3339(&self) -> &str {
        ""
    }

    /// The bundle directory.
    #[must_use]
    pub fn bundle(&self) -> &Path {
        Path::new("")
    }

    /// The root file system.
    #[must_use]
    pub fn rootfs(&self) -> &Path {
        Path::new("")
    }

    /// User id that owns the container's directory: the one that created it.
    ///
    /// # Errors
    /// [`ErrorKind::System`].
    pub fn owner(&self) -> Result<u32> {
        unfinished("owner")
    }

    /// The configuration the container was made with, and changed by [`set`](Self::set).
    ///
    /// # Errors
    /// [`ErrorKind::CorruptState`].
    pub fn config(&self) -> Result<configs::Config> {
        unfinished("config")
    }

    /// What is not an error but should be told: found by [`Runtime::create`](crate::Runtime::create).
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &[]
    }

    /// What `state.json` says.
    ///
    /// # Errors
    /// [`ErrorKind::CorruptState`].
    pub fn state(&self) -> Result<State> {
        unfinished("state")
    }

    /// The state as the OCI runtime specification defines it.
    ///
    /// # Errors
    /// Those of [`status`](Self::status).
    pub fn oci_state(&self) -> Result<OciState> {
        unfinished("oci_state")
    }

    /// Lets a created container run the user's program.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidState`] if it is not in the created state.
    pub fn start(&self) -> Result<()> {
        unfinished("start")
    }

    /// The init process, if it is a child of this process.
    #[must_use]
    pub fn init(&self) -> Option<&Child> {
        None
    }

    /// The same, to take the console or the pipes.
    #[must_use]
    pub fn init_mut(&mut self) -> Option<&mut Child> {
        None
    }

    /// Waits until the init process has ended. For a container of another process its status is
    /// [`ExitStatus::Unknown`].
    ///
    /// # Errors
    /// [`ErrorKind::System`].
    pub fn wait(&self) -> Result<ExitStatus> {
        unfinished("wait")
    }

    /// Runs another process in the container.
    ///
    /// # Errors
    /// [`ErrorKind::NotRunning`], [`ErrorKind::Paused`], [`ErrorKind::Init`] for a step inside the container.
    pub fn exec(&self, process: Process) -> Result<Child> {
        let _ = process;
        unfinished("exec")
    }

    /// Sends a signal to the init process; `SIGKILL` to all processes if the container has no pid namespace of its own.
    ///
    /// # Errors
    /// [`ErrorKind::NotRunning`].
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let _ = signal;
        unfinished("signal")
    }

    /// Sends a signal to every process of the container's cgroup.
    ///
    /// # Errors
    /// [`ErrorKind::CgroupNotFound`], [`ErrorKind::System`].
    pub fn signal_all(&self, signal: Signal) -> Result<()> {
        let _ = signal;
        unfinished("signal_all")
    }

    /// Changes the limits of a running container; the container keeps its old ones if that fails.
    ///
    /// # Errors
    /// [`ErrorKind::NotRunning`]; [`ErrorKind::System`] if the kernel refuses a limit.
    pub fn set(&self, config: &configs::Config) -> Result<()> {
        let _ = config;
        unfinished("set")
    }

    /// Freezes all processes.
    ///
    /// # Errors
    /// [`ErrorKind::NotRunning`] unless the container is running or created.
    pub fn pause(&self) -> Result<()> {
        unfinished("pause")
    }

    /// Thaws all processes.
    ///
    /// # Errors
    /// [`ErrorKind::NotPaused`].
    pub fn resume(&self) -> Result<()> {
        unfinished("resume")
    }

    /// Statistics of the cgroup and of the network interfaces.
    ///
    /// # Errors
    /// [`ErrorKind::System`].
    pub fn stats(&self) -> Result<Stats> {
        unfinished("stats")
    }

    /// Out-of-memory events, and statistics at an interval.
    ///
    /// # Errors
    /// [`ErrorKind::NotRunning`], [`ErrorKind::System`].
    pub fn events(&self, interval: Option<Duration>) -> Result<Events> {
        let _ = interval;
        unfinished("events")
    }

    /// Pids of all processes of the container, as the caller's pid namespace sees them.
    ///
    /// # Errors
    /// [`ErrorKind::System`].
    pub fn processes(&self) -> Result<Vec<i32>> {
        unfinished("processes")
    }

    /// Removes everything the container consists of.
    ///
    /// # Errors
    /// [`ErrorKind::StillRunning`], [`ErrorKind::Paused`] if its init process is alive; [`ErrorKind::Hook`] if a
    /// poststop hook failed, with everything else removed; [`ErrorKind::System`].
    pub fn destroy(&self) -> Result<()> {
        unfinished("destroy")
    }
}
