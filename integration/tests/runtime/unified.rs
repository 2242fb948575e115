//! Cgroup v2 as the only hierarchy: this machine's own, or its v2 tree mounted over `/sys/fs/cgroup` in a mount namespace of
//! the test's own.

use std::ffi::OsString;

use cofferdam_integration::{Case, Limited, Output, cgroup, need};
use serde_json::json;

/// Calls the program under test where `/sys/fs/cgroup` is cgroup v2.
fn call(case: &Case, arguments: &[&str]) -> Output {
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

fn detached(case: &Case) {
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
