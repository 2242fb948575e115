//! Children: made, and waited for.

use core::mem::size_of;

use super::consts::*;
use super::{Errno, Fd, Result, SharedPid, arch, invoke, number};

/// `CLONE_PARENT`.
const CLONE_PARENT: u64 = 0x8000;
/// `CLONE_PARENT_SETTID`.
const CLONE_PARENT_SETTID: u64 = 0x10_0000;
/// `CLONE_VFORK`.
pub(crate) const CLONE_VFORK: u64 = 0x4000;
const CLONE_PIDFD: u64 = 0x1000;

/// The two ends of a fork.
pub(crate) enum Forked {
    /// In the parent: the child's number and pidfd.
    Parent(i32, Fd),
    /// In the child.
    Child,
}

/// A child with its own copy of the memory, and a pidfd: `clone3(2)`, or `clone(2)` where a filter
/// refuses that.
pub(crate) fn fork(flags: u64) -> Result<Forked> {
    let mut pidfd: i32 = -1;
    // flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls.
    let mut args = [0_u64; 8];
    args[0] = flags | CLONE_PIDFD;
    args[1] = (&raw mut pidfd) as u64;
    args[4] = SIGCHLD;
    // SAFETY: a struct clone_args of that size. No memory is shared, so the child may return from
    // here.
    let mut result = unsafe { call!(CLONE3, args.as_mut_ptr(), size_of::<[u64; 8]>()) };
    if matches!(result, Err(Errno::ENOSYS | Errno::EPERM)) {
        let flags = (flags | CLONE_PIDFD | SIGCHLD) as usize;
        // SAFETY: as above; the descriptor is stored where the third argument points.
        result = unsafe {
            invoke(
                number::CLONE,
                &arch::fork_args(flags, (&raw mut pidfd) as usize),
            )
        };
    }
    match result? {
        0 => Ok(Forked::Child),
        pid => Ok(Forked::Parent(pid as i32, Fd(pidfd))),
    }
}

/// A sibling: a copy of this process whose parent is this process' parent. `true` in the sibling.
///
/// The kernel stores its process id before the sibling runs, and before this process can end, even
/// if it is killed meanwhile: a sibling that the parent cannot know of does not exist.
pub(crate) fn fork_sibling(pid: &SharedPid) -> Result<bool> {
    let flags = CLONE_PARENT | CLONE_PARENT_SETTID;
    // flags, pidfd, child_tid, parent_tid, exit_signal (the parent's is taken), stack, stack_size,
    // tls.
    let args = [flags, 0, 0, pid.address() as u64, 0, 0, 0, 0];
    // SAFETY: a struct clone_args of that size; the word stays mapped. No memory that this process
    // writes is shared, so the sibling may return from here.
    let mut result = unsafe { call!(CLONE3, args.as_ptr(), size_of::<[u64; 8]>()) };
    if matches!(result, Err(Errno::ENOSYS | Errno::EPERM)) {
        let args = arch::fork_args(flags as usize, pid.address() as usize);
        // SAFETY: as above; the process id is stored where the third argument points.
        result = unsafe { invoke(number::CLONE, &args) };
    }
    result.map(|pid| pid == 0)
}

/// `waitid(P_PID, WEXITED)`: how a child ended, as (`si_code`, `si_status`).
pub(crate) fn wait(pid: i32) -> Result<(i32, i32)> {
    let mut info = [0_i32; 32];
    loop {
        // SAFETY: siginfo_t has 128 bytes.
        match unsafe { call!(WAITID, P_PID, pid, info.as_mut_ptr(), WEXITED, 0) } {
            Err(Errno::EINTR) => {}
            Err(e) => return Err(e),
            Ok(_) => break,
        }
    }
    // si_signo, si_errno, si_code, padding, si_pid, si_uid, si_status.
    let [_, _, code, _, _, _, status, ..] = info;
    Ok((code, status))
}
