//! The notification socket of a container (`sd_notify(3)`).
//!
//! The container sends its notifications to a socket of its own, `/run/notify/notify.sock`; the only one passed on is
//! that it is ready, followed by `MAINPID=` in the numbers of the host and by a `BARRIER=1`, which tells when the service
//! manager has seen both.

use std::fs::{self, Permissions};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::container::Container;
use crate::error::{Error, Result};

/// The directory below the container's own one that is mounted into the container.
pub(crate) const DIRECTORY: &str = "notify";
/// The socket in it.
pub(crate) const SOCKET: &str = "notify.sock";
/// Where the directory is mounted.
pub(crate) const MOUNT_POINT: &str = "/run/notify";

/// How long the service manager may take to see the barrier.
const BARRIER: Duration = Duration::from_secs(30);

/// The notification socket of a container, connected to the one of the service manager.
///
/// The container was created with [`Process::notify_socket`](crate::Process::notify_socket).
#[derive(Debug)]
pub struct NotifySocket {
    container: UnixDatagram,
    host: UnixDatagram,
    phase: Phase,
    pid: Option<i32>,
    init: Option<OwnedFd>,
    failure: Option<Error>,
}

#[derive(Debug)]
enum Phase {
    /// The container has not said anything of interest.
    Waiting,
    /// The other end of this pipe is closed when the service manager has seen the barrier.
    Barrier(OwnedFd, Instant),
    Done,
}

impl NotifySocket {
    /// Binds the socket inside the container's directory and connects to `host`. `None` if the container was made
    /// without one or nobody listens at `host`.
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
        if let Some(socket) = &mut socket {
            socket.pid = container.pid();
            socket.init = init;
        }
        Ok(socket)
    }

    fn at(directory: &Path, host: &Path) -> Result<Option<Self>> {
        let Ok(host) = connect(host) else {
            return Ok(None);
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
        let container = UnixDatagram::bind(&path).map_err(failed)?;
        // The container's user may be any.
        fs::set_permissions(&path, Permissions::from_mode(0o777)).map_err(failed)?;
        container.set_nonblocking(true).map_err(failed)?;
        host.set_nonblocking(true).map_err(failed)?;
        Ok(Some(Self {
            container,
            host,
            phase: Phase::Waiting,
            pid: None,
            init: None,
            failure: None,
        }))
    }

    /// Which pid the service manager is told: by default that of the container's init process.
    pub fn main_pid(&mut self, pid: i32) -> &mut Self {
        self.pid = Some(pid);
        self
    }

    /// Waits until the container says that it is ready, passes that on, and returns; also when the container's init
    /// process has ended without saying it.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::ErrorKind::System).
    pub fn forward(mut self) -> Result<()> {
        while let Some((interest, deadline)) = self.interest() {
            let mut watched = vec![interest];
            if let Some(init) = &self.init {
                watched.push(PollFd::from_borrowed_fd(init.as_fd(), PollFlags::IN));
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let limit = left.and_then(|left| Timespec::try_from(left).ok());
            rustix::io::retry_on_intr(|| poll(&mut watched, limit.as_ref())).map_err(|errno| {
                Error::system("wait for the notification of the container", errno)
            })?;
            let gone = watched
                .get(1)
                .is_some_and(|init| !init.revents().is_empty());
            drop(watched);
            self.step();
            // What it sent before its end was read in this step.
            if gone && matches!(self.phase, Phase::Waiting) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// What to wait for and until when; `None` when there is nothing left to do.
    pub(crate) fn interest(&self) -> Option<(PollFd<'_>, Option<Instant>)> {
        match &self.phase {
            Phase::Waiting => Some((
                PollFd::from_borrowed_fd(self.container.as_fd(), PollFlags::IN),
                None,
            )),
            Phase::Barrier(pipe, deadline) => Some((
                PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN),
                Some(*deadline),
            )),
            Phase::Done => None,
        }
    }

    /// Does what can be done now without waiting. A service manager that is gone is no reason to trouble the container.
    pub(crate) fn step(&mut self) {
        match &self.phase {
            Phase::Waiting => match self.receive() {
                Ok(None) => {}
                Ok(Some(phase)) => self.phase = phase,
                Err(error) => {
                    let doing = "pass the notification of the container on";
                    self.failure = Some(Error::system(doing, error));
                    self.phase = Phase::Done;
                }
            },
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
            Phase::Done => {}
        }
    }

    /// Why the notification was not passed on, if that failed.
    pub(crate) fn take_failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    /// Reads what the container has sent, up to its readiness, and tells that.
    fn receive(&self) -> io::Result<Option<Phase>> {
        let mut datagram = [0_u8; 4096];
        loop {
            match self.container.recv(&mut datagram) {
                Ok(length) => {
                    if let Some(ready) = ready_line(datagram.get(..length).unwrap_or_default()) {
                        return self.announce(ready).map(Some);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// Tells the service manager.
    fn announce(&self, ready: &[u8]) -> io::Result<Phase> {
        self.host.send(ready)?;
        if let Some(pid) = self.pid {
            self.host.send(format!("MAINPID={pid}").as_bytes())?;
        }
        let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
        let rights = [theirs.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&rights));
        sendmsg(
            &self.host,
            &[IoSlice::new(b"BARRIER=1")],
            &mut control,
            SendFlags::NOSIGNAL,
        )?;
        let deadline = Instant::now()
            .checked_add(BARRIER)
            .unwrap_or_else(Instant::now);
        Ok(Phase::Barrier(ours, deadline))
    }
}

/// Connects a datagram socket; a path starting with `@` names an abstract one.
fn connect(host: &Path) -> io::Result<UnixDatagram> {
    let address = match host.as_os_str().as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(host)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    Ok(socket)
}

/// The line of a notification that says that the service is ready, wherever in the datagram it stands.
fn ready_line(datagram: &[u8]) -> Option<&[u8]> {
    datagram
        .split(|byte| *byte == b'\n')
        .find(|line| line.starts_with(b"READY="))
}

#[cfg(test)]
mod tests {
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
        let socket = NotifySocket::at(&inner, &host).unwrap().unwrap();
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

    #[test]
    fn nobody_listening_is_no_error() {
        let dir = tempfile::tempdir().unwrap();
        assert!(
            NotifySocket::at(dir.path(), &dir.path().join("none"))
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn the_ready_line_is_found_anywhere() {
        assert_eq!(ready_line(b"READY=1"), Some(&b"READY=1"[..]));
        assert_eq!(ready_line(b"A=b\nREADY=1\n"), Some(&b"READY=1"[..]));
        assert_eq!(ready_line(b"A=READY=1\nSTOPPING=1"), None);
        assert_eq!(ready_line(b""), None);
    }
}
