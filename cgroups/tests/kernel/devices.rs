//! Device rules, as processes inside meet them.

use cofferdam_cgroups::{Cgroup, ErrorKind, Hierarchy, Resources};
use devices::{Access, Kind, Rule};

use crate::fixture::succeeds_inside;
use crate::hierarchies::{v1, v2};
use crate::scratch::{limited, scratch};

fn rules(hierarchy: &Hierarchy) {
    let null = Rule::allow(Kind::Char, Some(1), Some(3), Access::ALL);
    let zero = Rule::allow(Kind::Char, Some(1), Some(5), Access::READ);
    let mut resources = Resources {
        devices: vec![
            Rule::everything(false),
            null,
            zero,
            Rule::allow(Kind::Block, None, None, Access::MKNOD),
        ],
        ..Resources::default()
    };
    let cgroup = limited(hierarchy, &resources);
    let directory = tempfile::tempdir().unwrap();
    let node = directory.path().join("node");
    let node = node.display();
    assert!(succeeds_inside(&cgroup, ": < /dev/null && : > /dev/null"));
    assert!(succeeds_inside(&cgroup, ": < /dev/zero"));
    assert!(!succeeds_inside(&cgroup, ": > /dev/zero"));
    assert!(!succeeds_inside(&cgroup, ": < /dev/full"));
    assert!(succeeds_inside(
        &cgroup,
        &format!("mknod {node} b 7 99 && rm {node}")
    ));
    assert!(!succeeds_inside(&cgroup, &format!("mknod {node} c 1 7")));

    // Again, with other rules: they take the place of the first ones.
    let full = Rule::allow(Kind::Char, Some(1), Some(7), Access::ALL);
    resources.devices = vec![Rule::everything(false), full];
    assert!(cgroup.set(&resources).unwrap().warnings.is_empty());
    assert!(succeeds_inside(&cgroup, ": < /dev/full"));
    resources.devices = vec![Rule::everything(false), null];
    let found = Cgroup::load(hierarchy, &cgroup.paths()).unwrap();
    assert!(found.set(&resources).unwrap().warnings.is_empty());
    assert!(succeeds_inside(&cgroup, ": < /dev/null"));
    assert!(!succeeds_inside(&cgroup, ": < /dev/zero"));
    resources.devices = vec![Rule::everything(true)];
    assert!(found.set(&resources).unwrap().warnings.is_empty());
    assert!(succeeds_inside(&cgroup, ": > /dev/full; : < /dev/full"));

    // Left alone when asked to, or without rules.
    resources.devices = vec![Rule::everything(false)];
    resources.skip_devices = true;
    assert!(found.set(&resources).unwrap().warnings.is_empty());
    assert!(
        found
            .set(&Resources::default())
            .unwrap()
            .warnings
            .is_empty()
    );
    assert!(succeeds_inside(&cgroup, ": < /dev/zero"));
}

#[test]
fn rules_on_v1() {
    if let Some(hierarchy) = v1(&["devices"]) {
        rules(&hierarchy);
    }
}

#[test]
fn rules_on_v2() {
    if let Some(hierarchy) = v2() {
        rules(&hierarchy);
    }
}

#[test]
fn a_denied_part_denies_the_whole_on_v2() {
    let Some(hierarchy) = v2() else {
        return;
    };
    let resources = Resources {
        devices: vec![
            Rule::everything(true),
            Rule::deny(Kind::Char, Some(1), Some(3), Access::WRITE),
        ],
        ..Resources::default()
    };
    let cgroup = limited(&hierarchy, &resources);
    assert!(succeeds_inside(&cgroup, ": < /dev/null"));
    assert!(!succeeds_inside(&cgroup, ": > /dev/null"));
    // Opened for both.
    assert!(!succeeds_inside(&cgroup, ": <> /dev/null"));
}

#[test]
fn unknown_rules_are_refused() {
    let Some(hierarchy) = v2() else {
        return;
    };
    let resources = Resources {
        devices: vec![
            Rule::allow(Kind::Char, None, None, Access::ALL),
            Rule::deny(Kind::Char, Some(1), Some(3), Access::ALL),
        ],
        ..Resources::default()
    };
    let cgroup = scratch(&hierarchy, &resources);
    let error = cgroup.set(&resources).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Devices);
    let cause = std::error::Error::source(&error).unwrap();
    assert!(cause.to_string().contains("cannot punch hole"), "{cause}");
}
