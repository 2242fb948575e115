//! Processes that start where limits are used up, or where nothing runs.

use std::fs;
use std::path::{Path, PathBuf};

use cofferdam_integration::{Case, cgroup, eventually, need};
use serde_json::json;

/// A user that nothing else has.
const USER: u32 = 54_317;

/// How many processes the container's cgroup counts.
fn processes(case: &Case) -> usize {
    cgroup::processes(&case.cgroup())
        .into_iter()
        .collect::<std::collections::HashSet<_>>()
        .len()
}

/// A container with three processes, and a limit.
fn three_processes(limit: u32) -> Case {
    let mut case = Case::new();
    case.bundle
        .script("/bin/sleep 1000 & /bin/sleep 1000 & wait");
    case.bundle.config["linux"]["resources"]["pids"] = json!({ "limit": limit });
    case.start();
    eventually("three processes run", || processes(&case) == 3);
    case
}

/// A move into a cgroup is never refused, only forks are: the process comes from outside if need
/// be.
#[test]
fn exec_looks_into_a_container_that_has_used_up_its_processes() {
    need!(Root, Busybox, Controllers);
    for limit in [3, 4] {
        let case = three_processes(limit);
        for _ in 0..5 {
            let output = case.exec(&["/bin/cat", "/proc/self/cgroup"]).ok();
            let of_init = fs::read_to_string(format!("/proc/{}/cgroup", case.pid())).unwrap();
            assert_eq!(output.stdout, of_init, "limit {limit}");
        }
        // The limit holds for what the program does.
        let forks = case.exec(&["/bin/sh", "-c", "/bin/true; echo no"]);
        assert!(forks.stdout.is_empty(), "{forks}");
        case.delete();
    }
}

/// The limit of a cgroup above counts as well.
#[test]
fn exec_looks_into_a_container_whose_parent_has_used_up_its_processes() {
    need!(Root, Busybox, Controllers);
    let mut case = Case::new();
    let parent = format!("/{}-parent", case.id);
    case.bundle
        .script("/bin/sleep 1000 & /bin/sleep 1000 & wait");
    case.bundle.config["linux"]["cgroupsPath"] = json!(format!("{parent}/inner"));
    case.start();
    eventually("three processes run", || processes(&case) == 3);
    let directory = controller("pids").join(parent.trim_start_matches('/'));
    fs::write(directory.join("pids.max"), "3").unwrap();
    let output = case.exec(&["/bin/echo", "fine"]);
    case.delete();
    for directory in cgroup::directories(&parent) {
        fs::remove_dir(directory).unwrap();
    }
    assert_eq!(output.ok().stdout, "fine\n");
}

/// Where a controller's files are.
fn controller(name: &str) -> PathBuf {
    if cgroup::is_unified() {
        PathBuf::from("/sys/fs/cgroup")
    } else {
        Path::new("/sys/fs/cgroup").join(name)
    }
}

/// Of the processes of a user the program counts, and not what starts it.
#[test]
fn one_place_of_the_limit_on_the_processes_of_a_user_is_enough() {
    need!(Root, Busybox);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    let process = &mut case.bundle.config["process"];
    process["user"] = json!({ "uid": USER, "gid": USER });
    process["rlimits"] = json!([{ "type": "RLIMIT_NPROC", "soft": 2, "hard": 2 }]);
    case.start();
    let _ = case
        .detached(&["exec", "--detach", &case.id, "/bin/sleep", "1000"])
        .ok();
    let output = case.exec(&["/bin/grep", "Max processes", "/proc/self/limits"]);
    let columns: Vec<String> = output
        .ok()
        .stdout
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    assert_eq!(columns, ["Max", "processes", "2", "2", "processes"]);
    case.delete();
}

/// A process that lives in its own container's pid namespace needs no second place either.
#[test]
fn a_limit_of_one_process_is_enough_for_one_process_in_a_joined_pid_namespace() {
    need!(Root, Busybox, Controllers);
    let mut first = Case::new();
    first.bundle.args(&["/bin/sleep", "1000"]);
    first.start();
    let joined = |case: &mut Case| {
        let path = format!("/proc/{}/ns/pid", first.pid());
        case.bundle
            .without_namespace("pid")
            .namespace(json!({ "type": "pid", "path": path }));
    };
    let mut case = Case::new();
    joined(&mut case);
    case.bundle.config["linux"]["resources"]["pids"] = json!({ "limit": 1 });
    let file = if cgroup::is_unified() {
        // The mount shows the container's own cgroup.
        case.bundle.namespace(json!({ "type": "cgroup" }));
        "/sys/fs/cgroup/pids.max"
    } else {
        "/sys/fs/cgroup/pids/pids.max"
    };
    case.bundle.args(&["/bin/cat", file]);
    assert_eq!(case.run().ok().stdout, "1\n");
    case.finish();

    // The limits of the process: of another user, by a caller that may only lower them.
    let mut case = Case::new();
    joined(&mut case);
    case.bundle.args(&["/bin/cat", "/proc/self/limits"]);
    let process = &mut case.bundle.config["process"];
    process["user"] = json!({ "uid": USER + 1, "gid": USER });
    process["rlimits"] = json!([
        { "type": "RLIMIT_NOFILE", "soft": 100, "hard": 101 },
        { "type": "RLIMIT_NPROC", "soft": 1, "hard": 2 },
        { "type": "RLIMIT_CORE", "soft": 0, "hard": 0 },
    ]);
    let output = case.run().ok();
    for (name, soft, hard) in [
        ("Max open files", "100", "101"),
        ("Max processes", "1", "2"),
        ("Max core file size", "0", "0"),
    ] {
        let line = output.stdout.lines().find(|line| line.starts_with(name));
        let values: Vec<&str> = line.unwrap()[name.len()..].split_whitespace().collect();
        assert_eq!(&values[..2], [soft, hard], "{name}");
    }
    case.finish();
    first.delete();
}

/// A process sets them while the process has the runtime's identity, or that of a user
/// namespace the runtime owns.
#[test]
fn limits_of_another_user_in_a_user_namespace_are_set() {
    need!(Root, Busybox);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.bundle.user_namespace(300_000, 70_000);
    let process = &mut case.bundle.config["process"];
    process["user"] = json!({ "uid": USER, "gid": USER });
    process["rlimits"] = json!([
        { "type": "RLIMIT_NOFILE", "soft": 90, "hard": 91 },
        { "type": "RLIMIT_NPROC", "soft": 2, "hard": 3 },
    ]);
    case.start();
    let limits = |text: &str| -> Vec<String> {
        let lines = text
            .lines()
            .filter(|line| line.starts_with("Max open files") || line.starts_with("Max processes"));
        lines
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect()
    };
    let expected = ["Max processes 2 3 processes", "Max open files 90 91 files"];
    let of_init = fs::read_to_string(format!("/proc/{}/limits", case.pid())).unwrap();
    assert_eq!(limits(&of_init), expected);
    let added = case.exec(&["/bin/cat", "/proc/self/limits"]).ok();
    assert_eq!(limits(&added.stdout), expected);
    let root = case.exec_before(&["--user", "0", "/bin/cat", "/proc/self/limits"]);
    assert_eq!(limits(&root.ok().stdout), expected);
    case.delete();
}

/// A cgroup v2 that is frozen, with everything in it thawed and removed at the end.
struct Frozen {
    path: String,
    directory: PathBuf,
}

impl Frozen {
    fn new(name: &str) -> Self {
        let path = format!("/{name}-frozen");
        let directory = cgroup::v2_mount()
            .unwrap()
            .join(path.trim_start_matches('/'));
        fs::create_dir(&directory).unwrap();
        Self { path, directory }
    }

    fn freeze(&self, on: &str) {
        fs::write(self.directory.join("cgroup.freeze"), on).unwrap();
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = fs::write(self.directory.join("cgroup.freeze"), "0");
        for directory in cgroup::directories(&self.path) {
            let _ = fs::remove_dir(directory);
        }
    }
}

/// It is said, instead of waited for with all signals blocked.
#[test]
fn below_a_frozen_cgroup_nothing_starts() {
    need!(Root, Busybox, CgroupV2);
    let mut case = Case::new();
    let outer = Frozen::new(&case.id);
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.bundle.config["linux"]["cgroupsPath"] = json!(format!("{}/inner", outer.path));
    outer.freeze("1");
    for command in ["create", "run"] {
        let refused = case.call(&[command, &case.id]);
        assert!(
            refused.code != 0 && refused.stderr.contains("frozen"),
            "{refused}"
        );
        case.nothing_left();
    }
    outer.freeze("0");
    case.start();
    outer.freeze("1");
    let refused = case.exec(&["/bin/true"]);
    assert_eq!(refused.code, 255, "{refused}");
    assert!(refused.stderr.contains("frozen"), "{refused}");
    outer.freeze("0");
    assert_eq!(case.exec(&["/bin/true"]).code, 0);
    case.delete();
}

/// The same with cgroup v1, where a frozen process cannot even be killed.
#[test]
fn below_a_frozen_cgroup_of_version_1_nothing_starts() {
    need!(Root, Busybox, CgroupV1);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    let parent = format!("{}-frozen", case.id);
    case.bundle.config["linux"]["cgroupsPath"] = json!(format!("/{parent}/inner"));
    let directory = controller("freezer").join(&parent);
    fs::create_dir(&directory).unwrap();
    let set = |state: &str| fs::write(directory.join("freezer.state"), state).unwrap();
    set("FROZEN");
    let refused = case.call(&["create", &case.id]);
    set("THAWED");
    assert!(
        refused.code != 0 && refused.stderr.contains("frozen"),
        "{refused}"
    );
    case.start();
    set("FROZEN");
    let refused = case.exec(&["/bin/true"]);
    set("THAWED");
    assert!(
        refused.code == 255 && refused.stderr.contains("frozen"),
        "{refused}"
    );
    case.delete();
    for directory in cgroup::directories(&parent) {
        fs::remove_dir(directory).unwrap();
    }
}

/// The limit is below what executing a program takes (some 200,000 bytes), and above what the
/// preparations do (some 100,000).
#[test]
fn a_program_that_runs_out_of_memory_is_told() {
    need!(Root, Busybox, CgroupV1);
    let mut case = Case::new();
    case.bundle.config["linux"]["resources"]["memory"] = json!({ "limit": 130_000 });
    let output = case.run();
    assert!(
        output.code == 137 && output.stderr.contains("memory"),
        "{output}"
    );
    case.finish();
}

/// Executes a program in a container whose memory limit is what is in use. Whether that ended
/// before the program ran: the kernel counts some memory as used before anything uses it, and that
/// may be enough.
fn exec_without_memory() -> bool {
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.bundle.config["linux"]["resources"]["memory"] = json!({ "limit": 64 << 20 });
    case.start();
    let directory = controller("memory").join(case.cgroup().trim_start_matches('/'));
    let file = |name: &str| directory.join(name);
    let text = |name: &str| fs::read_to_string(file(name)).unwrap();
    eventually("the limit is what is in use", || {
        fs::write(file("memory.force_empty"), "0").unwrap();
        let usage = text("memory.usage_in_bytes");
        fs::write(file("memory.limit_in_bytes"), usage.trim()).is_ok()
    });
    let output = case.exec(&["/bin/true"]);
    let killed = !text("memory.oom_control").contains("oom_kill 0\n");
    let ended = killed && output.code == 255;
    if ended {
        let text = "unable to start container process (possibly OOM-killed)";
        let _ = output.failed(255, text);
    }
    let _ = case.call(&["delete", "--force", &case.id]).ok();
    case.finish();
    ended
}

#[test]
fn an_exec_that_runs_out_of_memory_before_its_program_runs_says_so() {
    need!(Root, Busybox, CgroupV1);
    eventually(
        "the kernel kills what is to become the program",
        exec_without_memory,
    );
}

#[test]
fn a_configuration_that_freezes_its_own_cgroup_is_refused() {
    need!(Root, Busybox, Unified);
    let mut case = Case::new();
    case.bundle.config["linux"]["resources"]["unified"] = json!({ "cgroup.freeze": "1" });
    let refused = case.run();
    assert!(
        refused.code != 0 && refused.stderr.contains("cgroup.freeze"),
        "{refused}"
    );
    case.finish();
}
