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

use super::Container;
use super::directory::StateDirectory;
use super::fifo::OtherEnd;
use crate::error::{Error, ErrorKind, Result};

impl Container {
    /// Lets a created container run the user's program.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidState`] if it is not in the created state, [`ErrorKind::NotRunning`] if its init process ended
    /// meanwhile.
    pub fn start(&self) -> Result<()> {
        let status = self.status()?;
        if matches!(status, Status::Created | Status::Running) {
            self.directory.require_fifo()?;
        }
        match status {
            Status::Created => {}
            Status::Stopped => return Err(refused("cannot start a container that has stopped")),
            Status::Running => return Err(already_running()),
            other => {
                let message = format!("cannot start a container in the {other} state");
                return Err(refused(&message));
            }
        }
        match self.directory.other_end()? {
            OtherEnd::Reads(fifo) => {
                let _reader = self.directory.fifo_reader()?;
                release(&self.directory, &fifo)
            }
            // Another process was faster.
            OtherEnd::NoFifo => Err(already_running()),
            OtherEnd::Nothing => self.release_writer(),
        }
    }

    /// The same for an init process of runc, which waits for a reader.
    fn release_writer(&self) -> Result<()> {
        let Some(init) = self.init_pidfd()? else {
            return Err(already_dead());
        };
        if !self.is_waiting_writer(&*self.current()?)? {
            return Err(already_running());
        }
        if !self.directory.read_fifo(&init)? {
            return Err(already_dead());
        }
        if self.directory.claim_fifo()? {
            Ok(())
        } else {
            Err(already_running())
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
