//! Limits, read back from the kernel's files.

use std::collections::BTreeMap;

use cofferdam_cgroups::{Cgroup, CgroupSpec, ErrorKind, Rdma, Resources};

use crate::{
    fixture::{BUDGET, Sleeper, read, succeeds_inside},
    hierarchies::{v1, v2_with},
    scratch::{limited, scratch, unique_path},
};

#[test]
fn processors_are_asked_for_below_a_new_parent_on_v1() {
    let Some(hierarchy) = v1(&["cpuset"]) else {
        return;
    };
    let parent = unique_path();
    let resources = Resources {
        cpuset_cpus: Some("0".into()),
        ..Resources::default()
    };
    let at = |path| Cgroup::prepare(&hierarchy, &CgroupSpec::at(path), &resources);
    let child = at(parent.join("child")).unwrap();
    let asked = read(&child, "cpuset", "cpuset.cpus");
    child.delete(BUDGET).unwrap();
    at(parent).unwrap().delete(BUDGET).unwrap();
    assert_eq!(asked, "0");
}

#[test]
fn what_was_set_is_read_back_on_v1() {
    let needed = ["memory", "cpu", "pids", "cpuset", "cpuacct"];
    let Some(hierarchy) = v1(&needed) else {
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
    let cgroup = limited(&hierarchy, &resources);
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
        let device = Rdma::default();
        resources = Resources {
            rdma: BTreeMap::from([("mlx5_0".into(), device)]),
            ..Resources::default()
        };
        let error = cgroup.set(&resources).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoController);
        assert_eq!(
            error.to_string(),
            "cannot set rdma limit: container could not join or create cgroup: \
             no hierarchy with controller \"rdma\" is mounted"
        );
    }
}

#[test]
fn what_was_set_is_read_back_on_v2() {
    let needed = ["memory", "cpu", "pids", "cpuset", "io"];
    let Some(hierarchy) = v2_with(&needed) else {
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
    let cgroup = limited(&hierarchy, &resources);
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
fn a_limit_below_what_is_used_is_refused_on_v2() {
    let Some(hierarchy) = v2_with(&["memory"]) else {
        return;
    };
    let cgroup = scratch(&hierarchy, &Resources::default());
    let sleeper = Sleeper::new();
    cgroup.add(sleeper.pid()).unwrap();
    // What was used before joining is not counted here.
    assert!(succeeds_inside(&cgroup, ":"));
    let update = Resources {
        memory: Some(1),
        memory_check_before_update: true,
        ..Resources::default()
    };
    let error = cgroup.set(&update).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitBelowUsage);
    assert_eq!(read(&cgroup, "", "memory.max"), "max");
}
