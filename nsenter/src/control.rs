//! The parent's end of the control channel. What comes in is untrusted.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use crate::error::{Error, ErrorKind, Result};
use crate::pidfd::remaining;
use crate::wire::{MAX_PAYLOAD, Message, PACKET, Packet};

/// A packet from the stub.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) packet: Packet,
    pub(crate) payload: Vec<u8>,
    pub(crate) descriptors: Vec<OwnedFd>,
}

/// What the wait for a packet ended with.
#[derive(Debug)]
pub(crate) enum Event {
    /// A packet.
    Packet(Received),
    /// The stub closed the channel or ended.
    Ended,
}

/// The socket, and room for a packet.
#[derive(Debug)]
pub(crate) struct Control {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl Control {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            buffer: Vec::new(),
        }
    }

    /// Waits for the next packet, or for the end of the process.
    pub(crate) fn next(&mut self, pidfd: BorrowedFd<'_>, limit: Duration) -> Result<Event> {
        let end = Instant::now().checked_add(limit);
        loop {
            let left = end.map(remaining);
            let mut fds = [
                PollFd::new(&self.socket, PollFlags::IN),
                PollFd::new(&pidfd, PollFlags::IN),
            ];
            match poll(&mut fds, left.as_ref()) {
                Ok(0) if end.is_some_and(|end| Instant::now() >= end) => {
                    return Err(Error::new(
                        ErrorKind::Timeout,
                        format!(
                            "the init process made no progress for {:.1}s",
                            limit.as_secs_f64()
                        ),
                    ));
                }
                Ok(0) | Err(Errno::INTR) => continue,
                Ok(_) => {}
                Err(e) => return Err(Error::system("wait for the init process", e)),
            }
            let [socket, process] = &fds;
            if !socket.revents().is_empty() {
                // What was sent before the end comes first.
                return self.receive();
            }
            if !process.revents().is_empty() {
                return Ok(Event::Ended);
            }
        }
    }

    fn receive(&mut self) -> Result<Event> {
        self.buffer.resize(PACKET + MAX_PAYLOAD, 0);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let message = loop {
            let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
            let mut pieces = [IoSliceMut::new(&mut self.buffer)];
            match recvmsg(&self.socket, &mut pieces, &mut ancillary, flags) {
                Err(Errno::INTR) => {}
                Err(Errno::CONNRESET) => return Ok(Event::Ended),
                Err(e) => return Err(Error::system("receive from the init process", e)),
                Ok(message) => break message,
            }
        };
        let mut descriptors = Vec::new();
        for part in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = part {
                descriptors.extend(rights);
            }
        }
        if message.bytes == 0 {
            return Ok(Event::Ended);
        }
        if message
            .flags
            .intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC)
        {
            return Err(Error::protocol("the init process sent too large a packet"));
        }
        let bytes = self.buffer.get(..message.bytes).unwrap_or(&[]);
        let (packet, payload) = Packet::decode(bytes)
            .ok_or_else(|| Error::protocol("the init process sent a malformed packet"))?;
        Ok(Event::Packet(Received {
            packet,
            payload: payload.to_vec(),
            descriptors,
        }))
    }

    /// Answers a question. That the stub is gone is noticed at the next [`next`](Self::next).
    pub(crate) fn go(
        &self,
        step: u32,
        payload: &[u8],
        descriptor: Option<BorrowedFd<'_>>,
    ) -> Result<()> {
        let length =
            u32::try_from(payload.len()).map_err(|_| Error::protocol("an answer is too long"))?;
        let head = Packet {
            message: Message::Go,
            step,
            value: 0,
        }
        .encode(length);
        let rights: Vec<BorrowedFd<'_>> = descriptor.into_iter().collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !rights.is_empty() {
            ancillary.push(SendAncillaryMessage::ScmRights(&rights));
        }
        loop {
            let pieces = [IoSlice::new(&head), IoSlice::new(payload)];
            return match sendmsg(&self.socket, &pieces, &mut ancillary, SendFlags::NOSIGNAL) {
                Ok(_) | Err(Errno::PIPE | Errno::CONNRESET) => Ok(()),
                Err(Errno::INTR) => continue,
                Err(e) => Err(Error::system("answer the init process", e)),
            };
        }
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
