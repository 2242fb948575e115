//! Events of a running container.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cgroups::Cgroup;
use cgroups::events::{Event as MemoryEvent, OomEvents};
use configs::oci::ContainerStatus as Status;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Container;
use super::stats::{Stats, read_stats};
use crate::cgroup;
use crate::error::{Error, ErrorKind, Result};
use crate::id::ContainerId;
use crate::state::record::ConfigRecord;
use crate::system::System;

/// Something that happened to a container.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The kernel killed a process of the container because its memory limit was reached.
    OutOfMemory,
    /// Statistics, at the interval asked for. A failure to read them once does not end the stream.
    Stats(Result<Box<Stats>>),
}

/// The events of a container, until it has ended: [`Container::events`](crate::Container::events).
/// `next` waits.
#[derive(Debug)]
pub struct Events {
    system: Arc<System>,
    cgroup: Cgroup,
    oom: OomEvents,
    config: ConfigRecord,
    id: ContainerId,
    init: Option<OwnedFd>,
    interval: Option<Duration>,
    next: Instant,
    ended: bool,
}

impl Events {
    pub(crate) fn new(
        system: Arc<System>,
        cgroup: Cgroup,
        oom: OomEvents,
        config: ConfigRecord,
        id: ContainerId,
        init: Option<OwnedFd>,
        interval: Option<Duration>,
    ) -> Self {
        // The first statistics come at once.
        Self {
            system,
            cgroup,
            oom,
            config,
            id,
            init,
            interval,
            next: Instant::now(),
            ended: false,
        }
    }

    fn stats(&self) -> Event {
        let stats = read_stats(&self.system, &self.cgroup, &self.config, &self.id);
        Event::Stats(stats.map(Box::new))
    }

    /// Waits for the kernel or the clock; `true` if the container has ended.
    fn wait(&self) -> Result<bool> {
        let left = self
            .interval
            .map(|_| self.next.saturating_duration_since(Instant::now()));
        let limit = left.and_then(|left| Timespec::try_from(left).ok());
        let mut watched = vec![PollFd::from_borrowed_fd(self.oom.as_fd(), PollFlags::IN)];
        if let Some(init) = &self.init {
            watched.push(PollFd::from_borrowed_fd(init.as_fd(), PollFlags::IN));
        }
        rustix::io::retry_on_intr(|| poll(&mut watched, limit.as_ref()))
            .map_err(|errno| Error::system("wait for events", errno))?;
        Ok(watched
            .get(1)
            .is_some_and(|init| !init.revents().is_empty()))
    }
}

impl Iterator for Events {
    type Item = Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            match self.oom.read() {
                Ok(Some(MemoryEvent::Happened)) => return Some(Ok(Event::OutOfMemory)),
                Ok(Some(MemoryEvent::Ended)) => break,
                Ok(None) => {}
                Err(error) => {
                    self.ended = true;
                    return Some(Err(Error::system(
                        "read events of the container's cgroup",
                        error,
                    )));
                }
            }
            if let Some(interval) = self.interval
                && Instant::now() >= self.next
            {
                self.next = Instant::now().checked_add(interval)?;
                return Some(Ok(self.stats()));
            }
            match self.wait() {
                // What happened just before its end is still in the queue.
                Ok(true) => {
                    self.ended = true;
                    if let Ok(Some(MemoryEvent::Happened)) = self.oom.read() {
                        return Some(Ok(Event::OutOfMemory));
                    }
                }
                Ok(false) => {}
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        self.ended = true;
        None
    }
}

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
    /// under the pressure of this level again. On cgroup v2 the level means a share of
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
