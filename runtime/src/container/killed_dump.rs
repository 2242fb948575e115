//! What a checkpoint whose process was killed has left: a CRIU that goes on, and interfaces that
//! are off their bridges.

use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use super::Container;
use crate::error::{Error, ErrorKind, Result};
use crate::launch::network;
use crate::runtime::Runtime;
use crate::state::directory::StateDirectory;
use crate::state::dump_process;

/// How long a killed CRIU may take to end, or one that has lost its caller to give up.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// The CRIU that dumps a container.
pub(super) struct Dumping {
    pid: u32,
    pidfd: OwnedFd,
}

impl Dumping {
    /// The one on record, if it is alive.
    pub(super) fn open(runtime: &Runtime, directory: &StateDirectory) -> Result<Option<Self>> {
        let Some((pid, start)) = dump_process::read(directory)? else {
            return Ok(None);
        };
        let opened = runtime.system().open_process(pid, start)?;
        Ok(opened.map(|pidfd| Self { pid, pidfd }))
    }

    /// Kills it, and what it has started: it may have stopped a child to find out what the kernel
    /// can do, which does not notice that it ends.
    pub(super) fn kill(&self) -> Result<()> {
        criu::kill_tree(self.pid, self.pidfd.as_fd())
            .map_err(|error| Error::system("kill CRIU", error))
    }

    /// Waits for its end, and says whether it has come.
    fn ends(&self) -> Result<bool> {
        nsenter::pidfd::wait_timeout(&self.pidfd, Some(END_TIMEOUT))
            .map_err(|error| Error::system("wait for the end of CRIU", error))
    }
}

impl Container {
    /// Kills a CRIU that has outlived the process that had it dump the container: the processes of
    /// the container do not go away as long as it traces them.
    pub(super) fn end_orphaned_dump(&self) -> Result<()> {
        let Some(dumping) = Dumping::open(&self.runtime, &self.directory)? else {
            return Ok(());
        };
        dumping.kill()?;
        match dumping.ends()? {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::Timeout, "a killed CRIU does not end")),
        }
    }

    /// Whether a dump is on record: one that goes on, or, under the lock of the container, one
    /// whose process was killed.
    pub(super) fn has_dump(&self) -> Result<bool> {
        Ok(dump_process::read(&self.directory)?.is_some())
    }

    /// Waits for a CRIU whose caller was killed, under the lock of the container: it gives up, and
    /// lets the processes go on, as soon as it has something to tell the caller. It is not killed,
    /// since it may have code of its own in a process. `false` if no such dump is on record.
    pub(super) fn await_killed_dump(&self) -> Result<bool> {
        if !self.has_dump()? {
            return Ok(false);
        }
        match Dumping::open(&self.runtime, &self.directory)? {
            Some(dumping) if !dumping.ends()? => Err(Error::new(
                ErrorKind::Timeout,
                format!(
                    "CRIU (process {}) goes on with a checkpoint whose process was killed; \
                     delete --force ends both",
                    dumping.pid
                ),
            )),
            _ => Ok(true),
        }
    }

    /// Connects the container's network, which may have been cut off, after a dump that
    /// [was killed](Self::await_killed_dump).
    pub(super) fn reconnect_after_killed_dump(&self) -> Result<()> {
        let config = self.state()?.config;
        network::attach(&self.id, &config.networks).map_err(|error| {
            error.context("connect the network again after a checkpoint that was killed")
        })?;
        dump_process::remove(&self.directory);
        Ok(())
    }
}
