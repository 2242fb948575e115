//! What of `/proc` and `/sys` can be written in a container, against a list with a reason for each
//! line (`exposure.list`): what a new kernel or a change of the runtime adds is seen.

use std::collections::BTreeSet;

use cofferdam_integration::reviewed::{self, matches};
use cofferdam_integration::{Case, need};
use serde_json::json;

const LIST: &str = include_str!("exposure.list");

/// Prints the files that can be opened for writing, and the directories in which others can be
/// made. Nothing is written. Files without any write bit are left out, since the superuser
/// may open them and the kernel has hardly ever a function behind; and so are the directories of
/// sysfs itself, in which nobody can make any.
const LOOK: &str = r#"
{
    find /proc /sys -type f -perm /222 | while IFS= read -r name; do
        true >>"$name" && echo "$name"
    done
    find /proc /sys/fs -type d -perm /222 | while IFS= read -r name; do
        mkdir "$name/exposed" && rmdir "$name/exposed" && echo "$name/"
    done
} 2>/dev/null
true
"#;

/// All capabilities of Linux 5.9 and later, without `CAP_` (capabilities(7)).
const CAPABILITIES: &str = "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID \
    SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER \
    SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE \
    SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN \
    SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE";

/// The patterns for a configuration.
fn listed(configuration: &str) -> Vec<&'static str> {
    let lines = reviewed::lines::<3>(LIST).into_iter();
    lines
        .filter(|[_, of, _]| reviewed::names(of, "all") || reviewed::names(of, configuration))
        .map(|[pattern, _, _]| pattern)
        .collect()
}

/// The path with `PID` in place of the number of a process; of a thread as of its process.
pub(crate) fn without_numbers(path: &str) -> String {
    let is_number = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    let names: Vec<&str> = path.split('/').collect();
    match names.as_slice() {
        ["", "proc", pid, "task", tid, rest @ ..] if is_number(pid) && is_number(tid) => {
            format!("/proc/PID/{}", rest.join("/"))
        }
        ["", "proc", pid, rest @ ..] if is_number(pid) => format!("/proc/PID/{}", rest.join("/")),
        _ => path.to_owned(),
    }
}

/// Fails if more can be written in the container than is listed, or not even `present`: then the
/// search itself is broken.
#[track_caller]
fn only_what_is_listed(mut case: Case, configuration: &str, present: &[&str]) {
    let output = case.inside(LOOK);
    let exposed: BTreeSet<String> = output.lines().into_iter().map(without_numbers).collect();
    let patterns = listed(configuration);
    let more: Vec<&String> = exposed
        .iter()
        .filter(|path| !patterns.iter().any(|pattern| matches(pattern, path)))
        .collect();
    assert!(more.is_empty(), "{configuration}: {more:#?}");
    for wanted in present {
        assert!(
            exposed.iter().any(|path| matches(wanted, path)),
            "{configuration}: {wanted} cannot be written: {exposed:#?}"
        );
    }
    case.finish();
}

/// What every process may write of itself.
const OWN: &[&str] = &["/proc/PID/comm", "/proc/PID/oom_score_adj"];

#[test]
fn by_default_only_what_is_of_its_own_processes_can_be_written() {
    need!(Root, Busybox);
    only_what_is_listed(Case::new(), "default", OWN);
}

#[test]
fn nor_more_by_an_ordinary_user() {
    need!(Root, Busybox);
    let mut case = Case::new();
    case.bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    only_what_is_listed(case, "user", OWN);
}

#[test]
fn nor_more_by_the_root_of_a_user_namespace() {
    need!(Root, Busybox);
    let mut case = Case::new();
    case.bundle.user_namespace(100_000, 65_536);
    only_what_is_listed(case, "user-namespace", OWN);
}

#[test]
fn nor_more_in_a_container_of_an_ordinary_user() {
    need!(Root, Busybox, Cofferdam, UserNamespaces);
    only_what_is_listed(Case::rootless(), "rootless", OWN);
}

#[test]
fn a_privileged_container_can_write_what_it_was_given() {
    need!(Root, Busybox);
    let mut case = Case::new();
    let config = &mut case.bundle.config;
    let names: Vec<String> = CAPABILITIES
        .split_whitespace()
        .map(|name| format!("CAP_{name}"))
        .collect();
    for set in ["bounding", "effective", "permitted"] {
        config["process"]["capabilities"][set] = json!(names);
    }
    config["linux"]["maskedPaths"] = json!([]);
    config["linux"]["readonlyPaths"] = json!([]);
    for mount in config["mounts"].as_array_mut().unwrap() {
        if let Some(options) = mount["options"].as_array_mut() {
            options.retain(|option| option != "ro");
        }
    }
    let present = [OWN, &["/proc/sys/kernel/*", "/sys/fs/cgroup/**"]].concat();
    only_what_is_listed(case, "privileged", &present);
}
