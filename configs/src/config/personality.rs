//! Execution domains (`personality(2)`).

use serde::{Deserialize, Serialize};

use crate::int_enum::int_enum;

int_enum! {
    /// An execution domain; the integer is the kernel's.
    pub enum PersonalityDomain: u32 {
        /// `PER_LINUX`.
        Linux = 0 => "LINUX",
        /// `PER_LINUX32`: `uname(2)` reports a 32-bit machine.
        Linux32 = 8 => "LINUX32",
    }
}

/// Execution domain of the container's processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Personality {
    /// The domain.
    pub domain: PersonalityDomain,
}
