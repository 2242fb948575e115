//! What a file does not say.

use seccomp::Architecture;

/// The capabilities of Linux 5.9 and later (`linux/capability.h`), in the order of their numbers.
pub const CAPABILITIES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// What a file does not say: facts about the host, and decisions of the caller. Nothing is read
/// from the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Absolute path of the root file system, for a file that names none. A relative path in the
    /// file is relative to it. Until 2015 this was the current directory.
    pub rootfs: String,
    /// The capabilities that the kernel has, with the prefix `CAP_`: a mask says which of them to
    /// drop. By default [`CAPABILITIES`].
    pub capabilities: Vec<String>,
    /// The architecture of the host: numbers of system calls in a file are those of x86_64, the
    /// default.
    pub architecture: Architecture,
    /// A random number, of which the lower 28 bits make the name of a veth device on the host
    /// unique; a second device gets the next number.
    pub interface_suffix: u32,
    /// Fill the inheritable capability set, as runtimes did until 2022. A program with inheritable
    /// file capabilities then gets these, whichever user executes it.
    pub strict_legacy: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rootfs: String::new(),
            capabilities: CAPABILITIES.map(str::to_owned).to_vec(),
            architecture: Architecture::X86_64,
            interface_suffix: 0,
            strict_legacy: false,
        }
    }
}
