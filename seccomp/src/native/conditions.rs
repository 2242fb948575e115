//! Checks of arguments.
//!
//! An argument has 64 bits and BPF's accumulator 32, so that a comparison takes two steps: the high
//! half decides, or, if it is equal, the low half. A 32-bit ABI has only the low half.

use std::collections::BTreeMap;

use crate::bpf;
use crate::operator::Operator;
use crate::rules::Condition;

use super::assembler::{Assembler, Destination, Label};
use super::search::{Field, Segments, Word};

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
            // Ids are only made by `add`; a filter never answers less strictly than this for a
            // wrong one.
            return Destination::Return(super::UNKNOWN_ARCHITECTURE.return_value());
        };
        *destination.get_or_insert_with(|| write_check(check, assembler))
    }
}

/// What is still to be tested of a clause.
#[derive(Debug, Clone, Copy)]
struct Part<'check> {
    conditions: &'check [Condition],
    answer: u32,
}

impl Part<'_> {
    /// The bits that the first condition compares with one value, and the value.
    fn point(&self, all: u64) -> Option<(Field, u64)> {
        let first = self.conditions.first()?;
        let mask = match first.operator {
            Operator::Equal => all,
            Operator::MaskedEqual => first.value & all,
            _ => return None,
        };
        let value = match first.operator {
            Operator::MaskedEqual => first.value_two,
            _ => first.value,
        };
        let index = first.index;
        Some((Field { index, mask }, value & mask))
    }

    /// The argument, where one comparison of the whole of it is all that is left.
    fn comparison(&self) -> Option<u8> {
        match self.conditions {
            [only] if only.operator != Operator::MaskedEqual => Some(only.index),
            _ => None,
        }
    }
}

/// Clauses that follow each other and share what they load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    /// Each compares this argument and nothing else.
    Comparisons(u8),
    /// Each begins with comparing these bits with one value.
    Points(Field),
    /// Each begins with the same condition.
    Common,
    /// One clause alone.
    One,
}

fn write_check(check: &Check, assembler: &mut Assembler) -> Destination {
    let all = if check.wide {
        u64::MAX
    } else {
        u32::MAX.into()
    };
    let mut clauses = check.clauses.clone();
    for clause in &mut clauses {
        // Which condition of a clause is tested first makes no difference.
        clause.conditions.sort_by_key(|condition| condition.index);
    }
    let mut parts: Vec<Part<'_>> = clauses
        .iter()
        .map(|Clause { conditions, answer }| Part {
            conditions,
            answer: *answer,
        })
        .collect();
    // Neither does the order of clauses with the same answer.
    for same in parts.chunk_by_mut(|one, other| one.answer == other.answer) {
        same.sort_by_key(|part| {
            let index = part.conditions.first().map(|condition| condition.index);
            let point = part.point(all).map(|(field, _)| field);
            (index, part.comparison().is_none(), point)
        });
    }
    let otherwise = Destination::Return(check.otherwise);
    write_parts(&parts, all, otherwise, assembler)
}

/// Writes parts of clauses, in order of precedence; `tail` is where calls go for which none holds.
/// `all` has the bits of an argument.
fn write_parts(
    parts: &[Part<'_>],
    all: u64,
    tail: Destination,
    assembler: &mut Assembler,
) -> Destination {
    let mut groups = Vec::new();
    let mut rest = parts;
    while !rest.is_empty() {
        let (group, length) = next_group(rest, all);
        let (these, after) = rest.split_at(length);
        groups.push((group, these));
        rest = after;
    }
    groups
        .into_iter()
        .rev()
        .fold(tail, |failed, (group, parts)| {
            write_group(group, parts, all, failed, assembler)
        })
}

/// The longest group that the parts begin with.
fn next_group(parts: &[Part<'_>], all: u64) -> (Group, usize) {
    let Some(first) = parts.first() else {
        return (Group::One, 0);
    };
    let run = |same: &dyn Fn(&Part<'_>) -> bool| parts.iter().take_while(|part| same(part)).count();
    let mut best = (Group::One, 1);
    if let Some(index) = first.comparison() {
        let length = run(&|part| part.comparison() == Some(index));
        if length > best.1 {
            best = (Group::Comparisons(index), length);
        }
    }
    if let Some((field, _)) = first.point(all) {
        let length = run(&|part| part.point(all).is_some_and(|(other, _)| other == field));
        if length > best.1 {
            best = (Group::Points(field), length);
        }
    }
    if first.conditions.len() > 1 {
        let begins = first.conditions.first();
        let length = run(&|part| part.conditions.len() > 1 && part.conditions.first() == begins);
        if length > best.1 {
            best = (Group::Common, length);
        }
    }
    best
}

fn write_group(
    group: Group,
    parts: &[Part<'_>],
    all: u64,
    failed: Destination,
    assembler: &mut Assembler,
) -> Destination {
    match group {
        Group::Comparisons(index) => {
            let conditions: Vec<_> = parts
                .iter()
                .flat_map(|part| {
                    let answer = Destination::Return(part.answer);
                    part.conditions.iter().map(move |only| (*only, answer))
                })
                .collect();
            let field = Field { index, mask: all };
            Segments::intervals(&conditions, all, failed).write(field, assembler)
        }
        Group::Points(field) => {
            let mut by_value: BTreeMap<u64, Vec<Part<'_>>> = BTreeMap::new();
            for part in parts {
                if let (Some((_, value)), [_, rest @ ..]) = (part.point(all), part.conditions) {
                    by_value.entry(value).or_default().push(Part {
                        conditions: rest,
                        ..*part
                    });
                }
            }
            let points = by_value
                .into_iter()
                .map(|(value, rest)| (value, write_parts(&rest, all, failed, assembler)))
                .collect();
            Segments::points(&points, field.mask, failed).write(field, assembler)
        }
        Group::Common => {
            let rest: Vec<Part<'_>> = parts
                .iter()
                .map(|part| Part {
                    conditions: part.conditions.get(1..).unwrap_or_default(),
                    ..*part
                })
                .collect();
            let holds = write_parts(&rest, all, failed, assembler);
            match parts.first().and_then(|part| part.conditions.first()) {
                Some(common) => write_condition(common, all, holds, failed, assembler),
                None => holds,
            }
        }
        Group::One => {
            let Some(part) = parts.first() else {
                return failed;
            };
            let answer = Destination::Return(part.answer);
            part.conditions
                .iter()
                .rev()
                .fold(answer, |holds, condition| {
                    write_condition(condition, all, holds, failed, assembler)
                })
        }
    }
}

/// The two halves of an argument and of the values it is compared with.
struct Halves {
    offset: u32,
    value: u32,
    value_two: u32,
}

impl Halves {
    fn low(condition: &Condition) -> Self {
        Self::at(condition, Word::Low, 0)
    }

    fn high(condition: &Condition) -> Self {
        Self::at(condition, Word::High, 32)
    }

    fn at(condition: &Condition, word: Word, shift: u32) -> Self {
        // The shifted value is masked to 32 bits, so the conversion always succeeds.
        let half =
            |value: u64| u32::try_from((value >> shift) & u64::from(u32::MAX)).unwrap_or_default();
        Self {
            offset: word.offset(condition.index),
            value: half(condition.value),
            value_two: half(condition.value_two),
        }
    }
}

fn write_condition(
    condition: &Condition,
    all: u64,
    holds: Destination,
    fails: Destination,
    assembler: &mut Assembler,
) -> Destination {
    let wide = all > u32::MAX.into();
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
