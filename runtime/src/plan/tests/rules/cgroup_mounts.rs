//! Mounts of type `cgroup`.

use configs::config::{MountAttr, MountFlags, NamespaceType};
use nsenter::plan::{FsOption, Op};

use super::{built, new_mounts, with_mounts};
use crate::plan::CgroupView;
use crate::plan::tests::{Case, count, hierarchies, mount, named, ops, position};

#[test]
fn a_cgroup2_mount_is_new_with_a_namespace_and_a_clone_without() {
    let mut case = Case::standard();
    let plan = built(&case);
    assert!(new_mounts(&plan).contains(&("cgroup2", 0xf)));
    // Where that is not permitted, the container's own directory.
    assert!(ops(&plan).into_iter().any(
        |op| matches!(op, Op::CloneTree { path, .. } if path.to_bytes() == b"/sys/fs/cgroup/c")
    ));

    case.config.namespaces.remove(NamespaceType::Cgroup);
    let plan = built(&case);
    assert!(!new_mounts(&plan).iter().any(|(kind, _)| *kind == "cgroup2"));
    let clone = position(
        &plan,
        |op| matches!(op, Op::CloneTree { path, .. } if path.to_bytes() == b"/sys/fs/cgroup"),
    )
    .unwrap();
    assert!(matches!(
        plan.steps()[clone + 1].op(),
        Op::Verify { expect, .. } if expect.magic == Some(0x6367_7270)
    ));
    assert!(matches!(
        plan.steps()[clone + 2].op(),
        Op::MountAttributes { set: 0xf, .. }
    ));
}

/// No option is dropped: it goes to the file system, is at least read by it, or is an error.
#[test]
fn options_of_a_cgroup_mount_reach_the_kernel_on_every_way() {
    let option = FsOption::Flag(c"nsdelegate".to_owned());
    let mut case = with_mounts(vec![mount(
        "cgroup",
        "/sys/fs/cgroup",
        MountFlags::RDONLY,
        "nsdelegate",
    )]);
    let checked = |case: &Case| {
        let plan = built(case);
        let check = position(
            &plan,
            |op| matches!(op, Op::CheckOptions { options, .. } if *options == [option.clone()]),
        );
        let clone = position(
            &plan,
            |op| matches!(op, Op::CloneTree { path, .. } if path.to_bytes().starts_with(b"/sys")),
        );
        check.is_some_and(|check| Some(check) < clone)
    };
    assert!(checked(&case));
    case.config.namespaces.set(NamespaceType::Cgroup, "");
    assert!(
        ops(&built(&case))
            .into_iter()
            .any(|op| matches!(op, Op::NewMount { options, .. } if *options == [option.clone()]))
    );
    case.view = hierarchies();
    assert!(case.refusal().contains("mounts[0]"));
    // A container without options costs no such step.
    case.config.mounts[0].data.clear();
    case.view = CgroupView::Unified {
        directory: "/sys/fs/cgroup/c".into(),
    };
    assert!(!checked(&case));
}

#[test]
fn the_cgroup_of_the_caller_is_shown_read_only() {
    let mut case = with_mounts(vec![mount(
        "cgroup",
        "/sys/fs/cgroup",
        MountFlags::NONE,
        "",
    )]);
    let CgroupView::Legacy(mut list) = hierarchies() else {
        panic!()
    };
    list[1].of_caller = true;
    case.view = CgroupView::Legacy(list);
    let plan = built(&case);
    let after = |name: &str| {
        let bind = named(&plan, &format!("bind the {name} cgroup"));
        match plan.steps()[bind + 1].op() {
            Op::MountAttributes { set, .. } => *set & MountAttr::RDONLY,
            _ => panic!(),
        }
    };
    assert_eq!(after("memory"), 0);
    assert_eq!(after("cpu,cpuacct"), MountAttr::RDONLY);
}

#[test]
fn without_privilege_and_namespace_the_cgroup_mount_is_read_only_or_hidden() {
    let mut case = Case::user_namespace();
    case.config.namespaces.remove(NamespaceType::Cgroup);
    case.config.rootless_cgroups = true;
    case.config.mounts = vec![mount("cgroup", "/sys/fs/cgroup", MountFlags::NOSUID, "")];
    let plan = built(&case);
    let clone = position(
        &plan,
        |op| matches!(op, Op::CloneTree { path, .. } if path.to_bytes() == b"/sys/fs/cgroup"),
    )
    .unwrap();
    assert_eq!(plan.steps()[clone].tolerated(), [libc::ENOENT]);
    assert!(matches!(
        plan.steps()[clone + 2].op(),
        Op::MountAttributes { set, .. } if set & MountAttr::RDONLY != 0
    ));
    let hidden = usize::try_from(plan.steps()[clone].otherwise().unwrap()).unwrap();
    assert!(
        matches!(plan.steps()[hidden].op(), Op::NewMount { fstype, .. } if fstype.to_bytes() == b"tmpfs")
    );
}

#[test]
fn a_container_without_a_cgroup_sees_nothing_in_place_of_it() {
    let mut case = with_mounts(vec![mount(
        "cgroup",
        "/sys/fs/cgroup",
        MountFlags::NONE,
        "",
    )]);
    let CgroupView::Legacy(mut list) = hierarchies() else {
        panic!()
    };
    list[0].own = std::path::PathBuf::new();
    case.view = CgroupView::Legacy(list);
    let plan = built(&case);
    let hidden = named(&plan, "mount \"cgroup\" at \"/sys/fs/cgroup\": hide");
    assert!(hidden < named(&plan, "attach the memory cgroup"));
    assert!(matches!(
        plan.steps()[hidden].op(),
        Op::NewMount {
            attributes: 0xf,
            ..
        }
    ));

    case.config.namespaces.set(NamespaceType::Cgroup, "");
    case.view = CgroupView::Unified {
        directory: std::path::PathBuf::new(),
    };
    let plan = built(&case);
    let mounted = named(&plan, "mount \"cgroup\" at \"/sys/fs/cgroup\": mount");
    let otherwise = usize::try_from(plan.steps()[mounted].otherwise().unwrap()).unwrap();
    assert_eq!(
        otherwise,
        named(&plan, "mount \"cgroup\" at \"/sys/fs/cgroup\": hide")
    );
}

#[test]
fn legacy_hierarchies_get_a_directory_each_and_links_for_shared_ones() {
    let mut case = with_mounts(vec![mount(
        "cgroup",
        "/sys/fs/cgroup",
        MountFlags::RDONLY,
        "",
    )]);
    case.view = hierarchies();
    let plan = built(&case);
    // Without a cgroup namespace the container's own directories are bound, read-only.
    let bound: Vec<&str> = ops(&plan)
        .into_iter()
        .filter_map(|op| match op {
            Op::CloneTree { path, .. } => path
                .to_str()
                .ok()
                .filter(|path| path.starts_with("/sys/fs")),
            _ => None,
        })
        .collect();
    assert_eq!(
        bound,
        [
            "/sys/fs/cgroup/memory/c",
            "/sys/fs/cgroup/cpu,cpuacct/c",
            "/sys/fs/cgroup/systemd/c"
        ]
    );
    assert_eq!(
        count(&plan, |op| matches!(op, Op::MountAttributes { set: 1, .. })),
        4
    );
    let links: Vec<(&str, &str)> = ops(&plan)
        .into_iter()
        .filter_map(|op| match op {
            Op::Symlink { name, target, .. } => {
                Some((name.to_str().unwrap(), target.to_str().unwrap()))
            }
            _ => None,
        })
        .filter(|(_, target)| *target == "cpu,cpuacct")
        .collect();
    assert_eq!(links, [("cpu", "cpu,cpuacct"), ("cpuacct", "cpu,cpuacct")]);

    case.config.namespaces.set(NamespaceType::Cgroup, "");
    let plan = built(&case);
    let sources: Vec<(&str, &[FsOption])> = ops(&plan)
        .into_iter()
        .filter_map(|op| match op {
            Op::NewMount {
                fstype,
                source: Some(source),
                options,
                ..
            } if fstype.to_bytes() == b"cgroup" => {
                Some((source.to_str().unwrap(), options.as_slice()))
            }
            _ => None,
        })
        .collect();
    let flag = |name: &str| FsOption::Flag(std::ffi::CString::new(name).unwrap());
    assert_eq!(sources[0], ("cgroup", [flag("memory")].as_slice()));
    assert_eq!(
        sources[1],
        ("cgroup", [flag("cpu"), flag("cpuacct")].as_slice())
    );
    assert_eq!(
        sources[2],
        (
            "systemd",
            [FsOption::String(c"name".to_owned(), c"systemd".to_owned())].as_slice()
        )
    );
}
