//! Mounts and the root directory.

use core::ffi::CStr;
use core::mem::size_of;

use super::consts::*;
use super::{AT_EMPTY_PATH, Fd, O_CLOEXEC, Result, invoke, number};

/// `MS_REMOUNT`.
pub(crate) const MS_REMOUNT: u64 = 32;
/// `MS_BIND`.
pub(crate) const MS_BIND: u64 = 4096;
/// `MS_MOVE`.
pub(crate) const MS_MOVE: u64 = 8192;
/// `MS_REC`.
pub(crate) const MS_REC: u64 = 16384;
/// `MS_PRIVATE`.
pub(crate) const MS_PRIVATE: u64 = 1 << 18;
/// `MS_SLAVE`.
pub(crate) const MS_SLAVE: u64 = 1 << 19;
/// `MNT_DETACH`.
pub(crate) const MNT_DETACH: u32 = 2;
const AT_RECURSIVE: usize = 0x8000;

fn pointer(text: Option<&CStr>) -> usize {
    text.map_or(0, |text| text.as_ptr() as usize)
}

/// `mount(2)` without data.
pub(crate) fn mount(source: Option<&CStr>, target: &CStr, flags: u64) -> Result<()> {
    // SAFETY: NUL-terminated strings or null.
    unsafe { call!(MOUNT, pointer(source), target.as_ptr(), 0, flags, 0) }.map(drop)
}

/// `mount(2)` of a new file system.
pub(crate) fn new_mount(
    source: Option<&CStr>,
    target: &CStr,
    fstype: &CStr,
    flags: u64,
    data: &CStr,
) -> Result<()> {
    // SAFETY: NUL-terminated strings or null.
    unsafe {
        call!(
            MOUNT,
            pointer(source),
            target.as_ptr(),
            fstype.as_ptr(),
            flags,
            data.as_ptr()
        )
    }
    .map(drop)
}

/// `umount2(2)`.
pub(crate) fn umount(target: &CStr, flags: u32) -> Result<()> {
    // SAFETY: a NUL-terminated path.
    unsafe { call!(UMOUNT2, target.as_ptr(), flags) }.map(drop)
}

/// `pivot_root(2)`.
pub(crate) fn pivot_root(new: &CStr, old: &CStr) -> Result<()> {
    // SAFETY: NUL-terminated paths.
    unsafe { call!(PIVOT_ROOT, new.as_ptr(), old.as_ptr()) }.map(drop)
}

/// `chroot(2)`.
pub(crate) fn chroot(path: &CStr) -> Result<()> {
    // SAFETY: a NUL-terminated path.
    unsafe { call!(CHROOT, path.as_ptr()) }.map(drop)
}

/// `chdir(2)`.
pub(crate) fn chdir(path: &CStr) -> Result<()> {
    // SAFETY: a NUL-terminated path.
    unsafe { call!(CHDIR, path.as_ptr()) }.map(drop)
}

/// `fchdir(2)`.
pub(crate) fn fchdir(fd: i32) -> Result<()> {
    // SAFETY: no pointer.
    unsafe { call!(FCHDIR, fd) }.map(drop)
}

/// `getcwd(2)`: the length with its NUL.
pub(crate) fn getcwd(buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes at most the length of the slice.
    unsafe { call!(GETCWD, buffer.as_mut_ptr(), buffer.len()) }
}

/// `fsopen(2)` (Linux 5.2).
pub(crate) fn fsopen(kind: &CStr) -> Result<Fd> {
    // SAFETY: a NUL-terminated name.
    unsafe { call!(FSOPEN, kind.as_ptr(), FSOPEN_CLOEXEC) }.map(Fd::new)
}

/// `fsconfig(FSCONFIG_SET_FLAG)`, or `FSCONFIG_SET_STRING` with a value.
pub(crate) fn fsconfig(context: i32, key: &CStr, value: Option<&CStr>) -> Result<()> {
    let command = match value {
        Some(_) => FSCONFIG_SET_STRING,
        None => FSCONFIG_SET_FLAG,
    };
    // SAFETY: NUL-terminated strings or null.
    unsafe { call!(FSCONFIG, context, command, key.as_ptr(), pointer(value), 0) }.map(drop)
}

/// `fsconfig(FSCONFIG_SET_FD)`.
pub(crate) fn fsconfig_fd(context: i32, key: &CStr, fd: i32) -> Result<()> {
    // SAFETY: a NUL-terminated string and null.
    unsafe { call!(FSCONFIG, context, FSCONFIG_SET_FD, key.as_ptr(), 0, fd) }.map(drop)
}

/// `fsconfig(FSCONFIG_CMD_CREATE)`.
pub(crate) fn fsconfig_create(context: i32) -> Result<()> {
    // SAFETY: null pointers.
    unsafe { call!(FSCONFIG, context, FSCONFIG_CMD_CREATE, 0, 0, 0) }.map(drop)
}

/// `fsconfig(FSCONFIG_CMD_RECONFIGURE)`.
pub(crate) fn fsconfig_reconfigure(context: i32) -> Result<()> {
    // SAFETY: null pointers.
    unsafe { call!(FSCONFIG, context, FSCONFIG_CMD_RECONFIGURE, 0, 0, 0) }.map(drop)
}

/// `fspick(FSPICK_CLOEXEC | FSPICK_EMPTY_PATH)` (Linux 5.2): the file system at the root of a
/// mount.
pub(crate) fn fspick(mount: i32) -> Result<Fd> {
    // SAFETY: a NUL-terminated empty path.
    unsafe {
        call!(
            FSPICK,
            mount,
            c"".as_ptr(),
            FSPICK_CLOEXEC | FSPICK_EMPTY_PATH
        )
    }
    .map(Fd::new)
}

/// `fsmount(2)`.
pub(crate) fn fsmount(context: i32, attributes: u64) -> Result<Fd> {
    // SAFETY: no pointer.
    unsafe { call!(FSMOUNT, context, FSMOUNT_CLOEXEC, attributes) }.map(Fd::new)
}

/// `open_tree(OPEN_TREE_CLONE)` (Linux 5.2); an empty path clones what the descriptor refers to.
pub(crate) fn clone_tree(dir: i32, path: &CStr, recursive: bool) -> Result<Fd> {
    let mut flags = OPEN_TREE_CLONE | O_CLOEXEC as usize;
    if path.is_empty() {
        flags |= AT_EMPTY_PATH;
    }
    if recursive {
        flags |= AT_RECURSIVE;
    }
    // SAFETY: a NUL-terminated path.
    unsafe { call!(OPEN_TREE, dir, path.as_ptr(), flags) }.map(Fd::new)
}

/// `move_mount(2)` (Linux 5.2), from descriptor to descriptor.
pub(crate) fn move_mount(mount: i32, target: i32) -> Result<()> {
    let flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    // SAFETY: NUL-terminated empty paths.
    unsafe { call!(MOVE_MOUNT, mount, c"".as_ptr(), target, c"".as_ptr(), flags) }.map(drop)
}

/// `mount_setattr(2)` (Linux 5.12).
pub(crate) fn mount_setattr(
    mount: i32,
    recursive: bool,
    set: u64,
    clear: u64,
    propagation: u64,
) -> Result<()> {
    let attributes: [u64; 4] = [set, clear, propagation, 0];
    let flags = AT_EMPTY_PATH | if recursive { AT_RECURSIVE } else { 0 };
    // SAFETY: a NUL-terminated empty path and a struct mount_attr of the given size.
    unsafe {
        call!(
            MOUNT_SETATTR,
            mount,
            c"".as_ptr(),
            flags,
            attributes.as_ptr(),
            size_of::<[u64; 4]>()
        )
    }
    .map(drop)
}
