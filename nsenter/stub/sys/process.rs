//! What a process is: identity, privileges, limits, namespaces.

use core::ffi::CStr;

use super::consts::*;
use super::{Errno, Result, invoke, number};

/// `CLONE_NEWUSER`.
pub(crate) const CLONE_NEWUSER: u32 = 0x1000_0000;

/// `prctl(2)` with numbers. Options that take an address are refused.
pub(crate) fn prctl(option: u32, a: usize, b: usize) -> Result<usize> {
    if !matches!(
        option,
        PR_SET_PDEATHSIG
            | PR_SET_DUMPABLE
            | PR_SET_KEEPCAPS
            | PR_CAPBSET_READ
            | PR_CAPBSET_DROP
            | PR_SET_NO_NEW_PRIVS
            | PR_CAP_AMBIENT
    ) {
        return Err(Errno::EINVAL);
    }
    // SAFETY: checked above: no argument is an address.
    unsafe { call!(PRCTL, option, a, b, 0, 0) }
}

/// `prctl(PR_SET_NAME)`.
pub(crate) fn set_name(name: &CStr) -> Result<()> {
    // SAFETY: a NUL-terminated name; the kernel reads at most 16 bytes and stops at the NUL.
    unsafe { call!(PRCTL, PR_SET_NAME, name.as_ptr()) }.map(drop)
}

/// `getpid(2)`.
pub(crate) fn getpid() -> u32 {
    // SAFETY: no argument.
    unsafe { call!(GETPID) }.map_or(0, |pid| pid as u32)
}

/// `getuid(2)`.
pub(crate) fn getuid() -> u32 {
    // SAFETY: no argument.
    unsafe { call!(GETUID) }.map_or(u32::MAX, |uid| uid as u32)
}

/// `getppid(2)`.
pub(crate) fn getppid() -> u32 {
    // SAFETY: no argument.
    unsafe { call!(GETPPID) }.map_or(0, |pid| pid as u32)
}

/// `setsid(2)`.
pub(crate) fn setsid() -> Result<()> {
    // SAFETY: no argument.
    unsafe { call!(SETSID) }.map(drop)
}

/// `setpgid(0, 0)`.
pub(crate) fn own_process_group() -> Result<()> {
    // SAFETY: no pointer.
    unsafe { call!(SETPGID, 0, 0) }.map(drop)
}

/// `kill(2)`.
pub(crate) fn kill(pid: i32, signal: u32) -> Result<()> {
    // SAFETY: no pointer.
    unsafe { call!(KILL, pid, signal) }.map(drop)
}

/// `umask(2)`.
pub(crate) fn umask(mask: u32) -> Result<()> {
    // SAFETY: no pointer. Only a filter makes it fail.
    unsafe { call!(UMASK, mask) }.map(drop)
}

/// `sched_setaffinity(2)` of this thread.
pub(crate) fn set_affinity(mask: &[u8]) -> Result<()> {
    // SAFETY: the kernel reads within the slice.
    unsafe { call!(SCHED_SETAFFINITY, 0, mask.len(), mask.as_ptr()) }.map(drop)
}

/// `sched_setattr(2)` of this thread. The struct says its own size, which must be that of the
/// slice.
pub(crate) fn set_scheduler(attributes: &[u8]) -> Result<()> {
    if attributes.len() < 48
        || super::super::wire::u32_at(attributes, 0) != u32::try_from(attributes.len()).ok()
    {
        return Err(Errno::EINVAL);
    }
    // SAFETY: the kernel reads as many bytes as the first word says: checked above.
    unsafe { call!(SCHED_SETATTR, 0, attributes.as_ptr(), 0) }.map(drop)
}

/// `ioprio_set(IOPRIO_WHO_PROCESS, 0)`.
pub(crate) fn set_io_priority(value: u32) -> Result<()> {
    // SAFETY: no pointer.
    unsafe { call!(IOPRIO_SET, IOPRIO_WHO_PROCESS, 0, value) }.map(drop)
}

/// `personality(2)`.
pub(crate) fn personality(domain: u64) -> Result<()> {
    // SAFETY: no pointer.
    unsafe { call!(PERSONALITY, domain) }.map(drop)
}

/// `prlimit64(2)` of this process; all ones mean no limit.
pub(crate) fn set_resource_limit(resource: u32, soft: u64, hard: u64) -> Result<()> {
    let limit = [soft, hard];
    // SAFETY: the kernel reads a struct rlimit64 and writes nothing.
    unsafe { call!(PRLIMIT64, 0, resource, limit.as_ptr(), 0) }.map(drop)
}

/// `set_mempolicy(2)`: the nodes as a little-endian mask.
pub(crate) fn set_memory_policy(mode: u32, nodes: &[u8]) -> Result<()> {
    let bits = nodes.len() / 8 * 64;
    // The kernel looks at one bit less than the argument says.
    let (mask, bits) = if bits == 0 {
        (0, 0)
    } else {
        (nodes.as_ptr() as usize, bits + 1)
    };
    // SAFETY: the kernel reads the bytes that hold the bits: those of the slice.
    unsafe { call!(SET_MEMPOLICY, mode, mask, bits) }.map(drop)
}

/// `setgroups(2)`: little-endian numbers of 32 bits.
pub(crate) fn setgroups(gids: &[u8]) -> Result<()> {
    // SAFETY: the kernel reads that many numbers of the slice.
    unsafe { call!(SETGROUPS, gids.len() / 4, gids.as_ptr()) }.map(drop)
}

/// `setresgid(2)`, all three.
pub(crate) fn setresgid(gid: u32) -> Result<()> {
    // SAFETY: no pointer.
    unsafe { call!(SETRESGID, gid, gid, gid) }.map(drop)
}

/// `setresuid(2)`, all three.
pub(crate) fn setresuid(uid: u32) -> Result<()> {
    // SAFETY: no pointer.
    unsafe { call!(SETRESUID, uid, uid, uid) }.map(drop)
}

/// `capset(2)`, version 3.
pub(crate) fn capset(effective: u64, permitted: u64, inheritable: u64) -> Result<()> {
    let header: [u32; 2] = [LINUX_CAPABILITY_VERSION_3, 0];
    let low = |set: u64| set as u32;
    let high = |set: u64| (set >> 32) as u32;
    let data = [
        low(effective),
        low(permitted),
        low(inheritable),
        high(effective),
        high(permitted),
        high(inheritable),
    ];
    // SAFETY: a header and two data structs of version 3.
    unsafe { call!(CAPSET, header.as_ptr(), data.as_ptr()) }.map(drop)
}

/// `keyctl(KEYCTL_JOIN_SESSION_KEYRING)`: the keyring's serial number.
pub(crate) fn join_keyring(name: &CStr) -> Result<usize> {
    // SAFETY: a NUL-terminated name.
    unsafe { call!(KEYCTL, KEYCTL_JOIN_SESSION_KEYRING, name.as_ptr()) }
}

/// `keyctl(KEYCTL_DESCRIBE)`: the length the text has, with its NUL; it may be more than fits.
pub(crate) fn describe_key(serial: usize, buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes at most the length of the slice.
    unsafe {
        call!(
            KEYCTL,
            KEYCTL_DESCRIBE,
            serial,
            buffer.as_mut_ptr(),
            buffer.len()
        )
    }
}

/// `keyctl(KEYCTL_SETPERM)`.
pub(crate) fn set_key_permissions(serial: usize, permissions: u32) -> Result<()> {
    // SAFETY: no pointer.
    unsafe { call!(KEYCTL, KEYCTL_SETPERM, serial, permissions) }.map(drop)
}

/// `sethostname(2)`.
pub(crate) fn sethostname(name: &[u8]) -> Result<()> {
    // SAFETY: the kernel reads within the slice.
    unsafe { call!(SETHOSTNAME, name.as_ptr(), name.len()) }.map(drop)
}

/// `setdomainname(2)`.
pub(crate) fn setdomainname(name: &[u8]) -> Result<()> {
    // SAFETY: the kernel reads within the slice.
    unsafe { call!(SETDOMAINNAME, name.as_ptr(), name.len()) }.map(drop)
}

/// `unshare(2)`.
pub(crate) fn unshare(flags: u32) -> Result<()> {
    // SAFETY: no pointer. CLONE_FILES, CLONE_FS and namespaces are harmless in a process of one
    // thread.
    unsafe { call!(UNSHARE, flags) }.map(drop)
}

/// `setns(2)`.
pub(crate) fn setns(fd: i32, kind: u32) -> Result<()> {
    // SAFETY: no pointer.
    unsafe { call!(SETNS, fd, kind) }.map(drop)
}

/// Loads a seccomp filter: `prctl(PR_SET_SECCOMP)` without flags, else `seccomp(2)`. With
/// `SECCOMP_FILTER_FLAG_NEW_LISTENER` the result is a descriptor.
pub(crate) fn seccomp(flags: u32, program: &[u8]) -> Result<usize> {
    #[repr(C)]
    struct Program {
        length: u16,
        filter: *const u8,
    }
    let length = u16::try_from(program.len() / 8).map_err(|_| Errno::EINVAL)?;
    if !program.len().is_multiple_of(8) {
        return Err(Errno::EINVAL);
    }
    let program = Program {
        length,
        filter: program.as_ptr(),
    };
    // SAFETY: a struct sock_fprog whose filter has that many instructions of 8 bytes.
    unsafe {
        if flags == 0 {
            call!(
                PRCTL,
                PR_SET_SECCOMP,
                SECCOMP_MODE_FILTER,
                &raw const program
            )
        } else {
            call!(SECCOMP, SECCOMP_SET_MODE_FILTER, flags, &raw const program)
        }
    }
}
