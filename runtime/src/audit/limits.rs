//! Limits that are missing.

use super::Severity;
use super::rules::{HUGE_PAGES, NO_CPU_LIMIT, NO_MEMORY_LIMIT, NO_PIDS_LIMIT, OOM_KILLER};
use super::subject::Subject;

pub(super) fn check(subject: &mut Subject<'_>) {
    let limits = &subject.resources;
    // A file of cgroup v2 that is written besides.
    let file = |name: &str| {
        let value = limits.unified.get(name);
        value.is_some_and(|value| value.split_whitespace().next() != Some("max"))
    };
    let memory = limits.memory > 0 || file("memory.max");
    let pids = limits.pids_limit.is_some_and(|limit| limit >= 0) || file("pids.max");
    let cpu = limits.cpu_quota > 0
        || limits.cpu_shares > 0
        || !limits.cpuset_cpus.is_empty()
        || file("cpu.max")
        || file("cpu.weight");
    let oom_kill_disable = limits.oom_kill_disable;
    let huge_pages = !limits.hugetlb_limit.is_empty();
    if !memory {
        let detail = "all memory of the host can be used";
        subject.add(
            &NO_MEMORY_LIMIT,
            Severity::Medium,
            "linux.resources.memory.limit",
            detail,
        );
    }
    if !pids {
        let detail = "any number of processes can be started";
        subject.add(
            &NO_PIDS_LIMIT,
            Severity::Medium,
            "linux.resources.pids.limit",
            detail,
        );
    }
    if !cpu {
        let detail = "all CPUs can be used all of the time";
        subject.add(&NO_CPU_LIMIT, Severity::Low, "linux.resources.cpu", detail);
    }
    if oom_kill_disable {
        // Without a limit it is the host that waits.
        let severity = if memory {
            Severity::Low
        } else {
            Severity::Medium
        };
        let detail = "the OOM killer is switched off for the container";
        subject.add(
            &OOM_KILLER,
            severity,
            "linux.resources.memory.disableOOMKiller",
            detail,
        );
    }
    let huge = subject
        .mounts()
        .find(|(_, mount)| mount.kind == "hugetlbfs");
    if let Some((_, mount)) = huge
        && !huge_pages
    {
        let detail = format!("{} has huge pages without a limit", mount.destination);
        subject.add(
            &HUGE_PAGES,
            Severity::Low,
            "linux.resources.hugepageLimits",
            detail,
        );
    }
}
