//! Dumping a container into images.

use std::time::Duration;

use configs::oci::ContainerStatus as Status;
use criu::DumpStatistics;

use super::Container;
use crate::checkpoint::dump::{Kind, Subject, dump};
use crate::checkpoint::options::CheckpointOptions;
use crate::checkpoint::refuse_parent_death_signal;
use crate::error::{Error, ErrorKind, Result};

/// How long processes that CRIU has killed may take to end.
const END_TIMEOUT: Duration = Duration::from_secs(10);

impl Container {
    /// Dumps the processes of a running or paused container into images, from which
    /// [`Runtime::restore`](crate::Runtime::restore) makes a container again. They end with the
    /// dump, unless [`leave_running`](CheckpointOptions::leave_running) is set; then remove the
    /// container with [`destroy`](Self::destroy).
    ///
    /// Returns what CRIU says that it took, if it does.
    ///
    /// Needs CRIU 3.0 and mostly root. If it fails the container goes on as it was before, and
    /// the images are not complete. (A CRIU that is killed while it has code of its own in a
    /// process takes that process with it.)
    ///
    /// # Errors
    /// [`ErrorKind::NotRunning`], [`ErrorKind::InvalidState`] if it is not started yet, or if a
    /// mount or namespace is not the one of the configuration; [`ErrorKind::InvalidConfig`] for
    /// options that cannot be; [`ErrorKind::Unsupported`] if CRIU is not installed, or is too old
    /// or lacks a feature, or if the configuration has a parent death signal, which would end the
    /// container with its restore; [`ErrorKind::Criu`] if it fails, with its log quoted in the
    /// [warnings](Error::warnings); [`ErrorKind::Timeout`] if another process keeps the lock;
    /// [`ErrorKind::System`].
    pub fn checkpoint(&self, options: CheckpointOptions) -> Result<Option<DumpStatistics>> {
        self.dump(options, Kind::Dump)
    }

    /// Writes the memory of a running container into images, and lets it go on. The
    /// [`checkpoint`](Self::checkpoint), or another pre-dump, that names these images as its
    /// [`parent_path`](CheckpointOptions::parent_path) writes only what has changed since.
    ///
    /// # Errors
    /// Those of `checkpoint`.
    pub fn pre_dump(&self, options: CheckpointOptions) -> Result<Option<DumpStatistics>> {
        self.dump(options, Kind::PreDump)
    }

    fn dump(&self, options: CheckpointOptions, kind: Kind) -> Result<Option<DumpStatistics>> {
        self.require_dumpable()?;
        let _lock = self.directory.lock(self.runtime.root()?, &self.id)?;
        if self.await_killed_dump()? {
            self.reconnect_after_killed_dump()?;
        }
        // It may have ended while the lock was waited for.
        self.require_dumpable()?;
        let state = self.state()?;
        refuse_parent_death_signal(&state.config)?;
        let group = self.cgroup()?;
        let subject = Subject {
            id: &self.id,
            state: &state,
            group: &group,
            system: self.system(),
            directory: &self.directory,
        };
        let goes_on = kind == Kind::PreDump || options.leave_running;
        let statistics = dump(&subject, options, kind)?;
        if goes_on || self.wait_timeout(END_TIMEOUT)? {
            return Ok(statistics);
        }
        Err(Error::new(
            ErrorKind::Timeout,
            "the container is dumped, but its processes do not end",
        ))
    }

    fn require_dumpable(&self) -> Result<()> {
        let status = self.status()?;
        let kind = match status {
            Status::Running | Status::Paused => return Ok(()),
            Status::Stopped => ErrorKind::NotRunning,
            _ => ErrorKind::InvalidState,
        };
        Err(Error::new(
            kind,
            format!("Container cannot be checkpointed in {status} state"),
        ))
    }
}
