//! Capabilities: which a process of the container can come to have, and what each opens.
//!
//! `capabilities(7)` lists what each allows. High is what leads to root of the host without
//! anything else; medium what reaches other containers, devices or settings of the host, or opens
//! wide parts of the kernel to attacks. Low are those that engines give to every container.

use std::fmt::Write as _;

use configs::oci::Process;

use super::Severity;
use super::Severity::{High, Low, Medium};
use super::rules::{CAPABILITIES_HOST, CAPABILITIES_USUAL, CAPABILITIES_WIDE, Rule};
use super::subject::Subject;

/// By number: the name without `CAP_`, how much it opens, and what.
#[rustfmt::skip]
static CAPABILITIES: [(&str, Severity, &str); 41] = [
    ("CHOWN", Low, "owners of files"),
    ("DAC_OVERRIDE", Low, "files whatever their permissions"),
    ("DAC_READ_SEARCH", High, "any file of a file system, by handle"),
    ("FOWNER", Low, "files as their owner"),
    ("FSETID", Low, "set-ID bits kept"),
    ("KILL", Low, "signals to any process"),
    ("SETGID", Low, "any group"),
    ("SETUID", Low, "any user"),
    ("SETPCAP", Low, "capability sets"),
    ("LINUX_IMMUTABLE", Medium, "immutable files"),
    ("NET_BIND_SERVICE", Low, "ports below 1024"),
    ("NET_BROADCAST", Medium, "nothing yet, kept for broadcasts"),
    ("NET_ADMIN", Medium, "interfaces, routes and packet filters"),
    ("NET_RAW", Low, "forged packets to neighbours"),
    ("IPC_LOCK", Medium, "locked memory"),
    ("IPC_OWNER", Medium, "IPC of any user"),
    ("SYS_MODULE", High, "kernel modules"),
    ("SYS_RAWIO", High, "memory and ports of the machine"),
    ("SYS_CHROOT", Low, "chroot"),
    ("SYS_PTRACE", High, "memory of other processes"),
    ("SYS_PACCT", Medium, "process accounting"),
    ("SYS_ADMIN", High, "mounts, namespaces and much else"),
    ("SYS_BOOT", High, "reboot, another kernel"),
    ("SYS_NICE", Medium, "priorities of any process"),
    ("SYS_RESOURCE", Medium, "limits and quotas"),
    ("SYS_TIME", Medium, "the clock of the host"),
    ("SYS_TTY_CONFIG", Medium, "terminals of the host"),
    ("MKNOD", Low, "device nodes"),
    ("LEASE", Medium, "leases on any file"),
    ("AUDIT_WRITE", Low, "records in the audit log"),
    ("AUDIT_CONTROL", Medium, "rules of the audit log"),
    ("SETFCAP", Low, "capabilities of files"),
    ("MAC_OVERRIDE", High, "access past the security module"),
    ("MAC_ADMIN", High, "policy of the security module"),
    ("SYSLOG", Medium, "kernel log and addresses"),
    ("WAKE_ALARM", Medium, "waking the machine"),
    ("BLOCK_SUSPEND", Medium, "keeping the machine awake"),
    ("AUDIT_READ", Medium, "the audit log"),
    ("PERFMON", Medium, "performance events of others"),
    ("BPF", High, "programs in the kernel"),
    ("CHECKPOINT_RESTORE", Medium, "process ids of choice, files of others by /proc"),
];

/// The number of a capability, by its name without `CAP_`.
pub(super) fn number(name: &str) -> Option<usize> {
    CAPABILITIES.iter().position(|(known, _, _)| *known == name)
}

/// The names of a set, as a configuration has them.
pub(super) fn names(set: u64) -> Vec<String> {
    let all = CAPABILITIES.iter().enumerate();
    let of_set = all.filter(|(number, _)| set >> number & 1 != 0);
    of_set
        .map(|(_, (name, _, _))| format!("CAP_{name}"))
        .collect()
}

/// The set that has these names. What is not known is not given either: the runtime warns.
pub(super) fn set(names: &[String]) -> u64 {
    names
        .iter()
        .filter_map(|name| number(name.strip_prefix("CAP_")?))
        .fold(0, |set, number| set | 1 << number)
}

/// What a process can come to have. With `no_new_privs`, executing a file adds nothing to what is
/// permitted (`no_new_privs` in the kernel's documentation); without, it can add all that is in the
/// bounding set.
pub(super) fn reachable(process: Option<&Process>) -> u64 {
    let Some(process) = process else { return 0 };
    let Some(sets) = &process.capabilities else {
        return 0;
    };
    let of = |names: &Option<Vec<String>>| set(names.as_deref().unwrap_or_default());
    let now = of(&sets.permitted) | of(&sets.effective) | of(&sets.ambient);
    if process.no_new_privileges {
        now
    } else {
        now | of(&sets.bounding) | of(&sets.inheritable)
    }
}

pub(super) fn check(subject: &mut Subject<'_>) {
    let levels: [(Severity, &Rule); 3] = [
        (High, &CAPABILITIES_HOST),
        (Medium, &CAPABILITIES_WIDE),
        (Low, &CAPABILITIES_USUAL),
    ];
    for (level, rule) in levels {
        let mut detail = String::new();
        for (number, (name, severity, opens)) in CAPABILITIES.iter().enumerate() {
            if *severity == level && subject.capabilities >> number & 1 != 0 {
                let comma = if detail.is_empty() { "" } else { "; " };
                let _ = write!(detail, "{comma}CAP_{name}: {opens}");
            }
        }
        if !detail.is_empty() {
            // In a user namespace they are good for what belongs to it.
            let severity = subject.if_host_root(level);
            subject.add(rule, severity, "process.capabilities", detail);
        }
    }
}
