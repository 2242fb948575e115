//! Pausing and resuming.

use configs::oci::ContainerStatus as Status;

use super::Container;
use super::status::not_running;
use crate::cgroup;
use crate::error::{Error, ErrorKind, Result};

impl Container {
    /// Freezes all processes and waits until all are frozen. An update or a checkpoint that goes on
    /// freezes and thaws them itself, and is waited for.
    ///
    /// # Errors
    /// [`ErrorKind::NotRunning`] unless the container is running or created; pausing twice is an
    /// error, too. [`ErrorKind::Timeout`] if another process keeps the lock.
    pub fn pause(&self) -> Result<()> {
        let may = |status| match status {
            Status::Running | Status::Created => Ok(()),
            _ => Err(not_running()),
        };
        may(self.status()?)?;
        let _lock = self.directory.lock(self.runtime.root()?, &self.id)?;
        may(self.status()?)?;
        self.cgroup()?
            .freeze()
            .map_err(cgroup::failed("freeze the container's cgroup"))
    }

    /// Thaws all processes, after an update or a checkpoint that goes on.
    ///
    /// # Errors
    /// [`ErrorKind::NotPaused`]; [`ErrorKind::Timeout`] if another process keeps the lock.
    pub fn resume(&self) -> Result<()> {
        let may = |status| match status {
            Status::Paused => Ok(()),
            _ => Err(Error::new(ErrorKind::NotPaused, "container not paused")),
        };
        may(self.status()?)?;
        let _lock = self.directory.lock(self.runtime.root()?, &self.id)?;
        may(self.status()?)?;
        self.cgroup()?
            .thaw()
            .map_err(cgroup::failed("thaw the container's cgroup"))
    }
}
