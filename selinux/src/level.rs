use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Repr, Result};

/// How many categories there are: `c0` to `c1023`, as every distributed policy has it.
pub const CATEGORIES: u16 = 1024;

/// A level of multi-level security: a sensitivity `s0`, `s1`, … and a set of categories.
///
/// Its text is that of policies: `s0`, `s0:c3`, `s0:c1,c4.c7` with `.` for a run of categories.
/// Multi-category security (MCS) keeps containers apart by giving each its own pair of categories
/// on `s0`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Level {
    sensitivity: u16,
    categories: BTreeSet<u16>,
}

impl Level {
    /// `s0` without categories.
    pub const LOWEST: Self = Self {
        sensitivity: 0,
        categories: BTreeSet::new(),
    };

    /// The level of these numbers.
    ///
    /// # Errors
    /// [`InvalidLabel`](crate::ErrorKind::InvalidLabel) if a category is not below [`CATEGORIES`].
    pub fn new(sensitivity: u16, categories: impl IntoIterator<Item = u16>) -> Result<Self> {
        let level = Self {
            sensitivity,
            categories: categories.into_iter().collect(),
        };
        if level
            .categories
            .last()
            .is_some_and(|last| *last >= CATEGORIES)
        {
            return Err(Repr::Level(level.to_string()).into());
        }
        Ok(level)
    }

    /// The number of the sensitivity.
    #[must_use]
    pub fn sensitivity(&self) -> u16 {
        self.sensitivity
    }

    /// The numbers of the categories, ascending.
    pub fn categories(&self) -> impl Iterator<Item = u16> + '_ {
        self.categories.iter().copied()
    }

    /// Whether a subject of this level may read what has the other: its sensitivity is as high and
    /// its categories include the other's.
    #[must_use]
    pub fn dominates(&self, other: &Self) -> bool {
        self.sensitivity >= other.sensitivity && self.categories.is_superset(&other.categories)
    }
}

impl FromStr for Level {
    type Err = Error;

    /// Reads one level, not a range `low-high`. Categories may come in any order and more than
    /// once.
    fn from_str(text: &str) -> Result<Self> {
        parse(text).ok_or_else(|| Repr::Level(text.to_owned()).into())
    }
}

/// The shortest text: runs of three and more categories are joined by `.`.
impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}", self.sensitivity)?;
        let mut separator = ':';
        let mut rest = self.categories.iter().copied().peekable();
        while let Some(first) = rest.next() {
            let mut last = first;
            while let Some(next) = rest.next_if(|next| Some(*next) == last.checked_add(1)) {
                last = next;
            }
            write!(f, "{separator}c{first}")?;
            separator = ',';
            match last.abs_diff(first) {
                0 => {}
                1 => write!(f, ",c{last}")?,
                _ => write!(f, ".c{last}")?,
            }
        }
        Ok(())
    }
}

fn parse(text: &str) -> Option<Level> {
    let (sensitivity, categories) = match text.split_once(':') {
        Some((sensitivity, categories)) => (sensitivity, Some(categories)),
        None => (text, None),
    };
    let mut level = Level {
        sensitivity: number(sensitivity, 's')?,
        categories: BTreeSet::new(),
    };
    for item in categories.into_iter().flat_map(|list| list.split(',')) {
        let (first, last) = match item.split_once('.') {
            Some((first, last)) => (number(first, 'c')?, number(last, 'c')?),
            None => (number(item, 'c')?, number(item, 'c')?),
        };
        if first > last || last >= CATEGORIES {
            return None;
        }
        level.categories.extend(first..=last);
    }
    Some(level)
}

/// Reads a letter and a decimal number without sign or leading zero.
fn number(text: &str, letter: char) -> Option<u16> {
    let digits = text.strip_prefix(letter)?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    if plain && !leading_zero {
        digits.parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn level(text: &str) -> Level {
        text.parse().unwrap()
    }

    #[test]
    fn texts_and_their_shortest_form() {
        for (text, shortest) in [
            ("s0", "s0"),
            ("s15:c3", "s15:c3"),
            ("s0:c2,c1", "s0:c1,c2"),
            ("s0:c0.c1023", "s0:c0.c1023"),
            ("s0:c1,c2,c3,c7,c5.c6", "s0:c1.c3,c5.c7"),
            ("s0:c4.c4", "s0:c4"),
        ] {
            assert_eq!(level(text).to_string(), shortest);
        }
    }

    #[test]
    fn what_is_no_level() {
        for bad in [
            "",
            "s",
            "0",
            "s0:",
            "s0:c",
            "s0:1",
            "s0:c1024",
            "s0:c5.c4",
            "s0:c1,",
            "s00",
            "s0:c01",
            "s0-s0",
            "s+1",
            "s70000",
            "s0:c1.c2.c3",
            "s0 ",
            "x0",
        ] {
            assert!(bad.parse::<Level>().is_err(), "{bad:?}");
        }
        assert!(Level::new(0, [CATEGORIES]).is_err());
    }

    #[test]
    fn dominance() {
        let pair = level("s0:c1,c2");
        assert!(pair.dominates(&pair));
        assert!(pair.dominates(&Level::LOWEST));
        assert!(level("s0:c0.c1023").dominates(&pair));
        assert!(!pair.dominates(&level("s0:c1,c3")));
        assert!(!level("s0:c0.c5").dominates(&level("s1")));
    }

    proptest! {
        #[test]
        fn printed_levels_read_back(
            sensitivity: u16,
            categories in proptest::collection::btree_set(0..CATEGORIES, 0..40),
        ) {
            let level = Level::new(sensitivity, categories).unwrap();
            prop_assert_eq!(level.to_string().parse::<Level>().unwrap(), level);
        }

        #[test]
        fn any_text_ends(text in "s[0-9]{0,3}(:[c0-9.,]{0,20})?|.{0,20}") {
            let _ = text.parse::<Level>();
        }
    }
}
