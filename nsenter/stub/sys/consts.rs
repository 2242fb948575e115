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
