//! Files of the kernel: what of `/proc`, `/sys` and the cgroups is hidden, and what can be written.

use super::Severity;
use super::Severity::{High, Low, Medium};
use super::rules::{
    CGROUP_WRITABLE, MASKED_PATHS, MASKED_PATHS_LATER, PROC_WRITABLE, Rule, SYS_WRITABLE,
};
use super::subject::{Subject, clean, is_bind, is_read_only, is_within};
use configs::config::NamespaceType;
use configs::oci::Mount;

/// What `cofferdam spec` masks, and engines have masked for long.
const MASKED: [&str; 10] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/firmware",
];
/// What Docker 27 and 28 mask besides.
const MASKED_LATER: [&str; 2] = ["/proc/interrupts", "/sys/devices/virtual/powercap"];
/// What lets root of the host's user namespace take over, or stop, the machine.
const NEVER_WRITABLE: [&str; 2] = ["/proc/sys", "/proc/sysrq-trigger"];
/// The others that engines make read-only.
const READ_ONLY: [&str; 3] = ["/proc/bus", "/proc/fs", "/proc/irq"];

pub(super) fn check(subject: &mut Subject<'_>) {
    let mut proc = None;
    let mut sys = None;
    for (index, mount) in subject.mounts() {
        // A bind of the host's is one, too.
        let is_from = |path: &str| is_bind(mount) && clean(&mount.source).as_deref() == Some(path);
        match clean(&mount.destination).as_deref() {
            Some("/proc") if mount.kind == "proc" || is_from("/proc") => proc = Some(mount),
            Some("/sys") if mount.kind == "sysfs" || is_from("/sys") => sys = Some((index, mount)),
            _ => {}
        }
    }
    // With the option subset=pid there are only the directories of processes.
    let only_processes = |mount: &Mount| mount.options.iter().any(|it| it == "subset=pid");
    let proc = proc.filter(|mount| !only_processes(mount));
    masks(subject, proc.is_some(), sys.is_some());
    if let Some(proc) = proc
        && !is_read_only(proc)
    {
        let severity = subject.if_host_root(High);
        protected(subject, &NEVER_WRITABLE, &PROC_WRITABLE, severity);
        let severity = subject.if_host_root(Medium);
        protected(subject, &READ_ONLY, &PROC_WRITABLE, severity);
    }
    if let Some((index, mount)) = sys
        && !is_read_only(mount)
    {
        let severity = subject.if_host_root(High);
        let field = subject.mount_field(index, ".options");
        let detail = format!("{} is not read-only", mount.destination);
        subject.add(&SYS_WRITABLE, severity, field, detail);
    }
    cgroups(subject);
}

/// Tells of paths that are not masked, of file systems that are mounted.
fn masks(subject: &mut Subject<'_>, proc: bool, sys: bool) {
    let later: (&[&str], &Rule, Severity) = (&MASKED_LATER, &MASKED_PATHS_LATER, Low);
    for (paths, rule, severity) in [(&MASKED[..], &MASKED_PATHS, Medium), later] {
        let masked = subject.linux().map_or(&[][..], |linux| &linux.masked_paths);
        let missing: Vec<&str> = paths
            .iter()
            .copied()
            .filter(|path| if path.starts_with("/sys") { sys } else { proc })
            .filter(|path| !covers(masked, path))
            .collect();
        if !missing.is_empty() {
            let severity = subject.if_host_root(severity);
            subject.add(rule, severity, "linux.maskedPaths", missing.join(", "));
        }
    }
}

/// Tells of paths that are neither read-only nor masked.
fn protected(subject: &mut Subject<'_>, paths: &[&str], rule: &'static Rule, severity: Severity) {
    let Some(linux) = subject.linux() else {
        subject.add(rule, severity, "linux.readonlyPaths", paths.join(", "));
        return;
    };
    let is_protected =
        |path: &str| covers(&linux.readonly_paths, path) || covers(&linux.masked_paths, path);
    let missing: Vec<&str> = paths
        .iter()
        .copied()
        .filter(|path| !is_protected(path))
        .collect();
    if !missing.is_empty() {
        subject.add(rule, severity, "linux.readonlyPaths", missing.join(", "));
    }
}

/// Whether one of the paths is this one, or above it.
fn covers(paths: &[String], path: &str) -> bool {
    paths
        .iter()
        .filter_map(|covering| clean(covering))
        .any(|covering| is_within(path, &covering))
}

fn cgroups(subject: &mut Subject<'_>) {
    let own = subject.namespace(NamespaceType::Cgroup).is_some();
    for (index, mount) in subject.mounts() {
        let of_host = is_bind(mount)
            && clean(&mount.source).is_some_and(|source| is_within(&source, "/sys/fs/cgroup"));
        let is_cgroup = matches!(mount.kind.as_str(), "cgroup" | "cgroup2");
        if !(is_cgroup || of_host) || is_read_only(mount) {
            continue;
        }
        let severity = if own && !of_host { Medium } else { High };
        let severity = subject.if_host_root(severity);
        let field = subject.mount_field(index, ".options");
        let detail = format!("{} is not read-only", mount.destination);
        subject.add(&CGROUP_WRITABLE, severity, field, detail);
    }
}
