use super::*;
use crate::specconv::convert as convert_spec;
use crate::{ErrorKind, HostInfo};

fn spec(path: &str) -> oci::Spec {
    oci::Spec {
        root: Some(oci::Root {
            path: "rootfs".into(),
            readonly: false,
        }),
        linux: Some(oci::Linux {
            cgroups_path: path.into(),
            ..oci::Linux::default()
        }),
        ..oci::Spec::default()
    }
}

fn converted(spec: &oci::Spec, use_systemd_cgroup: bool) -> Result<Cgroup> {
    let options = Options {
        id: "ctr".into(),
        bundle: "/b".into(),
        use_systemd_cgroup,
        ..Options::default()
    };
    convert_spec(spec, &HostInfo::default(), &options).map(|(config, _)| config.cgroups)
}

fn limits(limits: oci::Resources) -> Resources {
    resources(&limits, &mut Vec::new()).unwrap()
}

#[test]
fn a_path_is_cleaned_and_cannot_climb() {
    for (path, cleaned) in [
        ("/user/cgroups/path/id", "/user/cgroups/path/id"),
        ("/../../a/../b", "/b"),
        ("../../a", "a"),
    ] {
        let cgroup = converted(&spec(path), false).unwrap();
        assert_eq!((cgroup.path.as_str(), cgroup.name.as_str()), (cleaned, ""));
    }
}

#[test]
fn without_a_path_the_container_id_is_the_name() {
    for spec in [
        spec(""),
        oci::Spec {
            linux: None,
            ..spec("")
        },
    ] {
        let cgroup = converted(&spec, false).unwrap();
        assert_eq!(
            (cgroup.path.as_str(), cgroup.name.as_str(), cgroup.systemd),
            ("", "ctr", false)
        );
    }
}

#[test]
fn systemd_paths_have_three_parts() {
    let cgroup = converted(&spec("machine.slice:pre:name"), true).unwrap();
    assert_eq!(
        (
            cgroup.parent.as_str(),
            cgroup.scope_prefix.as_str(),
            cgroup.name.as_str(),
            cgroup.path.as_str()
        ),
        ("machine.slice", "pre", "name", "")
    );
    assert!(cgroup.systemd);
    let cgroup = converted(&spec("::name"), true).unwrap();
    assert_eq!(
        (
            cgroup.parent.as_str(),
            cgroup.scope_prefix.as_str(),
            cgroup.name.as_str()
        ),
        ("", "", "name")
    );
    for path in ["/user/cgroups/path/id", "a:b", "a:b:c:d"] {
        assert_eq!(
            converted(&spec(path), true).unwrap_err().to_string(),
            format!(
                "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got {path:?} instead"
            )
        );
    }
}

#[test]
fn systemd_without_a_path_uses_the_default_prefix() {
    let cgroup = converted(&spec(""), true).unwrap();
    assert_eq!(
        (
            cgroup.parent.as_str(),
            cgroup.scope_prefix.as_str(),
            cgroup.name.as_str()
        ),
        ("", "runc", "ctr")
    );
}

#[test]
fn systemd_annotations_count_with_systemd_only() {
    let mut spec = spec("");
    spec.annotations
        .insert("org.systemd.property.TimeoutStopSec".into(), "5".into());
    let properties = converted(&spec, true).unwrap().systemd_properties;
    assert_eq!(
        (properties[0].name.as_str(), properties[0].value.as_str()),
        ("TimeoutStopUSec", "uint64 5000000")
    );
    assert!(
        converted(&spec, false)
            .unwrap()
            .systemd_properties
            .is_empty()
    );
    spec.annotations
        .insert("org.systemd.property.x".into(), "5".into());
    assert_eq!(
        converted(&spec, true).unwrap_err().kind(),
        ErrorKind::Conversion
    );
}

#[test]
fn default_rules_follow_those_of_the_bundle() {
    let mut spec = spec("");
    spec.linux.as_mut().unwrap().resources = Some(oci::Resources {
        devices: vec![oci::DeviceCgroup {
            access: "rwm".into(),
            ..oci::DeviceCgroup::default()
        }],
        ..oci::Resources::default()
    });
    let rules = converted(&spec, false).unwrap().resources.devices;
    assert_eq!(rules.len(), 12);
    assert!(!rules[0].allow);
    assert!(rules[1..].iter().all(|rule| rule.allow));
}

#[test]
fn memory() {
    let mut warnings = Vec::new();
    let memory = oci::Memory {
        limit: Some(100),
        reservation: Some(50),
        swap: Some(200),
        swappiness: Some(0),
        disable_oom_killer: Some(true),
        check_before_update: Some(true),
        ..oci::Memory::default()
    };
    let resources = resources(
        &oci::Resources {
            memory: Some(memory),
            ..oci::Resources::default()
        },
        &mut warnings,
    )
    .unwrap();
    let expected = Resources {
        memory: 100,
        memory_reservation: 50,
        memory_swap: 200,
        memory_swappiness: Some(0),
        oom_kill_disable: true,
        memory_check_before_update: true,
        ..Resources::default()
    };
    assert_eq!(resources, expected);
    assert!(warnings.is_empty());
}

#[test]
fn kernel_memory_is_ignored_with_a_warning() {
    for memory in [
        oci::Memory {
            kernel: Some(1),
            ..oci::Memory::default()
        },
        oci::Memory {
            kernel_tcp: Some(1),
            ..oci::Memory::default()
        },
    ] {
        let mut warnings = Vec::new();
        let limits = oci::Resources {
            memory: Some(memory),
            ..oci::Resources::default()
        };
        assert_eq!(
            resources(&limits, &mut warnings).unwrap(),
            Resources::default()
        );
        assert_eq!(warnings, [Warning::KernelMemory]);
        assert_eq!(
            warnings[0].to_string(),
            "Kernel memory settings are ignored and will be removed"
        );
    }
}

#[test]
fn cpu() {
    let cpu = oci::Cpu {
        shares: Some(1024),
        quota: Some(-1),
        burst: Some(0),
        period: Some(100_000),
        realtime_runtime: Some(5),
        realtime_period: Some(6),
        cpus: "0-1".into(),
        mems: "0".into(),
        idle: Some(1),
    };
    let expected = Resources {
        cpu_shares: 1024,
        cpu_weight: 100,
        cpu_quota: -1,
        cpu_burst: Some(0),
        cpu_period: 100_000,
        cpu_rt_runtime: 5,
        cpu_rt_period: 6,
        cpuset_cpus: "0-1".into(),
        cpuset_mems: "0".into(),
        cpu_idle: Some(1),
        ..Resources::default()
    };
    assert_eq!(
        limits(oci::Resources {
            cpu: Some(cpu),
            ..oci::Resources::default()
        }),
        expected
    );
}

#[test]
fn pids_limit_absent_is_not_zero() {
    let pids = |limit| {
        limits(oci::Resources {
            pids: Some(oci::Pids { limit }),
            ..oci::Resources::default()
        })
    };
    assert_eq!(pids(None).pids_limit, None);
    assert_eq!(pids(Some(0)).pids_limit, Some(0));
}

#[test]
fn block_io() {
    let throttle = |rate| {
        vec![oci::ThrottleDevice {
            major: 8,
            minor: 0,
            rate,
        }]
    };
    let block_io = oci::BlockIo {
        weight: Some(100),
        leaf_weight: Some(200),
        weight_device: vec![oci::WeightDevice {
            major: 8,
            minor: 1,
            weight: Some(300),
            leaf_weight: None,
        }],
        throttle_read_bps_device: throttle(1),
        throttle_write_bps_device: throttle(2),
        throttle_read_iops_device: throttle(3),
        throttle_write_iops_device: throttle(4),
    };
    let expected = Resources {
        blkio_weight: 100,
        blkio_leaf_weight: 200,
        blkio_weight_device: vec![WeightDevice {
            major: 8,
            minor: 1,
            weight: 300,
            leaf_weight: 0,
        }],
        blkio_throttle_read_bps_device: throttle(1),
        blkio_throttle_write_bps_device: throttle(2),
        blkio_throttle_read_iops_device: throttle(3),
        blkio_throttle_write_iops_device: throttle(4),
        ..Resources::default()
    };
    assert_eq!(
        limits(oci::Resources {
            block_io: Some(block_io),
            ..oci::Resources::default()
        }),
        expected
    );
}

#[test]
fn other_controllers() {
    let limits = limits(oci::Resources {
        hugepage_limits: vec![oci::HugepageLimit {
            page_size: "2MB".into(),
            limit: 9,
        }],
        network: Some(oci::Network {
            class_id: Some(0x10_0001),
            priorities: vec![oci::InterfacePriority {
                name: "eth0".into(),
                priority: 5,
            }],
        }),
        rdma: [(
            "mlx5_1".to_owned(),
            oci::Rdma {
                hca_handles: Some(3),
                hca_objects: None,
            },
        )]
        .into(),
        unified: [("memory.high".to_owned(), "max".to_owned())].into(),
        ..oci::Resources::default()
    });
    let expected = Resources {
        hugetlb_limit: vec![HugepageLimit {
            page_size: "2MB".into(),
            limit: 9,
        }],
        net_cls_classid: 0x10_0001,
        net_prio_ifpriomap: vec![InterfacePriority {
            interface: "eth0".into(),
            priority: 5,
        }],
        rdma: [(
            "mlx5_1".to_owned(),
            RdmaLimit {
                hca_handles: Some(3),
                hca_objects: None,
            },
        )]
        .into(),
        unified: [("memory.high".to_owned(), "max".to_owned())].into(),
        ..Resources::default()
    };
    assert_eq!(limits, expected);
}

#[test]
fn shares_to_weight() {
    for (shares, weight) in [
        (0, 0),
        (1, 1),
        (2, 1),
        (3, 2),
        (1024, 100),
        (262_143, 10_000),
        (262_144, 10_000),
        (u64::MAX, 10_000),
    ] {
        assert_eq!(cpu_weight(shares), weight, "{shares}");
    }
    assert!((1..300_000).map(cpu_weight).is_sorted());
}

#[test]
fn the_owner_needs_a_cgroup_namespace_and_a_writable_cgroup_mount() {
    let mount = |options: &[&str]| oci::Mount {
        destination: "/sys/fs/./cgroup/".into(),
        kind: "cgroup".into(),
        source: "cgroup".into(),
        options: options.iter().map(|option| (*option).to_owned()).collect(),
        ..oci::Mount::default()
    };
    let mut spec = spec("");
    spec.process = Some(oci::Process {
        user: oci::User {
            uid: 5,
            ..oci::User::default()
        },
        ..oci::Process::default()
    });
    let namespace = |path: &str| oci::Namespace {
        kind: "cgroup".into(),
        path: path.into(),
    };
    let mut owner = |mounts: Vec<oci::Mount>, namespaces: Vec<oci::Namespace>| {
        spec.mounts = mounts;
        spec.linux.as_mut().unwrap().namespaces = namespaces;
        converted(&spec, true).unwrap().owner_uid
    };
    assert_eq!(
        owner(vec![mount(&["nosuid"])], vec![namespace("")]),
        Some(5)
    );
    assert_eq!(owner(vec![mount(&["ro"])], vec![namespace("")]), None);
    assert_eq!(owner(vec![mount(&[])], vec![]), None);
    assert_eq!(
        owner(vec![mount(&[])], vec![namespace("/proc/1/ns/cgroup")]),
        None
    );
    assert_eq!(
        owner(
            vec![oci::Mount {
                source: "cgroup2".into(),
                ..mount(&[])
            }],
            vec![namespace("")]
        ),
        None
    );
    assert_eq!(owner(vec![], vec![namespace("")]), None);
}
