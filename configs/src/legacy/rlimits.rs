//! Resource limits by number.

use super::reading::{below, keys, refused};
use crate::Result;
use crate::config::{Rlimit, RlimitType};

keys! {
    /// An element of `rlimits`.
    struct RawRlimit {
        kind as "type": u32;
        hard: u64;
        soft: u64;
    }
}

/// The limits of a file.
pub(super) fn convert(list: Vec<RawRlimit>) -> Result<Vec<Rlimit>> {
    let mut limits = Vec::with_capacity(list.len());
    for (index, raw) in list.into_iter().enumerate() {
        let place = format!("rlimits[{index}]");
        let number = raw.kind.unwrap_or_default();
        let kind = RlimitType::from_int(number).ok_or_else(|| {
            refused(
                below(&place, "type"),
                format_args!("invalid rlimit type: {number}"),
            )
        })?;
        limits.push(Rlimit {
            kind,
            hard: raw.hard.unwrap_or_default(),
            soft: raw.soft.unwrap_or_default(),
        });
    }
    Ok(limits)
}
