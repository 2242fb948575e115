//! Descriptors: opened, read, written, passed on.

use core::ffi::CStr;
use core::mem::size_of;

use super::consts::*;
use super::{Errno, Fd, Result, invoke, number};

/// `O_CLOEXEC`.
pub(crate) const O_CLOEXEC: u32 = 0o2_000_000;
/// `O_PATH`.
pub(crate) const O_PATH: u32 = 0o10_000_000;
/// `O_WRONLY`.
pub(crate) const O_WRONLY: u32 = 1;
/// `O_ACCMODE`.
pub(crate) const O_ACCMODE: u32 = 3;
/// `O_RDWR`.
pub(crate) const O_RDWR: u32 = 2;
/// `O_CREAT`.
pub(crate) const O_CREAT: u32 = 0o100;
/// `O_EXCL`.
pub(crate) const O_EXCL: u32 = 0o200;
/// `O_NOCTTY`.
pub(crate) const O_NOCTTY: u32 = 0o400;
/// `O_NONBLOCK`.
pub(crate) const O_NONBLOCK: u32 = 0o4000;
/// `RESOLVE_NO_XDEV`.
pub(crate) const RESOLVE_NO_XDEV: u64 = 1;
/// `RESOLVE_NO_MAGICLINKS`.
pub(crate) const RESOLVE_NO_MAGICLINKS: u64 = 2;
/// `RESOLVE_NO_SYMLINKS`.
pub(crate) const RESOLVE_NO_SYMLINKS: u64 = 4;
/// `RESOLVE_BENEATH`.
pub(crate) const RESOLVE_BENEATH: u64 = 8;
/// `RESOLVE_IN_ROOT`.
pub(crate) const RESOLVE_IN_ROOT: u64 = 0x10;

/// `close(2)`; its error says nothing useful.
pub(crate) fn close(fd: i32) {
    // SAFETY: no pointer; a wrong number is EBADF.
    let _ = unsafe { call!(CLOSE, fd) };
}

/// `read(2)`, again after a signal.
pub(crate) fn read(fd: i32, buffer: &mut [u8]) -> Result<usize> {
    loop {
        // SAFETY: the kernel writes at most the length of the exclusive slice.
        match unsafe { call!(READ, fd, buffer.as_mut_ptr(), buffer.len()) } {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

/// `write(2)`, again after a signal that came before the first byte.
pub(crate) fn write(fd: i32, bytes: &[u8]) -> Result<usize> {
    loop {
        // SAFETY: the kernel reads within the slice.
        match unsafe { call!(WRITE, fd, bytes.as_ptr(), bytes.len()) } {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

/// Writes everything, in as many calls as it takes.
pub(crate) fn write_all(fd: i32, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        let count = write(fd, bytes)?;
        if count == 0 {
            return Err(Errno::EIO);
        }
        bytes = bytes.get(count..).ok_or(Errno::EIO)?;
    }
    Ok(())
}

/// `pwrite64(2)` of everything; the position of the descriptor stays where it is.
pub(crate) fn write_at(fd: i32, mut bytes: &[u8], mut offset: u64) -> Result<()> {
    while !bytes.is_empty() {
        // SAFETY: the kernel reads within the slice.
        let count = unsafe { call!(PWRITE64, fd, bytes.as_ptr(), bytes.len(), offset) }?;
        if count == 0 {
            return Err(Errno::EIO);
        }
        offset += count as u64;
        bytes = bytes.get(count..).ok_or(Errno::EIO)?;
    }
    Ok(())
}

/// `openat(2)` with `O_CLOEXEC`.
pub(crate) fn openat(dir: i32, path: &CStr, flags: u32, mode: u32) -> Result<Fd> {
    // SAFETY: a NUL-terminated path.
    unsafe { call!(OPENAT, dir, path.as_ptr(), flags | O_CLOEXEC, mode) }.map(Fd::new)
}

/// `openat2(2)` with `O_CLOEXEC`; a rename that raced (`EAGAIN`) is tried again a bounded number of
/// times.
pub(crate) fn openat2(dir: i32, path: &CStr, flags: u32, mode: u32, resolve: u64) -> Result<Fd> {
    let how: [u64; 3] = [u64::from(flags | O_CLOEXEC), u64::from(mode), resolve];
    for _ in 0..128 {
        // SAFETY: a NUL-terminated path, and a struct open_how of the given size.
        match unsafe {
            call!(
                OPENAT2,
                dir,
                path.as_ptr(),
                how.as_ptr(),
                size_of::<[u64; 3]>()
            )
        } {
            Err(Errno::EAGAIN) => {}
            result => return result.map(Fd::new),
        }
    }
    Err(Errno::EAGAIN)
}

/// `dup3(2)`; without `O_CLOEXEC`, for descriptors the program shall have.
pub(crate) fn dup3(from: i32, to: i32) -> Result<()> {
    // SAFETY: no pointer.
    unsafe { call!(DUP3, from, to, 0) }.map(drop)
}

/// `fcntl(F_GET_SEALS)`.
pub(crate) fn seals(fd: i32) -> Result<usize> {
    // SAFETY: no pointer.
    unsafe { call!(FCNTL, fd, F_GET_SEALS) }
}

/// `close_range(2)` (Linux 5.9) from this number on.
pub(crate) fn close_from(first: u32) -> Result<()> {
    // SAFETY: no pointer.
    unsafe { call!(CLOSE_RANGE, first, u32::MAX, 0) }.map(drop)
}

/// The same up to this number, which is closed, too.
pub(crate) fn close_range(first: u32, last: u32) -> Result<()> {
    // SAFETY: no pointer.
    unsafe { call!(CLOSE_RANGE, first, last, 0) }.map(drop)
}

/// `fcntl(F_SETFD, FD_CLOEXEC)`.
pub(crate) fn close_on_exec(fd: i32) -> Result<()> {
    // SAFETY: no pointer.
    unsafe { call!(FCNTL, fd, F_SETFD, FD_CLOEXEC) }.map(drop)
}

/// The highest number of descriptors this process could ever have had, as far as its hard limit
/// says.
pub(crate) fn descriptor_limit() -> u32 {
    let [_, hard] = descriptor_limits();
    u32::try_from(hard).unwrap_or(u32::MAX)
}

/// How many descriptors this process may have; 0 if that is not known.
pub(crate) fn soft_descriptor_limit() -> u64 {
    let [soft, _] = descriptor_limits();
    soft
}

fn descriptor_limits() -> [u64; 2] {
    let mut limits = [0_u64; 2];
    // SAFETY: the kernel fills a struct rlimit64.
    let result = unsafe { call!(PRLIMIT64, 0, RLIMIT_NOFILE, 0, limits.as_mut_ptr()) };
    if result.is_ok() { limits } else { [0; 2] }
}

/// `fcntl(F_GETPIPE_SZ)`: what a pipe takes without a reader.
pub(crate) fn pipe_capacity(fd: i32) -> Result<usize> {
    // SAFETY: no pointer.
    unsafe { call!(FCNTL, fd, F_GETPIPE_SZ) }
}

/// `pipe2(O_CLOEXEC)`: the reading and the writing end.
pub(crate) fn pipe() -> Result<(Fd, Fd)> {
    let mut ends = [0_i32; 2];
    // SAFETY: the kernel writes two ints.
    unsafe { call!(PIPE2, ends.as_mut_ptr(), O_CLOEXEC) }?;
    let [read, write] = ends;
    Ok((Fd(read), Fd(write)))
}

/// `memfd_create(MFD_CLOEXEC)`.
pub(crate) fn memfd(name: &CStr) -> Result<Fd> {
    // SAFETY: a NUL-terminated name.
    unsafe { call!(MEMFD_CREATE, name.as_ptr(), MFD_CLOEXEC) }.map(Fd::new)
}
