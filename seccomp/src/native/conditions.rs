//! Checks of arguments.
//!
//! An argument has 64 bits and BPF's accumulator 32, so that a comparison takes two steps: the high half decides, or,
//! if it is equal, the low half. A 32-bit ABI has only the low half.

use crate::bpf;
use crate::operator::Operator;
use crate::rules::Condition;

use super::assembler::{Assembler, Destination, Label};

/// Conditions that must all hold, and the answer if they do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clause {
    pub(super) conditions: Vec<Condition>,
    /// A filter's return value.
    pub(super) answer: u32,
}

/// The clauses of a system call; the first one whose conditions hold decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    /// In order of precedence.
    pub(super) clauses: Vec<Clause>,
    /// Whether arguments have 64 bits.
    pub(super) wide: bool,
    /// The answer when no clause holds.
    pub(super) otherwise: u32,
}

/// All checks of a filter, each once, whatever number of system calls share it.
#[derive(Debug, Default)]
pub(super) struct Checks {
    checks: Vec<(Check, Option<Destination>)>,
}

/// A check in [`Checks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CheckId(usize);

impl Checks {
    /// Adds a check, unless the same one is there.
    pub(super) fn add(&mut self, check: Check) -> CheckId {
        let known = self.checks.iter().position(|(other, _)| *other == check);
        CheckId(known.unwrap_or_else(|| {
            self.checks.push((check, None));
            self.checks.len().saturating_sub(1)
        }))
    }

    /// Where a check's code starts; it is written if it is not there yet.
    pub(super) fn destination(&mut self, id: CheckId, assembler: &mut Assembler) -> Destination {
        let Some((check, destination)) = self.checks.get_mut(id.0) else {
            // Ids are only made by `add`; a filter never answers less strictly than this for a wrong one.
            return Destination::Return(super::UNKNOWN_ARCHITECTURE.return_value());
        };
        *destination.get_or_insert_with(|| write_check(check, assembler))
    }
}

fn write_check(check: &Check, assembler: &mut Assembler) -> Destination {
    let mut failed = Destination::Return(check.otherwise);
    for clause in check.clauses.iter().rev() {
        let mut holds = Destination::Return(clause.answer);
        for condition in clause.conditions.iter().rev() {
            holds = write_condition(condition, check.wide, holds, failed, assembler);
        }
        failed = holds;
    }
    failed
}

/// The two halves of an argument and of the values it is compared with.
struct Halves {
    offset: u32,
    value: u32,
    value_two: u32,
}

impl Halves {
    fn low(condition: &Condition) -> Self {
        let word = if cfg!(target_endian = "little") { 0 } else { 4 };
        Self::at(condition, word, 0)
    }

    fn high(condition: &Condition) -> Self {
        let word = if cfg!(target_endian = "little") { 4 } else { 0 };
        Self::at(condition, word, 32)
    }

    fn at(condition: &Condition, word: u32, shift: u32) -> Self {
        // The shifted value is masked to 32 bits, so the conversion always succeeds.
        let half =
            |value: u64| u32::try_from((value >> shift) & u64::from(u32::MAX)).unwrap_or_default();
        Self {
            offset: bpf::OFFSET_ARGS + 8 * u32::from(condition.index) + word,
            value: half(condition.value),
            value_two: half(condition.value_two),
        }
    }
}

fn write_condition(
    condition: &Condition,
    wide: bool,
    holds: Destination,
    fails: Destination,
    assembler: &mut Assembler,
) -> Destination {
    let (low, high) = (
        Halves::low(condition),
        wide.then(|| Halves::high(condition)),
    );
    match condition.operator {
        Operator::Equal => write_equal(&low, high.as_ref(), holds, fails, assembler),
        Operator::NotEqual => write_equal(&low, high.as_ref(), fails, holds, assembler),
        Operator::GreaterOrEqual => {
            write_greater(bpf::JMP_JGE_K, &low, high.as_ref(), holds, fails, assembler)
        }
        Operator::Greater => {
            write_greater(bpf::JMP_JGT_K, &low, high.as_ref(), holds, fails, assembler)
        }
        Operator::Less => {
            write_greater(bpf::JMP_JGE_K, &low, high.as_ref(), fails, holds, assembler)
        }
        Operator::LessOrEqual => {
            write_greater(bpf::JMP_JGT_K, &low, high.as_ref(), fails, holds, assembler)
        }
        Operator::MaskedEqual => {
            let next = write_masked(&low, holds, fails, assembler);
            match &high {
                Some(high) => write_masked(high, next, fails, assembler),
                None => next,
            }
        }
    }
}

fn load(half: &Halves, assembler: &mut Assembler) -> Destination {
    Destination::Code(assembler.push(bpf::LD_W_ABS, half.offset))
}

fn write_equal(
    low: &Halves,
    high: Option<&Halves>,
    equal: Destination,
    unequal: Destination,
    assembler: &mut Assembler,
) -> Destination {
    assembler.jump(bpf::JMP_JEQ_K, low.value, equal, unequal);
    let low_loaded = load(low, assembler);
    let Some(high) = high else { return low_loaded };
    assembler.jump(bpf::JMP_JEQ_K, high.value, low_loaded, unequal);
    load(high, assembler)
}

fn write_greater(
    low_test: u16,
    low: &Halves,
    high: Option<&Halves>,
    greater: Destination,
    not: Destination,
    assembler: &mut Assembler,
) -> Destination {
    assembler.jump(low_test, low.value, greater, not);
    let low_loaded = load(low, assembler);
    let Some(high) = high else { return low_loaded };
    let not_greater: Label = assembler.jump(bpf::JMP_JEQ_K, high.value, low_loaded, not);
    assembler.jump(
        bpf::JMP_JGT_K,
        high.value,
        greater,
        Destination::Code(not_greater),
    );
    load(high, assembler)
}

/// One half of a masked comparison; bits of the value outside the mask are ignored.
fn write_masked(
    half: &Halves,
    holds: Destination,
    fails: Destination,
    assembler: &mut Assembler,
) -> Destination {
    let (mask, value) = (half.value, half.value_two & half.value);
    match (mask, value) {
        (0, _) => return holds,
        (mask, 0) => {
            assembler.jump(bpf::JMP_JSET_K, mask, fails, holds);
        }
        (mask, value) => {
            assembler.jump(bpf::JMP_JEQ_K, value, holds, fails);
            if mask != u32::MAX {
                assembler.push(bpf::ALU_AND_K, mask);
            }
        }
    }
    load(half, assembler)
}
