//! What the kernel counts for real processes.

use std::{collections::BTreeMap, process::Stdio, time::Instant};

use cofferdam_cgroups::{Cgroup, Resources};

use crate::{
    fixture::{BUDGET, Sleeper, succeeds_inside},
    hierarchies::{v1, v2, v2_with},
    scratch::{limited, scratch},
};

#[test]
fn of_a_process_on_v1() {
    let Some(hierarchy) = v1(&["memory", "cpuacct", "pids", "cpuset"]) else {
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
    let top = Cgroup::load(
        &hierarchy,
        &BTreeMap::from([(String::new(), hierarchy.path().to_owned())]),
    )
    .unwrap();
    assert!(top.stats().unwrap().cpu.usage.total > 0);
}

#[test]
fn what_was_used_at_most_on_v2() {
    let Some(hierarchy) = v2_with(&["memory"]) else {
        return;
    };
    let resources = Resources {
        memory: Some(8 << 20),
        memory_swap: Some(8 << 20),
        ..Resources::default()
    };
    let cgroup = limited(&hierarchy, &resources);
    assert!(!succeeds_inside(&cgroup, "exec tail /dev/zero"));
    let stats = cgroup.stats().unwrap();
    assert_eq!(stats.memory.usage.limit, 8 << 20);
    assert!(stats.memory.usage.max > 4 << 20);
    assert!(stats.cpu.usage.total > 0);
}
