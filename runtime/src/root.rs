//! The state root: the directory with one directory a container.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use configs::Config;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::container::directory::{self, StateDirectory};
use crate::container::{Container, System, WhenReady, create, preview};
use crate::error::{Error, ErrorKind, Result};
use crate::id::ContainerId;
use crate::process::Process;

/// A set of containers: those whose state is kept below one directory, the *state root*.
///
/// Cheap to make; nothing is touched before the first operation, and the directory is made (mode 0700) by the first
/// [`create`](Self::create). Several processes and threads may use one state root at a time.
///
/// Containers are made by threads, not by the process: until [`create`](Self::create) returns, the thread that called it
/// must stay alive, afterwards any thread may use the container. In an async program call it in a blocking task.
#[derive(Clone, Debug)]
pub struct Runtime {
    path: PathBuf,
    root: Arc<OnceLock<OwnedFd>>,
    system: Arc<System>,
}

const OPEN: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

impl Runtime {
    /// The containers below `root`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] if `root` is not absolute or is `/`.
    pub fn new(root: impl Into<PathBuf>) -> Result<Self> {
        let path: PathBuf = root.into();
        if !path.is_absolute() {
            return Err(Error::config(format!(
                "state root {}: not an absolute path",
                path.display()
            )));
        }
        if path.parent().is_none() {
            return Err(Error::config("the state root cannot be /"));
        }
        Ok(Self {
            path,
            root: Arc::default(),
            system: Arc::default(),
        })
    }

    /// The same for an open directory.
    ///
    /// # Errors
    /// [`ErrorKind::System`] if it is not a directory.
    pub fn open_at(root: OwnedFd) -> Result<Self> {
        let failed = |error| Error::system("open the state root", error);
        // The descriptor given may be `O_PATH`, or not close-on-exec.
        let own = rustix::fs::openat(&root, ".", OPEN, Mode::empty())
            .map_err(|errno| failed(errno.into()))?;
        let path = std::fs::read_link(format!("/proc/thread-self/fd/{}", own.as_raw_fd()))
            .map_err(failed)?;
        let cell = OnceLock::new();
        let _ = cell.set(own);
        Ok(Self {
            path,
            root: Arc::new(cell),
            system: Arc::default(),
        })
    }

    /// The path of the state root.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a container: its namespaces, cgroup and root file system, with its init process waiting for
    /// [`Container::start`].
    ///
    /// What exists is recorded before it is made, so that [`Container::destroy`] finds everything even after this process
    /// was killed in the middle. If anything fails, everything made so far is removed again.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`], [`ErrorKind::InvalidConfig`], [`ErrorKind::Unsupported`],
    /// [`ErrorKind::CgroupInUse`], [`ErrorKind::Hook`], [`ErrorKind::OomKilled`], [`ErrorKind::Init`] for a step inside
    /// the container, [`ErrorKind::System`].
    pub fn create(&self, id: &ContainerId, config: Config, process: Process) -> Result<Container> {
        create(self, id, config, process, WhenReady::Wait)
    }

    /// The steps that the init process of such a container would take, one a line, with nothing made or changed: what
    /// would happen inside, for people to review.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`], [`ErrorKind::Unsupported`], [`ErrorKind::System`].
    pub fn plan(&self, id: &ContainerId, config: &Config, process: &Process) -> Result<String> {
        preview(self, id, config, process).map(|built| built.plan.to_string())
    }

    /// [`create`](Self::create) and [`start`](Container::start) in one: the init process does not wait in between, except
    /// for `poststart` hooks.
    ///
    /// # Errors
    /// Those of `create`.
    pub fn run(&self, id: &ContainerId, config: Config, process: Process) -> Result<Container> {
        create(self, id, config, process, WhenReady::Go)
    }

    /// Opens a container made before, by this process or another one.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::CorruptState`], [`ErrorKind::System`].
    pub fn load(&self, id: &ContainerId) -> Result<Container> {
        match self.existing_root()? {
            Some(()) => Container::load(self.clone(), id),
            None => Err(Error::new(ErrorKind::NotFound, "container does not exist")),
        }
    }

    /// All containers, in the order of their ids. An entry whose state cannot be read is an `Err` that names it;
    /// one that disappears meanwhile, or that is not there yet, is left out.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the state root does not exist, [`ErrorKind::System`].
    pub fn list(&self) -> Result<Containers> {
        if self.existing_root()?.is_none() {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("state root {} does not exist", self.path.display()),
            ));
        }
        let failed = |errno| Error::system(format!("list {}", self.path.display()), errno);
        let mut ids = Vec::new();
        for entry in rustix::fs::Dir::read_from(self.root()?).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if !matches!(entry.file_type(), FileType::Directory | FileType::Unknown) {
                continue;
            }
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            // Another program's directory, not ours: engines keep their own things beside.
            ids.extend(ContainerId::new(name).ok());
        }
        ids.sort();
        Ok(Containers {
            runtime: self.clone(),
            ids: ids.into_iter(),
        })
    }

    /// Removes the directory of a container that cannot be loaded. Returns whether there was one. Waits for whoever is
    /// making or destroying a container of this id.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidState`] if it can be loaded: use [`Container::destroy`]; [`ErrorKind::System`].
    pub fn remove_stale(&self, id: &ContainerId) -> Result<bool> {
        if self.existing_root()?.is_none() {
            return Ok(false);
        }
        let locked = StateDirectory::open(self.root()?, &self.path, id)
            .and_then(|directory| directory.lock(self.root()?, id));
        let _lock = match locked {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            locked => locked?,
        };
        // Whoever made it has gone on, or was killed, by now.
        if self.load(id).is_ok() {
            return Err(Error::new(
                ErrorKind::InvalidState,
                format!("container {id} can be loaded"),
            ));
        }
        directory::remove(self.root()?, &self.path, id)
    }

    /// The same containers seen with other kernel file systems.
    #[cfg(test)]
    pub(crate) fn with_system(mut self, system: System) -> Self {
        self.system = Arc::new(system);
        self
    }

    pub(crate) fn system(&self) -> &Arc<System> {
        &self.system
    }

    /// The open state root; the directory must exist.
    pub(crate) fn root(&self) -> Result<impl AsFd + '_> {
        match self.existing_root()?.and_then(|()| self.root.get()) {
            Some(root) => Ok(root),
            None => Err(Error::new(
                ErrorKind::NotFound,
                format!("state root {} does not exist", self.path.display()),
            )),
        }
    }

    /// Opens the state root; `None` if there is none.
    fn existing_root(&self) -> Result<Option<()>> {
        if self.root.get().is_some() {
            return Ok(Some(()));
        }
        match rustix::fs::open(&self.path, OPEN, Mode::empty()) {
            Ok(root) => {
                let _ = self.root.set(root);
                Ok(Some(()))
            }
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(Error::system(
                format!("open {}", self.path.display()),
                errno,
            )),
        }
    }

    /// Makes the state root, with the directories above, unless it exists.
    pub(crate) fn make_root(&self) -> Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        if self.existing_root()?.is_some() {
            return Ok(());
        }
        let made = std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path);
        made.map_err(|error| Error::system(format!("make {}", self.path.display()), error))?;
        self.existing_root().map(drop)
    }
}

/// Iterator over the containers of a state root: [`Runtime::list`].
#[derive(Debug)]
pub struct Containers {
    runtime: Runtime,
    ids: std::vec::IntoIter<ContainerId>,
}

impl Iterator for Containers {
    type Item = Result<Container>;

    fn next(&mut self) -> Option<Self::Item> {
        for id in self.ids.by_ref() {
            match self.runtime.load(&id) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Some(Err(error.context(format!("container {id}")))),
                Ok(container) => return Some(Ok(container)),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_that_would_be_dangerous_is_refused() {
        for root in ["/", "relative", ""] {
            assert_eq!(
                Runtime::new(root).unwrap_err().kind(),
                ErrorKind::InvalidConfig,
                "{root:?}"
            );
        }
    }

    #[test]
    fn nothing_is_made_by_looking() {
        let dir = tempfile::tempdir().unwrap();
        let runtime = Runtime::new(dir.path().join("a/b")).unwrap();
        let id = "x".parse().unwrap();
        assert_eq!(runtime.load(&id).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(runtime.list().unwrap_err().kind(), ErrorKind::NotFound);
        assert!(!runtime.remove_stale(&id).unwrap());
        assert!(!dir.path().join("a").exists());
    }

    #[test]
    fn the_root_is_made_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let runtime = Runtime::new(dir.path().join("a/b")).unwrap();
        runtime.make_root().unwrap();
        runtime.make_root().unwrap();
        assert_eq!(
            dir.path()
                .join("a/b")
                .metadata()
                .unwrap()
                .permissions()
                .mode()
                & 0o7777,
            0o700
        );
        assert_eq!(runtime.list().unwrap().count(), 0);
    }

    #[test]
    fn foreign_entries_and_unfinished_directories_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let runtime =
            Runtime::open_at(OwnedFd::from(std::fs::File::open(dir.path()).unwrap())).unwrap();
        assert_eq!(runtime.path(), dir.path().canonicalize().unwrap());
        std::fs::create_dir(dir.path().join("empty")).unwrap();
        std::fs::create_dir(dir.path().join("not an id")).unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        std::fs::create_dir(dir.path().join("broken")).unwrap();
        std::fs::write(dir.path().join("broken/state.json"), "{").unwrap();
        let all: Vec<_> = runtime.list().unwrap().collect();
        assert_eq!(all.len(), 1);
        let error = all.into_iter().next().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CorruptState);
        assert_eq!(error.to_string(), "container broken");
        assert!(runtime.remove_stale(&"broken".parse().unwrap()).unwrap());
        assert!(runtime.remove_stale(&"empty".parse().unwrap()).unwrap());
    }

    /// Waits until somebody waits for the lock of this file.
    fn until_waited_for(file: &Path, is_over: impl Fn() -> bool) {
        use std::os::unix::fs::MetadataExt;
        let inode = format!(":{} ", file.metadata().unwrap().ino());
        let waits = |line: &str| line.contains("->") && line.contains(&inode);
        while !is_over()
            && !std::fs::read_to_string("/proc/locks")
                .unwrap()
                .lines()
                .any(waits)
        {
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_is_being_made_is_not_stale() {
        let dir = tempfile::tempdir().unwrap();
        let runtime = Runtime::new(dir.path()).unwrap();
        let id: ContainerId = "x".parse().unwrap();
        let (made, lock) =
            StateDirectory::make(runtime.root().unwrap(), runtime.path(), &id).unwrap();
        std::thread::scope(|scope| {
            let remover = scope.spawn(|| runtime.remove_stale(&id));
            until_waited_for(made.path(), || remover.is_finished());
            let text = r#"{"init_process_pid":-1,"init_process_start":0,"created":"","config":{}}"#;
            std::fs::write(made.path().join("state.json"), text).unwrap();
            drop(lock);
            let error = remover.join().unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidState);
        });
        runtime.load(&id).unwrap();
    }

    #[test]
    fn a_runtime_can_be_used_by_any_thread() {
        fn check<T: Send + Sync + 'static>() {}
        check::<Runtime>();
        check::<Container>();
        check::<Process>();
        check::<crate::Child>();
    }
}
