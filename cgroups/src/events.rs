//! Notification that memory ran out, or that tasks wait for it, for processors or for block I/O.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::fs::{OFlags, inotify};
use rustix::io::Errno;

use crate::dir::Dir;
use crate::file_format::value_of;
use crate::{Error, ErrorKind, Result};

mod psi;

use psi::Psi;
pub use psi::{PressureResource, PressureTrigger};

/// What an [`OomEvents`] or [`PressureEvents`] stream says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// It happened: a process was killed because memory ran out (on cgroup v1 also: would have
    /// been), or the pressure has reached the level.
    Happened,
    /// The cgroup has no processes any more (cgroup v2), or is gone. There will be nothing further.
    Ended,
}

/// A stream of out-of-memory events; from [`Cgroup::oom_events`](crate::Cgroup::oom_events).
///
/// It is a file descriptor that polls readable when there may be something to
/// [`read`](Self::read), so it fits into any event loop.
#[derive(Debug)]
pub struct OomEvents {
    source: Source,
}

/// A stream of pressure events; from [`Cgroup::pressure_events`](crate::Cgroup::pressure_events)
/// and [`Cgroup::pressure_trigger`](crate::Cgroup::pressure_trigger).
///
/// It is a file descriptor that polls readable when there is something to [`read`](Self::read).
#[derive(Debug)]
pub struct PressureEvents {
    source: Source,
}

/// How much pressure on memory is worth an event (cgroup-v1/memory.rst, "Memory Pressure"). For
/// cgroup v2 see [`PressureTrigger`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PressureLevel {
    /// Memory is being reclaimed for new allocations.
    Low,
    /// Some swapping, or active file pages are being dropped.
    Medium,
    /// The out-of-memory killer is about to act.
    Critical,
}

impl std::str::FromStr for PressureLevel {
    type Err = Error;

    /// `low`, `medium` or `critical`.
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "low" => Ok(Self::Low),
            "medium" => Ok(Self::Medium),
            "critical" => Ok(Self::Critical),
            _ => Err(Error::new(
                ErrorKind::InvalidConfig,
                format_args!("invalid pressure level {text}"),
            )),
        }
    }
}

#[derive(Debug)]
enum Source {
    V1(V1),
    V2(V2),
    Psi(Psi),
}

impl Source {
    fn read(&mut self) -> Result<Option<Event>> {
        match self {
            Self::V1(source) => source.read(),
            Self::V2(source) => source.read(),
            Self::Psi(source) => Ok(Some(source.read())),
        }
    }

    fn wait(&mut self) -> Result<Event> {
        let pending = match self {
            Self::Psi(source) => source.pending(),
            Self::V1(_) | Self::V2(_) => self.read()?,
        };
        if let Some(event) = pending {
            return Ok(event);
        }
        loop {
            match poll(&mut [PollFd::new(self, PollFlags::IN)], None) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(Error::io("poll", "", errno)),
            }
            if let Some(event) = self.read()? {
                return Ok(event);
            }
        }
    }
}

impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::V1(source) => source.eventfd.as_fd(),
            Self::V2(source) => source.inotify.as_fd(),
            Self::Psi(source) => source.epoll.as_fd(),
        }
    }
}

impl AsFd for OomEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }
}

impl AsFd for PressureEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }
}

impl OomEvents {
    /// Takes what has happened since the last call, without waiting.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when the kernel does not let the descriptor be read.
    pub fn read(&mut self) -> Result<Option<Event>> {
        self.source.read()
    }

    /// Waits until something happens.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn wait(&mut self) -> Result<Event> {
        self.source.wait()
    }

    pub(crate) fn v1(memory: &Dir) -> Result<Self> {
        let source = Source::V1(V1::new(memory, "memory.oom_control", "")?);
        Ok(Self { source })
    }

    pub(crate) fn v2(dir: &Dir) -> Result<Self> {
        let source = Source::V2(V2::new(dir)?);
        Ok(Self { source })
    }
}

impl PressureEvents {
    /// Takes what the descriptor has polled readable for. `None` when that was a false alarm.
    ///
    /// To be called after such a poll only: of a [trigger](PressureTrigger) the kernel reports each
    /// event to one poll, and forgets it.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when the kernel does not let the descriptor be read.
    pub fn read(&mut self) -> Result<Option<Event>> {
        self.source.read()
    }

    /// Waits until something happens.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn wait(&mut self) -> Result<Event> {
        self.source.wait()
    }

    pub(crate) fn psi(dir: &Dir, trigger: &PressureTrigger) -> Result<Self> {
        let source = Source::Psi(Psi::new(dir, trigger)?);
        Ok(Self { source })
    }

    pub(crate) fn v1(memory: &Dir, level: PressureLevel) -> Result<Self> {
        let level = match level {
            PressureLevel::Low => "low",
            PressureLevel::Medium => "medium",
            PressureLevel::Critical => "critical",
        };
        let source = Source::V1(V1::new(memory, "memory.pressure_level", level)?);
        Ok(Self { source })
    }
}

/// An eventfd that the kernel was asked to signal.
#[derive(Debug)]
struct V1 {
    eventfd: OwnedFd,
    dir: Dir,
    /// The file whose events these are; when it is gone, so is the cgroup.
    file: &'static str,
    ended: bool,
}

impl V1 {
    fn new(memory: &Dir, file: &'static str, argument: &str) -> Result<Self> {
        let dir = memory.child(".")?;
        let control = dir.open(file, OFlags::RDONLY)?;
        let eventfd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|errno| Error::io("eventfd", "", errno))?;
        let request = format!("{} {} {argument}", eventfd.as_raw_fd(), control.as_raw_fd());
        dir.write("cgroup.event_control", request.trim_end())?;
        Ok(Self {
            eventfd,
            dir,
            file,
            ended: false,
        })
    }

    fn read(&mut self) -> Result<Option<Event>> {
        if self.ended {
            return Ok(Some(Event::Ended));
        }
        let mut count = [0; 8];
        match rustix::io::read(&self.eventfd, &mut count) {
            Ok(_) => {}
            Err(Errno::AGAIN | Errno::INTR) => return Ok(None),
            Err(errno) => return Err(Error::io("read eventfd", self.dir.path(), errno)),
        }
        // Removing the cgroup signals, too.
        if self.dir.exists(self.file)? {
            return Ok(Some(Event::Happened));
        }
        self.ended = true;
        Ok(Some(Event::Ended))
    }
}

/// inotify on the two files whose changes the kernel reports.
#[derive(Debug)]
struct V2 {
    inotify: OwnedFd,
    dir: Dir,
    memory_watch: i32,
    /// The value of `oom_kill` that was last reported.
    kills: u64,
    ended: bool,
}

const MEMORY_EVENTS: &str = "memory.events";
const CGROUP_EVENTS: &str = "cgroup.events";

impl V2 {
    fn new(dir: &Dir) -> Result<Self> {
        let dir = dir.child(".")?;
        let inotify = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)
            .map_err(|errno| Error::io("inotify_init1", "", errno))?;
        let watch = |name: &str| {
            // Through the open directory: its path may mean something else by now.
            let path = format!("/proc/thread-self/fd/{}/{name}", dir.as_fd().as_raw_fd());
            inotify::add_watch(&inotify, path, inotify::WatchFlags::MODIFY).map_err(|errno| {
                let path = dir.path().join(name);
                Error::io(format_args!("watch {}", path.display()), &path, errno)
            })
        };
        let memory_watch = watch(MEMORY_EVENTS)?;
        watch(CGROUP_EVENTS)?;
        let kills = Self::field(&dir, MEMORY_EVENTS, "oom_kill")?;
        Ok(Self {
            inotify,
            dir,
            memory_watch,
            kills,
            ended: false,
        })
    }

    fn field(dir: &Dir, file: &str, key: &str) -> Result<u64> {
        value_of(&dir.read(file)?, key, &dir.path().join(file))
    }

    fn read(&mut self) -> Result<Option<Event>> {
        if self.ended {
            return Ok(Some(Event::Ended));
        }
        let (mut memory, mut any) = (false, false);
        let mut buffer = [std::mem::MaybeUninit::uninit(); 1024];
        let mut reader = inotify::Reader::new(&self.inotify, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) => {
                    any = true;
                    memory |= event.wd() == self.memory_watch;
                }
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(Error::io("read inotify", self.dir.path(), errno)),
            }
        }
        if !any {
            return Ok(None);
        }
        let populated = Self::field(&self.dir, CGROUP_EVENTS, "populated");
        // The last process may have been the victim: the next call returns the end then.
        self.ended = !matches!(populated, Ok(1..));
        if memory && self.killed() {
            return Ok(Some(Event::Happened));
        }
        Ok(self.ended.then_some(Event::Ended))
    }

    /// Whether processes were killed since the last time. A cgroup that vanished right after its
    /// `memory.events` changed may have been emptied by just that.
    fn killed(&mut self) -> bool {
        match Self::field(&self.dir, MEMORY_EVENTS, "oom_kill") {
            Ok(kills) => {
                let more = kills > self.kills;
                self.kills = kills;
                more
            }
            Err(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels() {
        assert_eq!("low".parse::<PressureLevel>().unwrap(), PressureLevel::Low);
        let error = "5".parse::<PressureLevel>().unwrap_err();
        assert_eq!(error.to_string(), "invalid pressure level 5");
    }
}
