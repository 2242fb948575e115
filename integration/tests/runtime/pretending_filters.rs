//! Filters that answer in place of the kernel: with success that is none, or with the errno that
//! counts as success. A process is what was asked for all the same, or it does not start.

use cofferdam_integration::{Case, FilterAnswer, Limited, Output, need};
use serde_json::{Value, json};

const EINVAL: u16 = 22;
const PR_CAPBSET_READ: u32 = 23;
const PR_CAPBSET_DROP: u32 = 24;
const PR_SET_NO_NEW_PRIVS: u32 = 38;
const CAP_SYS_ADMIN: u32 = 21;
/// What loads a filter without flags.
const PR_SET_SECCOMP: u32 = 22;

/// A container that shows what it is.
fn shown() -> Case {
    let mut case = Case::new();
    case.bundle.args(&["/bin/cat", "/proc/self/status"]);
    case.bundle.config["process"]["noNewPrivileges"] = json!(false);
    let kill = json!(["CAP_KILL"]);
    case.bundle.config["process"]["capabilities"] =
        json!({ "bounding": kill, "effective": kill, "permitted": kill });
    case
}

fn set(status: &str, name: &str) -> u64 {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
    let line = line.unwrap_or_else(|| panic!("no {name}: {status}"));
    u64::from_str_radix(line, 16).unwrap()
}

/// Every capability set holds what was asked for and no more.
fn is_confined(output: &Output) {
    for name in ["CapBnd", "CapPrm", "CapEff", "CapInh", "CapAmb"] {
        assert_eq!(set(&output.stdout, name) & !0x20, 0, "{name}: {output}");
    }
}

fn answered(case: &mut Case, rules: &Value) {
    case.bundle.config["linux"]["seccomp"] =
        json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules });
}

fn rule(errno: u16, option: u32, capability: u32) -> Value {
    json!({
        "names": ["prctl"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno,
        "args": [
            { "index": 0, "value": option, "op": "SCMP_CMP_EQ" },
            { "index": 1, "value": capability, "op": "SCMP_CMP_EQ" },
        ],
    })
}

/// `EINVAL` is also the kernel's answer for a capability that it does not know, so the answer does
/// not show whether the capability is dropped.
#[test]
fn a_filter_keeps_no_capability_in_the_bounding_set() {
    need!(Containers, Busybox);
    for errno in [0, EINVAL] {
        let mut case = shown();
        let rules =
            [PR_CAPBSET_DROP, PR_CAPBSET_READ].map(|option| rule(errno, option, CAP_SYS_ADMIN));
        answered(&mut case, &json!(rules));
        is_confined(&case.run().ok());
        case.bundle.args(&["/bin/sleep", "1000"]);
        let _ = case.start();
        is_confined(&case.exec(&["/bin/cat", "/proc/self/status"]).ok());
        case.delete();
    }
}

/// What is answered to a call with an address for an argument is not known before it is made.
#[test]
fn a_filter_that_answers_by_address_pretends_in_vain() {
    need!(Containers, Busybox);
    let any_address = json!([{ "index": 1, "value": 0, "op": "SCMP_CMP_NE" }]);
    let rules = json!([
        { "names": ["capset"], "action": "SCMP_ACT_ERRNO", "errnoRet": 0, "args": any_address },
    ]);
    let mut case = shown();
    answered(&mut case, &rules);
    let _ = case
        .run()
        .failed(1, "in CapPrm, which is not what was asked for");
    // With no_new_privs it comes after the identity, and is nothing but a filter.
    case.bundle.config["process"]["noNewPrivileges"] = json!(true);
    is_confined(&case.run().ok());
    case.bundle.config["process"]["noNewPrivileges"] = json!(false);
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.bundle.config["linux"]["seccomp"] = Value::Null;
    let _ = case.start();
    case.delete();
}

/// A program that is started under a filter has it in all that it starts.
fn run_under(case: &Case, answer: &FilterAnswer<'_>) -> Output {
    case.bundle.write();
    let command: Limited = case.command(&["run", &case.id]);
    command.under(answer).output()
}

#[test]
fn a_filter_around_the_runtime_leaves_no_capability() {
    need!(Root, Containers, Busybox);
    for (option, errno) in [(PR_CAPBSET_DROP, 0), (PR_CAPBSET_DROP, EINVAL)] {
        let case = shown();
        let answer = FilterAnswer {
            call: libc::SYS_prctl,
            arguments: &[(0, option), (1, CAP_SYS_ADMIN)],
            errno,
        };
        let _ = run_under(&case, &answer).failed(1, "");
        case.finish();
    }
}

/// Each of them as an emulation of root does it: by its number.
#[test]
fn a_filter_around_the_runtime_that_only_pretends_is_refused() {
    need!(Root, Containers, Busybox);
    for (call, name, option) in [
        (libc::SYS_setresuid, "has Uid", None),
        (libc::SYS_setresgid, "has Gid", None),
        (libc::SYS_setgroups, "answers setgroups with success", None),
        (libc::SYS_capset, "answers capset with success", None),
        (libc::SYS_prctl, "answers prctl with success", None),
        (libc::SYS_mount, "answers mount with success", None),
        (libc::SYS_unshare, "answers unshare with success", None),
        (libc::SYS_umask, "has Umask", None),
        (
            libc::SYS_prctl,
            "load the seccomp filter",
            Some(PR_SET_NO_NEW_PRIVS),
        ),
        (
            libc::SYS_prctl,
            "has not loaded its filter",
            Some(PR_SET_SECCOMP),
        ),
    ] {
        let mut case = shown();
        case.bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1000, "umask": 63 });
        case.bundle.config["process"]["noNewPrivileges"] = json!(true);
        answered(
            &mut case,
            &json!([{ "names": ["mkdir"], "action": "SCMP_ACT_ERRNO" }]),
        );
        case.bundle.config["linux"]["seccomp"]["flags"] = json!([]);
        let arguments: Vec<_> = option.map(|option| (0, option)).into_iter().collect();
        let answer = FilterAnswer {
            call,
            arguments: &arguments,
            errno: 0,
        };
        let _ = run_under(&case, &answer).failed(1, name);
        case.finish();
    }
}

/// A filter that answers with errors alone is none that pretends.
#[test]
fn a_filter_around_the_runtime_that_does_not_pretend_changes_nothing() {
    need!(Root, Containers, Busybox);
    for no_new_privileges in [false, true] {
        let mut case = shown();
        case.bundle.config["process"]["noNewPrivileges"] = json!(no_new_privileges);
        case.bundle.config["process"]["user"] =
            json!({ "uid": 1000, "gid": 100, "additionalGids": [5, 7] });
        answered(
            &mut case,
            &json!([{ "names": ["mkdir"], "action": "SCMP_ACT_ERRNO" }]),
        );
        let answer = FilterAnswer {
            call: libc::SYS_kexec_load,
            arguments: &[],
            errno: 1,
        };
        let output = run_under(&case, &answer).ok();
        is_confined(&output);
        case.finish();
    }
}

/// A container in which each kind of mount protects something.
fn mounted() -> Case {
    let mut case = Case::new();
    // Written by its root, wherever it is.
    std::fs::create_dir(case.bundle.rootfs().join("bound")).unwrap();
    std::os::unix::fs::symlink("proc/keys", case.bundle.rootfs().join("link")).unwrap();
    let source = case.bundle.path().to_owned();
    case.bundle.mount(json!({
        "destination": "/bound", "type": "bind", "source": source,
        "options": ["rbind", "rro", "nosuid", "noexec"],
    }));
    case.bundle.mount(json!({
        "destination": "/mnt/new", "type": "tmpfs", "source": "tmpfs",
        "options": ["nodev", "mode=755"],
    }));
    case.bundle.namespace(json!({ "type": "cgroup" }));
    case.bundle.config["process"]["rlimits"] = json!([
        { "type": "RLIMIT_NOFILE", "soft": 64, "hard": 128 },
        { "type": "RLIMIT_CORE", "soft": 0, "hard": u64::MAX },
    ]);
    case.bundle.config["linux"]["maskedPaths"] =
        json!(["/proc/keys", "/proc/fs", "/etc", "/not/there", "/link"]);
    case.bundle.config["linux"]["readonlyPaths"] = json!(["/proc/sys", "/proc/keys", "/mnt"]);
    case.bundle.args(&["/bin/cat", "/proc/self/mountinfo"]);
    case
}

/// Calls that the one filter answers and the calls made in vain do not meet: by their flags. Of
/// what is pretended the kernel shows the truth.
#[test]
fn a_filter_that_pretends_by_argument_is_found_out() {
    const MNT_DETACH: u32 = 2;
    const AT_EMPTY_PATH: u32 = 0x1000;
    const MOVE_BETWEEN_DESCRIPTORS: u32 = 0x44;
    const CLONE_NEWCGROUP: u32 = 0x0200_0000;
    const DEVICE: u32 = 0o20_666;
    const AT_RECURSIVE: u32 = 0x8000;
    /// `MS_NOSUID`, `MS_NODEV`, `MS_NOEXEC` and `MS_RELATIME`.
    const OF_SHM: u32 = 0x20_000e;
    need!(Root, Containers, Busybox);
    for (call, arguments, said) in [
        (libc::SYS_setsid, &[][..], "no session of its own"),
        (
            libc::SYS_umount2,
            &[(1, MNT_DETACH)],
            "2 mounts are at the root",
        ),
        (
            libc::SYS_mount_setattr,
            &[(2, AT_EMPTY_PATH)],
            "the root is writable",
        ),
        (
            libc::SYS_mount_setattr,
            &[(2, AT_EMPTY_PATH | AT_RECURSIVE)],
            "/bound is not mounted ro",
        ),
        (
            libc::SYS_move_mount,
            &[(4, MOVE_BETWEEN_DESCRIPTORS)],
            "pivot the root",
        ),
        (
            libc::SYS_unshare,
            &[(0, CLONE_NEWCGROUP)],
            "in another cgroup namespace",
        ),
        (
            libc::SYS_mknodat,
            &[(2, DEVICE)],
            "make device node /dev/null",
        ),
        (
            libc::SYS_mount,
            &[(3, OF_SHM)],
            "nothing is mounted at /dev/shm",
        ),
        (
            libc::SYS_prlimit64,
            &[(1, libc::RLIMIT_NOFILE)],
            "RLIMIT_NOFILE is not set",
        ),
    ] {
        let case = mounted();
        let answer = FilterAnswer {
            call,
            arguments,
            errno: 0,
        };
        let _ = run_under(&case, &answer).failed(1, said);
        case.finish();
    }
}

/// Where the root of the namespaces is not entered, `exec` does not run on the host.
#[test]
fn an_exec_that_seems_to_join_is_found_out() {
    need!(Root, Containers, Busybox);
    // pid, network, ipc, uts, mount, cgroup: those of the container, in one call.
    let namespaces = 0x2000_0000 | 0x4000_0000 | 0x0800_0000 | 0x0400_0000 | 0x2_0000 | 0x0200_0000;
    let mut case = mounted();
    case.bundle.args(&["/bin/sleep", "1000"]);
    let _ = case.start();
    let answer = FilterAnswer {
        call: libc::SYS_setns,
        arguments: &[(1, namespaces)],
        errno: 0,
    };
    let command = case.command(&["exec", &case.id, "/bin/true"]);
    let _ = command
        .under(&answer)
        .output()
        .failed(255, "in another pid namespace");
    case.delete();
}

/// Nothing of a container is taken for a pretence that is none.
#[test]
fn a_filter_that_does_not_pretend_is_in_no_mounts_way() {
    need!(Root, Containers, Busybox);
    let answer = FilterAnswer {
        call: libc::SYS_kexec_load,
        arguments: &[],
        errno: 1,
    };
    for change in [
        |_: &mut Case| {},
        |case: &mut Case| {
            case.bundle.user_namespace(100_000, 65_536);
        },
        |case: &mut Case| case.bundle.config["root"]["readonly"] = json!(false),
        |case: &mut Case| {
            let namespaces = [("network", "net"), ("ipc", "ipc")];
            for (kind, file) in namespaces {
                case.bundle.without_namespace(kind);
                let path = format!("/proc/self/ns/{file}");
                case.bundle.namespace(json!({ "type": kind, "path": path }));
            }
            case.bundle.namespace(json!({ "type": "time" }));
        },
        |case: &mut Case| {
            // A later mount covers the ones before, and a remount changes one.
            case.bundle.mount(json!({
                "destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": ["ro"],
            }));
            case.bundle.mount(json!({
                "destination": "/bound", "type": "bind", "source": "none",
                "options": ["bind", "remount", "nodev", "noexec", "ro"],
            }));
        },
    ] {
        let mut case = mounted();
        change(&mut case);
        let plain = case.run().ok();
        let filtered = run_under(&case, &answer).ok();
        assert_eq!(plain.lines().len(), filtered.lines().len());
        case.bundle.args(&["/bin/sleep", "1000"]);
        let _ = case.start();
        let command = case.command(&["exec", &case.id, "/bin/true"]);
        let _ = command.under(&answer).output().ok();
        case.delete();
    }
}
