//! The system calls of the stub: the only unsafe code in it. Every function here is safe to call
//! with any arguments.

#![allow(unsafe_code, reason = "system calls without a C library")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "registers have 64 bits: a descriptor, a flag or a length is widened on the way in and narrowed back on the way out"
)]

macro_rules! call {
    ($number:ident $(, $arg:expr)*) => {
        invoke(number::$number, &[$($arg as usize),*])
    };
}

#[cfg(target_arch = "aarch64")]
#[allow(
    dead_code,
    reason = "the supervisor has this file, too, to start the stub"
)]
mod aarch64;
#[cfg(target_arch = "x86_64")]
#[allow(
    dead_code,
    reason = "the supervisor has this file, too, to start the stub"
)]
mod x86_64;

mod children;
mod consts;
mod descriptors;
mod files;
mod memory;
mod mounts;
mod process;
mod signals;
mod socket;
mod terminal;
mod time;

use core::sync::atomic::{AtomicI32, Ordering};

#[cfg(target_arch = "aarch64")]
use aarch64 as arch;
use arch::number;
pub(crate) use arch::{O_DIRECTORY, O_NOFOLLOW};
#[cfg(target_arch = "x86_64")]
use x86_64 as arch;

pub(crate) use children::*;
pub(crate) use consts::*;
pub(crate) use descriptors::*;
pub(crate) use files::*;
pub(crate) use memory::*;
pub(crate) use mounts::*;
pub(crate) use process::*;
pub(crate) use signals::*;
pub(crate) use socket::*;
pub(crate) use terminal::*;
pub(crate) use time::*;

/// An error number of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) i32);

macro_rules! errnos { ($($name:ident = $number:literal,)*) => {
    impl Errno { $(pub(crate) const $name: Self = Self($number);)* }
}; }
errnos! {
    EPERM = 1, ENOENT = 2, EINTR = 4, EIO = 5, E2BIG = 7, EBADF = 9, EAGAIN = 11, ENOMEM = 12,
    EACCES = 13, EEXIST = 17,
    EXDEV = 18, ENOTDIR = 20, EISDIR = 21, EINVAL = 22,
    ETXTBSY = 26, ENOSPC = 28, EROFS = 30, EPIPE = 32, ERANGE = 34,
    ENAMETOOLONG = 36, ENOSYS = 38, ELOOP = 40, EPROTO = 71, EBADMSG = 74, EOPNOTSUPP = 95,
}

/// What a system call gives.
pub(crate) type Result<T> = core::result::Result<T, Errno>;

/// `AT_FDCWD`.
pub(crate) const CWD: i32 = -100;
const AT_EMPTY_PATH: usize = 0x1000;

/// # Safety
/// As for the system call: see [`arch::syscall`].
unsafe fn invoke(number: usize, args: &[usize]) -> Result<usize> {
    let mut all = [0; 6];
    for (to, from) in all.iter_mut().zip(args) {
        *to = *from;
    }
    // SAFETY: the caller's promise.
    let result = unsafe { arch::syscall(number, all) };
    if (-4095..0).contains(&result) {
        Err(Errno(-(result as i32)))
    } else {
        Ok(result as usize)
    }
}

/// The numbers below which descriptors may be [left](Fd::leave) open.
static LEFT_BELOW: AtomicI32 = AtomicI32::new(0);

/// Descriptors may be [left](Fd::leave) open if this process may have many: up to less than the 64
/// for which the kernel's table has room at first.
pub(crate) fn leave_descriptors() {
    if soft_descriptor_limit() >= 256 {
        LEFT_BELOW.store(48, Ordering::Relaxed);
    }
}

/// The number below which descriptors may have been left. From now on none is.
pub(crate) fn end_leaving() -> Option<u32> {
    u32::try_from(LEFT_BELOW.swap(0, Ordering::Relaxed))
        .ok()
        .filter(|end| *end != 0)
}

/// A descriptor that is closed when it goes out of scope.
#[derive(Debug)]
pub(crate) struct Fd(i32);

impl Fd {
    /// Takes over a descriptor that the kernel has just returned.
    fn new(number: usize) -> Self {
        Self(number as i32)
    }

    /// The number, which stays owned.
    pub(crate) fn raw(&self) -> i32 {
        self.0
    }

    /// Not needed any more: one of low number is closed together with all others when the
    /// preparations are done ([`end_leaving`]), by few calls for all of them. Only for what no
    /// other process waits for: not for pipes, terminals, sockets of others, and files that are
    /// open for writing, since a mount with one of those cannot be made read-only.
    pub(crate) fn leave(self) {
        if self.0 < LEFT_BELOW.load(Ordering::Relaxed) {
            core::mem::forget(self);
        }
    }

    /// Takes a number back that was given by [`into_raw`](Self::into_raw).
    pub(crate) fn from_raw(number: i32) -> Self {
        Self(number)
    }

    /// The number, which is the caller's now.
    pub(crate) fn into_raw(self) -> i32 {
        let number = self.0;
        core::mem::forget(self);
        number
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        close(self.0);
    }
}
