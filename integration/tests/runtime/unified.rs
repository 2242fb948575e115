//! Cgroup v2 as the only hierarchy: this machine's own, or its v2 tree mounted over
//! `/sys/fs/cgroup` in a mount namespace of the test's own.

use std::ffi::OsString;

use cofferdam_integration::{Case, Limited, Output, cgroup, need};
use serde_json::json;

/// Calls the program under test where `/sys/fs/cgroup` is cgroup v2.
pub(crate) fn call(case: &Case, arguments: &[&str]) -> Output {
    case.bundle.write();
    let mut line: Vec<OsString> = vec![
        case.program.clone().into(),
        "--root".into(),
        case.root().into(),
    ];
    line.extend(arguments.iter().map(OsString::from));
    if cgroup::is_unified() {
        return Limited::new(&line[0])
            .args(&line[1..])
            .directory(case.bundle.path())
            .output();
    }
    let script = r#"mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@""#;
    let wrapper: [OsString; 6] =
        ["--mount", "--propagation=private", "sh", "-c", script, "sh"].map(Into::into);
    Limited::new("unshare")
        .args(wrapper.into_iter().chain(line))
        .directory(case.bundle.path())
        .output()
}

pub(crate) fn detached(case: &Case) {
    let output = call(case, &["run", "--detach", "--pid-file", "pid", &case.id]);
    assert_eq!(output.code, 0, "{output}");
}

fn case() -> Case {
    let mut case = Case::new();
    case.bundle.namespace(json!({ "type": "cgroup" }));
    case
}

#[test]
fn run_in_a_cgroup_of_its_own() {
    need!(Root, Busybox, CgroupV2);
    let mut case = case();
    case.bundle.script("cat /proc/self/cgroup | grep '^0::'; ls /sys/fs/cgroup/cgroup.procs; grep -c . /sys/fs/cgroup/cgroup.procs; exit 3");
    let output = call(&case, &["run", &case.id]);
    assert_eq!(output.code, 3, "{output}");
    assert_eq!(output.lines()[..2], ["0::/", "/sys/fs/cgroup/cgroup.procs"]);
    case.finish();
}

/// What the file system does not know is an error, with a cgroup namespace and without; what it
/// knows is not enabled.
#[test]
fn options_of_a_cgroup_mount_are_the_kernels() {
    need!(Root, Busybox, CgroupV2);
    for own_namespace in [true, false] {
        for (option, known) in [
            ("nsdelegate", true),
            ("no_such_option", false),
            ("size=1m", false),
        ] {
            let mut case = Case::new();
            if own_namespace {
                case.bundle.namespace(json!({ "type": "cgroup" }));
            }
            for mount in case.bundle.config["mounts"].as_array_mut().unwrap() {
                if mount["type"] == "cgroup" {
                    mount["options"] = json!(["nosuid", "noexec", "nodev", "ro", option]);
                }
            }
            case.bundle
                .script("grep ' /sys/fs/cgroup ' /proc/self/mountinfo | cut -d' ' -f6");
            let output = call(&case, &["run", &case.id]);
            if known {
                assert_eq!(output.code, 0, "{option}: {output}");
                assert!(output.stdout.starts_with("ro,nosuid"), "{output}");
            } else {
                let _ = output.failed(1, "error mounting");
            }
            case.finish();
        }
    }
}

#[test]
fn a_cgroup_mount_takes_recursive_attributes() {
    need!(Root, Busybox, CgroupV2);
    for own_namespace in [true, false] {
        let mut case = Case::new();
        if own_namespace {
            case.bundle.namespace(json!({ "type": "cgroup" }));
        }
        for mount in case.bundle.config["mounts"].as_array_mut().unwrap() {
            if mount["type"] == "cgroup" {
                mount["options"] = json!(["rro", "rnosuid"]);
            }
        }
        case.bundle
            .script("grep ' /sys/fs/cgroup ' /proc/self/mountinfo | cut -d' ' -f6; mkdir /sys/fs/cgroup/x 2>&1");
        let output = call(&case, &["run", &case.id]);
        assert!(output.stdout.starts_with("ro,nosuid"), "{output}");
        assert!(output.stdout.contains("Read-only file system"), "{output}");
        case.finish();
    }
}

#[test]
fn pause_exec_kill_and_delete() {
    need!(Root, Busybox, CgroupV2);
    let mut case = case();
    // Streams of the container are not the test's, so that a detached one does not hold them.
    case.bundle
        .script("exec sleep 1000 </dev/null >/dev/null 2>&1");
    detached(&case);
    assert_eq!(
        call(&case, &["exec", &case.id, "/bin/cat", "/proc/self/cgroup"])
            .ok()
            .stdout
            .lines()
            .find(|line| line.starts_with("0::")),
        Some("0::/")
    );
    let _ = call(&case, &["pause", &case.id]).ok();
    assert_eq!(
        call(&case, &["state", &case.id]).ok().json()["status"],
        "paused"
    );
    let _ = call(&case, &["resume", &case.id]).ok();
    let pids = call(&case, &["ps", "--format", "json", &case.id])
        .ok()
        .json();
    assert_eq!(pids.as_array().map(Vec::len), Some(1));
    let stats = call(&case, &["events", "--stats", &case.id]).ok().json();
    assert!(
        stats["data"]["cpu"]["usage"]["total"].as_u64().unwrap() > 0,
        "{stats}"
    );
    let _ = call(&case, &["pause", &case.id]).ok();
    let _ = call(&case, &["delete", "--force", &case.id]).ok();
    case.finish();
}

#[test]
fn device_rules_are_enforced() {
    need!(Root, Busybox, CgroupV2);
    let mut case = case();
    case.bundle.config["root"]["readonly"] = json!(false);
    case.bundle.config["process"]["capabilities"] = json!({ "bounding": ["CAP_MKNOD"], "effective": ["CAP_MKNOD"], "permitted": ["CAP_MKNOD"] });
    case.bundle
        .script("exec 2>&1; mknod /tmp/mem c 1 1; head -c 1 /tmp/mem; head -c 1 /dev/zero | wc -c");
    let output = call(&case, &["run", &case.id]);
    assert!(output.stdout.contains("not permitted"), "{output}");
    assert_eq!(
        output.lines().last().map(|line| line.trim()),
        Some("1"),
        "{output}"
    );
    case.finish();
}

/// A container that can write its cgroup, and sleeps.
fn writable() -> Case {
    let mut case = case();
    let mounts = case.bundle.config["mounts"].as_array_mut().unwrap();
    mounts.retain(|mount| mount["destination"] != "/sys/fs/cgroup");
    case.bundle.mount(json!({
        "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["rw"],
    }));
    case.bundle
        .script("exec sleep 1000 </dev/null >/dev/null 2>&1");
    detached(&case);
    case
}

fn own_cgroup(output: Output) -> String {
    let output = output.ok();
    let own = output
        .lines()
        .into_iter()
        .find_map(|line| line.strip_prefix("0::"));
    own.unwrap_or_else(|| panic!("{output}")).to_owned()
}

#[test]
fn an_added_process_joins_init_where_the_containers_cgroup_has_no_room() {
    need!(Root, Busybox, CgroupV2, Cofferdam);
    let case = writable();
    let exec = |arguments: &[&str]| call(&case, &[&["exec"], arguments].concat());
    let own = |flags: &[&str]| {
        let line = [flags, &[&case.id, "/bin/cat", "/proc/self/cgroup"]].concat();
        own_cgroup(exec(&line))
    };
    let _ = exec(&[
        &case.id,
        "/bin/sh",
        "-c",
        "cd /sys/fs/cgroup && mkdir inner && echo 1 >inner/cgroup.procs",
    ])
    .ok();
    // There is room as long as no controller is handed down.
    assert_eq!(own(&[]), "/");
    let _ = exec(&[
        &case.id,
        "/bin/sh",
        "-c",
        "cd /sys/fs/cgroup && echo $$ >inner/cgroup.procs && echo +hugetlb >cgroup.subtree_control",
    ])
    .ok();
    assert_eq!(own(&[]), "/inner");
    assert_eq!(own(&["--cgroup", "inner"]), "/inner");
    // Who asks for the top gets it, or nothing.
    let _ = exec(&["--cgroup", "/", &case.id, "/bin/true"]).failed(255, "to cgroups: ");
    let _ = call(&case, &["delete", "--force", &case.id]).ok();
    case.finish();
}

#[test]
fn a_cgroup_that_is_not_there_is_not_joined() {
    need!(Root, Busybox, CgroupV2, Cofferdam);
    let case = writable();
    let line = ["exec", "--cgroup", "none", &case.id, "/bin/true"];
    let _ = call(&case, &line).failed(255, "can't open cgroup");
    let line = ["exec", "--cgroup", "..", &case.id, "/bin/true"];
    let _ = call(&case, &line).failed(255, "bad sub cgroup path: ..");
    let _ = call(&case, &["delete", "--force", &case.id]).ok();
    case.finish();
}

#[test]
fn an_added_process_with_an_initial_affinity_is_in_the_cgroup() {
    need!(Root, Busybox, CgroupV2, Cofferdam);
    let mut case = case();
    case.bundle.config["process"]["execCPUAffinity"] = json!({ "initial": "0", "final": "0" });
    case.bundle
        .script("exec sleep 1000 </dev/null >/dev/null 2>&1");
    detached(&case);
    let line = ["exec", &case.id, "/bin/cat", "/proc/self/cgroup"];
    assert_eq!(own_cgroup(call(&case, &line)), "/");
    let line = [
        "exec",
        &case.id,
        "/bin/grep",
        "Cpus_allowed_list",
        "/proc/self/status",
    ];
    let allowed = call(&case, &line).ok();
    assert_eq!(allowed.stdout.trim_end(), "Cpus_allowed_list:\t0");
    let _ = call(&case, &["delete", "--force", &case.id]).ok();
    case.finish();
}

#[test]
fn limits_are_written_where_the_controllers_are() {
    need!(Root, Busybox, Unified);
    let mut case = case();
    case.bundle.config["linux"]["resources"]["memory"] = json!({ "limit": 64 << 20 });
    case.bundle.config["linux"]["resources"]["pids"] = json!({ "limit": 20 });
    case.bundle.config["linux"]["resources"]["cpu"] =
        json!({ "shares": 1024, "quota": 50_000, "period": 100_000 });
    let output = case.inside("cd /sys/fs/cgroup; cat memory.max pids.max cpu.weight cpu.max");
    assert_eq!(
        output.lines(),
        [(64 << 20).to_string().as_str(), "20", "100", "50000 100000"]
    );
    case.finish();
}
