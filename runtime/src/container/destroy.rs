//! Removing a container: the record is replayed, whatever part of it exists.

use std::time::Duration;

use cgroups::Cgroup;
use configs::config::HookPoint;
use configs::oci::ContainerStatus as Status;

use super::create::CGROUP_BUDGET;
use super::{Container, cgroup, directory, hooks, host_mounts, network, rdt};
use crate::error::{Error, ErrorKind, Result};
use crate::signal::Signal;

/// How long a killed init process may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

impl Container {
    /// Removes everything the container consists of. A created container is killed first, and so is what is left of a
    /// stopped one without a pid namespace of its own. What another process removes at the same time is no error, and a
    /// container whose creator died in the middle can be destroyed, too.
    ///
    /// A failure leaves the record, so that the call can be repeated.
    ///
    /// # Errors
    /// [`ErrorKind::StillRunning`], [`ErrorKind::Paused`] if its init process is alive; [`ErrorKind::InvalidState`] if it
    /// is being made; [`ErrorKind::NotFound`] if it is gone already; [`ErrorKind::Hook`] if a poststop hook failed, with
    /// everything else removed; [`ErrorKind::System`].
    pub fn destroy(&self) -> Result<()> {
        if !self.is_known_to_be_over() {
            self.end_what_may_be_ended()?;
        }
        let _lock = self.directory.lock(self.runtime.root()?, &self.id)?;
        self.remove_everything()
    }

    /// The init process was our child and has been waited for, and nobody outlives it.
    fn is_known_to_be_over(&self) -> bool {
        let ended = |child: &crate::child::Child| matches!(child.try_wait(), Ok(Some(_)));
        self.has_own_pids() && self.child.as_ref().is_some_and(ended)
    }

    fn end_what_may_be_ended(&self) -> Result<()> {
        match self.status()? {
            Status::Creating => {
                return Err(Error::new(
                    ErrorKind::InvalidState,
                    "container is being created",
                ));
            }
            Status::Running => {
                return Err(Error::new(
                    ErrorKind::StillRunning,
                    "container still running",
                ));
            }
            Status::Paused if self.pid().is_some() => {
                return Err(Error::new(ErrorKind::Paused, "container paused"));
            }
            Status::Paused => self
                .cgroup()?
                .thaw()
                .map_err(cgroup::failed("thaw the container's cgroup"))?,
            Status::Created => self.kill_init()?,
            _ => {}
        }
        Ok(())
    }

    fn kill_init(&self) -> Result<()> {
        let Some(pidfd) = self.init_pidfd()? else {
            return Ok(());
        };
        use std::os::fd::AsFd;
        match crate::child::send(pidfd.as_fd(), Signal::KILL) {
            Err(error) if error.kind() != ErrorKind::NotRunning => return Err(error),
            _ => {}
        }
        let family = self.system().family();
        let ended = family.wait(&self.id, pidfd.as_fd(), Some(PATIENCE))?;
        family.reap(&self.id);
        if ended {
            Ok(())
        } else {
            Err(Error::new(
                ErrorKind::Timeout,
                "container init still running",
            ))
        }
    }

    fn remove_everything(&self) -> Result<()> {
        // Read under the lock: what was loaded before may know less of a container that was being made.
        let record = self.current()?.into_owned();
        if record.cgroup_paths.is_empty() && record.creator.is_some() {
            self.remove_unrecorded_cgroup()?;
        }
        if !record.cgroup_paths.is_empty() {
            let group = self.cgroup_of(&record)?;
            // Without an own pid namespace the end of the init process was not the end of the others.
            let others_left = !self.has_own_pids() || record.creator.is_some();
            if others_left && let Err(error) = group.kill() {
                log::debug!("kill what is left of container {}: {error}", self.id);
            }
            match group.delete(CGROUP_BUDGET) {
                Err(error) if error.kind() != cgroups::ErrorKind::NotFound => {
                    return Err(cgroup::failed("unable to remove container's cgroup")(error));
                }
                _ => {}
            }
        }
        if let Some(from) = &record.config.intel_rdt
            && (!record.intel_rdt_path.is_empty() || record.creator.is_some())
        {
            rdt::delete(self.system(), &rdt::settings(from), &self.id)?;
        }
        network::remove(&self.id, &record.config.networks)?;
        host_mounts::unmount(&record.config.rootfs, &record.host_mounts);
        directory::remove(self.runtime.root()?, self.runtime.path(), &self.id)?;
        let state = hooks::oci_state(&self.id, &record.config.labels, Status::Stopped, 0);
        hooks::run(&record.config.hooks, HookPoint::Poststop, &state)
    }

    /// A creator that died just after it made the cgroup has not recorded where it is. The configuration tells: making it
    /// once more leads to the same place.
    fn remove_unrecorded_cgroup(&self) -> Result<()> {
        let config = self.config()?;
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
            .delete(CGROUP_BUDGET)
            .map_err(cgroup::failed("unable to remove container's cgroup"))
    }
}
