use super::*;

fn device(path: &str, kind: &str) -> oci::Device {
    oci::Device {
        path: path.into(),
        kind: kind.into(),
        major: 1,
        minor: 3,
        ..oci::Device::default()
    }
}

fn paths(nodes: &[Device]) -> Vec<&str> {
    nodes.iter().map(|node| node.path.as_str()).collect()
}

#[test]
fn every_container_has_the_default_nodes_and_rules() {
    let (nodes, rules) = nodes_and_default_rules(&[]).unwrap();
    assert_eq!(
        paths(&nodes),
        [
            "/dev/null",
            "/dev/random",
            "/dev/full",
            "/dev/tty",
            "/dev/zero",
            "/dev/urandom"
        ]
    );
    assert!(
        nodes
            .iter()
            .all(|node| node.file_mode == 0o666 && (node.uid, node.gid) == (0, 0))
    );
    let rules: Vec<String> = rules.iter().map(ToString::to_string).collect();
    assert_eq!(
        rules,
        [
            "c *:* m",
            "b *:* m",
            "c 1:3 rwm",
            "c 1:8 rwm",
            "c 1:7 rwm",
            "c 5:0 rwm",
            "c 1:5 rwm",
            "c 1:9 rwm",
            "c 136:* rwm",
            "c 5:2 rwm",
            "c 10:200 rwm",
        ]
    );
}

#[test]
fn a_device_with_the_path_of_a_default_replaces_node_and_rule() {
    let (nodes, rules) = nodes_and_default_rules(&[device("/dev/tty", "c")]).unwrap();
    assert_eq!(
        nodes.iter().filter(|node| node.path == "/dev/tty").count(),
        1
    );
    assert_eq!(nodes.last().unwrap().minor, 3);
    assert!(
        !rules
            .iter()
            .any(|rule| (rule.major, rule.minor) == (Some(5), Some(0)))
    );
    assert_eq!(rules.len(), 10);
    // Another path to the same numbers does not.
    assert_eq!(
        nodes_and_default_rules(&[device("/dev/nul", "c")])
            .unwrap()
            .1
            .len(),
        11
    );
}

#[test]
fn device_types() {
    for (kind, expected) in [
        ("c", Kind::Char),
        ("u", Kind::Char),
        ("b", Kind::Block),
        ("p", Kind::Fifo),
    ] {
        assert_eq!(node(&device("/dev/x", kind)).unwrap().kind, expected);
    }
    for kind in ["", "a", "x", "cc"] {
        assert_eq!(
            node(&device("/dev/x", kind)).unwrap_err().to_string(),
            format!("invalid device type {kind:?}")
        );
    }
}

#[test]
fn mode_and_owner() {
    let mut device = device("/dev/x", "c");
    assert_eq!(node(&device).unwrap().file_mode, 0o666);
    (device.file_mode, device.uid, device.gid) = (Some(0o020_640), Some(5), Some(6));
    let node = node(&device).unwrap();
    assert_eq!((node.file_mode, node.uid, node.gid), (0o640, 5, 6));
}

#[test]
fn rules_default_to_everything() {
    let mut warnings = Vec::new();
    let rule = oci::DeviceCgroup {
        access: "wr".into(),
        ..oci::DeviceCgroup::default()
    };
    let converted = rules(&[rule], &mut warnings).unwrap();
    assert_eq!(
        converted,
        [Rule::deny(
            Kind::All,
            None,
            None,
            Access::READ | Access::WRITE
        )]
    );
    assert!(warnings.is_empty());
}

#[test]
fn rules_that_cannot_be() {
    let rule = |kind: &str, major: Option<i64>, access: &str| oci::DeviceCgroup {
        allow: true,
        kind: kind.into(),
        major,
        minor: Some(-1),
        access: access.into(),
    };
    let good = || rule("c", Some(-1), "r");
    for (bad, text) in [
        (
            rule("c", None, ""),
            "device access at 1 field cannot be empty",
        ),
        (rule("p", None, "r"), "invalid cgroup device type \"p\""),
        (
            rule("c", Some(-2), "r"),
            "device number -2 at 1 field is out of range",
        ),
        (
            rule("c", Some(1 << 32), "r"),
            "device number 4294967296 at 1 field is out of range",
        ),
        // The kernel takes this one for every number.
        (
            rule("c", Some(i64::from(u32::MAX)), "r"),
            "device number 4294967295 at 1 field is out of range",
        ),
    ] {
        assert_eq!(
            rules(&[good(), bad], &mut Vec::new())
                .unwrap_err()
                .to_string(),
            text
        );
    }
}

#[test]
fn a_rule_with_unknown_letters_only_does_nothing() {
    let rule = |kind: &str, allow| oci::DeviceCgroup {
        allow,
        kind: kind.into(),
        access: "xyz".into(),
        ..oci::DeviceCgroup::default()
    };
    for (kind, allow) in [("c", true), ("b", true), ("c", false)] {
        let mut warnings = Vec::new();
        assert_eq!(rules(&[rule(kind, allow)], &mut warnings).unwrap(), []);
        assert_eq!(warnings.len(), 1);
    }
    // It would be about every device, without saying what is allowed.
    for kind in ["", "a"] {
        rules(&[rule(kind, false)], &mut Vec::new()).unwrap_err();
    }
}

#[test]
fn unknown_access_letters_are_told() {
    let mut warnings = Vec::new();
    let rule = oci::DeviceCgroup {
        access: "rx".into(),
        ..oci::DeviceCgroup::default()
    };
    assert_eq!(
        rules(&[rule], &mut warnings).unwrap()[0].access.to_string(),
        "r"
    );
    assert_eq!(
        warnings,
        [Warning::DeviceAccess {
            index: 0,
            access: "rx".into()
        }]
    );
}
