//! x86_64: how a system call is made, and the numbers of `asm/unistd_64.h`.

use core::arch::asm;

/// Makes a system call; returns what the kernel returned, a negative errno on failure.
///
/// # Safety
/// The arguments must be what this system call demands of pointers, lengths and lifetimes.
pub(crate) unsafe fn syscall(number: usize, args: [usize; 6]) -> isize {
    let result: isize;
    let [a, b, c, d, e, f] = args;
    // SAFETY: the kernel's calling convention: it changes rax, rcx and r11 and nothing else; the
    // caller answers for the arguments.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
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
    // SAFETY: in the parent as in `syscall`. The child starts with the same registers, rax 0, and
    // the new stack, whose top is aligned to 16; the call pushes the return address that the
    // ABI expects there.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r9",
            "call r8",
            "ud2",
            "2:",
            inlateout("rax") number::CLONE3 as isize => result,
            in("rdi") args, in("rsi") size, in("r8") child as usize, in("r9") argument,
            lateout("rcx") _, lateout("r11") _,
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
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") number::CLONE as isize => result,
            in("rdi") flags, in("rsi") stack, in("rdx") pidfd, in("r10") 0, in("r8") 0,
            in("r12") argument, in("r13") child as usize,
            lateout("rcx") _, lateout("r11") _,
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
    nlink: u64,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    padding: u32,
    pub(crate) rdev: u64,
    pub(crate) size: i64,
    block_size: i64,
    blocks: i64,
    pub(crate) atime: [i64; 2],
    pub(crate) mtime: [i64; 2],
    ctime: [i64; 2],
    unused: [i64; 3],
}

/// `O_DIRECTORY`.
pub(crate) const O_DIRECTORY: u32 = 0o200_000;
/// `O_NOFOLLOW`.
pub(crate) const O_NOFOLLOW: u32 = 0o400_000;

/// System call numbers.
pub(crate) mod number {
    macro_rules! numbers {
        ($($name:ident = $number:literal,)*) => {
            $(pub(crate) const $name: usize = $number;)*
        };
    }
    numbers! {
        PRLIMIT64 = 302, GETPPID = 110,
        PWRITE64 = 18,
        READ = 0, WRITE = 1, CLOSE = 3, FSTAT = 5, MMAP = 9, MADVISE = 28, RT_SIGACTION = 13,
        RT_SIGPROCMASK = 14, IOCTL = 16,
        GETPID = 39, SOCKET = 41, SENDMSG = 46, RECVMSG = 47, CLONE = 56, EXECVE = 59, KILL = 62,
        FCNTL = 72,
        GETCWD = 79, CHDIR = 80, FCHDIR = 81, FCHMOD = 91, FCHOWN = 93, UMASK = 95, SETPGID = 109,
        GETUID = 102, SETSID = 112,
        SETGROUPS = 116, SETRESUID = 117, SETRESGID = 119, CAPSET = 126, PERSONALITY = 135,
        FSTATFS = 138,
        PIVOT_ROOT = 155, PRCTL = 157, CHROOT = 161, MOUNT = 165, UMOUNT2 = 166, SETHOSTNAME = 170,
        SETDOMAINNAME = 171, SETXATTR = 188, FSETXATTR = 190,
        FGETXATTR = 193, FLISTXATTR = 196,
        SCHED_SETAFFINITY = 203, GETDENTS64 = 217, CLOCK_GETTIME = 228, EXIT = 60, EXIT_GROUP = 231,
        SET_MEMPOLICY = 238,
        WAITID = 247, KEYCTL = 250, IOPRIO_SET = 251, OPENAT = 257, MKDIRAT = 258, MKNODAT = 259,
        FCHOWNAT = 260,
        NEWFSTATAT = 262, UNLINKAT = 263, SYMLINKAT = 266, READLINKAT = 267, FCHMODAT = 268,
        PPOLL = 271,
        UNSHARE = 272, UTIMENSAT = 280, DUP3 = 292, PIPE2 = 293, SETNS = 308, SCHED_SETATTR = 314,
        SECCOMP = 317,
        MEMFD_CREATE = 319, EXECVEAT = 322,
        OPEN_TREE = 428, MOVE_MOUNT = 429, FSOPEN = 430, FSCONFIG = 431, FSMOUNT = 432,
        FSPICK = 433, CLONE3 = 435,
        CLOSE_RANGE = 436, OPENAT2 = 437, FACCESSAT2 = 439, MOUNT_SETATTR = 442, FCHMODAT2 = 452,
    }
}
