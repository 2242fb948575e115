//! Watching a container.

use std::time::Duration;

use configs::oci::ContainerStatus as Status;

use super::{Container, cgroup};
use crate::error::{Error, ErrorKind, Result};
use crate::events::Events;

impl Container {
    /// Out-of-memory events and, with an interval, statistics.
    ///
    /// # Errors
    /// [`ErrorKind::NotRunning`] if the container is stopped, [`ErrorKind::InvalidConfig`] for an
    /// interval of 0, [`ErrorKind::System`] if the kernel does not tell such events (there is
    /// no memory controller).
    pub fn events(&self, interval: Option<Duration>) -> Result<Events> {
        if interval.is_some_and(|interval| interval.is_zero()) {
            return Err(Error::config("duration interval must be greater than 0"));
        }
        if self.status()? == Status::Stopped {
            return Err(Error::new(
                ErrorKind::NotRunning,
                format!("container with id {} is not running", self.id),
            ));
        }
        let group = self.cgroup()?;
        let oom = group
            .oom_events()
            .map_err(cgroup::failed("watch the memory of the container"))?;
        Ok(Events::new(
            self.runtime.system().clone(),
            group,
            oom,
            self.record.config.clone(),
            self.id.clone(),
            self.init_pidfd()?,
            interval,
        ))
    }

    /// Events of memory pressure: readable (`poll(2)`) when the memory of the container has come
    /// under the pressure of this level again. On cgroup v2 the level stands for a share of
    /// time lost, see [`PressureTrigger`](cgroups::events::PressureTrigger).
    ///
    /// # Errors
    /// [`ErrorKind::NotRunning`], [`ErrorKind::Unsupported`] if the kernel does not tell pressure,
    /// [`ErrorKind::System`].
    pub fn pressure_events(
        &self,
        level: cgroups::events::PressureLevel,
    ) -> Result<cgroups::events::PressureEvents> {
        self.require_running()?;
        self.cgroup()?
            .pressure_events(level)
            .map_err(cgroup::failed("watch the memory pressure of the container"))
    }
}
