//! The state root: the directory with one directory a container.

mod containers;
mod root;
#[cfg(test)]
mod tests;

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use configs::Config;
use rustix::fs::Mode;
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

pub use containers::Containers;
use root::{OPEN, check_owner};

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
}
