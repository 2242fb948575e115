//! Copying between descriptors without threads, without waiting and without spinning.
//!
//! A descriptor that fails ends its own relay and nothing else: what it was opened for is the
//! caller's affair, and the process at the other end finds a closed pipe. What failed is kept for a
//! report.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use crate::error::Error;
use crate::process::stream_end::StreamEnd;

/// `PIPE_BUF`: a pipe that polls as writable has room for this much (`pipe(7)`).
pub(crate) const CHUNK: usize = 4096;

/// How long a relay rests that was refused although its descriptor polls as ready. A terminal with
/// room for one byte does that to a line feed, which it writes as two.
const REST: Duration = Duration::from_millis(10);

/// One direction: everything read from one end is written to the other.
#[derive(Debug)]
pub(crate) struct Relay {
    /// What the caller's end is called, such as `standard input`.
    name: &'static str,
    /// `None` when its end was seen.
    from: Option<StreamEnd>,
    /// `None` when the reader has gone or everything was written.
    to: Option<StreamEnd>,
    buffer: Vec<u8>,
    /// How many bytes may still be read, if not all that come.
    budget: Option<usize>,
    /// Until when it rests.
    rests: Option<Instant>,
    failure: Option<Error>,
}

impl Relay {
    /// A relay for the stream of the caller called `name`.
    pub(crate) fn new(name: &'static str, from: StreamEnd, to: StreamEnd) -> Self {
        Self {
            name,
            from: Some(from),
            to: Some(to),
            buffer: Vec::with_capacity(CHUNK),
            budget: None,
            rests: None,
            failure: None,
        }
    }

    /// Whether there is nothing left to do.
    pub(crate) fn is_finished(&self) -> bool {
        self.to.is_none()
    }

    /// What to wait for; `None` when finished, or when it rests at this time.
    pub(crate) fn interest(&self, now: Instant) -> Option<PollFd<'_>> {
        let to = self.to.as_ref()?;
        if self.rests.is_some_and(|end| end > now) {
            return None;
        }
        if self.buffer.is_empty() {
            // `POLLERR` on the sink would tell that its reader is gone, but only a write makes
            // sure.
            self.from
                .as_ref()
                .map(|from| PollFd::from_borrowed_fd(from.as_fd(), PollFlags::IN))
        } else {
            Some(PollFd::from_borrowed_fd(to.as_fd(), PollFlags::OUT))
        }
    }

    /// When a relay that rests at this time goes on.
    pub(crate) fn rests_until(&self, now: Instant) -> Option<Instant> {
        self.rests.filter(|end| *end > now && !self.is_finished())
    }

    /// Does one step after [`interest`](Self::interest) became ready.
    pub(crate) fn step(&mut self) {
        self.rests = None;
        if self.buffer.is_empty() {
            self.read();
        } else {
            self.write();
        }
    }

    fn read(&mut self) {
        let Some(from) = &self.from else {
            return;
        };
        let mut chunk = [0_u8; CHUNK];
        let room = self.budget.map_or(CHUNK, |budget| budget.min(CHUNK));
        let Some(chunk) = chunk.get_mut(..room).filter(|chunk| !chunk.is_empty()) else {
            self.close();
            return;
        };
        match from.read(chunk) {
            Ok(0) => self.close(),
            Ok(length) => {
                self.buffer
                    .extend_from_slice(chunk.get(..length).unwrap_or_default());
                self.budget = self.budget.map(|budget| budget.saturating_sub(length));
            }
            // A terminal whose other side is closed says EIO.
            Err(error) if error.raw_os_error() == Some(libc::EIO) && from.is_terminal() => {
                self.close();
            }
            Err(error) => self.failed("read from", error),
        }
    }

    fn write(&mut self) {
        let Some(to) = &self.to else {
            return;
        };
        match to.write(&self.buffer) {
            Ok(length) => {
                self.buffer.drain(..length.min(self.buffer.len()));
            }
            // The reader went away, or the terminal was hung up: nothing more to say to it.
            Err(error) if error.raw_os_error() == Some(libc::EPIPE) => self.close(),
            Err(error) if error.raw_os_error() == Some(libc::EIO) && to.is_terminal() => {
                self.close();
            }
            Err(error) => self.failed("write to", error),
        }
    }

    fn failed(&mut self, what: &str, error: io::Error) {
        match error.kind() {
            io::ErrorKind::Interrupted => {}
            io::ErrorKind::WouldBlock => self.rests = Instant::now().checked_add(REST),
            _ => {
                self.failure = Some(Error::system(format!("{what} {}", self.name), error));
                self.close();
            }
        }
    }

    /// What ended it, if that was a failure.
    pub(crate) fn take_failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    /// Whether something was read that is not written yet.
    pub(crate) fn has_pending(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Copies from here on what the source holds by now, and no more: a process that has inherited
    /// it may write for ever.
    pub(crate) fn copy_only_what_is_there(&mut self) {
        self.budget = self.from.as_ref().map(StreamEnd::capacity);
    }

    /// Stops copying; what is in the buffer is dropped.
    pub(crate) fn close(&mut self) {
        self.from = None;
        self.to = None;
        self.buffer.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::stream_end::test_terminal;
    use rustix::event::{Timespec, poll};
    use rustix::pipe::{PipeFlags, pipe_with};
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::fd::OwnedFd;

    fn pipe() -> (OwnedFd, OwnedFd) {
        pipe_with(PipeFlags::CLOEXEC).unwrap()
    }

    fn relay(from: OwnedFd, to: OwnedFd) -> Relay {
        let from = StreamEnd::shared_source(from).unwrap();
        Relay::new("a stream", from, StreamEnd::shared_sink(to).unwrap())
    }

    /// Steps those that are ready, or the rest of which is over, until all are finished or nothing
    /// happens for so long.
    fn drive(relays: &mut [Relay], timeout: Duration) {
        let mut last = Instant::now();
        while relays.iter().any(|relay| !relay.is_finished()) && last.elapsed() < timeout {
            let now = Instant::now();
            for relay in relays.iter_mut() {
                let ready = relay.interest(now).is_some_and(|interest| {
                    let limit = Timespec {
                        tv_sec: 0,
                        tv_nsec: 1_000_000,
                    };
                    poll(&mut [interest], Some(&limit)).unwrap() > 0
                });
                if ready {
                    relay.step();
                    // A refusal does not count as progress: the master of a terminal that nothing
                    // has open refuses for ever.
                    if relay.rests.is_none() {
                        last = Instant::now();
                    }
                }
            }
        }
    }

    fn drive_to_the_end(relay: &mut Relay) {
        drive(std::slice::from_mut(relay), Duration::from_secs(60));
        assert!(relay.is_finished());
    }

    #[test]
    fn nothing_is_lost_when_the_sink_is_slow() {
        let (source, into_source) = pipe();
        let (from_sink, sink) = pipe();
        let sent: Vec<u8> = (0..500_000_u32).flat_map(u32::to_le_bytes).collect();
        let copy = sent.clone();
        let writer = std::thread::spawn(move || File::from(into_source).write_all(&copy).unwrap());
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            let mut file = File::from(from_sink);
            let mut byte = [0_u8; 777];
            loop {
                match file.read(&mut byte).unwrap() {
                    0 => return all,
                    length => all.extend_from_slice(&byte[..length]),
                }
            }
        });
        let mut relay = relay(source, sink);
        drive_to_the_end(&mut relay);
        drop(relay);
        writer.join().unwrap();
        assert!(reader.join().unwrap() == sent);
    }

    #[test]
    fn a_full_sink_is_waited_for_by_poll() {
        let (_reader, pipe_sink) = pipe();
        rustix::pipe::fcntl_setpipe_size(&pipe_sink, 4096).unwrap();
        let (master, slave) = test_terminal();
        let (other_master, _other_slave) = test_terminal();
        for sink in [pipe_sink, slave, other_master] {
            let (source, into_source) = pipe();
            let writer = std::thread::spawn(move || {
                File::from(into_source).write_all(&b"y\n".repeat(150_000))
            });
            let mut relay = relay(source, sink);
            let mut steps = 0;
            while let Some(interest) = relay.interest(Instant::now()) {
                let limit = Timespec {
                    tv_sec: 0,
                    tv_nsec: 100_000_000,
                };
                if poll(&mut [interest], Some(&limit)).unwrap() == 0 {
                    break;
                }
                relay.step();
                steps += 1;
                assert!(steps < 1000, "spins on a full sink");
            }
            assert!(!relay.is_finished() && relay.has_pending());
            drop(relay);
            // No process takes the rest.
            let _ = writer.join().unwrap();
        }
        drop(master);
    }

    #[test]
    fn floods_in_both_directions_of_a_terminal_pass_each_other() {
        let (master, slave) = test_terminal();
        let (source, into_source) = pipe();
        let (from_sink, sink) = pipe();
        // No process reads what comes in: the terminal fills up, echoes included.
        let flood = std::thread::spawn(move || {
            let _ = File::from(into_source).write_all(&b"y\n".repeat(200_000));
        });
        let program = std::thread::spawn(move || {
            File::from(slave)
                .write_all(&b"x".repeat(100_000))
                .map(|()| 100_000)
        });
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            File::from(from_sink).read_to_end(&mut all).unwrap();
            all.iter().filter(|byte| **byte == b'x').count()
        });
        let writer = StreamEnd::own(master.try_clone().unwrap()).unwrap();
        let input = Relay::new("in", StreamEnd::shared_source(source).unwrap(), writer);
        let output = Relay::new(
            "out",
            StreamEnd::own(master).unwrap(),
            StreamEnd::shared_sink(sink).unwrap(),
        );
        let mut relays = [input, output];
        while !relays[1].is_finished() {
            drive(&mut relays, Duration::from_millis(500));
            if program.is_finished() {
                // The flood goes on, and its terminal is gone.
                relays[0].close();
            }
        }
        drop(relays);
        assert_eq!(program.join().unwrap().unwrap(), 100_000);
        assert_eq!(reader.join().unwrap(), 100_000);
        flood.join().unwrap();
    }

    #[test]
    fn a_sink_without_reader_ends_the_relay_without_a_failure() {
        let (source, into_source) = pipe();
        let (from_sink, sink) = pipe();
        drop(from_sink);
        File::from(into_source).write_all(b"x").unwrap();
        let mut relay = relay(source, sink);
        drive_to_the_end(&mut relay);
        assert!(relay.take_failure().is_none());
    }

    #[test]
    fn a_source_or_sink_that_fails_ends_the_relay_and_is_named() {
        let open = |path, flags| rustix::fs::open(path, flags, rustix::fs::Mode::empty()).unwrap();
        let unreadable = open("/dev/null", rustix::fs::OFlags::WRONLY);
        let (_from_sink, sink) = pipe();
        let mut one = relay(unreadable, sink);
        drive_to_the_end(&mut one);
        let failure = one.take_failure().unwrap();
        assert_eq!(failure.to_string(), "read from a stream");
        assert_eq!(failure.raw_os_error(), Some(libc::EBADF));

        let (source, into_source) = pipe();
        File::from(into_source).write_all(b"x").unwrap();
        let mut one = relay(source, open("/dev/full", rustix::fs::OFlags::WRONLY));
        drive_to_the_end(&mut one);
        let failure = one.take_failure().unwrap();
        assert_eq!(failure.to_string(), "write to a stream");
        assert_eq!(failure.raw_os_error(), Some(libc::ENOSPC));
    }

    #[test]
    fn a_source_that_is_written_for_ever_is_copied_up_to_what_it_holds() {
        let (source, into_source) = pipe();
        let held = rustix::pipe::fcntl_getpipe_size(&source).unwrap();
        // Ends with a broken pipe.
        let writer = std::thread::spawn(move || File::from(into_source).write_all(&[7; 10 << 20]));
        let null = File::options().write(true).open("/dev/null").unwrap();
        let mut relay = relay(source, null.into());
        relay.copy_only_what_is_there();
        let mut steps = 0;
        while !relay.is_finished() {
            relay.step();
            steps += 1;
            assert!(steps < held, "copies without end");
        }
        drop(relay);
        assert!(writer.join().unwrap().is_err());
    }
}
