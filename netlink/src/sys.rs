//! System calls that the wrappers of `nix` do not offer.
#![allow(unsafe_code, reason = "raw system calls")]

use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// `SIOCGSKNS` of `linux/sockios.h` (Linux 4.9): the network namespace of a socket.
const GET_SOCKET_NAMESPACE: libc::Ioctl = 0x894c;

/// The size of a `c_int`, which every Linux has at 32 bits.
const INT_BYTES: libc::socklen_t = 4;

/// Eight random bytes as a number.
pub(crate) fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    // SAFETY: the kernel writes at most the given length into the buffer, which is exclusively
    // borrowed.
    let length = unsafe { libc::getrandom(bytes.as_mut_ptr().cast::<c_void>(), bytes.len(), 0) };
    if usize::try_from(length) == Ok(bytes.len()) {
        Ok(u64::from_ne_bytes(bytes))
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The network namespace that a socket belongs to. The kernel marks the descriptor close-on-exec.
pub(crate) fn namespace_of(socket: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: this request takes no argument and only makes a descriptor.
    let raw = unsafe { libc::ioctl(socket.as_raw_fd(), GET_SOCKET_NAMESPACE) };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// A number among the options of a socket.
pub(crate) fn socket_option(socket: BorrowedFd<'_>, name: c_int) -> io::Result<c_int> {
    let mut value: c_int = 0;
    let mut length = INT_BYTES;
    // SAFETY: the kernel writes at most `length` bytes, the size of the number, and the length
    // itself.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            name,
            (&raw mut value).cast::<c_void>(),
            &raw mut length,
        )
    };
    if result == 0 {
        Ok(value)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Switches an option of netlink on.
pub(crate) fn enable_netlink_option(socket: BorrowedFd<'_>, name: c_int) -> io::Result<()> {
    let value: c_int = 1;
    // SAFETY: the kernel reads as many bytes as the number has, which lives during the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_NETLINK,
            name,
            (&raw const value).cast::<c_void>(),
            INT_BYTES,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
