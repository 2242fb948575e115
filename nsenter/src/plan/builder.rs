use std::collections::BTreeMap;

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
    labels: usize,
    bound: BTreeMap<u32, usize>,
    pub(super) clone: NamespaceSet,
    pub(super) passed: u32,
    mistake: Option<Error>,
}

impl PlanBuilder {
    /// An empty plan: no namespace, no passed descriptor.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
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
    pub fn push(&mut self, context: impl Into<String>, op: Op) {
        self.step(context.into(), op, &[], None);
    }

    /// Appends a step whose listed errnos (at most 6) are not a failure: the stub goes on with the
    /// next step, and reports it to the supervisor
    /// ([`Warnings::tolerated`](crate::Warnings::tolerated)).
    pub fn push_tolerating(&mut self, context: impl Into<String>, op: Op, errnos: &[i32]) {
        self.step(context.into(), op, errnos, None);
    }

    /// Appends a step that, on one of the listed errnos (at most 6), continues at `otherwise`.
    pub fn push_or(
        &mut self,
        context: impl Into<String>,
        op: Op,
        errnos: &[i32],
        otherwise: Label,
    ) {
        self.step(context.into(), op, errnos, Some(otherwise.0));
    }

    fn step(&mut self, context: String, op: Op, errnos: &[i32], otherwise: Option<u32>) {
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
        self.labels += 1;
        Label(u32::try_from(self.labels).unwrap_or(u32::MAX))
    }

    /// Binds the label to the step that is pushed next.
    pub fn bind(&mut self, label: Label) {
        if self.bound.insert(label.0, self.steps.len()).is_some() && self.mistake.is_none() {
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
    fn resolve_labels(&mut self) -> Result<()> {
        let bound = &self.bound;
        let count = self.steps.len();
        let resolve = |label: u32, index: usize| match bound.get(&label) {
            Some(target) if *target > index && *target < count => {
                u32::try_from(*target).map_err(|_| Error::plan("too many steps"))
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
        let inputs: Vec<u8> = self
            .inputs
            .iter()
            .flat_map(|input| input.slot.0.to_le_bytes())
            .collect();
        let records_at = (HEADER + inputs.len()).next_multiple_of(8);
        let records_end = records_at + self.steps.len() * RECORD;
        let mut data = Vec::with_capacity(64 * self.steps.len());
        let mut records: Vec<Record> = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let start = data.len();
            step.op.encode(&mut data);
            let mut record = Record {
                operation: step.op.number(),
                otherwise: step.otherwise.unwrap_or_default(),
                fields: blob(records_end, start, data.len()),
                ..Record::default()
            };
            for (to, from) in record.errnos.iter_mut().zip(&step.errnos) {
                *to = u16::try_from(*from).unwrap_or_default();
            }
            records.push(record);
        }
        for (record, step) in records.iter_mut().zip(&self.steps) {
            let start = data.len();
            data.extend_from_slice(step.context.as_bytes());
            record.context = blob(records_end, start, data.len());
        }
        let names_start = data.len();
        for input in &self.inputs {
            if input.name.contains('\0') {
                return Err(Error::plan("the name of an input contains a NUL"));
            }
            data.extend_from_slice(input.name.as_bytes());
            data.push(0);
        }
        let input_names = blob(records_end, names_start, data.len());
        let size = records_end + data.len();
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
            inputs: Blob {
                offset: short(HEADER)?,
                length: short(inputs.len())?,
            },
            input_names,
            records: Blob {
                offset: short(records_at)?,
                length: short(self.steps.len())?,
            },
        };
        let mut bytes = Vec::with_capacity(size);
        bytes.extend_from_slice(&header.encode());
        bytes.extend_from_slice(&inputs);
        bytes.resize(records_at, 0);
        for record in &records {
            bytes.extend_from_slice(&record.encode());
        }
        bytes.extend_from_slice(&data);
        Ok(bytes)
    }
}

/// A piece of the data after the records. Beyond 4 GiB it saturates, and the plan is refused for
/// its size.
fn blob(records_end: usize, start: usize, end: usize) -> Blob {
    Blob {
        offset: u32::try_from(records_end + start).unwrap_or(u32::MAX),
        length: u32::try_from(end - start).unwrap_or(u32::MAX),
    }
}
