//! The system call filter: what it answers to system calls that are dangerous.
//!
//! The profile is compiled as for a container, and the program is run for each call, on every
//! architecture that it lets in: conditions, rules that contradict each other and calls of a
//! second architecture count as they do in the kernel.

use std::fmt::Write as _;

use seccomp::{Action, Architecture, Backend, Program};

use super::Severity;
use super::Severity::{High, Low, Medium};
use super::capabilities::number;
use super::rules::{NO_SECCOMP, SECCOMP_ALLOWS, SECCOMP_DEFAULT, SECCOMP_MOOT, SECCOMP_OTHER};
use super::subject::{Filter, Subject};
use crate::error::{Error, ErrorKind, Result};

/// System calls that are dangerous for the same reason.
struct Group {
    /// What they do.
    name: &'static str,
    severity: Severity,
    /// The capabilities, without `CAP_`, of which one is needed; with none, anybody may call.
    needs: &'static [&'static str],
    /// The calls.
    calls: &'static [&'static str],
    /// The arguments with which they are tried, the first ones; the others are 0.
    arguments: [u64; 2],
}

const fn group(
    name: &'static str,
    severity: Severity,
    needs: &'static [&'static str],
    calls: &'static [&'static str],
) -> Group {
    Group {
        name,
        severity,
        needs,
        calls,
        arguments: [0; 2],
    }
}

/// `CLONE_NEWUSER` (`linux/sched.h`).
const CLONE_NEWUSER: u64 = 0x1000_0000;
/// `AF_VSOCK` (`linux/socket.h`).
const AF_VSOCK: u64 = 40;
/// `ADDR_NO_RANDOMIZE` (`linux/personality.h`).
const ADDR_NO_RANDOMIZE: u64 = 0x004_0000;

#[rustfmt::skip]
static GROUPS: [Group; 16] = [
    group("kernel modules", High, &["SYS_MODULE"], &["init_module", "finit_module", "delete_module"]),
    group("another kernel, reboot", High, &["SYS_BOOT"], &["kexec_load", "kexec_file_load", "reboot"]),
    group("mounts", High, &["SYS_ADMIN"], &["mount", "umount2", "pivot_root", "fsopen", "fspick", "fsmount", "move_mount", "open_tree", "mount_setattr"]),
    group("files by handle", High, &["DAC_READ_SEARCH"], &["open_by_handle_at"]),
    group("input and output ports", High, &["SYS_RAWIO"], &["iopl", "ioperm"]),
    group("BPF programs", High, &["SYS_ADMIN", "BPF", "NET_ADMIN"], &["bpf"]),
    group("other namespaces", High, &["SYS_ADMIN"], &["setns"]),
    group("memory of other processes", Medium, &["SYS_PTRACE"], &["ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "kcmp"]),
    group("performance events", Medium, &["SYS_ADMIN", "PERFMON"], &["perf_event_open"]),
    group("clocks", Medium, &["SYS_TIME"], &["settimeofday", "clock_settime", "stime", "adjtimex", "clock_adjtime"]),
    group("swap, accounting, quotas", Medium, &["SYS_ADMIN", "SYS_PACCT"], &["swapon", "swapoff", "acct", "quotactl", "quotactl_fd"]),
    Group { arguments: [CLONE_NEWUSER; 2], ..group("new user namespaces", Medium, &[], &["unshare", "clone", "clone3"]) },
    group("io_uring", Medium, &[], &["io_uring_setup", "io_uring_enter", "io_uring_register"]),
    group("kernel keyrings", Low, &[], &["add_key", "request_key", "keyctl"]),
    group("page faults in user space", Low, &[], &["userfaultfd"]),
    Group { arguments: [AF_VSOCK, 0], ..group("sockets of the hypervisor", Low, &[], &["socket"]) },
];

/// Tried besides: switches the random layout of memory off.
static LAYOUT: Group = Group {
    arguments: [ADDR_NO_RANDOMIZE, 0],
    ..group("layout of memory", Low, &[], &["personality"])
};

/// Tells what is let through, and returns the names of the groups.
pub(super) fn check(subject: &mut Subject<'_>) -> Result<Option<Vec<&'static str>>> {
    let profile = match &subject.filter {
        Filter::Profile(profile) => profile,
        Filter::None => {
            let detail = "every system call is let through";
            subject.add(&NO_SECCOMP, Medium, "linux.seccomp", detail);
            return Ok(None);
        }
        Filter::Unknown => {
            let detail = "the process has a filter, but not one of its configuration";
            subject.add(&SECCOMP_OTHER, Severity::Info, "linux.seccomp", detail);
            return Ok(None);
        }
    };
    let compiled = seccomp::compile(profile, Backend::Auto)
        .map_err(|error| Error::with(ErrorKind::InvalidConfig, "linux.seccomp", error))?;
    let mut architectures: Vec<Architecture> = Architecture::native().into_iter().collect();
    for architecture in &profile.architectures {
        if !architectures.contains(architecture) {
            architectures.push(*architecture);
        }
    }
    let default = profile.default_action;
    let allows_others = matches!(
        default,
        seccomp::ActionName::Allow | seccomp::ActionName::Log
    );
    let field = if allows_others {
        "linux.seccomp.defaultAction"
    } else {
        "linux.seccomp.syscalls"
    };
    if allows_others {
        let detail = format!("{} for all that is not named", default.name());
        subject.add(&SECCOMP_DEFAULT, Medium, field, detail);
    }
    let mut names = Vec::new();
    let mut moot = String::new();
    for group in GROUPS.iter().chain([&LAYOUT]) {
        let calls = let_through(&compiled.program, &architectures, group)?;
        if calls.is_empty() {
            continue;
        }
        names.push(group.name);
        let has =
            |name: &&str| number(name).is_some_and(|bit| subject.capabilities >> bit & 1 != 0);
        if group.needs.is_empty() || group.needs.iter().any(has) {
            let severity = subject.if_host_root(group.severity);
            let detail = format!("{}: {calls}", group.name);
            subject.add(&SECCOMP_ALLOWS, severity, field, detail);
        } else {
            let semicolon = if moot.is_empty() { "" } else { "; " };
            let _ = write!(moot, "{semicolon}{}: {calls}", group.name);
        }
    }
    if !moot.is_empty() {
        subject.add(&SECCOMP_MOOT, Severity::Info, field, moot);
    }
    Ok(Some(names))
}

/// The calls of a group that the filter lets through, each with the architectures on which it does
/// if the native one is not among them.
fn let_through(program: &Program, architectures: &[Architecture], group: &Group) -> Result<String> {
    let [first, second] = group.arguments;
    let arguments = [first, second, 0, 0, 0, 0];
    let mut text = String::new();
    for call in group.calls {
        for (index, architecture) in architectures.iter().enumerate() {
            let Some(number) = architecture.syscall_number(call) else {
                continue;
            };
            let answer = seccomp::evaluate(program, *architecture, number, arguments)
                .map_err(|error| Error::with(ErrorKind::InvalidConfig, "linux.seccomp", error))?;
            if !Action::from_return_value(answer).lets_through() {
                continue;
            }
            let comma = if text.is_empty() { "" } else { ", " };
            let _ = write!(text, "{comma}{call}");
            if index > 0 {
                let _ = write!(text, " ({})", architecture.short_name());
            }
            break;
        }
    }
    Ok(text)
}
