//! What the kernel says of the confinement of a process.

/// The lines of `/proc/PID/status` (proc(5)) about identity, capabilities and seccomp.
pub const CONFINEMENT: [&str; 11] = [
    "CapInh",
    "CapPrm",
    "CapEff",
    "CapBnd",
    "CapAmb",
    "NoNewPrivs",
    "Seccomp",
    "Seccomp_filters",
    "Uid",
    "Gid",
    "Umask",
];
