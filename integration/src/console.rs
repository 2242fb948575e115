//! The receiving side of a console socket.

use std::fs::File;
use std::io::{IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

/// How long a message may take.
const TIMEOUT: Timespec = Timespec {
    tv_sec: 120,
    tv_nsec: 0,
};

/// A listening console or pidfd socket.
#[derive(Debug)]
pub struct ConsoleSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl ConsoleSocket {
    /// Listens at `path`.
    pub fn bind(path: &Path) -> Self {
        Self {
            listener: UnixListener::bind(path).expect("bind a socket"),
            path: path.to_owned(),
        }
    }

    /// The path, for `--console-socket`.
    pub fn path(&self) -> &str {
        self.path.to_str().expect("a path of this test")
    }

    /// Takes one descriptor and the name that came with it.
    pub fn receive(&self) -> (OwnedFd, String) {
        wait(&self.listener);
        let (stream, _) = self.listener.accept().expect("accept");
        wait(&stream);
        let mut name = [0; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(
            &stream,
            &mut [IoSliceMut::new(&mut name)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        )
        .expect("recvmsg");
        let mut descriptors: Vec<OwnedFd> = ancillary
            .drain()
            .filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
                _ => None,
            })
            .flatten()
            .collect();
        assert_eq!(descriptors.len(), 1, "exactly one descriptor is sent");
        let name = name.get(..received.bytes).expect("within the buffer");
        (
            descriptors.remove(0),
            String::from_utf8(name.to_vec()).expect("a name"),
        )
    }
}

fn wait(socket: impl std::os::fd::AsFd) {
    let ready = poll(&mut [PollFd::new(&socket, PollFlags::IN)], Some(&TIMEOUT)).expect("poll");
    assert!(ready > 0, "nothing came over the socket");
}

/// Everything a terminal shows until its last user is gone.
pub fn read_terminal(master: OwnedFd) -> String {
    let mut file = File::from(master);
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        wait(&file);
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => text.extend_from_slice(buffer.get(..count).expect("within the buffer")),
            // EIO: no process has the other side open any more.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
                break;
            }
            Err(error) => panic!("read a terminal: {error}"),
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}
