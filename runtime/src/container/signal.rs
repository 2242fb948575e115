//! Signals to the processes of a container.

use super::Container;
use super::status::not_running;
use crate::cgroup;
use crate::error::{Error, ErrorKind, Result};
use crate::process::child::send;
use crate::process::signal::Signal;

impl Container {
    /// Sends a signal to the init process. `SIGKILL` goes to all processes if the container has no
    /// pid namespace of its own, also when its init process is gone already.
    ///
    /// # Errors
    /// [`ErrorKind::NotRunning`].
    pub fn signal(&self, signal: Signal) -> Result<()> {
        if signal == Signal::KILL && !self.has_own_pids() {
            return self.kill_shared();
        }
        let Some(pidfd) = self.init_pidfd()? else {
            return Err(not_running());
        };
        use std::os::fd::AsFd;
        match send(pidfd.as_fd(), signal) {
            Err(error) if error.kind() == ErrorKind::NotRunning => return Err(not_running()),
            other => other?,
        }
        let record = self.current()?;
        if signal == Signal::KILL && !record.cgroup_paths.is_empty() {
            // A frozen process of cgroup v1 does not die before it is thawed, nor does an init
            // process before those of its namespace have; on v2 this changes nothing
            // but the status.
            self.cgroup_of(&record)?
                .thaw_tree()
                .map_err(cgroup::failed("thaw the container's cgroup"))?;
        }
        Ok(())
    }

    /// Kills a container whose processes are not in a pid namespace of their own.
    fn kill_shared(&self) -> Result<()> {
        match self.signal_all(Signal::KILL) {
            Ok(()) => Ok(()),
            Err(error)
                if error.kind() == ErrorKind::CgroupNotFound
                    || self.record.config.rootless_cgroups =>
            {
                // Without a cgroup the init process is all that can be found.
                match self.init_pidfd()? {
                    Some(pidfd) => {
                        use std::os::fd::AsFd;
                        send(pidfd.as_fd(), Signal::KILL)
                    }
                    None => Err(not_running()),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Sends a signal to every process of the container's cgroup and of the cgroups below.
    ///
    /// # Errors
    /// [`ErrorKind::CgroupNotFound`], [`ErrorKind::System`].
    pub fn signal_all(&self, signal: Signal) -> Result<()> {
        let group = self.cgroup()?;
        if !group
            .exists()
            .map_err(cgroup::failed("look for the container's cgroup"))?
        {
            return Err(Error::new(
                ErrorKind::CgroupNotFound,
                "the container's cgroup does not exist",
            ));
        }
        if signal == Signal::KILL {
            return group
                .kill()
                .map_err(cgroup::failed("kill the processes of the container"));
        }
        let mut first = Ok(());
        let signalled = group.signal_each(|pidfd| match send(pidfd, signal) {
            Err(error) if error.kind() != ErrorKind::NotRunning => first = Err(error),
            _ => {}
        });
        signalled
            .map_err(cgroup::failed("signal the processes of the container"))
            .and(first)
    }

    /// Pids of all processes of the container, as the caller's pid namespace sees them. Without a
    /// cgroup, or with one that does not exist, the init process is the one that is known.
    /// Empty when the container has ended.
    ///
    /// # Errors
    /// [`ErrorKind::System`].
    pub fn processes(&self) -> Result<Vec<i32>> {
        let record = self.current()?;
        let pids = if record.cgroup_paths.is_empty() {
            Vec::new()
        } else {
            match self.cgroup_of(&record)?.all_processes() {
                Ok(pids) => pids,
                Err(error) if error.kind() == cgroups::ErrorKind::NotFound => Vec::new(),
                Err(error) => {
                    return Err(cgroup::failed("list the processes of the container")(error));
                }
            }
        };
        if pids.is_empty() {
            return Ok(self.live_init_process(&record)?.into_iter().collect());
        }
        Ok(pids
            .into_iter()
            .filter_map(|pid| i32::try_from(pid).ok())
            .collect())
    }
}
