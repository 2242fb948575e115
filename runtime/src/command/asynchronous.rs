//! A program that runs in a sandbox, for programs inside tokio.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::unix::AsyncFd;
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::{Child, Command, Usage};
use crate::error::{Error, Result};
use crate::process::exit_status::ExitStatus;
use crate::sys;

/// A [`Child`] whose end and whose pipes are waited for without a thread that blocks (feature
/// `tokio`): what [`Command::spawn_async`] returns.
///
/// Dropping it kills everything in the sandbox and removes it, unless [`Command::kill_on_drop`] was
/// set to false; a blocking thread of the runtime does that, if there is one.
#[derive(Debug)]
pub struct AsyncChild {
    /// Shared with the blocking thread that removes the container: a future of
    /// [`wait`](Self::wait) can be dropped meanwhile.
    child: Option<Arc<Mutex<Child>>>,
    ended: AsyncFd<OwnedFd>,
    id: u32,
    /// Writes to its standard input, if that was to be a pipe.
    pub stdin: Option<Sender>,
    /// Reads its standard output, if that was to be a pipe.
    pub stdout: Option<Receiver>,
    /// Reads its standard error, if that was to be a pipe.
    pub stderr: Option<Receiver>,
}

impl Command {
    /// As [`spawn`](Self::spawn), in a blocking thread of tokio: making a container is short, but
    /// other tasks should not wait for it.
    ///
    /// # Errors
    /// Those of [`spawn`](Self::spawn), and of [`Child::into_async`].
    ///
    /// # Panics
    /// Outside of a runtime of tokio that has I/O enabled, as everything of tokio does.
    pub async fn spawn_async(mut self) -> Result<AsyncChild> {
        blocking(move || self.spawn()).await?.into_async()
    }
}

impl Child {
    /// The same program for a program inside tokio, with its pipes.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::ErrorKind::System) if a descriptor cannot be watched; the
    /// sandbox is removed then.
    ///
    /// # Panics
    /// Outside of a runtime of tokio that has I/O enabled, as everything of tokio does.
    pub fn into_async(mut self) -> Result<AsyncChild> {
        let failed = |what| move |error| Error::system(what, error);
        let pidfd = self.as_fd().try_clone_to_owned();
        let pidfd = pidfd.map_err(failed("duplicate a pidfd"))?;
        let ended = sys::watch(pidfd).map_err(failed("watch a pidfd"))?;
        let receiver = |pipe: Option<std::io::PipeReader>| {
            let pipe = pipe.map(|pipe| Receiver::from_owned_fd(pipe.into()));
            pipe.transpose()
                .map_err(failed("watch the output of a program"))
        };
        let stdin = self.stdin.take();
        let stdin = stdin.map(|pipe| Sender::from_owned_fd(pipe.into()));
        Ok(AsyncChild {
            ended,
            id: self.id(),
            stdin: stdin
                .transpose()
                .map_err(failed("watch the input of a program"))?,
            stdout: receiver(self.stdout.take())?,
            stderr: receiver(self.stderr.take())?,
            child: Some(Arc::new(Mutex::new(self))),
        })
    }
}

impl AsyncChild {
    /// The pid of the program on the host.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// As [`Child::kill`].
    ///
    /// # Errors
    /// Those of [`Child::kill`].
    pub fn kill(&mut self) -> Result<()> {
        self.with(Child::kill).unwrap_or(Ok(()))
    }

    /// Waits until the program has ended, and removes the container in a blocking thread of tokio.
    /// Closes [`stdin`](Self::stdin) first. Repeated calls return the same status; a future that is
    /// dropped before its end loses nothing.
    ///
    /// A program that writes more than a pipe holds does not end before somebody reads it: read
    /// [`stdout`](Self::stdout) and [`stderr`](Self::stderr) at the same time.
    ///
    /// # Errors
    /// Those of [`Child::wait`].
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        drop(self.stdin.take());
        let readable = self.ended.readable().await;
        // It stays readable, and so does what tokio knows of it.
        let _ = readable.map_err(|error| Error::system("wait for a program", error))?;
        match self.child.clone() {
            Some(child) => blocking(move || lock(&child).wait()).await,
            None => Ok(ExitStatus::Unknown),
        }
    }

    /// As [`Child::timed_out`].
    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.with(|child| child.timed_out()).unwrap_or(false)
    }

    /// As [`Child::usage`].
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.with(|child| child.usage()).flatten()
    }

    fn with<T>(&self, call: impl FnOnce(&mut Child) -> T) -> Option<T> {
        self.child.as_ref().map(|child| call(&mut lock(child)))
    }
}

impl AsFd for AsyncChild {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ended.get_ref().as_fd()
    }
}

impl Drop for AsyncChild {
    fn drop(&mut self) {
        let child = self.child.take();
        // Killing waits for the end, which other tasks should not do.
        match Handle::try_current() {
            Ok(handle) => drop(handle.spawn_blocking(move || drop(child))),
            Err(_) => drop(child),
        }
    }
}

fn lock(child: &Mutex<Child>) -> MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does what blocks in a thread where it may.
async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match spawn_blocking(call).await {
        Ok(result) => result,
        Err(error) => Err(Error::system(
            "run a task of the sandbox",
            std::io::Error::other(error),
        )),
    }
}
