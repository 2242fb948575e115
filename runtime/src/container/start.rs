//! Releasing a created container.
//!
//! Its init process reads one byte from `exec.fifo`. It holds both ends itself, so it never reads an end of file, and a
//! fifo that cannot be opened for writing means that it is gone. Removing the fifo is the claim: of several that start
//! one container exactly one succeeds.

use configs::oci::ContainerStatus as Status;
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::Container;
use crate::error::{Error, ErrorKind, Result};

impl Container {
    /// Lets a created container run the user's program.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidState`] if it is not in the created state, [`ErrorKind::NotRunning`] if its init process ended
    /// meanwhile.
    pub fn start(&self) -> Result<()> {
        let refused = |message: &str| Err(Error::new(ErrorKind::InvalidState, message));
        match self.status()? {
            Status::Created => {}
            Status::Stopped => return refused("cannot start a container that has stopped"),
            Status::Running => return refused("cannot start an already running container"),
            other => return refused(&format!("cannot start a container in the {other} state")),
        }
        let failed = |errno| Error::system("open the exec fifo", errno);
        let fifo = match self.directory.open_fifo(OFlags::WRONLY | OFlags::NONBLOCK) {
            Ok(Some(fifo)) => fifo,
            Ok(None) => return refused("cannot start an already running container"),
            Err(Errno::NXIO) => {
                return Err(Error::new(
                    ErrorKind::NotRunning,
                    "container process is already dead",
                ));
            }
            Err(errno) => return Err(failed(errno)),
        };
        // A reader of our own: writing must not raise SIGPIPE if the other one ends just now.
        let _reader = self
            .directory
            .open_fifo(OFlags::RDONLY | OFlags::NONBLOCK)
            .map_err(failed)?;
        if !self.directory.claim_fifo()? {
            return refused("cannot start an already running container");
        }
        rustix::io::retry_on_intr(|| rustix::io::write(&fifo, b"0"))
            .map_err(|errno| Error::system("write the exec fifo", errno))?;
        Ok(())
    }
}
