//! The system calls of this crate: loading a filter, and asking the kernel what it supports.
#![allow(
    unsafe_code,
    reason = "seccomp(2) and prctl(PR_SET_SECCOMP) take a pointer to the program"
)]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr;

use crate::flags::FilterFlags;
use crate::program::Program;

// linux/seccomp.h, linux/prctl.h
const SECCOMP_SET_MODE_FILTER: libc::c_uint = 1;
const SECCOMP_GET_ACTION_AVAIL: libc::c_uint = 2;
const SECCOMP_MODE_FILTER: libc::c_ulong = 2;

/// Loads a filter for the calling thread: `prctl(PR_SET_SECCOMP)` when the program's flags are 0,
/// `seccomp(2)` otherwise.
pub(crate) fn load(program: &Program) -> io::Result<Option<OwnedFd>> {
    let fprog = libc::sock_fprog {
        len: program.len(),
        filter: program
            .as_bytes()
            .as_ptr()
            .cast_mut()
            .cast::<libc::sock_filter>(),
    };
    let flags = program.flags();
    if flags.is_empty() {
        // SAFETY: `fprog` describes `len` instructions inside `program`, which outlives the call;
        // the kernel only reads them, and copies them byte-wise, so that their alignment
        // does not matter.
        let result = unsafe {
            libc::prctl(
                libc::PR_SET_SECCOMP,
                SECCOMP_MODE_FILTER,
                &raw const fprog,
                0,
                0,
            )
        };
        return if result == 0 {
            Ok(None)
        } else {
            Err(io::Error::last_os_error())
        };
    }
    // SAFETY: as above.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            SECCOMP_SET_MODE_FILTER,
            flags.bits(),
            &raw const fprog,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    if !program.notify() {
        return Ok(None);
    }
    let fd = i32::try_from(result).map_err(io::Error::other)?;
    // SAFETY: with SECCOMP_FILTER_FLAG_NEW_LISTENER the result is a new descriptor that nothing
    // else owns.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// Whether the kernel knows these filter flags together: it then gets as far as reading the
/// program, which is not there (seccomp(2), "EFAULT"). Nothing is loaded.
pub(crate) fn knows_flags(flags: FilterFlags) -> bool {
    // SAFETY: the null program cannot be read, so no filter is ever installed.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            SECCOMP_SET_MODE_FILTER,
            flags.bits(),
            ptr::null::<libc::sock_fprog>(),
        )
    };
    result < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::EFAULT)
}

/// Whether the kernel knows a return value's action (`SECCOMP_GET_ACTION_AVAIL`, Linux 4.14).
pub(crate) fn knows_action(return_value: u32) -> bool {
    // SAFETY: the kernel reads one u32 through the pointer.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            SECCOMP_GET_ACTION_AVAIL,
            0,
            &raw const return_value,
        )
    };
    result == 0
}
