//! What confines a process confines it after a restore.

use std::fs;

use cofferdam_integration::{CONFINEMENT, cgroup, need};
use serde_json::json;

use crate::subject::{Runtime, Subject};

use Runtime::Ours;

fn status(subject: &Subject) -> Vec<String> {
    let path = format!("/proc/{}/status", subject.case.pid());
    let text = fs::read_to_string(path).unwrap();
    let is_kept = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        CONFINEMENT.contains(&name)
    };
    text.lines().filter(is_kept).map(str::to_owned).collect()
}

fn file(subject: &Subject, name: &str) -> String {
    fs::read_to_string(format!("/proc/{}/{name}", subject.case.pid())).unwrap()
}

/// What a process of the container finds out about its mounts, its filter and its devices: of two
/// devices one is allowed.
#[track_caller]
fn is_confined(subject: &Subject) {
    let script = "cat /etc/passwd; echo x >/proc/sys/kernel/hostname; echo x >/kept/file; \
                  mkdir /new; mknod /allowed c 1 3; mknod /denied c 1 11; \
                  cat /allowed && echo allowed; head -c 1 /denied; rm -f /allowed /denied";
    let shell = [
        "--cap",
        "CAP_MKNOD",
        &subject.case.id,
        "/bin/sh",
        "-c",
        script,
    ];
    let said = subject.case.call(&[&["exec"], &shell[..]].concat());
    let refused: Vec<&str> = said.stderr.lines().collect();
    for (what, why) in [
        ("/proc/sys/kernel/hostname", "Read-only file system"),
        ("/kept/file", "Read-only file system"),
        ("'/new'", "Operation not permitted"),
        ("/denied", "Operation not permitted"),
    ] {
        let found = refused
            .iter()
            .any(|line| line.contains(what) && line.contains(why));
        assert!(found, "{what}: {said}");
    }
    assert_eq!(said.stdout, "allowed\n", "{said}");
}

/// By capabilities, a seccomp filter, `no_new_privs`, limits of its own and of its cgroup, a masked
/// and read-only paths, and rules for devices.
#[test]
fn a_restored_process_is_confined_as_before() {
    need!(Root, Busybox, Controllers, Checkpoints);
    let mut subject = Subject::counter();
    let config = &mut subject.case.bundle.config;
    config["process"]["noNewPrivileges"] = json!(true);
    config["process"]["user"]["umask"] = json!(0o027);
    config["process"]["oomScoreAdj"] = json!(123);
    config["process"]["rlimits"] = json!([{"type": "RLIMIT_NOFILE", "hard": 99, "soft": 77}]);
    config["process"]["capabilities"] = json!({
        "bounding": ["CAP_KILL", "CAP_MKNOD"],
        "permitted": ["CAP_KILL"],
        "effective": ["CAP_KILL"],
    });
    config["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO" }],
    });
    config["linux"]["resources"]["pids"] = json!({"limit": 50});
    config["linux"]["maskedPaths"] = json!(["/etc/passwd"]);
    config["linux"]["readonlyPaths"] = json!(["/proc/sys", "/kept"]);
    fs::create_dir(subject.case.bundle.rootfs().join("kept")).unwrap();
    subject.start(Ours);
    subject.counts_beyond(0);
    let controller = if cgroup::is_unified() { "" } else { "pids" };
    let seen = |subject: &Subject| {
        let group = subject.case.cgroup();
        (
            status(subject),
            file(subject, "limits"),
            file(subject, "oom_score_adj"),
            cgroup::read(controller, &group, "pids.max"),
        )
    };
    is_confined(&subject);
    let before = seen(&subject);
    assert_eq!(before.0.len(), CONFINEMENT.len());
    subject.dump(Ours, &[]);
    let count = subject.count();
    subject.restore(Ours, &[]);
    subject.counts_beyond(count);
    assert_eq!(seen(&subject), before);
    is_confined(&subject);
    subject.case.delete();
}
