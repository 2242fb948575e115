//! Descriptors that a container has sent.
//!
//! The kernel closes a descriptor in the time of the process that does it, and that can be as long
//! as the sender likes: a socket waits for its unsent data (`SO_LINGER` of `socket(7)`), also one
//! that lies unread in the queue of another, and a file system in user space for its server. So a
//! thread does it.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{AtFlags, FileType, OFlags, StatxFlags, fcntl_getfl, statx};

/// How many threads may be closing something. Each has at most as many descriptors as a message
/// can carry (253), so that this process does not run out of them.
const MOST: usize = 2;

/// Closes descriptors that an untrusted process has sent, and does not wait for it: in a thread.
#[derive(Debug, Default)]
pub struct Closer {
    busy: Arc<AtomicUsize>,
}

impl Closer {
    /// Whether one more message may be taken: if not, descriptors of earlier ones are still being
    /// closed.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.busy.load(Ordering::Relaxed) < MOST
    }

    /// Closes these. Without a thread they are closed here.
    pub fn close(&self, descriptors: Vec<OwnedFd>) {
        if descriptors.is_empty() {
            return;
        }
        self.busy.fetch_add(1, Ordering::Relaxed);
        let done = Done(Arc::clone(&self.busy));
        let closing = std::thread::Builder::new().name("close".to_owned());
        let spawned = closing.spawn(move || {
            drop(descriptors);
            drop(done);
        });
        if let Err(error) = spawned {
            log::debug!("start a thread: {error}");
        }
    }
}

/// Counts down when it is gone, with the thread or without.
struct Done(Arc<AtomicUsize>);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What came with a packet of the stub, and is not taken out.
#[derive(Debug, Default)]
pub(crate) struct Sent(Vec<OwnedFd>);

impl Sent {
    pub(crate) fn new(descriptors: Vec<OwnedFd>) -> Self {
        Self(descriptors)
    }

    /// All of them, if there are this many.
    pub(crate) fn take<const N: usize>(&mut self) -> Option<[OwnedFd; N]> {
        if self.0.len() != N {
            return None;
        }
        <[OwnedFd; N]>::try_from(std::mem::take(&mut self.0)).ok()
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        close(std::mem::take(&mut self.0));
    }
}

/// Closes descriptors here if that takes no time whoever they are from, and in a thread if not.
pub(crate) fn close(mut descriptors: Vec<OwnedFd>) {
    descriptors.retain(|descriptor| !closes_at_once(descriptor));
    Closer::default().close(descriptors);
}

/// A place (`O_PATH`) is no open file, and a pipe is the kernel's alone.
fn closes_at_once(descriptor: &OwnedFd) -> bool {
    is_place(descriptor) || is_pipe(descriptor)
}

/// Whether it is open with `O_PATH`.
fn is_place(descriptor: &OwnedFd) -> bool {
    fcntl_getfl(descriptor).is_ok_and(|flags| flags.contains(OFlags::PATH))
}

/// Whether it is a pipe or a FIFO. A file system in the hands of a container is not asked: it might
/// not answer.
pub(crate) fn is_pipe(descriptor: &OwnedFd) -> bool {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    statx(descriptor, c"", flags, StatxFlags::TYPE)
        .is_ok_and(|found| FileType::from_raw_mode(found.stx_mode.into()) == FileType::Fifo)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixDatagram;
    use std::time::Duration;

    use rustix::net::sockopt;

    use super::*;

    /// A socket whose close takes an hour: its data is not taken. With the end that has to be kept.
    pub(crate) fn lingering() -> (OwnedFd, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // The smallest there is (SO_RCVBUF of socket(7)), so that what the other end still takes in
        // after the last write is less than what waits here.
        sockopt::set_socket_recv_buffer_size(&listener, 1).unwrap();
        let mut socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (other, _) = listener.accept().unwrap();
        socket.set_nonblocking(true).unwrap();
        while socket.write(&[0; 65_536]).is_ok() {}
        let hour = Duration::from_secs(3600);
        sockopt::set_socket_linger(&socket, Some(hour)).unwrap();
        (socket.into(), other)
    }

    #[test]
    fn what_takes_long_to_close_is_not_waited_for() {
        let closer = Closer::default();
        let (one, _other) = lingering();
        closer.close(vec![one]);
        assert!(closer.is_free());
        let (two, _another) = lingering();
        closer.close(vec![two]);
        assert!(!closer.is_free());
    }

    #[test]
    fn what_is_closed_at_once_makes_room() {
        let closer = Closer::default();
        for _ in 0..10 {
            let (ours, theirs) = UnixDatagram::pair().unwrap();
            closer.close(vec![theirs.into()]);
            // Its end shows on the other one.
            while ours.send(b"x").is_ok() {
                std::thread::yield_now();
            }
            while !closer.is_free() {
                std::thread::yield_now();
            }
        }
    }

    #[test]
    fn only_places_and_pipes_close_at_once() {
        let place = rustix::fs::open("/", OFlags::PATH, rustix::fs::Mode::empty()).unwrap();
        let (read, write) = std::io::pipe().unwrap();
        for at_once in [place, read.into(), write.into()] {
            assert!(closes_at_once(&at_once));
        }
        let file = std::fs::File::open("/proc/self/status").unwrap();
        let (socket, _other) = UnixDatagram::pair().unwrap();
        for other in [OwnedFd::from(file), socket.into()] {
            assert!(!closes_at_once(&other));
        }
    }
}
