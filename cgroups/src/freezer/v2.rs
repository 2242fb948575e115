//! `cgroup.freeze` (Linux 5.2): write 1 or 0, then wait for `frozen` in `cgroup.events`.

use std::time::Instant;

use super::{LIMIT, not_supported, unable};
use crate::{FreezerState, Result, cgroup_events::wait_for, dir::Dir};

pub(crate) const FILE: &str = "cgroup.freeze";

pub(crate) fn set(dir: &Dir, state: FreezerState) -> Result<()> {
    match state {
        FreezerState::Thawed => dir.write_if_present(FILE, "0").map(drop),
        FreezerState::Frozen => {
            if !dir.write_if_present(FILE, "1")? {
                return Err(not_supported());
            }
            match wait_for(dir, "frozen", 1, Instant::now() + LIMIT) {
                Ok(true) => Ok(()),
                failed => {
                    // Nothing stays half frozen.
                    let thawed = dir.write(FILE, "0");
                    log::debug!("thaw after a failed freeze: {thawed:?}");
                    failed.and_then(|_| Err(unable()))
                }
            }
        }
    }
}

/// `None` without a freezer. The state of ancestors does not count.
pub(crate) fn state(dir: &Dir) -> Result<Option<FreezerState>> {
    Ok(match dir.read_if_present(FILE)? {
        None => None,
        Some(text) if text.trim() == "0" => Some(FreezerState::Thawed),
        Some(_) => {
            wait_for(dir, "frozen", 1, Instant::now() + LIMIT)?;
            Some(FreezerState::Frozen)
        }
    })
}
