//! Loading a filter.

use std::os::fd::OwnedFd;

use crate::error::{Error, Result};
use crate::program::Program;
use crate::sys;

/// Loads a filter for the calling thread, for good.
///
/// One system call, and no allocation unless it fails: `prctl(PR_SET_SECCOMP)` when the program's
/// flags are 0, `seccomp(2)` otherwise. Threads that exist already are not affected; those created
/// later inherit the filter.
///
/// The kernel demands that the thread cannot gain privileges, or holds `CAP_SYS_ADMIN` in its user
/// namespace. This function does not set `no_new_privs` itself, because that too is for good: a
/// program without the capability calls `prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)` before.
///
/// Returns the listener descriptor (close-on-exec, as the kernel makes it) when [`Program::notify`]
/// says so.
///
/// # Errors
///
/// [`ErrorKind::Io`](crate::ErrorKind::Io) with the kernel's [`raw_os_error`](Error::raw_os_error):
/// `EACCES` (neither `no_new_privs` nor `CAP_SYS_ADMIN`), `EINVAL` (unknown flag or invalid
/// program), `EBUSY` (there is a listener already), `ENOMEM` (no memory, or all filters of the
/// thread together are too long); see seccomp(2).
pub fn install(program: &Program) -> Result<Option<OwnedFd>> {
    sys::load(program).map_err(|error| {
        let why = match error.raw_os_error() {
            Some(libc::EACCES) => " without no_new_privs and without CAP_SYS_ADMIN",
            Some(libc::EBUSY) => " beside one that has a listener",
            _ => "",
        };
        Error::io(format_args!("load the seccomp filter{why}"), error)
    })
}
