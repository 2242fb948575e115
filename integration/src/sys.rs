//! The commands of bpf(2) that say what is loaded.

#![allow(
    unsafe_code,
    reason = "no crate in use has these commands; the buffers outlive the calls"
)]

use std::ffi::{c_int, c_long};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

const PROG_GET_NEXT_ID: c_int = 11;
const PROG_GET_FD_BY_ID: c_int = 13;
const OBJ_GET_INFO_BY_FD: c_int = 15;
const LINK_GET_FD_BY_ID: c_int = 30;
const LINK_GET_NEXT_ID: c_int = 31;

/// A kind of object that has a number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Object {
    /// A program.
    Program,
    /// What attaches a program, and keeps it.
    Link,
}

/// The attributes of the commands that take a number.
#[repr(C)]
struct IdAttr {
    id: u32,
    next_id: u32,
    open_flags: u32,
}

/// The attributes of `BPF_OBJ_GET_INFO_BY_FD`.
#[repr(C)]
struct InfoAttr {
    fd: u32,
    info_len: u32,
    info: u64,
}

/// The beginning of `struct bpf_prog_info`, as far as kernels since 4.15 have it.
#[repr(C)]
#[derive(Default)]
struct ProgramInfo {
    kind: u32,
    id: u32,
    tag: [u8; 8],
    jited_prog_len: u32,
    xlated_prog_len: u32,
    jited_prog_insns: u64,
    xlated_prog_insns: u64,
    load_time: u64,
    created_by_uid: u32,
    nr_map_ids: u32,
    map_ids: u64,
    name: [u8; 16],
}

/// The beginning of `struct bpf_link_info` (Linux 5.8).
#[repr(C)]
#[derive(Default)]
struct LinkInfo {
    kind: u32,
    id: u32,
    prog_id: u32,
}

/// # Safety
/// `T` is the structure of the command, and pointers in it are valid.
unsafe fn bpf<T>(command: c_int, attr: &mut T) -> io::Result<c_long> {
    // SAFETY: the kernel reads and writes at most so many bytes of `attr`; the rest is the caller's
    // promise.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_mut(attr),
            size_of::<T>(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

/// The number of the object after this one; `None` at the end.
pub(crate) fn next(object: Object, after: u32) -> io::Result<Option<u32>> {
    let command = match object {
        Object::Program => PROG_GET_NEXT_ID,
        Object::Link => LINK_GET_NEXT_ID,
    };
    let mut attr = IdAttr {
        id: after,
        next_id: 0,
        open_flags: 0,
    };
    // SAFETY: the command takes these attributes, which have no pointers.
    match unsafe { bpf(command, &mut attr) } {
        Ok(_) => Ok(Some(attr.next_id)),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The object with this number; `None` if it is gone.
pub(crate) fn open(object: Object, id: u32) -> io::Result<Option<OwnedFd>> {
    let command = match object {
        Object::Program => PROG_GET_FD_BY_ID,
        Object::Link => LINK_GET_FD_BY_ID,
    };
    let mut attr = IdAttr {
        id,
        next_id: 0,
        open_flags: 0,
    };
    // SAFETY: the command takes these attributes, which have no pointers.
    match unsafe { bpf(command, &mut attr) } {
        Ok(descriptor) => {
            let descriptor = c_int::try_from(descriptor).map_err(io::Error::other)?;
            // SAFETY: the kernel has just made this descriptor for us.
            Ok(Some(unsafe { OwnedFd::from_raw_fd(descriptor) }))
        }
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

fn info<T>(object: &OwnedFd, into: &mut T) -> io::Result<()> {
    let mut attr = InfoAttr {
        fd: object.as_raw_fd().cast_unsigned(),
        info_len: u32::try_from(size_of::<T>()).map_err(io::Error::other)?,
        info: std::ptr::from_mut(into).expose_provenance() as u64,
    };
    // SAFETY: the command takes these attributes; `into` is as long as `info_len` says, and the
    // pointers in it are null or are of buffers of the length beside them.
    unsafe { bpf(OBJ_GET_INFO_BY_FD, &mut attr) }.map(drop)
}

/// The instructions of a program, as the kernel has translated them: 8 bytes each.
pub(crate) fn instructions(program: &OwnedFd) -> io::Result<Vec<u8>> {
    let mut length = ProgramInfo::default();
    info(program, &mut length)?;
    let size = usize::try_from(length.xlated_prog_len).map_err(io::Error::other)?;
    let mut buffer = vec![0u8; size];
    let mut content = ProgramInfo {
        xlated_prog_len: length.xlated_prog_len,
        xlated_prog_insns: buffer.as_mut_ptr().expose_provenance() as u64,
        ..ProgramInfo::default()
    };
    info(program, &mut content)?;
    Ok(buffer)
}

/// The number of the program that a link attaches.
pub(crate) fn program_of(link: &OwnedFd) -> io::Result<u32> {
    let mut found = LinkInfo::default();
    info(link, &mut found)?;
    Ok(found.prog_id)
}
