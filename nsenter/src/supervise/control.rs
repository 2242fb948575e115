//! The supervisor's end of the control channel. What comes in is untrusted.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::sockopt::set_socket_passcred;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, Shutdown, recvmsg, sendmsg, shutdown,
};

use crate::error::{Error, ErrorKind, Result};
use crate::foreign_descriptors::{Closer, Sent};
use crate::pidfd::remaining;
use crate::wire::{MAX_PAYLOAD, Message, PACKET, Packet};

/// Most descriptors that a packet from the stub may have.
const MOST_DESCRIPTORS: usize = 4;

/// Most that it can have (`SCM_MAX_FD` of the kernel). There is room for all: those beyond the room
/// are closed by the kernel in the time of who receives them.
const POSSIBLE_DESCRIPTORS: usize = 253;

/// A packet from the stub.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) packet: Packet,
    pub(crate) payload: Vec<u8>,
    pub(crate) descriptors: Sent,
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
    /// `None` only when this value is dropped.
    socket: Option<OwnedFd>,
    buffer: Vec<u8>,
}

impl Control {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self {
            socket: Some(socket),
            buffer: Vec::new(),
        }
    }

    /// Waits for the next packet, or for the end of the process.
    pub(crate) fn next(&mut self, pidfd: BorrowedFd<'_>, limit: Duration) -> Result<Event> {
        let end = Instant::now().checked_add(limit);
        loop {
            let left = end.map(remaining);
            let mut fds = [
                PollFd::from_borrowed_fd(self.as_fd(), PollFlags::IN),
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
        if self.buffer.is_empty() {
            // The allocator writes zeros, and so touches each page of it: few of them.
            self.buffer = vec![0; PACKET + MAX_PAYLOAD];
        }
        let mut space =
            [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(POSSIBLE_DESCRIPTORS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let socket = self.socket.as_ref().map_or(rustix::fs::CWD, AsFd::as_fd);
        let message = loop {
            let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
            let mut pieces = [IoSliceMut::new(&mut self.buffer)];
            match recvmsg(socket, &mut pieces, &mut ancillary, flags) {
                // A stub that ends with an answer unread resets the connection. The kernel says
                // so once, before it hands out what the stub sent until then.
                Err(Errno::INTR | Errno::CONNRESET) => {}
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
        let count = descriptors.len();
        let descriptors = Sent::new(descriptors);
        if message.bytes == 0 {
            return Ok(Event::Ended);
        }
        if message.flags.contains(ReturnFlags::TRUNC) {
            return Err(Error::protocol("the init process sent too large a packet"));
        }
        if message.flags.contains(ReturnFlags::CTRUNC) {
            // There is room for all: this process has as many open as it may.
            return Err(Error::system(
                "receive descriptors from the init process",
                Errno::MFILE,
            ));
        }
        if count > MOST_DESCRIPTORS {
            return Err(Error::protocol(
                "the init process sent too many descriptors",
            ));
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

    /// Answers a request. That the stub is gone is noticed at the next [`next`](Self::next).
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
            // A stub that asks and does not read the answers fills its queue.
            let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
            return match sendmsg(self.as_fd(), &pieces, &mut ancillary, flags) {
                Ok(_) | Err(Errno::PIPE | Errno::CONNRESET) => Ok(()),
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => Err(Error::protocol(
                    "the init process does not take the answers to its questions",
                )),
                Err(e) => Err(Error::system("answer the init process", e)),
            };
        }
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // It is there as long as this value is.
        self.socket.as_ref().map_or(rustix::fs::CWD, AsFd::as_fd)
    }
}

/// What lies unread in the queue may have descriptors, and is closed with the socket: in a thread.
impl Drop for Control {
    fn drop(&mut self) {
        let Some(socket) = self.socket.take() else {
            return;
        };
        if !is_empty_for_good(&socket) {
            Closer::default().close(vec![socket]);
        }
    }
}

/// Lets nothing more come in, and looks whether something has.
fn is_empty_for_good(socket: &OwnedFd) -> bool {
    // The credentials that come with every packet tell an empty one from the end.
    let asked = shutdown(socket, Shutdown::Read).and_then(|()| set_socket_passcred(socket, true));
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let mut pieces = [IoSliceMut::new(&mut [])];
    asked.is_ok()
        && recvmsg(socket, &mut pieces, &mut ancillary, flags).is_ok_and(|message| {
            message.bytes == 0
                && !message.flags.contains(ReturnFlags::CTRUNC)
                && ancillary.drain().next().is_none()
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, send, socketpair};

    use super::*;
    use crate::foreign_descriptors::tests::lingering;

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn a_packet_is_read_as_it_was_written(
            message in proptest::sample::select(Message::ALL),
            step in any::<u32>(),
            value in any::<u32>(),
            payload in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            let packet = Packet { message, step, value };
            let mut bytes = packet.encode(u32::try_from(payload.len()).unwrap()).to_vec();
            bytes.extend_from_slice(&payload);
            prop_assert_eq!(Packet::decode(&bytes), Some((packet, &payload[..])));
            bytes.push(0);
            prop_assert_eq!(Packet::decode(&bytes), None);
        }

        #[test]
        fn noise_is_no_packet_or_a_whole_one(
            bytes in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            if let Some((packet, payload)) = Packet::decode(&bytes) {
                prop_assert_eq!(payload.len() + PACKET, bytes.len());
                prop_assert!(Message::ALL.contains(&packet.message));
            }
        }
    }

    /// The end of the parent, and that of the stub.
    fn channel() -> (OwnedFd, OwnedFd) {
        let flags = SocketFlags::CLOEXEC;
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap()
    }

    /// What the stub may say at most, and a packet beyond it.
    #[test]
    fn too_large_a_packet_is_refused() {
        let pidfd = crate::pidfd::open(std::process::id()).unwrap();
        for (extra, fine) in [(0, true), (1, false)] {
            let (ours, theirs) = channel();
            let length = MAX_PAYLOAD + extra;
            let head = Packet {
                message: Message::Home,
                step: 0,
                value: 0,
            };
            let mut bytes = head.encode(u32::try_from(length).unwrap()).to_vec();
            bytes.resize(PACKET + length, 7);
            send(&theirs, &bytes, SendFlags::empty()).unwrap();
            let event = Control::new(ours).next(pidfd.as_fd(), Duration::from_secs(1));
            assert_eq!(event.is_ok(), fine);
        }
    }

    #[test]
    fn a_stub_that_takes_no_answers_does_not_block_its_parent() {
        let (ours, _theirs) = channel();
        let control = Control::new(ours);
        let error = (0..1_000_000).find_map(|step| control.go(step, b"answer", None).err());
        assert_eq!(error.unwrap().kind(), ErrorKind::Protocol);
    }

    /// A step may fail between the question for the home directory and its answer.
    #[test]
    fn what_was_sent_before_the_end_arrives_whether_answers_were_read_or_not() {
        let pidfd = crate::pidfd::open(std::process::id()).unwrap();
        for answers in 0..3 {
            let (ours, theirs) = channel();
            let mut control = Control::new(ours);
            for step in 0..answers {
                control.go(step, b"", None).unwrap();
            }
            for message in [Message::Ready, Message::Fail] {
                let packet = Packet {
                    message,
                    step: 7,
                    value: 12,
                };
                send(&theirs, &packet.encode(0), SendFlags::empty()).unwrap();
            }
            drop(theirs);
            for expected in [Message::Ready, Message::Fail] {
                let event = control.next(pidfd.as_fd(), Duration::from_secs(1));
                let Ok(Event::Packet(received)) = event else {
                    panic!("{answers}: {event:?}");
                };
                assert_eq!(received.packet.message, expected);
            }
            let event = control.next(pidfd.as_fd(), Duration::from_secs(1));
            assert!(matches!(event, Ok(Event::Ended)), "{answers}: {event:?}");
        }
    }

    fn send_with(socket: &OwnedFd, packet: &[u8], descriptors: &[OwnedFd]) {
        let rights: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&rights)));
        let pieces = [IoSlice::new(packet)];
        sendmsg(socket, &pieces, &mut ancillary, SendFlags::empty()).unwrap();
    }

    /// A stub that was taken over may send descriptors whose close takes an hour: with a packet
    /// that is refused, with one that may have none, with an empty one, and with one that is never
    /// read.
    #[test]
    fn descriptors_that_take_long_to_close_hold_nothing_up() {
        let pidfd = crate::pidfd::open(std::process::id()).unwrap();
        let packet = Packet {
            message: Message::Ready,
            step: 0,
            value: 0,
        }
        .encode(0);
        let mut kept = Vec::new();
        for (bytes, count) in [
            (packet.as_slice(), 1),
            (&packet, 253),
            (b"no packet", 1),
            (b"", 1),
        ] {
            let (ours, theirs) = channel();
            let mut control = Control::new(ours);
            let (slow, other) = lingering();
            kept.push(other);
            let copies: Vec<_> = (0..count).map(|_| slow.try_clone().unwrap()).collect();
            drop(slow);
            send_with(&theirs, bytes, &copies);
            send_with(&theirs, b"", &copies);
            // The copies of the sender must not be the last ones either.
            Closer::default().close(copies);
            let event = control.next(pidfd.as_fd(), Duration::from_secs(1));
            let taken = matches!(event, Ok(Event::Packet(_)));
            assert_eq!(taken, bytes == packet && count == 1);
            drop(event);
            drop(control);
        }
    }

    #[test]
    fn only_an_unread_packet_makes_a_queue_that_is_not_empty() {
        for (packets, gone) in [(0, false), (0, true), (1, false), (1, true)] {
            let (ours, theirs) = channel();
            for _ in 0..packets {
                send(&theirs, b"", SendFlags::empty()).unwrap();
            }
            let theirs = (!gone).then_some(theirs);
            assert_eq!(is_empty_for_good(&ours), packets == 0, "{packets} {gone}");
            if let Some(theirs) = theirs {
                let late = send(&theirs, b"x", SendFlags::NOSIGNAL);
                assert_eq!(late, Err(Errno::PIPE));
            }
        }
    }

    #[test]
    fn a_closed_channel_is_the_end() {
        let pidfd = crate::pidfd::open(std::process::id()).unwrap();
        let (ours, theirs) = channel();
        drop(theirs);
        let mut control = Control::new(ours);
        assert!(matches!(
            control.next(pidfd.as_fd(), Duration::from_secs(1)),
            Ok(Event::Ended)
        ));
        // An answer without a reader raises no signal and is not an error.
        assert!(control.go(1, b"", None).is_ok());
    }
}
