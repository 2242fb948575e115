//! The system calls of a filter.

#![allow(
    unsafe_code,
    reason = "a filter is loaded between fork and exec, and calls are made by number"
)]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Loads a filter in the process of a command, before its program is executed.
pub(crate) fn filter_before_exec(command: &mut Command, program: Vec<libc::sock_filter>) {
    let load = move || {
        let filter = libc::sock_fprog {
            len: u16::try_from(program.len()).map_err(io::Error::other)?,
            filter: program.as_ptr().cast_mut(),
        };
        // SAFETY: the pointers refer to a live program, which the kernel copies.
        let result = unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                0,
                &raw const filter,
            )
        };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    };
    // SAFETY: it only makes a system call; the conversion of a short length allocates nothing.
    unsafe { command.pre_exec(load) };
}

/// Whether a call is answered with `ENOSYS`. It is made with a descriptor, flags and sizes that no
/// call takes, so that it does nothing.
pub(super) fn is_missing(call: libc::c_long) -> bool {
    // SAFETY: the pointers are null or invalid, with a size of 0: nothing is read or written.
    let result = unsafe { libc::syscall(call, -1_isize, 0_usize, -1_isize, !0_usize, 0_usize) };
    result < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::ENOSYS)
}
