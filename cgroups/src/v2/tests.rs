use std::{collections::BTreeMap, fs, path::Path};

use super::*;
use crate::{
    Cgroup, HugepageLimit, Rdma, ThrottleDevice, Warning, WeightDevice, fake::Fake,
    stats::MemoryEntry,
};

const CONTROLLERS: &str = "cpuset cpu io memory hugetlb pids rdma misc\n";

fn fake() -> Fake {
    let fake = Fake::v2(CONTROLLERS, "/own/session");
    fake.file("ctr/cgroup.controllers", CONTROLLERS);
    fake
}

/// Sets the limits in a cgroup that has (only) these files, and returns what is in them then.
fn set(files: &[&str], resources: &Resources) -> Vec<String> {
    let fake = fake();
    fake.files("ctr", files);
    let applied = fake.cgroup("ctr").set(resources).unwrap();
    assert_eq!(applied.warnings, []);
    let path = |file: &&str| Path::new("ctr").join(file);
    files.iter().map(|file| fake.read(path(file))).collect()
}

fn set_error(files: &[&str], resources: &Resources) -> Error {
    let fake = fake();
    fake.files("ctr", files);
    fake.cgroup("ctr").set(resources).unwrap_err()
}

#[test]
fn nothing_asked_nothing_written() {
    // No file is there: every write would fail.
    assert_eq!(set(&[], &Resources::default()), [""; 0]);
}

#[test]
fn pids() {
    for (limit, text) in [(5, "5"), (0, "1"), (-1, "max"), (-7, "max")] {
        let resources = Resources {
            pids_limit: Some(limit),
            ..Resources::default()
        };
        assert_eq!(set(&["pids.max"], &resources), [text]);
    }
}

#[test]
fn memory() {
    let files = ["memory.max", "memory.low", "memory.swap.max"];
    for (memory, reservation, swap, expected) in [
        (Some(100), None, None, ["100", "", ""]),
        (Some(100), Some(50), Some(150), ["100", "50", "50"]),
        (Some(100), None, Some(100), ["100", "", "0"]),
        (Some(100), None, Some(-1), ["100", "", "max"]),
        (Some(-1), None, None, ["max", "", "max"]),
        (Some(-1), Some(-1), Some(7), ["max", "max", "7"]),
        (None, None, Some(-1), ["", "", "max"]),
    ] {
        let resources = Resources {
            memory,
            memory_reservation: reservation,
            memory_swap: swap,
            ..Resources::default()
        };
        assert_eq!(set(&files, &resources), expected, "{memory:?} {swap:?}");
    }
}

#[test]
fn swap_without_swap_accounting() {
    let mut resources = Resources {
        memory: Some(100),
        memory_swap: Some(100),
        ..Resources::default()
    };
    assert_eq!(set(&["memory.max"], &resources), ["100"]);
    resources.memory_swap = Some(-1);
    assert_eq!(set(&["memory.max"], &resources), ["100"]);
    resources.memory_swap = Some(150);
    let error = set_error(&["memory.max"], &resources);
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn memory_below_usage_is_refused_before_anything_is_written() {
    let fake = fake();
    fake.file("ctr/memory.current", "100\n");
    fake.files("ctr", &["memory.max", "memory.swap.max", "pids.max"]);
    let mut resources = Resources {
        memory: Some(100),
        pids_limit: Some(5),
        memory_check_before_update: true,
        ..Resources::default()
    };
    let error = fake.cgroup("ctr").set(&resources).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitBelowUsage);
    assert_eq!(error.to_string(), "rejecting memory limit 100 <= usage 100");
    assert_eq!(fake.read("ctr/pids.max"), "");

    resources.memory_swap = Some(50);
    let error = fake.cgroup("ctr").set(&resources).unwrap_err();
    assert_eq!(
        error.to_string(),
        "rejecting memory+swap limit 50 <= usage 100"
    );

    resources.memory = Some(101);
    resources.memory_swap = None;
    let applied = fake.cgroup("ctr").set(&resources).unwrap();
    assert_eq!(applied.warnings, []);
    assert_eq!(fake.read("ctr/memory.max"), "101");
}

#[test]
fn cpu() {
    let files = ["cpu.idle", "cpu.weight", "cpu.max.burst", "cpu.max"];
    let expect = |resources: Resources, expected: [&str; 4]| {
        assert_eq!(set(&files, &resources), expected, "{resources:?}");
    };
    let none = Resources::default;
    expect(
        Resources {
            cpu_shares: Some(1024),
            ..none()
        },
        ["", "100", "", ""],
    );
    expect(
        Resources {
            cpu_shares: Some(1024),
            cpu_weight: Some(7),
            ..none()
        },
        ["", "7", "", ""],
    );
    expect(
        Resources {
            cpu_idle: Some(1),
            cpu_burst: Some(20),
            cpu_quota: Some(50),
            ..none()
        },
        ["1", "", "20", "50 100000"],
    );
    expect(
        Resources {
            cpu_period: Some(2000),
            ..none()
        },
        ["", "", "", "max 2000"],
    );
    expect(
        Resources {
            cpu_quota: Some(-1),
            cpu_period: Some(2000),
            ..none()
        },
        ["", "", "", "max 2000"],
    );
}

#[test]
fn cpuset_hugetlb_and_rdma() {
    let resources = Resources {
        cpuset_cpus: Some("0-3".into()),
        cpuset_mems: Some("0".into()),
        hugetlb_limit: vec![HugepageLimit {
            page_size: "2MB".into(),
            limit: 4_194_304,
        }],
        rdma: BTreeMap::from([(
            "mlx5_0".into(),
            Rdma {
                hca_handles: Some(2),
                hca_objects: None,
            },
        )]),
        ..Resources::default()
    };
    let mut files = vec!["cpuset.cpus", "cpuset.mems", "rdma.max", "hugetlb.2MB.max"];
    let mut expected = vec!["0-3", "0", "mlx5_0 hca_handle=2", "4194304"];
    assert_eq!(set(&files, &resources), expected);
    files.push("hugetlb.2MB.rsvd.max");
    expected.push("4194304");
    assert_eq!(set(&files, &resources), expected);
    let error = set_error(&["cpuset.cpus", "cpuset.mems"], &resources);
    assert!(error.to_string().contains("hugetlb.2MB.max"), "{error}");
}

#[test]
fn io_weight_goes_to_the_scheduler_that_is_there() {
    let resources = Resources {
        blkio_weight: Some(1000),
        ..Resources::default()
    };
    assert_eq!(set(&["io.weight"], &resources), ["10000"]);
    assert_eq!(
        set(&["io.weight", "io.bfq.weight"], &resources),
        ["", "1000"]
    );
}

#[test]
fn io_weight_per_device() {
    let resources = Resources {
        blkio_weight_device: vec![WeightDevice {
            major: 8,
            minor: 16,
            weight: 300,
            leaf_weight: 0,
        }],
        ..Resources::default()
    };
    // "100" is a kernel without weights per device, a table one with.
    for (content, skipped) in [("100\n", true), ("default 100\n", false)] {
        let fake = fake();
        fake.file("ctr/io.bfq.weight", content);
        let applied = fake.cgroup("ctr").set(&resources).unwrap();
        assert_eq!(!applied.warnings.is_empty(), skipped);
        let written = fake.read("ctr/io.bfq.weight");
        assert_eq!(written.contains("8:16 300\n"), !skipped, "{written:?}");
    }
}

#[test]
fn io_limits() {
    let device = |rate| {
        vec![ThrottleDevice {
            major: 8,
            minor: 0,
            rate,
        }]
    };
    for (resources, line) in [
        (
            Resources {
                blkio_throttle_read_bps_device: device(10),
                ..Resources::default()
            },
            "8:0 rbps=10",
        ),
        (
            Resources {
                blkio_throttle_write_bps_device: device(20),
                ..Resources::default()
            },
            "8:0 wbps=20",
        ),
        (
            Resources {
                blkio_throttle_read_iops_device: device(0),
                ..Resources::default()
            },
            "8:0 riops=0",
        ),
        (
            Resources {
                blkio_throttle_write_iops_device: device(40),
                ..Resources::default()
            },
            "8:0 wiops=40",
        ),
    ] {
        assert_eq!(set(&["io.max"], &resources), [line]);
    }
}

fn unified(key: &str, value: &str) -> Resources {
    Resources {
        unified: BTreeMap::from([(key.to_owned(), value.to_owned())]),
        ..Resources::default()
    }
}

#[test]
fn unified_is_written_last() {
    let resources = Resources {
        pids_limit: Some(5),
        ..unified("pids.max", "99999")
    };
    assert_eq!(set(&["pids.max"], &resources), ["99999"]);
}

#[test]
fn unified_errors() {
    for (key, text) in [
        (
            "../other/pids.max",
            "unified resource \"../other/pids.max\" must be a file name (no slashes)",
        ),
        (
            "a/b",
            "unified resource \"a/b\" must be a file name (no slashes)",
        ),
        (
            "nodot",
            "unified resource \"nodot\" must be in the form CONTROLLER.PARAMETER",
        ),
        (
            "zswap.max",
            "unified resource \"zswap.max\" can't be set: controller \"zswap\" not available",
        ),
        (
            "memory.nothing",
            "unable to set unified resource \"memory.nothing\"",
        ),
        (
            "cgroup.procs",
            "unified resource \"cgroup.procs\" moves processes, it is no setting",
        ),
        ("..", "\"..\" is not the name of a cgroup file"),
        ("", "\"\" is not the name of a cgroup file"),
    ] {
        let error = set_error(&["cgroup.procs"], &unified(key, "1"));
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn settings_without_a_counterpart_are_told() {
    let fake = fake();
    let resources = Resources {
        memory_swappiness: Some(60),
        oom_kill_disable: true,
        ..Resources::default()
    };
    let applied = fake.cgroup("ctr").set(&resources).unwrap();
    let settings: Vec<_> = applied
        .warnings
        .iter()
        .map(|Warning { setting, .. }| setting.as_str())
        .collect();
    assert_eq!(settings, ["memory_swappiness", "oom_kill_disable"]);
}

#[test]
fn freezer() {
    let fake = fake();
    let cgroup = fake.cgroup("ctr");
    // A kernel before 5.2.
    assert_eq!(cgroup.freezer_state().unwrap(), None);
    cgroup.thaw().unwrap();
    let error = cgroup.freeze().unwrap_err();
    assert_eq!(error.to_string(), "freezer not supported");

    fake.file("ctr/cgroup.freeze", "");
    fake.file("ctr/cgroup.events", "populated 1\nfrozen 1\n");
    cgroup.freeze().unwrap();
    assert_eq!(fake.read("ctr/cgroup.freeze"), "1");
    assert_eq!(cgroup.freezer_state().unwrap(), Some(FreezerState::Frozen));
    cgroup.thaw().unwrap();
    assert_eq!(fake.read("ctr/cgroup.freeze"), "0");
    assert_eq!(cgroup.freezer_state().unwrap(), Some(FreezerState::Thawed));
}

#[test]
fn place_of_a_new_cgroup() {
    let fake = fake();
    let hierarchy = fake.hierarchy();
    for (inner, place) in [("/a/b", "a/b"), ("ctr", "own/ctr"), ("a/b", "own/a/b")] {
        let path = path_for(&hierarchy, Path::new(inner)).unwrap();
        assert_eq!(path, Path::new(place));
    }
    let top = Fake::v2(CONTROLLERS, "/").hierarchy();
    assert_eq!(path_for(&top, Path::new("ctr")).unwrap(), Path::new("ctr"));
}

#[test]
fn controllers_are_handed_down_to_the_parent_only() {
    let fake = fake();
    fake.file("cgroup.subtree_control", "");
    fake.file("pod/cgroup.subtree_control", "");
    fake.file("pod/ctr/cgroup.subtree_control", "");
    fake.file("pod/ctr/cgroup.controllers", "cpu\n");
    let spec = CgroupSpec::at("/pod/ctr");
    let cgroup = Cgroup::create(&fake.hierarchy(), &spec, &Resources::default()).unwrap();
    let all = "+cpuset +cpu +io +memory +hugetlb +pids +rdma +misc";
    assert_eq!(fake.read("cgroup.subtree_control"), all);
    assert_eq!(fake.read("pod/cgroup.subtree_control"), all);
    assert_eq!(fake.read("pod/ctr/cgroup.subtree_control"), "");
    assert_eq!(
        cgroup.paths(),
        BTreeMap::from([(String::new(), fake.root().join("pod/ctr"))])
    );
}

#[test]
fn a_failed_creation_leaves_nothing() {
    // A plain directory has no cgroup.controllers: creation fails after the mkdir.
    let fake = fake();
    fake.file("pod/x", "");
    let spec = CgroupSpec::at("/pod/a/b");
    let error = Cgroup::create(&fake.hierarchy(), &spec, &Resources::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(fake.root().join("pod").exists());
    assert!(!fake.root().join("pod/a").exists());
}

#[test]
fn threaded_cgroups() {
    let create = |mode: &str, resources: &Resources| {
        let fake = fake();
        fake.file("ctr/cgroup.type", mode);
        let spec = CgroupSpec::at("/ctr");
        let made = Cgroup::create(&fake.hierarchy(), &spec, resources);
        (made.map(drop), fake.read("ctr/cgroup.type"))
    };
    let limits = Resources {
        memory: Some(1),
        ..Resources::default()
    };
    let none = Resources::default();
    let (made, mode) = create("domain invalid\n", &none);
    made.unwrap();
    assert!(mode.starts_with("threaded"));
    create("domain\n", &limits).0.unwrap();
    create("threaded\n", &none).0.unwrap();
    for (mode, text) in [
        ("domain invalid\n", "it is in an invalid state"),
        ("threaded\n", "it is in threaded mode"),
        ("domain threaded\n", "it is in domain threaded mode"),
    ] {
        let error = create(mode, &limits).0.unwrap_err().to_string();
        assert!(error.starts_with("cannot enter cgroupv2 \""), "{error}");
        assert!(
            error.ends_with(&format!("with domain controllers -- {text}")),
            "{error}"
        );
    }
}

#[test]
fn load_takes_one_clean_path() {
    let fake = fake();
    let hierarchy = fake.hierarchy();
    let load = |paths: &[(&str, &str)]| {
        let paths = paths.iter().map(|(key, path)| {
            let path = path.replace('@', fake.root().to_str().unwrap());
            ((*key).to_owned(), PathBuf::from(path))
        });
        Cgroup::load(&hierarchy, &paths.collect()).map_err(|error| error.kind())
    };
    let loaded = load(&[("", "@/ctr")]).unwrap();
    assert_eq!(loaded.path("").unwrap(), fake.root().join("ctr"));
    for wrong in [
        vec![],
        vec![("", "@/a"), ("cpu", "@/a")],
        vec![("", "ctr")],
        vec![("", "@/a/../b")],
    ] {
        assert_eq!(load(&wrong).unwrap_err(), ErrorKind::InconsistentPaths);
    }
    assert_eq!(
        load(&[("", "/elsewhere/ctr")]).unwrap_err(),
        ErrorKind::InvalidPath
    );
}

#[test]
fn sub_cgroups_stay_below() {
    let fake = fake();
    let cgroup = fake.cgroup("ctr");
    let sub = |controller: &str, path: &str| {
        let paths = BTreeMap::from([(controller.to_owned(), PathBuf::from(path))]);
        cgroup
            .sub_cgroup(&paths)
            .map(|sub| sub.path("").unwrap().to_owned())
    };
    let base = fake.root().join("ctr");
    for (path, place) in [("a/b", "a/b"), ("/a", "a"), ("/", ""), ("a/../b", "b")] {
        assert_eq!(sub("", path).unwrap(), base.join(place), "{path}");
    }
    assert_eq!(
        cgroup.sub_cgroup(&BTreeMap::new()).unwrap().paths(),
        cgroup.paths()
    );
    for path in ["..", "../ctrX", "a/../../ctrX", "a\0b"] {
        let error = sub("", path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidPath);
        assert_eq!(error.to_string(), format!("bad sub cgroup path: {path}"));
    }
    let error = sub("cpu", "a").unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown controller cpu in SubCgroupPaths"
    );
}

#[test]
fn symbolic_links_are_not_followed() {
    let fake = fake();
    fake.file("target/cgroup.procs", "1\n");
    fake.file("target/pids.max", "");
    std::os::unix::fs::symlink(fake.root().join("target"), fake.root().join("link")).unwrap();
    assert!(fake.cgroup("link").processes().is_err());
    fs::remove_file(fake.root().join("target/pids.max")).unwrap();
    fake.file("other", "");
    std::os::unix::fs::symlink(
        fake.root().join("other"),
        fake.root().join("target/pids.max"),
    )
    .unwrap();
    let resources = Resources {
        pids_limit: Some(1),
        ..Resources::default()
    };
    assert!(fake.cgroup("target").set(&resources).is_err());
    assert_eq!(fake.read("other"), "");
}

#[test]
fn statistics() {
    let fake = fake();
    for (name, content) in [
        ("pids.current", "3\n"),
        ("pids.max", "10\n"),
        ("memory.stat", "anon 100\nfile 40\npgfault 7\n"),
        ("memory.current", "150\n"),
        ("memory.max", "1000\n"),
        ("memory.peak", "200\n"),
        ("memory.swap.current", "5\n"),
        ("memory.swap.max", "500\n"),
        (
            "cpu.stat",
            "usage_usec 10\nuser_usec 6\nsystem_usec 4\nnr_periods 2\nnr_throttled 1\n\
             throttled_usec 3\nnr_bursts 5\nburst_usec 6\n",
        ),
        (
            "cpu.pressure",
            "some avg10=1.50 avg60=0.10 avg300=0.00 total=42\n\
             full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n",
        ),
        (
            "io.stat",
            "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0 cost.vrate=99.50\n\
             (unknown) rbytes=1\n\n254:16\n",
        ),
        ("rdma.current", "mlx5_0 hca_handle=2 hca_object=20\n"),
        ("rdma.max", "mlx5_0 hca_handle=max hca_object=200\n"),
        ("misc.current", "res_a 3\n"),
        ("misc.events", "res_a.max 2\n"),
    ] {
        fake.file(Path::new("ctr").join(name), content);
    }
    let stats = fake.cgroup("ctr").stats().unwrap();
    assert_eq!((stats.pids.current, stats.pids.limit), (3, 10));
    let usage = &stats.cpu.usage;
    assert_eq!(
        (usage.total, usage.user, usage.kernel),
        (10_000, 6_000, 4_000)
    );
    let throttling = stats.cpu.throttling;
    assert_eq!((throttling.periods, throttling.throttled_periods), (2, 1));
    assert_eq!((throttling.throttled_time, throttling.bursts), (3_000, 5));
    let psi = stats.cpu.psi.unwrap();
    assert_eq!(
        (psi.some.avg10, psi.some.total, psi.full.total),
        (1.5, 42, 7)
    );
    assert_eq!((stats.memory.psi, stats.blkio.psi), (None, None));
    let memory = &stats.memory;
    assert_eq!((memory.cache, memory.raw["pgfault"]), (40, 7));
    assert_eq!(
        memory.usage,
        MemoryEntry {
            limit: 1000,
            usage: 150,
            max: 200,
            failcnt: 0
        }
    );
    assert_eq!((memory.swap.usage, memory.swap.limit), (155, 1500));
    assert_eq!((memory.swap_only.usage, memory.swap_only.limit), (5, 500));
    let bytes: Vec<_> = stats
        .blkio
        .io_service_bytes_recursive
        .iter()
        .map(|entry| (entry.major, entry.op.as_str(), entry.value))
        .collect();
    assert_eq!(bytes, [(8, "Read", 10), (8, "Write", 20)]);
    assert_eq!(stats.blkio.cost["cost.vrate"][0].value, 99);
    assert_eq!(stats.rdma.limit["mlx5_0"].hca_handles, u32::MAX);
    assert_eq!(stats.rdma.current["mlx5_0"].hca_objects, 20);
    assert_eq!(
        (stats.misc["res_a"].usage, stats.misc["res_a"].events),
        (3, 2)
    );
}

#[test]
fn statistics_without_controllers() {
    let fake = fake();
    fake.file("ctr/cgroup.procs", "1\n2\n");
    let stats = fake.cgroup("ctr").stats().unwrap();
    assert_eq!((stats.pids.current, stats.pids.limit), (2, 0));
    assert_eq!(stats.memory, crate::stats::Memory::default());
}

#[test]
fn unlimited_in_statistics() {
    let fake = fake();
    for (name, content) in [
        ("pids.current", "3\n"),
        ("pids.max", "max\n"),
        ("memory.stat", "anon 1\n"),
        ("memory.current", "1\n"),
        ("memory.max", "max\n"),
        ("memory.swap.current", "0\n"),
        ("memory.swap.max", "max\n"),
    ] {
        fake.file(Path::new("ctr").join(name), content);
    }
    let stats = fake.cgroup("ctr").stats().unwrap();
    assert_eq!(stats.pids.limit, 0);
    assert_eq!(stats.memory.usage.limit, u64::MAX);
    assert_eq!(stats.memory.swap.limit, u64::MAX);
}

#[test]
fn malformed_statistics_are_errors_except_for_rootless_callers() {
    for (name, content) in [
        ("pids.current", "x\n"),
        ("memory.stat", "anon\n"),
        ("cpu.stat", "usage_usec\n"),
        ("cpu.pressure", "some avg10=x\n"),
        ("io.stat", "8:0 rbytes=x\n"),
        ("rdma.current", "mlx5_0 hca_handle=x\n"),
        ("misc.current", "res_a\n"),
    ] {
        let fake = fake();
        fake.file(Path::new("ctr").join(name), content);
        let mut cgroup = fake.cgroup("ctr");
        let error = cgroup.stats().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Parse, "{name}");
        let place = fake.root().join("ctr").join(name);
        let start = format!("unable to parse {}: ", place.display());
        assert!(error.to_string().starts_with(&start), "{error}");
        cgroup.set_rootless(true);
        cgroup.stats().unwrap();
    }
}

#[test]
fn out_of_memory_count() {
    let fake = fake();
    let mut cgroup = fake.cgroup("ctr");
    assert_eq!(
        cgroup.oom_kill_count().unwrap_err().kind(),
        ErrorKind::NotFound
    );
    cgroup.set_rootless(true);
    assert_eq!(cgroup.oom_kill_count().unwrap(), 0);
    fake.file("ctr/memory.events", "low 0\noom 5\noom_kill 2\n");
    assert_eq!(cgroup.oom_kill_count().unwrap(), 2);
}

#[test]
fn events_of_memory_and_of_the_end() {
    use crate::events::Event;
    let fake = fake();
    fake.file("ctr/memory.events", "oom_kill 1\n");
    fake.file("ctr/cgroup.events", "populated 1\n");
    let mut events = fake.cgroup("ctr").oom_events().unwrap();
    assert_eq!(events.read().unwrap(), None);
    // A kill from before does not count, nor does another counter.
    fake.file("ctr/memory.events", "oom_kill 1\n");
    assert_eq!(events.read().unwrap(), None);
    fake.file("ctr/memory.events", "oom_kill 2\n");
    assert_eq!(events.wait().unwrap(), Event::Happened);
    assert_eq!(events.read().unwrap(), None);
    fake.file("ctr/cgroup.events", "populated 0\n");
    assert_eq!(events.wait().unwrap(), Event::Ended);
    assert_eq!(events.wait().unwrap(), Event::Ended);
}

#[test]
fn the_last_kill_is_told_before_the_end() {
    use crate::events::Event;
    let fake = fake();
    fake.file("ctr/memory.events", "oom_kill 0\n");
    fake.file("ctr/cgroup.events", "populated 1\n");
    let mut events = fake.cgroup("ctr").oom_events().unwrap();
    fake.file("ctr/memory.events", "oom_kill 1\n");
    fake.file("ctr/cgroup.events", "populated 0\n");
    assert_eq!(events.wait().unwrap(), Event::Happened);
    assert_eq!(events.wait().unwrap(), Event::Ended);
}

#[test]
fn killing_at_once() {
    let fake = fake();
    fake.file("ctr/cgroup.procs", "");
    fake.file("ctr/cgroup.kill", "");
    fake.cgroup("ctr").kill().unwrap();
    assert_eq!(fake.read("ctr/cgroup.kill"), "1");
}

#[test]
fn processes_of_a_tree() {
    let fake = fake();
    fake.file("ctr/cgroup.procs", "1\n2\n");
    fake.file("ctr/a/b/cgroup.procs", "3\n");
    let cgroup = fake.cgroup("ctr");
    assert_eq!(cgroup.processes().unwrap(), [1, 2]);
    assert_eq!(cgroup.all_processes().unwrap(), [1, 2, 3]);
    fake.file("ctr/cgroup.procs", "x\n");
    assert_eq!(cgroup.processes().unwrap_err().kind(), ErrorKind::Parse);
}
