//! The system call that no crate offers.

#![allow(unsafe_code, reason = "keyctl(2) takes a buffer by address")]

use std::io;

/// `KEYCTL_GET_SECURITY` of `linux/keyctl.h`.
const GET_SECURITY: libc::c_long = 17;

/// The security label of a key, as the kernel writes it. Linux 2.6.26.
pub(crate) fn key_label(serial: i32) -> io::Result<String> {
    let mut buffer = [0_u8; 4096];
    // SAFETY: the kernel writes at most as many bytes as the buffer has.
    let length = unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            GET_SECURITY,
            libc::c_long::from(serial),
            buffer.as_mut_ptr(),
            buffer.len(),
        )
    };
    let Ok(length) = usize::try_from(length) else {
        return Err(io::Error::last_os_error());
    };
    let bytes = buffer.get(..length).unwrap_or(&buffer);
    Ok(String::from_utf8_lossy(bytes).into_owned())
}
