//! The system calls `add_key(2)`, `keyctl(2)` and `request_key(2)`, which the C library lacks.
#![allow(unsafe_code, reason = "raw system calls")]

use std::ffi::{CStr, c_char, c_int, c_long};
use std::io;

fn checked(result: c_long) -> io::Result<c_long> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// The kernel gives back key serials and lengths, which are 32 bits wide.
fn as_int(result: c_long) -> io::Result<c_int> {
    c_int::try_from(result).map_err(|_| io::Error::from_raw_os_error(libc::EOVERFLOW))
}

pub(crate) fn join_session_keyring(name: Option<&CStr>) -> io::Result<c_int> {
    let name = name.map_or(std::ptr::null::<c_char>(), CStr::as_ptr);
    // SAFETY: the name is NUL-terminated and lives during the call, or it is null, which asks for
    // an anonymous keyring.
    checked(unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, name) })
        .and_then(as_int)
}

pub(crate) fn keyring_id(special: c_int) -> io::Result<c_int> {
    let create: c_int = 0;
    // SAFETY: the arguments are plain numbers.
    checked(unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            libc::KEYCTL_GET_KEYRING_ID,
            special,
            create,
        )
    })
    .and_then(as_int)
}

/// Gives the length the text needs, its NUL included, whether or not it fitted.
pub(crate) fn describe(serial: c_int, buffer: &mut [u8]) -> io::Result<usize> {
    fill(libc::KEYCTL_DESCRIBE, serial, buffer)
}

/// Gives the length of the payload, whether or not it fitted.
pub(crate) fn read(serial: c_int, buffer: &mut [u8]) -> io::Result<usize> {
    fill(libc::KEYCTL_READ, serial, buffer)
}

/// `KEYCTL_DESCRIBE` or `KEYCTL_READ`, which take the same arguments.
fn fill(operation: u32, serial: c_int, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the kernel writes at most the given length into the buffer, which is exclusively
    // borrowed.
    checked(unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            operation,
            serial,
            buffer.as_mut_ptr(),
            buffer.len(),
        )
    })
    .and_then(|length| {
        usize::try_from(length).map_err(|_| io::Error::from_raw_os_error(libc::EOVERFLOW))
    })
}

pub(crate) fn set_permissions(serial: c_int, permissions: u32) -> io::Result<()> {
    // SAFETY: the arguments are plain numbers.
    checked(unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_SETPERM, serial, permissions) })
        .map(drop)
}

pub(crate) fn request(kind: &CStr, description: &CStr) -> io::Result<c_int> {
    let (callout, destination) = (std::ptr::null::<c_char>(), 0 as c_int);
    // SAFETY: both texts are NUL-terminated and live during the call; without callout text the
    // kernel only searches.
    checked(unsafe {
        libc::syscall(
            libc::SYS_request_key,
            kind.as_ptr(),
            description.as_ptr(),
            callout,
            destination,
        )
    })
    .and_then(as_int)
}

pub(crate) fn add_key(
    kind: &CStr,
    description: &CStr,
    payload: &[u8],
    keyring: c_int,
) -> io::Result<c_int> {
    // SAFETY: both texts are NUL-terminated, the payload is as long as it says, and all live during
    // the call.
    checked(unsafe {
        libc::syscall(
            libc::SYS_add_key,
            kind.as_ptr(),
            description.as_ptr(),
            payload.as_ptr(),
            payload.len(),
            keyring,
        )
    })
    .and_then(as_int)
}

pub(crate) fn search(keyring: c_int, kind: &CStr, description: &CStr) -> io::Result<c_int> {
    let destination: c_int = 0;
    // SAFETY: both texts are NUL-terminated and live during the call; without destination nothing
    // is linked.
    checked(unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            libc::KEYCTL_SEARCH,
            keyring,
            kind.as_ptr(),
            description.as_ptr(),
            destination,
        )
    })
    .and_then(as_int)
}

pub(crate) fn link(key: c_int, keyring: c_int) -> io::Result<()> {
    // SAFETY: the arguments are plain numbers.
    checked(unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_LINK, key, keyring) }).map(drop)
}

pub(crate) fn unlink(key: c_int, keyring: c_int) -> io::Result<()> {
    // SAFETY: the arguments are plain numbers.
    checked(unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_UNLINK, key, keyring) }).map(drop)
}

pub(crate) fn revoke(key: c_int) -> io::Result<()> {
    // SAFETY: the arguments are plain numbers.
    checked(unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_REVOKE, key) }).map(drop)
}
