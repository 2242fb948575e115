//! The state root: the directory with one directory a container.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use crate::container::Container;
use crate::error::{Error, ErrorKind, Result};
use crate::id::ContainerId;
use crate::process::Process;

/// A set of containers: those whose state is kept below one directory, the *state root*.
///
/// Cheap to make; nothing is touched before the first operation, and the directory is made (mode 0700) by the first
/// [`create`](Self::create). Several processes and threads may use one state root at a time.
#[derive(Clone, Debug)]
pub struct Runtime {
    root: PathBuf,
}

impl Runtime {
    /// The containers below `root`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] if `root` is not absolute or is `/`.
    pub fn new(root: impl Into<PathBuf>) -> Result<Self> {
        Ok(Self { root: root.into() })
    }

    /// The same for an open directory.
    ///
    /// # Errors
    /// [`ErrorKind::System`] if it is not a directory.
    pub fn open_at(root: OwnedFd) -> Result<Self> {
        let _ = root;
        Err(Error::new(ErrorKind::Unsupported, "open a state root by descriptor"))
    }

    /// The path of the state root.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Makes a container: its namespaces, cgroup and root file system, with its init process waiting for
    /// [`Container::start`].
    ///
    /// If anything fails, everything made so far is removed again.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`], [`ErrorKind::InvalidConfig`], [`ErrorKind::Unsupported`],
    /// [`ErrorKind::CgroupInUse`], [`ErrorKind::Hook`], [`ErrorKind::OomKilled`], [`ErrorKind::Init`] for a step inside
    /// the container, [`ErrorKind::System`].
    pub fn create(&self, id: &ContainerId, config: configs::Config, process: Process) -> Result<Container> {
        let _ = (id, config, process);
        Err(Error::new(ErrorKind::Unsupported, "create"))
    }

    /// [`create`](Self::create) and [`start`](Container::start).
    ///
    /// # Errors
    /// Theirs; after a failed start the container is destroyed.
    pub fn run(&self, id: &ContainerId, config: configs::Config, process: Process) -> Result<Container> {
        let container = self.create(id, config, process)?;
        container.start()?;
        Ok(container)
    }

    /// Opens a container made before, by this process or another one.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::CorruptState`], [`ErrorKind::System`].
    pub fn load(&self, id: &ContainerId) -> Result<Container> {
        let _ = id;
        Err(Error::new(ErrorKind::NotFound, "container does not exist"))
    }

    /// All containers, in the order of their ids. An entry whose state cannot be read is an `Err` that names it;
    /// one that disappears meanwhile is left out.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the state root does not exist, [`ErrorKind::System`].
    pub fn list(&self) -> Result<Containers> {
        Err(Error::new(ErrorKind::NotFound, "state root does not exist"))
    }

    /// Removes the directory of a container that cannot be loaded. Returns whether there was one.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidState`] if it can be loaded: use [`Container::destroy`]; [`ErrorKind::System`].
    pub fn remove_stale(&self, id: &ContainerId) -> Result<bool> {
        let _ = id;
        Ok(false)
    }
}

/// Iterator over the containers of a state root: [`Runtime::list`].
#[derive(Debug)]
pub struct Containers(std::vec::IntoIter<Result<Container>>);

impl Iterator for Containers {
    type Item = Result<Container>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}
