//! Containers whose cgroup is a unit of systemd.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use cofferdam_integration::limited::Output;
use cofferdam_integration::unit::property;
use cofferdam_integration::{Case, cgroup, eventually, limited, need};
use serde_json::json;

/// A slice of the tests' own.
const SLICE: &str = "cofferdam-test.slice";

/// A case whose cgroup is `cofferdam-ID.scope`.
fn case() -> Case {
    let mut case = Case::new();
    case.bundle.config["linux"]["cgroupsPath"] = json!(format!("{SLICE}:cofferdam:{}", case.id));
    case.bundle.args(&["/bin/sleep", "1000"]);
    case
}

fn unit(case: &Case) -> String {
    format!("cofferdam-{}.scope", case.id)
}

/// The cgroup where systemd puts a unit of [`SLICE`].
fn cgroup_of(case: &Case) -> String {
    format!("/cofferdam.slice/{SLICE}/{}", unit(case))
}

/// What a file of the unit's cgroup holds: of a controller on v1, of the only hierarchy on v2.
#[track_caller]
fn read(case: &Case, controller: &str, file: &str) -> String {
    cgroup::read(controller, &cgroup_of(case), file)
}

/// The limits in force, by the same names on both versions: bytes of memory, processes,
/// microseconds of CPU time and their period.
#[track_caller]
fn limits(case: &Case) -> [String; 3] {
    if cgroup::is_unified() {
        return ["memory.max", "pids.max", "cpu.max"].map(|file| read(case, "", file));
    }
    [
        read(case, "memory", "memory.limit_in_bytes"),
        read(case, "pids", "pids.max"),
        ["cpu.cfs_quota_us", "cpu.cfs_period_us"]
            .map(|file| read(case, "cpu", file))
            .join(" "),
    ]
}

/// The property of a unit that holds its limit of memory.
fn memory_property() -> &'static str {
    if cgroup::is_unified() {
        "MemoryMax"
    } else {
        "MemoryLimit"
    }
}

fn run(case: &Case) -> Output {
    case.call(&["--systemd-cgroup", "run", &case.id])
}

#[track_caller]
fn start(case: &Case) {
    let _ = case
        .detached(&["--systemd-cgroup", "run", "--detach", &case.id])
        .ok();
}

#[track_caller]
fn no_unit(case: &Case) {
    assert_eq!(property(&unit(case), "LoadState"), "not-found");
    assert_eq!(cgroup::directories(&cgroup_of(case)), [] as [PathBuf; 0]);
}

/// Deletes the container; no unit may be left.
#[track_caller]
fn delete(case: Case) {
    let deleted = case.call(&["delete", "--force", &case.id]);
    assert!(deleted.code == 0, "{deleted}");
    no_unit(&case);
    case.finish();
}

#[test]
fn a_container_is_a_scope_in_its_slice() {
    need!(Root, Busybox, Cofferdam, Systemd);
    let case = case();
    start(&case);
    let unit = unit(&case);
    for (name, value) in [
        ("ActiveState", "active".to_owned()),
        ("Slice", SLICE.to_owned()),
        ("ControlGroup", cgroup_of(&case)),
        ("Description", format!("libcontainer container {}", case.id)),
        ("Delegate", "yes".to_owned()),
        ("DefaultDependencies", "no".to_owned()),
        ("DevicePolicy", "strict".to_owned()),
    ] {
        assert_eq!(property(&unit, name), value, "{name}");
    }
    delete(case);
}

#[test]
fn events_and_the_cgroup_tell_of_a_process_killed_for_memory() {
    need!(Root, Busybox, Cofferdam, Systemd, Controllers);
    let mut case = case();
    case.bundle.config["linux"]["resources"]["memory"] =
        json!({ "limit": 32 << 20, "swap": 32 << 20 });
    start(&case);
    let log = case.bundle.path().join("events");
    let file = std::fs::File::create(&log).unwrap();
    let mut events = case
        .command(&["events", "--interval", "100ms", &case.id])
        .spawn(file.into());
    let text = || std::fs::read_to_string(&log).unwrap();
    eventually("statistics are shown", || {
        text().contains("\"type\":\"stats\"")
    });
    let hog = "/bin/dd if=/dev/zero of=/dev/null bs=100M count=1";
    let killed = case.exec(&hog.split(' ').collect::<Vec<_>>());
    assert_eq!(killed.code, 137, "{killed}");
    let counts = if cgroup::is_unified() {
        read(&case, "", "memory.events")
    } else {
        read(&case, "memory", "memory.oom_control")
    };
    assert!(counts.lines().any(|line| line == "oom_kill 1"), "{counts}");
    eventually("the kill is reported", || {
        text().contains("\"type\":\"oom\"")
    });
    delete(case);
    assert!(
        limited::wait(&events, limited::TIMEOUT),
        "events ends with the container"
    );
    let _ = events.wait();
}

#[test]
fn without_a_path_the_scope_is_called_after_the_container() {
    need!(Root, Busybox, Cofferdam, Systemd);
    let mut case = case();
    case.bundle.config["linux"]["cgroupsPath"] = json!("");
    start(&case);
    let unit = format!("runc-{}.scope", case.id);
    assert_eq!(property(&unit, "Slice"), "system.slice");
    let _ = case.call(&["delete", "--force", &case.id]).ok();
    assert_eq!(property(&unit, "LoadState"), "not-found");
    case.finish();
}

#[test]
fn a_path_without_three_parts_is_refused() {
    need!(Root, Busybox, Cofferdam, Systemd);
    let mut case = case();
    for path in ["/a/b", "a.slice:b", "a.slice:b:c:d"] {
        case.bundle.config["linux"]["cgroupsPath"] = json!(path);
        let _ = run(&case).failed(1, "expected cgroupsPath to be of format");
    }
    case.bundle.config["linux"]["cgroupsPath"] = json!("a-.slice:b:c");
    let _ = run(&case).failed(1, "invalid slice name: a-.slice");
    case.finish();
}

#[test]
fn limits_are_in_force_before_the_program_runs() {
    need!(Root, Busybox, Cofferdam, Systemd, Controllers);
    let mut case = case();
    case.bundle.config["linux"]["resources"] = json!({
        "memory": { "limit": 64 << 20 },
        "pids": { "limit": 20 },
        "cpu": { "quota": 33_333, "period": 100_000, "shares": 512 },
    });
    case.bundle.mount(json!({
        "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"],
    }));
    case.bundle.namespace(json!({ "type": "cgroup" }));
    let files = if cgroup::is_unified() {
        case.bundle.config["linux"]["resources"]["unified"] = json!({ "memory.high": "50000000" });
        "memory.max pids.max cpu.max cpu.weight memory.high"
    } else {
        "memory/memory.limit_in_bytes pids/pids.max cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us cpu/cpu.shares"
    };
    case.bundle.script(&format!(
        "cd /sys/fs/cgroup; echo $(cat {files}); grep -v ':/$' /proc/self/cgroup"
    ));
    let output = run(&case);
    // systemd rounds quotas up to a hundredth of a CPU.
    let expected = if cgroup::is_unified() {
        "67108864 20 34000 100000 59 49999872\n"
    } else {
        "67108864 20 34000 100000 512\n"
    };
    assert_eq!(output.stdout, expected, "{output}");
    no_unit(&case);
    case.finish();
}

#[test]
fn systemd_knows_the_limits_and_follows_updates() {
    need!(Root, Busybox, Cofferdam, Systemd, Controllers);
    let mut case = case();
    case.bundle.config["linux"]["resources"]["memory"] = json!({ "limit": 64 << 20 });
    case.bundle.config["linux"]["resources"]["pids"] = json!({ "limit": 20 });
    start(&case);
    let unit = unit(&case);
    assert_eq!(property(&unit, memory_property()), (64 << 20).to_string());
    assert_eq!(property(&unit, "TasksMax"), "20");
    let update = |arguments: &[&str]| {
        let line = [&["update"], arguments, &[&case.id]].concat();
        case.call(&line).ok()
    };
    let _ = update(&[
        "--memory",
        "96m",
        "--pids-limit",
        "30",
        "--cpu-quota",
        "33333",
    ]);
    assert_eq!(property(&unit, memory_property()), (96 << 20).to_string());
    assert_eq!(property(&unit, "TasksMax"), "30");
    assert_eq!(property(&unit, "CPUQuotaPerSecUSec"), "340ms");
    let updated = [(96 << 20).to_string(), "30".into(), "34000 100000".into()];
    assert_eq!(limits(&case), updated);
    // What systemd writes by itself are the same limits.
    let reloaded = Command::new("systemctl").arg("daemon-reload").status();
    assert!(reloaded.expect("run systemctl").success());
    assert_eq!(property(&unit, "NeedDaemonReload"), "no");
    assert_eq!(limits(&case), updated);
    let _ = update(&["--cpu-quota=-1"]);
    assert_eq!(property(&unit, "CPUQuotaPerSecUSec"), "infinity");
    delete(case);
}

#[test]
fn annotations_become_properties_of_the_unit() {
    need!(Root, Busybox, Cofferdam, Systemd);
    let mut case = case();
    case.bundle.config["annotations"] = json!({
        "org.systemd.property.TimeoutStopUSec": "uint64 123456789",
        "org.systemd.property.CollectMode": "'inactive-or-failed'",
    });
    start(&case);
    assert_eq!(property(&unit(&case), "TimeoutStopUSec"), "2min 3.456789s");
    assert_eq!(property(&unit(&case), "CollectMode"), "inactive-or-failed");
    delete(case);
    let mut case = self::case();
    case.bundle.config["annotations"] = json!({ "org.systemd.property.NoSuchThing": "'x'" });
    let _ = run(&case).failed(1, "unable to start unit");
    no_unit(&case);
    case.finish();
}

#[test]
fn processes_join_the_scope_in_every_hierarchy() {
    need!(Root, Busybox, Cofferdam, Systemd, Controllers);
    let mut case = case();
    // The host's view of the cgroups.
    case.bundle.without_namespace("cgroup");
    start(&case);
    let first = std::fs::read_to_string(format!("/proc/{}/cgroup", case.pid())).unwrap();
    let joined = case.exec(&["/bin/cat", "/proc/self/cgroup"]).ok();
    assert_eq!(joined.stdout, first);
    let unit = format!(":{}", cgroup_of(&case));
    let hierarchies = first.lines().filter(|line| line.ends_with(&unit)).count();
    assert_eq!(
        hierarchies,
        cgroup::directories(&cgroup_of(&case)).len(),
        "{first}"
    );
    assert!(cgroup::is_unified() || hierarchies > 5, "{first}");
    delete(case);
}

#[test]
fn processes_join_a_cgroup_below_the_scope() {
    need!(Root, Busybox, Cofferdam, Systemd, Unified);
    let mut case = case();
    // The host's view of the cgroup.
    case.bundle.without_namespace("cgroup");
    start(&case);
    let joined = case.exec(&["/bin/cat", "/proc/self/cgroup"]).ok();
    let own = format!("0::{}", cgroup_of(&case));
    assert_eq!(joined.stdout.trim_end(), own);
    let listed = case.call(&["ps", "--format", "json", &case.id]).ok().json();
    assert_eq!(listed, json!([case.pid()]));
    let [directory] = &cgroup::directories(&cgroup_of(&case))[..] else {
        panic!("one hierarchy");
    };
    std::fs::create_dir(directory.join("sub")).unwrap();
    let below = case.exec_before(&["--cgroup", "/sub", "/bin/cat", "/proc/self/cgroup"]);
    assert_eq!(below.ok().stdout.trim_end(), format!("{own}/sub"));
    delete(case);
}

#[test]
fn a_paused_scope_stays_paused_through_an_update() {
    need!(Root, Busybox, Cofferdam, Systemd, Controllers);
    let case = case();
    start(&case);
    let _ = case.call(&["pause", &case.id]).ok();
    assert_eq!(case.status(), "paused");
    let _ = case.call(&["update", "--pids-limit", "7", &case.id]).ok();
    assert_eq!(case.status(), "paused");
    assert_eq!(read(&case, "pids", "pids.max"), "7");
    let _ = case.call(&["resume", &case.id]).ok();
    assert_eq!(case.status(), "running");
    let statistics = case.call(&["events", "--stats", &case.id]).ok().json();
    assert_eq!(statistics["data"]["pids"]["limit"], 7);
    delete(case);
}

#[test]
fn a_limit_of_one_process_leaves_room_for_the_preparations() {
    need!(Root, Busybox, Cofferdam, Systemd, Controllers);
    let mut case = case();
    case.bundle.config["linux"]["resources"]["pids"] = json!({ "limit": 1 });
    case.bundle.user_namespace(100_000, 65_536);
    start(&case);
    assert_eq!(read(&case, "pids", "pids.max"), "1");
    assert_eq!(read(&case, "pids", "pids.current"), "1");
    delete(case);
}

#[test]
fn a_user_namespace_that_may_write_its_cgroup_owns_it() {
    need!(Root, Busybox, Cofferdam, Systemd, Unified);
    let mut case = case();
    case.bundle.user_namespace(100_000, 65_536);
    case.bundle.without_namespace("cgroup");
    case.bundle.namespace(json!({ "type": "cgroup" }));
    let mounts = case.bundle.config["mounts"].as_array_mut().unwrap();
    mounts.retain(|mount| mount["destination"] != "/sys/fs/cgroup");
    case.bundle.mount(json!({
        "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["rw"],
    }));
    case.bundle.script(
        "cd /sys/fs/cgroup && mkdir own && echo 0 >own/cgroup.procs && cat /proc/self/cgroup; \
         stat -c '%u %n' . cgroup.procs cgroup.subtree_control cgroup.threads memory.max",
    );
    let output = run(&case).ok();
    assert_eq!(
        output.stdout.trim_end(),
        "0::/own\n0 .\n0 cgroup.procs\n0 cgroup.subtree_control\n0 cgroup.threads\n65534 memory.max"
    );
    no_unit(&case);
    case.finish();
}

#[test]
fn nothing_is_left_of_a_container_that_could_not_be_made() {
    need!(Root, Busybox, Cofferdam, Systemd);
    let mut case = case();
    case.bundle.args(&["/no/such/program"]);
    let _ = run(&case).failed(1, "no such file");
    no_unit(&case);
    case.bundle.args(&["/bin/true"]);
    case.bundle.config["hooks"] = json!({ "createRuntime": [{ "path": "/bin/false" }] });
    let _ = run(&case).failed(1, "createRuntime");
    no_unit(&case);
    case.finish();
}

#[test]
fn a_unit_of_the_same_name_that_failed_is_no_obstacle() {
    need!(Root, Busybox, Cofferdam, Systemd);
    let mut case = case();
    let unit = unit(&case);
    let failed = || property(&unit, "ActiveState") == "failed";
    let spent = Command::new("systemd-run")
        .args(["--scope", "--quiet", "--property=RuntimeMaxSec=1"])
        .args(["--unit", &unit, "sleep", "1000"])
        .status();
    assert!(!spent.expect("run systemd-run").success());
    eventually("the unit has failed", failed);
    case.bundle.config["annotations"] = json!({
        "org.systemd.property.RuntimeMaxSec": "1",
        "org.systemd.property.TimeoutStopSec": "1",
    });
    start(&case);
    assert_eq!(property(&unit, "Slice"), SLICE);
    // Nor is one that the runtime has made left after delete.
    eventually("the unit has failed", failed);
    case.wait_for_status("stopped");
    let _ = case.call(&["delete", &case.id]).ok();
    no_unit(&case);
    case.finish();
}

#[test]
fn a_unit_that_is_in_use_is_refused_and_left_alone() {
    need!(Root, Busybox, Cofferdam, Systemd);
    let first = case();
    start(&first);
    let mut second = case();
    second.bundle.config["linux"]["cgroupsPath"] =
        first.bundle.config["linux"]["cgroupsPath"].clone();
    let _ = run(&second).failed(1, "container's cgroup is not empty: 1 process(es) found");
    assert_eq!(first.status(), "running");
    second.finish();
    delete(first);
}

#[test]
fn a_runtime_that_is_killed_leaves_nothing_that_cannot_be_deleted() {
    need!(Root, Busybox, Cofferdam, Systemd);
    let case = case();
    for step in 0..20 {
        let line = ["--systemd-cgroup", "run", "--detach", &case.id];
        let mut child = case.command(&line).spawn(Stdio::null());
        // From before the unit is asked for to after its limits are set, also on a slow machine.
        limited::wait(&child, Duration::from_millis(step * step));
        child.kill().expect("kill the runtime");
        child.wait().expect("wait for the runtime");
        let _ = case.call(&["delete", "--force", &case.id]).ok();
        eventually("the unit is gone", || {
            property(&unit(&case), "LoadState") == "not-found"
        });
        case.nothing_left();
    }
    start(&case);
    delete(case);
}

#[test]
fn a_machine_without_systemd_says_so_at_once() {
    need!(Root, Busybox, Cofferdam);
    let case = case();
    case.bundle.write();
    // A mount namespace in which nothing says that systemd runs.
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c"])
        .arg("mount -t tmpfs none /run && cd \"$1\" && exec \"$2\" --root \"$3\" --systemd-cgroup run x")
        .arg("sh")
        .args([case.bundle.path(), &case.program, case.root()])
        .output()
        .expect("run unshare");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("systemd not running on this host, cannot use systemd cgroups manager"),
        "{said}"
    );
    case.finish();
}
