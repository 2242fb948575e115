//! The root file system.

use configs::config::MountFlags;
use nsenter::plan::Op;

use super::{PRIVATE, SHARED, built};
use crate::plan::tests::{Case, count, named, position};

/// By descriptor, before it is attached; where the mount below could be shared with the host, or
/// not be cloned, that one is made private before.
#[test]
fn the_root_is_private_from_the_start() {
    use MountFlags as M;
    for (flags, holder) in [
        (M::NONE, false),
        (M::SLAVE | M::REC, false),
        (M::PRIVATE | M::REC, false),
        (M::SLAVE, true),
        (M::PRIVATE, true),
        (M::SHARED, true),
        (M::SHARED | M::REC, true),
        (M::UNBINDABLE | M::REC, true),
    ] {
        let mut case = Case::bare();
        case.config.root_propagation = flags;
        let plan = built(&case);
        let found = named(&plan, "open the root file system");
        let clone = named(&plan, "bind the root file system");
        let attach = named(&plan, "attach the root file system");
        let (at, private) = if holder {
            (found + 1, clone - 1)
        } else {
            (clone + 1, attach - 1)
        };
        assert_eq!(at, private, "{flags:?}");
        let kind = match plan.steps()[at].op() {
            Op::HolderPropagation { kind, .. } if holder => *kind,
            Op::MountAttributes {
                propagation,
                recursive: false,
                ..
            } if !holder => *propagation,
            op => panic!("{flags:?}: {op:?}"),
        };
        assert_eq!(kind, PRIVATE, "{flags:?}");
    }
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
