//! Limits, read back from the kernel's files.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use cofferdam_cgroups::{Cgroup, CgroupSpec, ErrorKind, Rdma, Resources};

use crate::fixture::{BUDGET, Sleeper, read, succeeds_inside};
use crate::hierarchies::{v1, v2_with};
use crate::scratch::{limited, scratch, unique_path};

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

/// The child of a cgroup with these limits has `before`, and is given `after`.
fn changed_below(above: &Resources, before: &Resources, after: &Resources, files: [&str; 2]) {
    let Some(hierarchy) = v1(&["cpu"]) else {
        return;
    };
    // Real-time limits would be set when the cgroup is made.
    let parent = scratch(&hierarchy, &Resources::default());
    if !parent.path("cpu").unwrap().join(files[0]).exists() {
        println!("skipped: needs a kernel with {}", files[0]);
        return;
    }
    let applied = parent.set(above).unwrap();
    assert!(applied.warnings.is_empty(), "{applied:?}");
    let place = parent.path("cpu").unwrap().join("child");
    fs::create_dir(&place).unwrap();
    let path = BTreeMap::from([("cpu".to_owned(), PathBuf::from("child"))]);
    let child = parent.sub_cgroup(&path).unwrap();
    let _ = child.set(before).unwrap();
    let value = |resources: &Resources, file| match file {
        "cpu.cfs_period_us" => resources.cpu_period.unwrap().to_string(),
        "cpu.cfs_burst_us" => resources.cpu_burst.unwrap().to_string(),
        "cpu.cfs_quota_us" => resources.cpu_quota.unwrap().to_string(),
        "cpu.rt_period_us" => resources.cpu_rt_period.unwrap().to_string(),
        _ => resources.cpu_rt_runtime.unwrap().to_string(),
    };
    // Alone the first value is refused.
    let refused = fs::write(place.join(files[0]), value(after, files[0])).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(libc::EINVAL));
    let _ = child.set(after).unwrap();
    for file in files {
        assert_eq!(read(&child, "cpu", file), value(after, file), "{file}");
    }
    fs::remove_dir(place).unwrap();
}

#[test]
fn a_period_that_fits_the_new_quota_only_is_set_after_it_on_v1() {
    let bandwidth = |quota, period| Resources {
        cpu_quota: Some(quota),
        cpu_period: Some(period),
        ..Resources::default()
    };
    let half = bandwidth(50_000, 100_000);
    let files = ["cpu.cfs_period_us", "cpu.cfs_quota_us"];
    changed_below(&half, &half, &bandwidth(25_000, 50_000), files);
}

#[test]
fn a_burst_that_fits_the_new_quota_only_is_set_after_it_on_v1() {
    let burst = |quota, burst| Resources {
        cpu_quota: Some(quota),
        cpu_burst: Some(burst),
        ..Resources::default()
    };
    let files = ["cpu.cfs_burst_us", "cpu.cfs_quota_us"];
    let none = Resources::default();
    changed_below(&none, &burst(10_000, 0), &burst(30_000, 20_000), files);
}

#[test]
fn a_real_time_period_that_fits_the_new_runtime_only_is_set_after_it_on_v1() {
    let budget = |runtime, period| Resources {
        cpu_rt_runtime: Some(runtime),
        cpu_rt_period: Some(period),
        ..Resources::default()
    };
    let files = ["cpu.rt_period_us", "cpu.rt_runtime_us"];
    let above = budget(10_000, 1_000_000);
    changed_below(&above, &above, &budget(100, 10_000), files);
}

#[test]
fn a_memory_limit_below_what_is_used_is_explained_on_v1() {
    let Some(hierarchy) = v1(&["memory"]) else {
        return;
    };
    if fs::read_to_string("/proc/swaps").unwrap().lines().count() > 1 {
        println!("skipped: needs a machine without swap");
        return;
    }
    let limit = |memory| Resources {
        memory: Some(memory),
        ..Resources::default()
    };
    let cgroup = limited(&hierarchy, &limit(64 << 20));
    // A variable of eight megabytes is memory that cannot be reclaimed.
    let script = "read go; text=x; \
                  while [ ${#text} -lt 8388608 ]; do text=$text$text; done; \
                  echo done; exec 1>&-; read go";
    let mut child = Command::new("sh");
    child.args(["-c", script]);
    child.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = Sleeper(child.spawn().unwrap());
    cgroup.add(child.pid()).unwrap();
    child.0.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    let mut said = String::new();
    let mut stdout = child.0.stdout.take().unwrap();
    stdout.read_to_string(&mut said).unwrap();
    assert_eq!(said, "done\n");

    let error = cgroup.set(&limit(1 << 20)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitBelowUsage);
    let text = error.to_string();
    let usage = text
        .strip_prefix("unable to set memory limit to 1048576 (current usage: ")
        .and_then(|rest| rest.split_once(", peak usage: "));
    let (usage, rest) = usage.expect(&text);
    let (peak, _) = rest.split_once(')').expect(&text);
    let [usage, peak] = [usage, peak].map(|number| number.parse::<u64>().unwrap());
    assert!(
        usage >= 8 << 20 && peak >= usage && peak <= 64 << 20,
        "{text}"
    );
    assert_eq!(read(&cgroup, "memory", "memory.limit_in_bytes"), "67108864");
}
