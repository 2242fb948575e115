//! Messages that hand a descriptor over a Unix stream socket: consoles, pidfds, seccomp listeners.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, sendmsg, socket_with,
};

/// A receiver that does not take a message in this time has lost interest.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest data part, one more than a path may have.
const MAX_NAME: usize = 4096;

/// Connects to a Unix stream socket; a path starting with `@` names an abstract one (`unix(7)`),
/// and an empty one is refused. Waits a bounded time for a receiver that has more callers than it
/// takes.
pub(crate) fn connect(path: &Path) -> io::Result<OwnedFd> {
    connect_within(path, SEND_TIMEOUT)
}

fn connect_within(path: &Path, start_deadline: Duration) -> io::Result<OwnedFd> {
    let SocketAddress { address, .. } = &SocketAddress::of_existing(path)?;
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    let deadline = Instant::now().checked_add(start_deadline);
    loop {
        let left = deadline
            .and_then(|deadline| deadline.checked_duration_since(Instant::now()))
            .filter(|left| !left.is_zero())
            .ok_or(io::ErrorKind::TimedOut)?;
        // The send timeout bounds connect(2), too; a full queue cannot be polled for.
        set_socket_timeout(&socket, Timeout::Send, Some(left))?;
        match rustix::net::connect(&socket, address) {
            Ok(()) => return Ok(socket),
            Err(Errno::AGAIN) => return Err(io::ErrorKind::TimedOut.into()),
            // A socket of this family is not half connected.
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// The address of a Unix socket, valid as long as this value lives.
///
/// An address has room for a path of 107 bytes (`unix(7)`), while a path may have 4095. A longer
/// one is reached through a descriptor, which procfs gives a short name.
#[derive(Debug)]
pub(crate) struct SocketAddress {
    pub(crate) address: SocketAddrUnix,
    _descriptor: Option<OwnedFd>,
}

impl SocketAddress {
    /// That of a socket to connect to. `@` and a name are an abstract one.
    pub(crate) fn of_existing(path: &Path) -> io::Result<Self> {
        Self::new(path, || {
            let flags = OFlags::PATH | OFlags::CLOEXEC;
            let socket = rustix::fs::open(path, flags, Mode::empty())?;
            Ok((short_name(&socket), socket))
        })
    }

    /// That of a socket to be made in a directory that exists.
    pub(crate) fn of_new(path: &Path) -> io::Result<Self> {
        Self::new(path, || {
            let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
                return Err(io::ErrorKind::InvalidInput.into());
            };
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let directory = rustix::fs::open(directory, flags, Mode::empty())?;
            Ok((short_name(&directory).join(name), directory))
        })
    }

    fn new(
        path: &Path,
        shorter: impl FnOnce() -> io::Result<(PathBuf, OwnedFd)>,
    ) -> io::Result<Self> {
        let at = |address, descriptor| Self {
            address,
            _descriptor: descriptor,
        };
        match path.as_os_str().as_bytes() {
            // The empty name is one that any process of the host may have taken.
            b"" | b"@" => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the path of the socket is empty",
            )),
            [b'@', name @ ..] => Ok(at(SocketAddrUnix::new_abstract_name(name)?, None)),
            _ => match SocketAddrUnix::new(path) {
                Ok(address) => Ok(at(address, None)),
                Err(Errno::NAMETOOLONG) => {
                    let (short, descriptor) = shorter()?;
                    Ok(at(SocketAddrUnix::new(short)?, Some(descriptor)))
                }
                Err(errno) => Err(errno.into()),
            },
        }
    }
}

fn short_name(descriptor: &OwnedFd) -> PathBuf {
    format!("/proc/thread-self/fd/{}", descriptor.as_raw_fd()).into()
}

/// Sends one message: `data` and exactly one descriptor, which comes with the first byte. Waits a
/// bounded time for a slow receiver, again for each piece that a long message is sent in.
pub(crate) fn send(
    socket: BorrowedFd<'_>,
    data: &[u8],
    descriptor: BorrowedFd<'_>,
) -> io::Result<()> {
    if data.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a message with a descriptor needs data",
        ));
    }
    wait_for_room(socket)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let rights = [descriptor];
    control.push(SendAncillaryMessage::ScmRights(&rights));
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    let mut sent =
        rustix::io::retry_on_intr(|| sendmsg(socket, &[IoSlice::new(data)], &mut control, flags))?;
    while let Some(rest @ [_, ..]) = data.get(sent..) {
        wait_for_room(socket)?;
        match rustix::io::retry_on_intr(|| rustix::net::send(socket, rest, flags)) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => sent += count,
            Err(Errno::AGAIN) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

fn wait_for_room(socket: BorrowedFd<'_>) -> io::Result<()> {
    let timeout = Timespec {
        tv_sec: SEND_TIMEOUT.as_secs().try_into().unwrap_or(10),
        tv_nsec: 0,
    };
    let mut wait = [PollFd::new(&socket, PollFlags::OUT)];
    if rustix::io::retry_on_intr(|| poll(&mut wait, Some(&timeout)))? == 0 {
        return Err(io::ErrorKind::TimedOut.into());
    }
    Ok(())
}

/// Sends a descriptor with a name as data (console and pidfd sockets).
pub(crate) fn send_named(socket: impl AsFd, name: &str, descriptor: impl AsFd) -> io::Result<()> {
    if name.len() >= MAX_NAME {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "name too long"));
    }
    send(socket.as_fd(), name.as_bytes(), descriptor.as_fd())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
    use std::fs::File;
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn the_receiver_gets_the_name_and_one_descriptor() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let null = File::open("/dev/null").unwrap();
        send_named(&ours, "/dev/pts/7", &null).unwrap();

        let mut data = [0_u8; 64];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let message = recvmsg(
            &theirs,
            &mut [io::IoSliceMut::new(&mut data)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        )
        .unwrap();
        assert_eq!(&data[..message.bytes], b"/dev/pts/7");
        let received: Vec<OwnedFd> = control
            .drain()
            .filter_map(|message| {
                if let RecvAncillaryMessage::ScmRights(fds) = message {
                    Some(fds)
                } else {
                    None
                }
            })
            .flatten()
            .collect();
        assert_eq!(received.len(), 1);
        let device = File::from(received.into_iter().next().unwrap())
            .metadata()
            .unwrap()
            .rdev();
        assert_eq!(device, null.metadata().unwrap().rdev());
    }

    #[test]
    fn a_message_that_is_longer_than_the_buffer_arrives_whole() {
        use std::io::Read;
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let data: Vec<u8> = (0..=u8::MAX).cycle().take(3 << 20).collect();
        let received = std::thread::scope(|scope| {
            let reader = scope.spawn(move || {
                let mut all = Vec::new();
                theirs.read_to_end(&mut all).unwrap();
                all
            });
            send(ours.as_fd(), &data, ours.as_fd()).unwrap();
            drop(ours);
            reader.join().unwrap()
        });
        assert!(received == data);
    }

    #[test]
    fn names_that_no_receiver_takes_are_refused() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        assert!(send_named(&ours, &"x".repeat(MAX_NAME), &ours).is_err());
        assert!(send_named(&ours, "", &ours).is_err());
    }

    #[test]
    fn a_receiver_that_is_gone_is_an_error_not_a_signal() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        assert_eq!(
            send_named(&ours, "x", &ours).unwrap_err().raw_os_error(),
            Some(libc::EPIPE)
        );
    }

    #[test]
    fn connects_to_a_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let _ours = connect(&path).unwrap();
        listener.accept().unwrap();
        assert!(connect(&dir.path().join("none")).is_err());
    }

    #[test]
    fn an_empty_path_is_refused() {
        // The empty abstract name, which is what is meant by neither.
        let empty = SocketAddrUnix::new_abstract_name(b"").unwrap();
        let kind = SocketType::STREAM;
        let taken = socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap();
        // Another test run may have it.
        let _ = rustix::net::bind(&taken, &empty);
        for path in ["", "@"] {
            let error = connect(Path::new(path)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert_eq!(error.to_string(), "the path of the socket is empty");
        }
    }

    #[test]
    fn paths_longer_than_an_address_are_reached() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("d".repeat(200)).join("e".repeat(100));
        std::fs::create_dir_all(&deep).unwrap();
        // The name may be longer than an address, too; then it cannot be made there, but it can be
        // moved.
        for name in ["s".to_owned(), "n".repeat(200)] {
            let path = deep.join(name);
            let short = SocketAddress::of_new(&deep.join("made")).unwrap();
            let listener = socket_with(
                AddressFamily::UNIX,
                SocketType::STREAM,
                SocketFlags::CLOEXEC,
                None,
            )
            .unwrap();
            rustix::net::bind(&listener, &short.address).unwrap();
            rustix::net::listen(&listener, 1).unwrap();
            std::fs::rename(deep.join("made"), &path).unwrap();
            let _ours = connect(&path).unwrap();
            rustix::net::accept_with(&listener, SocketFlags::CLOEXEC).unwrap();
            // As with a short path.
            let error = connect(&deep.join("none")).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
            drop(listener);
            let error = connect(&path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        }
    }

    #[test]
    fn a_receiver_that_takes_no_caller_is_not_waited_for_without_end() {
        let name = format!("@cofferdam-full-{}", std::process::id());
        let address = SocketAddrUnix::new_abstract_name(&name.as_bytes()[1..]).unwrap();
        let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
        let listener = socket_with(family, kind, SocketFlags::CLOEXEC, None).unwrap();
        rustix::net::bind(&listener, &address).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let short = Duration::from_millis(20);
        let _first = connect_within(Path::new(&name), short).unwrap();
        let error = connect_within(Path::new(&name), short).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        // As soon as there is room, another one is taken.
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| connect(Path::new(&name)).unwrap());
            for _ in 0..2 {
                rustix::net::accept_with(&listener, SocketFlags::CLOEXEC).unwrap();
            }
            waiting.join().unwrap();
        });
    }
}
