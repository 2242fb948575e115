//! The root file system.

use configs::config::MountFlags;
use nsenter::plan::Op;

use super::super::{Case, count, named, position};
use super::{PRIVATE, SHARED, built};

#[test]
fn the_root_is_made_private_by_the_first_ancestor_that_is_a_mount() {
    let plan = built(&Case::bare());
    let Op::Propagation { paths, flags } =
        plan.steps()[named(&plan, "make the mount of the root file system private")].op()
    else {
        panic!()
    };
    assert_eq!(
        paths,
        &[
            c"/bundle/rootfs".to_owned(),
            c"/bundle".to_owned(),
            c"/".to_owned()
        ]
    );
    assert_eq!(*flags, PRIVATE);
}

#[test]
fn the_propagation_of_the_root_is_applied_again_after_the_switch_unless_private() {
    let after = |flags: MountFlags| {
        let mut case = Case::bare();
        case.config.root_propagation = flags;
        let plan = built(&case);
        plan.steps()
            .iter()
            .find(|step| step.context() == "set the propagation of the new root")
            .map(|step| match step.op() {
                Op::Propagation { flags, .. } => *flags,
                _ => 0,
            })
    };
    assert_eq!(after(MountFlags::NONE), None);
    assert_eq!(after(MountFlags::PRIVATE | MountFlags::REC), None);
    assert_eq!(after(MountFlags::SHARED), Some(SHARED));
}

#[test]
fn without_pivot_no_bare_proc_of_the_host_stays_reachable() {
    let mut case = Case::bare();
    case.config.no_pivot_root = true;
    case.host.full_proc_mounts = vec!["/proc".into(), "/sys".into()];
    let plan = built(&case);
    let moved = position(&plan, |op| matches!(op, Op::MoveRoot(_))).unwrap();
    for point in ["/proc", "/sys"] {
        let unmount = named(&plan, &format!("unmount {point}"));
        assert!(unmount < moved);
        assert_eq!(
            plan.steps()[unmount].tolerated(),
            [libc::EPERM, libc::EINVAL]
        );
        let cover = usize::try_from(plan.steps()[unmount].otherwise().unwrap()).unwrap();
        assert_eq!(plan.steps()[cover + 1].context(), format!("cover {point}"));
    }
    assert_eq!(count(&plan, |op| matches!(op, Op::PivotRoot(_))), 0);
}
