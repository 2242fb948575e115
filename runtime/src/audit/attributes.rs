//! Attributes of the process and of the container that are each one field.

use super::Severity;
use super::rules::{
    HOOKS, KEYRING, NET_DEVICE, NEW_PRIVILEGES, NO_LSM, NO_PIVOT, OOM_KILLER, ROOTFS_WRITABLE,
    STATE_DIFFERS, SYSCTL, TERMINAL, UNKNOWN_KEY,
};
use super::subject::Subject;

/// The parameters that the Pod Security Standards call safe: each is of a namespace, and does not
/// disturb others.
const SAFE_SYSCTLS: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
];

pub(super) fn check(subject: &mut Subject<'_>) {
    process(subject);
    linux(subject);
    hooks(subject);
    if let Some(root) = subject.spec.root.as_ref().filter(|root| !root.readonly) {
        let detail = format!("{} can be written", root.path);
        subject.add(&ROOTFS_WRITABLE, Severity::Low, "root.readonly", detail);
    }
    for place in &subject.spec.unknown_keys {
        subject.add(&UNKNOWN_KEY, Severity::Low, place, "is ignored");
    }
    let Some(seen) = &mut subject.seen else {
        return;
    };
    let differences = std::mem::take(&mut seen.differences);
    let (keyring, no_pivot) = (seen.callers_keyring, seen.no_pivot);
    for (field, detail) in differences {
        subject.add(&STATE_DIFFERS, Severity::Low, field, detail);
    }
    if keyring {
        let detail = "the container was given no session keyring of its own";
        subject.add(&KEYRING, Severity::Low, "--no-new-keyring", detail);
    }
    if no_pivot {
        let detail = "the container was made with --no-pivot";
        subject.add(&NO_PIVOT, Severity::Medium, "--no-pivot", detail);
    }
}

fn process(subject: &mut Subject<'_>) {
    let Some(process) = subject.process() else {
        return;
    };
    if !process.no_new_privileges {
        let detail = "programs can raise their privileges when they are executed";
        subject.add(
            &NEW_PRIVILEGES,
            Severity::Medium,
            "process.noNewPrivileges",
            detail,
        );
    }
    let profile = process.apparmor_profile.as_str();
    if process.selinux_label.is_empty() && matches!(profile, "" | "unconfined") {
        let detail = if profile.is_empty() {
            "the process is confined by neither"
        } else {
            "the process is unconfined"
        };
        subject.add(&NO_LSM, Severity::Medium, "process.apparmorProfile", detail);
    }
    if let Some(score) = process.oom_score_adj.filter(|score| *score < 0) {
        let detail = format!("{score}: others are killed before");
        subject.add(&OOM_KILLER, Severity::Low, "process.oomScoreAdj", detail);
    }
    if process.terminal {
        let detail = "the process has a terminal";
        subject.add(&TERMINAL, Severity::Info, "process.terminal", detail);
    }
}

fn linux(subject: &mut Subject<'_>) {
    let Some(linux) = subject.linux() else { return };
    for (name, value) in &linux.sysctl {
        // The other spelling has slashes.
        let dotted = name.replace('/', ".");
        if SAFE_SYSCTLS.contains(&&*dotted) {
            continue;
        }
        let field = format!("linux.sysctl[{name:?}]");
        subject.add(&SYSCTL, Severity::Low, field, format!("is set to {value}"));
    }
    for name in linux.net_devices.keys() {
        let field = format!("linux.netDevices[{name:?}]");
        let detail = format!("{name} is moved into the container");
        subject.add(&NET_DEVICE, Severity::Info, field, detail);
    }
}

/// Those that run in the namespaces of the runtime, as the user who runs it.
fn hooks(subject: &mut Subject<'_>) {
    let Some(hooks) = &subject.spec.hooks else {
        return;
    };
    let points = [
        ("hooks.prestart", &hooks.prestart),
        ("hooks.createRuntime", &hooks.create_runtime),
        ("hooks.poststart", &hooks.poststart),
        ("hooks.poststop", &hooks.poststop),
    ];
    for (field, hooks) in points {
        for (index, hook) in hooks.iter().enumerate() {
            let detail = format!("{} runs on the host", hook.path);
            subject.add(&HOOKS, Severity::Info, format!("{field}[{index}]"), detail);
        }
    }
}
