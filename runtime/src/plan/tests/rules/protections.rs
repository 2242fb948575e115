//! Hidden paths, kernel parameters, labels, keyrings.

use std::ffi::CString;

use configs::config::MountFlags;
use nsenter::plan::{Dir, Op, Plan, Slot};

use super::built;
use crate::plan::tests::{Case, count, named, ops, position};

#[test]
fn masked_paths_are_cleaned_and_masked_once_from_the_mount_they_are_on() {
    let mut case = Case::standard();
    case.config.mask_paths = [
        "/proc/kcore",
        "/a/../proc/kcore",
        "//proc//kcore/",
        "",
        "/x",
        "/sys/firmware",
        "/y",
        "/proc/keys",
    ]
    .map(str::to_owned)
    .to_vec();
    case.config.readonly_paths = ["/proc/sys", "/etc", "/sys"].map(str::to_owned).to_vec();
    let plan = built(&case);
    let made = |kind: &[u8]| {
        ops(&plan)
            .into_iter()
            .find_map(|op| match op {
                Op::NewMount { fstype, into, .. } if fstype.to_bytes() == kind => Some(*into),
                _ => None,
            })
            .unwrap()
    };
    let pivot = ops(&plan).into_iter().find_map(|op| match op {
        Op::PivotRoot(root) => Some(*root),
        _ => None,
    });
    let (proc, sys, root) = (made(b"proc"), made(b"sysfs"), pivot.unwrap());
    let shown = |paths: &[(Slot, CString)]| -> Vec<(Slot, String)> {
        paths
            .iter()
            .map(|(root, path)| (*root, path.to_str().unwrap().to_owned()))
            .collect()
    };
    let expected = |paths: &[(Slot, &str)]| -> Vec<(Slot, String)> {
        paths
            .iter()
            .map(|(root, path)| (*root, (*path).to_owned()))
            .collect()
    };
    let mut seen = Vec::new();
    for op in ops(&plan) {
        match op {
            Op::Mask { paths, .. } | Op::ReadonlyPaths(paths) => seen.push(shown(paths)),
            _ => {}
        }
    }
    assert_eq!(
        seen,
        [
            expected(&[(proc, "/sys"), (root, "/etc"), (sys, "/")]),
            expected(&[
                (proc, "/kcore"),
                (root, "/x"),
                (sys, "/firmware"),
                (root, "/y"),
                (proc, "/keys")
            ])
        ]
    );
}

#[test]
fn sysctls_go_through_the_containers_own_procfs_or_a_private_one() {
    let mut case = Case::engine();
    let procfs = |case: &Case| {
        let plan = built(case);
        let slot = ops(&plan)
            .into_iter()
            .find_map(|op| match op {
                Op::Sysctl { procfs, .. } => Some(*procfs),
                _ => None,
            })
            .unwrap();
        let filled = plan.steps().iter().rposition(|step| matches!(step.op(), Op::NewMount { into, fstype, .. } if *into == slot && fstype.to_bytes() == b"proc"));
        plan.steps()[filled.unwrap()].context().to_owned()
    };
    assert_eq!(procfs(&case), "mount \"proc\" at \"/proc\": mount");
    case.config.mounts[0].data = "subset=pid".to_owned();
    assert_eq!(procfs(&case), "mount a private procfs");
    case.config.mounts[0].data.clear();
    case.config.mounts[0].flags = MountFlags::RDONLY;
    assert_eq!(procfs(&case), "mount a private procfs");
    case.config.mounts.remove(0);
    assert_eq!(procfs(&case), "mount a private procfs");
}

#[test]
fn labels_are_written_through_a_verified_procfs() {
    let mut case = Case::engine();
    case.config.process_label = "u:r:t:s0".to_owned();
    let plan = built(&case);
    let proc = ops(&plan)
        .into_iter()
        .find_map(|op| match op {
            Op::Verify { fd, expect }
                if expect.inode == Some(1) && expect.magic == Some(0x9fa0) =>
            {
                Some(*fd)
            }
            _ => None,
        })
        .unwrap();
    let opened: Vec<&str> = ops(&plan)
        .into_iter()
        .filter_map(|op| match op {
            Op::Open {
                dir: Dir::Slot(dir),
                path,
                resolve,
                ..
            } if *dir == proc && path.to_bytes().starts_with(b"self/") => {
                assert_eq!(
                    *resolve,
                    libc::RESOLVE_BENEATH | libc::RESOLVE_NO_XDEV | libc::RESOLVE_NO_MAGICLINKS
                );
                path.to_str().ok()
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        opened,
        [
            "self/attr/keycreate",
            "self/attr/keycreate",
            "self/attr/apparmor/exec",
            "self/attr/exec",
            "self/attr/exec"
        ]
    );
    let ready = position(&plan, |op| matches!(op, Op::AskReady)).unwrap();
    assert!(named(&plan, "set the process label u:r:t:s0") > ready);
    // The process' own values win.
    case.process.apparmor_profile("other").selinux_label("");
    let plan = built(&case);
    assert_eq!(
        count(
            &plan,
            |op| matches!(op, Op::Write { bytes, .. } if bytes == b"exec other")
        ),
        1
    );
    assert_eq!(
        count(
            &plan,
            |op| matches!(op, Op::Write { bytes, .. } if bytes == b"u:r:t:s0")
        ),
        0
    );
}

#[test]
fn keyrings_are_searchable_by_their_owner_alone() {
    let permissions = |plan: &Plan| {
        ops(plan).into_iter().find_map(|op| match op {
            Op::Keyring {
                name,
                add_permissions,
            } => Some((name.to_str().unwrap().to_owned(), *add_permissions)),
            _ => None,
        })
    };
    let name = || "_ses.c1".to_owned();
    assert_eq!(
        permissions(&built(&Case::standard())),
        Some((name(), 0x8_0000))
    );
    assert_eq!(
        permissions(&built(&Case::user_namespace())),
        Some((name(), 0x8_0000))
    );
    assert_eq!(
        permissions(&Case::standard().exec().unwrap().plan),
        Some((name(), 0))
    );
    assert_eq!(permissions(&built(&Case::bare())), None);
}
