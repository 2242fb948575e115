//! Cgroup hierarchies that cannot be looked at: who hides them, or makes a system call fail
//! once, gets no process outside of the container's cgroups, and nothing is forgotten that is still
//! there.

use std::ffi::OsString;

use cofferdam_integration::{Case, Limited, Output, cgroup, need};

/// Mounts cgroup v2 over the hierarchies of this machine, unless it is all there is.
const UNIFIED: &str =
    "[ -e /sys/fs/cgroup/cgroup.procs ] || mount -t cgroup2 cgroup2 /sys/fs/cgroup";

/// Calls the program under test in a mount namespace of its own, after a shell script has changed
/// what is mounted.
fn call_after(case: &Case, script: &str, before: &[&str], arguments: &[&str]) -> Output {
    let script = format!("set -e\n{script}\nexec \"$@\"");
    let mut line: Vec<OsString> = ["--mount", "--propagation=private", "sh", "-c"]
        .map(OsString::from)
        .to_vec();
    line.extend([script.into(), "sh".into()]);
    line.extend(before.iter().map(OsString::from));
    line.extend([
        case.program.clone().into(),
        "--root".into(),
        case.root().into(),
    ]);
    line.extend(arguments.iter().map(OsString::from));
    case.bundle.write();
    Limited::new("unshare")
        .args(line)
        .directory(case.bundle.path())
        .output()
}

/// A container that sleeps, made where `setup` has been run.
fn sleeper(setup: &str) -> Case {
    let mut case = Case::new();
    case.bundle
        .script("exec sleep 1000 </dev/null >/dev/null 2>&1");
    let output = call_after(&case, setup, &[], &["run", "--detach", &case.id]);
    assert_eq!(output.code, 0, "{output}");
    case
}

/// `exec` is refused, `delete` fails and forgets nothing; afterwards the container is still there,
/// and can be removed.
fn refused(setup: &str, hide: &str) {
    let case = sleeper(setup);
    let both = format!("{setup}\n{hide}");
    let exec = call_after(
        &case,
        &both,
        &[],
        &["exec", &case.id, "/bin/echo", "inside"],
    );
    assert!(exec.code != 0 && exec.stdout.is_empty(), "{hide}: {exec}");
    let delete = call_after(&case, &both, &[], &["delete", "--force", &case.id]);
    assert_ne!(delete.code, 0, "{hide}: {delete}");
    assert!(!cgroup::directories(&case.cgroup()).is_empty(), "{hide}");
    let again = call_after(&case, setup, &[], &["delete", "--force", &case.id]);
    assert_eq!(again.code, 0, "{hide}: {again}");
    case.finish();
}

#[test]
fn hierarchies_that_are_not_mounted() {
    need!(Root, Busybox, CgroupV2, Cofferdam);
    for setup in ["true", UNIFIED] {
        for hide in [
            // There may be another mount below.
            "while umount -l /sys/fs/cgroup 2>/dev/null; do :; done",
            "umount -l /sys",
            "mount -t tmpfs tmpfs /sys/fs/cgroup",
            "mount -t tmpfs tmpfs /sys/fs",
        ] {
            refused(setup, hide);
        }
    }
}

#[test]
fn one_hierarchy_of_several() {
    need!(Root, Busybox, CgroupV1, Cofferdam);
    for hierarchy in ["devices", "memory", "pids", "unified"] {
        let directory = format!("/sys/fs/cgroup/{hierarchy}");
        if !std::path::Path::new(&directory).is_dir() {
            continue;
        }
        refused("true", &format!("umount -l {directory}"));
        refused("true", &format!("mount -t tmpfs tmpfs {directory}"));
        // Also where only the directory above the container's own is covered.
        refused(
            "true",
            &format!("mount -t tmpfs tmpfs {directory}/cofferdam"),
        );
    }
}

#[test]
fn a_system_call_that_fails_once_or_always() {
    need!(Root, Busybox, CgroupV2, Strace, Cofferdam);
    for setup in ["true", UNIFIED] {
        let case = sleeper(setup);
        let shown = ["exec", &case.id, "/bin/cat", "/proc/self/cgroup"];
        let undisturbed = call_after(&case, setup, &[], &shown).ok().stdout;
        for directory in [
            "/sys/fs/cgroup",
            "/sys/fs/cgroup/unified",
            "/sys/fs/cgroup/devices",
        ] {
            for (call, error) in [
                ("openat", "EMFILE"),
                ("openat", "EACCES"),
                ("openat2", "ENOMEM"),
                ("statfs", "EIO"),
                ("fstatfs", "ENFILE"),
            ] {
                for times in ["1", "1+"] {
                    let inject = format!("inject={call}:error={error}:when={times}");
                    let trace = format!("trace={call}");
                    let strace = ["strace", "-f", "-o", "/dev/null", "-P", directory];
                    let strace: Vec<_> = strace
                        .into_iter()
                        .chain(["-e", &trace, "-e", &inject])
                        .collect();
                    let exec = call_after(&case, setup, &strace, &shown);
                    assert!(
                        exec.code != 0 || exec.stdout == undisturbed,
                        "{directory} {inject}: {exec}"
                    );
                }
            }
        }
        let delete = call_after(&case, setup, &[], &["delete", "--force", &case.id]);
        assert_eq!(delete.code, 0, "{delete}");
        case.finish();
    }
}
