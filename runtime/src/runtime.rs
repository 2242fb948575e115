//! The state root: the directory with one directory a container.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use configs::Config;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use seccomp::Backend;

use crate::bundle::Bundle;
use crate::checkpoint::RestoreOptions;
use crate::container::{Container, WhenReady, create, force_delete, preview, restore};
use crate::error::{Error, ErrorKind, Result};
use crate::id::ContainerId;
use crate::plan::BuiltPlan;
use crate::process::Process;
use crate::state::directory::StateDirectory;
use crate::state::file::Remains;
use crate::system::System;
use crate::validation::Validated;

/// A set of containers: those whose state is kept below one directory, the *state root*.
///
/// Cheap to make; nothing is touched before the first operation, and the directory is made (mode
/// 0700) by the first [`create`](Self::create). Several processes and threads may use one state
/// root at a time. One that is removed while no container is in it is made again by the next
/// `create`.
///
/// A user who can write to the state root decides which processes are signalled in the name of a
/// container. So it must belong to the effective user or to root, and others must not have write
/// permission, nor its group unless it is the caller's or root's own; every operation on another
/// one fails.
///
/// Containers are made by threads, not by the process: until [`create`](Self::create) returns, the
/// thread that called it must stay alive, afterwards any thread may use the container. In an async
/// program call it in a blocking task.
#[derive(Clone, Debug)]
pub struct Runtime {
    path: PathBuf,
    root: Arc<RwLock<Option<Arc<OwnedFd>>>>,
    system: Arc<System>,
    seccomp: Backend,
    command: bool,
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
            seccomp: Backend::default(),
            command: false,
        })
    }

    /// The same for an open directory.
    ///
    /// # Errors
    /// [`ErrorKind::System`] if it is not a directory, or other users can write to it.
    pub fn open_at(root: OwnedFd) -> Result<Self> {
        let failed = |error| Error::system("open the state root", error);
        // The descriptor given may be `O_PATH`, or not close-on-exec.
        let own = rustix::fs::openat(&root, ".", OPEN, Mode::empty())
            .map_err(|errno| failed(errno.into()))?;
        let path = std::fs::read_link(format!("/proc/thread-self/fd/{}", own.as_raw_fd()))
            .map_err(failed)?;
        check_owner(&own, &path)?;
        Ok(Self {
            path,
            root: Arc::new(RwLock::new(Some(Arc::new(own)))),
            system: Arc::default(),
            seccomp: Backend::default(),
            command: false,
        })
    }

    /// The same containers, with another compiler for the system call filters of what is created,
    /// run and executed from now on. It is not recorded: another `Runtime` compiles by its own.
    ///
    /// Without this it is [`Backend::Auto`]. Where a configuration has a filter, what the chosen
    /// one cannot do is an [`ErrorKind::InvalidConfig`], also that this build does not have it
    /// ([`Backend::is_available`]).
    #[must_use]
    pub fn with_seccomp_backend(mut self, backend: Backend) -> Self {
        self.seccomp = backend;
        self
    }

    /// The path of the state root.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a container: its namespaces, cgroup and root file system, with its init process
    /// waiting for [`Container::start`].
    ///
    /// The configuration is validated first, against facts about this machine that are looked up
    /// here; that cannot be avoided. Whether this process is root (`rootless_euid`) is one
    /// of the facts, whatever the configuration says. [`create_bundle`](Self::create_bundle)
    /// takes a bundle instead.
    ///
    /// What exists is recorded before it is made, so that [`Container::destroy`] finds everything
    /// even after this process was killed in the middle. If anything fails, everything made so
    /// far is removed again.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`], [`ErrorKind::InvalidConfig`], [`ErrorKind::Unsupported`],
    /// [`ErrorKind::CgroupInUse`], [`ErrorKind::Hook`], [`ErrorKind::OomKilled`],
    /// [`ErrorKind::Init`] for a step inside the container, [`ErrorKind::System`].
    pub fn create(&self, id: &ContainerId, config: Config, process: Process) -> Result<Container> {
        let checked = Validated::new(&self.system, config)?;
        create(self, id, checked, process, WhenReady::Wait)
    }

    /// [`create`](Self::create) for a bundle: converts and validates its configuration for this
    /// machine, and makes a container of it with the process that the bundle describes.
    ///
    /// # Errors
    /// Those of `create`.
    pub fn create_bundle(&self, id: &ContainerId, bundle: Bundle) -> Result<Container> {
        self.make_bundle(id, bundle, WhenReady::Wait)
    }

    pub(crate) fn make_bundle(
        &self,
        id: &ContainerId,
        bundle: Bundle,
        when_ready: WhenReady,
    ) -> Result<Container> {
        let checked = bundle.check(&self.system, id)?;
        let mut process = bundle.into_process();
        if let Some(timings) = &mut process.timings {
            timings.mark("read and convert the bundle");
        }
        create(self, id, checked, process, when_ready)
    }

    /// The steps that the init process of such a container would take, one a line, with nothing
    /// made or changed: what would happen inside, for people to review.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`], [`ErrorKind::Unsupported`], [`ErrorKind::System`].
    pub fn plan(&self, id: &ContainerId, config: &Config, process: &Process) -> Result<String> {
        let checked = Validated::new(&self.system, config.clone())?;
        preview(self, id, &checked, process).map(|built| built.plan.to_string())
    }

    /// [`plan`](Self::plan) for a bundle, and what is questionable about it.
    ///
    /// # Errors
    /// Those of `plan`.
    pub fn plan_bundle(&self, id: &ContainerId, bundle: Bundle) -> Result<(String, Vec<String>)> {
        let (built, _, warnings) = self.preview_bundle(id, bundle)?;
        Ok((built.plan.to_string(), warnings))
    }

    /// The plan of a bundle, the configuration that it is made from, and what is questionable
    /// about that.
    pub(crate) fn preview_bundle(
        &self,
        id: &ContainerId,
        bundle: Bundle,
    ) -> Result<(BuiltPlan, Config, Vec<String>)> {
        let checked = bundle.check(&self.system, id)?;
        match preview(self, id, &checked, &bundle.into_process()) {
            Ok(built) => {
                let mut warnings = checked.warnings;
                warnings.extend_from_slice(&built.warnings);
                Ok((built, checked.config, warnings))
            }
            Err(error) => Err(error.with_warnings(checked.warnings)),
        }
    }

    /// The plan that a container's configuration gives now, for the process that its bundle
    /// describes now, and for a container of this name.
    #[cfg(feature = "explain")]
    pub(crate) fn preview_container(
        &self,
        container: &Container,
        id: &ContainerId,
    ) -> Result<(BuiltPlan, Config)> {
        let spec = crate::bundle::read(container.bundle())?;
        let process = spec
            .process
            .ok_or_else(|| Error::config("process property must not be empty"))?;
        let process = Process::from_oci(&process)?;
        let checked = Validated::new(&self.system, container.config()?)?;
        let built = preview(self, id, &checked, &process)?;
        Ok((built, checked.config))
    }

    /// [`create`](Self::create) and [`start`](Container::start) in one: the init process does not
    /// wait in between, unless there are `poststart` hooks, which run when the program has
    /// begun. If one of them fails, nothing of the container is left.
    ///
    /// # Errors
    /// Those of `create`.
    pub fn run(&self, id: &ContainerId, config: Config, process: Process) -> Result<Container> {
        let checked = Validated::new(&self.system, config)?;
        create(self, id, checked, process, WhenReady::Go)
    }

    /// [`run`](Self::run) for a bundle.
    ///
    /// # Errors
    /// Those of `create`.
    pub fn run_bundle(&self, id: &ContainerId, bundle: Bundle) -> Result<Container> {
        self.make_bundle(id, bundle, WhenReady::Go)
    }

    /// Restores a container from images that [`Container::checkpoint`] has written, or another
    /// runtime's: its processes go on where they were. The container may have another id and
    /// another bundle than it had; the configuration has to describe the same namespaces and
    /// mounts.
    ///
    /// Mounts that come from outside have the sources that this configuration names; nothing that
    /// is written in the images changes that. `process` says what the container is connected with:
    /// its standard streams take the places of those that were pipes, its terminal is where the
    /// container's goes; its program, user and so on are those of the images. Hooks run as for a
    /// new container, but `createContainer`, `startContainer` and `poststart`, which have run.
    ///
    /// As after [`run`](Self::run), the init process is a child of this process. If anything
    /// fails, everything made so far is removed again.
    ///
    /// # Errors
    /// Those of `create`, and those of CRIU, which name its log and quote its last error;
    /// [`Error::warnings`] has what led to that.
    pub fn restore(
        &self,
        id: &ContainerId,
        config: Config,
        process: Process,
        options: &RestoreOptions,
    ) -> Result<Container> {
        let checked = Validated::new(&self.system, config)?;
        restore(self, id, checked, process, options)
    }

    /// [`restore`](Self::restore) for a bundle.
    ///
    /// # Errors
    /// Those of `restore`.
    pub fn restore_bundle(
        &self,
        id: &ContainerId,
        bundle: Bundle,
        options: &RestoreOptions,
    ) -> Result<Container> {
        let checked = bundle.check(&self.system, id)?;
        restore(self, id, checked, bundle.into_process(), options)
    }

    /// Opens a container made before, by this process or another one.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::CorruptState`], [`ErrorKind::System`].
    pub fn load(&self, id: &ContainerId) -> Result<Container> {
        match self.existing_root()? {
            Some(_) => Container::load(self.clone(), id),
            None => Err(Error::new(ErrorKind::NotFound, "container does not exist")),
        }
    }

    /// All containers, in the order of their ids. An entry whose state cannot be read, or that has
    /// none, is an `Err` that names it; one that disappears meanwhile, or that is just being
    /// made or removed, is left out.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the state root does not exist, [`ErrorKind::System`].
    pub fn list(&self) -> Result<Containers> {
        let root = self.existing_root()?.ok_or_else(|| self.is_missing())?;
        let failed = |errno| Error::system(format!("list {}", self.path.display()), errno);
        let mut ids = Vec::new();
        for entry in rustix::fs::Dir::read_from(&root).map_err(failed)? {
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

    /// Ends a container, whatever it is doing, and removes everything it consists of. Returns
    /// whether there was one.
    ///
    /// A container that is being made is ended, too: its `create` fails. What another runtime
    /// process has left that was killed or stopped is removed, also below a cgroup that is
    /// frozen, and also if the state file is damaged or missing but an earlier one is not.
    /// Returns after a bounded time, mostly within a tenth of a second; it may wait for ten
    /// seconds each for the lock, for the end of the init process, and for the cgroup to become
    /// empty.
    ///
    /// # Errors
    /// They say what could not be removed; what is on record stays there, so that the call can be
    /// repeated. [`ErrorKind::Timeout`] if another process keeps the lock of the container (it is
    /// named) or processes do not end; [`ErrorKind::CorruptState`] if nothing is on record any more
    /// what the container consists of: then its directory alone is removed; [`ErrorKind::Hook`] if
    /// a poststop hook failed, with everything else removed; [`ErrorKind::System`].
    pub fn force_delete(&self, id: &ContainerId) -> Result<bool> {
        if self.existing_root()?.is_none() {
            return Ok(false);
        }
        force_delete(self, id)
    }

    /// Removes the directory that an interrupted [`create`](Self::create) has left before it
    /// recorded anything, or an interrupted removal after everything else was gone. Returns
    /// whether there was one. Waits ten seconds at most for another process that makes or
    /// destroys a container of this id.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidState`] if there is or was a container: use [`Container::destroy`] or
    /// [`force_delete`](Self::force_delete); [`ErrorKind::Timeout`] if another process keeps the
    /// lock; [`ErrorKind::System`].
    pub fn remove_stale(&self, id: &ContainerId) -> Result<bool> {
        if self.existing_root()?.is_none() {
            return Ok(false);
        }
        let opened = StateDirectory::open(self.root()?, &self.path, id)
            .and_then(|directory| Ok((directory.lock(self.root()?, id)?, directory)));
        let (lock, directory) = match opened {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            opened => opened?,
        };
        // The process that made it has gone on, or was killed, by now.
        match directory.remains()? {
            Remains::Nothing => lock.remove(self.root()?, id),
            _ => Err(Error::new(
                ErrorKind::InvalidState,
                format!("container {id} is on record"),
            )),
        }
    }

    /// The same containers seen with other kernel file systems.
    #[cfg(test)]
    pub(crate) fn with_system(mut self, system: System) -> Self {
        self.system = Arc::new(system);
        self
    }

    /// For a process that does nothing but what one command asks for: another one may kill it to
    /// end that.
    #[cfg(feature = "cli")]
    pub(crate) fn of_command(mut self) -> Self {
        self.command = true;
        self
    }

    pub(crate) fn seccomp(&self) -> Backend {
        self.seccomp
    }

    pub(crate) fn is_command(&self) -> bool {
        self.command
    }

    pub(crate) fn system(&self) -> &Arc<System> {
        &self.system
    }

    /// The open state root; the directory must exist.
    pub(crate) fn root(&self) -> Result<Arc<OwnedFd>> {
        if let Some(root) = self.opened() {
            return Ok(root);
        }
        self.existing_root()?.ok_or_else(|| self.is_missing())
    }

    fn is_missing(&self) -> Error {
        Error::new(
            ErrorKind::NotFound,
            format!("state root {} does not exist", self.path.display()),
        )
    }

    fn opened(&self) -> Option<Arc<OwnedFd>> {
        self.root
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Opens the state root, again if the one that is open was removed; `None` if it does not
    /// exist.
    fn existing_root(&self) -> Result<Option<Arc<OwnedFd>>> {
        let failed = |errno| Error::system(format!("open {}", self.path.display()), errno);
        if let Some(root) = self.opened() {
            // A directory that was removed has no link left.
            if rustix::fs::fstat(&root).map_err(failed)?.st_nlink != 0 {
                return Ok(Some(root));
            }
        }
        let root = match rustix::fs::open(&self.path, OPEN, Mode::empty()) {
            Ok(root) => root,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(failed(errno)),
        };
        check_owner(&root, &self.path)?;
        let root = Arc::new(root);
        *self.root.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&root));
        Ok(Some(root))
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

/// Refuses a state root that another user could write to: a state file names processes to be
/// signalled.
fn check_owner(root: &OwnedFd, path: &Path) -> Result<()> {
    let refused = |why: &str| {
        let path = path.display();
        Err(Error::new(
            ErrorKind::System,
            format!("state root {path} cannot be trusted: {why}"),
        ))
    };
    let stat = rustix::fs::fstat(root)
        .map_err(|errno| Error::system(format!("look at {}", path.display()), errno))?;
    let uid = rustix::process::geteuid().as_raw();
    let gid = rustix::process::getegid().as_raw();
    if stat.st_uid != 0 && stat.st_uid != uid {
        return refused(&format!("it belongs to user {}", stat.st_uid));
    }
    if stat.st_mode & 0o002 != 0 {
        return refused("every user can write to it");
    }
    if stat.st_mode & 0o020 != 0 && stat.st_gid != 0 && stat.st_gid != gid {
        return refused(&format!("group {} can write to it", stat.st_gid));
    }
    Ok(())
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
        while let Some(id) = self.ids.next() {
            // Whether the root is still there was asked when it was listed.
            match Container::load(self.runtime.clone(), &id) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    if let Some(settled) = self.without_record(&id) {
                        return Some(settled);
                    }
                }
                Err(error) => return Some(Err(error.context(format!("container {id}")))),
                Ok(container) => return Some(Ok(container)),
            }
        }
        None
    }
}

impl Containers {
    /// How many entries there are to look at.
    #[cfg(feature = "cli")]
    pub(crate) fn remaining(&self) -> usize {
        self.ids.len()
    }

    /// The same in parts of at most `length`, in the same order.
    #[cfg(feature = "cli")]
    pub(crate) fn parts(mut self, length: std::num::NonZeroUsize) -> Vec<Self> {
        let mut parts = Vec::new();
        while self.ids.len() > 0 {
            let ids: Vec<_> = self.ids.by_ref().take(length.get()).collect();
            parts.push(Self {
                runtime: self.runtime.clone(),
                ids: ids.into_iter(),
            });
        }
        parts
    }

    /// What to say of a directory that had no record; nothing if that is only for a moment.
    fn without_record(&self, id: &ContainerId) -> Option<Result<Container>> {
        let look = || {
            let root = self.runtime.root()?;
            StateDirectory::open(root, self.runtime.path(), id)?.is_in_passing()
        };
        if !matches!(look(), Ok(false)) {
            return None;
        }
        // With this mode and age a directory has its record, if it ever gets one.
        let loaded = self.runtime.load(id);
        Some(loaded.map_err(|error| error.context(format!("container {id}"))))
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
        // As a creation makes it, and for the time being has nothing in it.
        let mut passing = std::fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut passing, 0o700);
        passing.create(dir.path().join("passing")).unwrap();
        let all: Vec<_> = runtime
            .list()
            .unwrap()
            .map(|one| {
                one.map_err(|error| (error.kind(), error.chain()))
                    .unwrap_err()
            })
            .collect();
        let [broken, empty] = all.try_into().unwrap();
        assert_eq!(broken.0, ErrorKind::CorruptState);
        assert!(
            broken.1.starts_with("container broken: read "),
            "{}",
            broken.1
        );
        assert_eq!(
            empty,
            (
                ErrorKind::NotFound,
                "container empty: container does not exist".to_owned()
            )
        );
        let id = |text: &str| -> ContainerId { text.parse().unwrap() };
        assert!(runtime.remove_stale(&id("empty")).unwrap());
        assert!(runtime.remove_stale(&id("passing")).unwrap());
        // Only for callers that ask whether more may be left.
        assert_eq!(
            runtime.remove_stale(&id("broken")).unwrap_err().kind(),
            ErrorKind::InvalidState
        );
        let error = runtime.force_delete(&id("broken")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CorruptState);
        assert!(!runtime.force_delete(&id("broken")).unwrap());
    }

    #[test]
    fn a_root_that_others_can_write_to_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let set = |mode| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(dir.path(), mode).unwrap();
        };
        let id: ContainerId = "x".parse().unwrap();
        let refused = || {
            let runtime = Runtime::new(dir.path()).unwrap();
            let errors = [
                runtime.load(&id).unwrap_err(),
                runtime.list().unwrap_err(),
                runtime.make_root().unwrap_err(),
                runtime.force_delete(&id).unwrap_err(),
                Runtime::open_at(OwnedFd::from(std::fs::File::open(dir.path()).unwrap()))
                    .unwrap_err(),
            ];
            for error in errors {
                assert!(error.to_string().contains("cannot be trusted"), "{error}");
            }
        };
        set(0o757);
        refused();
        set(0o1777);
        refused();
        set(0o755);
        assert_eq!(
            Runtime::new(dir.path())
                .unwrap()
                .load(&id)
                .unwrap_err()
                .kind(),
            ErrorKind::NotFound
        );
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(dir.path(), Some(1000), None).unwrap();
            refused();
            std::os::unix::fs::chown(dir.path(), Some(0), Some(1000)).unwrap();
            set(0o775);
            refused();
            set(0o755);
            Runtime::new(dir.path()).unwrap().list().unwrap();
        }
    }

    #[test]
    fn a_root_that_was_removed_is_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let runtime = Runtime::new(dir.path().join("root")).unwrap();
        let id: ContainerId = "x".parse().unwrap();
        for _ in 0..2 {
            runtime.make_root().unwrap();
            assert_eq!(runtime.list().unwrap().count(), 0);
            let (_made, lock) =
                StateDirectory::make(runtime.root().unwrap(), runtime.path(), &id).unwrap();
            assert!(lock.remove(runtime.root().unwrap(), &id).unwrap());
            std::fs::remove_dir(runtime.path()).unwrap();
            assert_eq!(runtime.list().unwrap_err().kind(), ErrorKind::NotFound);
            assert_eq!(runtime.load(&id).unwrap_err().kind(), ErrorKind::NotFound);
            assert!(!runtime.force_delete(&id).unwrap());
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
