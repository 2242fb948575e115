//! From bytes back to operations, without trusting any of the bytes. What a field is, is read by
//! the code that the stub reads it with.

use super::op::{Op, Slot};
use super::{Input, Step};
use crate::namespace_types::NamespaceSet;
use crate::operations::Operation;
use crate::wire::View;

/// What is in a block.
pub(super) struct Decoded {
    pub(super) clone: NamespaceSet,
    pub(super) passed: u32,
    pub(super) inputs: Vec<Input>,
    pub(super) steps: Vec<Step>,
}

/// The content of a block, or `None` if any part of it is malformed.
pub(super) fn plan(bytes: &[u8]) -> Option<Decoded> {
    let view = View::new(bytes)?;
    let header = view.header();
    let slots: Vec<u16> = view.inputs().collect();
    let names = std::str::from_utf8(view.bytes(header.input_names)?).ok()?;
    let names: Vec<&str> = names.split_terminator('\0').collect();
    if names.len() != slots.len() {
        return None;
    }
    let inputs = slots.iter().zip(names);
    let inputs = inputs.map(|(slot, name)| Input {
        slot: Slot(*slot),
        name: name.to_owned(),
    });
    let steps = (0..view.steps()).map(|index| step(&view, index));
    Some(Decoded {
        clone: NamespaceSet::from_flags(header.clone_flags)?,
        passed: header.passed,
        inputs: inputs.collect(),
        steps: steps.collect::<Option<_>>()?,
    })
}

fn step(view: &View<'_>, index: u32) -> Option<Step> {
    let record = view.record(index)?;
    let op = Op::from_decoded(Operation::of(view, &record)?)?;
    let ahead = |target: u32| target > index && target < view.steps();
    let otherwise = (record.otherwise != 0).then_some(record.otherwise);
    if !otherwise.is_none_or(ahead) || matches!(op, Op::Jump(label) if !ahead(label.0)) {
        return None;
    }
    let context = std::str::from_utf8(view.bytes(record.context)?).ok()?;
    let errnos = record.errnos.iter().take_while(|errno| **errno != 0);
    Some(Step {
        context: context.to_owned().into(),
        op,
        errnos: errnos.map(|errno| i32::from(*errno)).collect(),
        otherwise,
    })
}
