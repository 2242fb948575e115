//! Thresholds of pressure stall information (`Documentation/accounting/psi.rst`, "Monitoring for
//! pressure thresholds").

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fs::OFlags;

use super::{Event, PressureLevel};
use crate::dir::Dir;
use crate::{Error, ErrorKind, Result};

/// What the tasks of a cgroup can wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PressureResource {
    /// `cpu.pressure`: a processor.
    Cpu,
    /// `memory.pressure`: memory that must be reclaimed, or read again, first.
    Memory,
    /// `io.pressure`: block I/O.
    Io,
}

impl PressureResource {
    fn file(self) -> &'static str {
        match self {
            Self::Cpu => "cpu.pressure",
            Self::Memory => "memory.pressure",
            Self::Io => "io.pressure",
        }
    }
}

/// How long tasks have to wait, within which time, for a notification; for
/// [`Cgroup::pressure_trigger`](crate::Cgroup::pressure_trigger).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PressureTrigger {
    /// What they wait for.
    pub resource: PressureResource,
    /// Only the time in which all tasks wait at once counts (`full`), instead of that in which at
    /// least one does (`some`). For processors since Linux 5.13.
    pub all_tasks: bool,
    /// The time spent waiting: more than 0, and at most `window`. In whole microseconds.
    pub stall: Duration,
    /// The time looked at: at most 10 s, in whole microseconds; older kernels want at least 500
    /// ms. There is one event per window at most. Without `CAP_SYS_RESOURCE` it must be a
    /// multiple of 2 s, or older kernels refuse the trigger.
    pub window: Duration,
}

/// The levels that cgroup v1 knows, in terms of time lost for want of memory: one twentieth (low)
/// or one fifth (medium) of two seconds in which a task waits, or one tenth in which all do
/// (critical). The kernel has no such levels; these are ours.
impl From<PressureLevel> for PressureTrigger {
    fn from(level: PressureLevel) -> Self {
        let (all_tasks, milliseconds) = match level {
            PressureLevel::Low => (false, 100),
            PressureLevel::Medium => (false, 400),
            PressureLevel::Critical => (true, 200),
        };
        Self {
            resource: PressureResource::Memory,
            all_tasks,
            stall: Duration::from_millis(milliseconds),
            window: Duration::from_secs(2),
        }
    }
}

impl PressureTrigger {
    /// What is written to the file.
    fn line(&self) -> String {
        let kind = if self.all_tasks { "full" } else { "some" };
        let (stall, window) = (self.stall.as_micros(), self.window.as_micros());
        format!("{kind} {stall} {window}")
    }
}

/// A trigger in force.
#[derive(Debug)]
pub(super) struct Psi {
    /// The kernel signals the open file by `POLLPRI`; this descriptor is readable then.
    pub(super) epoll: OwnedFd,
    /// The trigger lives as long as it is open.
    _file: OwnedFd,
    dir: Dir,
    name: &'static str,
    ended: bool,
}

impl Psi {
    pub(super) fn new(dir: &Dir, trigger: &PressureTrigger) -> Result<Self> {
        let dir = dir.child(".")?;
        let name = trigger.resource.file();
        let unsupported = |error: Error| match error.raw_os_error() {
            Some(libc::ENOENT | libc::EOPNOTSUPP) => Error::because(
                ErrorKind::Unsupported,
                "the kernel has no pressure stall information",
                error,
            ),
            _ => error,
        };
        let file = dir
            .open(name, OFlags::RDWR | OFlags::NONBLOCK)
            .map_err(unsupported)?;
        dir.write_to(&file, name, &trigger.line())
            .map_err(unsupported)?;
        let failed = |what: &str, errno| Error::io(what, dir.path().join(name), errno);
        let epoll =
            epoll::create(CreateFlags::CLOEXEC).map_err(|errno| failed("epoll_create1", errno))?;
        epoll::add(&epoll, &file, EventData::new_u64(0), EventFlags::PRI)
            .map_err(|errno| failed("epoll_ctl", errno))?;
        Ok(Self {
            epoll,
            _file: file,
            dir,
            name,
            ended: false,
        })
    }

    /// What the descriptor has polled readable for.
    pub(super) fn read(&mut self) -> Event {
        // The kernel forgets an event once one poll has returned it: it cannot be asked again.
        // One that cannot be looked at is there: it has just sent an event.
        self.ended = self.ended || !self.dir.exists(self.name).unwrap_or(true);
        if self.ended {
            Event::Ended
        } else {
            Event::Happened
        }
    }

    /// What is known without the descriptor.
    pub(super) fn pending(&self) -> Option<Event> {
        self.ended.then_some(Event::Ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_in_the_units_of_the_kernel() {
        let trigger = PressureTrigger {
            resource: PressureResource::Io,
            all_tasks: true,
            stall: Duration::from_micros(150_001),
            window: Duration::from_secs(1),
        };
        assert_eq!(trigger.line(), "full 150001 1000000");
        let low = PressureTrigger::from(PressureLevel::Low);
        assert_eq!(low.line(), "some 100000 2000000");
        assert_eq!(low.resource, PressureResource::Memory);
        let critical = PressureTrigger::from(PressureLevel::Critical);
        assert_eq!(critical.line(), "full 200000 2000000");
    }
}
