//! What a container is doing now.

use configs::oci::ContainerStatus as Status;

use super::Container;
use crate::error::{Error, ErrorKind, Result};

impl Container {
    /// The status now, in this order: *creating* while its creator is alive, *paused* if its cgroup is frozen, *stopped*
    /// if its init process is gone, *created* while nobody has started it, else *running*.
    ///
    /// # Errors
    /// [`ErrorKind::System`] if procfs or the cgroup cannot be read.
    pub fn status(&self) -> Result<Status> {
        let record = self.current()?;
        if let Some(creator) = record.creator {
            let pid = i32::try_from(creator.pid).unwrap_or(-1);
            let alive = self.system().is_alive(pid, creator.start)?;
            // What a dead creator left behind is not going to become a container.
            return Ok(if alive { Status::Creating } else { Status::Stopped });
        }
        if self.is_frozen()? {
            return Ok(Status::Paused);
        }
        if !self.system().is_alive(record.init_process_pid, record.init_process_start)? {
            return Ok(Status::Stopped);
        }
        Ok(if self.directory.has_fifo()? { Status::Created } else { Status::Running })
    }

    /// Pid of the init process as this process sees it, if it is alive.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        let record = self.current().ok()?;
        let alive = self.system().is_alive(record.init_process_pid, record.init_process_start).unwrap_or(false);
        alive.then_some(record.init_process_pid)
    }

    /// Whether the cgroup is frozen. One that does not exist, or has no freezer, is not.
    pub(super) fn is_frozen(&self) -> Result<bool> {
        if self.record.cgroup_paths.is_empty() {
            return Ok(false);
        }
        match self.cgroup()?.freezer_state() {
            Ok(state) => Ok(state == Some(cgroups::FreezerState::Frozen)),
            Err(error) if error.kind() == cgroups::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::system("read the state of the freezer", error)),
        }
    }

    /// Fails unless the init process is alive.
    pub(super) fn require_running(&self) -> Result<()> {
        if self.pid().is_some() { Ok(()) } else { Err(not_running()) }
    }
}

pub(super) fn not_running() -> Error {
    Error::new(ErrorKind::NotRunning, "container not running")
}

/// Checks that a container may go from one status to another.
///
/// # Errors
/// [`ErrorKind::InvalidState`] with the text `invalid state transition from X to Y`.
pub(super) fn transition(from: Status, to: Status) -> Result<()> {
    use Status::{Created, Creating, Paused, Running, Stopped};
    let allowed = match from {
        Creating => matches!(to, Creating | Created | Stopped),
        Created => matches!(to, Created | Running | Paused | Stopped),
        Running => matches!(to, Running | Paused | Stopped),
        Paused => matches!(to, Paused | Running | Created | Stopped),
        Stopped => to == Stopped,
        _ => false,
    };
    if allowed { Ok(()) } else { Err(Error::new(ErrorKind::InvalidState, format!("invalid state transition from {from} to {to}"))) }
}
