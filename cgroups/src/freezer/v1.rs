//! `freezer.state`: write FROZEN, and again while the kernel says FREEZING.

use std::{thread::sleep, time::Duration};

use super::unable;
use crate::{FreezerState, Result, dir::Dir};

pub(crate) const FILE: &str = "freezer.state";
const FROZEN: &str = "FROZEN";
pub(crate) const THAWED: &str = "THAWED";

/// How often freezing is tried.
const ATTEMPTS: u32 = 1000;

pub(crate) fn set(dir: &Dir, state: FreezerState) -> Result<()> {
    match state {
        FreezerState::Thawed => dir.write(FILE, THAWED),
        FreezerState::Frozen => {
            let frozen = try_freeze(dir);
            if !matches!(frozen, Ok(true)) {
                // FREEZING is sticky: nothing stays half frozen.
                let thawed = dir.write(FILE, THAWED);
                log::debug!("thaw after a failed freeze: {thawed:?}");
            }
            match frozen? {
                true => Ok(()),
                false => Err(unable()),
            }
        }
    }
}

/// A process that forks while its cgroup freezes can leave it in FREEZING for good; thawing for a
/// moment is the documented way out. Most of the time one attempt is enough.
fn try_freeze(dir: &Dir) -> Result<bool> {
    for attempt in 0..ATTEMPTS {
        if attempt % 50 == 49 {
            dir.write(FILE, THAWED)?;
            sleep(Duration::from_millis(10));
        }
        dir.write(FILE, FROZEN)?;
        if attempt % 25 == 24 {
            sleep(Duration::from_micros(10));
        }
        if dir.read(FILE)?.trim() == FROZEN {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `None` without a freezer. A cgroup that only stands because an ancestor is frozen counts as
/// thawed.
pub(crate) fn state(dir: &Dir) -> Result<Option<FreezerState>> {
    for _ in 0..ATTEMPTS {
        let Some(text) = dir.read_if_present(FILE)? else {
            return Ok(None);
        };
        match text.trim() {
            THAWED => return Ok(Some(FreezerState::Thawed)),
            FROZEN => {
                let own = dir.read_if_present("freezer.self_freezing")?;
                return Ok(Some(match own.as_deref().map(str::trim) {
                    Some("0") => FreezerState::Thawed,
                    _ => FreezerState::Frozen,
                }));
            }
            // FREEZING
            _ => sleep(Duration::from_millis(1)),
        }
    }
    Err(unable())
}
