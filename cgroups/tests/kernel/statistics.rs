//! What the kernel counts for real processes.

use std::fs;
use std::process::Stdio;
use std::time::Instant;

use cofferdam_cgroups::{Cgroup, CgroupSpec, ErrorKind, Hierarchy, Paths, Resources};

use crate::fixture::{BUDGET, Sleeper, read, succeeds_inside};
use crate::hierarchies::{v1, v2, v2_with};
use crate::scratch::{limited, little_memory, scratch, unique_path};

/// A process that has worked for a while and is now stopped.
fn stopped_in(cgroup: &Cgroup) -> Sleeper {
    let script = "read go; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; kill -STOP $$";
    let mut worker = Sleeper::run(script, Stdio::piped());
    cgroup.add(worker.pid()).unwrap();
    drop(worker.0.stdin.take());
    let deadline = Instant::now() + BUDGET;
    let stat = format!("/proc/{}/stat", worker.pid());
    while !fs::read_to_string(&stat).unwrap().contains(" T ") {
        assert!(Instant::now() < deadline, "it does not stop");
        std::thread::yield_now();
    }
    worker
}

#[test]
fn of_a_process_on_v1() {
    let Some(hierarchy) = v1(&["memory", "cpuacct", "pids", "cpuset"]) else {
        return;
    };
    let cgroup = scratch(&hierarchy, &Resources::default());
    let _worker = stopped_in(&cgroup);
    let stats = cgroup.stats().unwrap();
    assert_eq!(stats.pids.current, 1);
    assert_eq!(stats.pids.limit, 0);
    assert!(!stats.cpu.usage.percpu.is_empty() && !stats.cpuset.cpus.is_empty());
    assert!(stats.memory.usage.usage > 0 && stats.memory.raw.contains_key("rss"));
    // What is not read for itself is what the kernel would say.
    assert!(stats.cpu.usage.total > 0);
    let file = |controller, file| read(&cgroup, controller, file).parse();
    assert_eq!(Ok(stats.cpu.usage.total), file("cpuacct", "cpuacct.usage"));
    assert_eq!(
        Ok(stats.memory.usage.limit),
        file("memory", "memory.limit_in_bytes")
    );
}

#[test]
fn limits_of_those_above_are_not_its_own_on_v1() {
    const LIMIT: i64 = 64 << 20;
    let Some(hierarchy) = v1(&["memory"]) else {
        return;
    };
    let resources = Resources {
        memory: Some(LIMIT),
        ..Resources::default()
    };
    let parent = limited(&hierarchy, &resources);
    let name = parent.path("memory").unwrap().file_name().unwrap();
    let inside = |child: &str| {
        let spec = CgroupSpec::at(format!("/{}/{child}", name.display()));
        Cgroup::prepare(&hierarchy, &spec, &Resources::default()).unwrap()
    };
    let (child, other) = (inside("child"), inside("other"));
    let limit = || child.stats().unwrap().memory.usage.limit;
    let unlimited = limit();
    assert_eq!(
        unlimited.to_string(),
        read(&child, "memory", "memory.limit_in_bytes")
    );
    assert!(unlimited > 1 << 40);
    let half = Resources {
        memory: Some(LIMIT / 2),
        ..Resources::default()
    };
    assert!(child.set(&half).unwrap().warnings.is_empty());
    assert_eq!(limit(), 32 << 20);
    assert_eq!(other.stats().unwrap().memory.usage.limit, unlimited);
}

#[test]
fn of_a_process_on_v2() {
    let Some(hierarchy) = v2() else {
        return;
    };
    let cgroup = scratch(&hierarchy, &Resources::default());
    let sleeper = Sleeper::new();
    cgroup.add(sleeper.pid()).unwrap();
    let stats = cgroup.stats().unwrap();
    assert_eq!(stats.pids.current, 1);
    // The root of the hierarchy can be read as well.
    let top = Paths::from([(String::new(), hierarchy.path().to_owned())]);
    let top = Cgroup::load(&hierarchy, &top).unwrap();
    assert!(top.stats().unwrap().cpu.usage.total > 0);
}

#[test]
fn what_was_used_at_most_on_v2() {
    let Some(hierarchy) = v2_with(&["memory"]) else {
        return;
    };
    let cgroup = limited(&hierarchy, &little_memory());
    assert!(!succeeds_inside(&cgroup, "exec tail /dev/zero"));
    let stats = cgroup.stats().unwrap();
    assert_eq!(stats.memory.usage.limit, 8 << 20);
    assert!(stats.memory.usage.max > 4 << 20);
    assert!(stats.cpu.usage.total > 0);
}

/// A reader of the old cgroup gets an error each time, and never zeros, or the numbers
/// of the new one.
fn a_new_cgroup_of_the_same_name(hierarchy: &Hierarchy) {
    let spec = CgroupSpec::at(unique_path());
    let create = || Cgroup::prepare(hierarchy, &spec, &Resources::default()).unwrap();
    let old = create();
    let samplers = [0, 3, 64].map(|files| old.sampler(files).unwrap());
    old.stats().unwrap();
    for sampler in &samplers {
        sampler.stats().unwrap();
    }
    let refused = || {
        for _ in 0..2 {
            assert_eq!(old.stats().unwrap_err().kind(), ErrorKind::NotFound);
            for sampler in &samplers {
                let error = sampler.stats().unwrap_err();
                assert_eq!(error.kind(), ErrorKind::NotFound);
                assert!(error.to_string().ends_with(" does not exist"), "{error}");
            }
        }
    };
    old.delete(BUDGET).unwrap();
    refused();
    let new = create();
    let sleeper = Sleeper::new();
    new.add(sleeper.pid()).unwrap();
    refused();
    assert_eq!(new.stats().unwrap().pids.current, 1);
    drop(sleeper);
    new.delete(BUDGET).unwrap();
}

#[test]
fn a_new_cgroup_of_the_same_name_on_v1() {
    if let Some(hierarchy) = v1(&["pids"]) {
        a_new_cgroup_of_the_same_name(&hierarchy);
    }
}

#[test]
fn a_new_cgroup_of_the_same_name_on_v2() {
    if let Some(hierarchy) = v2() {
        a_new_cgroup_of_the_same_name(&hierarchy);
    }
}
