//! What the order of the steps must obey, checked on the finished list.

use super::kinds::Touch;
use super::op::{Op, Role, Slot};
use super::slot_set::SlotSet;
use super::{Input, Step};
use crate::error::{Error, Result};
use crate::namespace_types::NamespaceSet;
use crate::namespace_types::NamespaceType::{Ipc, Mount, Network, Pid, Time, User, Uts};

const CAP_SYS_ADMIN: u64 = 1 << 21;

/// Every check.
pub(super) fn all(inputs: &[Input], steps: &[Step], clone: NamespaceSet) -> Result<()> {
    ending(steps)?;
    tolerated(steps)?;
    host_clone(steps, clone)?;
    namespaces(steps)?;
    tail(steps)?;
    slots(inputs, steps)
}

fn wrong(step: &Step, what: &str) -> Error {
    Error::plan(format!("step \"{}\" {what}", step.context))
}

fn position(steps: &[Step], wanted: impl Fn(&Op) -> bool) -> Option<usize> {
    steps.iter().position(|step| wanted(&step.op))
}

/// The last step executes the program or ends the process; nothing else does.
fn ending(steps: &[Step]) -> Result<()> {
    match position(steps, |op| matches!(op, Op::Exec { .. } | Op::Exit)) {
        Some(at) if at + 1 == steps.len() => Ok(()),
        _ => Err(Error::plan(
            "the last step, and only the last, must execute the program or exit",
        )),
    }
}

fn has(op: &Op, role: Role) -> bool {
    op.roles().contains(&role)
}

/// What a plan asks for as a protection: it is done, or the plan fails. A namespace may refuse to
/// let a process drop its groups (`setgroups` is `deny`); to set some is not optional.
fn protects(op: &Op) -> bool {
    match op {
        Op::Dumpable(on) => !on,
        Op::SetGroups(gids) => !gids.is_empty(),
        _ => has(op, Role::Protects),
    }
}

/// A protection must not be allowed to fail, nor be jumped over.
fn tolerated(steps: &[Step]) -> Result<()> {
    for (index, step) in steps.iter().enumerate() {
        let strict = || protects(&step.op) || has(&step.op, Role::Strict);
        if !step.errnos.is_empty() && strict() {
            return Err(wrong(
                step,
                "is a protection and may not tolerate a failure",
            ));
        }
        if step.otherwise.is_some() && step.errnos.is_empty() {
            return Err(wrong(
                step,
                "has an alternative but no errno that leads to it",
            ));
        }
        let target = match step.op {
            Op::Jump(label) => Some(label.0),
            _ => step.otherwise,
        };
        let end = target
            .and_then(|target| usize::try_from(target).ok())
            .unwrap_or(index);
        let jumped = steps.get(index + 1..end).unwrap_or(&[]);
        if let Some(protection) = jumped.iter().find(|step| protects(&step.op)) {
            return Err(wrong(
                step,
                &format!(
                    "jumps over \"{}\", which is a protection",
                    protection.context
                ),
            ));
        }
    }
    Ok(())
}

/// The supervisor's clone shares the supervisor's memory until the stub is executed: it may only
/// make namespaces that have no other process, and that survive the execution.
fn host_clone(steps: &[Step], clone: NamespaceSet) -> Result<()> {
    let harmless = Pid | Mount | Network | Ipc | Uts;
    if !(clone - harmless).is_empty() {
        return Err(Error::plan(
            "the supervisor's clone may only make pid, mount, network, ipc and uts namespaces",
        ));
    }
    let second = steps.iter().find(|step| match &step.op {
        Op::SecondStage | Op::JoinProcess { .. } => true,
        Op::Unshare(made) => made.contains(User),
        Op::Join(joined) => joined.iter().any(|(_, kind)| matches!(kind, Pid | User)),
        _ => false,
    });
    match second {
        Some(step) if !clone.is_empty() => Err(wrong(
            step,
            "makes or joins what the namespaces of the supervisor's clone must come after",
        )),
        _ => Ok(()),
    }
}

fn namespaces(steps: &[Step]) -> Result<()> {
    let mut dumpable = false;
    // Joined or made, and entered by the next child only.
    let mut waiting_for_child = None;
    let mut two_stages = false;
    for step in steps {
        if matches!(step.op, Op::SecondStage) && std::mem::replace(&mut two_stages, true) {
            return Err(wrong(step, "makes a second stage once more"));
        }
        match &step.op {
            Op::Unshare(made) if made.contains(User) && *made != User.into() => {
                return Err(wrong(
                    step,
                    "makes other namespaces together with a user namespace",
                ));
            }
            Op::Unshare(made) if made.intersects(Pid | Time) => waiting_for_child = Some(step),
            Op::Join(joined) if joined.iter().any(|(_, kind)| *kind == Pid) => {
                waiting_for_child = Some(step);
            }
            Op::JoinProcess { namespaces, .. } if namespaces.contains(Pid) => {
                waiting_for_child = Some(step)
            }
            Op::SecondStage if !dumpable => waiting_for_child = None,
            Op::Dumpable(on) => dumpable = *on,
            Op::AskIdMaps if !dumpable => {
                return Err(wrong(
                    step,
                    "must come while the process is dumpable, or the supervisor may not write the maps",
                ));
            }
            Op::PivotRoot(_)
            | Op::Hook(_)
            | Op::Join(_)
            | Op::JoinProcess { .. }
            | Op::SecondStage
                if dumpable =>
            {
                return Err(wrong(step, "must not come while the process is dumpable"));
            }
            _ => {}
        }
    }
    match waiting_for_child {
        Some(step) => Err(wrong(
            step,
            "changes the namespaces of children only, and no second stage follows",
        )),
        None => Ok(()),
    }
}

/// The order of the last steps.
fn tail(steps: &[Step]) -> Result<()> {
    let lookup = position(steps, |op| matches!(op, Op::Lookup(_)));
    let closed = position(steps, |op| matches!(op, Op::CloseControl));
    let exits = position(steps, |op| matches!(op, Op::Exit));
    // A plan that exits has no program, and closes the channel by its end.
    let lookup = lookup.or(exits);
    let (Some(lookup), Some(closed)) = (lookup, closed.or(exits)) else {
        return Err(Error::plan(
            "the program must be looked up, and the control channel closed, before it is executed",
        ));
    };
    if lookup > closed {
        return Err(Error::plan(
            "the program must be looked up before the control channel is closed",
        ));
    }
    for (index, step) in steps.iter().enumerate() {
        if index > closed && has(&step.op, Role::Asks) {
            return Err(wrong(
                step,
                "needs the control channel and comes after it is closed",
            ));
        }
        if matches!(step.op, Op::WaitStart(_) | Op::LateHooks(_)) && index < closed {
            return Err(wrong(step, "must come after the control channel is closed"));
        }
    }
    steps
        .iter()
        .enumerate()
        .filter(|(_, step)| matches!(step.op, Op::Seccomp { .. }))
        .try_for_each(|(at, step)| filter_in_place(steps, step, at, lookup))
}

/// A filter is loaded when the process is ready: without `no_new_privs` while it still has the
/// privilege, and with it as late as it can be.
fn filter_in_place(steps: &[Step], filter: &Step, at: usize, lookup: usize) -> Result<()> {
    let (before, after) = steps.split_at_checked(at).unwrap_or((steps, &[]));
    if position(after, |op| matches!(op, Op::AskReady)).is_some() {
        return Err(wrong(
            filter,
            "loads the filter before the process has reported that it is ready",
        ));
    }
    if position(before, |op| matches!(op, Op::NoNewPrivileges)).is_some() {
        if at < lookup {
            return Err(wrong(
                filter,
                "loads the filter before the program is looked up",
            ));
        }
    } else if before.iter().any(|step| match step.op {
        Op::Capabilities { effective, .. } => effective & CAP_SYS_ADMIN == 0,
        _ => false,
    }) {
        return Err(wrong(
            filter,
            "needs CAP_SYS_ADMIN or no_new_privs, and neither is left",
        ));
    }
    Ok(())
}

/// The slots that some way to a step fills.
#[derive(Clone)]
struct Filled {
    all: SlotSet,
    /// Those of them that still hold the descriptor of an input.
    inputs: SlotSet,
}

impl Filled {
    fn add(&mut self, other: &Self) {
        self.all.add(&other.all);
        self.inputs.add(&other.inputs);
    }
}

/// On some way to each step the slots that it reads are filled, no step fills the slot of an input,
/// every step can be reached, and nothing but the fifo can be open while the stub waits.
///
/// This is not a proof that a slot is filled on *every* way: a step whose failure is tolerated
/// fills nothing, and the builder relies on a later one that tolerates `EBADF`. In the stub an
/// empty slot is always `EBADF`.
fn slots(inputs: &[Input], steps: &[Step]) -> Result<()> {
    let given: SlotSet = inputs.iter().map(|input| input.slot).collect();
    let mut now = Some(Filled {
        all: given.clone(),
        inputs: given,
    });
    // What reaches a step by jumps from further up. Few jumps are open at a time.
    let mut later: Vec<(u32, Filled)> = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let reached = later
            .iter()
            .position(|(target, _)| usize::try_from(*target) == Ok(index));
        if let Some(at) = reached {
            let (_, mut jumped) = later.swap_remove(at);
            if let Some(state) = &now {
                jumped.add(state);
            }
            now = Some(jumped);
        }
        let Some(state) = now.as_mut() else {
            return Err(wrong(step, "is never reached"));
        };
        let mut empty = None;
        step.op.touch(&mut |touch, slot| {
            if touch == Touch::Reads && !state.all.contains(slot) {
                empty.get_or_insert(slot);
            }
        });
        if let Some(slot) = empty {
            return Err(wrong(
                step,
                &format!("reads slot {}, which is empty", slot.0),
            ));
        }
        if let Op::WaitStart(fifo) = step.op {
            nothing_else_open(inputs, steps, index, fifo, state)?;
        }
        // A step that failed with a tolerated errno filled nothing.
        if let Some(target) = step.otherwise {
            jump(&mut later, target, state);
        }
        step.op.touch(&mut |touch, slot| {
            if touch == Touch::Empties {
                state.all.remove(slot);
                state.inputs.remove(slot);
            }
        });
        let mut input = None;
        step.op.touch(&mut |touch, slot| {
            if touch == Touch::Fills {
                state.all.insert(slot);
                input = input.or(state.inputs.contains(slot).then_some(slot));
            }
        });
        if let Some(slot) = input {
            return Err(wrong(
                step,
                &format!("fills slot {}, which is an input", slot.0),
            ));
        }
        if let Op::Jump(target) = step.op {
            jump(&mut later, target.0, state);
            now = None;
        }
    }
    Ok(())
}

/// While the stub waits, no slot but that of the fifo is filled.
fn nothing_else_open(
    inputs: &[Input],
    steps: &[Step],
    index: usize,
    fifo: Slot,
    state: &Filled,
) -> Result<()> {
    let mut others = state.all.clone();
    others.remove(fifo);
    let (Some(slot), Some((before, [step, ..]))) = (others.first(), steps.split_at_checked(index))
    else {
        return Ok(());
    };
    let name = name(inputs, before, slot);
    Err(wrong(
        step,
        &format!("waits while slot {} ({name}) is still open", slot.0),
    ))
}

fn jump(later: &mut Vec<(u32, Filled)>, target: u32, state: &Filled) {
    match later.iter_mut().find(|(other, _)| *other == target) {
        Some((_, filled)) => filled.add(state),
        None => later.push((target, state.clone())),
    }
}

/// What is in a slot after these steps, for a message.
fn name<'a>(inputs: &'a [Input], steps: &'a [Step], slot: Slot) -> &'a str {
    let fills = |step: &&Step| {
        let mut fills = false;
        step.op
            .touch(&mut |touch, other| fills |= touch == Touch::Fills && other == slot);
        fills
    };
    match steps.iter().rev().find(fills) {
        Some(step) => &step.context,
        None => inputs
            .iter()
            .find(|input| input.slot == slot)
            .map_or("", |input| &input.name),
    }
}
