//! Messages that hand a descriptor over a Unix stream socket: consoles, pidfds, seccomp listeners.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

/// A receiver that does not take a message in this time has lost interest.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longest data part, one more than a path may have.
const MAX_NAME: usize = 4096;

/// Connects to a Unix stream socket; a path starting with `@` names an abstract one (`unix(7)`).
pub(crate) fn connect(path: &Path) -> io::Result<OwnedFd> {
    use std::os::unix::ffi::OsStrExt;
    let address = match path.as_os_str().as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(path)?,
    };
    UnixStream::connect_addr(&address).map(OwnedFd::from)
}

/// Sends one message: `data` and exactly one descriptor. Waits a bounded time for a slow receiver.
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
    let timeout = Timespec {
        tv_sec: PATIENCE.as_secs().try_into().unwrap_or(10),
        tv_nsec: 0,
    };
    let mut wait = [PollFd::new(&socket, PollFlags::OUT)];
    if rustix::io::retry_on_intr(|| poll(&mut wait, Some(&timeout)))? == 0 {
        return Err(io::ErrorKind::TimedOut.into());
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let rights = [descriptor];
    control.push(SendAncillaryMessage::ScmRights(&rights));
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    let sent =
        rustix::io::retry_on_intr(|| sendmsg(socket, &[IoSlice::new(data)], &mut control, flags))?;
    if sent != data.len() {
        return Err(io::ErrorKind::WriteZero.into());
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
    use std::os::unix::net::UnixListener;

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
}
