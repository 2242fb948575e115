//! Releasing a created container.
//!
//! Its init process reads one byte from `exec.fifo`. It holds both ends itself until it runs the program, so it never reads
//! an end of file, and a fifo that cannot be opened for writing means that it has gone on or is gone.
//!
//! The byte is written first, and then the fifo is removed: that is the claim, of several that start one container exactly
//! one succeeds. (Nobody reads a second byte.) Whoever is killed in between has started it: the fifo that stays has no
//! reader any more, and tells nobody that the container waits. The other way round it would leave a container that counts
//! as running, whose program never runs.

use std::os::fd::OwnedFd;

use configs::oci::ContainerStatus as Status;
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::Container;
use super::directory::StateDirectory;
use crate::error::{Error, ErrorKind, Result};

impl Container {
    /// Lets a created container run the user's program.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidState`] if it is not in the created state, [`ErrorKind::NotRunning`] if its init process ended
    /// meanwhile.
    pub fn start(&self) -> Result<()> {
        match self.status()? {
            Status::Created => {}
            Status::Stopped => return Err(refused("cannot start a container that has stopped")),
            Status::Running => return Err(already_running()),
            other => {
                let message = format!("cannot start a container in the {other} state");
                return Err(refused(&message));
            }
        }
        let failed = |errno| Error::system("open the exec fifo", errno);
        match self.directory.open_fifo(OFlags::WRONLY | OFlags::NONBLOCK) {
            Ok(Some(fifo)) => {
                // A reader of our own: writing must not raise SIGPIPE if the other one ends just now.
                let _reader = self
                    .directory
                    .open_fifo(OFlags::RDONLY | OFlags::NONBLOCK)
                    .map_err(failed)?;
                release(&self.directory, &fifo)
            }
            // Somebody else was faster.
            Ok(None) => Err(already_running()),
            Err(Errno::NXIO) if self.pid().is_some() => Err(already_running()),
            Err(Errno::NXIO) => Err(already_dead()),
            Err(errno) => Err(failed(errno)),
        }
    }
}

/// Lets the init process at the other end of the fifo go on to the program.
pub(super) fn release(directory: &StateDirectory, fifo: &OwnedFd) -> Result<()> {
    rustix::io::retry_on_intr(|| rustix::io::write(fifo, b"0"))
        .map_err(|errno| Error::system("write the exec fifo", errno))?;
    if directory.claim_fifo()? {
        Ok(())
    } else {
        Err(already_running())
    }
}

fn already_running() -> Error {
    refused("cannot start an already running container")
}

pub(super) fn already_dead() -> Error {
    Error::new(ErrorKind::NotRunning, "container process is already dead")
}

fn refused(message: &str) -> Error {
    Error::new(ErrorKind::InvalidState, message)
}
