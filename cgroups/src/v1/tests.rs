use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::*;
use crate::fake::Fake;
use crate::{Cgroup, FreezerState, HugepageLimit, IfPriority, ThrottleDevice, WeightDevice};

const MEMBERSHIP: &str = "\
12:cpuset:/own
11:devices:/own
10:memory:/own
9:cpu,cpuacct:/own
8:pids:/own
7:blkio:/own
6:hugetlb:/own
5:net_cls,net_prio:/own
4:freezer:/own
3:name=systemd:/own
2:name=other:/own
";

pub(super) fn fake() -> Fake {
    Fake::v1(MEMBERSHIP)
}

/// Sets the limits in a cgroup that has (only) these files, and returns what is in them then.
fn set(files: &[&str], resources: &Resources) -> Vec<String> {
    let fake = fake();
    for directory in ["memory", "cpu,cpuacct", "pids", "cpuset", "blkio"] {
        fake.files(&format!("{directory}/ctr"), &[]);
        fs::create_dir_all(fake.root().join(directory).join("ctr")).unwrap();
    }
    fake.files("", files);
    let applied = fake.cgroup("ctr").set(resources).unwrap();
    assert_eq!(applied.warnings, []);
    files.iter().map(|file| fake.read(file)).collect()
}

#[test]
fn controllers_and_paths() {
    let fake = fake();
    let cgroup = fake.cgroup("ctr");
    let path = |controller: &str| {
        let path = cgroup.path(controller)?;
        Some(path.strip_prefix(fake.root()).unwrap().to_owned())
    };
    assert_eq!(path("cpu").unwrap(), Path::new("cpu,cpuacct/ctr"));
    assert_eq!(path("cpuacct"), path("cpu"));
    assert_eq!(path("name=systemd").unwrap(), Path::new("systemd/ctr"));
    // Only hierarchies that containers are known to use.
    assert_eq!(path("name=other"), None);
    assert_eq!(cgroup.paths().len(), 12);
    let names: Vec<_> = cgroup
        .mounts()
        .into_iter()
        .map(|mount| (mount.directory, mount.links))
        .collect();
    assert_eq!(names[0].0, "cpuset");
    assert!(names.contains(&(
        "cpu,cpuacct".to_owned(),
        vec!["cpu".to_owned(), "cpuacct".to_owned()]
    )));
    assert!(names.contains(&("systemd".to_owned(), vec![])));
}

#[test]
fn relative_paths_start_at_the_own_cgroup() {
    let fake = fake();
    fake.file("cpuset/cpuset.cpus", "0-1\n");
    let hierarchy = fake.hierarchy();
    let memory = hierarchy
        .v1()
        .iter()
        .find(|v1| v1.directory == "memory")
        .unwrap();
    assert_eq!(hierarchy.own_v1(memory).unwrap(), Path::new("own"));
}

#[test]
fn a_nested_container_sees_a_part_of_the_hierarchy() {
    let place = "/sys/fs/cgroup/memory";
    let mountinfo = format!(
        "31 23 0:28 / / rw - tmpfs tmpfs rw\n\
         35 31 0:32 /docker/a\\040b {place} rw,relatime shared:5 - cgroup cgroup rw,memory\n"
    );
    let fake = Fake::v1_at("4:memory:/docker/a b/inner:x\n", &mountinfo);
    let hierarchy = fake.hierarchy();
    let own = hierarchy.own_v1(&hierarchy.v1()[0]);
    // The kernel escapes blanks in mountinfo, not in /proc/PID/cgroup.
    assert_eq!(own.unwrap(), Path::new("inner:x"));
}

#[test]
fn cpu() {
    let resources = Resources {
        cpu_shares: Some(512),
        cpu_quota: Some(-1),
        cpu_period: Some(1000),
        cpu_burst: Some(7),
        cpu_rt_runtime: Some(10),
        cpu_rt_period: Some(20),
        cpu_idle: Some(0),
        ..Resources::default()
    };
    assert_eq!(
        set(
            &[
                "cpu,cpuacct/ctr/cpu.shares",
                "cpu,cpuacct/ctr/cpu.cfs_quota_us",
                "cpu,cpuacct/ctr/cpu.cfs_period_us",
                "cpu,cpuacct/ctr/cpu.cfs_burst_us",
                "cpu,cpuacct/ctr/cpu.rt_runtime_us",
                "cpu,cpuacct/ctr/cpu.rt_period_us",
                "cpu,cpuacct/ctr/cpu.idle",
            ],
            &resources
        ),
        ["512", "-1", "1000", "7", "10", "20", "0"]
    );
    // A kernel without burst.
    let resources = Resources {
        cpu_burst: Some(7),
        ..Resources::default()
    };
    assert_eq!(set(&[], &resources), [""; 0]);
}

#[test]
fn memory() {
    const LIMIT: &str = "memory/ctr/memory.limit_in_bytes";
    const SWAP: &str = "memory/ctr/memory.memsw.limit_in_bytes";
    let limits = |memory, swap| Resources {
        memory,
        memory_swap: swap,
        ..Resources::default()
    };
    assert_eq!(set(&[LIMIT, SWAP], &limits(Some(-1), None)), ["-1", "-1"]);
    assert_eq!(set(&[LIMIT], &limits(Some(-1), None)), ["-1"]);
    assert_eq!(set(&[LIMIT, SWAP], &limits(Some(5), Some(-1))), ["5", "-1"]);
    assert_eq!(set(&[LIMIT, SWAP], &limits(None, Some(9))), ["", "9"]);
    let other = Resources {
        memory_reservation: Some(3),
        memory_swappiness: Some(60),
        oom_kill_disable: true,
        ..Resources::default()
    };
    assert_eq!(
        set(
            &[
                "memory/ctr/memory.soft_limit_in_bytes",
                "memory/ctr/memory.swappiness",
                "memory/ctr/memory.oom_control",
            ],
            &other
        ),
        ["3", "60", "1"]
    );
}

#[test]
fn swappiness_is_a_percentage() {
    let fake = fake();
    fake.files("memory/ctr", &["memory.swappiness"]);
    let resources = Resources {
        memory_swappiness: Some(101),
        ..Resources::default()
    };
    let error = fake.cgroup("ctr").set(&resources).unwrap_err();
    assert_eq!(error.to_string(), "invalid memory swappiness value");
    assert_eq!(fake.read("memory/ctr/memory.swappiness"), "");
}

#[test]
fn the_current_limit_decides_which_comes_first() {
    // The first write fails because its file is missing: which one is it?
    for (current, missing) in [
        ("100\n", "memory.memsw.limit_in_bytes"),
        ("900\n", "memory.memsw.limit_in_bytes"),
    ] {
        let fake = fake();
        fake.file("memory/ctr/memory.limit_in_bytes", current);
        let resources = Resources {
            memory: Some(300),
            memory_swap: Some(500),
            ..Resources::default()
        };
        let error = fake.cgroup("ctr").set(&resources).unwrap_err();
        assert!(error.to_string().ends_with(missing), "{error}");
        let written = fake.read("memory/ctr/memory.limit_in_bytes");
        // Below the new limit of both, memory waits for it; above, memory goes down first.
        assert_eq!(written == current, current == "100\n", "{written:?}");
    }
}

#[test]
fn other_controllers() {
    let device = WeightDevice {
        major: 8,
        minor: 0,
        weight: 200,
        leaf_weight: 300,
    };
    let throttle = |rate| {
        vec![ThrottleDevice {
            major: 8,
            minor: 0,
            rate,
        }]
    };
    let resources = Resources {
        pids_limit: Some(0),
        hugetlb_limit: vec![HugepageLimit {
            page_size: "2MB".into(),
            limit: 1,
        }],
        net_cls_classid: Some(0x0010_0001),
        net_prio_ifpriomap: vec![IfPriority {
            interface: "eth0".into(),
            priority: 5,
        }],
        cpuset_cpus: Some("0".into()),
        blkio_weight: Some(500),
        blkio_leaf_weight: Some(600),
        blkio_weight_device: vec![device],
        blkio_throttle_read_bps_device: throttle(1),
        blkio_throttle_write_bps_device: throttle(2),
        blkio_throttle_read_iops_device: throttle(3),
        blkio_throttle_write_iops_device: throttle(4),
        ..Resources::default()
    };
    let mut table = vec![
        ("pids/ctr/pids.max", "1"),
        ("hugetlb/ctr/hugetlb.2MB.limit_in_bytes", "1"),
        ("net_cls,net_prio/ctr/net_cls.classid", "1048577"),
        ("net_cls,net_prio/ctr/net_prio.ifpriomap", "eth0 5"),
        ("cpuset/ctr/cpuset.cpus", "0"),
        ("blkio/ctr/blkio.weight", "500"),
        ("blkio/ctr/blkio.leaf_weight", "600"),
        ("blkio/ctr/blkio.weight_device", "8:0 200"),
        ("blkio/ctr/blkio.leaf_weight_device", "8:0 300"),
        ("blkio/ctr/blkio.throttle.read_bps_device", "8:0 1"),
        ("blkio/ctr/blkio.throttle.write_bps_device", "8:0 2"),
        ("blkio/ctr/blkio.throttle.read_iops_device", "8:0 3"),
        ("blkio/ctr/blkio.throttle.write_iops_device", "8:0 4"),
    ];
    let check = |table: &[(&str, &str)]| {
        let (files, values): (Vec<_>, Vec<_>) = table.iter().copied().unzip();
        assert_eq!(set(&files, &resources), values);
    };
    check(&table);
    // The BFQ scheduler has names of its own.
    table[5].0 = "blkio/ctr/blkio.bfq.weight";
    table[7].0 = "blkio/ctr/blkio.bfq.weight_device";
    table.push(("hugetlb/ctr/hugetlb.2MB.rsvd.limit_in_bytes", "1"));
    check(&table);
}

#[test]
fn a_limit_without_its_controller() {
    let fake = Fake::v1("1:memory:/\n");
    let cgroup = fake.cgroup("ctr");
    let resources = Resources {
        pids_limit: Some(5),
        ..Resources::default()
    };
    let error = cgroup.set(&resources).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoController);
    assert_eq!(
        error.to_string(),
        "cannot set pids limit: container could not join or create cgroup: \
         no hierarchy with controller \"pids\" is mounted"
    );
    assert!(
        cgroup
            .set(&Resources::default())
            .unwrap()
            .warnings
            .is_empty()
    );
}

#[test]
fn a_new_cpuset_is_filled_from_above() {
    let fake = Fake::v1("1:cpuset:/\n");
    fake.file("cpuset/cpuset.cpus", "0-7\n");
    fake.file("cpuset/cpuset.mems", "0-1\n");
    for directory in ["cpuset/pod", "cpuset/pod/ctr"] {
        fake.files(directory, &["cpuset.cpus", "cpuset.mems"]);
    }
    let spec = CgroupSpec::at("/pod/ctr");
    let resources = Resources {
        cpuset_cpus: Some("3".into()),
        ..Resources::default()
    };
    Cgroup::prepare(&fake.hierarchy(), &spec, &resources).unwrap();
    assert_eq!(fake.read("cpuset/pod/cpuset.cpus"), "0-7");
    assert_eq!(fake.read("cpuset/pod/cpuset.mems"), "0-1");
    assert_eq!(fake.read("cpuset/pod/ctr/cpuset.cpus"), "3");
    assert_eq!(fake.read("cpuset/pod/ctr/cpuset.mems"), "0-1");
}

#[test]
fn a_cpuset_without_prefix() {
    let fake = Fake::v1("1:cpuset:/\n");
    fake.file("cpuset/cpus", "0-7\n");
    fake.file("cpuset/mems", "0\n");
    fake.files("cpuset/ctr", &["cpus", "mems"]);
    let spec = CgroupSpec::at("/ctr");
    Cgroup::prepare(&fake.hierarchy(), &spec, &Resources::default()).unwrap();
    assert_eq!(fake.read("cpuset/ctr/cpus"), "0-7");
    assert_eq!(fake.read("cpuset/ctr/mems"), "0");
}

#[test]
fn realtime_budget_is_there_before_the_first_process() {
    let fake = Fake::v1("1:cpu:/\n");
    fake.files("cpu/ctr", &["cpu.rt_runtime_us", "cpu.rt_period_us"]);
    let resources = Resources {
        cpu_rt_runtime: Some(10),
        cpu_rt_period: Some(20),
        ..Resources::default()
    };
    let spec = CgroupSpec::at("/ctr");
    Cgroup::prepare(&fake.hierarchy(), &spec, &resources).unwrap();
    assert_eq!(fake.read("cpu/ctr/cpu.rt_runtime_us"), "10");
    assert_eq!(fake.read("cpu/ctr/cpu.rt_period_us"), "20");
}

#[test]
fn device_rules_need_the_controller() {
    let fake = Fake::v1("1:memory:/\n");
    let mut resources = Resources {
        devices: vec![::devices::Rule::everything(false)],
        ..Resources::default()
    };
    let spec = CgroupSpec::at("/ctr");
    let create = |resources: &Resources| Cgroup::prepare(&fake.hierarchy(), &spec, resources);
    assert_eq!(
        create(&resources).unwrap_err().kind(),
        ErrorKind::NoController
    );
    assert!(!fake.root().join("memory/ctr").exists());
    resources.skip_devices = true;
    create(&resources).unwrap();
}

#[test]
fn sub_cgroups_by_controller() {
    let fake = fake();
    let cgroup = fake.cgroup("ctr");
    let sub = |paths: &[(&str, &str)]| {
        let paths = paths
            .iter()
            .map(|(key, path)| ((*key).to_owned(), PathBuf::from(path)));
        cgroup.sub_cgroup(&paths.collect::<BTreeMap<_, _>>())
    };
    let path = |cgroup: &Cgroup, controller| {
        let path = cgroup.path(controller).unwrap();
        path.strip_prefix(fake.root()).unwrap().to_owned()
    };
    let one = sub(&[("cpu", "a"), ("memory", "/b/c")]).unwrap();
    assert_eq!(path(&one, "cpuacct"), Path::new("cpu,cpuacct/ctr/a"));
    assert_eq!(path(&one, "memory"), Path::new("memory/ctr/b/c"));
    assert_eq!(path(&one, "pids"), Path::new("pids/ctr"));
    let all = sub(&[("", "a")]).unwrap();
    assert_eq!(path(&all, "pids"), Path::new("pids/ctr/a"));
    assert_eq!(
        sub(&[("nope", "a")]).unwrap_err().to_string(),
        "unknown controller nope in SubCgroupPaths"
    );
    assert_eq!(
        sub(&[("cpu", "../ctr2")]).unwrap_err().to_string(),
        "bad sub cgroup path: ../ctr2"
    );
}

#[test]
fn freezer() {
    let fake = fake();
    fake.file("freezer/ctr/freezer.state", "THAWED");
    let cgroup = fake.cgroup("ctr");
    assert_eq!(cgroup.freezer_state().unwrap(), Some(FreezerState::Thawed));
    cgroup.freeze().unwrap();
    assert_eq!(fake.read("freezer/ctr/freezer.state"), "FROZEN");
    assert_eq!(cgroup.freezer_state().unwrap(), Some(FreezerState::Frozen));
    fake.file("freezer/ctr/freezer.self_freezing", "0\n");
    assert_eq!(cgroup.freezer_state().unwrap(), Some(FreezerState::Thawed));

    let without = Fake::v1("1:memory:/\n");
    let cgroup = without.cgroup("ctr");
    assert_eq!(cgroup.freezer_state().unwrap(), None);
    let error = cgroup.freeze().unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot toggle freezer: cgroups not configured for container"
    );
}

#[test]
fn hybrid_adds_the_unified_directory() {
    let fake = Fake::v1("1:devices:/\n0::/\n");
    fake.file("unified/ctr/cgroup.kill", "");
    fake.file("devices/ctr/cgroup.procs", "");
    let cgroup = fake.cgroup("ctr");
    assert_eq!(cgroup.hierarchy().mode(), crate::Mode::Hybrid);
    assert_eq!(cgroup.path("").unwrap(), fake.root().join("unified/ctr"));
    assert!(cgroup.dir().unwrap().is_some());
    cgroup.kill().unwrap();
    assert_eq!(fake.read("unified/ctr/cgroup.kill"), "1");
    fake.files("devices/ctr", &["tasks"]);
    let files = cgroup.self_join_files().unwrap();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].0, "devices");
}

/// Of several limits that cannot be set the first one is reported. A cgroup whose limits are not in
/// force is not frozen.
#[test]
fn limits_are_set_in_order_and_the_freezer_comes_last() {
    let fake = Fake::v1("3:freezer:/\n2:memory:/\n");
    fake.file("memory/ctr/cgroup.procs", "");
    fake.file("freezer/ctr/freezer.state", "THAWED");
    let mut resources = Resources {
        cpuset_cpus: Some("0".into()),
        devices: vec![::devices::Rule::everything(false)],
        pids_limit: Some(1),
        net_cls_classid: Some(1),
        rdma: [("a".to_owned(), crate::Rdma::default())].into(),
        freezer: Some(FreezerState::Frozen),
        ..Resources::default()
    };
    let cgroup = fake.cgroup("ctr");
    let mut first = |controller: &str, without: fn(&mut Resources)| {
        let error = cgroup.set(&resources).unwrap_err();
        assert!(
            error.to_string().contains(controller),
            "{controller}: {error}"
        );
        assert_eq!(fake.read("freezer/ctr/freezer.state"), "THAWED");
        without(&mut resources);
    };
    first("cpuset", |resources| resources.cpuset_cpus = None);
    first("devices", |resources| resources.devices.clear());
    first("pids", |resources| resources.pids_limit = None);
    first("net_cls", |resources| resources.net_cls_classid = None);
    first("rdma", |resources| resources.rdma.clear());
    assert!(cgroup.set(&resources).unwrap().warnings.is_empty());
    assert_eq!(fake.read("freezer/ctr/freezer.state"), "FROZEN");
}
