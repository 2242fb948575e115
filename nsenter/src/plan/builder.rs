use std::borrow::Cow;

use super::encoder::Encoder;
use super::op::{Label, Op, Slot};
use super::{Input, Plan, Step, check};
use crate::error::{Error, Result};
use crate::namespace_types::NamespaceSet;
use crate::wire::{
    Blob, HEADER, Header, MAX_ERRNOS, MAX_PLAN, MAX_SLOTS, MAX_STEPS, RECORD, Record,
};

/// Collects the steps of a plan. Pure: nothing here touches the system.
///
/// Mistakes are kept and reported by [`build`](Self::build), so that plan-building code need not
/// check every call.
#[derive(Debug, Default)]
pub struct PlanBuilder {
    slots: usize,
    pub(super) inputs: Vec<Input>,
    pub(super) steps: Vec<Step>,
    /// The step that each label is bound to, by its number from 1 on.
    labels: Vec<Option<usize>>,
    pub(super) clone: NamespaceSet,
    pub(super) passed: u32,
    mistake: Option<Error>,
}

impl PlanBuilder {
    /// An empty plan: no namespace, no passed descriptor.
    #[must_use]
    pub fn new() -> Self {
        Self {
            // As many as most plans have: to move them is what takes time when a list grows.
            steps: Vec::with_capacity(160),
            ..Self::default()
        }
    }

    /// A fresh, empty slot. There are 512, inputs included; more is an error of
    /// [`build`](Self::build).
    pub fn slot(&mut self) -> Slot {
        let number = self.slots.min(MAX_SLOTS - 1);
        self.slots += 1;
        Slot(u16::try_from(number).unwrap_or(u16::MAX))
    }

    /// A slot that the supervisor fills when it spawns the stub; `name` says what it expects, such
    /// as `exec fifo`.
    pub fn input(&mut self, name: impl Into<String>) -> Slot {
        let slot = self.slot();
        self.inputs.push(Input {
            slot,
            name: name.into(),
        });
        slot
    }

    /// Appends a step. `context` is what its failure is called: `mount proc at /proc`.
    pub fn push(&mut self, context: impl Into<Cow<'static, str>>, op: Op) {
        self.step(context.into(), op, &[], None);
    }

    /// Appends a step whose listed errnos (at most 6) are not a failure: the stub goes on with the
    /// next step, and reports it to the supervisor
    /// ([`Warnings::tolerated`](crate::Warnings::tolerated)).
    pub fn push_tolerating(
        &mut self,
        context: impl Into<Cow<'static, str>>,
        op: Op,
        errnos: &[i32],
    ) {
        self.step(context.into(), op, errnos, None);
    }

    /// Appends a step that, on one of the listed errnos (at most 6), continues at `otherwise`.
    pub fn push_or(
        &mut self,
        context: impl Into<Cow<'static, str>>,
        op: Op,
        errnos: &[i32],
        otherwise: Label,
    ) {
        self.step(context.into(), op, errnos, Some(otherwise.0));
    }

    fn step(&mut self, context: Cow<'static, str>, op: Op, errnos: &[i32], otherwise: Option<u32>) {
        if errnos.len() > MAX_ERRNOS || errnos.iter().any(|e| !(1..=4095).contains(e)) {
            self.complain(&context, "lists an impossible set of errnos");
        }
        self.steps.push(Step {
            context,
            op,
            errnos: errnos.to_vec(),
            otherwise,
        });
    }

    fn complain(&mut self, context: &str, what: &str) {
        if self.mistake.is_none() {
            self.mistake = Some(Error::plan(format!("step \"{context}\" {what}")));
        }
    }

    /// A new jump target, bound to no step yet.
    pub fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(u32::try_from(self.labels.len()).unwrap_or(u32::MAX))
    }

    /// Binds the label to the step that is pushed next.
    pub fn bind(&mut self, label: Label) {
        let step = self.steps.len();
        let bound = position(label.0).and_then(|at| self.labels.get_mut(at));
        if bound.is_none_or(|bound| bound.replace(step).is_some()) && self.mistake.is_none() {
            self.mistake = Some(Error::plan("a label is bound twice"));
        }
    }

    /// The namespaces that the supervisor's clone makes: fresh ones, of the types pid, mount,
    /// network, IPC and UTS. Anything else is refused by [`build`](Self::build): a new user
    /// namespace would lose all capabilities when the stub is executed, offsets of a new
    /// time namespace would be frozen before they are written, and a cgroup namespace must come
    /// after the placement.
    pub fn clone_namespaces(&mut self, types: impl Into<NamespaceSet>) {
        self.clone = types.into();
    }

    /// How many descriptors from number 3 on stay open for the program (`LISTEN_FDS`,
    /// `--preserve-fds`).
    pub fn passed_descriptors(&mut self, count: u32) {
        self.passed = count;
    }

    /// Checks and encodes the plan.
    ///
    /// # Errors
    /// [`ErrorKind::Plan`](crate::ErrorKind::Plan), naming the step: too many slots or steps, a
    /// slot that is read but never filled, a descriptor still open when the stub waits for
    /// `start`, a label that is not bound or lies behind, a protection that may fail, or an
    /// order that the kernel or security forbids (the message says which).
    pub fn build(mut self) -> Result<Plan> {
        if let Some(mistake) = self.mistake.take() {
            return Err(mistake);
        }
        if self.slots > MAX_SLOTS {
            return Err(Error::plan(format!(
                "{} descriptor slots, the stub has {MAX_SLOTS}",
                self.slots
            )));
        }
        if self.steps.len() > MAX_STEPS {
            return Err(Error::plan(format!(
                "{} steps, the limit is {MAX_STEPS}",
                self.steps.len()
            )));
        }
        if self.passed > 0xffff {
            return Err(Error::plan("too many passed descriptors"));
        }
        self.resolve_labels()?;
        check::all(&self.inputs, &self.steps, self.clone)?;
        let bytes = self.encode()?;
        Ok(Plan::new(
            bytes,
            self.inputs,
            self.steps,
            self.clone,
            self.passed,
        ))
    }

    /// Replaces every label by the index of the step it is bound to.
    pub(super) fn resolve_labels(&mut self) -> Result<()> {
        let bound = |label: u32| *self.labels.get(position(label)?)?;
        let count = self.steps.len();
        let resolve = |label: u32, index: usize| match bound(label) {
            Some(target) if target > index && target < count => {
                u32::try_from(target).map_err(|_| Error::plan("too many steps"))
            }
            Some(_) => Err(Error::plan("a jump does not go forward to a step")),
            None => Err(Error::plan("a label is not bound")),
        };
        for (index, step) in self.steps.iter_mut().enumerate() {
            if let Op::Jump(label) = &mut step.op {
                *label = Label(resolve(label.0, index)?);
            }
            if let Some(label) = &mut step.otherwise {
                *label = resolve(*label, index)?;
            }
        }
        Ok(())
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        let inputs = 2 * self.inputs.len();
        let records_at = (HEADER + inputs).next_multiple_of(8);
        let records_end = records_at + self.steps.len() * RECORD;
        let mut to = Encoder::with_room(records_end + 96 * self.steps.len());
        to.zeros_until(HEADER);
        for input in &self.inputs {
            to.array(input.slot.0.to_le_bytes());
        }
        to.zeros_until(records_end);
        let mut records: Vec<Record> = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let start = to.len();
            step.op.encode(&mut to);
            let mut record = Record {
                operation: step.op.number(),
                otherwise: step.otherwise.unwrap_or_default(),
                fields: blob(start, to.len()),
                ..Record::default()
            };
            for (to, from) in record.errnos.iter_mut().zip(&step.errnos) {
                *to = u16::try_from(*from).unwrap_or_default();
            }
            records.push(record);
        }
        for (index, (record, step)) in records.iter_mut().zip(&self.steps).enumerate() {
            let start = to.len();
            to.slice(step.context.as_bytes());
            record.context = blob(start, to.len());
            to.put(records_at + index * RECORD, record.encode());
        }
        let names_start = to.len();
        for input in &self.inputs {
            if input.name.contains('\0') {
                return Err(Error::plan("the name of an input contains a NUL"));
            }
            to.slice(input.name.as_bytes());
            to.array([0]);
        }
        let size = to.len();
        if size > MAX_PLAN {
            return Err(Error::plan(format!(
                "the plan has {size} bytes, the limit is {MAX_PLAN}"
            )));
        }
        let short = |n: usize| u32::try_from(n).map_err(|_| Error::plan("too large"));
        let header = Header {
            size: short(size)?,
            clone_flags: self.clone.flags(),
            passed: self.passed,
            slots: short(self.slots)?,
            inputs: blob(HEADER, HEADER + inputs),
            input_names: blob(names_start, size),
            records: Blob {
                offset: short(records_at)?,
                length: short(self.steps.len())?,
            },
        };
        to.put(0, header.encode());
        Ok(to.finish())
    }
}

/// Where a label is in the list: numbers start at 1.
fn position(label: u32) -> Option<usize> {
    usize::try_from(label).ok()?.checked_sub(1)
}

/// A piece of the plan. Beyond 4 GiB it saturates, and the plan is refused for its size.
fn blob(start: usize, end: usize) -> Blob {
    Blob {
        offset: u32::try_from(start).unwrap_or(u32::MAX),
        length: u32::try_from(end - start).unwrap_or(u32::MAX),
    }
}
