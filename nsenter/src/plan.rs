//! Plans: flat, position-independent lists of operations for the init stub.
//!
//! A [`PlanBuilder`] collects the steps; [`PlanBuilder::build`] checks what can be checked without
//! running anything and encodes them. Building does no I/O, and the same calls give the same bytes.
//! A [`Plan`] can be printed (one line an operation), compared, and handed to
//! [`Spawn`](crate::Spawn).

mod builder;
mod check;
mod decode;
mod display;
mod encoder;
pub(crate) mod failure;
mod kinds;
mod line;
mod op;
mod slot_set;
#[cfg(test)]
mod tests;
mod values;

use std::borrow::Cow;
use std::sync::Arc;

pub use builder::PlanBuilder;
pub use failure::Failure;
pub use op::{Dir, Expect, FieldValue, FsOption, HookCommand, Label, Leaf, Op, Slot};

use crate::error::{Error, Result};
use crate::namespace_types::NamespaceSet;

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub(crate) context: Cow<'static, str>,
    pub(crate) op: Op,
    pub(crate) errnos: Vec<i32>,
    pub(crate) otherwise: Option<u32>,
}

impl Step {
    /// What the step does, such as `mount proc at /proc`.
    #[must_use]
    pub fn context(&self) -> &str {
        &self.context
    }

    /// The operation. A [`Label`] in it is the index of the step to continue at.
    #[must_use]
    pub fn op(&self) -> &Op {
        &self.op
    }

    /// The errnos that do not fail this step.
    #[must_use]
    pub fn tolerated(&self) -> &[i32] {
        &self.errnos
    }

    /// The step to continue at on one of the tolerated errnos; `None` is the next one.
    #[must_use]
    pub fn otherwise(&self) -> Option<u32> {
        self.otherwise
    }
}

/// A descriptor that the supervisor gives when it spawns the stub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    pub(crate) slot: Slot,
    pub(crate) name: String,
}

impl Input {
    /// The slot it fills.
    #[must_use]
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// What it is, such as `exec fifo`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    bytes: Vec<u8>,
    inputs: Vec<Input>,
    steps: Vec<Step>,
    clone: NamespaceSet,
    passed: u32,
}

/// A checked, encoded plan. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan(Arc<Inner>);

impl Plan {
    fn new(
        bytes: Vec<u8>,
        inputs: Vec<Input>,
        steps: Vec<Step>,
        clone: NamespaceSet,
        passed: u32,
    ) -> Self {
        Self(Arc::new(Inner {
            bytes,
            inputs,
            steps,
            clone,
            passed,
        }))
    }

    /// Reads an encoded plan. The bytes may come from anywhere: every length, offset and code is
    /// checked. What the builder would refuse for its meaning (say, a filter loaded too early)
    /// is not checked.
    ///
    /// # Errors
    /// [`ErrorKind::Plan`](crate::ErrorKind::Plan) if the bytes are not a plan of this version and
    /// architecture.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let decoded =
            decode::plan(bytes).ok_or_else(|| Error::plan("the encoded plan is malformed"))?;
        Ok(Self::new(
            bytes.to_vec(),
            decoded.inputs,
            decoded.steps,
            decoded.clone,
            decoded.passed,
        ))
    }

    /// The steps, in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0.steps
    }

    /// The failure of a step; `None` if the plan has no such step.
    pub(crate) fn failure(&self, index: u32, errno: i32, detail: &[u8]) -> Option<Failure> {
        let index = usize::try_from(index).ok()?;
        let step = self.steps().get(index)?;
        Some(Failure {
            index,
            op: step.op.clone(),
            context: step.context.clone().into_owned(),
            errno,
            detail: detail.to_vec(),
        })
    }

    /// The descriptors the supervisor must give.
    #[must_use]
    pub fn inputs(&self) -> &[Input] {
        &self.0.inputs
    }

    /// The namespaces that the supervisor's clone makes.
    #[must_use]
    pub fn clone_namespaces(&self) -> NamespaceSet {
        self.0.clone
    }

    /// How many descriptors after the standard streams stay open for the program.
    #[must_use]
    pub fn passed(&self) -> u32 {
        self.0.passed
    }

    /// The encoded plan.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0.bytes
    }
}
