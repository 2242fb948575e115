#![allow(
    unsafe_code,
    reason = "the system calls that neither std nor rustix has"
)]
//! The unsafe part of the crate.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `ioctl(NS_GET_NSTYPE)`, `ioctl_nsfs(2)`.
pub(crate) fn namespace_type(namespace: BorrowedFd<'_>) -> io::Result<u32> {
    const NS_GET_NSTYPE: libc::c_ulong = 0xb703;
    // SAFETY: the descriptor is open; this request takes no argument and writes no memory.
    let kind = unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_NSTYPE) };
    u32::try_from(kind).map_err(|_| io::Error::last_os_error())
}

/// `pidfd_send_signal(2)` with any number.
pub(crate) fn pidfd_send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    // SAFETY: the descriptor is open; a null siginfo asks the kernel to make one.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
