//! Censuses side by side.

use std::fmt;

use super::census::{Census, Judgement, ROWS};

/// How much more memory there may be than at the beginning: the allocator keeps for each thread
/// what it had. In 100,000 lives it is 20 bytes a life, which is less than a path has.
pub const MEMORY_KIB: u64 = 2048;

/// How much more may be mapped: the allocator reserves for each thread what one of its lives needed
/// at most, and six threads came to 2.1 MiB, of which 0.15 were in use. In 100,000 lives it is 160
/// bytes a life, and what stays mapped is a page at least.
pub const MAPPED_KIB: u64 = 16_384;

/// A column for each census.
#[derive(Debug)]
pub struct Table {
    first: Census,
    later: Vec<(usize, Census)>,
}

impl Table {
    pub(super) fn new(first: Census) -> Self {
        Self {
            first,
            later: Vec::new(),
        }
    }

    pub(super) fn first(&self) -> &Census {
        &self.first
    }

    /// Adds the census after so many lives.
    pub(super) fn push(&mut self, lives: usize, census: Census) {
        self.later.push((lives, census));
    }

    /// What has grown that must not, one line each. Empty is good.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let Some((lives, last)) = self.later.last() else {
            return faults;
        };
        for ((row, first), last) in ROWS.iter().zip(&self.first.0).zip(&last.0) {
            let limit = match row.judgement {
                Judgement::Flat => *first,
                Judgement::Memory(more) => first + more,
            };
            if *last > limit {
                faults.push(format!(
                    "{}: {first} have become {last} in {lives} lives",
                    row.name
                ));
            }
        }
        faults
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<28}{:>8}", "after so many lives", 0)?;
        for (lives, _) in &self.later {
            write!(f, "{lives:>8}")?;
        }
        writeln!(f, "{:>8}", "drift")?;
        for (index, (row, first)) in ROWS.iter().zip(&self.first.0).enumerate() {
            write!(f, "{:<28}{first:>8}", row.name)?;
            let mut last = *first;
            for (_, census) in &self.later {
                last = census.0.get(index).copied().unwrap_or_default();
                write!(f, "{last:>8}")?;
            }
            let drift = i128::from(last) - i128::from(*first);
            writeln!(f, "{drift:>+8}")?;
        }
        Ok(())
    }
}
