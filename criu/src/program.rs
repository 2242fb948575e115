use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::connection::Connection;
use crate::error::{BoxError, Error, Repr, Result};
use crate::notification::Notification;
use crate::process_tree::kill_tree;
use crate::rpc::{Features, Options, Request, RequestType, Response};
use crate::version::Version;

/// The descriptor that CRIU finds its socket at.
const SOCKET: i32 = 3;

/// The descriptors that [`Criu::start`] passes on begin here.
pub const FIRST_INHERITED: i32 = SOCKET + 1;

/// How long the answer to a question may take that is not about a container.
const ASK_TIMEOUT: Duration = Duration::from_secs(10);

/// A CRIU program.
#[derive(Clone, Debug)]
pub struct Criu {
    program: OsString,
}

impl Default for Criu {
    /// `criu`, as found in `PATH`.
    fn default() -> Self {
        Self::new("criu")
    }
}

impl Criu {
    /// A program by its path, or by its name in `PATH`.
    #[must_use]
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let program = program.as_ref().to_owned();
        Self { program }
    }

    /// Its version.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound); [`Protocol`](crate::ErrorKind::Protocol) if it is
    /// older than 3.0, which cannot be asked; [`Io`](crate::ErrorKind::Io), also if it does not
    /// answer within ten seconds.
    pub fn version(&self) -> Result<Version> {
        let response = self.ask(&Request {
            r#type: RequestType::Version.into(),
            ..Request::default()
        })?;
        version(response)
    }

    /// Its version, if that is at least the one that is wanted.
    ///
    /// # Errors
    /// [`TooOld`](crate::ErrorKind::TooOld), and those of [`version`](Self::version).
    pub fn require(&self, wanted: Version) -> Result<Version> {
        at_least(self.version()?, wanted)
    }

    /// Whether CRIU and the kernel have all the features that are set to `true` here.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) names those that are missing; and those of
    /// [`version`](Self::version).
    pub fn require_features(&self, wanted: Features) -> Result<()> {
        let response = self.ask(&Request {
            r#type: RequestType::FeatureCheck.into(),
            features: Some(wanted),
            ..Request::default()
        })?;
        let found = response.features.unwrap_or_default();
        let table = [
            ("MemTrack", wanted.mem_track, found.mem_track),
            ("LazyPages", wanted.lazy_pages, found.lazy_pages),
            ("PidfdStore", wanted.pidfd_store, found.pidfd_store),
        ];
        let missing: Vec<&str> = table
            .iter()
            .filter(|(_, wanted, found)| *wanted == Some(true) && *found != Some(true))
            .map(|(name, ..)| *name)
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let missing = missing.join(" ");
        Err(Repr::Unsupported { missing }.into())
    }

    fn ask(&self, request: &Request) -> Result<Response> {
        self.ask_within(ASK_TIMEOUT, request)
    }

    /// Asks what needs no process of a container. Nothing of that is shown: messages of CRIU would
    /// be in the midst of what the calling program writes.
    fn ask_within(&self, timeout: Duration, request: &Request) -> Result<Response> {
        let session = self.spawn(Vec::new(), Stdio::null)?;
        session.set_timeout(Some(timeout))?;
        // After a failure it is killed: it may be one that never answers.
        let response = session.call(request, &mut |_| Ok(()))?;
        session.finish()?;
        Ok(response)
    }

    /// Starts it (`criu swrk`). The descriptors are its own from number [`FIRST_INHERITED`] on, in
    /// this order; standard input, output and error are those of the calling process.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`Io`](crate::ErrorKind::Io).
    pub fn start(&self, inherited: Vec<OwnedFd>) -> Result<Session> {
        self.spawn(inherited, Stdio::inherit)
    }

    fn spawn(&self, inherited: Vec<OwnedFd>, stream: fn() -> Stdio) -> Result<Session> {
        let (own, other) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .map_err(|errno| Error::io("make a socket for CRIU", errno))?;
        if !has_room(&other, inherited.len()) {
            let error = io::Error::from_raw_os_error(Errno::MFILE.raw_os_error());
            return Err(Error::io("pass descriptors to CRIU", error));
        }
        let mappings = std::iter::once(other).chain(inherited).zip(SOCKET..);
        let mappings = mappings.map(|(parent_fd, child_fd)| FdMapping {
            parent_fd,
            child_fd,
        });
        let mut command = Command::new(&self.program);
        command.arg("swrk").arg(SOCKET.to_string());
        command
            .fd_mappings(mappings.collect())
            .map_err(|error| Error::io("pass descriptors to CRIU", io::Error::other(error)))?;
        let child = command
            .stdin(stream())
            .stdout(stream())
            .stderr(stream())
            .spawn();
        let child = child.map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => {
                let program = self.program.to_string_lossy().into_owned();
                Repr::NotFound { program, source }.into()
            }
            _ => Error::io("start CRIU", source),
        })?;
        // The command holds CRIU's end of the socket: as long as it is open here, the end of CRIU
        // would go unseen.
        drop(command);
        Ok(Session {
            connection: Some(Connection(own)),
            child,
        })
    }
}

/// Whether a child of this process can have the socket and so many descriptors after it. It is
/// asked in advance: in the child an error of `dup2(2)` is lost. A descriptor is tried and not the
/// limit asked for (`getrlimit(2)`): rustix takes that for a call that never fails.
fn has_room(socket: &OwnedFd, inherited: usize) -> bool {
    let last = i32::try_from(inherited)
        .ok()
        .and_then(|count| SOCKET.checked_add(count));
    // EINVAL: the number is not below RLIMIT_NOFILE. Any other answer is about this process.
    last.is_some_and(|last| !matches!(fcntl_dupfd_cloexec(socket, last), Err(Errno::INVAL)))
}

/// A running CRIU. It is killed, with the processes that it has started, if this is dropped before
/// a [`dump`](Self::dump), [`pre_dump`](Self::pre_dump) or [`restore`](Self::restore) has ended;
/// the kernel lets the tree go on where its dump is not finished.
#[derive(Debug)]
pub struct Session {
    connection: Option<Connection>,
    child: Child,
}

impl Session {
    /// The pid of CRIU.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its version, if that is at least the one that is wanted. It waits for the next request then
    /// (`keep_open`).
    ///
    /// # Errors
    /// Those of [`Criu::require`].
    pub fn require(&self, wanted: Version) -> Result<Version> {
        self.set_timeout(Some(ASK_TIMEOUT))?;
        let request = Request {
            r#type: RequestType::Version.into(),
            keep_open: Some(true),
            ..Request::default()
        };
        let response = self.call(&request, &mut |_| Ok(()))?;
        self.set_timeout(None)?;
        at_least(version(response)?, wanted)
    }

    /// How long to wait for an answer.
    fn set_timeout(&self, timeout: Option<Duration>) -> Result<()> {
        match &self.connection {
            Some(Connection(socket)) => set_socket_timeout(socket, Timeout::Recv, timeout)
                .map_err(|errno| Error::io("set a timeout for CRIU", errno)),
            None => Ok(()),
        }
    }

    /// Dumps the tree of [`Options::pid`]. It is ended then, unless
    /// [`leave_running`](Options::leave_running) is set.
    ///
    /// # Errors
    /// [`Refused`](crate::ErrorKind::Refused); [`Notification`](crate::ErrorKind::Notification):
    /// the function's own; [`Protocol`](crate::ErrorKind::Protocol): CRIU ended;
    /// [`Io`](crate::ErrorKind::Io). The tree goes on then.
    pub fn dump(
        self,
        options: Options,
        mut handle: impl FnMut(Notification) -> Result<(), BoxError>,
    ) -> Result<()> {
        self.call(&request(RequestType::Dump, options), &mut handle)?;
        self.succeed()
    }

    /// Dumps the memory of the tree of [`Options::pid`], which goes on, as the first of a chain.
    ///
    /// # Errors
    /// As [`dump`](Self::dump).
    pub fn pre_dump(
        self,
        options: Options,
        mut handle: impl FnMut(Notification) -> Result<(), BoxError>,
    ) -> Result<()> {
        // The memory was written by a child of CRIU that has ended. CRIU waits for the next request
        // of a chain now, and reports the end of the connection as an error on standard error: it
        // is killed instead.
        self.call(&request(RequestType::PreDump, options), &mut handle)
            .map(drop)
    }

    /// Restores a tree, and returns the pid of its first process as the calling process sees it.
    ///
    /// # Errors
    /// As [`dump`](Self::dump). Nothing is left of the tree then.
    pub fn restore(
        self,
        options: Options,
        mut handle: impl FnMut(Notification) -> Result<(), BoxError>,
    ) -> Result<i32> {
        let response = self.call(&request(RequestType::Restore, options), &mut handle)?;
        let restored = response.restore.map(|restored| restored.pid);
        self.succeed()?;
        restored
            .filter(|pid| *pid > 0)
            .ok_or_else(|| Error::protocol("restore", "CRIU did not name the process"))
    }

    fn call(
        &self,
        request: &Request,
        handle: &mut dyn FnMut(Notification) -> Result<(), BoxError>,
    ) -> Result<Response> {
        match &self.connection {
            Some(connection) => connection.call(request, handle),
            None => Err(Error::protocol("ask CRIU", "it was let go")),
        }
    }

    /// Closes the connection and waits for the end, which must be a good one.
    fn succeed(self) -> Result<()> {
        let status = self.finish()?;
        if status.success() {
            return Ok(());
        }
        Err(Error::protocol("wait for CRIU", status.to_string()))
    }

    /// Closes the connection and waits for the end.
    fn finish(mut self) -> Result<ExitStatus> {
        self.connection = None;
        let waited = self.child.wait();
        waited.map_err(|error| Error::io("wait for CRIU", error))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Neither signals nor waits again for one that was waited for.
        if let Ok(None) = self.child.try_wait()
            && let Ok(pidfd) = pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty())
        {
            // What it has started to find out what the kernel can do may be stopped by it.
            let _ = kill_tree(self.child.id(), pidfd.as_fd());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn version(response: Response) -> Result<Version> {
    let version = response.version.map(Version::from);
    version.ok_or_else(|| Error::protocol("ask CRIU for its version", "it did not say"))
}

fn at_least(found: Version, wanted: Version) -> Result<Version> {
    if found < wanted {
        return Err(Repr::TooOld { found, wanted }.into());
    }
    Ok(found)
}

fn request(kind: RequestType, options: Options) -> Request {
    Request {
        r#type: kind.into(),
        opts: Some(options),
        ..Request::default()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn there_is_room_up_to_the_limit_of_open_files() {
        let socket = OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        assert!(has_room(&socket, 0) && has_room(&socket, 5));
        // More than the kernel lets any process have (`fs.nr_open`).
        for inherited in [0x7fff_ff00, usize::MAX] {
            assert!(!has_room(&socket, inherited), "{inherited}");
        }
    }

    /// The program is killed: otherwise this would wait for its end.
    #[test]
    fn a_program_that_does_not_answer_is_given_up() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("criu");
        std::fs::write(&path, "#!/bin/sh\nexec sleep 1000\n").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        let version = Request {
            r#type: RequestType::Version.into(),
            ..Request::default()
        };
        let asked = Criu::new(&path).ask_within(Duration::from_millis(50), &version);
        let error = asked.unwrap_err();
        let timed_out = Errno::TIMEDOUT.raw_os_error();
        assert_eq!(error.raw_os_error(), Some(timed_out));
        assert_eq!(error.to_string(), "receive an answer of CRIU");
    }
}
