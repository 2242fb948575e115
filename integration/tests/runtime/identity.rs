//! Who the process is and what it may: users, capabilities, limits, environment, system calls.

use cofferdam_integration::{Case, need};
use serde_json::json;

fn status(case: &mut Case, fields: &str) -> Vec<String> {
    let output = case.inside(&format!("grep -E '^({fields}):' /proc/self/status"));
    output
        .lines()
        .iter()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

#[test]
fn user_and_groups_are_those_of_the_configuration() {
    // More groups are not for ordinary users.
    need!(Root, Busybox);
    let mut case = Case::new();
    case.bundle.config["process"]["user"] =
        json!({ "uid": 1000, "gid": 7, "additionalGids": [8, 9] });
    let fields = status(&mut case, "Uid|Gid|Groups");
    assert_eq!(
        fields,
        ["Uid: 1000 1000 1000 1000", "Gid: 7 7 7 7", "Groups: 8 9"]
    );
    case.finish();
}

#[test]
fn capabilities_are_exactly_the_configured_ones() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    assert_eq!(
        status(&mut case, "CapInh|CapPrm|CapEff|CapBnd|CapAmb"),
        [
            "CapInh: 0000000000000000",
            "CapPrm: 0000000020000420",
            "CapEff: 0000000020000420",
            "CapBnd: 0000000020000420",
            "CapAmb: 0000000000000000"
        ]
    );
    let kill = json!(["CAP_KILL"]);
    case.bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    case.bundle.config["process"]["capabilities"] = json!({ "bounding": kill, "permitted": kill, "effective": kill, "inheritable": kill, "ambient": kill });
    assert_eq!(
        status(&mut case, "CapInh|CapPrm|CapEff|CapBnd|CapAmb"),
        ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]
            .map(|name| format!("{name}: 0000000000000020"))
    );
    case.bundle.config["process"]["capabilities"] = json!({});
    assert_eq!(
        status(&mut case, "CapEff|CapBnd"),
        ["CapEff: 0000000000000000", "CapBnd: 0000000000000000"]
    );
    case.finish();
}

#[test]
fn no_new_privileges_is_what_was_asked_for() {
    need!(Containers, Busybox);
    for set in [true, false] {
        let mut case = Case::new();
        case.bundle.config["process"]["noNewPrivileges"] = json!(set);
        assert_eq!(
            status(&mut case, "NoNewPrivs"),
            [format!("NoNewPrivs: {}", u8::from(set))]
        );
        case.finish();
    }
}

#[test]
fn no_signal_is_blocked_or_ignored() {
    need!(Containers, Busybox, Cofferdam);
    let mut case = Case::new();
    // The test runner ignores SIGPIPE, the runtime blocks signals: neither may reach the program.
    // Without a shell, which ignores some itself.
    case.bundle
        .args(&["/bin/grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"]);
    assert_eq!(
        case.run().ok().stdout,
        "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
    );
    case.finish();
}

#[test]
fn the_environment_is_the_configured_one_and_a_home() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.config["process"]["env"] = json!(["PATH=/bin", "A=1", "B=two words", "A=2"]);
    case.bundle.args(&["/bin/env"]);
    let output = case.run().ok();
    let mut lines = output.lines();
    lines.sort_unstable();
    assert_eq!(lines, ["A=2", "B=two words", "HOME=/root", "PATH=/bin"]);
    case.bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    assert!(case.run().ok().stdout.contains("HOME=/home/user\n"));
    case.finish();
}

#[test]
fn limits_and_mask_are_set() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.config["process"]["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": 100, "hard": 200 }, { "type": "RLIMIT_CORE", "soft": 0, "hard": 0 }]);
    case.bundle.config["process"]["user"] = json!({ "uid": 0, "gid": 0, "umask": 0o27 });
    let output = case.inside("ulimit -Sn; ulimit -Hn; ulimit -c; umask");
    assert_eq!(output.lines(), ["100", "200", "0", "0027"]);
    case.finish();
}

#[test]
fn the_working_directory_is_made_when_it_is_missing() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.config["root"]["readonly"] = json!(false);
    case.bundle.config["process"]["cwd"] = json!("/made/for/this");
    assert_eq!(
        case.inside("pwd; stat -c %a .").lines(),
        ["/made/for/this", "755"]
    );
    case.finish();
}

#[test]
fn kernel_parameters_and_names_are_the_containers_own() {
    need!(Root, Busybox);
    let mut case = Case::new();
    case.bundle.config["linux"]["sysctl"] =
        json!({ "kernel.shmmax": "12345", "net.ipv4.ip_unprivileged_port_start": "7" });
    case.bundle.config["hostname"] = json!("inside");
    case.bundle.config["domainname"] = json!("example");
    let output = case.inside("cat /proc/sys/kernel/shmmax /proc/sys/net/ipv4/ip_unprivileged_port_start; hostname; cat /proc/sys/kernel/domainname");
    assert_eq!(output.lines()[..3], ["12345", "7", "inside"]);
    case.finish();
    assert_ne!(
        std::fs::read_to_string("/proc/sys/kernel/shmmax").unwrap(),
        "12345\n"
    );
}

#[test]
fn a_parameter_without_a_namespace_is_refused() {
    need!(Containers, Busybox);
    for (key, kind) in [
        ("kernel.panic", "pid"),
        ("net.ipv4.ip_forward", "network"),
        ("kernel.shmmax", "ipc"),
        ("vm.swappiness", "pid"),
    ] {
        let mut case = Case::new();
        case.bundle.without_namespace(kind);
        case.bundle.config["linux"]["sysctl"] = json!({ key: "1" });
        let _ = case.run().failed(1, "sysctl");
        case.finish();
    }
}

#[test]
fn filtered_system_calls_fail_as_the_filter_says() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.config["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
        "syscalls": [{ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95 }],
    });
    let output = case.inside("grep ^Seccomp: /proc/self/status; mkdir /dev/shm/x 2>&1 || true");
    assert_eq!(
        output.lines()[0].split_whitespace().collect::<Vec<_>>(),
        ["Seccomp:", "2"]
    );
    assert!(
        output.lines()[1].to_lowercase().contains("not supported"),
        "{output}"
    );
    case.finish();
}

#[test]
fn a_filter_that_kills_ends_the_program_with_its_signal() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.config["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL_PROCESS" }],
    });
    case.bundle.args(&["/bin/mkdir", "/dev/shm/x"]);
    assert_eq!(case.run().code, 128 + 31, "SIGSYS");
    case.finish();
}

#[test]
fn the_oom_score_is_set_and_seen_by_exec() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.config["process"]["oomScoreAdj"] = json!(500);
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    assert_eq!(
        case.exec(&[
            "/bin/cat",
            "/proc/1/oom_score_adj",
            "/proc/self/oom_score_adj"
        ])
        .ok()
        .lines(),
        ["500", "500"]
    );
    case.delete();
}

#[test]
fn nothing_of_the_callers_environment_gets_in() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.bundle.write();
    let output = case
        .command(&["run", "--detach", "--pid-file", "pid", &case.id])
        .env("SECRET_OF_THE_CALLER", "x");
    drop(output.spawn(std::process::Stdio::null()).wait());
    case.wait_for_status("running");
    {
        let pid = case.pid();
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
        assert!(!String::from_utf8_lossy(&environment).contains("SECRET_OF_THE_CALLER"));
    }
    let exec = case
        .command(&["exec", &case.id, "/bin/env"])
        .env("SECRET_OF_THE_CALLER", "x")
        .output()
        .ok();
    assert!(!exec.stdout.contains("SECRET"), "{exec}");
    for entry in std::fs::read_dir(case.root().join(&case.id))
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|kind| kind == "json"))
    {
        assert!(
            !std::fs::read_to_string(entry.path())
                .unwrap()
                .contains("SECRET_OF_THE_CALLER")
        );
    }
    case.delete();
}
