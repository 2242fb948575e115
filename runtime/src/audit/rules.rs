//! The table of rules: what is looked for, why it matters, what to put there, and who says so.
//!
//! Sources are the CIS Docker Benchmark 1.6.0 (sections 4 and 5, "Container Images" and "Container
//! Runtime") and the controls of the Kubernetes Pod Security Standards, levels baseline and
//! restricted. A rule that neither has an equivalent of names none.

/// One thing that is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// A short name that stays the same from version to version.
    pub id: &'static str,
    /// What it is about, a few words.
    pub title: &'static str,
    /// What somebody in the container can do with it.
    pub why: &'static str,
    /// What to put into the configuration.
    pub remedy: &'static str,
    /// Recommendations of the CIS Docker Benchmark 1.6.0, by number.
    pub cis: &'static [&'static str],
    /// Controls of the Pod Security Standards, each behind its level.
    pub pod_security: &'static [&'static str],
}

/// A row of the table.
const fn rule(
    id: &'static str,
    title: &'static str,
    why: &'static str,
    remedy: &'static str,
    cis: &'static [&'static str],
    pod_security: &'static [&'static str],
) -> Rule {
    Rule {
        id,
        title,
        why,
        remedy,
        cis,
        pod_security,
    }
}

pub(super) static HOST_MOUNT: Rule = rule(
    "host-mount",
    "mounts of the host",
    "The container's mounts are made on the host, and the container sees and can change the host's.",
    "add {\"type\": \"mount\"}",
    &[],
    &[],
);
pub(super) static HOST_PID: Rule = rule(
    "host-pid",
    "processes of the host",
    "Processes of the host are visible with their environment, and can be signalled and traced by the same user.",
    "add {\"type\": \"pid\"}",
    &["5.16"],
    &["baseline: Host Namespaces"],
);
pub(super) static HOST_NETWORK: Rule = rule(
    "host-network",
    "network of the host",
    "Services on the loopback interface and abstract sockets of the host can be reached, and its traffic seen.",
    "add {\"type\": \"network\"}",
    &["5.10"],
    &["baseline: Host Namespaces"],
);
pub(super) static HOST_IPC: Rule = rule(
    "host-ipc",
    "IPC of the host",
    "Shared memory, semaphores and message queues of the host's processes can be used.",
    "add {\"type\": \"ipc\"}",
    &["5.17"],
    &["baseline: Host Namespaces"],
);
pub(super) static HOST_UTS: Rule = rule(
    "host-uts",
    "host name of the host",
    "With CAP_SYS_ADMIN the name of the host can be changed.",
    "add {\"type\": \"uts\"}",
    &["5.21"],
    &[],
);
pub(super) static HOST_CGROUP: Rule = rule(
    "host-cgroup",
    "view of the host's cgroups",
    "Names and limits of other containers show in /proc/self/cgroup and in mounts of cgroups.",
    "add {\"type\": \"cgroup\"}",
    &[],
    &[],
);
pub(super) static HOST_USER: Rule = rule(
    "host-user",
    "users of the host",
    "User ids are those of the host: root that gets out is root there.",
    "add {\"type\": \"user\"} with uidMappings and gidMappings to ids that nobody else has",
    &["5.31"],
    &[],
);
pub(super) static HOST_ROOT_MAPPED: Rule = rule(
    "host-root-mapped",
    "mapped to root of the host",
    "An id of the container is the host's root, to which files of the host belong.",
    "map to a range of ids that nobody else has",
    &[],
    &[],
);
pub(super) static JOINED_NAMESPACE: Rule = rule(
    "joined-namespace",
    "joined namespace",
    "What is in the namespace is shared with whoever else is in it.",
    "leave the path empty for a namespace of its own",
    &[],
    &[],
);
pub(super) static ROOT_USER: Rule = rule(
    "root-user",
    "runs as root",
    "Files of root in volumes can be written, and kernel bugs that need root are in reach.",
    "put a user id other than 0",
    &["4.1"],
    &[
        "restricted: Running as Non-root",
        "restricted: Running as Non-root user",
    ],
);
pub(super) static NEW_PRIVILEGES: Rule = rule(
    "new-privileges",
    "may gain privileges",
    "Programs with set-user-ID bits or file capabilities raise the privileges of who executes them.",
    "put true",
    &["5.26"],
    &["restricted: Privilege Escalation"],
);
pub(super) static CAPABILITIES_HOST: Rule = rule(
    "capabilities-host",
    "capabilities that open the host",
    "Each of them leads to root of the host, or past the protection of the kernel.",
    "leave them out of all sets",
    &["5.4"],
    &["baseline: Capabilities", "restricted: Capabilities"],
);
pub(super) static CAPABILITIES_WIDE: Rule = rule(
    "capabilities-wide",
    "capabilities beyond the usual ones",
    "They reach other containers, devices or settings of the host, or open more of the kernel to attacks.",
    "leave out what the program does not need",
    &["5.4"],
    &["baseline: Capabilities", "restricted: Capabilities"],
);
pub(super) static CAPABILITIES_USUAL: Rule = rule(
    "capabilities-usual",
    "capabilities that engines usually give",
    "They make root of the container stronger against files and processes of the container.",
    "leave out what the program does not need",
    &["5.4"],
    &["restricted: Capabilities"],
);
pub(super) static NO_SECCOMP: Rule = rule(
    "no-seccomp",
    "no system call filter",
    "Every system call of the kernel can be tried, rarely used and faulty ones among them.",
    "put a profile that allows what the program needs, such as that of an engine",
    &["5.22"],
    &["baseline: Seccomp", "restricted: Seccomp"],
);
pub(super) static SECCOMP_DEFAULT: Rule = rule(
    "seccomp-default",
    "filter that allows by default",
    "System calls that the profile does not name are allowed, those of later kernels among them.",
    "put SCMP_ACT_ERRNO, and rules for what the program needs",
    &[],
    &[],
);
pub(super) static SECCOMP_ALLOWS: Rule = rule(
    "seccomp-allows",
    "filter lets through what is dangerous",
    "These system calls are a way to the host, or have been a way into the kernel.",
    "take them out of the rules that allow",
    &[],
    &[],
);
pub(super) static SECCOMP_MOOT: Rule = rule(
    "seccomp-moot",
    "filter lets through what lacks a capability",
    "Only the missing capability keeps these system calls from working.",
    "take them out of the rules that allow",
    &[],
    &[],
);
pub(super) static SECCOMP_OTHER: Rule = rule(
    "seccomp-other",
    "filter that is not of the configuration",
    "What it lets through cannot be read from outside.",
    "put a profile, so that it can be evaluated",
    &[],
    &[],
);
pub(super) static MASKED_PATHS: Rule = rule(
    "masked-paths",
    "kernel files that are not masked",
    "They show memory, keys, timers or hardware of the host.",
    "add the paths",
    &[],
    &["baseline: /proc Mount Type"],
);
pub(super) static MASKED_PATHS_LATER: Rule = rule(
    "masked-paths-later",
    "kernel files that recent engines mask",
    "They show the load of the host as side channels for secrets: interrupts, consumption of power.",
    "add the paths",
    &[],
    &[],
);
pub(super) static PROC_WRITABLE: Rule = rule(
    "proc-writable",
    "kernel settings that can be written",
    "By writing to them root sets programs that the kernel runs on the host, or stops the machine.",
    "add the paths",
    &[],
    &["baseline: /proc Mount Type"],
);
pub(super) static SYS_WRITABLE: Rule = rule(
    "sys-writable",
    "sysfs that can be written",
    "By writing to it root changes devices, and sets programs that the kernel runs on the host.",
    "add \"ro\"",
    &[],
    &[],
);
pub(super) static CGROUP_WRITABLE: Rule = rule(
    "cgroup-writable",
    "cgroups that can be written",
    "Limits can be changed; on cgroup v1 a release agent runs as root of the host.",
    "add \"ro\"",
    &[],
    &[],
);
pub(super) static SYSCTL: Rule = rule(
    "sysctl",
    "kernel parameter beyond the safe ones",
    "It changes how the kernel works for all that share the namespace.",
    "leave it out",
    &[],
    &["baseline: Sysctls"],
);
pub(super) static HOST_ROOT: Rule = rule(
    "host-root",
    "root file system of the host",
    "Every file of the host is there: its passwords, its keys, the programs that root runs.",
    "mount only the directory that is needed, with \"ro\"",
    &["5.6"],
    &["baseline: HostPath Volumes"],
);
pub(super) static HOST_SYSTEM: Rule = rule(
    "host-system",
    "system directory of the host",
    "It holds configuration, programs, devices or secrets of the host.",
    "mount only the file or directory that is needed, with \"ro\"",
    &["5.6"],
    &["baseline: HostPath Volumes"],
);
pub(super) static HOST_PATH: Rule = rule(
    "host-path",
    "files of the host",
    "They are shared with the host, and if not read-only changed there.",
    "add \"ro\" if the program does not write there",
    &[],
    &[],
);
pub(super) static ENGINE_SOCKET: Rule = rule(
    "engine-socket",
    "socket of a container engine",
    "Who can talk to the engine can start a privileged container, and is root of the host.",
    "leave the mount out",
    &["5.32"],
    &["baseline: HostPath Volumes"],
);
pub(super) static HOST_SOCKET: Rule = rule(
    "host-socket",
    "socket of the host",
    "The program behind it serves the container as it serves the host.",
    "leave the mount out if the program does not need it",
    &[],
    &[],
);
pub(super) static MOUNT_SHARED: Rule = rule(
    "mount-shared",
    "mounts that spread to the host",
    "What is mounted below it in the container appears on the host.",
    "put \"rprivate\", or \"rslave\" to see what the host mounts",
    &["5.20"],
    &[],
);
pub(super) static ROOTFS_WRITABLE: Rule = rule(
    "rootfs-writable",
    "root file system that can be written",
    "An attacker can change the programs of the container, and leave others there.",
    "put true, and a tmpfs where the program writes",
    &["5.13"],
    &[],
);
pub(super) static DEVICES_ALL: Rule = rule(
    "devices-all",
    "all devices",
    "Disks and memory of the host can be read and written.",
    "put a first rule {\"allow\": false, \"access\": \"rwm\"}, and rules for what the program needs",
    &["5.5", "5.18"],
    &["baseline: Privileged Containers"],
);
pub(super) static DEVICE_HOST: Rule = rule(
    "device-host",
    "device that opens the host",
    "Disks or memory of the host can be read or written.",
    "leave it out",
    &["5.18"],
    &[],
);
pub(super) static DEVICE_OTHER: Rule = rule(
    "device-other",
    "device of the host",
    "Its driver is open to attacks, and its other users to disturbance.",
    "leave it out if the program does not need it",
    &["5.18"],
    &[],
);
pub(super) static NO_MEMORY_LIMIT: Rule = rule(
    "no-memory-limit",
    "no limit of memory",
    "The container can use up the memory of the host, so that the kernel kills processes of others.",
    "put a number of bytes",
    &["5.11"],
    &[],
);
pub(super) static NO_PIDS_LIMIT: Rule = rule(
    "no-pids-limit",
    "no limit of processes",
    "A fork bomb uses up the process ids of the host.",
    "put a number such as 1024",
    &["5.29"],
    &[],
);
pub(super) static NO_CPU_LIMIT: Rule = rule(
    "no-cpu-limit",
    "no limit or share of CPU",
    "The container competes with everything else on the host as an equal.",
    "put shares, or quota and period",
    &["5.12"],
    &[],
);
pub(super) static OOM_KILLER: Rule = rule(
    "oom-killer",
    "processes that the OOM killer spares",
    "When memory runs out, others are killed in place of the container.",
    "leave it out",
    &[],
    &[],
);
pub(super) static HUGE_PAGES: Rule = rule(
    "huge-pages",
    "no limit of huge pages",
    "The huge pages of the host can be used up.",
    "add a limit for each size of pages",
    &[],
    &[],
);
pub(super) static NO_LSM: Rule = rule(
    "no-lsm",
    "no AppArmor profile and no SELinux label",
    "A mistake elsewhere in the configuration has no second line of defence.",
    "put an AppArmor profile, or a label as selinuxLabel",
    &["5.2", "5.3"],
    &["baseline: AppArmor"],
);
pub(super) static HOOKS: Rule = rule(
    "hooks",
    "programs run on the host",
    "They run as the user who runs the container, with its state as their input.",
    "keep to programs that only root can change",
    &[],
    &[],
);
pub(super) static TERMINAL: Rule = rule(
    "terminal",
    "terminal",
    "Output can hold sequences that the terminal of the reader obeys.",
    "put false for a service",
    &[],
    &[],
);
pub(super) static NET_DEVICE: Rule = rule(
    "net-device",
    "network device of the host",
    "The host lends it to the container, which sees the traffic behind it.",
    "leave it out if the program does not need it",
    &[],
    &[],
);
pub(super) static KEYRING: Rule = rule(
    "session-keyring",
    "session keyring of the caller",
    "Keys of who started the container can be read by root of the container.",
    "run without --no-new-keyring",
    &[],
    &[],
);
pub(super) static NO_PIVOT: Rule = rule(
    "no-pivot-root",
    "root changed without pivot_root",
    "The mounts of the host stay below the root of the container.",
    "run without --no-pivot",
    &[],
    &[],
);
pub(super) static UNKNOWN_KEY: Rule = rule(
    "unknown-key",
    "key that is not known",
    "It is ignored; a protection with a misspelt name is none.",
    "correct the name, or leave it out",
    &[],
    &[],
);
pub(super) static STATE_DIFFERS: Rule = rule(
    "state-differs",
    "state that is not what was configured",
    "Something has changed the container since it was made, or its record.",
    "find out who has changed it",
    &[],
    &[],
);

/// All rules.
pub static RULES: &[&Rule] = &[
    &HOST_MOUNT,
    &HOST_PID,
    &HOST_NETWORK,
    &HOST_IPC,
    &HOST_UTS,
    &HOST_CGROUP,
    &HOST_USER,
    &HOST_ROOT_MAPPED,
    &JOINED_NAMESPACE,
    &ROOT_USER,
    &NEW_PRIVILEGES,
    &CAPABILITIES_HOST,
    &CAPABILITIES_WIDE,
    &CAPABILITIES_USUAL,
    &NO_SECCOMP,
    &SECCOMP_DEFAULT,
    &SECCOMP_ALLOWS,
    &SECCOMP_MOOT,
    &SECCOMP_OTHER,
    &MASKED_PATHS,
    &MASKED_PATHS_LATER,
    &PROC_WRITABLE,
    &SYS_WRITABLE,
    &CGROUP_WRITABLE,
    &SYSCTL,
    &HOST_ROOT,
    &HOST_SYSTEM,
    &HOST_PATH,
    &ENGINE_SOCKET,
    &HOST_SOCKET,
    &MOUNT_SHARED,
    &ROOTFS_WRITABLE,
    &DEVICES_ALL,
    &DEVICE_HOST,
    &DEVICE_OTHER,
    &NO_MEMORY_LIMIT,
    &NO_PIDS_LIMIT,
    &NO_CPU_LIMIT,
    &OOM_KILLER,
    &HUGE_PAGES,
    &NO_LSM,
    &HOOKS,
    &TERMINAL,
    &NET_DEVICE,
    &KEYRING,
    &NO_PIVOT,
    &UNKNOWN_KEY,
    &STATE_DIFFERS,
];
