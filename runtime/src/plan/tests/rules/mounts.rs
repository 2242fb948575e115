//! Mounts.

use configs::config::{Mount, MountAttr, MountFlags, MountIdMapping};
use nsenter::plan::{Dir, FsOption, Leaf, Op};

use super::{OTHERS, PRIVATE, built, changes, new_mounts, with_mounts};
use crate::plan::Tag;
use crate::plan::tests::{Case, count, mount, named, ops, position, volume};

#[test]
fn destinations_inside_proc_are_refused_but_for_the_known_files() {
    for destination in [
        "/proc/self",
        "//proc/1/fd",
        "/a/../proc/sys",
        "proc/self/attr",
        "/proc/cpuinfo/x",
        "/proc/./sys/",
    ] {
        let case = with_mounts(vec![volume(
            "/x",
            destination,
            MountFlags::NONE,
            MountFlags::NONE,
        )]);
        assert!(
            case.refusal().contains("because it is inside /proc"),
            "{destination}"
        );
    }
    for destination in [
        "/proc/cpuinfo",
        "/proc/uptime",
        "/proc/sys/kernel/ns_last_pid",
        "/proc/sys/crypto/fips_enabled",
    ] {
        with_mounts(vec![volume(
            "/x",
            destination,
            MountFlags::NONE,
            MountFlags::NONE,
        )])
        .init()
        .unwrap();
    }
}

#[test]
fn only_a_whole_procfs_may_be_mounted_on_proc() {
    for destination in ["/proc", "/proc/", "/proc/.", "/a/../proc"] {
        let case = with_mounts(vec![mount("tmpfs", destination, MountFlags::NONE, "")]);
        assert!(
            case.refusal().contains("because it is not of type proc"),
            "{destination}"
        );
    }
    let plan = built(&with_mounts(vec![volume(
        "/proc",
        "/proc",
        MountFlags::NONE,
        MountFlags::NONE,
    )]));
    let check = position(&plan, |op| match op {
        Op::Verify { expect, .. } => expect.magic == Some(0x9fa0) && expect.inode == Some(1),
        _ => false,
    })
    .unwrap();
    assert!(check < named(&plan, "mount \"/proc\" at \"/proc\": attach"));
}

#[test]
fn nothing_is_mounted_over_the_root() {
    for destination in ["/", "", "/a/..", "."] {
        let case = with_mounts(vec![mount("tmpfs", destination, MountFlags::NONE, "")]);
        assert!(
            case.refusal().contains("is on the top of rootfs"),
            "{destination}"
        );
    }
}

#[test]
fn a_destination_on_the_host_below_the_root_means_the_place_inside() {
    let target = |destination: &str| {
        let case = with_mounts(vec![mount("mqueue", destination, MountFlags::NONE, "")]);
        ops(&built(&case))
            .into_iter()
            .find_map(|op| match op {
                Op::MakePath { path, .. } if path.to_bytes() != b"/dev" => {
                    Some(path.to_str().unwrap().to_owned())
                }
                _ => None,
            })
            .unwrap()
    };
    assert_eq!(target("/bundle/rootfs/mnt/x"), "/mnt/x");
    assert_eq!(target("/bundle/./rootfs//mnt"), "/mnt");
    assert_eq!(target("/bundle/rootfs2/mnt"), "/bundle/rootfs2/mnt");
    assert_eq!(target("/bundle/mnt"), "/bundle/mnt");
    let case = with_mounts(vec![mount(
        "mqueue",
        "/bundle/rootfs",
        MountFlags::NONE,
        "",
    )]);
    assert!(case.refusal().contains("is on the top of rootfs"));
    let case = with_mounts(vec![mount(
        "tmpfs",
        "/bundle/rootfs/proc/self",
        MountFlags::NONE,
        "",
    )]);
    assert!(case.refusal().contains("because it is inside /proc"));
}

#[test]
fn a_procfs_that_is_not_the_first_mount_is_looked_at_in_the_end() {
    let context = "check that the container's /proc is a procfs";
    let checks = |case: &Case| {
        let plan = built(case);
        plan.steps()
            .iter()
            .find(|step| step.context() == context)
            .map(|step| step.op().clone())
    };
    let proc = mount("proc", "/proc", MountFlags::NONE, "");
    let before = mount("tmpfs", "/foo", MountFlags::NONE, "");
    assert_eq!(
        checks(&with_mounts(vec![proc.clone(), before.clone()])),
        None
    );
    let Some(Op::Verify { expect, .. }) = checks(&with_mounts(vec![before.clone(), proc])) else {
        panic!()
    };
    assert_eq!((expect.inode, expect.magic), (Some(1), Some(0x9fa0)));
    let bind = volume("/proc", "/proc", MountFlags::NONE, MountFlags::NONE);
    let Some(Op::Verify { expect, .. }) = checks(&with_mounts(vec![before.clone(), bind])) else {
        panic!()
    };
    assert_eq!((expect.inode, expect.magic), (Some(1), Some(0x9fa0)));
    assert_eq!(checks(&with_mounts(vec![before])), None);
}

#[test]
fn proc_and_sysfs_are_mounted_on_plain_directories_only() {
    let plan = built(&Case::standard());
    let plain: Vec<&str> = ops(&plan)
        .into_iter()
        .filter_map(|op| match op {
            Op::MakePlainDirectory { path, .. } => Some(path.to_str().unwrap()),
            _ => None,
        })
        .collect();
    assert_eq!(plain, ["/proc", "/sys"]);
}

#[test]
fn a_plain_bind_is_only_cloned_and_attached() {
    let plan = built(&with_mounts(vec![volume(
        "/src",
        "/data",
        MountFlags::REC,
        MountFlags::NONE,
    )]));
    assert!(changes(&plan).is_empty());
    let clone = named(&plan, "mount \"/src\" at \"/data\": open the source");
    let Op::CloneTree {
        dir: Dir::Cwd,
        path,
        recursive: true,
        into,
    } = plan.steps()[clone].op()
    else {
        panic!()
    };
    assert_eq!(path.to_str().unwrap(), "/src");
    // What the mount point becomes is decided by the source.
    let Op::MakePath {
        leaf: Leaf::Like(like),
        ..
    } = plan.steps()[clone + 1].op()
    else {
        panic!()
    };
    assert_eq!(like, into);
}

#[test]
fn flags_and_propagation_of_a_bind_are_one_call_where_they_can_be() {
    let plan = built(&with_mounts(vec![volume(
        "/src",
        "/data",
        MountFlags::RDONLY,
        MountFlags::PRIVATE | MountFlags::REC,
    )]));
    assert_eq!(
        changes(&plan),
        [(MountAttr::RDONLY, OTHERS, PRIVATE, false, false)]
    );

    let flags = MountFlags::RDONLY | MountFlags::REC;
    let plan = built(&with_mounts(vec![volume(
        "/src",
        "/data",
        flags,
        MountFlags::PRIVATE | MountFlags::REC,
    )]));
    assert_eq!(
        changes(&plan),
        [
            (0, 0, PRIVATE, true, false),
            (MountAttr::RDONLY, OTHERS, 0, false, false)
        ]
    );
}

#[test]
fn propagation_waits_for_the_attachment_once_something_may_be_shared() {
    let shared = volume("/src", "/a", MountFlags::NONE, MountFlags::SHARED);
    let second = volume("/src", "/a/b", MountFlags::NONE, MountFlags::PRIVATE);
    let plan = built(&with_mounts(vec![shared, second]));
    let attach = named(&plan, "mount \"/src\" at \"/a/b\": attach");
    let propagate = plan
        .steps()
        .iter()
        .rposition(|step| matches!(step.op(), Op::MountAttributes { .. }))
        .unwrap();
    assert!(attach < propagate);

    let mut case = with_mounts(vec![volume(
        "/src",
        "/a",
        MountFlags::NONE,
        MountFlags::PRIVATE,
    )]);
    case.config.root_propagation = MountFlags::SHARED | MountFlags::REC;
    let plan = built(&case);
    assert!(
        named(&plan, "mount \"/src\" at \"/a\": attach")
            < position(&plan, |op| matches!(op, Op::MountAttributes { .. })).unwrap()
    );
}

#[test]
fn explicitly_cleared_flags_are_not_kept_when_a_user_namespace_locked_them() {
    let mut bind = volume("/src", "/data", MountFlags::NOSUID, MountFlags::NONE);
    bind.cleared_flags = MountFlags::NOEXEC;
    let mut case = Case::user_namespace();
    case.config.mounts = vec![bind];
    case.config.readonlyfs = false;
    let kept = MountAttr::RDONLY | MountAttr::NODEV;
    // The kernel never locks this one, so it is not kept either.
    let cleared = MountAttr::NOEXEC | MountAttr::NOSYMFOLLOW;
    assert_eq!(
        changes(&built(&case)),
        [
            (0, cleared, 0, false, false),
            (MountAttr::NOSUID, kept, 0, false, true)
        ]
    );
}

#[test]
fn recursive_attributes_are_set_on_top_of_the_others() {
    let mut bind = volume(
        "/src",
        "/data",
        MountFlags::REC | MountFlags::NOSUID,
        MountFlags::NONE,
    );
    bind.rec_attr = Some(MountAttr {
        attr_set: MountAttr::RDONLY,
        ..MountAttr::default()
    });
    let plan = built(&with_mounts(vec![bind]));
    assert_eq!(
        changes(&plan),
        [
            (
                MountAttr::NOSUID,
                MountAttr::RDONLY | OTHERS & !MountAttr::NOSUID,
                0,
                false,
                false
            ),
            (MountAttr::RDONLY, 0, 0, true, false)
        ]
    );
    // rrelatime is a change although the value of what it sets is 0.
    let mut bind = volume("/src", "/data", MountFlags::REC, MountFlags::NONE);
    bind.rec_attr = Some(MountAttr {
        attr_clr: MountAttr::ATIME,
        ..MountAttr::default()
    });
    assert_eq!(
        changes(&built(&with_mounts(vec![bind]))),
        [(0, MountAttr::ATIME, 0, true, false)]
    );
}

#[test]
fn a_bind_takes_no_data_and_an_absolute_source() {
    let mut bind = volume("/src", "/data", MountFlags::NONE, MountFlags::NONE);
    bind.data = "size=1".to_owned();
    assert_eq!(
        with_mounts(vec![bind]).refusal(),
        "bind mounts cannot have any filesystem-specific options applied"
    );
    let bind = volume("src", "/data", MountFlags::NONE, MountFlags::NONE);
    assert!(
        with_mounts(vec![bind])
            .refusal()
            .contains("mounts[0].source")
    );
}

#[test]
fn a_tmpfs_asks_its_mount_point_for_the_mode_unless_it_is_given() {
    for (data, asks) in [("", true), ("size=1m", true), ("mode=0700", false)] {
        let mounts = vec![mount("tmpfs", "/t", MountFlags::NONE, data)];
        let plan = built(&with_mounts(mounts));
        let mode_of = ops(&plan).into_iter().find_map(|op| match op {
            Op::NewMount { mode_of, .. } => Some(mode_of.is_some()),
            Op::MountOn { .. } => Some(false),
            _ => None,
        });
        assert_eq!(mode_of, Some(asks), "{data:?}");
    }
}

#[test]
fn a_read_only_tmpfs_and_dev_become_read_only_after_everything_is_in_them() {
    let mut case = Case::standard();
    case.config.readonlyfs = false;
    case.config.mounts[1].flags |= MountFlags::RDONLY;
    case.config
        .mounts
        .push(mount("tmpfs", "/ro", MountFlags::RDONLY, ""));
    let plan = built(&case);
    let tmpfs: Vec<u64> = new_mounts(&plan)
        .into_iter()
        .filter(|(kind, _)| *kind == "tmpfs")
        .map(|(_, a)| a)
        .collect();
    assert!(
        tmpfs
            .iter()
            .all(|attributes| attributes & MountAttr::RDONLY == 0)
    );
    let last_node = position(
        &plan,
        |op| matches!(op, Op::Symlink { name, .. } if name.to_bytes() == b"ptmx"),
    )
    .unwrap();
    let pivot = position(&plan, |op| matches!(op, Op::PivotRoot(_))).unwrap();
    for point in ["/dev", "/ro"] {
        let at = named(&plan, &format!("make {point} read-only"));
        assert!(last_node < at && pivot < at);
        assert!(matches!(
            plan.steps()[at].op(),
            Op::MountAttributes {
                set: 1,
                clear: 0,
                ..
            }
        ));
    }
}

#[test]
fn tmpcopyup_copies_before_the_mount_covers_its_source() {
    let mut copied = mount("tmpfs", "/etc", MountFlags::NONE, "");
    copied.extensions = Mount::COPY_UP;
    let plan = built(&with_mounts(vec![copied.clone()]));
    let copy = position(&plan, |op| matches!(op, Op::CopyTree { .. })).unwrap();
    assert!(copy < named(&plan, "mount \"tmpfs\" at \"/etc\": attach"));
    copied.device = "mqueue".to_owned();
    assert!(with_mounts(vec![copied]).refusal().contains("tmpcopyup"));
}

#[test]
fn mount_labels_go_where_the_file_system_takes_them() {
    let mut case = Case::standard();
    case.config.mount_label = "u:r:t:s0:c1,c2".to_owned();
    let plan = built(&case);
    let labelled = |kind: &str| {
        ops(&plan).into_iter().any(|op| match op {
            Op::NewMount {
                fstype, options, ..
            }
            | Op::MountOn {
                fstype, options, ..
            }
            | Op::MountIn {
                fstype, options, ..
            } if fstype.to_bytes() == kind.as_bytes() => options.contains(&FsOption::String(
                c"context".to_owned(),
                c"u:r:t:s0:c1,c2".to_owned(),
            )),
            _ => false,
        })
    };
    assert!(labelled("tmpfs") && labelled("devpts"));
    assert!(!labelled("proc") && !labelled("sysfs") && !labelled("mqueue") && !labelled("cgroup2"));
    let Some(Op::SetXattr { name, value, .. }) = ops(&plan)
        .into_iter()
        .find(|op| matches!(op, Op::SetXattr { .. }))
    else {
        panic!()
    };
    assert_eq!(
        (name.to_bytes(), value.as_slice()),
        (b"security.selinux".as_slice(), b"u:r:t:s0:c1,c2".as_slice())
    );
    let Some(Op::Mask { context, .. }) = ops(&plan)
        .into_iter()
        .find(|op| matches!(op, Op::Mask { .. }))
    else {
        panic!()
    };
    assert_eq!(context.as_deref(), Some(c"u:r:t:s0:c1,c2"));
}

#[test]
fn an_id_mapped_mount_is_sent_to_the_supervisor_before_it_is_attached() {
    let mut bind = volume("/src", "/data", MountFlags::REC, MountFlags::NONE);
    bind.id_mapping = Some(MountIdMapping::default());
    let mut case = with_mounts(vec![mount("tmpfs", "/t", MountFlags::NONE, ""), bind]);
    let plan = built(&case);
    let sent = position(&plan, |op| matches!(op, Op::SendDescriptorAndWait { .. })).unwrap();
    assert!(matches!(
        plan.steps()[sent].op(),
        Op::SendDescriptorAndWait { tag, .. } if *tag == Tag::IdMap(1).number()
    ));
    assert!(sent < named(&plan, "mount \"/src\" at \"/data\": attach"));
    case.config.rootless_euid = true;
    assert!(case.refusal().contains("id-mapped"));
    let mut tmpfs = mount("tmpfs", "/t", MountFlags::NONE, "");
    tmpfs.id_mapping = Some(MountIdMapping::default());
    assert!(
        with_mounts(vec![tmpfs])
            .refusal()
            .contains("only bind mounts")
    );
}

#[test]
fn a_source_that_the_mapped_root_cannot_reach_is_asked_for() {
    let plan = built(&Case::user_namespace());
    let own = named(
        &plan,
        "mount \"/private/dir\" at \"/data\": open the source",
    );
    let step = &plan.steps()[own];
    assert_eq!(step.tolerated(), [libc::EACCES, libc::EPERM, libc::EINVAL]);
    let ask = usize::try_from(step.otherwise().unwrap()).unwrap();
    // The supervisor resolves below a root that this process shows it.
    assert!(matches!(plan.steps()[ask].op(), Op::Open { path, .. } if path.to_bytes() == b"/"));
    assert!(matches!(
        plan.steps()[ask + 1].op(),
        Op::SendDescriptor { tag, .. } if *tag == Tag::Root.number()
    ));
    assert!(matches!(
        plan.steps()[ask + 3].op(),
        Op::AskDescriptor { tag, .. } if *tag == Tag::Source(7).number()
    ));

    // What has locked mounts below is cloned by the supervisor, unless it is cloned as a whole.
    let clone = &plan.steps()[ask + 4];
    assert_eq!(clone.tolerated(), [libc::EINVAL]);
    let locked = usize::try_from(clone.otherwise().unwrap()).unwrap();
    assert!(matches!(
        plan.steps()[locked + 1].op(),
        Op::AskDescriptor { tag, .. } if *tag == Tag::Tree(7).number()
    ));
    let mut whole = Case::user_namespace();
    let last = whole.config.mounts.last_mut().unwrap();
    last.flags |= MountFlags::REC;
    let plan = built(&whole);
    assert_eq!(plan.steps()[own].tolerated(), [libc::EACCES, libc::EPERM]);
    assert_eq!(count(&plan, |op| matches!(op, Op::AskDescriptor { .. })), 1);

    // A supervisor without privilege has no more rights than the process.
    let mut case = Case::user_namespace();
    case.host.effective_uid = 1000;
    assert_eq!(
        count(&built(&case), |op| matches!(op, Op::AskDescriptor { .. })),
        0
    );
}

/// Nothing that is mounted on the host meanwhile may appear in the tree without its attributes or
/// ids.
#[test]
fn a_tree_is_private_before_anything_else_is_done_with_it() {
    let private = |more: &dyn Fn(&mut Mount)| {
        let mut bind = volume(
            "/src",
            "/data",
            MountFlags::REC,
            MountFlags::PRIVATE | MountFlags::REC,
        );
        more(&mut bind);
        bind
    };
    let readonly = private(&|bind| {
        bind.rec_attr = Some(MountAttr {
            attr_set: MountAttr::RDONLY,
            ..MountAttr::default()
        });
    });
    let mapped = private(&|bind| {
        bind.id_mapping = Some(MountIdMapping {
            recursive: true,
            ..MountIdMapping::default()
        });
    });
    for shared_root in [false, true] {
        for bind in [&readonly, &mapped] {
            let mut case = with_mounts(vec![bind.clone()]);
            if shared_root {
                case.config.root_propagation = MountFlags::SHARED | MountFlags::REC;
            }
            let plan = built(&case);
            let opened = named(&plan, "mount \"/src\" at \"/data\": open the source");
            assert!(matches!(
                plan.steps()[opened + 1].op(),
                Op::MountAttributes {
                    set: 0,
                    clear: 0,
                    propagation: PRIVATE,
                    recursive: true,
                    ..
                }
            ));
            // Below a shared mount it has to be said again.
            let said = changes(&plan)
                .iter()
                .filter(|change| change.2 == PRIVATE)
                .count();
            assert_eq!(said, 1 + usize::from(shared_root));
        }
    }
    // One that stays a slave cannot be cut off first: that is not to be undone.
    let mut slave = readonly;
    slave.propagation_flags = vec![MountFlags::SLAVE | MountFlags::REC];
    let plan = built(&with_mounts(vec![slave]));
    assert_eq!(
        changes(&plan)
            .iter()
            .map(|change| change.2)
            .collect::<Vec<_>>(),
        [0, 1 << 19]
    );
}

#[test]
fn a_devpts_without_options_has_terminals_for_users() {
    let options = |case: &Case| {
        ops(&built(case))
            .into_iter()
            .find_map(|op| match op {
                Op::NewMount {
                    fstype, options, ..
                }
                | Op::MountOn {
                    fstype, options, ..
                } if fstype.to_bytes() == b"devpts" => Some(format!("{options:?}")),
                _ => None,
            })
            .unwrap()
    };
    let devpts = |flags, data| vec![mount("devpts", "/dev/pts", flags, data)];
    let plain = options(&with_mounts(devpts(MountFlags::NONE, "")));
    assert!(plain.contains("\"ptmxmode\", \"0666\"") && plain.contains("\"gid\", \"5\""));
    for mounts in [
        devpts(MountFlags::NOSUID, ""),
        devpts(MountFlags::NONE, "mode=0600"),
    ] {
        assert!(!options(&with_mounts(mounts)).contains("ptmxmode"));
    }
    // The group has to exist in a user namespace.
    let mut case = Case::user_namespace();
    case.config.mounts = devpts(MountFlags::NONE, "");
    assert!(options(&case).contains("\"gid\""));
    for map in &mut case.config.gid_mappings {
        map.size = 5;
    }
    assert!(!options(&case).contains("\"gid\""));
}

#[test]
fn sysfs_that_a_user_namespace_may_not_mount_is_the_hosts_and_read_only() {
    let plan = built(&Case::user_namespace());
    let own = named(&plan, "mount \"sysfs\" at \"/sys\": mount");
    assert_eq!(plan.steps()[own].tolerated(), [libc::EPERM]);
    let bind = usize::try_from(plan.steps()[own].otherwise().unwrap()).unwrap();
    assert!(matches!(
        plan.steps()[bind].op(),
        Op::CloneTree { path, recursive: true, .. } if path.to_bytes() == b"/sys"
    ));
    assert!(matches!(
        plan.steps()[bind + 2].op(),
        Op::MountAttributes { set, clear: 0, recursive: true, propagation: PRIVATE, .. }
            if set & MountAttr::RDONLY != 0
    ));
    // Elsewhere the refusal is an error.
    let plan = built(&Case::standard());
    let own = named(&plan, "mount \"sysfs\" at \"/sys\": mount");
    assert!(plan.steps()[own].tolerated().is_empty());
}

#[test]
fn many_mounts_share_the_slots_of_the_stub() {
    let mounts = (0..500)
        .map(|n| {
            volume(
                "/src",
                &format!("/m{n}"),
                MountFlags::NONE,
                MountFlags::NONE,
            )
        })
        .collect();
    with_mounts(mounts).init().unwrap();
}

#[test]
fn more_mounts_than_a_plan_can_hold_are_refused_by_the_name_of_the_field() {
    let mounts = |count: u32| {
        let tmpfs = |number: u32| {
            let point = format!("/m/{}/{number}", number % 7);
            mount("tmpfs", &point, MountFlags::NONE, "")
        };
        with_mounts((0..count).map(tmpfs).collect())
    };
    mounts(10_000).init().unwrap();
    assert_eq!(
        mounts(10_001).refusal(),
        "mounts has more than 10000 entries"
    );
}
