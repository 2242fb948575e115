//! Walking a plan as the stub does.

use std::collections::BTreeMap;

use nsenter::plan::{Dir, FsOption, Leaf, Op, Slot};
use proptest::prelude::*;

use crate::plan::BuiltPlan;
/// The slots an operation reads, and those it fills.
pub(super) fn slots(op: &Op) -> (Vec<Slot>, Vec<Slot>) {
    let dir = |dir: &Dir| match dir {
        Dir::Cwd => None,
        Dir::Slot(slot) => Some(*slot),
    };
    match op {
        Op::Open {
            dir: from, into, ..
        }
        | Op::CloneTree {
            dir: from, into, ..
        } => (dir(from).into_iter().collect(), vec![*into]),
        Op::MakePath {
            root, leaf, into, ..
        } => {
            let mut reads = vec![*root];
            if let Leaf::Like(slot) = leaf {
                reads.push(*slot);
            }
            (reads, vec![*into])
        }
        Op::MakePlainDirectory { root, into, .. } => (vec![*root], vec![*into]),
        Op::NewMount { into, options, .. } => {
            let given = options.iter().filter_map(|option| match option {
                FsOption::Descriptor(_, slot) => Some(*slot),
                _ => None,
            });
            (given.collect(), vec![*into])
        }
        Op::AskDescriptor { into, .. } | Op::Socket { into, .. } => (vec![], vec![*into]),
        Op::Attach { mount, target } => (vec![*mount, *target], vec![]),
        Op::CopyTree { from, to } => (vec![*from, *to], vec![]),
        Op::Mask { paths, null, .. } => {
            let roots = paths.iter().map(|(root, _)| *root);
            (roots.chain([*null]).collect(), vec![])
        }
        Op::ReadonlyPaths(paths) => (paths.iter().map(|(root, _)| *root).collect(), vec![]),
        Op::Pty {
            devpts,
            master,
            slave,
        } => (vec![*devpts], vec![*master, *slave]),
        Op::Join(list) => (list.iter().map(|(slot, _)| *slot).collect(), vec![]),
        Op::Write { fd, .. }
        | Op::Verify { fd, .. }
        | Op::SetXattr { fd, .. }
        | Op::SendDescriptor { fd, .. }
        | Op::SendDescriptorAndWait { fd, .. }
        | Op::MountAttributes { mount: fd, .. }
        | Op::MountAttributesOfAll { mount: fd, .. }
        | Op::MountOn { target: fd, .. }
        | Op::MountIn { dir: fd, .. }
        | Op::BindDirectory { dir: fd, .. }
        | Op::MakeNode { dir: fd, .. }
        | Op::Symlink { dir: fd, .. }
        | Op::Remove { dir: fd, .. }
        | Op::Reconfigure { mount: fd, .. }
        | Op::Detach(fd)
        | Op::Sysctl { procfs: fd, .. }
        | Op::JoinProcess { pidfd: fd, .. }
        | Op::HolderPropagation { directory: fd, .. }
        | Op::ControllingTerminal(fd)
        | Op::PivotRoot(fd)
        | Op::MoveRoot(fd)
        | Op::Chroot(fd)
        | Op::ChangeDirectoryTo(fd)
        | Op::Stdio(fd)
        | Op::AskConsole(fd)
        | Op::WaitStart(fd) => (vec![*fd], vec![]),
        _ => (vec![], vec![]),
    }
}

/// Where a jump leads: the label of a built plan prints the index of a step.
fn destination(op: &Op) -> Option<usize> {
    let Op::Jump(label) = op else { return None };
    let text = format!("{label:?}");
    Some(
        text.trim_matches(|c: char| !c.is_ascii_digit())
            .parse()
            .unwrap(),
    )
}

/// Goes through the plan with one step failing, and checks every descriptor on the way.
fn walk(built: &BuiltPlan, failing: Option<usize>) -> Result<(), TestCaseError> {
    let steps = built.plan.steps();
    let mut open: BTreeMap<Slot, usize> = built
        .inputs
        .iter()
        .map(|(slot, _)| (*slot, usize::MAX))
        .collect();
    let mut waited_at = None;
    let mut at = 0;
    while let Some(step) = steps.get(at) {
        let op = step.op();
        let (reads, fills) = slots(op);
        for slot in reads {
            prop_assert!(
                open.contains_key(&slot),
                "step {at} {} reads an empty slot",
                step.context()
            );
        }
        if failing == Some(at) {
            at = step
                .otherwise()
                .map_or(at + 1, |target| usize::try_from(target).unwrap());
            continue;
        }
        for slot in fills {
            prop_assert!(
                open.insert(slot, at).is_none(),
                "step {at} {} leaks what its slot held",
                step.context()
            );
        }
        if let Op::Close(slot) = op {
            open.remove(slot);
        }
        if let Op::WaitStart(fifo) = op {
            waited_at = Some(*fifo);
            prop_assert!(
                open.keys().all(|slot| slot == fifo),
                "open while waiting: {open:?}"
            );
        }
        if let Op::Exec { .. } = op {
            // By the fifo, which the kernel closes, it is seen that the program has begun.
            let only_the_fifo = open.keys().all(|slot| Some(*slot) == waited_at);
            prop_assert!(only_the_fifo, "open at the end: {open:?}");
            return Ok(());
        }
        at = destination(op).unwrap_or(at + 1);
    }
    Err(TestCaseError::fail("the plan does not end"))
}

pub(super) fn walks(built: &BuiltPlan) -> Result<(), TestCaseError> {
    walk(built, None)?;
    for (index, step) in built.plan.steps().iter().enumerate() {
        if !step.tolerated().is_empty() {
            walk(built, Some(index))?;
        }
    }
    Ok(())
}
