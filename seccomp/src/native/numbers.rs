//! What a filter answers for each system call number of one ABI.

use crate::action::Action;
use crate::architecture::Architecture;
use crate::enosys;
use crate::rules::Condition;
use crate::syscalls;

use super::conditions::{Check, Checks, Clause};
use super::ranges::{Answer, Ranges};

/// How many numbers, from the ABI's first, are tracked.
const COUNT: u32 = 1024;

/// ARM's private calls (`__ARM_NR_BASE` in `asm/unistd.h`) lie far above the others.
const ARM_PRIVATE: u32 = 0x000f_0000;

/// How many of them are tracked.
const ARM_PRIVATE_COUNT: u32 = 16;

/// What is known of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    /// No rule.
    Default,
    /// A rule without conditions; its filter's return value.
    Always(u32),
    /// Rules with conditions; an index into [`Numbers::clauses`].
    Conditional(usize),
}

/// The answers of one ABI.
#[derive(Debug)]
pub(super) struct Numbers {
    arch: Architecture,
    /// The plain numbers, then ARM's private ones.
    slots: Vec<Slot>,
    clauses: Vec<Vec<Clause>>,
    /// The largest number that the profile mentions.
    max_nr: Option<u32>,
}

/// What holds for all numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Defaults {
    /// The filter's return value for a call without a rule.
    pub(super) answer: u32,
    /// Whether calls above the largest number get `ENOSYS`.
    pub(super) enosys: bool,
}

impl Numbers {
    pub(super) fn new(arch: Architecture) -> Self {
        let private = if arch == Architecture::Arm {
            ARM_PRIVATE_COUNT
        } else {
            0
        };
        let slots = (0..COUNT + private).map(|_| Slot::Default).collect();
        Self {
            arch,
            slots,
            clauses: Vec::new(),
            max_nr: None,
        }
    }

    /// Notes that the profile mentions this number, whatever it says.
    pub(super) fn mention(&mut self, nr: u32) {
        self.max_nr = self.max_nr.max(Some(nr));
    }

    /// Whether the profile mentions any number.
    pub(super) fn mentions_any(&self) -> bool {
        self.max_nr.is_some()
    }

    /// Adds a rule without conditions. It takes the place of rules with conditions; of several, the
    /// first counts.
    pub(super) fn add_always(&mut self, nr: u32, answer: u32) {
        if let Some(slot) = self.slot(nr)
            && !matches!(slot, Slot::Always(_))
        {
            *slot = Slot::Always(answer);
        }
    }

    /// Adds a rule with conditions. Of several that match a call, the one with the strictest action
    /// counts.
    pub(super) fn add_clause(&mut self, nr: u32, mut conditions: Vec<Condition>, answer: u32) {
        let wide = self.wide();
        conditions.retain(|condition| !condition.always_holds(wide));
        if conditions.is_empty() {
            return self.add_always(nr, answer);
        }
        let next = self.clauses.len();
        let clause = Clause { conditions, answer };
        match self.slot(nr) {
            None | Some(Slot::Always(_)) => {}
            Some(Slot::Conditional(index)) => {
                let index = *index;
                if let Some(clauses) = self.clauses.get_mut(index) {
                    clauses.push(clause);
                }
            }
            Some(slot) => {
                *slot = Slot::Conditional(next);
                self.clauses.push(vec![clause]);
            }
        }
    }

    /// Whether arguments have 64 bits.
    fn wide(&self) -> bool {
        !matches!(
            self.arch,
            Architecture::X86 | Architecture::X32 | Architecture::Arm
        )
    }

    /// Appends the answers to the ranges of the filter, from the ABI's first number on.
    pub(super) fn append_to(self, defaults: Defaults, checks: &mut Checks, ranges: &mut Ranges) {
        let wide = self.wide();
        let base = syscalls::base(self.arch);
        let mut clauses = self.clauses;
        ranges.push(base, Answer::Return(defaults.answer));
        // ENOSYS wins over a rule: calls that do not count for the threshold may lie above it.
        let enosys_above = self.max_nr.filter(|_| defaults.enosys);
        let numbers = (base..base + COUNT).chain(ARM_PRIVATE..ARM_PRIVATE + ARM_PRIVATE_COUNT);
        for (nr, slot) in numbers.zip(self.slots) {
            if enosys_above.is_some_and(|max_nr| nr > max_nr) {
                break;
            }
            let answer = match slot {
                Slot::Default => Answer::Return(defaults.answer),
                Slot::Always(answer) => Answer::Return(answer),
                Slot::Conditional(index) => {
                    let mut clauses = clauses
                        .get_mut(index)
                        .map(std::mem::take)
                        .unwrap_or_default();
                    clauses.sort_by_key(|clause| Action::strictness(clause.answer));
                    Answer::Check(checks.add(Check {
                        clauses,
                        wide,
                        otherwise: defaults.answer,
                    }))
                }
            };
            ranges.push(nr, answer);
        }
        if let Some(max_nr) = enosys_above {
            ranges.push(
                max_nr.saturating_add(1),
                Answer::Return(enosys::ACTION.return_value()),
            );
        }
    }

    /// The slot of a number; every number of the table has one.
    fn slot(&mut self, nr: u32) -> Option<&mut Slot> {
        let plain = nr
            .checked_sub(syscalls::base(self.arch))
            .filter(|position| *position < COUNT);
        let position = match plain {
            Some(position) => position,
            None => COUNT + nr.checked_sub(ARM_PRIVATE)?,
        };
        self.slots.get_mut(usize::try_from(position).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscalls::Syscall;

    #[test]
    fn every_number_of_the_table_has_a_slot() {
        for arch in Architecture::ALL
            .iter()
            .copied()
            .filter(|arch| syscalls::knows(*arch))
        {
            let mut numbers = Numbers::new(arch);
            for nr in Syscall::all().filter_map(|syscall| syscall.number(arch)) {
                assert!(numbers.slot(nr).is_some(), "{} {nr:#x}", arch.name());
            }
        }
    }
}
