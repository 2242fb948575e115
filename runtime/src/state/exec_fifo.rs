//! The fifo of a created container.
//!
//! Our init process has both ends open while it waits, and reads one byte. That of runc waits in
//! open(2) for a reader, to write one byte. Who opens the fifo for reading without waiting lets it
//! go on: so whether one waits cannot be found out by opening. The name of the process shows it,
//! which procfs shows beside its start time.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::directory::StateDirectory;
use crate::error::{Error, ErrorKind, Result};

/// What an init process waits at before it runs the user's program: until `start`, the container is
/// created.
pub(crate) const FIFO: &str = "exec.fifo";

/// How long the init process of runc may take to write its byte.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(10);

/// What is at the other end of the fifo.
#[derive(Debug)]
pub(crate) enum OtherEnd {
    /// An init process that reads: the end to write to.
    Reads(OwnedFd),
    /// The fifo is there, and nothing reads it.
    Nothing,
    /// The fifo does not exist.
    NoFifo,
}

impl StateDirectory {
    /// Makes the fifo and opens its both ends: a process with the descriptor is a writer itself and
    /// never reads an end of file. `owner` is the root user of the container.
    pub(crate) fn make_fifo(&self, owner: (u32, u32)) -> Result<OwnedFd> {
        let make = || -> rustix::io::Result<OwnedFd> {
            rustix::fs::mknodat(
                &self.directory,
                FIFO,
                FileType::Fifo,
                Mode::from_raw_mode(0o600),
                0,
            )?;
            let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let fifo = rustix::fs::openat(&self.directory, FIFO, flags, Mode::empty())?;
            let (uid, gid) = (
                rustix::fs::Uid::from_raw(owner.0),
                rustix::fs::Gid::from_raw(owner.1),
            );
            if owner
                != (
                    rustix::process::geteuid().as_raw(),
                    rustix::process::getegid().as_raw(),
                )
            {
                rustix::fs::fchown(&fifo, Some(uid), Some(gid))?;
            }
            Ok(fifo)
        };
        make().map_err(|errno| {
            Error::system(format!("make {}", self.path.join(FIFO).display()), errno)
        })
    }

    /// Looks who waits at the fifo, which must be one.
    pub(crate) fn other_end(&self) -> Result<OtherEnd> {
        match self.open_fifo(OFlags::WRONLY | OFlags::NONBLOCK) {
            Ok(fifo) => Ok(OtherEnd::Reads(fifo)),
            Err(Errno::NOENT) => Ok(OtherEnd::NoFifo),
            // Nothing reads it, or a socket is in its place. It may be gone by now, too.
            Err(Errno::NXIO) => match self.fifo_type()? {
                Some(FileType::Fifo) => Ok(OtherEnd::Nothing),
                Some(_) => Err(self.fifo_failed(Errno::NXIO)),
                None => Ok(OtherEnd::NoFifo),
            },
            Err(errno) => Err(self.fifo_failed(errno)),
        }
    }

    /// Whether an init process of this runtime waits at the fifo. `None`: there is one, and nothing
    /// reads it.
    pub(crate) fn has_reader(&self) -> Result<Option<bool>> {
        match self.open_fifo(OFlags::WRONLY | OFlags::NONBLOCK) {
            Ok(_) => Ok(Some(true)),
            Err(Errno::NXIO) => Ok(None),
            // It does not exist, or something else is in its place.
            Err(Errno::NOENT | Errno::INVAL | Errno::LOOP | Errno::ISDIR) => Ok(Some(false)),
            // It belongs to the root user of the container. There is one, more is unknown.
            Err(Errno::ACCESS) => Ok(Some(true)),
            Err(errno) => Err(self.fifo_failed(errno)),
        }
    }

    /// Whether there is a fifo, with or without a process at it.
    pub(crate) fn fifo_is_fifo(&self) -> Result<bool> {
        Ok(self.fifo_type()? == Some(FileType::Fifo))
    }

    /// What is in the place of the fifo.
    fn fifo_type(&self) -> Result<Option<FileType>> {
        match rustix::fs::statat(&self.directory, FIFO, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(self.fifo_failed(errno)),
        }
    }

    /// Fails if something else is in the place of the fifo.
    pub(crate) fn require_fifo(&self) -> Result<()> {
        match self.open_fifo(OFlags::PATH) {
            Err(errno @ (Errno::INVAL | Errno::LOOP)) => Err(self.fifo_failed(errno)),
            _ => Ok(()),
        }
    }

    /// A reader. One who writes has it, too, and gets no `SIGPIPE` if the other reader ends just
    /// now. `None`: another process has removed the fifo, and with that started the container.
    pub(crate) fn fifo_reader(&self) -> Result<Option<OwnedFd>> {
        match self.open_fifo(OFlags::RDONLY | OFlags::NONBLOCK) {
            Ok(fifo) => Ok(Some(fifo)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(self.fifo_failed(errno)),
        }
    }

    /// Opens the fifo, and nothing else in its place.
    fn open_fifo(&self, flags: OFlags) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fifo = rustix::fs::openat(&self.directory, FIFO, flags, Mode::empty())?;
        match FileType::from_raw_mode(rustix::fs::fstat(&fifo)?.st_mode) {
            FileType::Fifo => Ok(fifo),
            _ => Err(Errno::INVAL),
        }
    }

    fn fifo_failed(&self, errno: Errno) -> Error {
        let path = self.path.join(FIFO);
        match errno {
            Errno::INVAL | Errno::LOOP | Errno::ISDIR | Errno::NXIO => Error::new(
                ErrorKind::CorruptState,
                format!("{} is not a fifo", path.display()),
            ),
            errno => Error::system(format!("open {}", path.display()), errno),
        }
    }

    /// Removes the fifo; says whether it was this call that did it.
    pub(crate) fn claim_fifo(&self) -> Result<bool> {
        match rustix::fs::unlinkat(&self.directory, FIFO, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(Error::system(
                format!("remove {}", self.path.join(FIFO).display()),
                errno,
            )),
        }
    }
}

/// Reads from `fifo` the byte that the init process of runc writes. `false` if it ends instead.
pub(crate) fn read_fifo(fifo: &OwnedFd, init: &OwnedFd) -> Result<bool> {
    let failed = |errno| Error::system("read the exec fifo", errno);
    let deadline = Instant::now() + RELEASE_TIMEOUT;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut watched = [
            PollFd::new(fifo, PollFlags::IN),
            PollFd::new(init, PollFlags::IN),
        ];
        let limit = Timespec::try_from(left).unwrap_or_default();
        rustix::io::retry_on_intr(|| poll(&mut watched, Some(&limit))).map_err(failed)?;
        let [fifo_events, init_events] = watched.map(|one| one.revents());
        match rustix::io::read(fifo, &mut [0_u8; 1]) {
            Ok(1..) => return Ok(true),
            // No writer yet, or none any more.
            Ok(_) | Err(Errno::AGAIN | Errno::INTR) => {}
            Err(errno) => return Err(failed(errno)),
        }
        if !init_events.is_empty() {
            return Ok(false);
        }
        if left.is_zero() {
            return Err(Error::new(
                ErrorKind::Timeout,
                "the init process does not write the exec fifo",
            ));
        }
        // Its writer has opened and closed it, and poll says so at once each time.
        if fifo_events.contains(PollFlags::HUP) {
            let _ = poll(
                &mut [],
                Some(&Timespec {
                    tv_sec: 0,
                    tv_nsec: 1_000_000,
                }),
            );
        }
    }
}
