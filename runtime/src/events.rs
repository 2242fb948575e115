//! Events of a running container.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cgroups::Cgroup;
use cgroups::events::{Event as MemoryEvent, OomEvents};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::container::{System, read_stats};
use crate::error::{Error, Result};
use crate::id::ContainerId;
use crate::state::ConfigRecord;
use crate::stats::Stats;

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
