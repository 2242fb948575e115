//! The search for an argument's value among the values that clauses compare it with.
//!
//! One clause after the other needs four instructions for each: two loads and two comparisons.
//! Clauses that look at the same argument share the loads, and neighbouring values with one answer
//! a comparison, so that as many conditions fit into a program as the kernel takes instructions,
//! nearly.

use std::collections::{BTreeMap, BTreeSet};

use crate::bpf;
use crate::operator::Operator;
use crate::rules::Condition;

use super::assembler::{Assembler, Destination};

/// How many values a leaf of the search tests for equality, one after the other. A leaf costs one
/// comparison more.
const LEAF: usize = 8;

/// Which bits of which argument are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Field {
    /// 0 to 5.
    pub(super) index: u8,
    /// The bits; at most the low 32 for an ABI with arguments of that size.
    pub(super) mask: u64,
}

/// What happens for which value: each entry holds up to the start of the next. The first starts at
/// 0.
#[derive(Debug, Default)]
pub(super) struct Segments(Vec<(u64, Destination)>);

impl Segments {
    /// Where values come up for a destination of their own, and everything else goes to `tail`.
    /// The values have no bits outside `mask`, and neither have those that are searched for.
    pub(super) fn points(
        points: &BTreeMap<u64, Destination>,
        mask: u64,
        tail: Destination,
    ) -> Self {
        let mut segments = Self(vec![(0, tail)]);
        for (value, destination) in points {
            segments.push(*value, *destination);
            // Above the mask there is nothing, and where it has 32 bits a start above it would be
            // compared without its high half.
            if *value < mask {
                segments.push(value.saturating_add(1), tail);
            }
        }
        segments
    }

    /// Where conditions without masks on one argument lead: each value to the destination of the
    /// first that holds, or to `tail`. The conditions see the bits of `mask`, all low ones.
    pub(super) fn intervals(
        conditions: &[(Condition, Destination)],
        mask: u64,
        tail: Destination,
    ) -> Self {
        // Which conditions begin and end to hold at a value.
        let mut changes: BTreeMap<u64, Vec<(usize, bool)>> = BTreeMap::new();
        for (place, (condition, _)) in conditions.iter().enumerate() {
            for (start, end) in holds(condition, mask) {
                changes.entry(start).or_default().push((place, true));
                if let Some(end) = end {
                    changes.entry(end).or_default().push((place, false));
                }
            }
        }
        let mut segments = Self(vec![(0, tail)]);
        let mut holding = BTreeSet::new();
        for (value, changed) in changes {
            // One interval of a condition may end where its other one begins.
            for (place, _) in changed.iter().filter(|(_, begins)| !begins) {
                holding.remove(place);
            }
            for (place, _) in changed.iter().filter(|(_, begins)| *begins) {
                holding.insert(*place);
            }
            let first = holding.first().and_then(|place| conditions.get(*place));
            segments.push(value, first.map_or(tail, |(_, destination)| *destination));
        }
        segments
    }

    /// From `value` on, which must not be below the last start, the destination is this one.
    fn push(&mut self, value: u64, destination: Destination) {
        if self.0.last().is_some_and(|(start, _)| *start == value) {
            self.0.pop();
        }
        if self.0.last().is_none_or(|(_, last)| *last != destination) {
            self.0.push((value, destination));
        }
    }

    /// Writes the search, with its loads.
    pub(super) fn write(&self, field: Field, assembler: &mut Assembler) -> Destination {
        let (low_mask, high_mask) = (half(field.mask), half(field.mask >> 32));
        if high_mask == 0 {
            let values: Vec<_> = self
                .0
                .iter()
                .map(|(value, to)| (half(*value), *to))
                .collect();
            return write_word(&values, field.index, Word::Low, low_mask, assembler);
        }
        // The low halves of each high half at which the destination changes.
        let mut by_high: Vec<(u32, Vec<(u32, Destination)>)> = Vec::new();
        let mut before = None;
        for (value, destination) in &self.0 {
            let (high, low) = (half(*value >> 32), half(*value));
            match by_high.last_mut() {
                Some((last, lows)) if *last == high => lows.push((low, *destination)),
                _ => {
                    let mut lows = Vec::new();
                    if let Some(before) = before.filter(|_| low != 0) {
                        lows.push((0, before));
                    }
                    lows.push((low, *destination));
                    by_high.push((high, lows));
                }
            }
            before = Some(*destination);
        }
        let mut highs = Self::default();
        for (high, lows) in by_high {
            let here = write_word(&lows, field.index, Word::Low, low_mask, assembler);
            highs.push(high.into(), here);
            if let (Some(next), Some((_, last))) = (high.checked_add(1), lows.last()) {
                highs.push(next.into(), *last);
            }
        }
        let values: Vec<_> = highs
            .0
            .iter()
            .map(|(value, to)| (half(*value), *to))
            .collect();
        write_word(&values, field.index, Word::High, high_mask, assembler)
    }
}

/// The values for which a condition holds, as up to two intervals: the start, and the end that is
/// not part of it any more.
fn holds(condition: &Condition, mask: u64) -> Vec<(u64, Option<u64>)> {
    let value = condition.value & mask;
    let after = value.checked_add(1).filter(|after| *after <= mask);
    let from = |start: Option<u64>| start.map(|start| (start, None));
    let below = |end: Option<u64>| match end {
        Some(0) => None,
        end => Some((0, end)),
    };
    let (first, second) = match condition.operator {
        Operator::Equal => (Some((value, after)), None),
        Operator::NotEqual => (below(Some(value)), from(after)),
        Operator::GreaterOrEqual => (from(Some(value)), None),
        Operator::Greater => (from(after), None),
        Operator::Less => (below(Some(value)), None),
        // Without a value after it, every one is at most this one.
        Operator::LessOrEqual => (below(after), None),
        // Has no intervals; the caller keeps it out.
        Operator::MaskedEqual => (None, None),
    };
    first.into_iter().chain(second).collect()
}

/// The low 32 bits.
fn half(value: u64) -> u32 {
    u32::try_from(value & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

/// A half of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// The low 32 bits.
    Low,
    /// The high ones.
    High,
}

impl Word {
    /// The offset in `struct seccomp_data` of this half of an argument.
    pub(super) fn offset(self, index: u8) -> u32 {
        let second = (self == Self::High) == cfg!(target_endian = "little");
        bpf::OFFSET_ARGS + 8 * u32::from(index) + if second { 4 } else { 0 }
    }
}

/// Loads a word and searches for it.
fn write_word(
    values: &[(u32, Destination)],
    index: u8,
    word: Word,
    mask: u32,
    assembler: &mut Assembler,
) -> Destination {
    if let [(_, destination)] = values {
        return *destination;
    }
    let search = write_search(&leaves(values), assembler);
    assembler.enter(search);
    if mask != u32::MAX {
        assembler.push(bpf::ALU_AND_K, mask);
    }
    Destination::Code(assembler.push(bpf::LD_W_ABS, word.offset(index)))
}

/// A stretch of the values with one destination, but for some values.
#[derive(Debug)]
struct Leaf {
    start: u32,
    destination: Destination,
    except: Vec<(u32, Destination)>,
}

fn leaves(values: &[(u32, Destination)]) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    let mut rest = values;
    while let [(start, destination), after @ ..] = rest {
        let mut leaf = Leaf {
            start: *start,
            destination: *destination,
            except: Vec::new(),
        };
        rest = after;
        while leaf.except.len() < LEAF {
            match *rest {
                [(value, other), (next, again), ref after @ ..]
                    if again == leaf.destination && value.checked_add(1) == Some(next) =>
                {
                    leaf.except.push((value, other));
                    rest = after;
                }
                [(u32::MAX, other)] => {
                    leaf.except.push((u32::MAX, other));
                    rest = &[];
                }
                _ => break,
            }
        }
        leaves.push(leaf);
    }
    leaves
}

/// Writes the search over leaves in order; the accumulator holds the word when it is entered.
fn write_search(leaves: &[Leaf], assembler: &mut Assembler) -> Destination {
    let (lower, upper) = leaves.split_at(leaves.len() / 2);
    match (lower, upper) {
        ([], [leaf]) => {
            let mut next = leaf.destination;
            for (value, destination) in leaf.except.iter().rev() {
                next =
                    Destination::Code(assembler.jump(bpf::JMP_JEQ_K, *value, *destination, next));
            }
            next
        }
        (lower, [first, ..]) => {
            let yes = write_search(upper, assembler);
            let no = write_search(lower, assembler);
            Destination::Code(assembler.jump(bpf::JMP_JGE_K, first.start, yes, no))
        }
        // Only the empty list has an empty upper half, and every word has a destination.
        (_, []) => Destination::Return(super::UNKNOWN_ARCHITECTURE.return_value()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Destination = Destination::Return(1);
    const B: Destination = Destination::Return(2);
    const TAIL: Destination = Destination::Return(0);

    fn condition(operator: Operator, value: u64) -> Condition {
        Condition {
            index: 0,
            operator,
            value,
            value_two: 0,
        }
    }

    fn intervals(
        conditions: &[(Operator, u64, Destination)],
        mask: u64,
    ) -> Vec<(u64, Destination)> {
        let conditions: Vec<_> = conditions
            .iter()
            .map(|(operator, value, to)| (condition(*operator, *value), *to))
            .collect();
        Segments::intervals(&conditions, mask, TAIL).0
    }

    #[test]
    fn neighbours_with_one_destination_are_one_segment() {
        let equal = |value, to| (Operator::Equal, value, to);
        assert_eq!(
            intervals(
                &[equal(7, A), equal(5, A), equal(6, A), equal(8, B)],
                u64::MAX
            ),
            [(0, TAIL), (5, A), (8, B), (9, TAIL)]
        );
        assert_eq!(intervals(&[equal(0, A)], u64::MAX), [(0, A), (1, TAIL)]);
        assert_eq!(
            intervals(&[equal(u64::MAX, A)], u64::MAX),
            [(0, TAIL), (u64::MAX, A)]
        );
    }

    #[test]
    fn the_first_condition_that_holds_decides() {
        assert_eq!(
            intervals(
                &[
                    (Operator::Equal, 4, B),
                    (Operator::Less, 9, A),
                    (Operator::NotEqual, 12, B),
                ],
                u64::MAX
            ),
            [(0, A), (4, B), (5, A), (9, B), (12, TAIL), (13, B)]
        );
    }

    #[test]
    fn the_ends_of_the_values_are_part_of_them() {
        let narrow = u64::from(u32::MAX);
        for mask in [u64::MAX, narrow] {
            assert_eq!(
                intervals(&[(Operator::LessOrEqual, mask, A)], mask),
                [(0, A)]
            );
            assert_eq!(
                intervals(&[(Operator::Greater, mask, A)], mask),
                [(0, TAIL)]
            );
            assert_eq!(intervals(&[(Operator::Less, 0, A)], mask), [(0, TAIL)]);
            assert_eq!(
                intervals(&[(Operator::GreaterOrEqual, 0, A)], mask),
                [(0, A)]
            );
            assert_eq!(
                intervals(&[(Operator::NotEqual, mask, A)], mask),
                [(0, A), (mask, TAIL)]
            );
        }
        // What does not fit is not seen.
        assert_eq!(
            intervals(&[(Operator::Equal, 1 << 32, A)], narrow),
            [(0, A), (1, TAIL)]
        );
    }
}
