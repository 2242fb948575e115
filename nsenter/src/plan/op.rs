//! The vocabulary of a plan: every step the init stub can take.
//!
//! An operation carries all its data. Paths, flags, byte strings, programs and descriptor slots are
//! decided by the process that builds the plan; the stub only executes them in order and stops at
//! the first failure that the step does not tolerate.

use std::ffi::CString;

/// An entry of the stub's descriptor table.
///
/// Operations name descriptors by slot, never by number. A slot is filled either before the stub
/// starts (an *input* of the plan) or by the operation whose `into` field names it, and is emptied
/// by [`Op::Close`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub(crate) u16);

/// A forward jump target, made by [`PlanBuilder::label`](crate::plan::PlanBuilder::label).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Label(pub(crate) u32);

/// Where a relative path starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dir {
    /// The current directory (`AT_FDCWD`); absolute paths are resolved from the current root.
    Cwd,
    /// A descriptor of a directory.
    Slot(Slot),
}

/// What the last component of a path made by [`Op::MakePath`] becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// A directory.
    Directory,
    /// An empty regular file with mode 0644, created with `O_EXCL | O_NOFOLLOW`.
    File,
    /// A directory if the descriptor in the slot is one, else an empty regular file. Used for bind
    /// mounts, whose source decides what the mount point must be.
    Like(Slot),
}

/// One option of a new file system ([`Op::NewMount`]), as given to `fsconfig(2)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FsOption {
    /// `FSCONFIG_SET_FLAG`.
    Flag(CString),
    /// `FSCONFIG_SET_STRING`.
    String(CString, CString),
    /// `FSCONFIG_SET_FD`: an object that is named by a descriptor, not by a path that would be
    /// resolved once more.
    Descriptor(CString, Slot),
}

/// What a descriptor must be ([`Op::Verify`]). Every field that is `Some` is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expect {
    /// `st_mode & S_IFMT`.
    pub file_type: Option<u32>,
    /// `st_rdev`, as major and minor number.
    pub device: Option<(u32, u32)>,
    /// `st_ino`.
    pub inode: Option<u64>,
    /// `f_type` of `fstatfs(2)`.
    pub magic: Option<u64>,
}

/// A program run by the stub on behalf of a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookCommand {
    /// Absolute path of the program.
    pub path: CString,
    /// Its arguments, `argv[0]` first, verbatim.
    pub args: Vec<CString>,
    /// Its environment: exactly this; `None` stands for the environment of the container process
    /// ([`Op::Exec`]).
    pub env: Option<Vec<CString>>,
    /// State JSON for its standard input, in two halves; the stub writes its own process id
    /// (decimal) between them.
    pub stdin: (Vec<u8>, Vec<u8>),
    /// How long it may run, in milliseconds; 0 means without bound.
    pub timeout_ms: u32,
}

/// One step of the init stub.
///
/// The documentation of each variant says which system calls the kernel sees. A step fails with the
/// errno of the first call that failed; the builder may let a step tolerate some errnos, or jump on
/// them ([`PlanBuilder::push_tolerating`](crate::plan::PlanBuilder::push_tolerating),
/// [`PlanBuilder::push_or`](crate::plan::PlanBuilder::push_or)).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Op {
    // ---- descriptors
    // -------------------------------------------------------------------------------------------
    /// `openat2(dir, path, {flags | O_CLOEXEC, mode, resolve})`; fills `into`.
    Open {
        /// Where the path starts.
        dir: Dir,
        /// The path.
        path: CString,
        /// `O_*` flags; `O_CLOEXEC` is added.
        flags: u32,
        /// Mode of a created file, else 0.
        mode: u32,
        /// `RESOLVE_*` flags.
        resolve: u64,
        /// Receives the descriptor.
        into: Slot,
    },
    /// `write(fd, bytes)`, one call; a short write is `EIO`.
    Write {
        /// Open for writing.
        fd: Slot,
        /// What is written.
        bytes: Vec<u8>,
    },
    /// `fstat(fd)` and `fstatfs(fd)`, compared with what is expected; anything else is `EBADMSG`.
    Verify {
        /// The descriptor to look at.
        fd: Slot,
        /// What it must be.
        expect: Expect,
    },
    /// `close(fd)`; the slot is empty afterwards. Closing an empty slot is no error (a tolerated
    /// step may not have filled it).
    Close(Slot),
    /// Continue at the label. With tolerated errors, the only control flow; forward only.
    Jump(Label),

    // ---- the process itself
    // ------------------------------------------------------------------------------------
    /// `prctl(PR_SET_DUMPABLE)`. The stub starts non-dumpable, and stays so when its credentials
    /// change.
    Dumpable(bool),
    /// `prctl(PR_SET_NAME)`: at most 15 bytes.
    Name(CString),
    /// `prctl(PR_SET_PDEATHSIG)`; 0 clears it. The stub starts with `SIGKILL`, which an answered
    /// [`Op::AskReady`] clears, and asks again after each change of credentials and in the
    /// second stage, since the kernel forgets it then: a plan only has the configured signal,
    /// after [`Op::AskReady`]. Without that step the program keeps `SIGKILL`.
    DeathSignal(u32),
    /// `prctl(PR_SET_NO_NEW_PRIVS, 1)`.
    NoNewPrivileges,
    /// `prctl(PR_SET_KEEPCAPS)`.
    KeepCapabilities(bool),
    /// `setsid()`.
    NewSession,
    /// `ioctl(tty, TIOCSCTTY, 0)`.
    ControllingTerminal(Slot),
    /// `umask()`.
    Umask(u32),
    /// `sched_setaffinity(0, mask)`; `None` asks for all CPUs the kernel allows (a mask of 1024
    /// bytes of ones is clamped to the cpuset).
    Affinity(Option<Vec<u8>>),
    /// `sched_setattr(0, attr, 0)` with a ready `struct sched_attr`.
    Scheduler(Vec<u8>),
    /// `ioprio_set(IOPRIO_WHO_PROCESS, 0, value)`.
    IoPriority(u32),
    /// `personality(domain)`.
    Personality(u64),
    /// `prlimit(0, resource, {soft, hard})` of this process, `RLIMIT_*` of `getrlimit(2)`;
    /// `u64::MAX` is no limit.
    ResourceLimit {
        /// Which resource.
        resource: u32,
        /// What is in force.
        soft: u64,
        /// What the soft limit may be raised to.
        hard: u64,
    },
    /// `set_mempolicy(mode, nodes)`: nodes as a mask of `max_node` bits.
    MemoryPolicy {
        /// Mode and mode flags.
        mode: u32,
        /// Node mask, one bit a node.
        nodes: Vec<u64>,
    },
    /// `setgroups(gids)`.
    SetGroups(Vec<u32>),
    /// `setresgid(gid, gid, gid)`.
    SetGid(u32),
    /// `setresuid(uid, uid, uid)`.
    SetUid(u32),
    /// `prctl(PR_CAPBSET_DROP)` for every capability up to `last` that `keep` lacks and the
    /// bounding set still has.
    BoundingSet {
        /// Capabilities to keep, one bit each.
        keep: u64,
        /// Highest capability number of the running kernel.
        last: u32,
    },
    /// `capset()`.
    Capabilities {
        /// Effective set.
        effective: u64,
        /// Permitted set.
        permitted: u64,
        /// Inheritable set.
        inheritable: u64,
    },
    /// `PR_CAP_AMBIENT_CLEAR_ALL`, then one `PR_CAP_AMBIENT_RAISE` each. A capability that cannot
    /// be raised is reported at the next question as a warning, it is no failure.
    AmbientSet(u64),
    /// `keyctl(KEYCTL_JOIN_SESSION_KEYRING, name)`; then, with permissions, `KEYCTL_DESCRIBE` and
    /// `KEYCTL_SETPERM` with the described permissions or-ed with these bits.
    Keyring {
        /// Name of the session keyring.
        name: CString,
        /// Bits to add to the permissions of the keyring; 0 leaves them alone.
        add_permissions: u32,
    },

    // ---- namespaces
    // --------------------------------------------------------------------------------------------
    /// `unshare(flags)`; `EINVAL` is retried a few times (old kernels).
    Unshare(u32),
    /// `setns()` in three rounds: every type but the user namespace, skipping `EPERM`; then the
    /// user namespace followed by `setresgid(0)`/`setresuid(0)`; then what is still missing.
    /// Fails with the mask of unjoined types as detail.
    Join(Vec<(Slot, u32)>),
    /// `setns(pidfd, flags)`: several namespaces of one process in one call (Linux 5.8). If `flags`
    /// has `CLONE_NEWUSER`, followed by `setresgid(0)`/`setresuid(0)`.
    JoinProcess {
        /// A pidfd.
        pidfd: Slot,
        /// `CLONE_NEW*` types to join.
        flags: u32,
    },
    /// `clone3(CLONE_PARENT | CLONE_PARENT_SETTID)`: the child continues with the next step, this
    /// process exits. The parent knows the child from the process id that the kernel writes
    /// into memory they share, before the child runs: whatever happens to this process, the
    /// child has an owner. Where a limit leaves no room for the child the parent is asked
    /// ([`Answers::no_room`](crate::Answers::no_room)), and it is tried once more. Once in a plan.
    SecondStage,

    // ---- mounts
    // ------------------------------------------------------------------------------------------------
    /// Resolves `path` below `root` (symlinks stay inside; missing components are made as
    /// directories with mode 0755, or the setgid bit of their parent added; dangling symlinks are
    /// followed inside and their target made) and opens the result with `O_PATH`. Fails with
    /// `EXDEV` if the result is `root` itself, and with `ELOOP` and the detail
    /// [`INSIDE_PROCFS`](crate::INSIDE_PROCFS) if it lies on a procfs although the first component
    /// of `path` is not `proc`: a link of an image must not lead a mount there.
    MakePath {
        /// The root of the resolution.
        root: Slot,
        /// The path, absolute or relative: both start at `root`.
        path: CString,
        /// What the last component becomes if it is missing.
        leaf: Leaf,
        /// Receives the `O_PATH` descriptor.
        into: Slot,
    },
    /// `openat2` below `root` for a mount of proc or sysfs: every component must be a real
    /// directory, none a symlink (`ELOOP`/`ENOTDIR` otherwise); missing ones are made with mode
    /// 0755.
    MakePlainDirectory {
        /// The root of the resolution.
        root: Slot,
        /// The path.
        path: CString,
        /// Receives the `O_PATH` descriptor.
        into: Slot,
    },
    /// `fsopen`, `fsconfig` for each option and `FSCONFIG_CMD_CREATE`, `fsmount(attributes)`. On
    /// failure the detail is the message of the file system's log, if it left one.
    NewMount {
        /// File system type.
        fstype: CString,
        /// Source name shown in `/proc/mounts`.
        source: Option<CString>,
        /// Options.
        options: Vec<FsOption>,
        /// If set and the slot is filled with a directory that [`Op::MakePath`] did not make just
        /// now: `mode=` of that directory is the first option (tmpfs).
        mode_of: Option<Slot>,
        /// `MOUNT_ATTR_*`.
        attributes: u64,
        /// Receives the detached mount.
        into: Slot,
    },
    /// `fspick(mount)`, `fsconfig` for each option and `FSCONFIG_CMD_RECONFIGURE` (Linux 5.2):
    /// changes the file system that is mounted there. `EINVAL` if the descriptor is not the root of
    /// a mount; otherwise the detail of a failure is as for [`Op::NewMount`].
    Reconfigure {
        /// The root of an attached mount.
        mount: Slot,
        /// Options.
        options: Vec<FsOption>,
    },
    /// `fsopen` and `fsconfig` for each option, and nothing more: whether a file system takes the
    /// options, for a mount that is not made anew. The detail of a failure is as for
    /// [`Op::NewMount`].
    CheckOptions {
        /// File system type.
        fstype: CString,
        /// Options.
        options: Vec<FsOption>,
    },
    /// `open_tree(dir, path, OPEN_TREE_CLONE [| AT_RECURSIVE])`. An empty path clones what the slot
    /// of `dir` refers to.
    CloneTree {
        /// Where the path starts.
        dir: Dir,
        /// The path; symlinks are followed.
        path: CString,
        /// Also the mounts below.
        recursive: bool,
        /// Receives the detached tree.
        into: Slot,
    },
    /// `mount_setattr(mount, "", AT_EMPTY_PATH [| AT_RECURSIVE], {set, clear, propagation})` (Linux
    /// 5.12; before, a remount through `/proc/self/fd`). On `EPERM` (flags locked by a user
    /// namespace) with `keep_locked`, the current flags of the mount (`fstatfs`) are kept: the step
    /// retries without clearing those. The detail of `EPERM` is `f_flags` of `statfs(2)` in
    /// decimal, see [`Failure::present_flags`](crate::Failure::present_flags).
    MountAttributes {
        /// A mount, attached or not.
        mount: Slot,
        /// `MOUNT_ATTR_*` to set.
        set: u64,
        /// `MOUNT_ATTR_*` to clear.
        clear: u64,
        /// `MS_PRIVATE`, `MS_SLAVE`, `MS_SHARED`, `MS_UNBINDABLE`, or 0.
        propagation: u64,
        /// Also the mounts below.
        recursive: bool,
        /// Retry with the flags that a user namespace locked.
        keep_locked: bool,
    },
    /// `move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH)`. The
    /// slot of the mount stays filled: it now refers to the root of the attached mount. If only one
    /// of the two is a directory, the errno is `ENOTDIR`, as that of `mount(2)`, and not `EINVAL`.
    Attach {
        /// A detached mount.
        mount: Slot,
        /// Where, an `O_PATH` descriptor.
        target: Slot,
    },
    /// `mount(NULL, path, NULL, flags, NULL)`: propagation of the mount at `path`.
    Propagation {
        /// The mount point.
        path: CString,
        /// `MS_*` propagation flag, perhaps with `MS_REC`.
        flags: u64,
    },
    /// `mount_setattr(directory, "", AT_EMPTY_PATH, {propagation})`, on the mount that holds a
    /// directory; before Linux 5.12 `mount(NULL, ".", NULL, kind, NULL)`. The root of the mount
    /// is found without a path: while the directory is not the root (`EINVAL`), the one above
    /// it is opened (`openat2("..", RESOLVE_NO_XDEV)`). `ENOENT` if the directory was moved out
    /// of what is mounted, `ELOOP` after 2048 steps.
    HolderPropagation {
        /// A directory in the mount.
        directory: Slot,
        /// `MS_PRIVATE`, `MS_SLAVE`, `MS_SHARED` or `MS_UNBINDABLE`.
        kind: u64,
    },
    /// `fchdir(root)`, `pivot_root(".", ".")`; then, in the old root, `mount(NULL, ".", NULL,
    /// MS_SLAVE | MS_REC)` and `umount2(".", MNT_DETACH)`; `chdir("/")`.
    PivotRoot(Slot),
    /// `fchdir(root)`, `mount(".", "/", MS_MOVE)`, `chroot(".")`, `chdir("/")`: for a root that
    /// cannot be pivoted (initramfs).
    MoveRoot(Slot),
    /// `fchdir(root)`, `chroot(".")`, `chdir("/")`.
    Chroot(Slot),
    /// `umount2(path, flags)`.
    Unmount {
        /// The mount point.
        path: CString,
        /// `MNT_*`.
        flags: u32,
    },
    /// `fchdir(mount)`, `umount2(".", MNT_DETACH)`, and back: unmounts what the slot is the root
    /// of.
    Detach(Slot),
    /// `mknodat(dir, name, mode, dev)`; an existing file is accepted if it has that type and
    /// device. Then, by descriptor, its owner and mode are set if they differ.
    MakeNode {
        /// The directory.
        dir: Slot,
        /// One component.
        name: CString,
        /// Type and permission bits.
        mode: u32,
        /// Major and minor number.
        device: (u32, u32),
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
    /// `symlinkat(target, dir, name)`; an existing file is left alone.
    Symlink {
        /// The directory.
        dir: Slot,
        /// One component.
        name: CString,
        /// Text of the link.
        target: CString,
    },
    /// `unlinkat(dir, name, 0)`; a missing file is no error.
    Remove {
        /// The directory.
        dir: Slot,
        /// One component.
        name: CString,
    },
    /// Hides each path, resolved below the root beside it: files by a bind of `null`, directories
    /// by an empty read-only tmpfs, made for the first one and cloned for the others. Missing paths
    /// are skipped, everything else is a failure, whose detail is the index of the path
    /// ([`Failure::item`](crate::Failure::item)).
    Mask {
        /// Paths, without lexical duplicates, each with the root of its resolution.
        paths: Vec<(Slot, CString)>,
        /// The null device (1:3); anything else is `EBADMSG`.
        null: Slot,
        /// `context=` option for the tmpfs (SELinux).
        context: Option<CString>,
    },
    /// Makes each path, resolved below the root beside it, read-only by a recursive bind of itself,
    /// keeping nosuid, nodev and noexec; the root itself by changing its mount. Missing paths are
    /// skipped. The detail of a failure is the index of the path
    /// ([`Failure::item`](crate::Failure::item)).
    ReadonlyPaths(Vec<(Slot, CString)>),
    /// Copies the content of one directory into another: modes, owners, times, symlinks, device
    /// nodes (`tmpcopyup`).
    CopyTree {
        /// Source directory.
        from: Slot,
        /// Target directory.
        to: Slot,
    },
    /// `fsetxattr` on what the slot refers to.
    SetXattr {
        /// The file.
        fd: Slot,
        /// Attribute name.
        name: CString,
        /// Value.
        value: Vec<u8>,
    },
    /// `fchdir(dir)`.
    ChangeDirectoryTo(Slot),

    // ---- devices, terminal, standard streams
    // -------------------------------------------------------------------
    /// Opens `ptmx` in a devpts directory, checks that it is the master multiplexer of that very
    /// instance (devpts, inode 2, 5:2), unlocks a new pair and opens its other end with
    /// `TIOCGPTPEER`. The pts number is sent with [`Op::AskConsole`].
    Pty {
        /// The root of a devpts.
        devpts: Slot,
        /// Receives the master.
        master: Slot,
        /// Receives the other end.
        slave: Slot,
    },
    /// `dup3` of the slot onto 0, 1 and 2.
    Stdio(Slot),
    /// Each of 0, 1 and 2 that is the null device (1:3) is replaced by `/dev/null` of the current
    /// root. If that is something else, `EBADMSG`.
    ReopenNull,
    /// `fchown(fd, uid, -1)` for each of 0, 1 and 2 that has another owner and is not the null
    /// device; `EPERM` and `EROFS` are no failure.
    StdioOwner(u32),

    // ---- network, host name, sysctl
    // ----------------------------------------------------------------------------
    /// `socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)`, send the message, read its acknowledgement;
    /// the errno of a negative acknowledgement is the errno of the step.
    Netlink(Vec<u8>),
    /// `socket(family, kind | SOCK_CLOEXEC, protocol)`.
    Socket {
        /// `AF_*`.
        family: u32,
        /// `SOCK_*`.
        kind: u32,
        /// Protocol.
        protocol: u32,
        /// Receives the socket.
        into: Slot,
    },
    /// `sethostname()`.
    HostName(Vec<u8>),
    /// `setdomainname()`.
    DomainName(Vec<u8>),
    /// `openat2(procfs, path, O_WRONLY, RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS)`,
    /// `write`, `close`. The detail of a failure is `open` or `write`.
    Sysctl {
        /// The root of a procfs that nothing covers.
        procfs: Slot,
        /// Path below it, `sys/…`.
        path: CString,
        /// The value.
        value: Vec<u8>,
    },

    // ---- working directory
    // -------------------------------------------------------------------------------------
    /// `chdir(path)`. With `retry_later`, `EPERM` and `EACCES` are remembered instead of failing,
    /// and [`Op::RetryDirectory`] tries again with the container's own identity.
    ChangeDirectory {
        /// The directory.
        path: CString,
        /// Remember a refusal.
        retry_later: bool,
    },
    /// `chdir` again, only if the first attempt was refused.
    RetryDirectory(CString),
    /// `getcwd()`: must succeed and start with `/`, otherwise the directory lies outside the root
    /// (CVE-2024-21626).
    VerifyDirectory,

    // ---- questions to the parent
    // -------------------------------------------------------------------------------
    /// A round trip: the parent does something (places the process, asks systemd, runs hooks) and
    /// answers. The number tells the parent which gate it is.
    AskGate(u32),
    /// The parent writes the id maps of this process' new user namespace.
    AskIdMaps,
    /// Sends a descriptor, tagged; the parent keeps it (`tag` as for [`Op::AskGate`]).
    SendDescriptor {
        /// What it is, a number known to both sides.
        tag: u32,
        /// The descriptor.
        fd: Slot,
    },
    /// The parent answers with a descriptor (a mount source that only it may open, …).
    AskDescriptor {
        /// Which one.
        tag: u32,
        /// Receives it.
        into: Slot,
    },
    /// Sends a descriptor and waits until the parent is done with it (an id-mapped tree, a route
    /// socket, …).
    LendDescriptor {
        /// Which one.
        tag: u32,
        /// The descriptor.
        fd: Slot,
    },
    /// Sends the terminal master; the number of its pts goes with it.
    AskConsole(Slot),
    /// Reads up to 1 MiB of `path` (a regular file in the current root, opened without following a
    /// last symlink out of it) and sends it; the reply becomes the `HOME` of [`Op::Exec`]. A
    /// missing or unreadable file is sent as empty. The stub goes on meanwhile, and picks the
    /// reply up with the next one it waits for.
    AskHome(CString),
    /// All privileged preparation is done: the parent sets resource limits, records the state, and
    /// answers.
    AskReady,
    /// Runs a `createContainer` hook: the stub starts the program in the current namespaces, the
    /// parent supervises it by its pidfd and output pipe.
    Hook(HookCommand),

    // ---- the last steps
    // ----------------------------------------------------------------------------------------
    /// `seccomp(SECCOMP_SET_MODE_FILTER, flags, program)`, or `prctl(PR_SET_SECCOMP)` when `flags`
    /// is 0. With `listener` (`SECCOMP_FILTER_FLAG_NEW_LISTENER` is in `flags`) the number of
    /// the new descriptor goes to the parent by `write`, which takes it with `pidfd_getfd(2)`;
    /// the stub closes its copy after the answer.
    Seccomp {
        /// `SECCOMP_FILTER_FLAG_*`.
        flags: u32,
        /// 8 bytes an instruction.
        program: Vec<u8>,
        /// Hand the notification descriptor to the parent.
        listener: bool,
    },
    /// Finds the first candidate that is an executable file, by effective ids
    /// (`faccessat2(AT_EACCESS)`, then mode bits); [`Op::Exec`] runs it. Otherwise the step
    /// fails with what the kernel says of a single candidate (`EISDIR` for a directory), and of
    /// several with the first error that is not `ENOENT` or `ENOTDIR`, else with `ENOENT`.
    Lookup(Vec<CString>),
    /// Closes the control channel. From here on a failure is one line on standard error and exit
    /// code 255.
    CloseControl,
    /// `read(fd, 1 byte)`: waits until `start` writes the exec fifo; SIGTERM, SIGINT, SIGHUP and
    /// SIGQUIT end the stub meanwhile. Unless a later step closes it, the descriptor stays open
    /// until the kernel executes the program: one who holds the other end sees by its end
    /// (`POLLERR`) that the program has begun, or that the process has ended.
    WaitStart(Slot),
    /// Runs `startContainer` hooks without a parent: output captured, timeout kept. The first
    /// failure is one line on standard error, `CONTEXT #INDEX: exit status 1, stdout: …,
    /// stderr: …`, and exit code 255.
    LateHooks(Vec<HookCommand>),
    /// `close_range(3 + passed, ~0)`, then, tried again for 100 ms on `ETXTBSY`, `execve(candidate
    /// found by Lookup, args, env)`.
    Exec {
        /// Arguments, `argv[0]` first.
        args: Vec<CString>,
        /// Environment; a `HOME` answered to [`Op::AskHome`] is appended.
        env: Vec<CString>,
    },
}
