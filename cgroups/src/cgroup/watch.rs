//! Notification of what happens in a cgroup.

use super::{Cgroup, Driver};
use crate::dir::Dir;
use crate::events::{OomEvents, PressureEvents, PressureLevel, PressureTrigger};
use crate::{Error, ErrorKind, Result, v1};

impl Cgroup {
    /// How many processes were killed because memory ran out: `oom_kill` of `memory.events`
    /// (cgroup v2) or `memory.oom_control` (v1, Linux 4.13).
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::NoController`] without a memory controller, unless the
    /// caller is rootless: 0 then.
    pub fn oom_kill_count(&self) -> Result<u64> {
        match &self.driver {
            Driver::V2(group) => group.oom_kill_count(&self.hierarchy, self.rootless),
            Driver::V1(group) => group.oom_kill_count(&self.hierarchy, self.rootless),
        }
    }

    /// Asks for a notification when memory runs out. Only what happens from now on counts.
    ///
    /// # Errors
    /// `memory controller missing` ([`ErrorKind::NoController`]), [`ErrorKind::NotFound`] when the
    /// cgroup is gone, [`ErrorKind::Io`].
    pub fn oom_events(&self) -> Result<OomEvents> {
        match &self.driver {
            Driver::V2(group) => {
                let dir = group.dir(&self.hierarchy)?;
                match OomEvents::v2(dir) {
                    // The file comes with the controller.
                    Err(error) if error.is_not_found() && dir.still_exists()? => {
                        Err(no_memory_controller())
                    }
                    events => events,
                }
            }
            Driver::V1(group) => OomEvents::v1(self.v1_memory(group)?),
        }
    }

    /// Asks for a notification when memory is under pressure: of the kernel's own levels on cgroup
    /// v1, and on v2 by a [trigger](PressureTrigger#impl-From<PressureLevel>-for-PressureTrigger)
    /// that has the level.
    ///
    /// # Errors
    /// As [`oom_events`](Self::oom_events) on cgroup v1, as
    /// [`pressure_trigger`](Self::pressure_trigger) on v2.
    pub fn pressure_events(&self, level: PressureLevel) -> Result<PressureEvents> {
        match &self.driver {
            Driver::V2(_) => self.pressure_trigger(&level.into()),
            Driver::V1(group) => PressureEvents::v1(self.v1_memory(group)?, level),
        }
    }

    /// Asks for a notification when tasks wait too long for a resource: pressure stall information
    /// of cgroup v2 (Linux 5.2), also on a hybrid machine. It needs no controller.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] on plain cgroup v1, and when the kernel was built or booted
    /// without pressure stall information. [`ErrorKind::NotFound`] when the cgroup is gone.
    /// [`ErrorKind::Io`] when the kernel does not take the trigger: `EINVAL` for times out of
    /// range, `EPERM` for a window that takes `CAP_SYS_RESOURCE`.
    pub fn pressure_trigger(&self, trigger: &PressureTrigger) -> Result<PressureEvents> {
        let dir = match &self.driver {
            Driver::V2(group) => Some(group.dir(&self.hierarchy)?),
            Driver::V1(group) => group.unified_dir(&self.hierarchy)?,
        };
        let dir = dir.ok_or_else(|| {
            Error::new(
                ErrorKind::Unsupported,
                "pressure stall information needs cgroup v2",
            )
        })?;
        PressureEvents::psi(dir, trigger)
    }

    fn v1_memory<'a>(&self, group: &'a v1::Group) -> Result<&'a Dir> {
        group
            .memory_dir(&self.hierarchy)?
            .ok_or_else(no_memory_controller)
    }
}

fn no_memory_controller() -> Error {
    Error::new(ErrorKind::NoController, "memory controller missing")
}

#[cfg(test)]
mod tests;
