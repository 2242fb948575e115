//! The children of this process, container by container.
//!
//! A pid namespace ends only when every process in it has been reaped, and a process added by
//! `exec` is reaped by us: its parent is outside. A caller that waits for the init process of a
//! container while it holds, or has dropped, a [`Child`](crate::Child) of the container that it has
//! not waited for would wait for itself. So a wait for one process of a container reaps the others,
//! too; their status is kept for later waits.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nsenter::pidfd::{self, Exit};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::error::{Error, Result};
use crate::id::ContainerId;
use crate::process::exit_status::ExitStatus;
use crate::process::signal::Signal;

/// How soon a process is noticed that another thread adds while this one waits.
const TICK: Duration = Duration::from_secs(1);

/// A child and, when it has ended, its status.
#[derive(Debug)]
pub(crate) struct RegisteredChild {
    container: ContainerId,
    pidfd: OwnedFd,
    status: Mutex<Option<ExitStatus>>,
}

impl RegisteredChild {
    pub(crate) fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// The status if it has ended. Reaps it.
    pub(crate) fn try_wait(&self) -> Result<Option<ExitStatus>> {
        // Held while reaping: of two threads that reap one takes the status, and the other one
        // finds it here.
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        if status.is_none() {
            let exit = pidfd::try_wait(self.pidfd()).map_err(waiting)?;
            *status = exit.map(exit_status);
        }
        Ok(*status)
    }
}

fn waiting(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::system("wait for the process", error)
}

fn exit_status(exit: Exit) -> ExitStatus {
    match exit {
        Exit::Code(code) => u8::try_from(code).map_or(ExitStatus::Unknown, ExitStatus::Exited),
        Exit::Signal { signal, .. } => {
            Signal::from_number(signal).map_or(ExitStatus::Unknown, ExitStatus::Signaled)
        }
        Exit::Unknown => ExitStatus::Unknown,
    }
}

/// The children of this process that have not been reaped.
#[derive(Debug, Default)]
pub(crate) struct ChildRegistry(Mutex<Vec<Arc<RegisteredChild>>>);

impl ChildRegistry {
    /// Adds a new child.
    pub(crate) fn add(&self, container: &ContainerId, pidfd: OwnedFd) -> Arc<RegisteredChild> {
        let entry = Arc::new(RegisteredChild {
            container: container.clone(),
            pidfd,
            status: Mutex::new(None),
        });
        self.reap(container);
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::clone(&entry));
        entry
    }

    /// Reaps the children of a container that have ended; returns the others.
    pub(crate) fn reap(&self, container: &ContainerId) -> Vec<Arc<RegisteredChild>> {
        self.reap_but(container, None)
    }

    /// The same, for one who waits for a child of that container, which is left alone.
    pub(crate) fn reap_others(
        &self,
        container: &ContainerId,
        own: &Arc<RegisteredChild>,
    ) -> Vec<Arc<RegisteredChild>> {
        self.reap_but(container, Some(own))
    }

    fn reap_but(
        &self,
        container: &ContainerId,
        own: Option<&Arc<RegisteredChild>>,
    ) -> Vec<Arc<RegisteredChild>> {
        let is_concerned = |entry: &Arc<RegisteredChild>| {
            entry.container == *container && own.is_none_or(|own| !Arc::ptr_eq(entry, own))
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // An error leaves it for the next time.
        all.retain(|entry| !is_concerned(entry) || !matches!(entry.try_wait(), Ok(Some(_))));
        let others = all.iter().filter(|entry| is_concerned(entry));
        others.cloned().collect()
    }

    /// Waits until a process of the container has ended, at most so long; says whether it has.
    /// Reaps the container's other children as they end.
    pub(crate) fn wait(
        &self,
        container: &ContainerId,
        pidfd: BorrowedFd<'_>,
        timeout: Option<Duration>,
    ) -> Result<bool> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let others = self.reap(container);
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let limit = Timespec::try_from(left.map_or(TICK, |left| left.min(TICK))).ok();
            let mut watched = vec![PollFd::from_borrowed_fd(pidfd, PollFlags::IN)];
            watched.extend(
                others
                    .iter()
                    .map(|entry| PollFd::from_borrowed_fd(entry.pidfd(), PollFlags::IN)),
            );
            rustix::io::retry_on_intr(|| poll(&mut watched, limit.as_ref())).map_err(waiting)?;
            if watched
                .first()
                .is_some_and(|target| !target.revents().is_empty())
            {
                // If it is one of ours, its status is taken and its entry gone when this returns.
                self.reap(container);
                return Ok(true);
            }
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(false);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{ChildStdin, Command, Stdio};

    #[allow(clippy::zombie_processes, reason = "waited for through its pidfd")]
    fn start(script: &str) -> OwnedFd {
        let child = Command::new("/bin/sh")
            .args(["-c", script])
            .spawn()
            .unwrap();
        pidfd::open(child.id()).unwrap()
    }

    /// A process that ends when the pipe is closed.
    #[allow(clippy::zombie_processes, reason = "waited for through its pidfd")]
    fn start_reader() -> (OwnedFd, ChildStdin) {
        let mut child = Command::new("/bin/cat")
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        (pidfd::open(child.id()).unwrap(), stdin)
    }

    fn id(text: &str) -> ContainerId {
        text.parse().unwrap()
    }

    #[test]
    fn waiting_for_one_reaps_the_others_of_the_container_and_keeps_their_status() {
        let registry = ChildRegistry::default();
        let (target, stdin) = start_reader();
        let target = registry.add(&id("a"), target);
        let other = registry.add(&id("a"), start("exit 4"));
        let stranger = registry.add(&id("b"), start("exit 5"));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // The target lives until the wait for it has reaped the other one.
                let deadline = Instant::now() + Duration::from_secs(60);
                while other.status.lock().unwrap().is_none() && Instant::now() < deadline {
                    std::thread::yield_now();
                }
                drop(stdin);
            });
            assert!(registry.wait(&id("a"), target.pidfd(), None).unwrap());
        });
        assert!(registry.reap(&id("a")).is_empty());
        assert_eq!(
            *other.status.lock().unwrap(),
            Some(ExitStatus::Exited(4)),
            "reaped while waiting for the target"
        );
        assert_eq!(*stranger.status.lock().unwrap(), None);
        assert!(registry.wait(&id("b"), stranger.pidfd(), None).unwrap());
        assert_eq!(stranger.try_wait().unwrap(), Some(ExitStatus::Exited(5)));
    }

    #[test]
    fn a_timeout_is_kept() {
        let registry = ChildRegistry::default();
        let target = registry.add(&id("a"), start("exec sleep 1000"));
        let limit = Some(Duration::from_millis(10));
        assert!(!registry.wait(&id("a"), target.pidfd(), limit).unwrap());
        pidfd::send_signal(target.pidfd(), 9).unwrap();
        assert!(registry.wait(&id("a"), target.pidfd(), None).unwrap());
    }
}
