//! The table of operations: everything that the library and the stub know of an operation but how
//! it is executed.
//!
//! A row is
//!
//! ```text
//! /// What the kernel sees, and how the step can fail.
//! NAME = NUMBER [ROLES] { FIELD: KIND, … };
//! ```
//!
//! with `(FIELD: KIND)` for an operation whose only field needs no name in the library, and without
//! fields where there is nothing to say. The number is that of the encoded plan. From a row
//! follow:
//!
//! * the variant of `plan::Op` with its documentation, how it is encoded, decoded, printed and
//!   checked (`src/plan/`), and how the tests make a random one;
//! * the variant of [`Operation`], which the stub decodes from the plan and executes by the names
//!   of the fields (`executor.rs`). A new operation is a row here and its execution there.
//!
//! A kind says the type of a field, and how that is encoded and printed (`fields.rs`). A kind also
//! says what happens to a descriptor slot: `Uses` needs it filled, `MaybeUses` looks whether it is,
//! `Fills` fills it, `Empties` closes what is in it.
//!
//! The roles are for the checks of the finished plan (`src/plan/check.rs`): `Protects` is a step
//! that may not fail and may not be jumped over, `Strict` one that may not fail, `Asks` one that
//! needs the control channel.

use super::fields::*;
use super::wire::{Record, View};

/// Calls a macro with the table.
macro_rules! operations {
    ($callback:ident) => {
        $callback! {
        // ---- descriptors
        /// `openat2(dir, path, {flags | O_CLOEXEC, mode, resolve})`; fills `into`.
        Open = 1 {
            /// Where the path starts.
            dir: Dir,
            /// The path.
            path: Text,
            /// `O_*` flags; `O_CLOEXEC` is added.
            flags: Flags,
            /// Mode of a created file, else 0.
            mode: Mode,
            /// `RESOLVE_*` flags.
            resolve: Flags64,
            /// Receives the descriptor.
            into: Fills,
        };
        /// `write(fd, bytes)`, one call; a short write is `EIO`.
        Write = 2 {
            /// Open for writing.
            fd: Uses,
            /// What is written.
            bytes: Bytes,
        };
        /// `fstat(fd)` and `fstatfs(fd)`, compared with what is expected; anything else is
        /// `EBADMSG`.
        Verify = 3 [Strict] {
            /// The descriptor to look at.
            fd: Uses,
            /// What it must be.
            expect: Expect,
        };
        /// `close(fd)`; the slot is empty afterwards. A place (`O_PATH`), a mount, or a file that
        /// [`Op::Open`] has opened for writing only may stay open until the first of
        /// [`Op::AskReady`], [`Op::ChangeDirectory`] and [`Op::Lookup`], before a path of the
        /// container's is followed wherever it leads. Closing an empty slot is not an error (a
        /// tolerated step may not have filled it).
        Close = 4 (fd: Empties);
        /// Continue at the label. With tolerated errors, the only control flow; forward only.
        Jump = 5 (to: Label);

        // ---- the process itself
        /// `prctl(PR_SET_DUMPABLE)`. The stub starts non-dumpable, and stays so when its
        /// credentials change.
        Dumpable = 10 (on: Switch);
        /// `prctl(PR_SET_NAME)`: at most 15 bytes.
        Name = 11 (name: Text);
        /// `prctl(PR_SET_PDEATHSIG)`; 0 clears it. The stub starts with `SIGKILL`, which an
        /// answered [`Op::AskReady`] clears, and asks again after each change of credentials and in
        /// the second stage, since the kernel forgets it then: a plan only has the configured
        /// signal, after [`Op::AskReady`]. Without that step the program keeps `SIGKILL`.
        DeathSignal = 12 (signal: Number);
        /// `prctl(PR_SET_NO_NEW_PRIVS, 1)`.
        NoNewPrivileges = 13 [Protects];
        /// `prctl(PR_SET_KEEPCAPS)`.
        KeepCapabilities = 14 (on: Switch);
        /// `setsid()`.
        NewSession = 15 [Strict];
        /// `ioctl(tty, TIOCSCTTY, 0)`.
        ControllingTerminal = 16 (terminal: Uses);
        /// `umask()`.
        Umask = 17 (mask: Mode);
        /// `sched_setaffinity(0, mask)`; `None` asks for all CPUs the kernel allows (a mask of 1024
        /// bytes of ones is clamped to the cpuset).
        Affinity = 18 (mask: CpuMask);
        /// `sched_setattr(0, attr, 0)` with a ready `struct sched_attr`.
        Scheduler = 19 (attributes: Bytes);
        /// `ioprio_set(IOPRIO_WHO_PROCESS, 0, value)`.
        IoPriority = 20 (value: Number);
        /// `personality(domain)`.
        Personality = 21 (domain: Flags64);
        /// `prlimit(0, resource, {soft, hard})` of this process, `RLIMIT_*` of `getrlimit(2)`;
        /// `u64::MAX` means no limit.
        ResourceLimit = 30 [Strict] {
            /// Which resource.
            resource: Number,
            /// What is in force.
            soft: Number64,
            /// What the soft limit may be raised to.
            hard: Number64,
        };
        /// `set_mempolicy(mode, nodes)`: nodes as a mask of `max_node` bits.
        MemoryPolicy = 22 {
            /// Mode and mode flags.
            mode: Flags,
            /// Node mask, one bit a node.
            nodes: NodeMask,
        };
        /// `setgroups(gids)`.
        SetGroups = 23 (gids: Numbers);
        /// `setresgid(gid, gid, gid)`.
        SetGid = 24 [Protects] (gid: Number);
        /// `setresuid(uid, uid, uid)`.
        SetUid = 25 [Protects] (uid: Number);
        /// `prctl(PR_CAPBSET_DROP)` for every capability up to `last` that `keep` lacks and the
        /// bounding set still has.
        BoundingSet = 26 [Protects] {
            /// Capabilities to keep, one bit each.
            keep: Flags64,
            /// Highest capability number of the running kernel.
            last: Number,
        };
        /// `capset()`.
        Capabilities = 27 [Protects] {
            /// Effective set.
            effective: Flags64,
            /// Permitted set.
            permitted: Flags64,
            /// Inheritable set.
            inheritable: Flags64,
        };
        /// `PR_CAP_AMBIENT_CLEAR_ALL`, then one `PR_CAP_AMBIENT_RAISE` each. A capability that
        /// cannot be raised is reported with the next request as a warning; it is not a failure.
        AmbientSet = 28 [Protects] (set: Flags64);
        /// `keyctl(KEYCTL_JOIN_SESSION_KEYRING, name)` and `KEYCTL_DESCRIBE`; then, with
        /// permissions, `KEYCTL_SETPERM` with the described permissions or-ed with these bits.
        /// `EEXIST` if a keyring of that name was found that belongs to another user.
        Keyring = 29 {
            /// Name of the session keyring.
            name: Text,
            /// Bits to add to the permissions of the keyring; 0 leaves them alone.
            add_permissions: Flags,
        };

        // ---- namespaces
        /// `unshare(namespaces)`; `EINVAL` is retried a few times (old kernels).
        Unshare = 40 [Protects] (namespaces: Namespaces);
        /// `setns()` in three rounds: every type but the user namespace, skipping `EPERM`; then the
        /// user namespace followed by `setresgid(0)`/`setresuid(0)`; then what is still missing.
        /// Fails with the mask of unjoined types as detail.
        Join = 41 [Protects] (namespaces: NamespaceList);
        /// `setns(pidfd, namespaces)`: several namespaces of one process in one call (Linux 5.8).
        /// If the user namespace is one of them, followed by `setresgid(0)`/`setresuid(0)`.
        JoinProcess = 42 [Protects] {
            /// A pidfd.
            pidfd: Uses,
            /// What is joined.
            namespaces: Namespaces,
        };
        /// `clone3(CLONE_PARENT | CLONE_PARENT_SETTID)`: the child continues with the next step,
        /// this process exits. The supervisor knows the child from the process id that the kernel
        /// writes into memory they share, before the child runs: whatever happens to this process,
        /// the child has an owner. Where a limit leaves no room for the child the supervisor is
        /// asked ([`RequestHandler::no_room`](crate::RequestHandler::no_room)), and it is tried
        /// once more. Once in a plan.
        SecondStage = 43 [Asks];

        // ---- mounts
        /// Resolves `path` below `root` (symlinks stay inside; missing components are made as
        /// directories with mode 0755, or the setgid bit of their parent added; dangling symlinks
        /// are followed inside and their target made) and opens the result with `O_PATH`. Fails
        /// with `EXDEV` if the result is `root` itself, and with `ELOOP` and the detail
        /// [`INSIDE_PROCFS`](crate::INSIDE_PROCFS) if it lies on a procfs although the first
        /// component of `path` is not `proc`: a link of an image must not lead a mount there.
        MakePath = 50 {
            /// The root of the resolution.
            root: Uses,
            /// The path, absolute or relative: both start at `root`.
            path: Text,
            /// What the last component becomes if it is missing.
            leaf: Leaf,
            /// Receives the `O_PATH` descriptor.
            into: Fills,
        };
        /// `openat2` below `root` for a mount of proc or sysfs: every component must be a real
        /// directory, none a symlink (`ELOOP`/`ENOTDIR` otherwise); missing ones are made with mode
        /// 0755.
        MakePlainDirectory = 51 {
            /// The root of the resolution.
            root: Uses,
            /// The path.
            path: Text,
            /// Receives the `O_PATH` descriptor.
            into: Fills,
        };
        /// `fsopen`, `fsconfig` for each option and `FSCONFIG_CMD_CREATE`, `fsmount(attributes)`.
        /// On failure the detail is the message of the file system's log, if it left one.
        NewMount = 52 {
            /// File system type.
            fstype: Text,
            /// Source name shown in `/proc/mounts`.
            source: OptionalText,
            /// If set and the slot is filled with a directory that [`Op::MakePath`] did not make
            /// just now: `mode=` of that directory is the first option (tmpfs).
            mode_of: MaybeUses,
            /// Options.
            options: FsOptions,
            /// `MOUNT_ATTR_*`.
            attributes: Flags64,
            /// Receives the detached mount.
            into: Fills,
        };
        /// `fspick(mount)`, `fsconfig` for each option and `FSCONFIG_CMD_RECONFIGURE` (Linux 5.2):
        /// changes the file system that is mounted there. `EINVAL` if the descriptor is not the
        /// root of a mount; otherwise the detail of a failure is as for [`Op::NewMount`].
        Reconfigure = 70 [Strict] {
            /// The root of an attached mount.
            mount: Uses,
            /// Options.
            options: FsOptions,
        };
        /// `fsopen` and `fsconfig` for each option, and nothing more: whether a file system takes
        /// the options, for a mount that is not made anew. The detail of a failure is as for
        /// [`Op::NewMount`].
        CheckOptions = 71 {
            /// File system type.
            fstype: Text,
            /// Options.
            options: FsOptions,
        };
        /// As [`Op::NewMount`] and [`Op::Attach`], for a mount that nothing is done with
        /// afterwards: `fchdir(target)` and one `mount(2)` on `.`. What that refuses is made the
        /// other way, with its detail. The working directory is another one afterwards.
        MountOn = 73 [Strict] {
            /// The directory, an `O_PATH` descriptor.
            target: Uses,
            /// File system type.
            fstype: Text,
            /// Source name shown in `/proc/mounts`.
            source: OptionalText,
            /// Options.
            options: FsOptions,
            /// `MOUNT_ATTR_*`.
            attributes: Flags64,
        };
        /// The same on a directory that is made for it, in one that nothing else makes entries in:
        /// `mkdirat(dir, name, 0755)`, `fchdir(dir)`, and one `mount(2)` on the name, which is what
        /// was just made. If the name exists, as [`Op::MakePath`] and [`Op::MountOn`].
        MountIn = 76 [Strict] {
            /// The directory, the root of a new tmpfs.
            dir: Uses,
            /// One component.
            name: Text,
            /// File system type.
            fstype: Text,
            /// Source name shown in `/proc/mounts`.
            source: OptionalText,
            /// Options.
            options: FsOptions,
            /// `MOUNT_ATTR_*`.
            attributes: Flags64,
        };
        /// `mkdirat(dir, name, 0755)`, `fchdir(dir)`, `mount(source, name, MS_BIND | MS_REC)`: for
        /// a directory that nothing else makes entries in, so that the name is what was just made.
        /// The working directory is another one afterwards.
        BindDirectory = 74 [Strict] {
            /// The directory, the root of a new tmpfs.
            dir: Uses,
            /// One component; it must not exist.
            name: Text,
            /// An absolute path; symlinks are followed.
            source: Text,
        };
        /// `mount_setattr(mount, "", AT_EMPTY_PATH | AT_RECURSIVE, {set, clear, MS_PRIVATE})` on an
        /// attached mount whose only mounts below are those at these names. Before Linux 5.12 a
        /// remount of each.
        MountAttributesOfAll = 75 [Strict] {
            /// The root of the mount, a directory.
            mount: Uses,
            /// Directories in it, of one component each.
            names: TextList,
            /// `MOUNT_ATTR_*` to set.
            set: Flags64,
            /// `MOUNT_ATTR_*` to clear.
            clear: Flags64,
        };
        /// `open_tree(dir, path, OPEN_TREE_CLONE [| AT_RECURSIVE])`. An empty path clones what the
        /// slot of `dir` refers to.
        CloneTree = 53 {
            /// Where the path starts.
            dir: Dir,
            /// The path; symlinks are followed.
            path: Text,
            /// Also the mounts below.
            recursive: Switch,
            /// Receives the detached tree.
            into: Fills,
        };
        /// `mount_setattr(mount, "", AT_EMPTY_PATH [| AT_RECURSIVE], {set, clear, propagation})`
        /// (Linux 5.12; before, a remount through `/proc/self/fd`). On `EPERM` (flags locked by a
        /// user namespace) with `keep_locked`, the current flags of the mount (`fstatfs`) are kept:
        /// the step retries without clearing those. The detail of `EPERM` is `f_flags` of
        /// `statfs(2)` in decimal, see [`Failure::present_flags`](crate::Failure::present_flags).
        MountAttributes = 54 [Strict] {
            /// A mount, attached or not.
            mount: Uses,
            /// `MOUNT_ATTR_*` to set.
            set: Flags64,
            /// `MOUNT_ATTR_*` to clear.
            clear: Flags64,
            /// `MS_PRIVATE`, `MS_SLAVE`, `MS_SHARED`, `MS_UNBINDABLE`, or 0.
            propagation: Flags64,
            /// Also the mounts below.
            recursive: Switch,
            /// Retry with the flags that a user namespace locked.
            keep_locked: Switch,
        };
        /// `move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH)`.
        /// The slot of the mount stays filled: it now refers to the root of the attached mount. If
        /// only one of the two is a directory, the errno is `ENOTDIR`, as that of `mount(2)`, and
        /// not `EINVAL`.
        Attach = 55 [Strict] {
            /// A detached mount.
            mount: Uses,
            /// Where, an `O_PATH` descriptor.
            target: Uses,
        };
        /// `mount(NULL, path, NULL, flags, NULL)`: propagation of the mount at `path`.
        Propagation = 56 {
            /// The mount point.
            path: Text,
            /// `MS_*` propagation flag, perhaps with `MS_REC`.
            flags: Flags64,
        };
        /// `mount_setattr(directory, "", AT_EMPTY_PATH, {propagation})`, on the mount that holds a
        /// directory; before Linux 5.12 `mount(NULL, ".", NULL, kind, NULL)`. The root of the mount
        /// is found without a path: while the directory is not the root (`EINVAL`), the one above
        /// it is opened (`openat2("..", RESOLVE_NO_XDEV)`). `ENOENT` if the directory was moved out
        /// of what is mounted, `ELOOP` after 2048 steps.
        HolderPropagation = 69 [Strict] {
            /// A directory in the mount.
            directory: Uses,
            /// `MS_PRIVATE`, `MS_SLAVE`, `MS_SHARED` or `MS_UNBINDABLE`.
            kind: Flags64,
        };
        /// `fchdir(root)`, `pivot_root(".", ".")`; then, in the old root, `mount(NULL, ".", NULL,
        /// MS_SLAVE | MS_REC)`, unless [`Op::Propagation`] has done that for `/` (or has made it
        /// private), and `umount2(".", MNT_DETACH)`; `chdir("/")`.
        PivotRoot = 57 [Protects] (root: Uses);
        /// `fchdir(root)`, `mount(".", "/", MS_MOVE)`, `chroot(".")`, `chdir("/")`: for a root that
        /// cannot be pivoted (initramfs).
        MoveRoot = 58 [Protects] (root: Uses);
        /// `fchdir(root)`, `chroot(".")`, `chdir("/")`.
        Chroot = 59 [Protects] (root: Uses);
        /// `umount2(path, flags)`.
        Unmount = 60 {
            /// The mount point.
            path: Text,
            /// `MNT_*`.
            flags: Flags,
        };
        /// `fchdir(mount)`, `umount2(".", MNT_DETACH)`, and back: unmounts what the slot is the
        /// root of.
        Detach = 72 (mount: Uses);
        /// `mknodat(dir, name, mode, dev)`; an existing file is accepted if it has that type and
        /// device. Then, by descriptor, its owner and mode are set if they differ.
        MakeNode = 61 {
            /// The directory.
            dir: Uses,
            /// One component.
            name: Text,
            /// Type and permission bits.
            mode: Mode,
            /// Major and minor number.
            device: Device,
            /// Owner.
            uid: Number,
            /// Group.
            gid: Number,
        };
        /// `symlinkat(target, dir, name)`; an existing file is left alone.
        Symlink = 62 {
            /// The directory.
            dir: Uses,
            /// One component.
            name: Text,
            /// Text of the link.
            target: Text,
        };
        /// `unlinkat(dir, name, 0)`; a missing file is not an error.
        Remove = 63 {
            /// The directory.
            dir: Uses,
            /// One component.
            name: Text,
        };
        /// Hides each path, resolved below the root beside it: files by a bind of `null`,
        /// directories by an empty read-only tmpfs, made for the first one and cloned for the
        /// others. Missing paths are skipped, everything else is a failure, whose detail is the
        /// index of the path ([`Failure::item`](crate::Failure::item)): `EXDEV` for the root of the
        /// process, which no mount can hide from it.
        Mask = 64 [Protects] {
            /// Paths, without lexical duplicates, each with the root of its resolution.
            paths: PlacedPaths,
            /// The null device (1:3); anything else is `EBADMSG`.
            null: Uses,
            /// `context=` option for the tmpfs (SELinux).
            context: OptionalText,
        };
        /// Makes each path, resolved below the root beside it, read-only by a recursive bind of
        /// itself, keeping nosuid, nodev and noexec; the root itself by changing its mount. Missing
        /// paths are skipped. The detail of a failure is the index of the path
        /// ([`Failure::item`](crate::Failure::item)).
        ReadonlyPaths = 65 [Protects] (paths: PlacedPaths);
        /// Copies the content of one directory into another: modes, owners, times, symlinks, device
        /// nodes (`tmpcopyup`).
        CopyTree = 66 {
            /// Source directory.
            from: Uses,
            /// Target directory.
            to: Uses,
        };
        /// `fsetxattr` on what the slot refers to.
        SetXattr = 67 {
            /// The file.
            fd: Uses,
            /// Attribute name.
            name: Text,
            /// Value.
            value: Bytes,
        };
        /// `fchdir(dir)`.
        ChangeDirectoryTo = 68 (directory: Uses);

        // ---- devices, terminal, standard streams
        /// Opens `ptmx` in a devpts directory, checks that it is the master multiplexer of that
        /// very instance (devpts, inode 2, 5:2), unlocks a new pair and opens its other end with
        /// `TIOCGPTPEER`. The pts number is sent with [`Op::AskConsole`].
        Pty = 80 {
            /// The root of a devpts.
            devpts: Uses,
            /// Receives the master.
            master: Fills,
            /// Receives the other end.
            slave: Fills,
        };
        /// `dup3` of the slot onto 0, 1 and 2.
        Stdio = 81 (fd: Uses);
        /// Each of 0, 1 and 2 that is the null device (1:3) is replaced by `/dev/null` of the
        /// current root. If that is something else, `EBADMSG`.
        ReopenNull = 82 [Strict];
        /// `fchown(fd, uid, -1)` for each of 0, 1 and 2 that has another owner and is not the null
        /// device; `EPERM` and `EROFS` are not a failure.
        StdioOwner = 83 (uid: Number);

        // ---- network, host name, sysctl
        /// `socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)`, send the message, read its
        /// acknowledgement; the errno of a negative acknowledgement is the errno of the step.
        Netlink = 90 (request: Bytes);
        /// `socket(family, kind | SOCK_CLOEXEC, protocol)`.
        Socket = 91 {
            /// `AF_*`.
            family: Number,
            /// `SOCK_*`.
            kind: Number,
            /// Protocol.
            protocol: Number,
            /// Receives the socket.
            into: Fills,
        };
        /// `sethostname()`.
        HostName = 92 (name: Bytes);
        /// `setdomainname()`.
        DomainName = 93 (name: Bytes);
        /// `openat2(procfs, path, O_WRONLY, RESOLVE_BENEATH | RESOLVE_NO_XDEV |
        /// RESOLVE_NO_SYMLINKS)`, `write`, `close`. The detail of a failure is `open` or `write`.
        Sysctl = 94 [Strict] {
            /// The root of a procfs that nothing covers.
            procfs: Uses,
            /// Path below it, `sys/…`.
            path: Text,
            /// The value.
            value: Bytes,
        };

        // ---- working directory
        /// `chdir(path)`. With `retry_later`, `EPERM` and `EACCES` are remembered instead of
        /// failing, and [`Op::RetryDirectory`] tries again with the container's own identity.
        ChangeDirectory = 100 {
            /// The directory.
            path: Text,
            /// Remember a refusal.
            retry_later: Switch,
        };
        /// `chdir` again, only if the first attempt was refused.
        RetryDirectory = 101 (path: Text);
        /// `getcwd()`: must succeed and start with `/`, otherwise the directory lies outside the
        /// root (CVE-2024-21626).
        VerifyDirectory = 102 [Protects];

        // ---- requests to the supervisor
        /// A round trip: the supervisor does something (places the process, asks systemd, runs
        /// hooks) and answers. The number says which gate it is.
        AskGate = 110 [Asks] (number: Number);
        /// The supervisor writes the id maps of this process' new user namespace.
        AskIdMaps = 111 [Asks];
        /// Sends a descriptor, tagged; the supervisor keeps it (`tag` as for [`Op::AskGate`]).
        SendDescriptor = 112 [Asks] {
            /// What it is, a number known to both sides.
            tag: Number,
            /// The descriptor.
            fd: Uses,
        };
        /// The supervisor answers with a descriptor (a mount source that only it may open, …).
        AskDescriptor = 113 [Asks] {
            /// Which one.
            tag: Number,
            /// Receives it.
            into: Fills,
        };
        /// Sends a descriptor and waits until the supervisor is done with it (an id-mapped tree, a
        /// route socket, …).
        SendDescriptorAndWait = 114 [Asks] {
            /// Which one.
            tag: Number,
            /// The descriptor.
            fd: Uses,
        };
        /// Sends the terminal master; the number of its pts goes with it.
        AskConsole = 115 [Asks] (master: Uses);
        /// Reads up to 1 MiB of `path` (a regular file in the current root, opened without
        /// following a last symlink out of it) and sends it; the reply becomes the `HOME` of
        /// [`Op::Exec`]. An unreadable file is sent as empty; if there is none (`ENOENT`), nothing
        /// is asked, and the home directory is the other one given. The stub goes on meanwhile, and
        /// picks the reply up with the next one it waits for.
        AskHome = 116 [Asks] {
            /// The password file.
            path: Text,
            /// The home directory of whom no file says anything of.
            otherwise: Text,
        };
        /// All privileged preparation is done: the supervisor sets resource limits, records the
        /// state, and answers.
        AskReady = 117 [Asks];
        /// Runs a `createContainer` hook: the stub starts the program in the current namespaces,
        /// the supervisor watches it by its pidfd and output pipe.
        Hook = 118 [Asks] (command: Hook);

        // ---- the last steps
        /// `seccomp(SECCOMP_SET_MODE_FILTER, flags, program)`, or `prctl(PR_SET_SECCOMP)` when
        /// `flags` is 0. With `listener` (`SECCOMP_FILTER_FLAG_NEW_LISTENER` is in `flags`) the
        /// number of the new descriptor goes to the supervisor by `write`, which takes it with
        /// `pidfd_getfd(2)`; the stub closes its copy after the answer.
        Seccomp = 130 [Protects Asks] {
            /// `SECCOMP_FILTER_FLAG_*`.
            flags: Flags,
            /// 8 bytes an instruction.
            program: Program,
            /// Hand the notification descriptor to the supervisor.
            listener: Switch,
        };
        /// Finds the first candidate that is an executable file, by effective ids
        /// (`faccessat2(AT_EACCESS)`, then mode bits); [`Op::Exec`] runs it. Otherwise the step
        /// fails with what the kernel says of a single candidate (`EISDIR` for a directory), and of
        /// several with the first error that is not `ENOENT` or `ENOTDIR`, else with `ENOENT`.
        Lookup = 131 [Protects] (candidates: TextList);
        /// Closes the control channel. From here on a failure is one line on standard error and
        /// exit code 255.
        CloseControl = 132 [Protects];
        /// `read(fd, 1 byte)`: waits until `start` writes the exec fifo; SIGTERM, SIGINT, SIGHUP
        /// and SIGQUIT end the stub meanwhile. Every other descriptor from `3 + passed` on is
        /// closed before, and its slot empty. Unless a later step closes it, the descriptor stays
        /// open until the kernel executes the program: one who holds the other end sees by its end
        /// (`POLLERR`) that the program has begun, or that the process has ended.
        WaitStart = 133 (fifo: Uses);
        /// Runs `startContainer` hooks, after the channel is closed: output captured, timeout kept.
        /// The first failure is one line on standard error, `error running CONTEXT #INDEX: exit
        /// status 1, stdout: …, stderr: …`, and exit code 255.
        LateHooks = 134 (hooks: Hooks);
        /// `close_range(3 + passed, ~0)`, then, tried again for 100 ms on `ETXTBSY`,
        /// `execve(candidate found by Lookup, args, env)`.
        Exec = 135 [Protects] {
            /// Arguments, `argv[0]` first.
            args: TextList,
            /// Environment; a `HOME` answered to [`Op::AskHome`] is appended.
            env: TextList,
        };
        /// Says that the plan is done, as [`Op::CloseControl`] does, and ends with `exit_group(0)`:
        /// the last step of a helper process that runs no program. The control channel is open
        /// until then.
        Exit = 136 [Protects Asks];
        }
    };
}
#[allow(
    unused_imports,
    reason = "the library makes its types of the table, too"
)]
pub(crate) use operations;

macro_rules! define_operation {
    ($(
        $(#[$_doc:meta])*
        $name:ident = $number:literal $([$($_role:ident)+])?
        $(($single:ident: $single_kind:ident))?
        $({ $( $(#[$_field_doc:meta])* $field:ident: $kind:ident, )+ })?;
    )+) => {
        /// A decoded step: what its bytes say, borrowed from the plan.
        #[derive(Clone, Copy, Debug)]
        pub(crate) enum Operation<'a> {
            $($name {
                $($single: <$single_kind as Field>::Value<'a>,)?
                $($($field: <$kind as Field>::Value<'a>,)+)?
            },)+
        }

        impl<'a> Operation<'a> {
            /// What a step of the plan does. `None` as for [`decode`](Self::decode).
            pub(crate) fn of(plan: &View<'a>, record: &Record) -> Option<Self> {
                Self::decode(record.operation, plan.bytes(record.fields)?)
            }

            /// Reads the fields of the operation with this number. `None` if the operation does
            /// not exist, or if the bytes are not exactly its fields.
            pub(crate) fn decode(number: u16, fields: &'a [u8]) -> Option<Self> {
                let mut reader = Reader::new(fields);
                let operation = match number {
                    $($number => Self::$name {
                        $($single: <$single_kind as Field>::read(&mut reader),)?
                        $($($field: <$kind as Field>::read(&mut reader),)+)?
                    },)+
                    _ => return None,
                };
                reader.is_done().then_some(operation)
            }
        }
    };
}
operations!(define_operation);
