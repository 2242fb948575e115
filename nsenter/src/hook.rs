//! Supervising a hook that the stub has started.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, OFlags, fcntl_getfl, fcntl_setfl, fstat};
use rustix::io::{Errno, read};

use crate::control::{Control, Event, Received};
use crate::error::{Error, Result};
use crate::pidfd::{self, Exit, remaining};
use crate::plan::HookCommand;
use crate::wire::Message;

/// How much of each stream is kept.
const KEPT: usize = 64 << 10;

/// How a hook ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookOutcome {
    exit: Exit,
    timed_out: Option<Duration>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl HookOutcome {
    /// How it ended; a hook that was killed for taking too long ended by signal 9.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Its time limit, if that ended it.
    pub fn timed_out(&self) -> Option<Duration> {
        self.timed_out
    }

    /// What it wrote to standard output, the first 64 KiB.
    pub fn stdout(&self) -> &[u8] {
        &self.stdout
    }

    /// What it wrote to standard error, the first 64 KiB.
    pub fn stderr(&self) -> &[u8] {
        &self.stderr
    }

    /// Whether it ended with exit code 0 in time.
    pub fn success(&self) -> bool {
        self.timed_out.is_none() && self.exit.success()
    }
}

/// `exit status 1, stdout: …, stderr: …`, or `hook ran past specified timeout of 1.0s`.
impl fmt::Display for HookOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(limit) = self.timed_out {
            return write!(
                f,
                "hook ran past specified timeout of {:.1}s",
                limit.as_secs_f64()
            );
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes.trim_ascii_end()).into_owned();
        write!(
            f,
            "{}, stdout: {}, stderr: {}",
            self.exit,
            text(&self.stdout),
            text(&self.stderr)
        )
    }
}

impl std::error::Error for HookOutcome {}

/// One of the two output streams.
struct Stream {
    pipe: Option<OwnedFd>,
    kept: Vec<u8>,
}

impl Stream {
    /// The stub says it is a pipe; anything else might block whoever reads it.
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

    /// Reads once. What is beyond the limit is read and thrown away: a full pipe would stop the hook.
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

/// The hook's process: killed unless the stub has told its end.
struct Hook {
    pidfd: OwnedFd,
    ended: bool,
}

impl Hook {
    /// The group, since a hook may have started others; before Linux 6.9 the hook alone.
    fn kill(&self) {
        if crate::sys::pidfd_send_signal(self.pidfd.as_fd(), libc::SIGKILL, true).is_err() {
            let _ = pidfd::send_signal(&self.pidfd, libc::SIGKILL);
        }
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        if !self.ended {
            self.kill();
        }
    }
}

/// Collects the output of a hook until it ends, and kills it when its time is over. `None`: the stub itself is gone.
pub(crate) fn supervise(
    started: Received,
    command: &HookCommand,
    control: &mut Control,
    stub: BorrowedFd<'_>,
    deadline: Duration,
) -> Result<Option<HookOutcome>> {
    let step = started.packet.step;
    let Ok([process, out, err]) = <[OwnedFd; 3]>::try_from(started.descriptors) else {
        return Err(Error::protocol(
            "the init process sent another number of descriptors than three",
        ));
    };
    let mut process = Hook {
        pidfd: process,
        ended: false,
    };
    let (mut out, mut err) = (Stream::new(out)?, Stream::new(err)?);
    let limit = (command.timeout_ms != 0).then(|| Duration::from_millis(command.timeout_ms.into()));
    let end = limit.and_then(|limit| Instant::now().checked_add(limit));
    let mut timed_out = None;
    let ended = loop {
        if end.is_some_and(|end| Instant::now() >= end) && timed_out.is_none() {
            timed_out = limit;
            process.kill();
        }
        let left = if timed_out.is_none() {
            end.map(remaining)
        } else {
            None
        };
        let mut fds = vec![
            PollFd::new(control, PollFlags::IN),
            PollFd::new(&stub, PollFlags::IN),
        ];
        fds.extend(
            [&out, &err]
                .into_iter()
                .filter_map(|stream| stream.pipe.as_ref())
                .map(|pipe| PollFd::new(pipe, PollFlags::IN)),
        );
        match poll(&mut fds, left.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(Error::system("wait for a hook", e)),
        }
        let says = fds.iter().take(2).any(|fd| !fd.revents().is_empty());
        out.collect();
        err.collect();
        if says {
            break match control.next(stub, deadline)? {
                Event::Packet(received) => received,
                Event::Ended => return Ok(None),
            };
        }
    };
    if ended.packet.message != Message::HookEnded || ended.packet.step != step {
        return Err(Error::protocol(
            "the init process does not say how a hook ended",
        ));
    }
    process.ended = true;
    // What is still in the pipes; whoever else holds them is not waited for.
    let mut rounds = 0;
    while rounds < 64 && (out.collect() | err.collect()) {
        rounds += 1;
    }
    // si_code and si_status of waitid(2).
    let status = i32::try_from(ended.packet.value & 0xffff).unwrap_or(-1);
    let exit = match ended.packet.value >> 16 {
        1 => Exit::Code(status),
        code @ (2 | 3) => Exit::Signal {
            signal: status,
            core_dumped: code == 3,
        },
        _ => Exit::Unknown,
    };
    Ok(Some(HookOutcome {
        exit,
        timed_out,
        stdout: out.kept,
        stderr: err.kept,
    }))
}
