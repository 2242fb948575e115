//! The system call filter that a sandbox has by default.
//!
//! It has the meaning of the profile that Docker gives to containers: what programs need is
//! allowed, everything else is EPERM; some calls are allowed to those who have the capability that
//! they ask for anyway.

use configs::oci::{Seccomp, Syscall};

/// What is allowed with no capability.
const BASE: &str = include_str!("filter.json");

/// What is allowed beside it with a capability.
const WITH_CAPABILITY: &[(&str, &[&str])] = &[
    ("CAP_BPF", &["bpf"]),
    ("CAP_DAC_READ_SEARCH", &["open_by_handle_at"]),
    ("CAP_PERFMON", &["perf_event_open"]),
    (
        SYS_ADMIN,
        &[
            "bpf",
            "clone",
            "clone3",
            "fanotify_init",
            "fsconfig",
            "fsmount",
            "fsopen",
            "fspick",
            "lookup_dcookie",
            "mount",
            "mount_setattr",
            "move_mount",
            "open_tree",
            "perf_event_open",
            "quotactl",
            "quotactl_fd",
            "setdomainname",
            "sethostname",
            "setns",
            "syslog",
            "umount",
            "umount2",
            "unshare",
        ],
    ),
    ("CAP_SYS_BOOT", &["reboot"]),
    ("CAP_SYS_CHROOT", &["chroot"]),
    (
        "CAP_SYS_MODULE",
        &["delete_module", "finit_module", "init_module"],
    ),
    (
        "CAP_SYS_NICE",
        &[
            "get_mempolicy",
            "mbind",
            "set_mempolicy",
            "set_mempolicy_home_node",
        ],
    ),
    ("CAP_SYS_PACCT", &["acct"]),
    (
        "CAP_SYS_PTRACE",
        &["kcmp", "pidfd_getfd", "process_madvise"],
    ),
    ("CAP_SYS_RAWIO", &["ioperm", "iopl"]),
    (
        "CAP_SYS_TIME",
        &["clock_settime", "clock_settime64", "settimeofday", "stime"],
    ),
    ("CAP_SYS_TTY_CONFIG", &["vhangup"]),
    ("CAP_SYSLOG", &["syslog"]),
];

const SYS_ADMIN: &str = "CAP_SYS_ADMIN";
const ALLOW: &str = "SCMP_ACT_ALLOW";

/// The filter for a program with these capabilities, by their names with `CAP_`.
pub(super) fn default(capabilities: &[String]) -> serde_json::Result<Seccomp> {
    let has = |name: &str| capabilities.iter().any(|capability| capability == name);
    let mut filter: Seccomp = serde_json::from_str(BASE)?;
    filter.architectures = architectures();
    if has(SYS_ADMIN) {
        // Not "there is no such call", which leads the C library to clone(2) whose flags can be
        // looked at.
        filter.syscalls.retain(|rule| rule.names != ["clone3"]);
    }
    let more = WITH_CAPABILITY
        .iter()
        .filter(|(capability, _)| has(capability));
    filter.syscalls.extend(more.map(|(_, names)| Syscall {
        names: names.iter().map(ToString::to_string).collect(),
        action: ALLOW.to_owned(),
        ..Syscall::default()
    }));
    Ok(filter)
}

/// Those that this processor executes beside its own.
fn architectures() -> Vec<String> {
    let names: &[&str] = if cfg!(target_arch = "x86_64") {
        &["SCMP_ARCH_X86", "SCMP_ARCH_X32"]
    } else if cfg!(target_arch = "aarch64") {
        &["SCMP_ARCH_ARM"]
    } else {
        &[]
    };
    names.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(capabilities: &[&str], call: &str) -> bool {
        let capabilities: Vec<String> = capabilities.iter().map(ToString::to_string).collect();
        let filter = default(&capabilities).unwrap();
        filter.syscalls.iter().any(|rule| {
            rule.action == ALLOW
                && rule.args.is_empty()
                && rule.names.iter().any(|name| name == call)
        })
    }

    #[test]
    fn what_asks_for_a_capability_comes_with_it() {
        for (capability, calls) in WITH_CAPABILITY {
            for call in *calls {
                assert!(!allowed(&[], call), "{call}");
                assert!(allowed(&[capability], call), "{call}");
            }
        }
    }

    #[test]
    fn programs_get_what_they_need() {
        for call in ["execve", "mmap", "openat", "write", "futex", "exit_group"] {
            assert!(allowed(&[], call), "{call}");
        }
    }
}
