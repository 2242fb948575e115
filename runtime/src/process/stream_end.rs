//! The ends of a [`Relay`](super::relay::Relay): descriptors that are read and written without
//! waiting.
//!
//! `poll(2)` alone does not make sure of that. A terminal counts as writable with room for one
//! byte, and a blocking write of more sleeps until its reader takes it (`n_tty_write` in the
//! kernel); and a process that shares a pipe or terminal may take the data, or the room, between
//! the poll and the call.
//!
//! `O_NONBLOCK` belongs to the open file description. It is set where that is this process' own.
//! Standard streams share theirs with other programs, which would be surprised, so these are asked
//! call by call: pipes with `RWF_NOWAIT`, sockets with `MSG_DONTWAIT`; a terminal is opened once
//! more. Regular files and other devices wait for no peer.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, fcntl_getfl, fcntl_setfl, fstat};
use rustix::io::{Errno, ReadWriteFlags};
use rustix::net::{RecvFlags, SendFlags};
use rustix::termios::isatty;

use crate::sys;

/// `preadv2(2)`: the current offset, the only one that a pipe has.
const CURRENT: u64 = u64::MAX;

/// More than a terminal holds in its buffers (64 KiB and what its line discipline keeps).
const TERMINAL_CAPACITY: usize = 128 << 10;

/// How an end is used without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Plain calls: the open file description does not block, or the file waits for no peer.
    Plain,
    /// A pipe that others use as well: each call with `RWF_NOWAIT` (Linux 6.5 for pipes).
    Pipe,
    /// A socket: each call with `MSG_DONTWAIT`.
    Socket,
    /// A terminal that cannot be opened once more: `O_NONBLOCK` is set for the moment of each call.
    Toggled,
}

/// Which way the data goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Read,
    Write,
}

/// A descriptor to read from or to write to; neither waits.
#[derive(Debug)]
pub(crate) struct StreamEnd {
    file: Held,
    way: Way,
}

/// A descriptor, and whether it is closed in the end.
#[derive(Debug)]
enum Held {
    Own(File),
    /// A standard stream of this process, which stays open.
    Standard(ManuallyDrop<File>),
}

impl Deref for Held {
    type Target = File;

    fn deref(&self) -> &File {
        match self {
            Self::Own(file) => file,
            Self::Standard(file) => file,
        }
    }
}

impl StreamEnd {
    /// An end whose open file description only this process has, and its duplicates here: it
    /// becomes non-blocking.
    pub(crate) fn own(descriptor: OwnedFd) -> io::Result<Self> {
        // The access mode is not changed by this, and a pipe or socket of one's own has no other
        // flag.
        fcntl_setfl(&descriptor, OFlags::NONBLOCK)?;
        Ok(Self {
            file: Held::Own(File::from(descriptor)),
            way: Way::Plain,
        })
    }

    /// Standard input of this process.
    pub(crate) fn standard_input() -> io::Result<Self> {
        Self::shared(Held::Standard(sys::standard_stream(0)), Direction::Read)
    }

    /// Standard output (1) or error (2) of this process.
    pub(crate) fn standard_sink(number: i32) -> io::Result<Self> {
        Self::shared(
            Held::Standard(sys::standard_stream(number)),
            Direction::Write,
        )
    }

    /// An end that other programs may use as well, to be read.
    #[cfg(test)]
    pub(crate) fn shared_source(descriptor: OwnedFd) -> io::Result<Self> {
        Self::shared(Held::Own(descriptor.into()), Direction::Read)
    }

    /// An end that other programs may use as well, to be written.
    #[cfg(test)]
    pub(crate) fn shared_sink(descriptor: OwnedFd) -> io::Result<Self> {
        Self::shared(Held::Own(descriptor.into()), Direction::Write)
    }

    fn shared(file: Held, direction: Direction) -> io::Result<Self> {
        let way = match FileType::from_raw_mode(fstat(&*file)?.st_mode) {
            FileType::Fifo => Way::Pipe,
            FileType::Socket => Way::Socket,
            FileType::CharacterDevice if isatty(&*file) => {
                if let Some(terminal) = opened_again(file.as_fd(), direction) {
                    return Ok(Self {
                        file: Held::Own(File::from(terminal)),
                        way: Way::Plain,
                    });
                }
                Way::Toggled
            }
            _ => Way::Plain,
        };
        Ok(Self { file, way })
    }

    /// Reads once; `WouldBlock` if the pipe has nothing now.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.way {
            Way::Plain => (&*self.file).read(buffer),
            Way::Pipe => {
                let mut pieces = [IoSliceMut::new(buffer)];
                let flags = ReadWriteFlags::NOWAIT;
                match rustix::io::preadv2(&*self.file, &mut pieces, CURRENT, flags) {
                    Err(Errno::OPNOTSUPP) => (&*self.file).read(buffer),
                    result => Ok(result?),
                }
            }
            Way::Socket => {
                let (length, _) = rustix::net::recv(&*self.file, buffer, RecvFlags::DONTWAIT)?;
                Ok(length)
            }
            Way::Toggled => self.toggled(|mut file| file.read(buffer)),
        }
    }

    /// Writes once, at most [`PIPE_BUF`](super::relay::CHUNK) bytes; `WouldBlock` if the pipe has
    /// no room now.
    pub(crate) fn write(&self, data: &[u8]) -> io::Result<usize> {
        match self.way {
            Way::Plain => (&*self.file).write(data),
            Way::Pipe => {
                let flags = ReadWriteFlags::NOWAIT;
                match rustix::io::pwritev2(&*self.file, &[IoSlice::new(data)], CURRENT, flags) {
                    // A kernel before 6.5. A pipe that polls as writable has room for as much as a
                    // relay writes at once.
                    Err(Errno::OPNOTSUPP) => (&*self.file).write(data),
                    result => Ok(result?),
                }
            }
            Way::Socket => {
                let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
                Ok(rustix::net::send(&*self.file, data, flags)?)
            }
            Way::Toggled => self.toggled(|mut file| file.write(data)),
        }
    }

    fn toggled<T>(&self, call: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        let before = fcntl_getfl(&*self.file)?;
        fcntl_setfl(&*self.file, before | OFlags::NONBLOCK)?;
        let result = call(&self.file);
        fcntl_setfl(&*self.file, before)?;
        result
    }

    /// How many bytes it can hold at most: what was written before its writer ended is not more.
    pub(crate) fn capacity(&self) -> usize {
        rustix::pipe::fcntl_getpipe_size(&*self.file).unwrap_or(TERMINAL_CAPACITY)
    }

    /// Whether it is a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        isatty(&*self.file)
    }
}

impl AsFd for StreamEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// The same terminal with an open file description of its own, which does not block. `None` if it
/// may not be opened, or if another one comes out: opening a master makes a new terminal.
fn opened_again(terminal: BorrowedFd<'_>, direction: Direction) -> Option<OwnedFd> {
    let access = match direction {
        Direction::Read => OFlags::RDONLY,
        Direction::Write => OFlags::WRONLY,
    };
    if rustix::pty::ptsname(terminal, Vec::new()).is_ok() {
        return None;
    }
    let path = format!("/proc/thread-self/fd/{}", terminal.as_raw_fd());
    let flags = access | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty()).ok()?;
    let (one, other) = (fstat(terminal).ok()?, fstat(&opened).ok()?);
    let same = (one.st_dev, one.st_ino, one.st_rdev) == (other.st_dev, other.st_ino, other.st_rdev);
    same.then_some(opened)
}

/// Master and other side of a new terminal.
#[cfg(test)]
pub(crate) fn test_terminal() -> (OwnedFd, OwnedFd) {
    use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let slave = ioctl_tiocgptpeer(&master, flags).unwrap();
    (master, slave)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    use rustix::pipe::{PipeFlags, pipe_with};

    /// Writes until the pipe is full; a write that waits never returns.
    fn fill(sink: &StreamEnd) -> usize {
        let mut all = 0;
        loop {
            match sink.write(&[b'x'; 4096]) {
                Ok(count) => all += count,
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}");
                    return all;
                }
            }
        }
    }

    fn blocks(descriptor: impl AsFd) -> bool {
        !fcntl_getfl(descriptor).unwrap().contains(OFlags::NONBLOCK)
    }

    #[test]
    fn no_write_waits_and_the_callers_description_stays_blocking() {
        let (_reader, pipe) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let (_peer, socket) = socketpair(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )
        .unwrap();
        let (master, slave) = test_terminal();
        let (other_master, _other_slave) = test_terminal();
        for (name, descriptor) in [
            ("pipe", &pipe),
            ("socket", &socket),
            ("terminal", &slave),
            ("master", &other_master),
        ] {
            let sink = StreamEnd::shared_sink(descriptor.try_clone().unwrap()).unwrap();
            assert!(fill(&sink) > 0, "{name}");
            assert!(blocks(descriptor), "{name}");
        }
        drop(master);
    }

    #[test]
    fn no_read_waits() {
        let (pipe, _writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let (socket, _peer) = socketpair(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )
        .unwrap();
        let (master, slave) = test_terminal();
        for (name, descriptor) in [
            ("pipe", &pipe),
            ("socket", &socket),
            ("terminal", &slave),
            ("master", &master),
        ] {
            let source = StreamEnd::shared_source(descriptor.try_clone().unwrap()).unwrap();
            let error = source.read(&mut [0; 8]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{name}");
            assert!(blocks(descriptor), "{name}");
        }
    }

    #[test]
    fn a_master_is_not_opened_again_as_another_terminal() {
        let (master, slave) = test_terminal();
        assert!(opened_again(master.as_fd(), Direction::Write).is_none());
        assert!(opened_again(slave.as_fd(), Direction::Write).is_some());
        let sink = StreamEnd::shared_sink(master.try_clone().unwrap()).unwrap();
        assert_eq!(sink.write(b"one\n").unwrap(), 4);
        let mut line = [0; 16];
        assert_eq!(rustix::io::read(&slave, &mut line).unwrap(), 4);
    }

    #[test]
    fn a_file_is_written_where_the_caller_left_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"before ").unwrap();
        let sink = StreamEnd::shared_sink(file.try_clone().unwrap().into()).unwrap();
        sink.write(b"ours ").unwrap();
        file.write_all(b"after").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"before ours after");
    }

    #[test]
    fn an_own_end_does_not_block() {
        let (master, _slave) = test_terminal();
        let sink = StreamEnd::own(master.try_clone().unwrap()).unwrap();
        assert!(fill(&sink) > 0);
        assert!(!blocks(&master), "duplicates share the description");
    }
}
