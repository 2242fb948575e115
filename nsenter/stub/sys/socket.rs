//! Sockets, and descriptors that travel over them.

use super::consts::*;
use super::{Errno, Fd, O_CLOEXEC, Result, invoke, number};

/// `socket(2)` with `SOCK_CLOEXEC`.
pub(crate) fn socket(family: u32, kind: u32, protocol: u32) -> Result<Fd> {
    // SAFETY: no pointer.
    unsafe { call!(SOCKET, family, kind | O_CLOEXEC, protocol) }.map(Fd::new)
}

#[repr(C)]
struct IoVec {
    base: usize,
    length: usize,
}

#[repr(C)]
struct MsgHdr {
    name: usize,
    name_length: u32,
    iov: *const IoVec,
    iov_length: usize,
    control: usize,
    control_length: usize,
    flags: u32,
}

/// Most descriptors in one packet.
pub(crate) const MAX_SENT: usize = 4;

#[repr(C, align(8))]
struct Rights {
    length: usize,
    level: i32,
    kind: i32,
    fds: [i32; MAX_SENT],
}

const RIGHTS_HEAD: usize = 16;

/// `sendmsg(2)` of two pieces as one packet, with descriptors (`SCM_RIGHTS`).
pub(crate) fn send(socket: i32, head: &[u8], body: &[u8], fds: &[i32]) -> Result<()> {
    let pieces = [
        IoVec {
            base: head.as_ptr() as usize,
            length: head.len(),
        },
        IoVec {
            base: body.as_ptr() as usize,
            length: body.len(),
        },
    ];
    let mut rights = Rights {
        length: RIGHTS_HEAD + 4 * fds.len(),
        level: SOL_SOCKET,
        kind: SCM_RIGHTS,
        fds: [-1; MAX_SENT],
    };
    if fds.len() > MAX_SENT {
        return Err(Errno::EINVAL);
    }
    for (to, from) in rights.fds.iter_mut().zip(fds) {
        *to = *from;
    }
    let carries = !fds.is_empty();
    let message = MsgHdr {
        name: 0,
        name_length: 0,
        iov: pieces.as_ptr(),
        iov_length: 2,
        control: if carries {
            (&raw const rights) as usize
        } else {
            0
        },
        control_length: if carries { (rights.length + 7) & !7 } else { 0 },
        flags: 0,
    };
    loop {
        // SAFETY: the header points to two slices and to a control message that live until the call
        // is over.
        match unsafe { call!(SENDMSG, socket, &raw const message, 0) } {
            Err(Errno::EINTR) => {}
            result => return result.map(drop),
        }
    }
}

/// `recvmsg(MSG_CMSG_CLOEXEC)` of one packet and at most one descriptor. A packet that was cut off
/// is `EPROTO`.
pub(crate) fn receive(socket: i32, buffer: &mut [u8]) -> Result<(usize, Option<Fd>)> {
    let piece = IoVec {
        base: buffer.as_mut_ptr() as usize,
        length: buffer.len(),
    };
    let mut rights = Rights {
        length: 0,
        level: 0,
        kind: 0,
        fds: [-1; MAX_SENT],
    };
    let mut message = MsgHdr {
        name: 0,
        name_length: 0,
        iov: &raw const piece,
        iov_length: 1,
        control: (&raw mut rights) as usize,
        control_length: RIGHTS_HEAD + 4,
        flags: 0,
    };
    let count = loop {
        // SAFETY: as in `send`; the kernel writes within the slice and within the space for one
        // descriptor.
        match unsafe { call!(RECVMSG, socket, &raw mut message, MSG_CMSG_CLOEXEC) } {
            Err(Errno::EINTR) => {}
            result => break result?,
        }
    };
    let [first, ..] = rights.fds;
    let fd = (message.control_length >= RIGHTS_HEAD + 4
        && rights.level == SOL_SOCKET
        && rights.kind == SCM_RIGHTS
        && first >= 0)
        .then_some(Fd(first));
    if message.flags & (MSG_TRUNC | MSG_CTRUNC) != 0 {
        Err(Errno::EPROTO)
    } else {
        Ok((count, fd))
    }
}
