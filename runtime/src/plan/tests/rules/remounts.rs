//! Remounts: entries that change a mount.

use configs::config::{Mount, MountAttr, MountFlags};
use nsenter::plan::{FsOption, Op, Slot};

use super::{OTHERS, SHARED, built, with_mounts};
use crate::plan::CgroupView;
use crate::plan::tests::{Case, count, mount, named, ops, position, volume};

fn remount(kind: &str, point: &str, flags: MountFlags, data: &str) -> Mount {
    mount(kind, point, flags | MountFlags::REMOUNT, data)
}

fn flags_of_options(options: &[FsOption]) -> Vec<String> {
    options
        .iter()
        .map(|option| format!("{option:?}").replace('"', ""))
        .collect()
}

/// The slot of the only mount that is made.
fn made(case: &Case) -> Slot {
    ops(&built(case))
        .into_iter()
        .find_map(|op| match op {
            Op::NewMount { into, .. } => Some(*into),
            _ => None,
        })
        .unwrap()
}

#[test]
fn a_remount_changes_the_mount_of_an_earlier_entry_by_its_handle() {
    let case = with_mounts(vec![
        mount("tmpfs", "/mnt", MountFlags::NONE, ""),
        remount("tmpfs", "/./mnt", MountFlags::NOSUID, "size=1m"),
    ]);
    let plan = built(&case);
    let Op::Reconfigure { mount, options } =
        plan.steps()[named(&plan, "mount \"tmpfs\" at \"/./mnt\": remount")].op()
    else {
        panic!()
    };
    assert_eq!(*mount, made(&case));
    // As with mount(2) what is not mentioned is taken back.
    assert_eq!(
        flags_of_options(options),
        [
            "Flag(rw)",
            "Flag(async)",
            "Flag(nomand)",
            "Flag(nolazytime)",
            "String(size, 1m)"
        ]
    );
    let at = named(&plan, "mount \"tmpfs\" at \"/./mnt\": set flags");
    assert!(matches!(
        plan.steps()[at].op(),
        Op::MountAttributes { mount, set: MountAttr::NOSUID, clear, .. }
            if *mount == made(&case) && *clear == MountAttr::RDONLY | OTHERS & !MountAttr::NOSUID
    ));
    assert_eq!(count(&plan, |op| matches!(op, Op::NewMount { .. })), 1);
}

#[test]
fn a_bind_remount_neither_binds_nor_looks_at_its_source() {
    let mut change = volume(
        "not even a path",
        "/mnt",
        MountFlags::RDONLY,
        MountFlags::SHARED,
    );
    change.flags |= MountFlags::REMOUNT;
    let first = volume("/src", "/mnt", MountFlags::NONE, MountFlags::NONE);
    let plan = built(&with_mounts(vec![first, change]));
    let cloned: Vec<&[u8]> = ops(&plan)
        .into_iter()
        .filter_map(|op| match op {
            Op::CloneTree { path, .. } if !path.is_empty() => Some(path.to_bytes()),
            _ => None,
        })
        .collect();
    assert_eq!(cloned, [b"/src"]);
    assert_eq!(count(&plan, |op| matches!(op, Op::Reconfigure { .. })), 0);
    assert!(
        ops(&plan)
            .into_iter()
            .any(|op| matches!(op, Op::MountAttributes { set: 1, clear, .. } if *clear == OTHERS))
    );
    assert!(
        ops(&plan).into_iter().any(
            |op| matches!(op, Op::MountAttributes { propagation, .. } if *propagation == SHARED)
        )
    );
}

#[test]
fn a_remount_of_what_no_entry_made_goes_by_its_path() {
    let plan = built(&with_mounts(vec![remount(
        "tmpfs",
        "/a/b",
        MountFlags::NONE,
        "",
    )]));
    let change = position(&plan, |op| matches!(op, Op::Reconfigure { .. })).unwrap();
    assert!(
        matches!(plan.steps()[change - 1].op(), Op::MakePath { path, .. } if path.to_bytes() == b"/a/b")
    );
    // Onto procfs and sysfs no link may lead.
    let plan = built(&with_mounts(vec![remount(
        "sysfs",
        "/sys",
        MountFlags::NONE,
        "",
    )]));
    let change = position(&plan, |op| matches!(op, Op::Reconfigure { .. })).unwrap();
    assert!(matches!(
        plan.steps()[change - 1].op(),
        Op::MakePlainDirectory { .. }
    ));
}

#[test]
fn the_last_word_on_read_only_counts() {
    let late = |case: &Case| {
        let plan = built(case);
        count(&plan, |op| {
            matches!(
                op,
                Op::MountAttributes {
                    set: 1,
                    clear: 0,
                    ..
                }
            )
        })
    };
    let tmpfs = |flags| mount("tmpfs", "/t", flags, "");
    let again = |flags| remount("tmpfs", "/t", flags, "");
    for (first, second, expected) in [
        (MountFlags::RDONLY, MountFlags::NONE, 0),
        (MountFlags::NONE, MountFlags::RDONLY, 1),
        (MountFlags::RDONLY, MountFlags::RDONLY, 1),
    ] {
        let case = with_mounts(vec![tmpfs(first), again(second)]);
        assert_eq!(late(&case), expected, "{first:?} {second:?}");
    }
}

#[test]
fn parameters_are_not_written_through_a_procfs_that_is_remounted() {
    let mut case = with_mounts(vec![
        mount("proc", "/proc", MountFlags::NONE, ""),
        remount("proc", "/proc", MountFlags::RDONLY, ""),
    ]);
    case.config.sysctl = [("kernel.msgmax".to_owned(), "1".to_owned())].into();
    let plan = built(&case);
    let written = ops(&plan).into_iter().find_map(|op| match op {
        Op::Sysctl { procfs, .. } => Some(*procfs),
        _ => None,
    });
    assert_ne!(written, Some(made(&case)));
    assert!(
        plan.steps()
            .iter()
            .any(|step| step.context() == "mount a private procfs")
    );
    // The same for one whose tree becomes read-only.
    let mut proc = mount("proc", "/proc", MountFlags::NONE, "");
    proc.rec_attr = Some(MountAttr {
        attr_set: MountAttr::RDONLY,
        ..MountAttr::default()
    });
    case.config.mounts = vec![proc];
    assert!(
        built(&case)
            .steps()
            .iter()
            .any(|step| step.context() == "mount a private procfs")
    );
}

#[test]
fn what_a_remount_cannot_do_is_refused_by_the_number_of_the_mount() {
    let mut mapped = remount("tmpfs", "/t", MountFlags::NONE, "");
    mapped.id_mapping = Some(configs::config::MountIdMapping::default());
    let mut copied = remount("tmpfs", "/t", MountFlags::NONE, "");
    copied.extensions = Mount::COPY_UP;
    for wrong in [mapped, copied] {
        assert!(
            with_mounts(vec![wrong])
                .refusal()
                .starts_with("mounts[0]: ")
        );
    }
    let mut case = with_mounts(vec![remount("cgroup", "/c", MountFlags::RDONLY, "")]);
    case.view = CgroupView::Legacy(Vec::new());
    assert!(case.refusal().starts_with("mounts[0]: "));
    // Nothing is mounted on the host by it, so nothing is unmounted there.
    let mut case = with_mounts(vec![remount("tmpfs", "/t", MountFlags::NONE, "")]);
    case.config
        .namespaces
        .remove(configs::config::NamespaceType::Mount);
    assert!(case.init().unwrap().host_mounts.is_empty());
}
