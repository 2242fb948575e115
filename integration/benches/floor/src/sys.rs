//! The system calls that rustix has no safe function for.

use core::convert::Infallible;
use core::ffi::CStr;
use core::ptr::null;

use rustix::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use rustix::io::{Errno, Result};

use crate::arch::{self, number};

#[cfg(target_arch = "x86_64")]
const BPF: usize = 321;
#[cfg(target_arch = "x86_64")]
const SIGNALFD4: usize = 289;
#[cfg(target_arch = "aarch64")]
const BPF: usize = 280;
#[cfg(target_arch = "aarch64")]
const SIGNALFD4: usize = 74;

/// # Safety
/// As for the system call.
unsafe fn call<const N: usize>(number: usize, arguments: [usize; N]) -> Result<usize> {
    let mut all = [0; 6];
    for (to, from) in all.iter_mut().zip(arguments) {
        *to = from;
    }
    // SAFETY: the caller's promise.
    let result = unsafe { arch::syscall(number, all) };
    match i32::try_from(result) {
        Ok(error @ -4095..0) => Err(Errno::from_raw_os_error(-error)),
        _ => Ok(result.unsigned_abs()),
    }
}

fn owned(number: usize) -> OwnedFd {
    // SAFETY: the kernel has just returned it.
    unsafe { OwnedFd::from_raw_fd(number as i32) }
}

/// A standard stream, by its number.
pub(crate) fn stream(number: i32) -> BorrowedFd<'static> {
    // SAFETY: what the program was started with is not closed in it.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// `exit_group(2)`.
pub(crate) fn exit(code: i32) -> ! {
    loop {
        // SAFETY: no pointer.
        let _never_returns = unsafe { call(number::EXIT_GROUP, [code as usize]) };
    }
}

/// `execve(2)`; returns only when it fails. Both lists end with a null pointer.
pub(crate) fn execute(arguments: &[*const u8], environment: &[*const u8]) -> Errno {
    let Some(program) = arguments.first() else {
        return Errno::INVAL;
    };
    if arguments.last() != Some(&null()) || environment.last() != Some(&null()) {
        return Errno::INVAL;
    }
    // SAFETY: a program, and lists of strings that end with null, which point into this process.
    let result = unsafe {
        call(
            number::EXECVE,
            [
                program.addr(),
                arguments.as_ptr().addr(),
                environment.as_ptr().addr(),
            ],
        )
    };
    result.err().unwrap_or(Errno::INVAL)
}

/// A child that shares this process' memory until it executes a program.
pub(crate) struct Child {
    pub(crate) pid: u32,
    pub(crate) pidfd: OwnedFd,
}

/// `SIGCHLD`.
const SIGCHLD: u64 = 17;
const CLONE_VM: u64 = 0x100;
const CLONE_PIDFD: u64 = 0x1000;
const CLONE_INTO_CGROUP: u64 = 1 << 33;
const STACK: usize = 64 << 10;

/// Room for the child, on pages of which the kernel gives those that are used.
#[repr(align(16))]
struct Stack(core::cell::UnsafeCell<[u8; STACK]>);

// SAFETY: only the one child uses it.
unsafe impl Sync for Stack {}

static CHILD_STACK: Stack = Stack(core::cell::UnsafeCell::new([0; STACK]));

/// `clone3(2)`: `CLONE_VM` spares the copy of this process' memory. Then `parent` is done here, and
/// this process ends with its code; returns only when there is no child. Called once in a process.
///
/// The child has descriptors, a working directory and signals of its own, and reads the argument in
/// the memory of this process, which stays as long as one of them runs.
pub(crate) fn with_child<T>(
    namespaces: u64,
    cgroup: Option<BorrowedFd<'_>>,
    child: extern "C" fn(&T) -> !,
    argument: &T,
    parent: impl FnOnce(Child) -> crate::failure::Result<i32>,
) -> Result<Infallible> {
    let mut pidfd = -1_i32;
    let mut flags = namespaces | CLONE_VM | CLONE_PIDFD;
    if cgroup.is_some() {
        flags |= CLONE_INTO_CGROUP;
    }
    // flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
    // set_tid_size, cgroup.
    let arguments = [
        flags,
        (&raw mut pidfd).addr() as u64,
        0,
        0,
        SIGCHLD,
        CHILD_STACK.0.get().addr() as u64,
        STACK as u64,
        0,
        0,
        0,
        cgroup.map_or(0, |fd| fd.as_raw_fd() as u64),
    ];
    // SAFETY: both are functions of one pointer-sized argument that do not return.
    let entry = unsafe {
        core::mem::transmute::<extern "C" fn(&T) -> !, unsafe extern "C" fn(usize) -> !>(child)
    };
    // SAFETY: a struct clone_args of that size, whose stack is unused: this is called once.
    let pid = unsafe {
        arch::clone3(
            (&raw const arguments).addr(),
            size_of_val(&arguments),
            entry,
            core::ptr::from_ref(argument).addr(),
        )
    };
    let Ok(pid) = u32::try_from(pid) else {
        return Err(Errno::from_raw_os_error(-(pid as i32)));
    };
    let pidfd = owned(pidfd as usize);
    match parent(Child { pid, pidfd }) {
        Ok(code) => exit(code),
        Err(failure) => {
            failure.report(stream(2));
            exit(1)
        }
    }
}

/// `mount_setattr(2)` that adds attributes, below the path as well if asked for.
pub(crate) fn add_mount_attributes(path: &CStr, attributes: u64, recursive: bool) -> Result<()> {
    const AT_FDCWD: usize = -100_isize as usize;
    const AT_RECURSIVE: usize = 0x8000;
    let changes = [attributes, 0, 0, 0];
    let flags = if recursive { AT_RECURSIVE } else { 0 };
    // SAFETY: a path and a struct mount_attr of that size.
    unsafe {
        call(
            number::MOUNT_SETATTR,
            [
                AT_FDCWD,
                path.as_ptr().addr(),
                flags,
                changes.as_ptr().addr(),
                size_of_val(&changes),
            ],
        )
    }
    .map(drop)
}

/// `ioctl(SIOCSIFFLAGS)`: a network interface is up.
pub(crate) fn set_interface_up(socket: &OwnedFd, name: &[u8]) -> Result<()> {
    const SIOCSIFFLAGS: usize = 0x8914;
    const IFF_UP: u16 = 1;
    // struct ifreq: a name of 16 bytes, then a union of which this uses the first two.
    let mut request = [0_u8; 40];
    for (to, from) in request.iter_mut().take(15).zip(name) {
        *to = *from;
    }
    for (to, from) in request.iter_mut().skip(16).zip(IFF_UP.to_ne_bytes()) {
        *to = from;
    }
    // SAFETY: a struct ifreq.
    unsafe {
        call(
            number::IOCTL,
            [
                socket.as_raw_fd() as usize,
                SIOCSIFFLAGS,
                request.as_ptr().addr(),
            ],
        )
    }
    .map(drop)
}

/// `keyctl(KEYCTL_JOIN_SESSION_KEYRING)`.
pub(crate) fn join_session_keyring(name: &CStr) -> Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: usize = 1;
    // SAFETY: a name.
    unsafe {
        call(
            number::KEYCTL,
            [KEYCTL_JOIN_SESSION_KEYRING, name.as_ptr().addr()],
        )
    }
    .map(drop)
}

/// `rt_sigprocmask(SIG_SETMASK)`; bit `n - 1` is signal `n`.
pub(crate) fn block_signals(set: u64) -> Result<()> {
    const SIG_SETMASK: usize = 2;
    let set = [set];
    // SAFETY: a set of 8 bytes, and null for the old one.
    unsafe {
        call(
            number::RT_SIGPROCMASK,
            [SIG_SETMASK, set.as_ptr().addr(), 0, 8],
        )
    }
    .map(drop)
}

/// `signalfd4(2)`.
pub(crate) fn signal_descriptor(set: u64) -> Result<OwnedFd> {
    const SFD_CLOEXEC: usize = 0o2_000_000;
    let set = [set];
    // SAFETY: a set of 8 bytes.
    unsafe { call(SIGNALFD4, [usize::MAX, set.as_ptr().addr(), 8, SFD_CLOEXEC]) }.map(owned)
}

/// `close_range(CLOSE_RANGE_CLOEXEC)` of all descriptors from this one on.
pub(crate) fn close_on_exec_from(first: u32) -> Result<()> {
    const CLOSE_RANGE_CLOEXEC: usize = 4;
    // SAFETY: no pointer.
    unsafe {
        call(
            number::CLOSE_RANGE,
            [first as usize, u32::MAX as usize, CLOSE_RANGE_CLOEXEC],
        )
    }
    .map(drop)
}

/// `bpf(BPF_PROG_LOAD)` of a `BPF_PROG_TYPE_CGROUP_DEVICE`.
pub(crate) fn load_device_program(program: &[u64]) -> Result<OwnedFd> {
    const BPF_PROG_LOAD: usize = 5;
    const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
    #[repr(C)]
    struct Load {
        kind: u32,
        count: u32,
        program: *const u64,
        license: *const core::ffi::c_char,
    }
    let load = Load {
        kind: BPF_PROG_TYPE_CGROUP_DEVICE,
        count: program.len() as u32,
        program: program.as_ptr(),
        license: c"Apache".as_ptr(),
    };
    // SAFETY: the beginning of union bpf_attr, of this size, with that many instructions.
    unsafe {
        call(
            BPF,
            [BPF_PROG_LOAD, (&raw const load).addr(), size_of::<Load>()],
        )
    }
    .map(owned)
}

/// `bpf(BPF_PROG_ATTACH)` to `BPF_CGROUP_DEVICE`.
pub(crate) fn attach_device_program(cgroup: &OwnedFd, program: &OwnedFd) -> Result<()> {
    const BPF_PROG_ATTACH: usize = 8;
    const BPF_CGROUP_DEVICE: u32 = 6;
    const BPF_F_ALLOW_MULTI: u32 = 2;
    let attach = [
        cgroup.as_raw_fd() as u32,
        program.as_raw_fd() as u32,
        BPF_CGROUP_DEVICE,
        BPF_F_ALLOW_MULTI,
    ];
    // SAFETY: the beginning of union bpf_attr, of this size.
    unsafe {
        call(
            BPF,
            [
                BPF_PROG_ATTACH,
                attach.as_ptr().addr(),
                size_of_val(&attach),
            ],
        )
    }
    .map(drop)
}
