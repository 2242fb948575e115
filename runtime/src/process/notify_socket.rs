//! The notification socket of a container (`sd_notify(3)`).
//!
//! The container sends its notifications to a socket of its own, `/run/notify/notify.sock`; the
//! only one passed on is that it is ready, followed by `MAINPID=` in the numbers of the host and by
//! a `BARRIER=1`, which shows when the service manager has seen both.

use std::collections::VecDeque;
use std::fs::{self, Permissions};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nsenter::Closer;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::container::Container;
use crate::error::{Error, Result};
use crate::launch::notify_mount::{DIRECTORY, SOCKET};
use crate::launch::send_descriptor::SocketAddress;

/// How long the service manager may take to take the notification, and then to see the barrier.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);

/// How many datagrams are read at once. It is more than the queue of a socket holds
/// (`net.unix.max_dgram_qlen`, 10 unless set, 512 by systemd).
const MOST_DATAGRAMS: usize = 4096;

/// How many descriptors a message can carry (`SCM_MAX_FD` of the kernel).
const MOST_DESCRIPTORS: usize = 253;

/// The notification socket of a container, connected to the one of the service manager.
///
/// The container was created with [`Process::notify_socket`](crate::Process::notify_socket).
#[derive(Debug)]
pub struct NotifySocket {
    /// `None` only when this value is dropped.
    container: Option<UnixDatagram>,
    closer: Closer,
    /// `None` without a service manager.
    host: Option<UnixDatagram>,
    phase: Phase,
    pid: Option<i32>,
    init: Option<OwnedFd>,
    failure: Option<Error>,
}

#[derive(Debug)]
enum Phase {
    /// The container has not said anything of interest.
    Waiting,
    /// It has; these datagrams, the next one first, are not sent yet. The service manager has until
    /// then to take them.
    Telling(VecDeque<Vec<u8>>, Instant),
    /// The other end of this pipe is closed when the service manager has seen the barrier.
    Barrier(OwnedFd, Instant),
    Done,
}

impl NotifySocket {
    /// Binds the socket inside the container's directory and connects to `host`. `None` if the
    /// container was made without one.
    ///
    /// If `host` has no socket, the container still has its own, which its environment
    /// promises; what it says is read and passed on to nothing.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::ErrorKind::System).
    pub fn bind(container: &Container, host: &Path) -> Result<Option<Self>> {
        let directory = container.directory().join(DIRECTORY);
        if !directory.is_dir() {
            return Ok(None);
        }
        let init = container.init_pidfd()?;
        let mut socket = Self::at(&directory, host)?;
        socket.pid = container.pid();
        socket.init = init;
        Ok(Some(socket))
    }

    fn at(directory: &Path, host: &Path) -> Result<Self> {
        let host = match connect(host) {
            Ok(host) => Some(host),
            Err(error) => {
                log::debug!(
                    "connect to the service manager at {}: {error}",
                    host.display()
                );
                None
            }
        };
        let path: PathBuf = directory.join(SOCKET);
        let failed = |error| {
            Error::system(
                format!("make the notification socket {}", path.display()),
                error,
            )
        };
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let container = bind(&path).map_err(failed)?;
        // The container's user may be any.
        fs::set_permissions(&path, Permissions::from_mode(0o777)).map_err(failed)?;
        container.set_nonblocking(true).map_err(failed)?;
        if let Some(host) = &host {
            host.set_nonblocking(true).map_err(failed)?;
        }
        let phase = match host {
            Some(_) => Phase::Waiting,
            None => Phase::Done,
        };
        Ok(Self {
            container: Some(container),
            closer: Closer::default(),
            host,
            phase,
            pid: None,
            init: None,
            failure: None,
        })
    }

    /// Which pid is sent to the service manager: by default that of the container's init process.
    pub fn main_pid(&mut self, pid: i32) -> &mut Self {
        self.pid = Some(pid);
        self
    }

    /// Waits until the container says that it is ready, passes that on, and returns; also when the
    /// container's init process has ended without saying it, or without a service manager.
    /// That a service manager does not take it has no effect on the container, and no
    /// error.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::ErrorKind::System).
    pub fn forward(mut self) -> Result<()> {
        while !matches!(self.phase, Phase::Done) {
            let Some(init) = &self.init else {
                // The process had ended before it was looked for: what it said is here already.
                self.step();
                return Ok(());
            };
            let (interest, deadline) = self.interest();
            let mut watched: Vec<PollFd<'_>> = interest.into_iter().collect();
            let init_at = watched.len();
            // Its end is of interest as long as it may say something; later it would let this loop
            // turn without a pause.
            if matches!(self.phase, Phase::Waiting) {
                watched.push(PollFd::from_borrowed_fd(init.as_fd(), PollFlags::IN));
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let limit = left.and_then(|left| Timespec::try_from(left).ok());
            rustix::io::retry_on_intr(|| poll(&mut watched, limit.as_ref())).map_err(|errno| {
                Error::system("wait for the notification of the container", errno)
            })?;
            let gone = watched
                .get(init_at)
                .is_some_and(|init| !init.revents().is_empty());
            self.step();
            // What it sent before its end was read in this step.
            if gone && matches!(self.phase, Phase::Waiting) {
                return Ok(());
            }
        }
        if let Some(failure) = &self.failure {
            log::debug!("{}", failure.chain());
        }
        Ok(())
    }

    /// What to wait for and until when. When all is sent it is what the container says from then
    /// on, which has to be read: a sender waits for room in a queue of a few datagrams.
    /// Nothing while descriptors that it has sent are being closed.
    pub(crate) fn interest(&self) -> (Option<PollFd<'_>>, Option<Instant>) {
        match (&self.phase, &self.host) {
            (Phase::Telling(_, deadline), Some(host)) => (
                Some(PollFd::from_borrowed_fd(host.as_fd(), PollFlags::OUT)),
                Some(*deadline),
            ),
            (Phase::Barrier(pipe, deadline), _) => (
                Some(PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)),
                Some(*deadline),
            ),
            _ => {
                let heard = self.container.as_ref().filter(|_| self.closer.is_free());
                let heard = heard.map(|it| PollFd::from_borrowed_fd(it.as_fd(), PollFlags::IN));
                (heard, None)
            }
        }
    }

    /// Does what can be done now without waiting.
    pub(crate) fn step(&mut self) {
        if let Err(error) = self.try_step() {
            let doing = "pass the notification of the container on";
            self.failure = Some(Error::system(doing, error));
            self.phase = Phase::Done;
        }
    }

    fn try_step(&mut self) -> io::Result<()> {
        let mut budget = MOST_DATAGRAMS;
        if matches!(self.phase, Phase::Waiting) {
            match self.receive(&mut budget)? {
                Some(datagrams) => self.phase = Phase::Telling(datagrams, delivery_deadline()),
                None => return Ok(()),
            }
        }
        match &mut self.phase {
            Phase::Telling(datagrams, deadline) => {
                let full = |deadline: &Instant| {
                    if Instant::now() >= *deadline {
                        return Err(io::Error::from(io::ErrorKind::TimedOut));
                    }
                    Ok(())
                };
                let Some(host) = &self.host else {
                    self.phase = Phase::Done;
                    return Ok(());
                };
                while let Some(next) = datagrams.front() {
                    match host.send(next) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                            return full(deadline);
                        }
                        sent => sent?,
                    };
                    datagrams.pop_front();
                }
                match send_barrier(host) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => full(deadline)?,
                    phase => self.phase = phase?,
                }
            }
            Phase::Barrier(pipe, deadline) => {
                let mut one = [PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)];
                let now = Timespec {
                    tv_sec: 0,
                    tv_nsec: 0,
                };
                if poll(&mut one, Some(&now)).unwrap_or(0) > 0 || Instant::now() >= *deadline {
                    self.phase = Phase::Done;
                }
            }
            Phase::Waiting | Phase::Done => {
                // Not for the service manager.
                while self.receive(&mut budget)?.is_some() {}
            }
        }
        Ok(())
    }

    /// Why the notification was not passed on, if that failed.
    pub(crate) fn take_failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    /// Reads what the container has sent, up to its readiness; returns what that is for the service
    /// manager.
    ///
    /// `budget` is how many datagrams it may still read: a container that writes faster than this
    /// process reads must not keep it here, away from signals and from the container's end.
    fn receive(&self, budget: &mut usize) -> io::Result<Option<VecDeque<Vec<u8>>>> {
        let mut datagram = [0_u8; 4096];
        let Some(container) = &self.container else {
            return Ok(None);
        };
        while *budget > 0 && self.closer.is_free() {
            *budget -= 1;
            match self.take(container, &mut datagram) {
                Ok(length) => {
                    if let Some(ready) = ready_line(datagram.get(..length).unwrap_or_default()) {
                        let pid = self.pid.map(|pid| format!("MAINPID={pid}").into_bytes());
                        return Ok(Some([ready.to_vec()].into_iter().chain(pid).collect()));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Reads a datagram. A barrier has a descriptor, whose close is its answer: all that come are
    /// taken, for what is not taken the kernel closes here.
    fn take(&self, container: &UnixDatagram, datagram: &mut [u8]) -> io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut pieces = [IoSliceMut::new(datagram)];
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        let message = recvmsg(container, &mut pieces, &mut ancillary, flags)?;
        let rights = ancillary.drain().filter_map(|part| match part {
            RecvAncillaryMessage::ScmRights(rights) => Some(rights),
            _ => None,
        });
        self.closer.close(rights.flatten().collect());
        Ok(message.bytes)
    }
}

/// What lies unread in the queue may have descriptors, too.
impl Drop for NotifySocket {
    fn drop(&mut self) {
        self.closer.close(
            self.container
                .take()
                .map(OwnedFd::from)
                .into_iter()
                .collect(),
        );
    }
}

fn delivery_deadline() -> Instant {
    let now = Instant::now();
    now.checked_add(DELIVERY_TIMEOUT).unwrap_or(now)
}

/// Asks the service manager to tell, by closing a pipe, when it has seen what was sent before.
fn send_barrier(host: &UnixDatagram) -> io::Result<Phase> {
    let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
    let rights = [theirs.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&rights));
    let data = [IoSlice::new(b"BARRIER=1")];
    sendmsg(host, &data, &mut control, SendFlags::NOSIGNAL)?;
    Ok(Phase::Barrier(ours, delivery_deadline()))
}

/// Connects a datagram socket; a path starting with `@` names an abstract one.
fn connect(host: &Path) -> io::Result<UnixDatagram> {
    let at = SocketAddress::of_existing(host)?;
    let socket = UnixDatagram::unbound()?;
    rustix::net::connect(&socket, &at.address)?;
    Ok(socket)
}

/// A datagram socket at a path of any length.
fn bind(path: &Path) -> io::Result<UnixDatagram> {
    let at = SocketAddress::of_new(path)?;
    let socket = UnixDatagram::unbound()?;
    rustix::net::bind(&socket, &at.address)?;
    Ok(socket)
}

/// The line of a notification that says that the service is ready, wherever in the datagram it
/// is.
fn ready_line(datagram: &[u8]) -> Option<&[u8]> {
    datagram
        .split(|byte| *byte == b'\n')
        .find(|line| line.starts_with(b"READY="))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::{TcpListener, TcpStream};

    use rustix::net::sockopt;

    use super::*;

    struct Fixture {
        dir: tempfile::TempDir,
        manager: UnixDatagram,
        socket: NotifySocket,
    }

    fn fixture() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let host = dir.path().join("manager");
        let manager = UnixDatagram::bind(&host).unwrap();
        manager
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let inner = dir.path().join(DIRECTORY);
        fs::create_dir(&inner).unwrap();
        let socket = NotifySocket::at(&inner, &host).unwrap();
        Fixture {
            dir,
            manager,
            socket,
        }
    }

    fn receive(manager: &UnixDatagram) -> String {
        let mut datagram = [0_u8; 256];
        let length = manager.recv(&mut datagram).unwrap();
        String::from_utf8(datagram[..length].to_vec()).unwrap()
    }

    #[test]
    fn ready_is_passed_on_with_main_pid_and_barrier() {
        let mut f = fixture();
        let client = UnixDatagram::unbound().unwrap();
        let address = f.dir.path().join(DIRECTORY).join(SOCKET);
        client.send_to(b"STATUS=soon", &address).unwrap();
        client
            .send_to(b"STATUS=now\nREADY=1\nX=y", &address)
            .unwrap();
        f.socket.main_pid(42);
        let forwarder = std::thread::spawn(move || f.socket.forward());
        assert_eq!(receive(&f.manager), "READY=1");
        assert_eq!(receive(&f.manager), "MAINPID=42");
        // Receiving it without taking the descriptor closes that.
        assert_eq!(receive(&f.manager), "BARRIER=1");
        forwarder.join().unwrap().unwrap();
    }

    #[test]
    fn an_init_that_ends_without_a_word_is_not_waited_for() {
        let mut f = fixture();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        f.socket.init =
            Some(rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap());
        f.socket.forward().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_manager_that_is_gone_by_then_is_no_error() {
        let f = fixture();
        let client = UnixDatagram::unbound().unwrap();
        let address = f.dir.path().join(DIRECTORY).join(SOCKET);
        client.send_to(b"READY=1", &address).unwrap();
        drop(f.manager);
        f.socket.forward().unwrap();
    }

    fn send(address: &Path, datagram: &[u8]) {
        let client = UnixDatagram::unbound().unwrap();
        client.set_nonblocking(true).unwrap();
        client.send_to(datagram, address).unwrap();
    }

    #[test]
    fn without_a_service_manager_the_container_has_its_socket_and_can_write_to_it() {
        let dir = tempfile::tempdir().unwrap();
        for host in [
            dir.path().join("none").as_path(),
            Path::new(""),
            Path::new("@"),
        ] {
            let mut socket = NotifySocket::at(dir.path(), host).unwrap();
            for _ in 0..100 {
                send(&dir.path().join(SOCKET), b"READY=1");
                socket.step();
            }
            socket.forward().unwrap();
        }
    }

    /// A socket whose close takes an hour: its data is not taken. With the end that has to be kept.
    fn lingering() -> (OwnedFd, TcpStream) {
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

    /// A container may send descriptors whose close takes as long as it likes.
    #[test]
    fn descriptors_that_take_long_to_close_hold_nothing_up() {
        let mut kept = Vec::new();
        for in_a_queue in [false, true] {
            let mut f = fixture();
            let address = f.dir.path().join(DIRECTORY).join(SOCKET);
            let client = UnixDatagram::unbound().unwrap();
            client.connect(&address).unwrap();
            let (mut slow, other) = lingering();
            kept.push(other);
            if in_a_queue {
                let (one, two) = UnixDatagram::pair().unwrap();
                send_with(&one, b"x", slow);
                slow = two.into();
            }
            send_with(&client, b"READY=1", slow);
            f.socket.main_pid(42);
            f.socket.step();
            assert_eq!(receive(&f.manager), "READY=1");
            // One that is never read.
            let (slow, other) = lingering();
            kept.push(other);
            send_with(&client, b"STATUS=", slow);
            drop(f);
        }
    }

    fn send_with(socket: &UnixDatagram, data: &[u8], descriptor: OwnedFd) {
        let rights = [descriptor.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&rights));
        let data = [IoSlice::new(data)];
        sendmsg(socket, &data, &mut control, SendFlags::NOSIGNAL).unwrap();
    }

    #[test]
    fn what_is_said_after_all_is_told_is_still_read() {
        let mut f = fixture();
        let address = f.dir.path().join(DIRECTORY).join(SOCKET);
        send(&address, b"READY=1");
        f.socket.step();
        assert_eq!(receive(&f.manager), "READY=1");
        assert_eq!(receive(&f.manager), "BARRIER=1");
        f.socket.step();
        // More than the queue of a socket holds.
        for _ in 0..1000 {
            send(&address, b"STATUS=fine");
            f.socket.step();
        }
        assert!(f.socket.take_failure().is_none());
    }

    #[test]
    fn no_more_is_read_at_once_than_may_be() {
        let f = fixture();
        let address = f.dir.path().join(DIRECTORY).join(SOCKET);
        for _ in 0..5 {
            send(&address, b"STATUS=fine");
        }
        let mut budget = 3;
        assert!(f.socket.receive(&mut budget).unwrap().is_none());
        assert_eq!(budget, 0);
        let mut datagram = [0_u8; 64];
        for left in [true, true, false] {
            assert_eq!(
                f.socket
                    .container
                    .as_ref()
                    .unwrap()
                    .recv(&mut datagram)
                    .is_ok(),
                left
            );
        }
    }

    /// Also not by an init process that has ended by then.
    #[test]
    fn a_service_manager_that_takes_nothing_is_not_waited_for_without_end() {
        let mut f = fixture();
        let other = UnixDatagram::unbound().unwrap();
        other.connect(f.dir.path().join("manager")).unwrap();
        other.set_nonblocking(true).unwrap();
        while other.send(b"X=1").is_ok() {}
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        f.socket.init =
            Some(rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap());
        child.wait().unwrap();
        let soon = Instant::now() + Duration::from_millis(20);
        let ready = [b"READY=1".to_vec()];
        f.socket.phase = Phase::Telling(ready.into_iter().collect(), soon);
        assert_eq!(f.socket.interest().1, Some(soon));
        f.socket.step();
        assert!(matches!(f.socket.phase, Phase::Telling(..)));
        f.socket.forward().unwrap();
        assert!(Instant::now() >= soon);
    }

    #[test]
    fn a_service_manager_that_is_busy_is_told_later() {
        let mut f = fixture();
        let address = f.dir.path().join(DIRECTORY).join(SOCKET);
        // Its queue is full.
        let other = UnixDatagram::unbound().unwrap();
        other.connect(f.dir.path().join("manager")).unwrap();
        other.set_nonblocking(true).unwrap();
        let mut queued = 0;
        while other.send(b"X=1").is_ok() {
            queued += 1;
        }
        send(&address, b"READY=1");
        f.socket.step();
        assert!(matches!(f.socket.phase, Phase::Telling(..)));
        for _ in 0..queued {
            assert_eq!(receive(&f.manager), "X=1");
        }
        f.socket.step();
        assert_eq!(receive(&f.manager), "READY=1");
        assert_eq!(receive(&f.manager), "BARRIER=1");
    }

    #[test]
    fn the_ready_line_is_found_anywhere() {
        assert_eq!(ready_line(b"READY=1"), Some(&b"READY=1"[..]));
        assert_eq!(ready_line(b"A=b\nREADY=1\n"), Some(&b"READY=1"[..]));
        assert_eq!(ready_line(b"A=READY=1\nSTOPPING=1"), None);
        assert_eq!(ready_line(b""), None);
    }
}
