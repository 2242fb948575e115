//! Recursive attributes: on every kind of mount, and dropped on none.

use configs::config::{Mount, MountAttr, MountFlags, NamespaceType};
use nsenter::plan::{Op, Plan};

use super::{built, new_mounts, with_mounts};
use crate::plan::tests::{Case, count, hierarchies, mount, ops};

fn all(mut mount: Mount, set: u64, clear: u64) -> Mount {
    mount.rec_attr = Some(MountAttr {
        attr_set: set,
        attr_clr: clear,
        ..MountAttr::default()
    });
    mount
}

/// The mounts that are made read-only after everything is in them.
fn late(plan: &Plan) -> usize {
    plan.steps()
        .iter()
        .filter(|step| {
            step.context().starts_with("make ") && step.context().ends_with(" read-only")
        })
        .count()
}

#[test]
fn a_new_mount_has_them_from_the_start() {
    for (kind, point) in [
        ("proc", "/proc"),
        ("sysfs", "/sys"),
        ("mqueue", "/q"),
        ("devpts", "/p"),
        ("ext4", "/e"),
    ] {
        let set = MountAttr::RDONLY | MountAttr::NOSUID;
        let entry = all(mount(kind, point, MountFlags::NODEV, ""), set, 0);
        let plan = built(&with_mounts(vec![entry]));
        assert_eq!(
            new_mounts(&plan),
            [(kind, set | MountAttr::NODEV)],
            "{kind}"
        );
        let entry = all(
            mount(kind, point, MountFlags::NODEV | MountFlags::RDONLY, ""),
            0,
            MountAttr::NODEV | MountAttr::RDONLY,
        );
        assert_eq!(new_mounts(&built(&with_mounts(vec![entry]))), [(kind, 0)]);
    }
}

#[test]
fn what_others_are_put_into_becomes_read_only_later() {
    for (kind, point) in [("tmpfs", "/t"), ("tmpfs", "/dev"), ("devtmpfs", "/dev")] {
        let entry = all(
            mount(kind, point, MountFlags::NONE, ""),
            MountAttr::RDONLY,
            0,
        );
        let plan = built(&with_mounts(vec![entry]));
        assert_eq!(new_mounts(&plan)[0], (kind, 0));
        assert_eq!(late(&plan), 1, "{kind} {point}");
        // Taken back, it is not.
        let entry = all(
            mount(kind, point, MountFlags::RDONLY, ""),
            0,
            MountAttr::RDONLY,
        );
        assert_eq!(late(&built(&with_mounts(vec![entry]))), 0);
    }
}

#[test]
fn cgroup_mounts_have_them_on_every_way() {
    let entry = |flags| {
        all(
            mount("cgroup", "/sys/fs/cgroup", flags, ""),
            MountAttr::RDONLY | MountAttr::NOSUID,
            0,
        )
    };
    let recursive = |plan: &Plan| {
        count(plan, |op| {
            matches!(
                op,
                Op::MountAttributes {
                    set: 3,
                    recursive: true,
                    ..
                }
            )
        })
    };
    // Version 2, new and cloned.
    let mut case = with_mounts(vec![entry(MountFlags::NONE)]);
    case.config.namespaces.set(NamespaceType::Cgroup, "");
    let plan = built(&case);
    assert_eq!(new_mounts(&plan), [("cgroup2", 3)]);
    assert_eq!(recursive(&plan), 1);
    case.config.namespaces.remove(NamespaceType::Cgroup);
    assert_eq!(recursive(&built(&case)), 1);

    // Version 1: each hierarchy, and the tmpfs that they are in.
    case.view = hierarchies();
    let plan = built(&case);
    assert_eq!(recursive(&plan), 3);
    assert!(
        plan.steps()
            .iter()
            .any(|step| step.context().ends_with("make the tmpfs read-only"))
    );
    case.config.namespaces.set(NamespaceType::Cgroup, "");
    let plan = built(&case);
    let cgroups = |(kind, attributes): &(&str, u64)| *kind == "cgroup" && *attributes == 3;
    assert_eq!(
        new_mounts(&plan)
            .iter()
            .filter(|made| cgroups(made))
            .count(),
        3
    );
}

/// What protects the host's cgroups is not to be taken back.
#[test]
fn a_cgroup_mount_that_must_be_read_only_stays_so() {
    let mut case = Case::user_namespace();
    case.config.namespaces.remove(NamespaceType::Cgroup);
    case.config.rootless_cgroups = true;
    let writable = all(
        mount("cgroup", "/sys/fs/cgroup", MountFlags::NONE, ""),
        0,
        MountAttr::RDONLY,
    );
    case.config.mounts = vec![writable];
    case.config.readonlyfs = false;
    let plan = built(&case);
    let mut changes = ops(&plan).into_iter().filter_map(|op| match op {
        Op::MountAttributes { set, clear, .. } => Some((*set, *clear)),
        _ => None,
    });
    assert!(changes.any(|(set, _)| set & MountAttr::RDONLY != 0));
    assert!(changes.all(|(_, clear)| clear & MountAttr::RDONLY == 0));
}
