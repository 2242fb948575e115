//! The crate on the kernel it runs on. Every test makes its own `cofferdam-test-…` cgroups and
//! removes them; without root, or the hierarchy it is about, it says so and passes.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot do its work shall say where"
)]

use std::{
    collections::BTreeMap,
    fs,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use cofferdam_cgroups::{
    Cgroup, CgroupSpec, ErrorKind, FreezerState, Hierarchy, Mode, Resources,
    events::{Event, PressureLevel, PressureResource, PressureTrigger},
    stats::Controllers,
};
use devices::{Access, Kind, Rule};

const BUDGET: Duration = Duration::from_secs(10);

/// A cgroup that is gone at the end of the test, processes included.
struct Scratch(Cgroup);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = self.0.kill();
        self.0.delete(BUDGET).unwrap();
    }
}

impl std::ops::Deref for Scratch {
    type Target = Cgroup;
    fn deref(&self) -> &Cgroup {
        &self.0
    }
}

fn unique_path() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("/cofferdam-test-{}-{number}", std::process::id()).into()
}

fn scratch(hierarchy: &Hierarchy, resources: &Resources) -> Scratch {
    let spec = CgroupSpec::at(unique_path());
    Scratch(Cgroup::create(hierarchy, &spec, resources).unwrap())
}

/// A process that is killed and reaped at the end of the test.
struct Sleeper(Child);

impl Sleeper {
    fn new() -> Self {
        Self::run("exec sleep 1000", Stdio::null())
    }

    fn run(script: &str, stdin: impl Into<Stdio>) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(stdin);
        Self(command.spawn().unwrap())
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    fn cgroups(&self) -> String {
        fs::read_to_string(format!("/proc/{}/cgroup", self.pid())).unwrap()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn open(path: &Path) -> OwnedFd {
    fs::File::open(path).unwrap().into()
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|stat| {
        use std::os::unix::fs::MetadataExt as _;
        stat.uid() == 0
    }) && !fs::read_to_string("/proc/self/uid_map")
        .unwrap_or_default()
        .is_empty()
}

/// The machine's v1 hierarchies.
fn v1(test: &str, controllers: &[&str]) -> Option<Hierarchy> {
    let hierarchy = Hierarchy::system().unwrap();
    let have = hierarchy.controllers().unwrap();
    let usable = is_root()
        && hierarchy.mode() != Mode::V2
        && controllers
            .iter()
            .all(|name| have.iter().any(|other| other == name));
    if !usable {
        println!("skipped {test}: needs root and cgroup v1 with {controllers:?}");
    }
    usable.then_some(hierarchy)
}

/// The machine's v2 hierarchy, wherever it is mounted.
fn v2(test: &str) -> Option<Hierarchy> {
    let system = Hierarchy::system().unwrap();
    let path = match system.mode() {
        Mode::V2 => system.path().to_owned(),
        Mode::Hybrid => system.path().join("unified"),
        Mode::V1 => {
            println!("skipped {test}: needs cgroup v2");
            return None;
        }
    };
    if !is_root() {
        println!("skipped {test}: needs root");
        return None;
    }
    let hierarchy = Hierarchy::open_at(open(&path), path, open(Path::new("/proc/self"))).unwrap();
    assert_eq!(hierarchy.mode(), Mode::V2);
    Some(hierarchy)
}

fn read(cgroup: &Cgroup, controller: &str, file: &str) -> String {
    let path = cgroup.path(controller).unwrap().join(file);
    fs::read_to_string(path).unwrap().trim().to_owned()
}

/// Runs a shell command inside the cgroup and says whether it succeeded.
fn succeeds_inside(cgroup: &Cgroup, command: &str) -> bool {
    let mut child = Command::new("sh");
    let script = format!("read go; {command}");
    child.args(["-c", &script]).stdin(Stdio::piped());
    let mut child = child.stderr(Stdio::null()).spawn().unwrap();
    cgroup.add(child.id()).unwrap();
    drop(child.stdin.take());
    child.wait().unwrap().success()
}

fn life_of_a_cgroup(hierarchy: &Hierarchy) {
    let resources = Resources::default();
    let spec = CgroupSpec::at(unique_path().join("a/b"));
    let top = hierarchy.path().to_owned();
    let cgroup = Cgroup::create(hierarchy, &spec, &resources).unwrap();
    let parents: Vec<_> = cgroup
        .paths()
        .values()
        .map(|path| path.ancestors().nth(2).unwrap().to_owned())
        .collect();
    assert!(cgroup.exists());
    cgroup.check_unused().unwrap();
    assert!(cgroup.paths().values().all(|path| path.starts_with(&top)));

    let sleeper = Sleeper::new();
    cgroup.add(sleeper.pid()).unwrap();
    assert_eq!(cgroup.processes().unwrap(), [sleeper.pid()]);

    // Somebody else finds it used.
    let other = Cgroup::create(hierarchy, &spec, &resources).unwrap();
    let error = other.check_unused().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotEmpty);
    assert_eq!(
        error.to_string(),
        "container's cgroup is not empty: 1 process(es) found"
    );
    let error = other.delete(Duration::ZERO).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotEmpty);
    assert!(cgroup.exists());

    // By its paths, or by the process, it is the same.
    let loaded = Cgroup::load(hierarchy, &cgroup.paths()).unwrap();
    assert_eq!(loaded.processes().unwrap(), [sleeper.pid()]);
    let found = Cgroup::of_process(hierarchy, sleeper.pid()).unwrap();
    assert_eq!(found.processes().unwrap(), [sleeper.pid()]);
    assert_eq!(found.paths(), cgroup.paths());

    loaded.kill().unwrap();
    drop(sleeper);
    loaded.delete(BUDGET).unwrap();
    assert!(!cgroup.exists() && !loaded.exists());
    assert_eq!(cgroup.all_processes().unwrap(), [0_u32; 0]);
    loaded.delete(BUDGET).unwrap();
    let error = Cgroup::load(hierarchy, &cgroup.paths())
        .unwrap()
        .kill()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    for parent in parents {
        fs::remove_dir(parent.join("a")).unwrap();
        fs::remove_dir(parent).unwrap();
    }
}

#[test]
fn life_on_v1() {
    if let Some(hierarchy) = v1("life_on_v1", &["devices"]) {
        life_of_a_cgroup(&hierarchy);
    }
}

#[test]
fn life_on_v2() {
    if let Some(hierarchy) = v2("life_on_v2") {
        life_of_a_cgroup(&hierarchy);
    }
}

fn children_and_kill(hierarchy: &Hierarchy, controller: &str) {
    let cgroup = scratch(hierarchy, &Resources::default());
    let sub = BTreeMap::from([(controller.to_owned(), PathBuf::from("x/y"))]);
    fs::create_dir_all(cgroup.path(controller).unwrap().join("x/y")).unwrap();
    let below = cgroup.sub_cgroup(&sub).unwrap();
    let (inner, outer) = (Sleeper::new(), Sleeper::new());
    cgroup.add(outer.pid()).unwrap();
    if hierarchy.mode() == Mode::V2 {
        below.add(inner.pid()).unwrap();
    } else {
        // Only one controller has the sub-cgroup; the others are the cgroup itself.
        below.add(inner.pid()).unwrap();
        assert_eq!(
            below.path(controller).unwrap(),
            cgroup.path(controller).unwrap().join("x/y")
        );
    }
    assert!(inner.cgroups().contains("/x/y"));
    let mut all = cgroup.all_processes().unwrap();
    all.sort_unstable();
    let mut expected = [inner.pid(), outer.pid()];
    expected.sort_unstable();
    assert_eq!(all, expected);

    // Frozen processes die, too.
    cgroup.freeze().unwrap();
    cgroup.kill().unwrap();
    let deadline = Instant::now() + BUDGET;
    for mut sleeper in [inner, outer] {
        while sleeper.0.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "not killed");
            std::thread::yield_now();
        }
    }
    cgroup.delete(BUDGET).unwrap();
    assert!(!cgroup.exists());
}

#[test]
fn children_and_kill_on_v1() {
    if let Some(hierarchy) = v1("children_and_kill_on_v1", &["devices", "freezer"]) {
        children_and_kill(&hierarchy, "devices");
    }
}

#[test]
fn children_and_kill_on_v2() {
    if let Some(hierarchy) = v2("children_and_kill_on_v2") {
        children_and_kill(&hierarchy, "");
    }
}

/// A container that owns its cgroup may nest as it likes.
fn deep_trees(hierarchy: &Hierarchy, controller: &str) {
    const DEPTH: usize = 400;
    let cgroup = scratch(hierarchy, &Resources::default());
    let mut path = cgroup.path(controller).unwrap().to_owned();
    for _ in 0..DEPTH {
        path.push("d");
        fs::create_dir(&path).unwrap();
    }
    let sleeper = Sleeper::new();
    fs::write(path.join("cgroup.procs"), sleeper.pid().to_string()).unwrap();
    assert_eq!(cgroup.all_processes().unwrap(), [sleeper.pid()]);
    cgroup.kill().unwrap();
    drop(sleeper);
    cgroup.delete(BUDGET).unwrap();
    assert!(!cgroup.exists());
}

#[test]
fn deep_trees_on_v1() {
    if let Some(hierarchy) = v1("deep_trees_on_v1", &["devices"]) {
        deep_trees(&hierarchy, "devices");
    }
}

#[test]
fn deep_trees_on_v2() {
    if let Some(hierarchy) = v2("deep_trees_on_v2") {
        deep_trees(&hierarchy, "");
    }
}

fn freezing(hierarchy: &Hierarchy) {
    let cgroup = scratch(hierarchy, &Resources::default());
    let sleeper = Sleeper::new();
    cgroup.add(sleeper.pid()).unwrap();
    assert_eq!(cgroup.freezer_state().unwrap(), Some(FreezerState::Thawed));
    {
        let _guard = cgroup.freeze_guard().unwrap();
        assert_eq!(cgroup.freezer_state().unwrap(), Some(FreezerState::Frozen));
    }
    assert_eq!(cgroup.freezer_state().unwrap(), Some(FreezerState::Thawed));
    cgroup.freeze().unwrap();

    // An update does not thaw what is frozen, and a frozen cgroup is not taken for a new container.
    let found = Cgroup::load(hierarchy, &cgroup.paths()).unwrap();
    let frozen = Resources {
        freezer: Some(FreezerState::Frozen),
        ..Resources::default()
    };
    assert!(found.set(&frozen).unwrap().warnings.is_empty());
    assert_eq!(found.freezer_state().unwrap(), Some(FreezerState::Frozen));
    cgroup.thaw().unwrap();
    drop(sleeper);
    cgroup.freeze().unwrap();
    let error = found.check_unused().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Frozen);
    assert_eq!(error.to_string(), "container's cgroup unexpectedly frozen");
    cgroup.thaw().unwrap();
}

#[test]
fn freezing_on_v1() {
    if let Some(hierarchy) = v1("freezing_on_v1", &["freezer", "devices"]) {
        freezing(&hierarchy);
    }
}

#[test]
fn freezing_on_v2() {
    if let Some(hierarchy) = v2("freezing_on_v2") {
        freezing(&hierarchy);
    }
}

#[test]
fn frozen_by_an_ancestor_is_not_frozen_on_v1() {
    let Some(hierarchy) = v1("frozen_by_an_ancestor_is_not_frozen_on_v1", &["freezer"]) else {
        return;
    };
    let parent = scratch(&hierarchy, &Resources::default());
    let name = parent.path("freezer").unwrap().file_name().unwrap();
    let spec = CgroupSpec::at(Path::new("/").join(name).join("child"));
    let child = Cgroup::create(&hierarchy, &spec, &Resources::default()).unwrap();
    parent.freeze().unwrap();
    assert_eq!(child.freezer_state().unwrap(), Some(FreezerState::Thawed));
    parent.thaw().unwrap();
}

fn device_rules(hierarchy: &Hierarchy) {
    let null = Rule::allow(Kind::Char, Some(1), Some(3), Access::ALL);
    let zero = Rule::allow(Kind::Char, Some(1), Some(5), Access::READ);
    let mut resources = Resources {
        devices: vec![
            Rule::everything(false),
            null,
            zero,
            Rule::allow(Kind::Block, None, None, Access::MKNOD),
        ],
        ..Resources::default()
    };
    let cgroup = scratch(hierarchy, &resources);
    assert!(cgroup.set(&resources).unwrap().warnings.is_empty());
    let directory = tempfile::tempdir().unwrap();
    let node = directory.path().join("node");
    let node = node.display();
    assert!(succeeds_inside(&cgroup, ": < /dev/null && : > /dev/null"));
    assert!(succeeds_inside(&cgroup, ": < /dev/zero"));
    assert!(!succeeds_inside(&cgroup, ": > /dev/zero"));
    assert!(!succeeds_inside(&cgroup, ": < /dev/full"));
    assert!(succeeds_inside(
        &cgroup,
        &format!("mknod {node} b 7 99 && rm {node}")
    ));
    assert!(!succeeds_inside(&cgroup, &format!("mknod {node} c 1 7")));

    // Again, with other rules: they take the place of the first ones.
    let full = Rule::allow(Kind::Char, Some(1), Some(7), Access::ALL);
    resources.devices = vec![Rule::everything(false), full];
    assert!(cgroup.set(&resources).unwrap().warnings.is_empty());
    assert!(succeeds_inside(&cgroup, ": < /dev/full"));
    resources.devices = vec![Rule::everything(false), null];
    let found = Cgroup::load(hierarchy, &cgroup.paths()).unwrap();
    assert!(found.set(&resources).unwrap().warnings.is_empty());
    assert!(succeeds_inside(&cgroup, ": < /dev/null"));
    assert!(!succeeds_inside(&cgroup, ": < /dev/zero"));
    resources.devices = vec![Rule::everything(true)];
    assert!(found.set(&resources).unwrap().warnings.is_empty());
    assert!(succeeds_inside(&cgroup, ": > /dev/full; : < /dev/full"));

    // Left alone when asked to, or when there are none.
    resources.devices = vec![Rule::everything(false)];
    resources.skip_devices = true;
    assert!(found.set(&resources).unwrap().warnings.is_empty());
    assert!(
        found
            .set(&Resources::default())
            .unwrap()
            .warnings
            .is_empty()
    );
    assert!(succeeds_inside(&cgroup, ": < /dev/zero"));
}

#[test]
fn device_rules_on_v1() {
    if let Some(hierarchy) = v1("device_rules_on_v1", &["devices"]) {
        device_rules(&hierarchy);
    }
}

#[test]
fn device_rules_on_v2() {
    if let Some(hierarchy) = v2("device_rules_on_v2") {
        device_rules(&hierarchy);
    }
}

#[test]
fn a_denied_part_denies_the_whole_on_v2() {
    let Some(hierarchy) = v2("a_denied_part_denies_the_whole_on_v2") else {
        return;
    };
    let resources = Resources {
        devices: vec![
            Rule::everything(true),
            Rule::deny(Kind::Char, Some(1), Some(3), Access::WRITE),
        ],
        ..Resources::default()
    };
    let cgroup = scratch(&hierarchy, &resources);
    assert!(cgroup.set(&resources).unwrap().warnings.is_empty());
    assert!(succeeds_inside(&cgroup, ": < /dev/null"));
    assert!(!succeeds_inside(&cgroup, ": > /dev/null"));
    // Opened for both.
    assert!(!succeeds_inside(&cgroup, ": <> /dev/null"));
}

#[test]
fn unknown_rules_are_refused() {
    let Some(hierarchy) = v2("unknown_rules_are_refused") else {
        return;
    };
    let resources = Resources {
        devices: vec![
            Rule::allow(Kind::Char, None, None, Access::ALL),
            Rule::deny(Kind::Char, Some(1), Some(3), Access::ALL),
        ],
        ..Resources::default()
    };
    let cgroup = scratch(&hierarchy, &resources);
    let error = cgroup.set(&resources).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Devices);
    let cause = std::error::Error::source(&error).unwrap();
    assert!(cause.to_string().contains("cannot punch hole"), "{cause}");
}

#[test]
fn limits_on_v1() {
    let needed = ["memory", "cpu", "pids", "cpuset", "cpuacct"];
    let Some(hierarchy) = v1("limits_on_v1", &needed) else {
        return;
    };
    let mut resources = Resources {
        memory: Some(64 << 20),
        memory_reservation: Some(32 << 20),
        cpu_shares: Some(512),
        cpu_period: Some(50_000),
        cpu_quota: Some(25_000),
        cpuset_cpus: Some("0".into()),
        pids_limit: Some(0),
        ..Resources::default()
    };
    let cgroup = scratch(&hierarchy, &resources);
    assert!(cgroup.set(&resources).unwrap().warnings.is_empty());
    for (controller, file, value) in [
        ("memory", "memory.limit_in_bytes", "67108864"),
        ("memory", "memory.soft_limit_in_bytes", "33554432"),
        ("cpu", "cpu.shares", "512"),
        ("cpu", "cpu.cfs_period_us", "50000"),
        ("cpu", "cpu.cfs_quota_us", "25000"),
        ("cpuset", "cpuset.cpus", "0"),
        ("pids", "pids.max", "1"),
    ] {
        assert_eq!(read(&cgroup, controller, file), value, "{file}");
    }
    // Empty in a new cpuset, but for the parent's.
    assert_ne!(read(&cgroup, "cpuset", "cpuset.mems"), "");

    // A new set changes what it names and nothing else.
    resources = Resources {
        cpu_quota: Some(-1),
        pids_limit: Some(-1),
        memory: Some(-1),
        ..Resources::default()
    };
    assert!(cgroup.set(&resources).unwrap().warnings.is_empty());
    assert_eq!(read(&cgroup, "cpu", "cpu.cfs_quota_us"), "-1");
    assert_eq!(read(&cgroup, "pids", "pids.max"), "max");
    assert_eq!(read(&cgroup, "cpu", "cpu.shares"), "512");

    resources = Resources {
        cpu_shares: Some(1),
        ..Resources::default()
    };
    let error = cgroup.set(&resources).unwrap_err();
    assert_eq!(error.to_string(), "the minimum allowed cpu-shares is 2");
    resources = Resources {
        unified: BTreeMap::from([("memory.max".into(), "1".into())]),
        ..Resources::default()
    };
    let error = cgroup.set(&resources).unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid configuration: cannot use unified on cgroup v1"
    );
    if cgroup.path("rdma").is_none() {
        let device = cofferdam_cgroups::Rdma::default();
        resources = Resources {
            rdma: BTreeMap::from([("mlx5_0".into(), device)]),
            ..Resources::default()
        };
        let error = cgroup.set(&resources).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoController);
        assert_eq!(
            error.to_string(),
            "cannot set rdma limit: container could not join or create cgroup"
        );
    }
}

/// Whether the v2 hierarchy has these controllers.
fn v2_with(test: &str, controllers: &[&str]) -> Option<Hierarchy> {
    let hierarchy = v2(test)?;
    let have = hierarchy.controllers().unwrap();
    let usable = controllers
        .iter()
        .all(|name| have.iter().any(|other| other == name));
    if !usable {
        println!("skipped {test}: needs cgroup v2 with {controllers:?}");
    }
    usable.then_some(hierarchy)
}

#[test]
fn limits_on_v2() {
    let needed = ["memory", "cpu", "pids", "cpuset", "io"];
    let Some(hierarchy) = v2_with("limits_on_v2", &needed) else {
        return;
    };
    let mut resources = Resources {
        memory: Some(64 << 20),
        memory_reservation: Some(32 << 20),
        memory_swap: Some(96 << 20),
        cpu_shares: Some(512),
        cpu_period: Some(50_000),
        cpu_quota: Some(25_000),
        // More than the quota that is in force until then.
        cpu_burst: Some(10_000),
        cpuset_cpus: Some("0".into()),
        pids_limit: Some(0),
        unified: BTreeMap::from([
            ("memory.low".into(), "16777216".into()),
            ("memory.oom.group".into(), "1".into()),
        ]),
        ..Resources::default()
    };
    let cgroup = scratch(&hierarchy, &resources);
    assert!(cgroup.set(&resources).unwrap().warnings.is_empty());
    for (file, value) in [
        ("memory.max", "67108864"),
        ("memory.low", "16777216"),
        ("memory.oom.group", "1"),
        ("cpu.weight", "59"),
        ("cpu.max", "25000 50000"),
        ("cpu.max.burst", "10000"),
        ("cpuset.cpus", "0"),
        ("pids.max", "1"),
    ] {
        assert_eq!(read(&cgroup, "", file), value, "{file}");
    }
    let swap = cgroup.path("").unwrap().join("memory.swap.max");
    if swap.exists() {
        assert_eq!(read(&cgroup, "", "memory.swap.max"), "33554432");
    }
    resources = Resources {
        cpu_quota: Some(-1),
        cpu_idle: Some(1),
        pids_limit: Some(-1),
        memory: Some(-1),
        ..Resources::default()
    };
    assert!(cgroup.set(&resources).unwrap().warnings.is_empty());
    assert_eq!(read(&cgroup, "", "cpu.max"), "max 100000");
    assert_eq!(read(&cgroup, "", "pids.max"), "max");
    assert_eq!(read(&cgroup, "", "cpu.idle"), "1");

    for (key, text) in [
        (
            "cpu.weight",
            "unable to set unified resource \"cpu.weight\"",
        ),
        (
            "nothing.max",
            "unified resource \"nothing.max\" can't be set: controller \"nothing\" not available",
        ),
    ] {
        resources = Resources {
            unified: BTreeMap::from([(key.into(), "50000".into())]),
            ..Resources::default()
        };
        let error = cgroup.set(&resources).unwrap_err();
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn out_of_memory_on_v2() {
    let Some(hierarchy) = v2_with("out_of_memory_on_v2", &["memory"]) else {
        return;
    };
    let resources = Resources {
        memory: Some(8 << 20),
        memory_swap: Some(8 << 20),
        ..Resources::default()
    };
    let cgroup = scratch(&hierarchy, &resources);
    assert!(cgroup.set(&resources).unwrap().warnings.is_empty());
    let witness = Sleeper::new();
    cgroup.add(witness.pid()).unwrap();
    let mut events = cgroup.oom_events().unwrap();
    assert_eq!(cgroup.oom_kill_count().unwrap(), 0);
    assert!(!succeeds_inside(&cgroup, "exec tail /dev/zero"));
    assert_eq!(events.wait().unwrap(), Event::Happened);
    assert_eq!(cgroup.oom_kill_count().unwrap(), 1);
    let stats = cgroup.stats().unwrap();
    assert_eq!(stats.memory.usage.limit, 8 << 20);
    assert!(stats.memory.usage.max > 4 << 20);
    assert!(stats.cpu.usage.total > 0 && stats.pids.current == 1);
    let update = Resources {
        memory: Some(1),
        memory_check_before_update: true,
        ..Resources::default()
    };
    assert_eq!(
        cgroup.set(&update).unwrap_err().kind(),
        ErrorKind::LimitBelowUsage
    );
    drop(witness);
    while events.wait().unwrap() != Event::Ended {}
}

#[test]
fn joining_by_tasks_files() {
    let Some(hierarchy) = v1("joining_by_tasks_files", &["devices"]) else {
        return;
    };
    let cgroup = scratch(&hierarchy, &Resources::default());
    let files = cgroup.self_join_files().unwrap();
    assert!(files.iter().all(|(name, _)| !name.is_empty()));
    for (name, file) in files {
        let joined = Sleeper::run("echo 0 >&0; exec sleep 1000", file);
        let line = format!(
            ":{name}:{}",
            Path::new("/")
                .join(cgroup.path("devices").unwrap().file_name().unwrap())
                .display()
        );
        let deadline = Instant::now() + BUDGET;
        while !joined.cgroups().lines().any(|other| other.ends_with(&line)) {
            assert!(
                Instant::now() < deadline,
                "{line} not in {}",
                joined.cgroups()
            );
            std::thread::yield_now();
        }
    }
}

#[test]
fn statistics_on_v1() {
    let Some(hierarchy) = v1("statistics_on_v1", &["memory", "cpuacct", "pids", "cpuset"]) else {
        return;
    };
    let cgroup = scratch(&hierarchy, &Resources::default());
    let sleeper = Sleeper::run(
        "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; kill -STOP $$",
        Stdio::null(),
    );
    cgroup.add(sleeper.pid()).unwrap();
    let deadline = Instant::now() + BUDGET;
    let stats = loop {
        let stats = cgroup.stats().unwrap();
        if stats.cpu.usage.total > 0 && stats.memory.usage.usage > 0 {
            break stats;
        }
        assert!(Instant::now() < deadline, "{stats:?}");
        std::thread::yield_now();
    };
    assert_eq!(stats.pids.current, 1);
    assert_eq!(stats.pids.limit, 0);
    assert!(!stats.cpu.usage.percpu.is_empty() && !stats.cpuset.cpus.is_empty());
    assert!(stats.memory.usage.limit > 1 << 40);
    assert!(stats.memory.raw.contains_key("rss"));
}

#[test]
fn statistics_on_v2() {
    let Some(hierarchy) = v2("statistics_on_v2") else {
        return;
    };
    let cgroup = scratch(&hierarchy, &Resources::default());
    let sleeper = Sleeper::new();
    cgroup.add(sleeper.pid()).unwrap();
    let stats = cgroup.stats().unwrap();
    assert_eq!(stats.pids.current, 1);
    // The root of the hierarchy can be read as well.
    let top = Cgroup::load(
        &hierarchy,
        &BTreeMap::from([(String::new(), hierarchy.path().to_owned())]),
    )
    .unwrap();
    assert!(top.stats().unwrap().cpu.usage.total > 0);
}

#[test]
fn out_of_memory_on_v1() {
    let Some(hierarchy) = v1("out_of_memory_on_v1", &["memory", "devices"]) else {
        return;
    };
    let resources = Resources {
        memory: Some(8 << 20),
        ..Resources::default()
    };
    let cgroup = scratch(&hierarchy, &resources);
    assert!(cgroup.set(&resources).unwrap().warnings.is_empty());
    let mut events = cgroup.oom_events().unwrap();
    assert_eq!(events.read().unwrap(), None);
    assert_eq!(cgroup.oom_kill_count().unwrap(), 0);
    assert!(!succeeds_inside(&cgroup, "exec tail /dev/zero"));
    assert_eq!(events.wait().unwrap(), Event::Happened);
    assert!(cgroup.oom_kill_count().unwrap() > 0);

    let mut pressure = cgroup.pressure_events(PressureLevel::Critical).unwrap();
    let _ = pressure.read().unwrap();
    cgroup.delete(BUDGET).unwrap();
    while events.wait().unwrap() != Event::Ended {}
    while pressure.wait().unwrap() != Event::Ended {}
}

#[test]
fn tasks_that_wait_for_a_processor_are_told_of() {
    let test = "tasks_that_wait_for_a_processor_are_told_of";
    if !is_root() {
        println!("skipped {test}: needs root");
        return;
    }
    let hierarchy = Hierarchy::system().unwrap();
    let cgroup = scratch(&hierarchy, &Resources::default());
    let trigger = PressureTrigger {
        resource: PressureResource::Cpu,
        all_tasks: false,
        stall: Duration::from_millis(1),
        window: Duration::from_secs(2),
    };
    let mut events = match cgroup.pressure_trigger(&trigger) {
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            println!("skipped {test}: {error}");
            return;
        }
        events => events.unwrap(),
    };
    let wrong = PressureTrigger {
        window: Duration::from_secs(20),
        ..trigger
    };
    let error = cgroup.pressure_trigger(&wrong).unwrap_err();
    assert_eq!(error.errno(), Some(libc::EINVAL));
    // More of them than there are processors.
    let count = std::thread::available_parallelism().unwrap().get() + 1;
    let busy: Vec<_> = (0..count)
        .map(|_| Sleeper::run("while :; do :; done", Stdio::null()))
        .collect();
    for process in &busy {
        cgroup.add(process.pid()).unwrap();
    }
    assert_eq!(events.wait().unwrap(), Event::Happened);
    let psi = cgroup.stats_of(Controllers::CPU).unwrap().cpu.psi.unwrap();
    assert!(psi.some.total > 1000);
    assert_eq!(cgroup.stats_of(Controllers::PIDS).unwrap().cpu.psi, None);
    drop(busy);
    cgroup.delete(BUDGET).unwrap();
    while events.wait().unwrap() != Event::Ended {}
    assert_eq!(events.wait().unwrap(), Event::Ended);
}

#[test]
fn mounts_of_v1() {
    let Some(hierarchy) = v1("mounts_of_v1", &["devices"]) else {
        return;
    };
    let cgroup = scratch(&hierarchy, &Resources::default());
    let mounts = cgroup.mounts();
    let devices = mounts
        .iter()
        .find(|mount| mount.controllers.iter().any(|name| name == "devices"))
        .unwrap();
    assert_eq!(devices.source, "cgroup");
    assert_eq!(devices.path, cgroup.path("devices").unwrap());
    assert!(devices.dir.is_some());
    for mount in &mounts {
        assert!(hierarchy.path().join(&mount.directory).is_dir());
        assert_eq!(mount.data, mount.controllers.join(","));
        for link in &mount.links {
            assert!(mount.controllers.contains(link));
        }
    }
    assert!(mounts.iter().all(|mount| mount.directory != "unified"));
}

#[test]
fn hybrid_has_a_directory_to_clone_into() {
    let hierarchy = Hierarchy::system().unwrap();
    if hierarchy.mode() != Mode::Hybrid || !is_root() {
        println!("skipped hybrid_has_a_directory_to_clone_into: needs root and a hybrid machine");
        return;
    }
    let cgroup = scratch(&hierarchy, &Resources::default());
    assert!(cgroup.dir().is_some());
    let sleeper = Sleeper::new();
    cgroup.add(sleeper.pid()).unwrap();
    let name = cgroup
        .path("")
        .unwrap()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap();
    assert!(sleeper.cgroups().contains(&format!("0::/{name}\n")));
}
