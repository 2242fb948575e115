//! Starting a program in the namespaces of this process, without a copy of its address space.

use std::ffi::{CStr, CString, c_char};
use std::io;
use std::mem::{MaybeUninit, size_of, size_of_val};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::arch::{self, number};
use super::{CLONE_PIDFD, CLONE_VFORK, CLONE_VM, SignalsBlocked, Stack};

/// What is started.
pub(crate) struct Start<'a> {
    pub(crate) path: &'a CStr,
    pub(crate) args: &'a [CString],
    pub(crate) env: &'a [CString],
    pub(crate) directory: Option<BorrowedFd<'a>>,
    /// Standard input, output and error.
    pub(crate) streams: [BorrowedFd<'a>; 3],
}

/// Why it was not started.
#[derive(Debug)]
pub(crate) enum NotStarted {
    /// The clone failed.
    Clone(io::Error),
    /// The working directory cannot be entered.
    Directory(io::Error),
    /// The program cannot be executed.
    Execute(io::Error),
    /// Another call failed in the child.
    Child(io::Error),
}

/// The same for the child, which shares the memory of its parent until it executes the program.
#[repr(C)]
struct Raw {
    path: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
    /// Or -1.
    directory: i32,
    streams: [i32; 3],
    /// 0, or why the program is not running.
    errno: i32,
    /// Which call failed.
    call: usize,
}

/// The kernel's `struct sigaction`, as numbers: handler, flags, restorer, mask.
type Action = [usize; 4];

const SIG_IGN: usize = 1;
const LAST_SIGNAL: usize = 64;
/// `RLIMIT_NOFILE`.
const NOFILE: usize = 7;

/// The child: a process group of its own, the directory, three streams and nothing else open,
/// signals as a program expects them. Only system calls.
///
/// # Safety
/// `start` is the address of a valid [`Raw`] that is used by nothing else meanwhile.
unsafe extern "C" fn child(start: usize) -> ! {
    let start = start as *mut Raw;
    // SAFETY: system calls with valid arguments: numbers, pointers to variables of this function or
    // to what the parent has prepared. Nothing is allocated, locked, or left behind in the
    // memory that is the parent's too.
    unsafe {
        let call = |number: usize, args: [usize; 6]| -> usize {
            let result = arch::syscall(number, args);
            if (-4095..0).contains(&result) {
                (&raw mut (*start).errno).write_volatile(result.wrapping_neg() as i32);
                (&raw mut (*start).call).write_volatile(number);
                loop {
                    arch::syscall(number::EXIT_GROUP, [127, 0, 0, 0, 0, 0]);
                }
            }
            result as usize
        };
        call(number::SETPGID, [0; 6]);
        if (*start).directory >= 0 {
            let directory = (*start).directory as usize;
            call(number::FCHDIR, [directory, 0, 0, 0, 0, 0]);
        }
        // Out of the way first: a stream may have the number of another. F_DUPFD_CLOEXEC.
        let streams = (*start).streams;
        let mut lifted = [0; 3];
        for (stream, lifted) in streams.iter().zip(&mut lifted) {
            *lifted = call(number::FCNTL, [*stream as usize, 1030, 3, 0, 0, 0]);
        }
        for (index, lifted) in lifted.iter().enumerate() {
            call(number::DUP3, [*lifted, index, 0, 0, 0, 0]);
        }
        if arch::syscall(number::CLOSE_RANGE, [3, u32::MAX as usize, 0, 0, 0, 0]) != 0 {
            close_one_by_one();
        }
        reset_signals();
        let (path, argv, envp) = ((*start).path, (*start).argv, (*start).envp);
        call(
            number::EXECVE,
            [path as usize, argv as usize, envp as usize, 0, 0, 0],
        );
        loop {
            arch::syscall(number::EXIT_GROUP, [127, 0, 0, 0, 0, 0]);
        }
    }
}

/// For a kernel or filter without `close_range(2)` (Linux 5.9). What is open beyond a limit that
/// was lowered later, or beyond more descriptors than a container manager has, stays.
///
/// # Safety
/// Closes descriptors: only for the child, which has a table of its own.
unsafe fn close_one_by_one() {
    let mut limit = [0_u64; 2];
    // SAFETY: room for one struct rlimit64.
    unsafe {
        arch::syscall(
            number::PRLIMIT64,
            [0, NOFILE, 0, &raw mut limit as usize, 0, 0],
        );
    }
    let end = limit[0].min(65_536) as usize;
    let mut number = 3;
    while number < end {
        // SAFETY: a number that is not open is refused.
        unsafe { arch::syscall(number::CLOSE, [number, 0, 0, 0, 0, 0]) };
        number = number.wrapping_add(1);
    }
}

/// No handler of the parent may run in the memory that is the parent's too, so they go before
/// signals are let in. What this process ignores for its own sake, a program does not expect to be
/// ignored; what its caller ignores stays so.
///
/// # Safety
/// Only for the child, which has a table of its own.
unsafe fn reset_signals() {
    let default: Action = [0; 4];
    let mut signal = 1;
    while signal <= LAST_SIGNAL {
        let mut before: Action = [SIG_IGN, 0, 0, 0];
        let own = signal == libc::SIGPIPE as usize || signal == libc::SIGXFSZ as usize;
        // SAFETY: both are structs of the kernel's size; SIGKILL and SIGSTOP are refused.
        unsafe {
            arch::syscall(
                number::RT_SIGACTION,
                [signal, 0, &raw mut before as usize, 8, 0, 0],
            );
            if before[0] > SIG_IGN || own {
                arch::syscall(
                    number::RT_SIGACTION,
                    [signal, &raw const default as usize, 0, 8, 0, 0],
                );
            }
        }
        signal = signal.wrapping_add(1);
    }
    let none = 0_u64;
    // SAFETY: a mask of 8 bytes; SIG_SETMASK is 2.
    unsafe {
        arch::syscall(
            number::RT_SIGPROCMASK,
            [2, &raw const none as usize, 0, 8, 0, 0],
        );
    }
}

/// The addresses of strings, and a null at the end.
fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    let strings = strings.iter().map(|string| string.as_ptr());
    strings.chain([std::ptr::null()]).collect()
}

/// Starts it: `clone3(2)` with memory shared until the program is executed, as `vfork(2)` does, on
/// a stack of its own and with all signals blocked; `clone(2)` where that is refused. Returns
/// process id and pidfd of a child that is to be reaped.
pub(crate) fn start(start: &Start<'_>) -> Result<(u32, OwnedFd), NotStarted> {
    let (argv, envp) = (pointers(start.args), pointers(start.env));
    let mut raw = Raw {
        path: start.path.as_ptr(),
        argv: argv.as_ptr(),
        envp: envp.as_ptr(),
        directory: start.directory.map_or(-1, |fd| fd.as_raw_fd()),
        streams: start.streams.map(|fd| fd.as_raw_fd()),
        errno: 0,
        call: 0,
    };
    let raw_at = &raw mut raw;
    let mut stack = Stack([MaybeUninit::uninit(); 16 << 10]);
    let mut pidfd: i32 = -1;
    let flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD;
    // flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls.
    let args: [u64; 8] = [
        flags,
        &raw mut pidfd as u64,
        0,
        0,
        libc::SIGCHLD as u64,
        &raw mut stack as u64,
        size_of::<Stack>() as u64,
        0,
    ];
    let mut result;
    {
        let _blocked = SignalsBlocked::new().map_err(NotStarted::Clone)?;
        // SAFETY: clone_args of that size, with a stack of 16 KiB that is used for nothing else.
        // CLONE_VFORK suspends this thread until the child has executed the program or
        // ended, so everything the child reads and writes outlives it.
        result = unsafe {
            arch::clone3(
                &raw const args as usize,
                size_of_val(&args),
                child,
                raw_at as usize,
            )
        };
        if result == -(libc::ENOSYS as isize) || result == -(libc::EPERM as isize) {
            let top = (&raw mut stack as usize).wrapping_add(size_of::<Stack>());
            let flags = flags | libc::SIGCHLD as u64;
            // SAFETY: as above, with the older call.
            result = unsafe {
                arch::clone(
                    flags as usize,
                    top,
                    &raw mut pidfd as usize,
                    child,
                    raw_at as usize,
                )
            };
        }
    }
    let Ok(pid) = u32::try_from(result) else {
        let errno = result.wrapping_neg() as i32;
        return Err(NotStarted::Clone(io::Error::from_raw_os_error(errno)));
    };
    // SAFETY: the kernel has stored a new descriptor there, which is ours alone.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    // SAFETY: the child, which wrote these, has executed the program or ended.
    let (errno, call) = unsafe {
        (
            (&raw const (*raw_at).errno).read_volatile(),
            (&raw const (*raw_at).call).read_volatile(),
        )
    };
    if errno == 0 {
        return Ok((pid, pidfd));
    }
    let _ = crate::pidfd::wait(&pidfd);
    let error = io::Error::from_raw_os_error(errno);
    Err(match call {
        number::EXECVE => NotStarted::Execute(error),
        number::FCHDIR => NotStarted::Directory(error),
        _ => NotStarted::Child(error),
    })
}
