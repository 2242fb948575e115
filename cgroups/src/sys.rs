//! bpf(2), which no library of the dependency list wraps, and nothing else.
#![allow(
    unsafe_code,
    reason = "system calls with pointers into their arguments"
)]

use std::ffi::{c_int, c_long};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use devices::bpf::Insn;

const BPF_PROG_LOAD: c_int = 5;
const BPF_PROG_ATTACH: c_int = 8;
const BPF_PROG_DETACH: c_int = 9;
const BPF_PROG_GET_FD_BY_ID: c_int = 13;
const BPF_PROG_QUERY: c_int = 16;

const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
const BPF_F_ALLOW_MULTI: u32 = 1 << 1;
const BPF_F_REPLACE: u32 = 1 << 2;

/// The attributes of `BPF_PROG_LOAD`, up to the fields of Linux 4.17.
#[repr(C)]
struct LoadAttr {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
}

/// The attributes of `BPF_PROG_ATTACH` and `BPF_PROG_DETACH`, up to the fields of Linux 5.6.
#[repr(C)]
struct AttachAttr {
    target_fd: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
    replace_bpf_fd: u32,
}

/// The attributes of `BPF_PROG_QUERY`, all 64 bytes of Linux 6.6: kernels from 6.17 on write
/// `revision` whatever the size that is passed.
#[repr(C)]
struct QueryAttr {
    target_fd: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    prog_ids: u64,
    prog_cnt: u32,
    padding: u32,
    prog_attach_flags: u64,
    link_ids: u64,
    link_attach_flags: u64,
    revision: u64,
}

const _: () = assert!(size_of::<QueryAttr>() == 64);

#[repr(C)]
struct FdByIdAttr {
    prog_id: u32,
    next_id: u32,
    open_flags: u32,
}

/// One of the attribute structures above: plain integers, laid out as the kernel reads them.
///
/// # Safety
/// No padding, no invariants; pointers in it are valid for the command it is used with.
unsafe trait Attr {}
// SAFETY: integers only; the constructors below take care of the pointers.
unsafe impl Attr for LoadAttr {}
// SAFETY: integers only.
unsafe impl Attr for AttachAttr {}
// SAFETY: integers only; the constructor below takes care of the pointer.
unsafe impl Attr for QueryAttr {}
// SAFETY: integers only.
unsafe impl Attr for FdByIdAttr {}

fn bpf<T: Attr>(command: c_int, attr: &mut T) -> io::Result<c_long> {
    // SAFETY: the kernel reads and writes at most the given number of bytes of `attr`, which is
    // exclusively ours; `Attr` promises that pointers in it are good.
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

fn owned(fd: c_long) -> io::Result<OwnedFd> {
    let fd = c_int::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made this descriptor for us (with close-on-exec set).
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    if fd.as_raw_fd() == 0 {
        // Zero means "none" in the attributes.
        return Ok(rustix::io::fcntl_dupfd_cloexec(&fd, 3)?);
    }
    Ok(fd)
}

fn number(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().cast_unsigned()
}

fn address<T>(slice: &[T]) -> u64 {
    slice.as_ptr().expose_provenance() as u64
}

fn length<T>(slice: &[T]) -> u32 {
    u32::try_from(slice.len()).unwrap_or(u32::MAX)
}

/// Loads a `BPF_PROG_TYPE_CGROUP_DEVICE` program. With a non-empty `log` the verifier writes its
/// reasoning there.
pub(crate) fn load(program: &[Insn], log: &mut [u8]) -> io::Result<OwnedFd> {
    let mut attr = LoadAttr {
        prog_type: BPF_PROG_TYPE_CGROUP_DEVICE,
        insn_cnt: length(program),
        insns: address(program),
        license: address(c"Apache".to_bytes_with_nul()),
        log_level: u32::from(!log.is_empty()),
        log_size: length(log),
        log_buf: if log.is_empty() {
            0
        } else {
            log.as_mut_ptr().expose_provenance() as u64
        },
        kern_version: 0,
        prog_flags: 0,
        prog_name: *b"cofferdam_dev\0\0\0",
        prog_ifindex: 0,
        expected_attach_type: BPF_CGROUP_DEVICE,
    };
    owned(bpf(BPF_PROG_LOAD, &mut attr)?)
}

/// Attaches a device program to a cgroup, beside those that are attached already, or in the place
/// of `replaced`.
pub(crate) fn attach(
    cgroup: impl AsFd,
    program: &OwnedFd,
    replaced: Option<&OwnedFd>,
) -> io::Result<()> {
    let mut attr = AttachAttr {
        target_fd: number(cgroup.as_fd()),
        attach_bpf_fd: number(program.as_fd()),
        attach_type: BPF_CGROUP_DEVICE,
        attach_flags: BPF_F_ALLOW_MULTI | replaced.map_or(0, |_| BPF_F_REPLACE),
        replace_bpf_fd: replaced.map_or(0, |program| number(program.as_fd())),
    };
    bpf(BPF_PROG_ATTACH, &mut attr).map(drop)
}

/// Detaches a device program from a cgroup.
pub(crate) fn detach(cgroup: impl AsFd, program: &OwnedFd) -> io::Result<()> {
    let mut attr = AttachAttr {
        target_fd: number(cgroup.as_fd()),
        attach_bpf_fd: number(program.as_fd()),
        attach_type: BPF_CGROUP_DEVICE,
        attach_flags: 0,
        replace_bpf_fd: 0,
    };
    bpf(BPF_PROG_DETACH, &mut attr).map(drop)
}

/// Writes the ids of the device programs attached to a cgroup into `ids`, and says how many there
/// are. `ENOSPC` when they do not fit.
pub(crate) fn query(cgroup: impl AsFd, ids: &mut [u32]) -> io::Result<usize> {
    let mut attr = QueryAttr {
        target_fd: number(cgroup.as_fd()),
        attach_type: BPF_CGROUP_DEVICE,
        query_flags: 0,
        attach_flags: 0,
        prog_ids: ids.as_mut_ptr().expose_provenance() as u64,
        prog_cnt: length(ids),
        padding: 0,
        prog_attach_flags: 0,
        link_ids: 0,
        link_attach_flags: 0,
        revision: 0,
    };
    bpf(BPF_PROG_QUERY, &mut attr)?;
    usize::try_from(attr.prog_cnt).map_err(io::Error::other)
}

/// Opens a loaded program by its id.
pub(crate) fn program_by_id(id: u32) -> io::Result<OwnedFd> {
    let mut attr = FdByIdAttr {
        prog_id: id,
        next_id: 0,
        open_flags: 0,
    };
    owned(bpf(BPF_PROG_GET_FD_BY_ID, &mut attr)?)
}
