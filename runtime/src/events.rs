//! Events of a running container.

use crate::error::Result;
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

/// The events of a container, until its cgroup is gone: [`Container::events`](crate::Container::events).
#[derive(Debug)]
pub struct Events {
    _private: (),
}

impl Iterator for Events {
    type Item = Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        None
    }
}
