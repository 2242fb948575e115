//! Sets of CPUs and of memory nodes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::oci;

/// A set of CPU or memory node numbers, as a bit mask.
///
/// Text form: the kernel's list format (`0-3,7`). JSON form: an array of 64-bit numbers, lowest
/// first.
///
/// ```
/// # use cofferdam_configs::config::CpuSet;
/// let set: CpuSet = "0-2, 5".parse()?;
/// assert_eq!(set.iter().collect::<Vec<_>>(), [0, 1, 2, 5]);
/// assert_eq!(set.to_string(), "0-2,5");
/// # Ok::<(), cofferdam_configs::config::CpuSetError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CpuSet {
    // No zero word at the end, so that equal sets compare equal.
    mask: Vec<u64>,
}

impl CpuSet {
    /// The largest number the text form may contain.
    pub const MAX_ID: u32 = 1023;

    /// Parses a list; an empty string gives `None`: nothing was asked for.
    ///
    /// # Errors
    /// As the [`FromStr`] implementation.
    pub fn parse_optional(text: &str) -> Result<Option<Self>, CpuSetError> {
        if text.is_empty() {
            Ok(None)
        } else {
            text.parse().map(Some)
        }
    }

    /// The mask, 64 CPUs in each number, lowest first, without zeros at the end.
    #[must_use]
    pub fn mask(&self) -> &[u64] {
        &self.mask
    }

    /// Whether a number is in the set.
    #[must_use]
    pub fn contains(&self, id: u32) -> bool {
        self.mask
            .get(id as usize / 64)
            .is_some_and(|word| word >> (id % 64) & 1 == 1)
    }

    /// How many numbers are in the set.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.mask.iter().map(|bits| bits.count_ones()).sum()
    }

    /// True for the set without any number.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.mask.is_empty()
    }

    /// The numbers in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0u32..)
            .step_by(64)
            .zip(&self.mask)
            .flat_map(|(base, word)| {
                (0..64)
                    .filter(move |bit| word >> bit & 1 == 1)
                    .map(move |bit| base + bit)
            })
    }

    fn insert(&mut self, id: u32) {
        let index = id as usize / 64;
        if self.mask.len() <= index {
            self.mask.resize(index + 1, 0);
        }
        if let Some(bits) = self.mask.get_mut(index) {
            *bits |= 1 << (id % 64);
        }
    }

    fn trim(&mut self) {
        while self.mask.last() == Some(&0) {
            self.mask.pop();
        }
    }
}

/// What is wrong with a list of CPUs or nodes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CpuSetError {
    /// An element is not a number.
    #[error("invalid number {0:?}")]
    Number(String),
    /// A number is larger than [`CpuSet::MAX_ID`].
    #[error("values larger than {max} are not supported", max = CpuSet::MAX_ID)]
    TooLarge,
    /// A range ends before it begins.
    #[error("invalid range: {0}")]
    Range(String),
    /// Only commas and spaces.
    #[error("no members found in set {0:?}")]
    NoMembers(String),
}

impl FromStr for CpuSet {
    type Err = CpuSetError;

    /// Parses comma separated numbers and ranges. Spaces around an element and empty elements are
    /// tolerated.
    fn from_str(text: &str) -> Result<Self, CpuSetError> {
        let mut set = Self::default();
        for element in text
            .split(',')
            .map(str::trim)
            .filter(|element| !element.is_empty())
        {
            let (first, last) = match element.split_once('-') {
                Some((first, last)) => (parse_id(first)?, parse_id(last)?),
                None => (parse_id(element)?, parse_id(element)?),
            };
            if first > last {
                return Err(CpuSetError::Range(element.to_owned()));
            }
            for id in first..=last {
                set.insert(id);
            }
        }
        if set.is_empty() {
            Err(CpuSetError::NoMembers(text.to_owned()))
        } else {
            Ok(set)
        }
    }
}

fn parse_id(text: &str) -> Result<u32, CpuSetError> {
    // `parse` alone would accept a sign.
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(CpuSetError::Number(text.to_owned()));
    }
    text.parse()
        .ok()
        .filter(|id| *id <= CpuSet::MAX_ID)
        .ok_or(CpuSetError::TooLarge)
}

impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ids = self.iter().peekable();
        let mut separator = "";
        while let Some(first) = ids.next() {
            let mut last = first;
            while let Some(next) = ids.next_if(|next| *next == last + 1) {
                last = next;
            }
            write!(f, "{separator}{first}")?;
            if last > first {
                write!(f, "-{last}")?;
            }
            separator = ",";
        }
        Ok(())
    }
}

impl Serialize for CpuSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.mask.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CpuSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut set = Self {
            mask: Vec::deserialize(deserializer)?,
        };
        set.trim();
        Ok(set)
    }
}

/// CPUs an `exec`ed process may run on. The keys are capitalised in JSON because the Go type has no
/// tags.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CpuAffinity {
    /// Before the process joins the container's cgroup.
    pub initial: Option<CpuSet>,
    /// From then on.
    #[serde(rename = "Final")]
    pub final_cpus: Option<CpuSet>,
}

impl CpuAffinity {
    /// Converts the bundle's lists; `None` when both are empty.
    ///
    /// # Errors
    /// A list cannot be parsed; the message names which.
    pub fn from_oci(affinity: &oci::CpuAffinity) -> Result<Option<Self>, CpuAffinityError> {
        let initial =
            CpuSet::parse_optional(&affinity.initial).map_err(CpuAffinityError::Initial)?;
        let final_cpus =
            CpuSet::parse_optional(&affinity.final_cpus).map_err(CpuAffinityError::Final)?;
        Ok((initial.is_some() || final_cpus.is_some()).then_some(Self {
            initial,
            final_cpus,
        }))
    }
}

/// Which affinity list is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CpuAffinityError {
    /// `execCPUAffinity.initial`.
    #[error("bad CPUAffinity.Initial: {0}")]
    Initial(CpuSetError),
    /// `execCPUAffinity.final`.
    #[error("bad CPUAffinity.Final: {0}")]
    Final(CpuSetError),
}
