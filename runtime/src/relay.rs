//! Copying between descriptors without threads and without ever spinning.
//!
//! A descriptor that fails ends its own relay and nothing else: what it was opened for is the caller's affair, and the
//! process at the other end finds a closed pipe.
//!
//! Descriptors are used as they are: blocking ones stay blocking, because their open file may be shared with other
//! programs. A read after `POLLIN` does not block, and neither does a write of at most [`CHUNK`] bytes after `POLLOUT`.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};

/// `PIPE_BUF`: a pipe that polls as writable has room for this much (`pipe(7)`).
const CHUNK: usize = 4096;

/// One direction: everything read from one end is written to the other.
#[derive(Debug)]
pub(crate) struct Relay {
    /// `None` when its end was seen.
    from: Option<File>,
    /// `None` when nobody reads it any more or everything was written.
    to: Option<File>,
    buffer: Vec<u8>,
}

impl Relay {
    pub(crate) fn new(from: OwnedFd, to: OwnedFd) -> Self {
        Self {
            from: Some(File::from(from)),
            to: Some(File::from(to)),
            buffer: Vec::with_capacity(CHUNK),
        }
    }

    /// Whether there is nothing left to do.
    pub(crate) fn is_finished(&self) -> bool {
        self.to.is_none()
    }

    /// What to wait for; `None` when finished.
    pub(crate) fn interest(&self) -> Option<PollFd<'_>> {
        let to = self.to.as_ref()?;
        if self.buffer.is_empty() {
            // `POLLERR` on the sink would tell that its reader is gone, but only a write makes sure.
            self.from
                .as_ref()
                .map(|from| PollFd::from_borrowed_fd(from.as_fd(), PollFlags::IN))
        } else {
            Some(PollFd::from_borrowed_fd(to.as_fd(), PollFlags::OUT))
        }
    }

    /// Does one step after [`interest`](Self::interest) became ready.
    pub(crate) fn step(&mut self) {
        if self.buffer.is_empty() {
            self.read();
        } else {
            self.write();
        }
    }

    fn read(&mut self) {
        let Some(from) = &mut self.from else {
            return;
        };
        let mut chunk = [0_u8; CHUNK];
        match from.read(&mut chunk) {
            Ok(0) => self.close(),
            Ok(length) => self
                .buffer
                .extend_from_slice(chunk.get(..length).unwrap_or_default()),
            // A master terminal whose other side is closed says EIO.
            Err(error) if error.raw_os_error() == Some(libc::EIO) => self.close(),
            Err(error) => self.failed("read from", &error),
        }
    }

    fn write(&mut self) {
        let Some(to) = &mut self.to else {
            return;
        };
        match to.write(&self.buffer) {
            Ok(length) => {
                self.buffer.drain(..length.min(self.buffer.len()));
            }
            // The reader went away: nothing more to say to it.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EPIPE | libc::EIO)) => {
                self.close();
            }
            Err(error) => self.failed("write to", &error),
        }
    }

    fn failed(&mut self, what: &str, error: &io::Error) {
        if !matches!(
            error.kind(),
            io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
        ) {
            log::debug!("{what} a standard stream: {error}");
            self.close();
        }
    }

    /// Whether something was read that is not written yet.
    pub(crate) fn has_pending(&self) -> bool {
        !self.buffer.is_empty()
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
    use rustix::event::poll;
    use rustix::pipe::{PipeFlags, pipe_with};

    fn pipe() -> (OwnedFd, OwnedFd) {
        pipe_with(PipeFlags::CLOEXEC).unwrap()
    }

    fn drive(relay: &mut Relay) {
        while let Some(interest) = relay.interest() {
            let mut one = [interest];
            poll(&mut one, None).unwrap();
            relay.step();
        }
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
        let mut relay = Relay::new(source, sink);
        drive(&mut relay);
        assert!(relay.is_finished());
        drop(relay);
        writer.join().unwrap();
        assert!(reader.join().unwrap() == sent);
    }

    #[test]
    fn a_full_sink_is_waited_for_by_poll() {
        let (source, into_source) = pipe();
        let (_from_sink, sink) = pipe();
        File::from(into_source).write_all(&[7; 60_000]).unwrap();
        rustix::pipe::fcntl_setpipe_size(&sink, 4096).unwrap();
        let mut relay = Relay::new(source, sink);
        let mut steps = 0;
        loop {
            let mut one = [relay.interest().unwrap()];
            if poll(
                &mut one,
                Some(&rustix::event::Timespec {
                    tv_sec: 0,
                    tv_nsec: 0,
                }),
            )
            .unwrap()
                == 0
            {
                break;
            }
            relay.step();
            steps += 1;
            assert!(steps < 100, "spins on a full sink");
        }
        assert!(!relay.is_finished());
    }

    #[test]
    fn a_sink_without_reader_ends_the_relay() {
        let (source, into_source) = pipe();
        let (from_sink, sink) = pipe();
        drop(from_sink);
        File::from(into_source).write_all(b"x").unwrap();
        let mut relay = Relay::new(source, sink);
        drive(&mut relay);
        assert!(relay.is_finished());
    }

    #[test]
    fn a_source_or_sink_that_fails_ends_the_relay() {
        let open = |path, flags| rustix::fs::open(path, flags, rustix::fs::Mode::empty()).unwrap();
        let unreadable = open("/dev/null", rustix::fs::OFlags::WRONLY);
        let (_from_sink, sink) = pipe();
        let mut relay = Relay::new(unreadable, sink);
        drive(&mut relay);
        assert!(relay.is_finished());

        let (source, into_source) = pipe();
        File::from(into_source).write_all(b"x").unwrap();
        let mut relay = Relay::new(source, open("/dev/full", rustix::fs::OFlags::WRONLY));
        drive(&mut relay);
        assert!(relay.is_finished());
    }
}
