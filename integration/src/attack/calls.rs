//! System calls by number, and the errors with which the kernel can answer each of them.

use libc::{
    E2BIG, EACCES, EAGAIN, EBADF, EBUSY, EEXIST, EINTR, EINVAL, EIO, ELOOP, EMFILE, ENODEV, ENOENT,
    ENOMEM, ENOSPC, ENOSYS, ENOTDIR, EPERM, EROFS, ESRCH, c_int, c_long,
};

/// The errors by name.
const NAMES: &[(&str, c_int)] = &[
    ("E2BIG", E2BIG),
    ("EACCES", EACCES),
    ("EAGAIN", EAGAIN),
    ("EBADF", EBADF),
    ("EBUSY", EBUSY),
    ("EEXIST", EEXIST),
    ("EINTR", EINTR),
    ("EINVAL", EINVAL),
    ("EIO", EIO),
    ("ELOOP", ELOOP),
    ("EMFILE", EMFILE),
    ("ENODEV", ENODEV),
    ("ENOENT", ENOENT),
    ("ENOMEM", ENOMEM),
    ("ENOSPC", ENOSPC),
    ("ENOSYS", ENOSYS),
    ("ENOTDIR", ENOTDIR),
    ("EPERM", EPERM),
    ("EROFS", EROFS),
    ("ESRCH", ESRCH),
];

/// The name of an error, or its number.
pub(super) fn error_name(number: c_int) -> String {
    let found = NAMES.iter().find(|(_, of)| *of == number);
    found.map_or_else(|| number.to_string(), |(name, _)| (*name).to_owned())
}

/// The number of an error; `None` where the name is not one of those that are used here.
pub(super) fn error_number(name: &str) -> Option<c_int> {
    let found = NAMES.iter().find(|(of, _)| *of == name);
    found.map(|(_, number)| *number)
}

/// A system call: its number, its name, and errors that its manual page gives and that a machine
/// without room, a filter or an older kernel can cause. No error: it cannot fail, or a failure
/// would say nothing, as of a call that only the C library makes when a program starts, or of
/// `dup2`, which a child of one thread makes of numbers below its limit alone. `ENOENT` is
/// not among those of look-ups: the kernel gives it only of what is not there, and what is not
/// there may need no protection.
type Row = (c_long, &'static str, &'static [c_int]);

macro_rules! calls {
    ($($name:ident $number:ident: $($error:ident)*;)*) => {
        &[$((libc::$number, stringify!($name), &[$($error),*])),*]
    };
}

const CALLS: &[Row] = calls! {
    accept4 SYS_accept4: EMFILE ENOMEM EINTR;
    access SYS_access: EACCES EIO;
    arch_prctl SYS_arch_prctl: ;
    bind SYS_bind: EACCES ENOMEM;
    bpf SYS_bpf: EPERM ENOMEM EINVAL;
    brk SYS_brk: ;
    capget SYS_capget: EPERM;
    capset SYS_capset: EPERM;
    chdir SYS_chdir: EACCES ENOMEM;
    chmod SYS_chmod: EPERM EROFS EIO;
    chown SYS_chown: EPERM EROFS;
    chroot SYS_chroot: EPERM;
    clock_gettime SYS_clock_gettime: ;
    clock_nanosleep SYS_clock_nanosleep: EINTR;
    clone SYS_clone: EAGAIN ENOMEM EPERM;
    clone3 SYS_clone3: EAGAIN ENOMEM EPERM ENOSYS ENOSPC;
    close SYS_close: EIO;
    close_range SYS_close_range: ENOSYS ENOMEM EPERM;
    connect SYS_connect: EACCES EAGAIN;
    copy_file_range SYS_copy_file_range: EIO ENOSPC ENOSYS;
    dup SYS_dup: EMFILE;
    dup2 SYS_dup2: ;
    dup3 SYS_dup3: EMFILE EBUSY;
    epoll_create1 SYS_epoll_create1: EMFILE ENOMEM;
    epoll_ctl SYS_epoll_ctl: ENOMEM ENOSPC EPERM;
    epoll_pwait SYS_epoll_pwait: EINTR;
    epoll_wait SYS_epoll_wait: EINTR;
    eventfd2 SYS_eventfd2: EMFILE ENOMEM;
    execve SYS_execve: ENOENT EACCES ENOMEM E2BIG;
    execveat SYS_execveat: ENOENT EACCES ENOMEM ENOSYS;
    exit SYS_exit: ;
    exit_group SYS_exit_group: ;
    faccessat SYS_faccessat: EACCES EIO;
    faccessat2 SYS_faccessat2: EACCES ENOSYS EPERM;
    fadvise64 SYS_fadvise64: EINVAL;
    fallocate SYS_fallocate: ENOSPC EIO;
    fchdir SYS_fchdir: EACCES;
    fchmod SYS_fchmod: EPERM EROFS;
    fchmodat SYS_fchmodat: EPERM EROFS;
    fchmodat2 SYS_fchmodat2: EPERM ENOSYS;
    fchown SYS_fchown: EPERM EROFS;
    fchownat SYS_fchownat: EPERM EROFS;
    fcntl SYS_fcntl: EMFILE EAGAIN EBUSY;
    fdatasync SYS_fdatasync: EIO;
    flock SYS_flock: EINTR ENOMEM EAGAIN;
    fork SYS_fork: EAGAIN ENOMEM;
    fsconfig SYS_fsconfig: EPERM EINVAL ENOMEM EBUSY;
    fsetxattr SYS_fsetxattr: EPERM ENOSPC;
    fsmount SYS_fsmount: EPERM EMFILE ENOMEM;
    fsopen SYS_fsopen: EPERM ENODEV ENOSYS;
    fspick SYS_fspick: EPERM ENOSYS;
    fstat SYS_fstat: ENOMEM EIO;
    fstatfs SYS_fstatfs: EIO ENOSYS;
    fsync SYS_fsync: EIO;
    ftruncate SYS_ftruncate: EIO EPERM;
    futex SYS_futex: EINTR EAGAIN;
    getcwd SYS_getcwd: ENOENT ENOMEM;
    getdents64 SYS_getdents64: EIO;
    getegid SYS_getegid: ;
    geteuid SYS_geteuid: ;
    getgid SYS_getgid: ;
    getpgid SYS_getpgid: ESRCH;
    getpgrp SYS_getpgrp: ;
    getpid SYS_getpid: ;
    getppid SYS_getppid: ;
    getrandom SYS_getrandom: EAGAIN EINTR ENOSYS;
    getresgid SYS_getresgid: ;
    getresuid SYS_getresuid: ;
    getrlimit SYS_getrlimit: EPERM;
    getsockname SYS_getsockname: ENOMEM;
    getsockopt SYS_getsockopt: ENOMEM;
    gettid SYS_gettid: ;
    getuid SYS_getuid: ;
    getxattr SYS_getxattr: EIO;
    inotify_add_watch SYS_inotify_add_watch: ENOSPC ENOMEM;
    inotify_init1 SYS_inotify_init1: EMFILE ENOMEM;
    ioctl SYS_ioctl: EPERM EIO;
    keyctl SYS_keyctl: EPERM ENOMEM ENOSYS;
    kill SYS_kill: EPERM ESRCH;
    lseek SYS_lseek: EINVAL;
    lstat SYS_lstat: EACCES EIO;
    madvise SYS_madvise: ENOMEM;
    memfd_create SYS_memfd_create: EMFILE ENOMEM ENOSYS;
    mkdir SYS_mkdir: EACCES ENOSPC EROFS;
    mkdirat SYS_mkdirat: EACCES ENOSPC EROFS;
    mknod SYS_mknod: EPERM ENOSPC;
    mknodat SYS_mknodat: EPERM ENOSPC EROFS;
    mmap SYS_mmap: ENOMEM;
    mount SYS_mount: EPERM ENOMEM EBUSY EINVAL;
    mount_setattr SYS_mount_setattr: EPERM EINVAL ENOSYS;
    move_mount SYS_move_mount: EPERM EINVAL ENOSYS;
    mprotect SYS_mprotect: ENOMEM;
    mremap SYS_mremap: ENOMEM;
    munmap SYS_munmap: ;
    name_to_handle_at SYS_name_to_handle_at: EPERM ENOSYS;
    nanosleep SYS_nanosleep: EINTR;
    newfstatat SYS_newfstatat: EACCES ENOMEM;
    open SYS_open: EACCES EMFILE EIO;
    openat SYS_openat: EACCES EMFILE EIO EINTR;
    openat2 SYS_openat2: EACCES EMFILE ENOSYS EAGAIN ELOOP;
    open_tree SYS_open_tree: EPERM EMFILE ENOSYS;
    pidfd_getfd SYS_pidfd_getfd: EPERM EMFILE ENOSYS;
    pidfd_open SYS_pidfd_open: EMFILE ESRCH ENOSYS;
    pidfd_send_signal SYS_pidfd_send_signal: EPERM ESRCH ENOSYS;
    pipe2 SYS_pipe2: EMFILE;
    pivot_root SYS_pivot_root: EPERM EBUSY;
    poll SYS_poll: EINTR ENOMEM;
    ppoll SYS_ppoll: EINTR ENOMEM;
    prctl SYS_prctl: EPERM EINVAL;
    pread64 SYS_pread64: EIO EINTR;
    prlimit64 SYS_prlimit64: EPERM ESRCH;
    pwrite64 SYS_pwrite64: EIO ENOSPC;
    read SYS_read: EIO EINTR ENODEV;
    readlink SYS_readlink: EACCES ENOMEM;
    readlinkat SYS_readlinkat: EACCES ENOMEM;
    readv SYS_readv: EIO EINTR;
    // The standard library asks a socket by it whether a child has begun its program. The kernel
    // needs no memory to answer; with another error the parent would wait for the child's end.
    recvfrom SYS_recvfrom: EINTR;
    recvmsg SYS_recvmsg: EINTR ENOMEM EMFILE;
    rename SYS_rename: EACCES ENOSPC EROFS;
    renameat SYS_renameat: EACCES ENOSPC;
    renameat2 SYS_renameat2: EACCES ENOSPC EINVAL ENOSYS EEXIST;
    rmdir SYS_rmdir: EBUSY EACCES EROFS;
    rseq SYS_rseq: ;
    rt_sigaction SYS_rt_sigaction: ;
    rt_sigprocmask SYS_rt_sigprocmask: ;
    rt_sigreturn SYS_rt_sigreturn: ;
    sched_getaffinity SYS_sched_getaffinity: EPERM;
    sched_setaffinity SYS_sched_setaffinity: EPERM EINVAL;
    sched_setattr SYS_sched_setattr: EPERM EINVAL;
    sched_yield SYS_sched_yield: ;
    seccomp SYS_seccomp: EPERM EINVAL ENOSYS ENOMEM;
    sendfile SYS_sendfile: EIO ENOMEM EINVAL;
    sendmsg SYS_sendmsg: ENOMEM EINTR;
    sendto SYS_sendto: ENOMEM EINTR;
    set_robust_list SYS_set_robust_list: ;
    set_tid_address SYS_set_tid_address: ;
    setgid SYS_setgid: EPERM;
    setgroups SYS_setgroups: EPERM ENOMEM;
    sethostname SYS_sethostname: EPERM;
    setns SYS_setns: EPERM ENOMEM;
    setpgid SYS_setpgid: EPERM;
    setpriority SYS_setpriority: EACCES EPERM;
    setresgid SYS_setresgid: EPERM;
    setresuid SYS_setresuid: EPERM EAGAIN;
    setrlimit SYS_setrlimit: EPERM;
    setsid SYS_setsid: EPERM;
    setsockopt SYS_setsockopt: EPERM ENOMEM;
    setuid SYS_setuid: EPERM EAGAIN;
    setxattr SYS_setxattr: EPERM ENOSPC;
    shutdown SYS_shutdown: ;
    sigaltstack SYS_sigaltstack: ENOMEM;
    signalfd4 SYS_signalfd4: EMFILE ENOMEM;
    socket SYS_socket: EMFILE EACCES;
    socketpair SYS_socketpair: EMFILE ENOMEM;
    splice SYS_splice: EINVAL ENOMEM;
    stat SYS_stat: EACCES EIO;
    statfs SYS_statfs: EACCES EIO;
    statx SYS_statx: EACCES ENOMEM ENOSYS;
    symlink SYS_symlink: EACCES ENOSPC;
    symlinkat SYS_symlinkat: EACCES ENOSPC EROFS;
    tgkill SYS_tgkill: ESRCH EPERM;
    timer_create SYS_timer_create: EAGAIN ENOMEM;
    timer_settime SYS_timer_settime: EINVAL;
    timerfd_create SYS_timerfd_create: EMFILE ENOMEM;
    timerfd_settime SYS_timerfd_settime: EINVAL;
    umask SYS_umask: ;
    umount2 SYS_umount2: EPERM EBUSY EINVAL;
    uname SYS_uname: ;
    unlink SYS_unlink: EACCES EBUSY EROFS;
    unlinkat SYS_unlinkat: EACCES EBUSY EROFS;
    unshare SYS_unshare: EPERM ENOSPC ENOMEM EINVAL;
    utimensat SYS_utimensat: EACCES EPERM;
    vfork SYS_vfork: EAGAIN ENOMEM;
    wait4 SYS_wait4: EINTR;
    waitid SYS_waitid: EINTR;
    write SYS_write: EIO ENOSPC EINTR EPERM EBUSY;
    writev SYS_writev: EIO ENOSPC;
};

/// What is known of a system call; `None` where it is not in the table.
fn row(number: u64) -> Option<&'static Row> {
    CALLS.iter().find(|row| u64::try_from(row.0) == Ok(number))
}

/// The name of a system call, or its number.
pub(super) fn name(number: u64) -> String {
    row(number).map_or_else(|| number.to_string(), |row| row.1.to_owned())
}

/// Errors with which the kernel can answer it. Of a call that is not in the table: `EPERM`, which
/// a filter answers.
pub(super) fn errors(number: u64) -> &'static [c_int] {
    row(number).map_or(&[EPERM], |row| row.2)
}

/// Whether the kernel has done what was asked when it answers with an error: close(2) of Linux
/// frees the descriptor in any case, and futex(2) has no error for a wake, which who waits would
/// miss for ever; a wait with one is repeated.
pub(super) fn is_done_nevertheless(number: u64) -> bool {
    is_one_of(number, &[libc::SYS_close, libc::SYS_futex])
}

/// Whether an error of it ends a program of any kind: without memory no message can be written.
pub(super) fn may_abort(number: u64) -> bool {
    is_one_of(
        number,
        &[libc::SYS_mmap, libc::SYS_mprotect, libc::SYS_mremap],
    )
}

/// Whether it is a write(2), as which a message about another failure appears.
pub(super) fn is_write(number: u64) -> bool {
    is_one_of(number, &[libc::SYS_write, libc::SYS_writev])
}

/// Whether it makes device nodes.
pub(super) fn makes_nodes(number: u64) -> bool {
    is_one_of(number, &[libc::SYS_mknod, libc::SYS_mknodat])
}

fn is_one_of(number: u64, calls: &[c_long]) -> bool {
    calls.iter().any(|call| u64::try_from(*call) == Ok(number))
}
