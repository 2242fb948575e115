//! aarch64: how a system call is made, and the numbers of `asm-generic/unistd.h`.

use core::arch::asm;

/// Makes a system call; returns what the kernel returned, a negative errno on failure.
///
/// # Safety
/// The arguments must be what this system call demands of pointers, lengths and lifetimes.
pub(crate) unsafe fn syscall(number: usize, args: [usize; 6]) -> isize {
    let result: isize;
    let [a, b, c, d, e, f] = args;
    // SAFETY: the kernel's calling convention: it changes x0 and nothing else; the caller answers
    // for the arguments.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a as isize => result,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f,
            options(nostack),
        );
    }
    result
}

/// `clone3(2)` with a stack: the child calls `child(argument)` on it and never returns.
///
/// # Safety
/// `args` and `size` describe a valid `struct clone_args` whose stack is writable, unused and large
/// enough for `child`; `child` does not return, and does nothing that a process sharing its
/// parent's memory must not do.
pub(crate) unsafe fn clone3(
    args: usize,
    size: usize,
    child: unsafe extern "C" fn(usize) -> !,
    argument: usize,
) -> isize {
    let result: isize;
    // SAFETY: in the parent as in `syscall`. The child starts with the same registers, x0 0, and
    // the new stack, whose top is aligned to 16.
    unsafe {
        asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x30, xzr",
            "mov x0, x10",
            "blr x9",
            "brk 1",
            "2:",
            in("x8") number::CLONE3,
            inlateout("x0") args as isize => result,
            in("x1") size, in("x9") child as usize, in("x10") argument,
        );
    }
    result
}

/// `clone(2)` with a stack, for kernels or filters that refuse `clone3`.
///
/// # Safety
/// As for [`clone3`]; `stack` is the aligned top of the stack, and `pidfd` a writable `int`.
pub(crate) unsafe fn clone(
    flags: usize,
    stack: usize,
    pidfd: usize,
    child: unsafe extern "C" fn(usize) -> !,
    argument: usize,
) -> isize {
    let result: isize;
    // SAFETY: as in `clone3`. With CLONE_PIDFD the third argument receives the descriptor.
    unsafe {
        asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x30, xzr",
            "mov x0, x10",
            "blr x9",
            "brk 1",
            "2:",
            in("x8") number::CLONE,
            inlateout("x0") flags as isize => result,
            in("x1") stack, in("x2") pidfd, in("x3") 0, in("x4") 0, in("x9") child as usize, in("x10") argument,
        );
    }
    result
}

/// The arguments of a `clone(2)` that behaves like `fork(2)`: the parent's word, for a pidfd or a
/// process id, comes third.
pub(crate) fn fork_args(flags: usize, word: usize) -> [usize; 6] {
    [flags, 0, word, 0, 0, 0]
}

/// `struct stat` of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct RawStat {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    pub(crate) mode: u32,
    nlink: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) rdev: u64,
    padding: u64,
    pub(crate) size: i64,
    block_size: i32,
    padding_2: i32,
    blocks: i64,
    pub(crate) atime: [i64; 2],
    pub(crate) mtime: [i64; 2],
    ctime: [i64; 2],
    unused: [u32; 2],
}

/// `O_DIRECTORY`.
pub(crate) const O_DIRECTORY: u32 = 0o40_000;
/// `O_NOFOLLOW`.
pub(crate) const O_NOFOLLOW: u32 = 0o100_000;

/// System call numbers.
pub(crate) mod number {
    macro_rules! numbers {
        ($($name:ident = $number:literal,)*) => {
            $(pub(crate) const $name: usize = $number;)*
        };
    }
    numbers! {
        PRLIMIT64 = 261, GETPPID = 173,
        PWRITE64 = 68,
        SETXATTR = 5, FSETXATTR = 7, FGETXATTR = 10, FLISTXATTR = 13,
        GETCWD = 17, DUP3 = 24,
        FCNTL = 25, IOCTL = 29, IOPRIO_SET = 30, MKNODAT = 33, MKDIRAT = 34, UNLINKAT = 35,
        SYMLINKAT = 36,
        UMOUNT2 = 39, MOUNT = 40, PIVOT_ROOT = 41, FSTATFS = 44, CHDIR = 49, FCHDIR = 50,
        CHROOT = 51, FCHMOD = 52,
        FCHMODAT = 53, FCHOWNAT = 54, FCHOWN = 55, OPENAT = 56, CLOSE = 57, PIPE2 = 59,
        GETDENTS64 = 61, READ = 63,
        WRITE = 64, PPOLL = 73, READLINKAT = 78, NEWFSTATAT = 79, FSTAT = 80, UTIMENSAT = 88,
        CAPSET = 91,
        PERSONALITY = 92, EXIT = 93, EXIT_GROUP = 94, WAITID = 95, UNSHARE = 97,
        CLOCK_GETTIME = 113, SCHED_SETAFFINITY = 122,
        KILL = 129, RT_SIGACTION = 134, RT_SIGPROCMASK = 135, SETRESUID = 147, SETRESGID = 149,
        SETPGID = 154,
        SETSID = 157, SETGROUPS = 159, SETHOSTNAME = 161, SETDOMAINNAME = 162, UMASK = 166,
        PRCTL = 167,
        GETPID = 172, GETUID = 174, SOCKET = 198, SENDMSG = 211, RECVMSG = 212, KEYCTL = 219,
        CLONE = 220,
        EXECVE = 221, MMAP = 222, MADVISE = 233,
        SET_MEMPOLICY = 237, SETNS = 268, SCHED_SETATTR = 274, SECCOMP = 277, MEMFD_CREATE = 279,
        EXECVEAT = 281,
        OPEN_TREE = 428, MOVE_MOUNT = 429, FSOPEN = 430, FSCONFIG = 431, FSMOUNT = 432,
        FSPICK = 433, CLONE3 = 435,
        CLOSE_RANGE = 436, OPENAT2 = 437, FACCESSAT2 = 439, MOUNT_SETATTR = 442, FCHMODAT2 = 452,
    }
}
