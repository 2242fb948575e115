//! Signals by pidfd.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `pidfd_send_signal(2)` with any number. With `group`, to the process group that the process
/// leads (`PIDFD_SIGNAL_PROCESS_GROUP`, Linux 6.9).
pub(crate) fn pidfd_send_signal(pidfd: BorrowedFd<'_>, signal: i32, group: bool) -> io::Result<()> {
    let flags: libc::c_uint = if group { 4 } else { 0 };
    // SAFETY: the descriptor is open; a null siginfo asks the kernel to make one.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            flags,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
