//! Sets of descriptor slots, one bit each: a plan is checked without an allocation for its steps.

use super::op::Slot;
use crate::wire::MAX_SLOTS;

const BITS: usize = 64;

/// A set of slots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SlotSet([u64; MAX_SLOTS / BITS]);

impl SlotSet {
    pub(super) fn insert(&mut self, slot: Slot) {
        let number = usize::from(slot.0);
        // A slot that is made by a builder, or read from a plan, is below the limit.
        if let Some(word) = self.0.get_mut(number / BITS) {
            *word |= 1 << (number % BITS);
        }
    }

    pub(super) fn contains(&self, slot: Slot) -> bool {
        let number = usize::from(slot.0);
        let word = self.0.get(number / BITS).copied().unwrap_or_default();
        word >> (number % BITS) & 1 == 1
    }

    /// Takes a slot out; whether it was in the set.
    pub(super) fn remove(&mut self, slot: Slot) -> bool {
        let had = self.contains(slot);
        if let Some(word) = self.0.get_mut(usize::from(slot.0) / BITS) {
            *word &= !(1 << (usize::from(slot.0) % BITS));
        }
        had
    }

    /// Adds all of another set.
    pub(super) fn add(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word |= other;
        }
    }

    /// The slot with the lowest number.
    pub(super) fn first(&self) -> Option<Slot> {
        let index = self.0.iter().position(|word| *word != 0)?;
        let bit = usize::try_from(self.0.get(index)?.trailing_zeros()).ok()?;
        u16::try_from(index * BITS + bit).ok().map(Slot)
    }
}

impl FromIterator<Slot> for SlotSet {
    fn from_iter<T: IntoIterator<Item = Slot>>(slots: T) -> Self {
        let mut set = Self::default();
        slots.into_iter().for_each(|slot| set.insert(slot));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(slots: &[u16]) -> SlotSet {
        slots.iter().copied().map(Slot).collect()
    }

    #[test]
    fn a_set_has_the_slots_that_were_put_into_it() {
        let some = set(&[3, 63, 64, 511]);
        for slot in (0..512).map(Slot) {
            assert_eq!(
                some.contains(slot),
                [3, 63, 64, 511].contains(&slot.0),
                "{slot}"
            );
        }
        assert_eq!(some.first(), Some(Slot(3)));
        assert_eq!(set(&[511]).first(), Some(Slot(511)));
        assert_eq!(SlotSet::default().first(), None);
    }

    #[test]
    fn slots_are_added_and_taken_out() {
        let mut one = set(&[1, 100]);
        one.add(&set(&[100, 200]));
        assert_eq!(one, set(&[1, 100, 200]));
        assert!(one.remove(Slot(100)) && !one.remove(Slot(100)));
        assert_eq!(one, set(&[1, 200]));
    }
}
