use std::collections::HashSet;

use rustix::rand::{GetRandomFlags, getrandom};

use crate::error::{Error, Repr, Result};
use crate::level::{CATEGORIES, Level};

/// How many pairs of two different categories there are: 523 776.
const PAIRS: u32 = CATEGORIES as u32 * (CATEGORIES as u32 - 1) / 2;

/// Hands out pairs of categories, `s0:cA,cB`, each to one holder at a time.
///
/// The registry lives in memory. A program that is started anew first [reserves](McsPairs::reserve)
/// the levels of the containers that exist.
#[derive(Clone, Debug, Default)]
pub struct McsPairs {
    taken: HashSet<(u16, u16)>,
}

impl McsPairs {
    /// A registry with every pair free.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a free pair, starting to look at a random one: levels then do not tell how many were
    /// taken before.
    ///
    /// # Errors
    /// [`Exhausted`](crate::ErrorKind::Exhausted), or [`Io`](crate::ErrorKind::Io) if the kernel
    /// gives no random number.
    pub fn allocate(&mut self) -> Result<Level> {
        let mut bytes = [0; 4];
        getrandom(&mut bytes, GetRandomFlags::empty())
            .map_err(|errno| Error::io("getrandom", "", errno))?;
        self.allocate_from(u32::from_ne_bytes(bytes))
    }

    fn allocate_from(&mut self, start: u32) -> Result<Level> {
        let start = start % PAIRS;
        let (first, second) = (start..PAIRS)
            .chain(0..start)
            .map(pair)
            .find(|pair| !self.taken.contains(pair))
            .ok_or(Repr::Exhausted)?;
        self.taken.insert((first, second));
        Level::new(0, [first, second])
    }

    /// Takes the pair of a level that is in use already, and says whether it was free. A level that
    /// is not a pair on `s0` never collides with one, and is left alone.
    pub fn reserve(&mut self, level: &Level) -> bool {
        pair_of(level).is_none_or(|pair| self.taken.insert(pair))
    }

    /// Gives a pair back.
    pub fn release(&mut self, level: &Level) {
        if let Some(pair) = pair_of(level) {
            self.taken.remove(&pair);
        }
    }
}

fn pair_of(level: &Level) -> Option<(u16, u16)> {
    let mut categories = level.categories();
    match (
        level.sensitivity(),
        categories.next(),
        categories.next(),
        categories.next(),
    ) {
        (0, Some(first), Some(second), None) => Some((first, second)),
        _ => None,
    }
}

/// The pair with a number below [`PAIRS`]: pairs ordered by the larger category, then by the
/// smaller.
fn pair(number: u32) -> (u16, u16) {
    // The larger category k has k smaller ones, so k(k-1)/2 pairs come before its first.
    let larger = number
        .saturating_mul(8)
        .saturating_add(1)
        .isqrt()
        .saturating_add(1)
        / 2;
    let before = larger.saturating_mul(larger.saturating_sub(1)) / 2;
    let narrow = |category: u32| u16::try_from(category).unwrap_or(0);
    (narrow(number.saturating_sub(before)), narrow(larger))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn every_number_is_another_pair() {
        let pairs: HashSet<_> = (0..PAIRS).map(pair).collect();
        assert_eq!(pairs.len(), PAIRS as usize);
        assert!(
            pairs
                .iter()
                .all(|(first, second)| first < second && *second < CATEGORIES)
        );
    }

    #[test]
    fn a_pair_has_one_holder() {
        let mut pairs = McsPairs::new();
        let levels: HashSet<_> = (0..500).map(|_| pairs.allocate().unwrap()).collect();
        assert_eq!(levels.len(), 500);
        assert!(levels.iter().all(|level| level.categories().count() == 2));
        assert!(levels.iter().all(|level| !pairs.clone().reserve(level)));
    }

    #[test]
    fn reserved_pairs_are_passed_over_and_released_ones_return() {
        let mut pairs = McsPairs::new();
        let taken: Level = "s0:c0,c1".parse().unwrap();
        assert!(pairs.reserve(&taken));
        assert!(!pairs.reserve(&taken));
        let next = pairs.allocate_from(0).unwrap();
        assert_ne!(next, taken);
        pairs.release(&taken);
        assert_eq!(pairs.allocate_from(PAIRS).unwrap(), taken);
    }

    #[test]
    fn levels_that_are_no_pair_are_left_alone() {
        let mut pairs = McsPairs::new();
        for text in ["s0", "s0:c1", "s1:c1,c2", "s0:c1.c3"] {
            let level: Level = text.parse().unwrap();
            assert!(pairs.reserve(&level) && pairs.reserve(&level), "{text}");
        }
    }

    #[test]
    fn the_last_pair_and_then_none() {
        let mut pairs = McsPairs::new();
        pairs.taken = (0..PAIRS - 1).map(pair).collect();
        assert_eq!(pairs.allocate().unwrap().to_string(), "s0:c1022,c1023");
        assert_eq!(pairs.allocate().unwrap_err().kind(), ErrorKind::Exhausted);
    }
}
