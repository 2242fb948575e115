//! What a hook writes to its standard output and error.

use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{FileType, OFlags, fcntl_getfl, fcntl_setfl, fstat};
use rustix::io::{Errno, read};

use crate::error::{Error, Result};

/// How much of each stream is kept.
pub(crate) const KEPT: usize = 64 << 10;

/// How many pieces are read at most when the hook has ended: more than two pipes hold.
const LAST_ROUNDS: usize = 64;

/// Both streams, read without waiting.
pub(crate) struct Output {
    streams: [Stream; 2],
}

struct Stream {
    pipe: Option<OwnedFd>,
    kept: Vec<u8>,
}

impl Output {
    /// # Errors
    /// One of them is not a pipe: anything else might block the reader.
    pub(crate) fn new(stdout: OwnedFd, stderr: OwnedFd) -> Result<Self> {
        Ok(Self {
            streams: [Stream::new(stdout)?, Stream::new(stderr)?],
        })
    }

    /// What to poll for.
    pub(crate) fn watched(&self) -> impl Iterator<Item = PollFd<'_>> {
        let pipes = self
            .streams
            .iter()
            .filter_map(|stream| stream.pipe.as_ref());
        pipes.map(|pipe| PollFd::new(pipe, PollFlags::IN))
    }

    /// Reads once from each; says whether something came.
    pub(crate) fn collect(&mut self) -> bool {
        let [stdout, stderr] = &mut self.streams;
        stdout.collect() | stderr.collect()
    }

    /// Reads what is still there of a hook that has ended. What others hold open is not waited for.
    /// Returns what was kept of both.
    pub(crate) fn finish(mut self) -> (Vec<u8>, Vec<u8>) {
        let mut rounds = 0;
        while rounds < LAST_ROUNDS && self.collect() {
            rounds += 1;
        }
        let [stdout, stderr] = self.streams;
        (stdout.kept, stderr.kept)
    }
}

impl Stream {
    fn new(pipe: OwnedFd) -> Result<Self> {
        let strange = || Error::protocol("the output of a hook is no pipe");
        let stat = fstat(&pipe).map_err(|_| strange())?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Fifo {
            return Err(strange());
        }
        let flags = fcntl_getfl(&pipe).map_err(|_| strange())?;
        fcntl_setfl(&pipe, flags | OFlags::NONBLOCK).map_err(|_| strange())?;
        Ok(Self {
            pipe: Some(pipe),
            kept: Vec::new(),
        })
    }

    /// Reads once. What is beyond the limit is read and thrown away: a full pipe would stop the
    /// hook.
    fn collect(&mut self) -> bool {
        let Some(pipe) = &self.pipe else { return false };
        let mut buffer = [0; 4096];
        match read(pipe, &mut buffer) {
            Ok(count @ 1..) => {
                let room = KEPT.saturating_sub(self.kept.len());
                self.kept
                    .extend_from_slice(buffer.get(..count.min(room)).unwrap_or(&[]));
                true
            }
            Err(Errno::AGAIN | Errno::INTR) => false,
            Ok(_) | Err(_) => {
                self.pipe = None;
                false
            }
        }
    }
}
