//! The object `cgroups`, key by key.

use cofferdam_configs::config::{
    Cgroup, FreezerState, HugepageLimit, InterfacePriority, Resources, ThrottleDevice, WeightDevice,
};
use serde_json::{Value, json};

use crate::{OF_2014, assert_refused, loaded, of_revision, warnings};

fn file(letter: char, keys: &Value) -> Value {
    of_revision(letter, &json!({"cgroups": keys}))
}

fn cgroup(letter: char, keys: &Value) -> Cgroup {
    loaded(&file(letter, keys)).config.cgroups
}

fn limits(letter: char, keys: &Value) -> Resources {
    cgroup(letter, keys).resources
}

fn rules(letter: char, keys: &Value) -> Vec<String> {
    let rules = limits(letter, keys).devices;
    let verdict = |allow| if allow { '+' } else { '-' };
    rules
        .iter()
        .map(|rule| format!("{}{rule}", verdict(rule.allow)))
        .collect()
}

#[test]
fn without_the_object_there_is_no_cgroup_and_no_restriction() {
    for letter in OF_2014.into_iter().chain(['F']) {
        let loaded = loaded(&of_revision(letter, &json!({})));
        assert!(!loaded.has_cgroup);
        let devices = loaded.config.cgroups.resources.devices;
        assert_eq!(devices.len(), 1);
        assert_eq!(format!("{}", devices[0]), "a *:* rwm");
        assert!(devices[0].allow);
    }
}

#[test]
fn a_cgroup_has_name_and_parent() {
    for letter in OF_2014.into_iter().chain(['F']) {
        let loaded = loaded(&file(letter, &json!({"name": "n", "parent": "p"})));
        assert!(loaded.has_cgroup);
        assert_eq!(loaded.config.cgroups.name, "n");
        assert_eq!(loaded.config.cgroups.parent, "p");
        assert_eq!(loaded.config.cgroups.path, "");
        assert_eq!(loaded.slice, None);
    }
    let later = json!({"path": "/a/b", "scope_prefix": "s", "Systemd": true});
    let cgroup = cgroup('F', &later);
    assert_eq!(
        (cgroup.path.as_str(), cgroup.scope_prefix.as_str()),
        ("/a/b", "s")
    );
    assert!(cgroup.systemd);
    for letter in OF_2014.into_iter().chain(['F']) {
        for (key, path) in [("name", ".."), ("name", "a/../.."), ("parent", "/x/../..")] {
            let message = format!("{path:?} leads out of its cgroup");
            let file = file(letter, &json!({key: path}));
            assert_refused(&file, &format!("cgroups.{key}"), &message);
        }
    }
}

#[test]
fn the_first_files_have_the_keys_of_the_cgroup_at_the_top() {
    let loaded = loaded(&of_revision(
        '0',
        &json!({
            "cgroup_name": "n", "cgroup_parent": "p", "device_access": true, "memory": 4096,
            "memory_swap": -1, "cpu_shares": 7,
        }),
    ));
    assert!(loaded.has_cgroup);
    let cgroup = loaded.config.cgroups;
    assert_eq!((cgroup.name.as_str(), cgroup.parent.as_str()), ("n", "p"));
    assert_eq!(cgroup.resources.memory, 4096);
    assert_eq!(cgroup.resources.cpu_shares, 7);
    assert_eq!(cgroup.resources.devices.len(), 1);
}

#[test]
fn device_access_allows_everything_or_the_default_devices() {
    for letter in ['0', 'A', 'B', 'C', 'D'] {
        assert_eq!(
            rules(letter, &json!({"device_access": true})),
            ["+a *:* rwm"]
        );
        for keys in [json!({}), json!({"device_access": false})] {
            let rules = rules(letter, &keys);
            assert_eq!(rules[0], "-a *:* rwm");
            for allowed in [
                "+c *:* m",
                "+b *:* m",
                "+c 1:3 rwm",
                "+c 1:5 rwm",
                "+c 1:7 rwm",
                "+c 1:8 rwm",
                "+c 1:9 rwm",
                "+c 5:0 rwm",
                "+c 5:1 rwm",
                "+c 4:0 rwm",
                "+c 4:1 rwm",
                "+c 136:* rwm",
                "+c 5:2 rwm",
                "+c 10:200 rwm",
            ] {
                assert!(rules.contains(&allowed.to_owned()), "{allowed}");
            }
            assert_eq!(rules.len(), 15);
        }
    }
}

#[test]
fn all_devices_or_the_allowed_ones() {
    for letter in ['D', 'E', 'F'] {
        assert_eq!(
            rules(letter, &json!({"allow_all_devices": true})),
            ["+a *:* rwm"]
        );
    }
    let early = json!({"allowed_devices": [
        {"type": 99, "major_number": 1, "minor_number": 3, "cgroup_permissions": "rw"},
        {"type": 98, "major_number": -1, "minor_number": 0, "cgroup_permissions": "m"},
    ]});
    for letter in ['D', 'E'] {
        assert_eq!(
            rules(letter, &early),
            ["-a *:* rwm", "+c 1:3 rw", "+b *:0 m"]
        );
    }
    let later = json!({
        "allow_all_devices": false,
        "allowed_devices": [{"type": 99, "major": 1, "minor": 3, "permissions": "rw"}],
        "denied_devices": [{"type": 99, "major": 1, "minor": 3, "permissions": "w"}],
    });
    assert_eq!(rules('F', &later), ["-a *:* rwm", "+c 1:3 rw"]);
    assert_eq!(rules('E', &json!({})), ["-a *:* rwm"]);
    assert_eq!(rules('F', &json!({})), ["-a *:* rwm"]);
}

#[test]
fn denied_devices_are_excepted_from_all() {
    let keys = json!({
        "allow_all_devices": true,
        "allowed_devices": [{"type": 99, "major": 9, "minor": 9, "permissions": "r"}],
        "denied_devices": [{"type": 98, "major": 8, "minor": -1, "permissions": "rwm"}],
    });
    assert_eq!(rules('F', &keys), ["+a *:* rwm", "-b 8:* rwm"]);
}

#[test]
fn rules_of_2016_have_their_verdict_and_order() {
    let keys = json!({"devices": [
        {"type": 97, "path": "", "major": -1, "minor": -1, "permissions": "rwm", "file_mode": 0,
         "uid": 0, "gid": 0, "allow": false},
        {"type": 99, "major": 1, "minor": 3, "permissions": "rwm", "allow": true},
    ]});
    assert_eq!(rules('F', &keys), ["-a *:* rwm", "+c 1:3 rwm"]);
    assert!(
        !warnings(&loaded(&file('F', &keys)))
            .iter()
            .any(|it| it.contains("devices"))
    );
}

#[test]
fn malformed_rules_are_refused_where_they_are() {
    for (device, place) in [
        (
            json!({"major": 1, "minor": 3}),
            "cgroups.allowed_devices[0].type",
        ),
        (
            json!({"type": 112, "major": 1}),
            "cgroups.allowed_devices[0].type",
        ),
        (
            json!({"type": 99, "major": -2}),
            "cgroups.allowed_devices[0].major",
        ),
        (
            json!({"type": 99, "minor": 4_294_967_296_i64}),
            "cgroups.allowed_devices[0].minor",
        ),
        (
            json!({"type": 99, "permissions": "rx"}),
            "cgroups.allowed_devices[0].permissions",
        ),
    ] {
        let file = file('F', &json!({"allowed_devices": [device]}));
        assert_eq!(crate::refusal(&file).0, place);
    }
    let early = json!({"allowed_devices": [{"type": 99, "major_number": -5}]});
    let place = "cgroups.allowed_devices[0].major_number";
    assert_eq!(crate::refusal(&file('E', &early)).0, place);
}

#[test]
fn memory_was_its_own_soft_limit_at_first() {
    for (letter, reservation) in [
        ('0', 4096),
        ('A', 4096),
        ('B', 0),
        ('D', 0),
        ('E', 0),
        ('F', 0),
    ] {
        let limits = limits(letter, &json!({"memory": 4096}));
        assert_eq!(
            (limits.memory, limits.memory_reservation),
            (4096, reservation)
        );
    }
    for letter in ['B', 'C', 'D', 'E', 'F'] {
        let limits = limits(letter, &json!({"memory_reservation": 2048}));
        assert_eq!(limits.memory_reservation, 2048);
    }
}

#[test]
fn swap_is_twice_the_memory_unless_the_file_says_otherwise() {
    for letter in OF_2014.into_iter().chain(['F']) {
        for (keys, swap) in [
            (json!({"memory": 4096}), 8192),
            (json!({"memory": 4096, "memory_swap": 0}), 8192),
            (json!({"memory": 4096, "memory_swap": 5000}), 5000),
            (json!({"memory": 4096, "memory_swap": -1}), 0),
            (json!({}), 0),
            (json!({"memory": i64::MAX}), i64::MAX),
        ] {
            assert_eq!(limits(letter, &keys).memory_swap, swap, "{letter} {keys}");
        }
    }
}

#[test]
fn from_2016_on_0_is_no_limit_of_swap() {
    for marker in [
        json!({"version": ""}),
        json!({"capabilities": {"Bounding": []}}),
    ] {
        let mut file = file('F', &json!({"memory": 4096, "memory_swap": 0}));
        for (key, value) in marker.as_object().unwrap() {
            file[key] = value.clone();
        }
        assert_eq!(loaded(&file).config.cgroups.resources.memory_swap, 0);
        file["cgroups"]["memory_swap"] = json!(-1);
        assert_eq!(loaded(&file).config.cgroups.resources.memory_swap, -1);
    }
}

#[test]
fn kernel_memory_has_no_effect() {
    let keys = json!({"kernel_memory": 1024, "kernel_memory_tcp": 0});
    let found = warnings(&loaded(&file('F', &keys)));
    assert_eq!(found, ["cgroups.kernel_memory has no effect"]);
}

#[test]
fn shares_quota_period_and_sets() {
    for letter in OF_2014.into_iter().chain(['F']) {
        assert_eq!(limits(letter, &json!({"cpu_shares": 512})).cpu_shares, 512);
    }
    let keys = json!({
        "cpu_quota": 50_000, "cpu_period": 100_000, "cpuset_cpus": "0-1",
    });
    for letter in ['B', 'C', 'D', 'E', 'F'] {
        let limits = limits(letter, &keys);
        assert_eq!((limits.cpu_quota, limits.cpu_period), (50_000, 100_000));
        assert_eq!(limits.cpuset_cpus, "0-1");
    }
    for letter in ['E', 'F'] {
        assert_eq!(
            limits(letter, &json!({"cpuset_mems": "0"})).cpuset_mems,
            "0"
        );
    }
    let negative = file('A', &json!({"cpu_shares": -1}));
    assert_refused(&negative, "cgroups.cpu_shares", "-1 is out of range");
}

#[test]
fn real_time_limits_have_keys_of_their_own() {
    let keys = json!({
        "cpu_quota": 1000, "cpu_period": 2000, "cpu_rt_quota": 3000, "cpu_rt_period": 4000,
    });
    let limits = limits('F', &keys);
    assert_eq!((limits.cpu_quota, limits.cpu_period), (1000, 2000));
    assert_eq!((limits.cpu_rt_runtime, limits.cpu_rt_period), (3000, 4000));
}

#[test]
fn block_io_in_lines_and_in_lists() {
    let lines = json!({
        "blkio_weight": 500,
        "blkio_weight_device": "8:0 300\n8:16 400",
        "blkio_throttle_read_bps_device": "8:0 1048576",
        "blkio_throttle_write_bps_device": "8:0\t2097152\n",
        "blkio_throttle_read_iops_device": " 8:0 10 ",
        "blkio_throttle_write_iops_device": "8:0 20",
    });
    let throttle = |rate| json!([{"major": 8, "minor": 0, "rate": rate}]);
    let lists = json!({
        "blkio_weight": 500,
        "blkio_weight_device": [
            {"major": 8, "minor": 0, "weight": 300, "leafWeight": 0},
            {"major": 8, "minor": 16, "weight": 400, "leafWeight": 0},
        ],
        "blkio_throttle_read_bps_device": throttle(1_048_576),
        "blkio_throttle_write_bps_device": throttle(2_097_152),
        "blkio_throttle_read_iops_device": throttle(10),
        "blkio_throttle_write_iops_device": throttle(20),
    });
    let weight = |minor, weight| WeightDevice {
        major: 8,
        minor,
        weight,
        leaf_weight: 0,
    };
    let throttle = |rate| {
        vec![ThrottleDevice {
            major: 8,
            minor: 0,
            rate,
        }]
    };
    for keys in [lines, lists] {
        let limits = limits('F', &keys);
        assert_eq!(limits.blkio_weight, 500);
        assert_eq!(
            limits.blkio_weight_device,
            [weight(0, 300), weight(16, 400)]
        );
        assert_eq!(limits.blkio_throttle_read_bps_device, throttle(1_048_576));
        assert_eq!(limits.blkio_throttle_write_bps_device, throttle(2_097_152));
        assert_eq!(limits.blkio_throttle_read_iops_device, throttle(10));
        assert_eq!(limits.blkio_throttle_write_iops_device, throttle(20));
    }
}

#[test]
fn malformed_block_io_is_refused_where_it_is() {
    for (key, value) in [
        ("blkio_weight", json!(70_000)),
        ("blkio_weight_device", json!("8:0 70000")),
        ("blkio_weight_device", json!("8:0")),
        ("blkio_weight_device", json!(5)),
        ("blkio_throttle_read_bps_device", json!("sda 100")),
        ("blkio_throttle_write_iops_device", json!("8:-1 100")),
    ] {
        let file = file('F', &json!({key: value}));
        assert_eq!(crate::refusal(&file).0, format!("cgroups.{key}"));
    }
}

#[test]
fn the_freezer_has_three_states() {
    for (word, state) in [
        ("", FreezerState::Undefined),
        ("FROZEN", FreezerState::Frozen),
        ("THAWED", FreezerState::Thawed),
    ] {
        for letter in ['B', 'C', 'D', 'E', 'F'] {
            assert_eq!(limits(letter, &json!({"freezer": word})).freezer, state);
        }
    }
    assert_eq!(
        crate::refusal(&file('E', &json!({"freezer": "COLD"}))).0,
        "cgroups.freezer"
    );
}

#[test]
fn huge_pages_swappiness_and_the_oom_killer() {
    let keys = json!({
        "hugetlb_limit": [{"page_size": "2MB", "limit": 4096}],
        "memory_swappiness": 30,
        "oom_kill_disable": true,
    });
    let found = limits('F', &keys);
    let page_size = "2MB".to_owned();
    assert_eq!(
        found.hugetlb_limit,
        [HugepageLimit {
            page_size,
            limit: 4096
        }]
    );
    assert_eq!(found.memory_swappiness, Some(30));
    assert!(found.oom_kill_disable);
    assert_eq!(
        limits('F', &json!({"memory_swappiness": -1})).memory_swappiness,
        None
    );
    let negative = file('F', &json!({"memory_swappiness": -2}));
    assert_refused(&negative, "cgroups.memory_swappiness", "-2 is out of range");
}

#[test]
fn classes_and_priorities_of_packets() {
    let keys = json!({"net_prio_ifpriomap": [{"interface": "eth0", "priority": 5}]});
    let interface = "eth0".to_owned();
    let priority = InterfacePriority {
        interface,
        priority: 5,
    };
    assert_eq!(limits('F', &keys).net_prio_ifpriomap, [priority]);
    for (class, id) in [
        (json!({"net_cls_classid": "0x100001"}), 0x10_0001),
        (json!({"net_cls_classid": "1048577"}), 0x10_0001),
        (json!({"net_cls_classid": 7}), 7),
        (json!({"net_cls_classid": ""}), 0),
        (json!({"net_cls_classid_u": 9}), 9),
        (json!({"net_cls_classid": "", "net_cls_classid_u": 9}), 9),
    ] {
        assert_eq!(limits('F', &class).net_cls_classid, id);
    }
    for class in [
        json!("one"),
        json!("0x"),
        json!(4_294_967_296_u64),
        json!([1]),
    ] {
        let file = file('F', &json!({"net_cls_classid": class}));
        assert_eq!(crate::refusal(&file).0, "cgroups.net_cls_classid");
    }
}

#[test]
fn the_slice_of_a_unit() {
    for letter in ['B', 'C', 'D', 'E', 'F'] {
        let keys = json!({"name": "n", "parent": "p", "slice": "quay.slice"});
        let loaded = loaded(&file(letter, &keys));
        assert_eq!(loaded.slice.as_deref(), Some("quay.slice"));
        assert_eq!(loaded.config.cgroups.parent, "p");
    }
    for letter in ['0', 'A'] {
        let keys = json!({"unit_properties": [["Slice", "quay.slice"]]});
        assert_eq!(
            loaded(&file(letter, &keys)).slice.as_deref(),
            Some("quay.slice")
        );
        let keys = json!({"unit_properties": [["Slice", "x"], ["Nice", "5"]]});
        let place = "cgroups.unit_properties[1]";
        assert_refused(
            &file(letter, &keys),
            place,
            "unknown property \"Nice\" of a unit",
        );
    }
}

#[test]
fn limits_of_later_years() {
    let keys = json!({
        "pids_limit": 64, "cpu_burst": 5, "cpu_idle": 1, "cpu_weight": 77,
        "blkio_leaf_weight": 40, "unified": {"memory.high": "max"},
        "rdma": {"mlx5": {"hca_handles": 2}}, "memory_check_before_update": true,
    });
    let found = limits('F', &keys);
    assert_eq!(found.pids_limit, Some(64));
    assert_eq!(
        (found.cpu_burst, found.cpu_idle, found.cpu_weight),
        (Some(5), Some(1), 77)
    );
    assert_eq!(found.blkio_leaf_weight, 40);
    assert_eq!(found.unified["memory.high"], "max");
    assert_eq!(found.rdma["mlx5"].hca_handles, Some(2));
    assert!(found.memory_check_before_update);
    // It was written where no limit was asked for.
    assert_eq!(limits('F', &json!({"pids_limit": 0})).pids_limit, None);
}
