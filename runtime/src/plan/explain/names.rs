//! The names that the kernel has for numbers.

use nsenter::NamespaceSet;

use super::Shown;
use crate::plan::{Gate, Tag, capability_name};
use crate::process::signal::Signal;

/// What a number in a field means.
enum Names {
    /// An id, a count or a limit: a number and nothing else.
    Plain,
    /// A sum of bits.
    Bits(&'static [(u64, &'static str)]),
    /// One of these.
    OneOf(&'static [(u64, &'static str)]),
    /// As this function says.
    By(fn(u64) -> Shown),
}

/// How many capabilities there are (`linux/capability.h`, Linux 5.9).
pub(crate) const CAPABILITIES: usize = 41;

macro_rules! libc_names {
    ($($name:ident)+) => {{
        #[allow(
            clippy::cast_lossless,
            clippy::cast_sign_loss,
            clippy::unnecessary_cast,
            reason = "constants of different types, none negative"
        )]
        const NAMES: &[(u64, &str)] = &[$((libc::$name as u64, stringify!($name))),+];
        NAMES
    }};
}

/// `mount(2)`: propagation.
static PROPAGATION: &[(u64, &str)] =
    libc_names!(MS_REC MS_PRIVATE MS_SLAVE MS_SHARED MS_UNBINDABLE);

static OPEN: &[(u64, &str)] = libc_names!(
    O_CREAT O_EXCL O_NOCTTY O_TRUNC O_APPEND O_NONBLOCK O_DIRECTORY O_NOFOLLOW O_CLOEXEC O_PATH
);

static RESOLVE: &[(u64, &str)] = libc_names!(
    RESOLVE_NO_XDEV RESOLVE_NO_MAGICLINKS RESOLVE_NO_SYMLINKS RESOLVE_BENEATH RESOLVE_IN_ROOT
    RESOLVE_CACHED
);

static UNMOUNT: &[(u64, &str)] = libc_names!(MNT_FORCE MNT_DETACH MNT_EXPIRE UMOUNT_NOFOLLOW);

static FAMILIES: &[(u64, &str)] = libc_names!(AF_UNIX AF_INET AF_INET6 AF_NETLINK);

static SOCKETS: &[(u64, &str)] = libc_names!(SOCK_STREAM SOCK_DGRAM SOCK_RAW SOCK_SEQPACKET);

/// `getrlimit(2)`.
static RESOURCES: &[(u64, &str)] = libc_names!(
    RLIMIT_CPU RLIMIT_FSIZE RLIMIT_DATA RLIMIT_STACK RLIMIT_CORE RLIMIT_RSS RLIMIT_NPROC
    RLIMIT_NOFILE RLIMIT_MEMLOCK RLIMIT_AS RLIMIT_LOCKS RLIMIT_SIGPENDING RLIMIT_MSGQUEUE
    RLIMIT_NICE RLIMIT_RTPRIO RLIMIT_RTTIME
);

/// `seccomp(2)`.
static FILTER_FLAGS: &[(u64, &str)] = &[
    (1, "SECCOMP_FILTER_FLAG_TSYNC"),
    (1 << 1, "SECCOMP_FILTER_FLAG_LOG"),
    (1 << 2, "SECCOMP_FILTER_FLAG_SPEC_ALLOW"),
    (1 << 3, "SECCOMP_FILTER_FLAG_NEW_LISTENER"),
    (1 << 4, "SECCOMP_FILTER_FLAG_TSYNC_ESRCH"),
    (1 << 5, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"),
];

/// `linux/keyctl.h`: what the owner and the possessor of a key may do.
static KEY_PERMISSIONS: &[(u64, &str)] = &[
    (0x0001_0000, "KEY_USR_VIEW"),
    (0x0002_0000, "KEY_USR_READ"),
    (0x0004_0000, "KEY_USR_WRITE"),
    (0x0008_0000, "KEY_USR_SEARCH"),
    (0x0010_0000, "KEY_USR_LINK"),
    (0x0020_0000, "KEY_USR_SETATTR"),
];

/// `statfs(2)`.
static MAGIC: &[(u64, &str)] = &[
    (0x9fa0, "PROC_SUPER_MAGIC"),
    (0x6265_6572, "SYSFS_MAGIC"),
    (0x27_e0eb, "CGROUP_SUPER_MAGIC"),
    (0x6367_7270, "CGROUP2_SUPER_MAGIC"),
];

/// `personality(2)`.
static PERSONALITIES: &[(u64, &str)] = &[(0, "PER_LINUX"), (8, "PER_LINUX32")];

/// `mount_setattr(2)`, but for the times of access, which are one value of two bits.
static ATTRIBUTES: &[(u64, &str)] = &[
    (0x1, "MOUNT_ATTR_RDONLY"),
    (0x2, "MOUNT_ATTR_NOSUID"),
    (0x4, "MOUNT_ATTR_NODEV"),
    (0x8, "MOUNT_ATTR_NOEXEC"),
    (0x80, "MOUNT_ATTR_NODIRATIME"),
    (0x10_0000, "MOUNT_ATTR_IDMAP"),
    (0x20_0000, "MOUNT_ATTR_NOSYMFOLLOW"),
];

/// `inode(7)`.
static FILE_TYPES: &[(u64, &str)] =
    libc_names!(S_IFSOCK S_IFLNK S_IFREG S_IFBLK S_IFDIR S_IFCHR S_IFIFO);

/// The field `id` of an operation, by `OPERATION.FIELD`. A field that is not here is no number, or
/// the tests name it.
#[rustfmt::skip]
static FIELDS: &[(&str, Names)] = &[
    ("Open.flags", Names::By(open_flags)),
    ("Open.resolve", Names::Bits(RESOLVE)),
    ("Verify.inode", Names::Plain),
    ("Verify.magic", Names::OneOf(MAGIC)),
    ("DeathSignal.signal", Names::By(signal)),
    ("IoPriority.value", Names::By(io_priority)),
    ("Personality.domain", Names::OneOf(PERSONALITIES)),
    ("ResourceLimit.resource", Names::OneOf(RESOURCES)),
    ("ResourceLimit.soft", Names::By(limit)),
    ("ResourceLimit.hard", Names::By(limit)),
    ("MemoryPolicy.mode", Names::By(memory_policy)),
    ("SetGid.gid", Names::Plain),
    ("SetUid.uid", Names::Plain),
    ("StdioOwner.uid", Names::Plain),
    ("BoundingSet.keep", Names::By(capabilities)),
    ("BoundingSet.last", Names::By(capability)),
    ("Capabilities.effective", Names::By(capabilities)),
    ("Capabilities.permitted", Names::By(capabilities)),
    ("Capabilities.inheritable", Names::By(capabilities)),
    ("AmbientSet.set", Names::By(capabilities)),
    ("Keyring.add_permissions", Names::Bits(KEY_PERMISSIONS)),
    ("NewMount.attributes", Names::By(attributes)),
    ("MountOn.attributes", Names::By(attributes)),
    ("MountIn.attributes", Names::By(attributes)),
    ("MountAttributes.set", Names::By(attributes)),
    ("MountAttributes.clear", Names::By(attributes)),
    ("MountAttributes.propagation", Names::Bits(PROPAGATION)),
    ("MountAttributesOfAll.set", Names::By(attributes)),
    ("MountAttributesOfAll.clear", Names::By(attributes)),
    ("Propagation.flags", Names::Bits(PROPAGATION)),
    ("HolderPropagation.kind", Names::Bits(PROPAGATION)),
    ("Unmount.flags", Names::Bits(UNMOUNT)),
    ("MakeNode.uid", Names::Plain),
    ("MakeNode.gid", Names::Plain),
    ("Socket.family", Names::OneOf(FAMILIES)),
    ("Socket.kind", Names::OneOf(SOCKETS)),
    ("Socket.protocol", Names::OneOf(&[(0, "NETLINK_ROUTE")])),
    ("AskGate.number", Names::By(gate)),
    ("SendDescriptor.tag", Names::By(tag)),
    ("AskDescriptor.tag", Names::By(tag)),
    ("SendDescriptorAndWait.tag", Names::By(tag)),
    ("Seccomp.flags", Names::Bits(FILTER_FLAGS)),
];

/// Whether there is something to say of a field.
#[cfg(test)]
pub(in crate::plan) fn is_known(operation: &str, field: &str) -> bool {
    find(operation, field).is_some()
}

fn find(operation: &str, field: &str) -> Option<&'static Names> {
    let is_field = |known: &&(&str, Names)| known.0.split_once('.') == Some((operation, field));
    FIELDS.iter().find(is_field).map(|(_, names)| names)
}

/// The number in a field of an operation, by name.
pub(super) fn of(operation: &str, field: &str, number: u64) -> Shown {
    match find(operation, field) {
        None | Some(Names::Plain) => Shown::Number(number),
        Some(Names::Bits(names)) => Shown::Names(bits(number, names)),
        Some(Names::OneOf(names)) => Shown::Word(one_of(number, names)),
        Some(Names::By(show)) => show(number),
    }
}

fn one_of(number: u64, names: &[(u64, &str)]) -> String {
    let known = names.iter().find(|(known, _)| *known == number);
    known.map_or_else(|| format!("{number:#x}"), |(_, name)| (*name).to_owned())
}

/// The names of bits, and what is left as a number.
fn bits(number: u64, names: &[(u64, &str)]) -> Vec<String> {
    let mut left = number;
    let mut list = Vec::new();
    for (bit, name) in names {
        if left & bit != 0 {
            list.push((*name).to_owned());
            left &= !bit;
        }
    }
    if left != 0 {
        list.push(format!("{left:#x}"));
    }
    list
}

/// `openat2(2)`: the access mode is a number, not bits, and none with `O_PATH`.
fn open_flags(flags: u64) -> Shown {
    let path = u64::from(libc::O_PATH.cast_unsigned());
    let (access, rest) = (flags & 3, flags & !3);
    let mut list = bits(rest, OPEN);
    if flags & path == 0 {
        let name = match access {
            0 => "O_RDONLY",
            1 => "O_WRONLY",
            _ => "O_RDWR",
        };
        list.insert(0, name.to_owned());
    }
    Shown::Names(list)
}

/// `MOUNT_ATTR_*`, with the times of access: none of their bits is `MOUNT_ATTR_RELATIME`, the
/// default; all of them stand for the whole in a set of those to clear.
fn attributes(value: u64) -> Shown {
    const ATIME: u64 = 0x70;
    let mut list = bits(value & !ATIME, ATTRIBUTES);
    match value & ATIME {
        0 => {}
        0x10 => list.push("MOUNT_ATTR_NOATIME".to_owned()),
        0x20 => list.push("MOUNT_ATTR_STRICTATIME".to_owned()),
        ATIME => list.push("MOUNT_ATTR__ATIME".to_owned()),
        other => list.push(format!("{other:#x}")),
    }
    Shown::Names(list)
}

fn capabilities(set: u64) -> Shown {
    let all = (0..u64::BITS).filter(|number| set >> number & 1 != 0);
    Shown::Set(all.map(capability_name).collect())
}

fn capability(number: u64) -> Shown {
    Shown::Word(u32::try_from(number).map_or_else(|_| number.to_string(), capability_name))
}

fn signal(number: u64) -> Shown {
    let signal = i32::try_from(number).ok().and_then(Signal::from_number);
    Shown::Word(signal.map_or_else(|| number.to_string(), |signal| signal.to_string()))
}

/// `getrlimit(2)`.
fn limit(value: u64) -> Shown {
    match value {
        u64::MAX => Shown::Word("RLIM_INFINITY".to_owned()),
        value => Shown::Number(value),
    }
}

/// `ioprio_set(2)`.
fn io_priority(value: u64) -> Shown {
    let class = match value >> 13 {
        0 => "IOPRIO_CLASS_NONE",
        1 => "IOPRIO_CLASS_RT",
        2 => "IOPRIO_CLASS_BE",
        _ => "IOPRIO_CLASS_IDLE",
    };
    Shown::Word(format!("{class} level {}", value & 0x1fff))
}

/// `set_mempolicy(2)`: the policy, and flags on top.
fn memory_policy(value: u64) -> Shown {
    const POLICIES: [&str; 7] = [
        "MPOL_DEFAULT",
        "MPOL_PREFERRED",
        "MPOL_BIND",
        "MPOL_INTERLEAVE",
        "MPOL_LOCAL",
        "MPOL_PREFERRED_MANY",
        "MPOL_WEIGHTED_INTERLEAVE",
    ];
    const FLAGS: &[(u64, &str)] = &[
        (1 << 13, "MPOL_F_NUMA_BALANCING"),
        (1 << 14, "MPOL_F_RELATIVE_NODES"),
        (1 << 15, "MPOL_F_STATIC_NODES"),
    ];
    let policy = usize::try_from(value & 0x1fff).ok();
    let policy = policy.and_then(|at| POLICIES.get(at));
    let mut list = bits(value & !0x1fff, FLAGS);
    let first = policy.map_or_else(
        || format!("{:#x}", value & 0x1fff),
        |name| (*name).to_owned(),
    );
    list.insert(0, first);
    Shown::Names(list)
}

fn gate(number: u64) -> Shown {
    let gate = u32::try_from(number).ok().and_then(Gate::from_number);
    Shown::Word(match gate {
        Some(Gate::Cgroup) => "placement in the cgroup".to_owned(),
        Some(Gate::Hooks) => "hooks and late limits".to_owned(),
        Some(Gate::ResourceLimits) => "resource limits".to_owned(),
        Some(Gate::Identity) => "comparison of the identity".to_owned(),
        Some(Gate::Isolation) => "comparison of namespaces and mounts".to_owned(),
        None => format!("gate {number}"),
    })
}

fn tag(number: u64) -> Shown {
    let tag = u32::try_from(number).ok().and_then(Tag::from_number);
    Shown::Word(match tag {
        Some(Tag::Root) => "the root directory".to_owned(),
        Some(Tag::RouteSocket) => "the route socket".to_owned(),
        Some(Tag::Devices) => "the device nodes".to_owned(),
        Some(Tag::Source(index)) => format!("the source of mounts[{index}]"),
        Some(Tag::Tree(index)) => format!("the tree of mounts[{index}]"),
        Some(Tag::IdMap(index)) => format!("the tree of mounts[{index}], to map its ids"),
        None => format!("tag {number}"),
    })
}

/// `S_IFCHR|0666`, or one of both.
pub(super) fn mode(mode: u32) -> String {
    let (kind, permissions) = (mode & libc::S_IFMT, mode & !libc::S_IFMT);
    match (kind, permissions) {
        (0, _) => format!("0{permissions:o}"),
        (_, 0) => one_of(kind.into(), FILE_TYPES),
        _ => format!("{}|0{permissions:o}", one_of(kind.into(), FILE_TYPES)),
    }
}

/// `CLONE_NEW*` of `clone(2)`.
pub(super) fn namespaces(set: NamespaceSet) -> Vec<String> {
    use nsenter::NamespaceType as Type;
    const NAMES: [(Type, &str); 8] = [
        (Type::Mount, "CLONE_NEWNS"),
        (Type::Cgroup, "CLONE_NEWCGROUP"),
        (Type::Uts, "CLONE_NEWUTS"),
        (Type::Ipc, "CLONE_NEWIPC"),
        (Type::User, "CLONE_NEWUSER"),
        (Type::Pid, "CLONE_NEWPID"),
        (Type::Network, "CLONE_NEWNET"),
        (Type::Time, "CLONE_NEWTIME"),
    ];
    let named = NAMES.iter().filter(|(kind, _)| set.contains(*kind));
    named.map(|(_, name)| (*name).to_owned()).collect()
}

/// The errnos from 1 on (`asm-generic/errno-base.h`, `errno.h`); a dash where there is none.
const ERRNOS: &str = "EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK \
EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM \
ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP - ENOMSG EIDRM ECHRNG EL2NSYNC EL3HLT EL3RST ELNRNG EUNATCH \
ENOCSI EL2HLT EBADE EBADR EXFULL ENOANO EBADRQC EBADSLT - EBFONT ENOSTR ENODATA ETIME ENOSR ENONET ENOPKG EREMOTE ENOLINK \
EADV ESRMNT ECOMM EPROTO EMULTIHOP EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ EBADFD EREMCHG ELIBACC ELIBBAD ELIBSCN ELIBMAX \
ELIBEXEC EILSEQ ERESTART ESTRPIPE EUSERS ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT \
ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET ECONNABORTED \
ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY \
EINPROGRESS ESTALE EUCLEAN ENOTNAM ENAVAIL EISNAM EREMOTEIO EDQUOT ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY EKEYEXPIRED \
EKEYREVOKED EKEYREJECTED EOWNERDEAD ENOTRECOVERABLE ERFKILL EHWPOISON";

/// An errno by its name.
pub(crate) fn errno(number: i32) -> String {
    let at = usize::try_from(number)
        .ok()
        .and_then(|number| number.checked_sub(1));
    let name = at.and_then(|at| ERRNOS.split(' ').nth(at));
    name.filter(|name| *name != "-")
        .map_or_else(|| format!("errno {number}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_by_the_names_of_the_kernel() {
        let word = |text: &str| Shown::Word(text.to_owned());
        let names = |list: &[&str]| Shown::Names(list.iter().map(|&n| n.to_owned()).collect());
        let path = u64::from((libc::O_PATH | libc::O_DIRECTORY).cast_unsigned());
        for (operation, field, number, shown) in [
            ("Open", "flags", 1, names(&["O_WRONLY"])),
            ("Open", "flags", path, names(&["O_DIRECTORY", "O_PATH"])),
            (
                "NewMount",
                "attributes",
                0x2e,
                names(&[
                    "MOUNT_ATTR_NOSUID",
                    "MOUNT_ATTR_NODEV",
                    "MOUNT_ATTR_NOEXEC",
                    "MOUNT_ATTR_STRICTATIME",
                ]),
            ),
            (
                "MountAttributes",
                "clear",
                0x70,
                names(&["MOUNT_ATTR__ATIME"]),
            ),
            (
                "Propagation",
                "flags",
                0x8_4000,
                names(&["MS_REC", "MS_SLAVE"]),
            ),
            (
                "Capabilities",
                "effective",
                1 << 40 | 1,
                Shown::Set(vec![
                    "CAP_CHOWN".to_owned(),
                    "CAP_CHECKPOINT_RESTORE".to_owned(),
                ]),
            ),
            ("DeathSignal", "signal", 15, word("SIGTERM")),
            (
                "IoPriority",
                "value",
                0x4003,
                word("IOPRIO_CLASS_BE level 3"),
            ),
            ("ResourceLimit", "resource", 6, word("RLIMIT_NPROC")),
            ("ResourceLimit", "hard", u64::MAX, word("RLIM_INFINITY")),
            (
                "MemoryPolicy",
                "mode",
                0x8002,
                names(&["MPOL_BIND", "MPOL_F_STATIC_NODES"]),
            ),
            (
                "SendDescriptorAndWait",
                "tag",
                0x2_0003,
                word("the tree of mounts[3], to map its ids"),
            ),
            (
                "Seccomp",
                "flags",
                6,
                names(&["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"]),
            ),
            ("SetUid", "uid", 7, Shown::Number(7)),
        ] {
            assert_eq!(of(operation, field, number), shown, "{operation} {field}");
        }
        assert_eq!(mode(libc::S_IFCHR | 0o666), "S_IFCHR|0666");
    }

    /// The list has no hole: the names that libc has are at their numbers.
    #[test]
    fn errnos_have_their_names() {
        for (number, name) in [
            (libc::EPERM, "EPERM"),
            (libc::ENOSYS, "ENOSYS"),
            (libc::ELOOP, "ELOOP"),
            (libc::ENOMSG, "ENOMSG"),
            (libc::EBFONT, "EBFONT"),
            (libc::EBADMSG, "EBADMSG"),
            (libc::ENOTSOCK, "ENOTSOCK"),
            (libc::EOPNOTSUPP, "EOPNOTSUPP"),
            (libc::ETIMEDOUT, "ETIMEDOUT"),
            (libc::ENOKEY, "ENOKEY"),
            (libc::EHWPOISON, "EHWPOISON"),
        ] {
            assert_eq!(errno(number), name);
        }
        assert_eq!(errno(41), "errno 41");
        assert_eq!(errno(1000), "errno 1000");
    }
}
