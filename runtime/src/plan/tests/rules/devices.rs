//! Device nodes and links.

use ::devices::Kind;
use configs::config::{Device, MountFlags};
use nsenter::plan::Op;

use super::built;
use crate::plan::tests::{Case, count, named, ops, volume};
use crate::plan::{Tag, is_made_by_parent};

fn device(path: &str, kind: Kind, major: i64, minor: i64) -> Device {
    Device {
        path: path.to_owned(),
        kind,
        major,
        minor,
        ..Case::standard().config.devices[0].clone()
    }
}

#[test]
fn nodes_are_made_below_the_handle_of_dev() {
    let mut case = Case::standard();
    case.config
        .devices
        .push(device("/dev/net/tun", Kind::Char, 10, 200));
    case.config
        .devices
        .push(device("/srv/fifo", Kind::Fifo, 0, 0));
    let plan = built(&case);
    let dev = ops(&plan)
        .into_iter()
        .find_map(|op| match op {
            Op::MakeNode { dir, name, .. } if name.to_bytes() == b"null" => Some(*dir),
            _ => None,
        })
        .unwrap();
    let parent = |path: &str| {
        ops(&plan)
            .into_iter()
            .find_map(|op| match op {
                Op::MakePath {
                    root, path: made, ..
                } if made.to_str() == Ok(path) => Some(*root),
                _ => None,
            })
            .unwrap()
    };
    assert_eq!(parent("net"), dev);
    assert_ne!(parent("srv"), dev);
    let mode = |name: &[u8]| {
        ops(&plan)
            .into_iter()
            .find_map(|op| match op {
                Op::MakeNode {
                    name: made,
                    mode,
                    device,
                    ..
                } if made.to_bytes() == name => Some((*mode, *device)),
                _ => None,
            })
            .unwrap()
    };
    assert_eq!(mode(b"tun"), (libc::S_IFCHR | 0o666, (10, 200)));
    assert_eq!(mode(b"fifo"), (libc::S_IFIFO | 0o666, (0, 0)));
}

#[test]
fn nodes_that_may_not_be_made_are_bound_from_the_host() {
    let plan = built(&Case::standard());
    let make = named(&plan, "make device node /dev/null");
    let step = &plan.steps()[make];
    assert_eq!(step.tolerated(), [libc::EPERM]);
    let bind = usize::try_from(step.otherwise().unwrap()).unwrap();
    assert!(
        matches!(plan.steps()[bind].op(), Op::CloneTree { path, .. } if path.to_bytes() == b"/dev/null")
    );
    assert!(matches!(
        plan.steps()[bind + 1].op(),
        Op::Verify { expect, .. } if expect.device == Some((1, 3))
    ));

    let plan = built(&Case::user_namespace());
    assert_eq!(count(&plan, |op| matches!(op, Op::MakeNode { .. })), 0);
    let mut nested = Case::standard();
    nested.host.in_user_namespace = true;
    assert_eq!(
        count(&built(&nested), |op| matches!(op, Op::MakeNode { .. })),
        0
    );
}

/// In a user namespace: the usual nodes are the host's, others are made by the supervisor with
/// their owner and mode, and pipes can be made.
#[test]
fn a_user_namespace_gets_other_nodes_from_the_parent() {
    let mut case = Case::user_namespace();
    let usual = case.config.devices.len();
    let mut private = device("/dev/null", Kind::Char, 1, 3);
    private.file_mode = 0o600;
    case.config.devices.extend([
        device("/dev/odd", Kind::Char, 1, 5),
        device("/dev/sub/block", Kind::Block, 7, 0),
        private,
        device("/dev/pipe", Kind::Fifo, 0, 0),
    ]);
    let plan = built(&case);
    let asked = count(
        &plan,
        |op| matches!(op, Op::AskDescriptor { tag, .. } if *tag == Tag::Devices.number()),
    );
    assert_eq!(asked, 1);
    for (index, path) in ["/dev/odd", "/dev/sub/block", "/dev/null"]
        .iter()
        .enumerate()
    {
        let at = named(&plan, &format!("open the node for {path}"));
        let name = (usual + index).to_string();
        assert!(matches!(
            plan.steps()[at].op(),
            Op::CloneTree { path, .. } if path.to_bytes() == name.as_bytes()
        ));
        // What the supervisor may not make is the host's.
        assert_eq!(plan.steps()[at].tolerated(), [libc::ENOENT]);
    }
    assert_eq!(count(&plan, |op| matches!(op, Op::Detach(_))), 1);
    // The owner is one of the container.
    let pipes = |case: &Case| -> Vec<(Vec<u8>, u32, u32)> {
        let node = |op: &Op| match op {
            Op::MakeNode { name, uid, gid, .. } => Some((name.to_bytes().to_vec(), *uid, *gid)),
            _ => None,
        };
        ops(&built(case)).into_iter().filter_map(node).collect()
    };
    let last = case.config.devices.len() - 1;
    case.config.devices[last].uid = 100_007;
    assert_eq!(pipes(&case), [(b"pipe".to_vec(), 7, 0)]);

    // Neither a rule alone nor a link of every container makes a node.
    for other in [
        device("", Kind::Char, -1, -1),
        device("/dev//ptmx", Kind::Char, 5, 2),
    ] {
        assert!(!is_made_by_parent(&case.config, &other));
    }

    // Without privilege the supervisor can make none either.
    case.host.effective_uid = 1000;
    assert_eq!(
        count(&built(&case), |op| matches!(op, Op::AskDescriptor { .. })),
        0
    );
    assert_eq!(
        count(&built(&Case::user_namespace()), |op| matches!(
            op,
            Op::Detach(_)
        )),
        0
    );
}

#[test]
fn a_bound_dev_is_left_alone() {
    let mut case = Case::standard();
    case.config.mounts[1] = volume("/dev", "/dev/", MountFlags::REC, MountFlags::NONE);
    let plan = built(&case);
    let makes = |op: &Op| {
        matches!(
            op,
            Op::MakeNode { .. } | Op::Symlink { .. } | Op::Remove { .. }
        )
    };
    assert_eq!(count(&plan, makes), 0);
}

#[test]
fn dev_has_its_links_and_ptmx_is_always_that_of_its_own_devpts() {
    let mut case = Case::standard();
    case.config
        .devices
        .push(device("/dev/ptmx", Kind::Char, 5, 2));
    let links = |case: &Case| -> Vec<String> {
        ops(&built(case))
            .into_iter()
            .filter_map(|op| match op {
                Op::Symlink { name, target, .. } => {
                    Some(format!("{name:?}->{target:?}").replace('"', ""))
                }
                Op::Remove { name, .. } => Some(format!("-{name:?}").replace('"', "")),
                Op::MakeNode { name, .. } if name.to_bytes() == b"ptmx" => Some("node".to_owned()),
                _ => None,
            })
            .collect()
    };
    let common = [
        "fd->/proc/self/fd",
        "stdin->/proc/self/fd/0",
        "stdout->/proc/self/fd/1",
        "stderr->/proc/self/fd/2",
    ];
    let mut expected: Vec<&str> = common.to_vec();
    expected.extend(["core->/proc/kcore", "ptmx->pts/ptmx"]);
    assert_eq!(links(&case), expected);
    // The image's own /dev may hold another ptmx, and a host without kcore has no core.
    case.config.mounts.clear();
    case.host.kcore = false;
    let mut expected: Vec<&str> = common.to_vec();
    expected.extend(["-ptmx", "ptmx->pts/ptmx"]);
    assert_eq!(links(&case), expected);
}

#[test]
fn wildcards_are_no_nodes() {
    let mut case = Case::standard();
    case.config
        .devices
        .push(device("/dev/any", Kind::Char, -1, 3));
    assert!(
        case.refusal()
            .contains("cannot mkdev() device with wildcards")
    );
    case.config.devices.pop();
    case.config
        .devices
        .push(device("/dev/any", Kind::All, 1, 3));
    assert!(case.refusal().contains("/dev/any"));
}
