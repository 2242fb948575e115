use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, setns};

use crate::error::{Error, Result};
use crate::socket::Socket;

/// A network namespace and the path it is known by.
#[derive(Debug)]
pub struct Namespace {
    descriptor: OwnedFd,
    path: PathBuf,
}

impl Namespace {
    /// Opens a file of a network namespace, such as `/proc/PID/ns/net` or
    /// `/run/netns/NAME`.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`Io`](crate::ErrorKind::Io).
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        // A FIFO in its place would let this process wait for a writer.
        let file = File::options()
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(&path)
            .map_err(|source| Error::io(format!("open {}", path.display()), source))?;
        Ok(Self::new(file, path))
    }

    /// Takes an open namespace, with a path for messages.
    #[must_use]
    pub fn new(descriptor: impl Into<OwnedFd>, path: impl Into<PathBuf>) -> Self {
        Self {
            descriptor: descriptor.into(),
            path: path.into(),
        }
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Connects in this namespace. A short-lived thread enters it; the caller's thread stays where
    /// it is.
    ///
    /// # Errors
    /// [`Denied`](crate::ErrorKind::Denied) without `CAP_SYS_ADMIN` here and there;
    /// [`Io`](crate::ErrorKind::Io).
    pub fn connect(&self) -> Result<Socket> {
        self.inside(Socket::connect)
    }

    /// Calls a function in this namespace, on a thread of its own.
    pub(crate) fn inside<T: Send>(&self, call: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let enter = || {
            setns(&self.descriptor, CloneFlags::CLONE_NEWNET)
                .map_err(|errno| Error::io(format!("enter {}", self.path.display()), errno))?;
            call()
        };
        std::thread::scope(|scope| {
            std::thread::Builder::new()
                .spawn_scoped(scope, enter)
                .map_err(|source| Error::io("start a thread", source))?
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
