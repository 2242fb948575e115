//! Filters of system calls and capabilities: what cannot be understood or determined is refused or
//! warned of, never dropped.

use cofferdam_integration::{Case, Limited, Output, need, program};
use serde_json::{Value, json};

/// A case with a filter that allows what its rules do not name.
fn filtered(rules: &Value) -> Case {
    let mut case = Case::new();
    case.bundle.config["linux"]["seccomp"] =
        json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules });
    case
}

fn status(text: &str, field: &str) -> String {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {field}: {text}"))
        .trim()
        .to_owned()
}

/// An address with an empty name is one that any user can bind.
#[test]
fn notifications_need_a_listener_with_a_name() {
    need!(Containers, Busybox);
    for path in [None, Some(""), Some("@")] {
        let mut case = filtered(&json!([{ "names": ["mkdir"], "action": "SCMP_ACT_NOTIFY" }]));
        if let Some(path) = path {
            case.bundle.config["linux"]["seccomp"]["listenerPath"] = json!(path);
        }
        for command in ["run", "create"] {
            let _ = case.call(&[command, &case.id]).failed(1, "listenerPath");
            case.nothing_left();
        }
        case.finish();
    }
}

#[test]
fn without_notifications_the_path_of_the_listener_counts_for_nothing() {
    need!(Containers, Busybox);
    let mut case = filtered(&json!([{ "names": ["mkdir"], "action": "SCMP_ACT_ERRNO" }]));
    case.bundle.config["linux"]["seccomp"]["listenerPath"] = json!("@");
    let _ = case.run().ok();
    case.finish();
}

#[test]
fn a_key_that_a_filter_does_not_have_is_refused() {
    need!(Containers, Busybox);
    let mount = json!({ "names": ["mount"], "action": "SCMP_ACT_ALLOW" });
    for (key, value) in [
        ("includes", json!({ "caps": ["CAP_SYS_ADMIN"] })),
        ("excludes", json!({ "minKernel": "4.8" })),
        ("name", json!("mount")),
        ("arg", json!([])),
    ] {
        let mut rule = mount.clone();
        rule[key] = value;
        let case = filtered(&json!([rule]));
        let _ = case.run().failed(1, key);
        case.finish();
    }
    let mut case = filtered(&json!([]));
    case.bundle.config["linux"]["seccomp"]["archMap"] = json!([]);
    let _ = case.run().failed(1, "archMap");
    case.finish();
}

#[test]
fn as_many_conditions_as_the_kernel_takes_instructions() {
    need!(Containers, Busybox);
    let rules: Vec<Value> = (0..3000_u32)
        .map(|n| {
            let arg = json!({ "index": 1, "value": n * 7 + 1000, "op": "SCMP_CMP_EQ" });
            json!({ "names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "args": [arg] })
        })
        .collect();
    let mut case = filtered(&Value::Array(rules));
    case.bundle.args(&["/bin/mkdir", "/dev/shm/new"]);
    let _ = case.run().ok();
    case.finish();
}

/// Without `noNewPrivileges` the filter is loaded while the process still has to become the user.
#[test]
fn a_filter_may_forbid_to_change_and_to_ask_for_the_directory() {
    need!(Containers, Busybox);
    for names in [&["getcwd"][..], &["chdir"], &["chdir", "getcwd"]] {
        for cwd in ["/", "/bin"] {
            let rule = json!([{ "names": names, "action": "SCMP_ACT_ERRNO" }]);
            let mut case = filtered(&rule);
            case.bundle.config["process"]["noNewPrivileges"] = json!(false);
            case.bundle.config["process"]["cwd"] = json!(cwd);
            case.bundle.args(&["/bin/readlink", "/proc/self/cwd"]);
            let output = case.run().ok();
            assert_eq!(output.stdout.trim_end(), cwd, "{names:?}");
            case.finish();
        }
    }
}

#[test]
fn the_flags_of_a_filter_are_in_the_log() {
    need!(Containers, Busybox);
    for (flags, bits) in [
        (Value::Null, 4),
        (json!([]), 0),
        (json!(["SECCOMP_FILTER_FLAG_LOG"]), 2),
        (
            json!(["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"]),
            6,
        ),
        (json!(["SECCOMP_FILTER_FLAG_TSYNC"]), 0),
    ] {
        let mut case = filtered(&json!([{ "names": ["mkdir"], "action": "SCMP_ACT_ERRNO" }]));
        case.bundle.config["linux"]["seccomp"]["flags"] = flags.clone();
        let output = case.call(&["--debug", "run", &case.id]).ok();
        let line = format!("seccomp filter flags: {bits}\"");
        assert!(output.stderr.contains(&line), "{flags}: {output}");
        case.finish();
    }
}

#[test]
fn start_container_hooks_are_under_the_filter() {
    need!(Containers, Busybox);
    for no_new_privileges in [false, true] {
        let mut case =
            filtered(&json!([{ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL" }]));
        case.bundle.config["process"]["noNewPrivileges"] = json!(no_new_privileges);
        case.bundle.args(&["/bin/echo", "the program ran"]);
        case.bundle.config["hooks"] = json!({
            "startContainer": [{ "path": "/bin/mkdir", "args": ["mkdir", "/dev/shm/x"] }],
        });
        let output = case.run();
        assert_ne!(output.code, 0, "{output}");
        assert!(!output.stdout.contains("the program ran"), "{output}");
        for text in ["error running startContainer hook #0", "bad system call"] {
            assert!(output.stderr.contains(text), "{output}");
        }
        case.finish();
    }
}

/// The same container with the filter by each of the two compilers.
fn by_both(case: &Case, command: &[&str]) -> [Output; 2] {
    ["native", "libseccomp"].map(|backend| {
        let chosen = [&["--seccomp-backend", backend], command].concat();
        case.call(&chosen)
    })
}

/// Docker's default profile in size and form, with conditions on arguments and error numbers.
#[test]
fn both_compilers_make_the_same_filter() {
    need!(Containers, Busybox, Cofferdam);
    let profile = include_str!("../../../seccomp/tests/data/docker-like.json");
    let mut profile: Value = serde_json::from_str(profile).unwrap();
    let rules = profile["syscalls"].as_array_mut().unwrap();
    for rule in rules.iter_mut() {
        let names = rule["names"].as_array_mut().unwrap();
        names
            .retain(|name| !["mkdir", "mkdirat", "kill", "sync"].contains(&name.as_str().unwrap()));
    }
    let kill = |signal: u32, action| {
        let arg = json!({ "index": 1, "value": signal, "op": "SCMP_CMP_EQ" });
        json!({ "names": ["kill"], "action": action, "args": [arg], "errnoRet": 11 })
    };
    rules.extend([
        json!({ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28 }),
        json!({ "names": ["sync"], "action": "SCMP_ACT_KILL_PROCESS" }),
        kill(0, "SCMP_ACT_ALLOW"),
        kill(10, "SCMP_ACT_ERRNO"),
    ]);
    let mut case = Case::new();
    case.bundle.config["linux"]["seccomp"] = profile;
    case.bundle.script(
        "grep -E '^Seccomp' /proc/self/status; mkdir /dev/shm/x; echo $?; kill -0 $$; echo $?; \
         kill -10 $$; echo $?; kill -12 $$; echo $?; mount -t tmpfs x /tmp; echo $?; \
         sync; echo $?",
    );
    let [native, libseccomp] = by_both(&case, &["run", &case.id]);
    assert_eq!(native.stdout, libseccomp.stdout, "{native}{libseccomp}");
    assert_eq!(native.code, libseccomp.code, "{native}{libseccomp}");
    // What the profile asks for, so that two wrong answers do not pass for one right one.
    for text in ["Seccomp:\t2", "\n1\n0\n1\n1\n", "\n159\n"] {
        assert!(native.stdout.contains(text), "{text:?}: {native}");
    }
    let of_program = |output: &Output| -> Vec<String> {
        let lines = output.stderr.lines();
        lines
            .filter(|line| !line.starts_with("time="))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(of_program(&native), of_program(&libseccomp));
    for text in ["No space left", "Resource temporarily unavailable"] {
        assert!(native.stderr.contains(text), "{text:?}: {native}");
    }

    case.bundle.args(&["/bin/sleep", "1000"]);
    let _ = case.start();
    let [native, libseccomp] = by_both(&case, &["exec", &case.id, "mkdir", "/dev/shm/x"]);
    assert_eq!(native.code, 1, "{native}");
    assert_eq!(of_program(&native), of_program(&libseccomp));
    assert_eq!(native.code, libseccomp.code);
    case.delete();
}

/// What the chosen compiler does not know is refused, and not left to the other one.
#[test]
fn the_compiler_that_is_chosen_is_the_one_that_compiles() {
    need!(Containers, Busybox, Cofferdam);
    let mut case = filtered(&json!([{ "names": ["mkdir"], "action": "SCMP_ACT_ERRNO" }]));
    case.bundle.config["linux"]["seccomp"]["architectures"] = json!(["SCMP_ARCH_MIPSEL"]);
    let [native, libseccomp] = by_both(&case, &["run", &case.id]);
    let refused = "seccomp architecture SCMP_ARCH_MIPSEL needs the libseccomp backend";
    let _ = native.failed(1, refused);
    let libseccomp = libseccomp.ok();
    assert!(libseccomp.stderr.is_empty(), "{libseccomp}");
    let auto = case.run().ok();
    assert!(auto.stderr.contains("made by libseccomp"), "{auto}");
    let _ = case
        .call(&["--seccomp-backend", "bpf", "run", &case.id])
        .failed(1, "invalid --seccomp-backend value");
    case.finish();
}

/// The question what capabilities there are is refused, as by a filter around the runtime.
#[test]
fn the_bounding_set_is_dropped_even_if_it_cannot_be_asked_for() {
    need!(Root, Busybox, Cofferdam);
    let Some(strace) = program::find("strace") else {
        return cofferdam_integration::needs::skip(
            "filters::the_bounding_set_is_dropped_even_if_it_cannot_be_asked_for",
            "no strace",
        );
    };
    for errno in ["EPERM", "ENOSYS", "EIO", "EACCES"] {
        let mut case = Case::new();
        case.bundle.args(&["/bin/cat", "/proc/self/status"]);
        let kill = json!(["CAP_KILL"]);
        case.bundle.config["process"]["capabilities"] =
            json!({ "bounding": kill, "effective": kill, "permitted": kill });
        case.bundle.write();
        // Of the runtime alone: strace does not follow into the container.
        let inject = format!("inject=prctl:error={errno}:when=2+");
        let output = Limited::new(&strace)
            .args(["-o", "/dev/null", "-e", "trace=prctl", "-e", &inject])
            .args([program::under_test().as_os_str()])
            .args(["--root", &*case.root().to_string_lossy(), "run", &case.id])
            .directory(case.bundle.path())
            .output();
        if output.code == 0 {
            for set in ["CapBnd", "CapEff", "CapPrm"] {
                assert_eq!(status(&output.stdout, set), "0000000000000020", "{errno}");
            }
        }
        case.finish();
    }
}

/// A capability that this process does not have itself is left out with a warning.
#[test]
fn a_capability_that_cannot_be_granted_is_told_and_not_granted() {
    need!(Root, Busybox, Cofferdam);
    let Some(setpriv) = program::find("setpriv") else {
        return cofferdam_integration::needs::skip(
            "filters::a_capability_that_cannot_be_granted_is_told_and_not_granted",
            "no setpriv",
        );
    };
    let mut case = Case::new();
    case.bundle.args(&["/bin/cat", "/proc/self/status"]);
    let sets = json!(["CAP_KILL", "CAP_SYS_TIME", "CAP_CHOWN"]);
    case.bundle.config["process"]["capabilities"] = json!({ "bounding": sets, "effective": sets, "permitted": sets, "inheritable": sets, "ambient": sets });
    case.bundle.write();
    let output = Limited::new(&setpriv)
        .args(["--bounding-set=-sys_time", "--inh-caps=-sys_time"])
        .args([program::under_test().as_os_str()])
        .args(["--root", &*case.root().to_string_lossy(), "run", &case.id])
        .directory(case.bundle.path())
        .output()
        .ok();
    for set in ["CapBnd", "CapEff", "CapPrm", "CapInh", "CapAmb"] {
        assert_eq!(status(&output.stdout, set), "0000000000000021", "{output}");
    }
    let warnings: Vec<&str> = output.stderr.lines().collect();
    assert_eq!(warnings.len(), 1, "{output}");
    assert!(warnings[0].contains("CAP_SYS_TIME"), "{output}");
    assert!(!warnings[0].contains("CAP_KILL"), "{output}");
    case.finish();
}

#[test]
fn ambient_capabilities_that_cannot_be_raised_share_a_warning() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    let sets = json!(["CAP_CHOWN", "CAP_KILL"]);
    case.bundle.config["process"]["capabilities"] =
        json!({ "bounding": sets, "effective": sets, "permitted": sets, "ambient": sets });
    let output = case.run().ok();
    assert_eq!(output.stderr.lines().count(), 1, "{output}");
    for text in ["can't raise ambient capabilities", "CAP_CHOWN", "CAP_KILL"] {
        assert!(output.stderr.contains(text), "{output}");
    }
    case.bundle.config["process"]["capabilities"]["inheritable"] = json!(["CAP_KILL"]);
    let output = case.run().ok();
    let one = "can't raise ambient capability CAP_CHOWN: operation not permitted";
    assert!(output.stderr.contains(one), "{output}");
    case.finish();
}

/// An image's annotations reach the configuration; none of another runtime's changes what a
/// container may do.
#[test]
fn annotations_of_other_runtimes_are_told_and_change_nothing() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    let plain = case.inside("id -G; cat /proc/self/status | grep -E 'Cap|Seccomp|NoNew'");
    for (key, value) in [
        ("run.oci.keep_original_groups", "1"),
        ("run.oci.mount_context_type", "rootcontext"),
        ("run.oci.seccomp_fail_unknown_syscall", "1"),
    ] {
        case.bundle.config["annotations"] = json!({ key: value });
        let output = case.run().ok();
        assert_eq!(output.stdout, plain.stdout, "{key}");
        assert!(
            output.stderr.contains(key),
            "{key} is not reported: {output}"
        );
    }
    case.finish();
}

/// Without `noNewPrivileges` the filter is loaded first, and would let no change of identity
/// happen.
#[test]
fn a_filter_that_only_pretends_a_change_of_identity_is_refused() {
    need!(Containers, Busybox);
    for name in ["setresuid", "setresgid", "capset", "prctl"] {
        let mut case =
            filtered(&json!([{ "names": [name], "action": "SCMP_ACT_ERRNO", "errnoRet": 0 }]));
        case.bundle.config["process"]["noNewPrivileges"] = json!(false);
        let _ = case
            .run()
            .failed(1, &format!("answers {name} with success"));
        case.finish();
    }
}

/// `EINVAL` is also what the kernel says of a capability that it does not know. The bounding set
/// comes before the filter.
#[test]
fn capabilities_that_a_filter_does_not_let_go_are_an_error() {
    need!(Containers, Busybox);
    let mut case =
        filtered(&json!([{ "names": ["prctl"], "action": "SCMP_ACT_ERRNO", "errnoRet": 22 }]));
    case.bundle.config["process"]["noNewPrivileges"] = json!(false);
    let _ = case.run().failed(1, "apply ambient capabilities");
    case.finish();
}
