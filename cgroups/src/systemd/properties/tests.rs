use std::collections::BTreeMap;

use devices::Access;
use proptest::prelude::*;

use super::*;

fn text(properties: &[Property]) -> Vec<String> {
    let one = |(name, value): &Property| format!("{name}={value}");
    properties.iter().map(one).collect()
}

fn v2_text(mut resources: Resources) -> Vec<String> {
    let mut applied = Applied::default();
    let properties = v2(&mut resources, 257, &mut applied).unwrap();
    assert_eq!(applied.warnings, []);
    text(&properties)
}

#[test]
fn limits_on_v2() {
    let resources = Resources {
        memory: Some(100),
        memory_reservation: Some(-1),
        memory_swap: Some(150),
        cpu_shares: Some(1024),
        pids_limit: Some(0),
        cpuset_cpus: Some("0,9".into()),
        ..Resources::default()
    };
    assert_eq!(
        v2_text(resources),
        [
            "MemoryMax=uint64 100",
            "MemoryLow=uint64 18446744073709551615",
            "MemorySwapMax=uint64 50",
            "CPUWeight=uint64 100",
            "TasksMax=uint64 1",
            "AllowedCPUs=[byte 0x01, 0x02]",
        ]
    );
    assert!(v2_text(Resources::default()).is_empty());
    let no_swap = Resources {
        memory: Some(100),
        memory_swap: Some(100),
        ..Resources::default()
    };
    assert_eq!(
        v2_text(no_swap),
        ["MemoryMax=uint64 100", "MemorySwapMax=uint64 0"]
    );
}

#[test]
fn limits_on_v1() {
    let mut resources = Resources {
        memory: Some(-1),
        cpu_shares: Some(512),
        blkio_weight: Some(300),
        pids_limit: Some(-1),
        ..Resources::default()
    };
    let properties = v1(&mut resources, 247, &mut Applied::default()).unwrap();
    assert_eq!(
        text(&properties),
        [
            "MemoryLimit=uint64 18446744073709551615",
            "CPUShares=uint64 512",
            "BlockIOWeight=uint64 300",
            "TasksMax=uint64 18446744073709551615",
        ]
    );
}

#[test]
fn quotas_are_rounded_and_the_file_follows() {
    for (quota, period, per_second, rounded) in [
        (Some(2000), Some(10_000), Some(200_000), Some(2000)),
        (Some(2000), None, Some(20_000), Some(2000)),
        (Some(1), Some(100_000), Some(10_000), Some(1000)),
        (Some(33_333), Some(100_000), Some(340_000), Some(34_000)),
        (Some(-1), Some(5000), Some(UNLIMITED), Some(-1)),
        (None, Some(5000), Some(UNLIMITED), None),
        (None, None, None, None),
    ] {
        let mut properties = Vec::new();
        let mut written = quota;
        cpu_quota(&mut properties, &mut written, period, 257);
        assert_eq!(written, rounded, "{quota:?} {period:?}");
        let found = properties
            .iter()
            .find(|(name, _)| name == "CPUQuotaPerSecUSec")
            .map(|(_, value)| value.try_clone().unwrap());
        assert_eq!(found, per_second.map(Variant::from));
        let has_period = properties
            .iter()
            .any(|(name, _)| name == "CPUQuotaPeriodUSec");
        assert_eq!(has_period, period.is_some());
    }
}

#[test]
fn old_systemd_is_not_told_what_it_does_not_know() {
    let mut resources = Resources {
        cpu_period: Some(5000),
        cpuset_cpus: Some("0".into()),
        cpu_idle: Some(1),
        ..Resources::default()
    };
    let properties = v2(&mut resources, 241, &mut Applied::default()).unwrap();
    assert_eq!(
        text(&properties),
        ["CPUQuotaPerSecUSec=uint64 18446744073709551615"]
    );
}

#[test]
fn idle_has_no_weight() {
    let mut resources = Resources {
        cpu_idle: Some(1),
        cpu_shares: Some(500),
        ..Resources::default()
    };
    let mut applied = Applied::default();
    let properties = v2(&mut resources, 252, &mut applied).unwrap();
    assert_eq!(text(&properties), ["CPUWeight=uint64 0"]);
    assert_eq!(resources.cpu_shares, None);
    assert_eq!(applied.warnings.len(), 1);
}

#[test]
fn idle_has_no_weight_by_its_files_either() {
    let files = [("cpu.idle", "1"), ("cpu.weight", "8"), ("pids.max", "5")];
    let mut resources = Resources {
        unified: files
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        // From before.
        cpu_weight: Some(20),
        ..Resources::default()
    };
    let mut applied = Applied::default();
    let properties = v2(&mut resources, 252, &mut applied).unwrap();
    assert_eq!(
        text(&properties),
        ["CPUWeight=uint64 0", "TasksMax=uint64 5"]
    );
    assert!(!resources.unified.contains_key("cpu.weight"));
    assert_eq!(resources.cpu_weight, None);
    let [warning] = &applied.warnings[..] else {
        panic!("{applied:?}");
    };
    assert!(warning.reason.starts_with("unable to apply both"));
}

#[test]
fn files_of_v2() {
    let one = |key: &str, value: &str| Resources {
        unified: BTreeMap::from([(key.to_owned(), value.to_owned())]),
        ..Resources::default()
    };
    for (key, value, expected) in [
        ("cpu.idle", "1", &["CPUWeight=uint64 0"][..]),
        ("cpu.idle", "0", &[]),
        (
            "cpu.max",
            "max",
            &[
                "CPUQuotaPeriodUSec=uint64 100000",
                "CPUQuotaPerSecUSec=uint64 18446744073709551615",
            ],
        ),
        (
            "cpu.max",
            "1000 5000",
            &[
                "CPUQuotaPeriodUSec=uint64 5000",
                "CPUQuotaPerSecUSec=uint64 200000",
            ],
        ),
        ("cpu.weight", "1000", &["CPUWeight=uint64 1000"]),
        ("cpuset.cpus", "0-2", &["AllowedCPUs=[byte 0x07]"]),
        ("cpuset.mems", "3", &["AllowedMemoryNodes=[byte 0x08]"]),
        ("memory.high", "5", &["MemoryHigh=uint64 5"]),
        ("memory.min", "5", &["MemoryMin=uint64 5"]),
        (
            "memory.swap.max",
            "max",
            &["MemorySwapMax=uint64 18446744073709551615"],
        ),
        ("pids.max", "0", &["TasksMax=uint64 1"]),
        ("memory.oom.group", "1", &[]),
    ] {
        assert_eq!(v2_text(one(key, value)), expected, "{key} {value}");
    }
    for (key, value) in [
        ("cpu.max", "x"),
        ("cpu.max", ""),
        ("cpu.max", "1 2 3"),
        ("memory.max", "1k"),
        ("cpuset.cpus", "3-1"),
        ("nodot", "1"),
        ("a/b.c", "1"),
    ] {
        let mut resources = one(key, value);
        let error = v2(&mut resources, 257, &mut Applied::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{key} {value}");
    }
}

#[test]
fn ranges() {
    for (list, expected) in [
        ("4", &[0b1_0000][..]),
        ("0,1,2,3", &[0b1111]),
        ("0-3, 8 - 9,", &[0b1111, 0b11]),
        ("16", &[0, 0, 1]),
    ] {
        assert_eq!(bits(list).unwrap(), expected, "{list}");
    }
    for (list, why) in [
        ("", "empty value"),
        (",", "empty value"),
        ("3-1", "invalid range"),
        ("a", "not a number"),
        ("1-", "not a number"),
        ("99999999999", "number too high"),
    ] {
        assert_eq!(bits(list).unwrap_err(), why, "{list}");
    }
}

fn device_text(rules: Vec<Rule>) -> (Vec<String>, usize) {
    let resources = Resources {
        devices: rules,
        ..Resources::default()
    };
    let mut applied = Applied::default();
    let properties = devices(&resources, 257, &mut applied).unwrap();
    (text(&properties), applied.warnings.len())
}

#[test]
fn device_rules() {
    let (properties, warnings) = device_text(vec![
        Rule::everything(false),
        Rule::allow(Kind::Char, None, None, Access::MKNOD),
        Rule::allow(Kind::Block, Some(8), None, Access::READ),
        Rule::allow(Kind::Char, Some(1), Some(3), Access::ALL),
    ]);
    assert_eq!(
        properties,
        [
            "DeviceAllow=@a(ss) []",
            "DevicePolicy=\"strict\"",
            "DeviceAllow=[(\"block-8\", \"r\"), (\"char-*\", \"m\"), (\"/dev/char/1:3\", \"rwm\")]",
        ]
    );
    assert_eq!(warnings, 0);
    let (properties, _) = device_text(vec![Rule::everything(true)]);
    assert_eq!(
        properties,
        ["DeviceAllow=@a(ss) []", "DevicePolicy=\"auto\""]
    );
    let deny = Rule::deny(Kind::Char, Some(1), Some(3), Access::ALL);
    let (properties, warnings) = device_text(vec![Rule::everything(true), deny]);
    assert_eq!((properties.len(), warnings), (2, 1));
    let odd = Rule::allow(Kind::Char, None, Some(3), Access::ALL);
    let (properties, warnings) = device_text(vec![odd]);
    assert_eq!((properties.len(), warnings), (3, 1));
    assert!(device_text(Vec::new()).0.is_empty());
}

proptest! {
    #[test]
    fn rounding_never_lowers_a_quota(quota in 1_i64..10_000_000, period in 1_000_u64..1_000_000) {
        let mut properties = Vec::new();
        let mut written = Some(quota);
        cpu_quota(&mut properties, &mut written, Some(period), 257);
        let written = written.unwrap();
        let percent = i64::try_from(period).unwrap() / 100 + 1;
        prop_assert!(written + 1 >= quota && written <= quota + percent);
    }

    #[test]
    fn any_list_is_read_or_refused(list in "[0-9,-]{0,12}") {
        if let Ok(bits) = bits(&list) {
            prop_assert!(bits.iter().any(|byte| *byte != 0));
        }
    }
}

#[test]
fn names_of_drivers() {
    let text = "Character devices:\n  1 mem\n  4 /dev/vc/0\n136 pts\n\nBlock devices:\n  1 ramdisk\n259 blkext\n";
    assert_eq!(driver(text, Kind::Char, 1), Some("mem"));
    assert_eq!(driver(text, Kind::Char, 136), Some("pts"));
    assert_eq!(driver(text, Kind::Block, 1), Some("ramdisk"));
    assert_eq!(driver(text, Kind::Char, 259), None);
    assert_eq!(driver(text, Kind::Block, 136), None);
}

#[test]
fn devices_before_systemd_240_have_names_and_nodes() {
    let rule = |major, minor| Rule {
        kind: Kind::Char,
        major,
        minor,
        ..Rule::everything(true)
    };
    let names = Spelling::Names("Character devices:\n  1 mem\n136 pts\n".to_owned());
    let mut applied = Applied::default();
    let mut entry = |rule: &Rule, spelling: &Spelling| {
        device_entry(rule, spelling, &mut applied).map(|(specifier, _)| specifier)
    };
    let terminals = rule(Some(136), None);
    assert_eq!(entry(&terminals, &names).as_deref(), Some("char-pts"));
    assert_eq!(
        entry(&terminals, &Spelling::Numbers).as_deref(),
        Some("char-136")
    );
    assert_eq!(entry(&rule(None, None), &names).as_deref(), Some("char-*"));
    // No machine has such a node.
    let absent = rule(Some(4000), Some(77));
    assert_eq!(entry(&absent, &names), None);
    assert_eq!(
        entry(&absent, &Spelling::Numbers).as_deref(),
        Some("/dev/char/4000:77")
    );
    assert_eq!(entry(&rule(Some(4000), None), &names), None);
    assert_eq!(
        applied.warnings.len(),
        1,
        "a warning names the absent driver"
    );
}
