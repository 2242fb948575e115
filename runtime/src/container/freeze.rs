//! Pausing and resuming.

use configs::oci::ContainerStatus as Status;

use super::Container;
use super::status::not_running;
use crate::cgroup;
use crate::error::{Error, ErrorKind, Result};

impl Container {
    /// Freezes all processes and waits until all are frozen.
    ///
    /// # Errors
    /// [`ErrorKind::NotRunning`] unless the container is running or created; pausing twice is an
    /// error, too.
    pub fn pause(&self) -> Result<()> {
        match self.status()? {
            Status::Running | Status::Created => {}
            _ => return Err(not_running()),
        }
        self.cgroup()?
            .freeze()
            .map_err(cgroup::failed("freeze the container's cgroup"))
    }

    /// Thaws all processes.
    ///
    /// # Errors
    /// [`ErrorKind::NotPaused`].
    pub fn resume(&self) -> Result<()> {
        if self.status()? != Status::Paused {
            return Err(Error::new(ErrorKind::NotPaused, "container not paused"));
        }
        self.cgroup()?
            .thaw()
            .map_err(cgroup::failed("thaw the container's cgroup"))
    }
}
