//! Releasing a created container.
//!
//! Its init process reads one byte from `exec.fifo`. It holds both ends itself until it runs the
//! program, so it never reads an end of file, and a fifo that cannot be opened for writing means
//! that it has gone on or is gone.
//!
//! The byte is written first, and then the fifo is removed: that is the claim, of several that
//! start one container exactly one succeeds. (No process reads a second byte.) A command that is
//! killed in between has started it: the fifo that stays has no reader when the program runs, and
//! does not say that the container waits. The other way round it would leave a container that
//! counts as running, whose program never runs.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use configs::config::{HookPoint, Hooks};
use configs::oci::ContainerStatus as Status;
use rustix::event::{PollFd, PollFlags, poll};

use super::Container;
use crate::error::{Error, ErrorKind, Result};
use crate::id::ContainerId;
use crate::launch::hooks::{oci_state, run};
use crate::state::directory::StateDirectory;
use crate::state::exec_fifo::{OtherEnd, read_fifo};

impl Container {
    /// Lets a created container run the user's program, and runs the `poststart` hooks of its
    /// configuration when that has begun. If one of them fails, the init process is killed; the
    /// container is stopped then and can be destroyed.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidState`] if it is not in the created state, [`ErrorKind::NotRunning`] if
    /// its init process ended meanwhile, [`ErrorKind::Hook`] if a hook failed.
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
                let Some(reader) = self.directory.fifo_reader()? else {
                    return Err(already_running());
                };
                release(&self.directory, &fifo)?;
                drop(reader);
                self.after_start(&fifo)
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
        let Some(fifo) = self.directory.fifo_reader()? else {
            return Err(already_running());
        };
        if !read_fifo(&fifo, &init)? {
            return Err(already_dead());
        }
        if self.directory.claim_fifo()? {
            Ok(())
        } else {
            Err(already_running())
        }
    }
}

impl Container {
    /// What remains to be done when the init process was let go: `fifo` is the writing end of what
    /// it waited at.
    fn after_start(&self, fifo: &OwnedFd) -> Result<()> {
        if self.record.config.hooks.poststart.is_empty() {
            return Ok(());
        }
        let init = self.init_pidfd()?;
        wait_for_program(fifo, init.as_ref().map(AsFd::as_fd))?;
        // The one that was loaded may be from before there was a process.
        let record = self.current()?;
        let config = &record.config;
        let ran = run_poststart_hooks(
            &self.id,
            &config.hooks,
            &config.labels,
            record.init_process_pid,
        );
        if ran.is_err() {
            // The hook's error is the one to tell.
            if let Err(error) = self.kill_init() {
                log::debug!("stop container {}: {}", self.id, error.chain());
            }
        }
        ran
    }
}

/// Runs the `poststart` hooks of a container whose program runs.
pub(super) fn run_poststart_hooks(
    id: &ContainerId,
    hooks: &Hooks,
    labels: &[String],
    pid: i32,
) -> Result<()> {
    let state = oci_state(id, labels, Status::Running, pid);
    run(hooks, HookPoint::Poststart, &state, None)
}

/// Waits until the kernel has executed the program, or until the init process has ended: it closes
/// its ends of the fifo then. `fifo` is a writing end, and this process has no reading one.
/// `startContainer` hooks come before and may take their time; it is bounded by the life of the
/// process.
pub(super) fn wait_for_program(fifo: &OwnedFd, init: Option<BorrowedFd<'_>>) -> Result<()> {
    // POLLERR, which need not be asked for.
    let mut watched = vec![PollFd::new(fifo, PollFlags::empty())];
    watched.extend(init.map(|init| PollFd::from_borrowed_fd(init, PollFlags::IN)));
    rustix::io::retry_on_intr(|| poll(&mut watched, None))
        .map(drop)
        .map_err(|errno| Error::system("wait for the program to begin", errno))
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
