//! Which steps to take.

use std::collections::BTreeMap;

use super::calls;
use super::step::{Action, Kind, Role, Step};

/// xorshift64*: a choice that can be repeated, no more.
#[derive(Debug)]
pub struct Choice(u64);

impl Choice {
    /// A choice that begins with `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap_or_default() % limit
    }
}

/// Every step of a kind: one for each system call that an undisturbed run makes, and of errors one
/// for each that is plausible.
pub fn steps(calls: &BTreeMap<Role, Vec<u64>>, kind: Kind) -> Vec<Step> {
    let mut found = Vec::new();
    for (&role, calls) in calls {
        for (number, &call) in (1..).zip(calls) {
            let step = |action| Step {
                role,
                number,
                action,
            };
            match kind {
                Kind::Kill => found.push(step(Action::Kill)),
                Kind::Hold => found.push(step(Action::Hold)),
                Kind::Error => found.extend(
                    calls::errors(call)
                        .iter()
                        .map(|error| step(Action::Error(*error))),
                ),
            }
        }
    }
    found
}
