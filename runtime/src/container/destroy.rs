//! Removing a container: the record is replayed, whatever part of it exists.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use cgroups::Cgroup;
use configs::config::HookPoint;
use configs::oci::ContainerStatus as Status;

use super::Container;
use super::killed_dump::Dumping;
use crate::error::{Error, ErrorKind, Result};
use crate::id::ContainerId;
use crate::launch::{hooks, host_mounts, network};
use crate::process::signal::Signal;
use crate::runtime::Runtime;
use crate::state::directory::StateDirectory;
use crate::state::file::Remains;
use crate::state::lock;
use crate::state::lock::{Lock, Pauses};
use crate::state::record::{Record, State};
use crate::{cgroup, rdt};

/// How long a killed init process may take to end.
const INIT_EXIT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the processes of a container have to end, once its init process was killed, before each
/// is looked for: those that are frozen do not end by themselves, nor do those that did not get
/// into its pid namespace.
const GRACE: Duration = Duration::from_millis(100);

/// How long a command that makes the container, or the CRIU that dumps it, has to notice that its
/// processes were killed.
const WORKER_GRACE: Duration = Duration::from_secs(5);

/// How often the processes of a container are killed that another runtime process does not let go.
const KILL_INTERVAL: Duration = Duration::from_millis(50);

/// What becomes of processes that the end of the init process has left in the cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// They may be on their way out; others are not the container's.
    Wait,
    /// They are killed.
    Kill,
}

impl Container {
    /// Removes everything the container consists of. A created container is killed first, and so is
    /// what is left of a stopped one without a pid namespace of its own. What another process
    /// removes at the same time is not an error, and a container whose creator died in the middle
    /// can be destroyed, too. Another process that works on the container is waited for, at
    /// most ten seconds.
    ///
    /// A failure leaves the record, so that the call can be repeated. [`Runtime::force_delete`]
    /// ends the container first.
    ///
    /// # Errors
    /// [`ErrorKind::StillRunning`], [`ErrorKind::Paused`] if its init process is alive;
    /// [`ErrorKind::InvalidState`] if it is being made; [`ErrorKind::NotFound`] if it is gone
    /// already; [`ErrorKind::Timeout`] if another process keeps its lock, which is named;
    /// [`ErrorKind::Hook`] if a poststop hook failed, with everything else removed;
    /// [`ErrorKind::System`].
    pub fn destroy(&self) -> Result<()> {
        self.destroy_if_ended().map_err(unable_to_destroy)
    }

    fn destroy_if_ended(&self) -> Result<()> {
        let over = self.is_known_to_be_over();
        // A creation holds the lock, and may take long.
        if !over && self.current()?.creator.is_some() && self.status()? == Status::Creating {
            return Err(being_created());
        }
        let lock = self.directory.lock(self.runtime.root()?, &self.id)?;
        // Looked at under the lock: what was loaded before may know less of a container that was
        // being made, and may take for stopped what has started since.
        if over && self.record.creator.is_none() {
            return self.remove_everything(&lock, Rest::Wait);
        }
        let container = self.with_record(self.directory.read_record()?)?;
        container.end_what_may_be_ended()?;
        container.remove_everything(&lock, Rest::Wait)
    }

    /// The same container as another record describes it.
    fn with_record(&self, record: Record) -> Result<Container> {
        let directory = StateDirectory::open(self.runtime.root()?, self.runtime.path(), &self.id)?;
        Ok(Container::of_settled_record(
            self.runtime.clone(),
            &self.id,
            directory,
            record,
        ))
    }

    /// The init process was our child and has been waited for, and no process of the container
    /// outlives it.
    fn is_known_to_be_over(&self) -> bool {
        let ended = |child: &crate::process::child::Child| matches!(child.try_wait(), Ok(Some(_)));
        self.has_own_pids() && self.child.as_ref().is_some_and(ended)
    }

    fn end_what_may_be_ended(&self) -> Result<()> {
        match self.status()? {
            Status::Creating => return Err(being_created()),
            Status::Running => return Err(still_running()),
            Status::Paused if self.pid().is_some() => {
                return Err(Error::new(ErrorKind::Paused, "container paused"));
            }
            Status::Paused => self
                .cgroup()?
                .thaw()
                .map_err(cgroup::failed("thaw the container's cgroup"))?,
            // Nothing starts it from here on; or it was started just now.
            Status::Created if self.directory.claim_fifo()? => self.kill_init()?,
            Status::Created => return Err(still_running()),
            _ => {}
        }
        Ok(())
    }

    pub(super) fn kill_init(&self) -> Result<()> {
        let Some(pidfd) = self.init_pidfd()? else {
            return Ok(());
        };
        kill(pidfd.as_fd())?;
        let children = self.system().children();
        let mut ended = children.wait(&self.id, pidfd.as_fd(), Some(GRACE))?;
        if !ended {
            // Frozen, or waiting for processes of its namespace that are.
            self.kill_cgroup();
            ended = children.wait(&self.id, pidfd.as_fd(), Some(INIT_EXIT_TIMEOUT))?;
        }
        children.reap(&self.id);
        if ended {
            Ok(())
        } else {
            Err(Error::new(
                ErrorKind::Timeout,
                "container init still running",
            ))
        }
    }

    /// Kills what is in the cgroup on record. What that cannot do is found out when the cgroup is
    /// removed.
    fn kill_cgroup(&self) {
        if self.record.cgroup_paths.is_empty() {
            return;
        }
        let killed = self.cgroup_of(&self.record).and_then(|group| {
            group
                .kill()
                .map_err(cgroup::failed("kill the processes of the container"))
        });
        if let Err(error) = killed {
            log::debug!(
                "kill what is left of container {}: {}",
                self.id,
                error.chain()
            );
        }
    }

    /// Removes what the record names, and then the record.
    fn remove_everything(&self, lock: &Lock, rest: Rest) -> Result<()> {
        let record = &self.record;
        if record.cgroup_paths.is_empty() && record.creator.is_some() {
            self.remove_unrecorded_cgroup()?;
        }
        if !record.cgroup_paths.is_empty() {
            self.remove_cgroup(rest)?;
        }
        if let Some(from) = &record.config.intel_rdt
            && (!record.intel_rdt_path.is_empty() || record.creator.is_some())
        {
            rdt::delete(self.system(), &rdt::settings(from), &self.id)?;
        }
        let config = &record.config;
        // Those that had ended before anybody waited for them, such as an init process that was
        // killed without the lock.
        self.system().children().reap(&self.id);
        network::Removal::new(&config.networks, &config.routes, &config.namespaces)
            .remove(&self.id)?;
        host_mounts::unmount(&record.config.rootfs, &record.host_mounts)?;
        lock.remove(self.runtime.root()?, &self.id)?;
        let state = hooks::oci_state(&self.id, &record.config.labels, Status::Stopped, 0);
        hooks::run(&record.config.hooks, HookPoint::Poststop, &state, None)
    }

    fn remove_cgroup(&self, rest: Rest) -> Result<()> {
        let group = self.cgroup_of(&self.record)?;
        // Without an own pid namespace the end of the init process was not the end of the others.
        if !self.has_own_pids() || self.record.creator.is_some() {
            self.kill_cgroup();
        }
        let deleted = match rest {
            Rest::Wait => group.delete(cgroup::EMPTY_TIMEOUT),
            // Processes that were on their way into the pid namespace, and those that are frozen,
            // are still there.
            Rest::Kill => group.delete(GRACE).or_else(|error| {
                log::debug!("kill what is left of container {}: {error}", self.id);
                self.kill_cgroup();
                group.delete(cgroup::EMPTY_TIMEOUT)
            }),
        };
        match deleted {
            Err(error) if error.kind() != cgroups::ErrorKind::NotFound => {
                Err(cgroup::failed("unable to remove container's cgroup")(error))
            }
            _ => Ok(()),
        }
    }

    /// A creator that died just after it made the cgroup has not recorded where it is. The
    /// configuration says: making it once more leads to the same place.
    fn remove_unrecorded_cgroup(&self) -> Result<()> {
        let config = self.directory.read_either::<State>()?.config;
        let spec = cgroup::spec(&config.cgroups, config.rootless_cgroups);
        let made = Cgroup::prepare(
            self.system().hierarchy()?,
            &spec,
            &cgroups::Resources::default(),
        );
        let group = made.map_err(cgroup::failed("find the container's cgroup"))?;
        // systemd makes a scope later than that, with the first process.
        if group.needs_first_process() {
            return Ok(());
        }
        // With processes in it, it is not ours: the creator's own one died with it.
        if group.check_unused().is_err() {
            group.undo_create();
            return Ok(());
        }
        group
            .delete(cgroup::EMPTY_TIMEOUT)
            .map_err(cgroup::failed("unable to remove container's cgroup"))
    }
}

/// Ends a container, whatever it is doing, and removes it. `false` if it does not exist.
pub(crate) fn force_delete(runtime: &Runtime, id: &ContainerId) -> Result<bool> {
    let forced = || {
        let directory = StateDirectory::open(runtime.root()?, runtime.path(), id)?;
        let lock = lock_by_force(runtime, id, &directory)?;
        let (record, damage) = match directory.remains()? {
            Remains::Record { record, damage } => (*record, damage),
            Remains::Nothing => {
                lock.remove(runtime.root()?, id)?;
                return Ok(());
            }
            Remains::Lost(error) => {
                lock.remove(runtime.root()?, id)?;
                return Err(error.context(
                    "nothing tells what the container consists of, only its directory is removed",
                ));
            }
        };
        if let Some(damage) = damage {
            log::debug!(
                "delete container {id} by its earlier record: {}",
                damage.chain()
            );
        }
        let container = Container::of_settled_record(runtime.clone(), id, directory, record);
        container.end_orphaned_dump()?;
        container.kill_init()?;
        container.remove_everything(&lock, Rest::Kill)
    };
    match forced() {
        Ok(()) => Ok(true),
        // Another process has removed it meanwhile.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(unable_to_destroy(error)),
    }
}

/// Takes the lock. The process that has it may be waiting for one of the container's, or is going
/// to leave one behind when it is killed: until it gives the lock up, all processes of the
/// container are killed again and again. A command that goes on with creating the container,
/// because it is stopped or because a hook of its own does not end, is killed itself, and so is a
/// CRIU that goes on with a dump, because it waits for a restore to fetch the memory.
fn lock_by_force(runtime: &Runtime, id: &ContainerId, directory: &StateDirectory) -> Result<Lock> {
    let root = runtime.root()?;
    let lock = directory.unheld_lock()?;
    let started = Instant::now();
    let deadline = started + lock::LOCK_TIMEOUT;
    let mut pauses = Pauses::default();
    let mut next_kill = started;
    while !lock.try_take(&root, id)? {
        if Instant::now() >= next_kill {
            let workers_too = started.elapsed() >= WORKER_GRACE;
            if let Err(error) = kill_unlocked(runtime, id, &lock, workers_too) {
                log::debug!("kill container {id}: {}", error.chain());
            }
            next_kill = Instant::now() + KILL_INTERVAL;
        }
        if !pauses.pause(deadline) {
            return Err(lock.is_held());
        }
    }
    Ok(lock)
}

/// Kills the processes of a container that another process works on.
///
/// A cgroup is removed before the directory of its container is: if that is still there after the
/// cgroup was opened, it is this container's.
fn kill_unlocked(
    runtime: &Runtime,
    id: &ContainerId,
    lock: &Lock,
    workers_too: bool,
) -> Result<()> {
    let root = runtime.root()?;
    let directory = StateDirectory::open(&root, runtime.path(), id)?;
    let Remains::Record { record, .. } = directory.remains()? else {
        return Ok(());
    };
    let container = Container::of_settled_record(runtime.clone(), id, directory, *record);
    let group = if container.record.cgroup_paths.is_empty() {
        None
    } else {
        let group = container.cgroup_of(&container.record)?;
        let exists = group
            .exists()
            .map_err(cgroup::failed("look at the container's cgroup"))?;
        exists.then_some(group)
    };
    if !lock.is_at_its_path(&root, id)? {
        return Ok(());
    }
    let creator = container.record.creator.filter(|creator| creator.command);
    let creator = match creator.filter(|_| workers_too) {
        Some(creator) => runtime.system().open_process(creator.pid, creator.start)?,
        None => None,
    };
    let dump = match workers_too {
        true => Dumping::open(runtime, &container.directory)?,
        false => None,
    };
    if let Some(dump) = dump {
        dump.kill()?;
    }
    for pidfd in creator.into_iter().chain(container.init_pidfd()?) {
        kill(pidfd.as_fd())?;
    }
    match group.as_ref().map(Cgroup::kill) {
        Some(Err(error)) if error.kind() != cgroups::ErrorKind::NotFound => {
            Err(cgroup::failed("kill the processes of the container")(error))
        }
        _ => Ok(()),
    }
}

/// Kills a process that may have ended by now.
fn kill(pidfd: BorrowedFd<'_>) -> Result<()> {
    match crate::process::child::send(pidfd, Signal::KILL) {
        Err(error) if error.kind() != ErrorKind::NotRunning => Err(error),
        _ => Ok(()),
    }
}

/// Begins the message of every failed removal, except of what does not exist.
fn unable_to_destroy(error: Error) -> Error {
    if error.kind() == ErrorKind::NotFound {
        return error;
    }
    error.context("unable to destroy container")
}

fn being_created() -> Error {
    Error::new(ErrorKind::InvalidState, "container is being created")
}

fn still_running() -> Error {
    Error::new(ErrorKind::StillRunning, "container still running")
}
