//! Mapped memory, and the program that is executed.

use core::ffi::CStr;
use core::marker::PhantomData;
use core::mem::size_of;

use super::consts::*;
use super::time::nanoseconds;
use super::{Errno, Result, fstat, invoke, number, seals};

const READ_WRITE: usize = PROT_READ | PROT_WRITE;

/// A word that parent and child share after a fork.
pub(crate) struct SharedWord(*mut i32);

impl SharedWord {
    /// A page of shared memory, given back when the process ends.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: an anonymous shared mapping wherever the kernel likes.
        unsafe {
            call!(
                MMAP,
                0,
                4096,
                READ_WRITE,
                MAP_SHARED | MAP_ANONYMOUS,
                -1_isize,
                0
            )
        }
        .map(|at| Self(at as *mut i32))
    }

    /// Stores.
    pub(crate) fn set(&self, value: i32) {
        // SAFETY: the page is mapped and aligned. Only one of the two processes runs at a time
        // (CLONE_VFORK).
        unsafe { self.0.write_volatile(value) }
    }

    /// Loads.
    pub(crate) fn get(&self) -> i32 {
        // SAFETY: as in `set`.
        unsafe { self.0.read_volatile() }
    }
}

/// Maps the plan: a file whose size and content are sealed, so that neither can change under the
/// slice.
pub(crate) fn map_sealed(fd: i32) -> Result<&'static [u8]> {
    let sealed = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    if seals(fd)? & sealed != sealed {
        return Err(Errno::EBADMSG);
    }
    let size = fstat(fd)?.size as usize;
    if size == 0 || size > super::super::wire::MAX_PLAN {
        return Err(Errno::EINVAL);
    }
    // SAFETY: a private read-only mapping of the whole file.
    let at = unsafe { call!(MMAP, 0, size, PROT_READ, MAP_PRIVATE, fd, 0) }?;
    // SAFETY: mapped for good, readable, and sealed against writing and shrinking.
    Ok(unsafe { core::slice::from_raw_parts(at as *const u8, size) })
}

/// Memory shared with the supervisor, one number a step.
pub(crate) struct Times {
    at: *mut u64,
    count: usize,
}

impl Times {
    /// Maps the file that takes `count` times.
    pub(crate) fn map(fd: i32, count: u32) -> Result<Self> {
        let count = count as usize;
        let bytes = count
            .checked_mul(super::super::wire::TIME)
            .ok_or(Errno::EINVAL)?;
        // No access beyond the end of the file.
        if seals(fd)? & F_SEAL_SHRINK == 0 || (fstat(fd)?.size as usize) < bytes {
            return Err(Errno::EBADMSG);
        }
        // SAFETY: a shared mapping of the whole file.
        let at = unsafe { call!(MMAP, 0, bytes, READ_WRITE, MAP_SHARED, fd, 0) }?;
        Ok(Self {
            at: at as *mut u64,
            count,
        })
    }

    /// Writes down that a step has ended.
    pub(crate) fn set(&mut self, step: u32) {
        if (step as usize) < self.count {
            // SAFETY: within the mapping, which stays; the other side only reads.
            unsafe { self.at.add(step as usize).write_volatile(nanoseconds()) };
        }
    }
}

/// A word shared with the supervisor, for the process id of a child.
pub(crate) struct SharedPid(*mut i32);

impl SharedPid {
    /// Maps the file. Children do not have the mapping.
    pub(crate) fn map(fd: i32) -> Result<Self> {
        // No access beyond the end of the file.
        if seals(fd)? & F_SEAL_SHRINK == 0 || (fstat(fd)?.size as usize) < size_of::<i32>() {
            return Err(Errno::EBADMSG);
        }
        // SAFETY: a shared mapping, with its page in place.
        let at = unsafe {
            call!(
                MMAP,
                0,
                size_of::<i32>(),
                READ_WRITE,
                MAP_SHARED | MAP_POPULATE,
                fd,
                0
            )
        }?;
        // SAFETY: the mapping made above, which stays.
        unsafe { call!(MADVISE, at, size_of::<i32>(), MADV_DONTFORK) }?;
        Ok(Self(at as *mut i32))
    }

    /// Where the kernel is to write.
    pub(super) fn address(&self) -> *mut i32 {
        self.0
    }
}

/// A list of pointers to strings, ended by null, as `execve(2)` wants it.
pub(crate) struct Pointers<'a> {
    at: *mut usize,
    capacity: usize,
    length: usize,
    strings: PhantomData<&'a CStr>,
}

impl<'a> Pointers<'a> {
    /// Room for that many strings. Given back when the process ends or executes another program.
    pub(crate) fn new(count: usize) -> Result<Self> {
        let capacity = count.checked_add(1).ok_or(Errno::E2BIG)?;
        let bytes = capacity
            .checked_mul(size_of::<usize>())
            .ok_or(Errno::E2BIG)?;
        // SAFETY: an anonymous private mapping, which is zero: the list is ended from the start.
        let at = unsafe {
            call!(
                MMAP,
                0,
                bytes,
                READ_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS,
                -1_isize,
                0
            )
        }?;
        Ok(Self {
            at: at as *mut usize,
            capacity,
            length: 0,
            strings: PhantomData,
        })
    }

    /// Appends a string.
    pub(crate) fn push(&mut self, text: &'a CStr) -> Result<()> {
        if self.length + 1 >= self.capacity {
            return Err(Errno::E2BIG);
        }
        // SAFETY: within the mapping: checked above; the last entry stays null.
        unsafe { self.at.add(self.length).write(text.as_ptr() as usize) };
        self.length += 1;
        Ok(())
    }
}

/// `execve(2)`: returns only an error.
pub(crate) fn execve(path: &CStr, args: &Pointers<'_>, env: &Pointers<'_>) -> Errno {
    // SAFETY: a NUL-terminated path and null-terminated lists of NUL-terminated strings.
    match unsafe { call!(EXECVE, path.as_ptr(), args.at, env.at) } {
        Err(e) => e,
        Ok(_) => Errno::EINVAL,
    }
}
