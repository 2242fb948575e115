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
        if self.await_killed_dump()? {
            self.reconnect_after_killed_dump()?;
        }
        may(self.status()?)?;
        self.cgroup()?
            .freeze()
            .map_err(cgroup::failed("freeze the container's cgroup"))
    }

    /// Thaws all processes, after an update or a checkpoint that goes on.
    ///
    /// After a checkpoint whose process was killed this also undoes what was left of it, and is no
    /// error then if the container is not paused: its processes may be frozen, and veth pairs that
    /// this crate has made may be off their bridges. ([`pause`](Self::pause) and a checkpoint undo
    /// that as well.)
    ///
    /// # Errors
    /// [`ErrorKind::NotPaused`]; [`ErrorKind::Timeout`] if another process keeps the lock, or if
    /// CRIU goes on with a checkpoint that was killed.
    pub fn resume(&self) -> Result<()> {
        if self.status()? != Status::Paused && !self.has_dump()? {
            return Err(not_paused());
        }
        let _lock = self.directory.lock(self.runtime.root()?, &self.id)?;
        let killed_dump = self.await_killed_dump()?;
        match self.status()? {
            Status::Paused => self
                .cgroup()?
                .thaw()
                .map_err(cgroup::failed("thaw the container's cgroup"))?,
            Status::Running if killed_dump => {}
            _ => return Err(not_paused()),
        }
        if killed_dump {
            self.reconnect_after_killed_dump()?;
        }
        Ok(())
    }
}

fn not_paused() -> Error {
    Error::new(ErrorKind::NotPaused, "container not paused")
}
