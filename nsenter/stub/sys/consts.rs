//! Numbers of the kernel's interface, by the names of its headers.

/// `prctl(2)`: the signal at the end of the parent.
pub(crate) const PR_SET_PDEATHSIG: u32 = 1;
/// `prctl(2)`: whether the process may be traced, and dumps core.
pub(crate) const PR_SET_DUMPABLE: u32 = 4;
/// `prctl(2)`: keep the permitted capabilities at a change of user ids.
pub(crate) const PR_SET_KEEPCAPS: u32 = 8;
/// `prctl(2)`: whether a capability is in the bounding set.
pub(crate) const PR_CAPBSET_READ: u32 = 23;
/// `prctl(2)`: remove a capability from the bounding set.
pub(crate) const PR_CAPBSET_DROP: u32 = 24;
/// `prctl(2)`: `execve(2)` gives no privileges.
pub(crate) const PR_SET_NO_NEW_PRIVS: u32 = 38;
/// `prctl(2)`: changes of the ambient set.
pub(crate) const PR_CAP_AMBIENT: u32 = 47;
/// [`PR_CAP_AMBIENT`]: add a capability.
pub(crate) const PR_CAP_AMBIENT_RAISE: usize = 2;
/// [`PR_CAP_AMBIENT`]: remove all.
pub(crate) const PR_CAP_AMBIENT_CLEAR_ALL: usize = 4;

/// The signal that cannot be caught.
pub(crate) const SIGKILL: u32 = 9;

/// The bits of `st_mode` that say the type.
pub(crate) const S_IFMT: u32 = 0o170_000;
/// A character device.
pub(crate) const S_IFCHR: u32 = 0o020_000;
/// A directory.
pub(crate) const S_IFDIR: u32 = 0o040_000;
/// A block device.
pub(crate) const S_IFBLK: u32 = 0o060_000;
/// A regular file.
pub(crate) const S_IFREG: u32 = 0o100_000;
/// A symbolic link.
pub(crate) const S_IFLNK: u32 = 0o120_000;
/// The bits of `st_mode` that say the permissions.
pub(crate) const PERMISSIONS: u32 = 0o7777;

/// `socket(2)`: messages to the kernel.
pub(crate) const AF_NETLINK: u32 = 16;
/// `socket(2)`: raw messages.
pub(crate) const SOCK_RAW: u32 = 3;
/// The protocol of `rtnetlink(7)`.
pub(crate) const NETLINK_ROUTE: u32 = 0;
/// `struct nlmsghdr`: an acknowledgement, whose errno is 0 or negative.
pub(crate) const NLMSG_ERROR: u16 = 2;

/// `prctl(2)`: load a seccomp filter.
pub(super) const PR_SET_SECCOMP: u32 = 22;
/// `prctl(2)`: the name of the thread.
pub(super) const PR_SET_NAME: u32 = 15;
/// [`PR_SET_SECCOMP`]: the argument is a filter.
pub(super) const SECCOMP_MODE_FILTER: u32 = 2;
/// `seccomp(2)`: load a filter.
pub(super) const SECCOMP_SET_MODE_FILTER: u32 = 1;
/// `capset(2)`: the version with 64 capabilities.
pub(super) const LINUX_CAPABILITY_VERSION_3: u32 = 0x2008_0522;
/// `ioprio_set(2)`: a process.
pub(super) const IOPRIO_WHO_PROCESS: u32 = 1;
/// `keyctl(2)`: make or join a session keyring.
pub(super) const KEYCTL_JOIN_SESSION_KEYRING: u32 = 1;
/// `keyctl(2)`: the permissions of a key.
pub(super) const KEYCTL_SETPERM: u32 = 5;
/// `keyctl(2)`: type, owner, permissions and description of a key.
pub(super) const KEYCTL_DESCRIBE: u32 = 6;

/// Hangup.
pub(super) const SIGHUP: i32 = 1;
/// Interrupt.
pub(super) const SIGINT: i32 = 2;
/// Quit.
pub(super) const SIGQUIT: i32 = 3;
/// Terminated.
pub(super) const SIGTERM: i32 = 15;
/// A child has ended.
pub(super) const SIGCHLD: u64 = 17;
/// The other signal that cannot be caught.
pub(super) const SIGSTOP: u32 = 19;
/// `sigaction(2)`: there is a function to return by.
pub(super) const SA_RESTORER: usize = 0x0400_0000;
/// `sigprocmask(2)`: replace the mask.
pub(super) const SIG_SETMASK: u32 = 2;
/// The size of a mask of signals.
pub(super) const SIGSET_SIZE: usize = 8;
/// `waitid(2)`: one child, by its number.
pub(super) const P_PID: u32 = 1;
/// `waitid(2)`: until it has ended.
pub(super) const WEXITED: u32 = 4;
/// `si_code`: it called `exit`.
pub(crate) const CLD_EXITED: i32 = 1;
/// `si_code`: a signal ended it, and it left a core dump.
pub(crate) const CLD_DUMPED: i32 = 3;
/// `poll(2)`: there is something to read.
pub(crate) const POLLIN: i16 = 1;

/// `fcntl(2)`: the flags of a descriptor.
pub(super) const F_SETFD: u32 = 2;
/// [`F_SETFD`]: closed by `execve(2)`.
pub(super) const FD_CLOEXEC: u32 = 1;
/// `fcntl(2)`: how much a pipe holds.
pub(super) const F_GETPIPE_SZ: u32 = 1032;
/// `fcntl(2)`: the seals of a file.
pub(super) const F_GET_SEALS: u32 = 1034;
/// The size of a file does not shrink.
pub(super) const F_SEAL_SHRINK: usize = 2;
/// The size of a file does not grow.
pub(super) const F_SEAL_GROW: usize = 4;
/// The content of a file does not change.
pub(super) const F_SEAL_WRITE: usize = 8;
/// `prlimit(2)`: the number of open files.
pub(super) const RLIMIT_NOFILE: u32 = 7;
/// `memfd_create(2)`: closed by `execve(2)`.
pub(super) const MFD_CLOEXEC: u32 = 1;
/// `faccessat2(2)`: may it be executed.
pub(super) const X_OK: u32 = 1;
/// `faccessat2(2)`: by the effective ids.
pub(super) const AT_EACCESS: u32 = 0x200;

/// `mmap(2)`: may be read.
pub(super) const PROT_READ: usize = 1;
/// `mmap(2)`: may be written.
pub(super) const PROT_WRITE: usize = 2;
/// `mmap(2)`: others see what is written.
pub(super) const MAP_SHARED: usize = 1;
/// `mmap(2)`: others do not see what is written.
pub(super) const MAP_PRIVATE: usize = 2;
/// `mmap(2)`: of no file.
pub(super) const MAP_ANONYMOUS: usize = 0x20;
/// `mmap(2)`: with the pages in place.
pub(super) const MAP_POPULATE: usize = 0x8000;
/// `madvise(2)`: not for children.
pub(super) const MADV_DONTFORK: usize = 10;
/// The clock that does not jump.
pub(super) const CLOCK_MONOTONIC: u32 = 1;

/// `setsockopt(2)` and control messages: of sockets themselves.
pub(super) const SOL_SOCKET: i32 = 1;
/// A control message with descriptors.
pub(super) const SCM_RIGHTS: i32 = 1;
/// `recvmsg(2)`: received descriptors are closed by `execve(2)`.
pub(super) const MSG_CMSG_CLOEXEC: u32 = 0x4000_0000;
/// `recvmsg(2)`: the message was longer.
pub(super) const MSG_TRUNC: u32 = 0x20;
/// `recvmsg(2)`: there were more control messages.
pub(super) const MSG_CTRUNC: u32 = 8;

/// `ioctl(2)`: become the controlling terminal.
pub(super) const TIOCSCTTY: u32 = 0x540e;
/// `ioctl(2)`: open the other end of a pseudo-terminal.
pub(super) const TIOCGPTPEER: u32 = 0x5441;
/// `ioctl(2)`: lock or unlock a pseudo-terminal.
pub(super) const TIOCSPTLCK: u32 = 0x4004_5431;
/// `ioctl(2)`: the number of a pseudo-terminal.
pub(super) const TIOCGPTN: u32 = 0x8004_5430;

/// `fsopen(2)`: closed by `execve(2)`.
pub(super) const FSOPEN_CLOEXEC: u32 = 1;
/// `fspick(2)`: closed by `execve(2)`.
pub(super) const FSPICK_CLOEXEC: u32 = 1;
/// `fspick(2)`: what the descriptor refers to.
pub(super) const FSPICK_EMPTY_PATH: u32 = 8;
/// `fsmount(2)`: closed by `execve(2)`.
pub(super) const FSMOUNT_CLOEXEC: u32 = 1;
/// `fsconfig(2)`: an option without a value.
pub(super) const FSCONFIG_SET_FLAG: u32 = 0;
/// `fsconfig(2)`: an option and a string.
pub(super) const FSCONFIG_SET_STRING: u32 = 1;
/// `fsconfig(2)`: an option and a descriptor.
pub(super) const FSCONFIG_SET_FD: u32 = 5;
/// `fsconfig(2)`: make the file system.
pub(super) const FSCONFIG_CMD_CREATE: u32 = 6;
/// `fsconfig(2)`: change the file system.
pub(super) const FSCONFIG_CMD_RECONFIGURE: u32 = 7;
/// `open_tree(2)`: a copy of the mount.
pub(super) const OPEN_TREE_CLONE: usize = 1;
/// `move_mount(2)`: the source is what its descriptor refers to.
pub(super) const MOVE_MOUNT_F_EMPTY_PATH: u32 = 4;
/// `move_mount(2)`: the target is what its descriptor refers to.
pub(super) const MOVE_MOUNT_T_EMPTY_PATH: u32 = 0x40;

/// `mount(2)`: access times are not kept.
pub(crate) const MS_NOATIME: u64 = 1024;
/// `mount(2)`: access times of directories are not kept.
pub(crate) const MS_NODIRATIME: u64 = 2048;
/// `mount(2)`: links are not followed.
pub(crate) const MS_NOSYMFOLLOW: u64 = 256;
/// `mount(2)`: access times are kept relative to the others.
pub(crate) const MS_RELATIME: u64 = 1 << 21;
/// `mount(2)`: access times are kept.
pub(crate) const MS_STRICTATIME: u64 = 1 << 24;
/// `f_flags` of `statfs(2)`: as [`MS_NOATIME`].
pub(crate) const ST_NOATIME: u64 = 1024;
/// `f_flags` of `statfs(2)`: as [`MS_NODIRATIME`].
pub(crate) const ST_NODIRATIME: u64 = 2048;
/// `f_flags` of `statfs(2)`: as [`MS_RELATIME`].
pub(crate) const ST_RELATIME: u64 = 4096;
/// `f_flags` of `statfs(2)`: as [`MS_NOSYMFOLLOW`].
pub(crate) const ST_NOSYMFOLLOW: u64 = 8192;
/// `mount_setattr(2)`: nothing may be written.
pub(crate) const MOUNT_ATTR_RDONLY: u64 = 1;
/// `mount_setattr(2)`: set-ID bits and file capabilities do not count.
pub(crate) const MOUNT_ATTR_NOSUID: u64 = 2;
/// `mount_setattr(2)`: devices cannot be opened.
pub(crate) const MOUNT_ATTR_NODEV: u64 = 4;
/// `mount_setattr(2)`: programs cannot be executed.
pub(crate) const MOUNT_ATTR_NOEXEC: u64 = 8;
/// `mount_setattr(2)`: the values for access times, a class and not a set of bits.
pub(crate) const MOUNT_ATTR_ATIME: u64 = 0x70;
/// `mount_setattr(2)`: as [`MS_NOATIME`].
pub(crate) const MOUNT_ATTR_NOATIME: u64 = 0x10;
/// `mount_setattr(2)`: as [`MS_STRICTATIME`].
pub(crate) const MOUNT_ATTR_STRICTATIME: u64 = 0x20;
/// `mount_setattr(2)`: as [`MS_NODIRATIME`].
pub(crate) const MOUNT_ATTR_NODIRATIME: u64 = 0x80;
/// `mount_setattr(2)`: as [`MS_NOSYMFOLLOW`].
pub(crate) const MOUNT_ATTR_NOSYMFOLLOW: u64 = 0x20_0000;
