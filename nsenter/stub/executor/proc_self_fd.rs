//! This process' own descriptors by name: for the calls that take no descriptor.
//!
//! After the change of root `/proc` is whatever an image made of it. So it is only used if it is a
//! procfs, from its root, and without crossing into anything that is mounted inside.

use super::fixed_string::FixedString;
use super::sys::{
    self, CWD, Errno, Fd, O_DIRECTORY, O_PATH, RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_XDEV, Result,
};

/// `PROC_SUPER_MAGIC`.
pub(super) const PROC_SUPER_MAGIC: u64 = 0x9fa0;
const PROC_ROOT_INODE: u64 = 1;

/// `/proc/self/fd` of a real procfs that shows this process.
pub(super) fn own_descriptors() -> Result<Fd> {
    let procfs = sys::openat(CWD, c"/proc", O_PATH | O_DIRECTORY, 0)?;
    if sys::fstatfs(procfs.raw())?.0 != PROC_SUPER_MAGIC
        || sys::fstat(procfs.raw())?.ino != PROC_ROOT_INODE
    {
        return Err(Errno::EBADMSG);
    }
    let resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS;
    sys::openat2(procfs.raw(), c"self/fd", O_DIRECTORY, 0, resolve)
}

/// The name of a descriptor in that directory.
pub(super) fn name(fd: i32) -> FixedString<16> {
    let mut name = FixedString::new();
    name.push_number(u64::from(fd.unsigned_abs()));
    name
}

/// Does something in another directory, for calls that take nothing but a path.
pub(super) fn inside<T>(directory: i32, action: impl FnOnce() -> Result<T>) -> Result<T> {
    let before = sys::openat(CWD, c".", O_PATH | O_DIRECTORY, 0)?;
    sys::fchdir(directory)?;
    let result = action();
    sys::fchdir(before.raw())?;
    result
}

/// Changes the mode of what a descriptor refers to, also an `O_PATH` one: by descriptor from Linux
/// 6.6 on.
pub(super) fn chmod(fd: i32, mode: u32) -> Result<()> {
    match sys::fchmodat2(fd, mode) {
        // EPERM is what filters say that do not know the call.
        Err(Errno::ENOSYS | Errno::EPERM) => {
            sys::fchmodat(own_descriptors()?.raw(), name(fd).as_cstr(), mode)
        }
        result => result,
    }
}

/// Sets an extended attribute, also through an `O_PATH` descriptor.
pub(super) fn set_xattr(fd: i32, attribute: &core::ffi::CStr, value: &[u8]) -> Result<()> {
    match sys::fsetxattr(fd, attribute, value) {
        Err(Errno::EBADF) => inside(own_descriptors()?.raw(), || {
            sys::setxattr(name(fd).as_cstr(), attribute, value)
        }),
        result => result,
    }
}
