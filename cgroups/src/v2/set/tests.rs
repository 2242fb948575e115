use std::collections::BTreeMap;
use std::path::Path;

use devices::Rule;

use super::*;
use crate::v2::tests::fake;
use crate::{HugepageLimit, Rdma, ThrottleDevice, Warning, WeightDevice};

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
fn a_missing_controller_is_named_instead_of_its_file() {
    let limits = |change: fn(&mut Resources)| {
        let mut limits = Resources::default();
        change(&mut limits);
        limits
    };
    for (name, resources) in [
        ("pids", limits(|limits| limits.pids_limit = Some(5))),
        ("memory", limits(|limits| limits.memory = Some(4096))),
        ("cpu", limits(|limits| limits.cpu_weight = Some(50))),
        (
            "cpuset",
            limits(|limits| limits.cpuset_cpus = Some("0".into())),
        ),
        ("pids", unified("pids.max", "5")),
        ("misc", unified("misc.max", "x 5")),
    ] {
        let fake = fake();
        fake.file("ctr/cgroup.controllers", "io\n");
        let error = fake.cgroup("ctr").set(&resources).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoController, "{name}");
        assert!(
            error
                .to_string()
                .contains(&format!("controller {name:?} not available")),
            "{error}"
        );
        // Engines take "no such file or directory" at the end of a text for a missing program.
        assert!(std::error::Error::source(&error).is_none());
        // With the controller there, the file is what is missing.
        fake.file("ctr/cgroup.controllers", "pids memory cpu cpuset misc\n");
        let error = fake.cgroup("ctr").set(&resources).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT), "{name}: {error}");
    }
}

#[test]
fn lines_of_a_unified_setting_are_written_one_by_one() {
    // A made-up file is overwritten from its beginning by each write to one descriptor in turn.
    let text = "8:0 rbps=1\n8:16 rbps=2\n";
    assert_eq!(set(&["io.max"], &unified("io.max", text)), [text]);
}

#[test]
fn limits_are_written_in_the_order_of_their_controllers() {
    // One limit of each kind. The file of each comes into being after the error that names it, so
    // that the next one is reached.
    let resources = Resources {
        pids_limit: Some(1),
        memory: Some(1 << 20),
        blkio_throttle_read_bps_device: vec![ThrottleDevice {
            major: 8,
            minor: 0,
            rate: 1,
        }],
        cpu_weight: Some(10),
        devices: vec![Rule::everything(false)],
        cpuset_cpus: Some("0".into()),
        hugetlb_limit: vec![HugepageLimit {
            page_size: "2MB".into(),
            limit: 1,
        }],
        rdma: BTreeMap::from([("mlx".to_owned(), Rdma::default())]),
        freezer: Some(crate::FreezerState::Frozen),
        unified: BTreeMap::from([("misc.max".to_owned(), "1".to_owned())]),
        ..Resources::default()
    };
    let fake = fake();
    let mut cgroup = fake.cgroup("ctr");
    let mut order = Vec::new();
    loop {
        match cgroup.set(&resources) {
            Ok(applied) => {
                let refused: Vec<_> = applied.warnings.iter().map(|w| &w.setting).collect();
                assert_eq!(refused, ["devices"]);
                break;
            }
            // A plain directory takes no device program; rootless callers go on without.
            Err(error) if error.kind() == ErrorKind::Devices => {
                order.push("devices".to_owned());
                cgroup.set_rootless(true);
            }
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                assert_eq!(error.to_string(), "freezer not supported");
                fake.files("ctr", &["cgroup.freeze"]);
                fake.file("ctr/cgroup.events", "populated 1\nfrozen 1\n");
                order.push("cgroup.freeze".to_owned());
            }
            Err(error) => {
                let text = missing(&error);
                fake.files("ctr", &[&text]);
                order.push(text);
            }
        }
    }
    assert_eq!(
        order,
        [
            "pids.max",
            "memory.max",
            "io.max",
            "cpu.weight",
            "devices",
            "cpuset.cpus",
            "hugetlb.2MB.max",
            "rdma.max",
            "cgroup.freeze",
            "misc.max",
        ]
    );
}

/// The file that an error of the kernel is about.
fn missing(error: &Error) -> String {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(path) = error.path() {
            return path.file_name().unwrap().to_str().unwrap().to_owned();
        }
        cause = std::error::Error::source(error).and_then(|source| source.downcast_ref());
    }
    panic!("{error}");
}
