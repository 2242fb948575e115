//! `cgroup.freeze` (Linux 5.2): write 1 or 0, then wait for `frozen` in `cgroup.events`.

use std::time::Instant;

use crate::cgroup_events::wait_for;
use crate::dir::Dir;
use crate::freezer::{LIMIT, not_supported, unable};
use crate::{FreezerState, Result, cgroup_events};

pub(crate) const FILE: &str = "cgroup.freeze";

pub(crate) fn set(dir: &Dir, state: FreezerState) -> Result<()> {
    match state {
        FreezerState::Thawed => dir.write_if_present(FILE, "0").map(drop),
        FreezerState::Frozen => set_until(dir, Instant::now() + LIMIT),
    }
}

fn set_until(dir: &Dir, deadline: Instant) -> Result<()> {
    if !dir.write_if_present(FILE, "1")? {
        return Err(not_supported());
    }
    match wait_for(dir, "frozen", 1, deadline) {
        Ok(true) => Ok(()),
        failed => {
            // Nothing stays half frozen.
            let thawed = dir.write(FILE, "0");
            log::debug!("thaw after a failed freeze: {thawed:?}");
            failed.and_then(|_| Err(unable()))
        }
    }
}

/// `None` without a freezer. The state of ancestors does not count.
pub(crate) fn state(dir: &Dir) -> Result<Option<FreezerState>> {
    state_until(dir, Instant::now() + LIMIT)
}

fn state_until(dir: &Dir, deadline: Instant) -> Result<Option<FreezerState>> {
    match dir.read_if_present(FILE)? {
        None => Ok(None),
        Some(text) if text.trim() == "0" => Ok(Some(FreezerState::Thawed)),
        Some(_) if wait_for(dir, "frozen", 1, deadline)? => Ok(Some(FreezerState::Frozen)),
        // Some process still runs, whatever was asked for.
        Some(_) => Err(unable()),
    }
}

/// Whether processes are frozen, whichever cgroup of the path is frozen: the kernel counts an
/// empty cgroup below a frozen one as frozen, too. Linux before 5.2 has no freezer here.
pub(crate) fn is_frozen(dir: &Dir) -> Result<bool> {
    Ok(cgroup_events::flag(dir, "frozen")?.unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::dir::Below;
    use crate::fake::Fake;

    #[test]
    fn a_freeze_that_is_under_way_is_no_frozen_cgroup() {
        let fake = Fake::v2("", "/");
        fake.file("c/cgroup.freeze", "1\n");
        fake.file("c/cgroup.events", "populated 1\nfrozen 0\n");
        let hierarchy = fake.hierarchy();
        let dir = hierarchy.root().descend("c".as_ref(), Below::Unified);
        let dir = dir.unwrap();
        let error = state_until(&dir, Instant::now()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert_eq!(error.to_string(), "unable to freeze");
        // Freezing itself says so as well, and leaves nothing half frozen.
        assert!(set_until(&dir, Instant::now()).is_err());
        assert_eq!(fake.read("c/cgroup.freeze").trim(), "0");
        fake.file("c/cgroup.events", "populated 1\nfrozen 1\n");
        fake.file("c/cgroup.freeze", "1\n");
        let state = state_until(&dir, Instant::now()).unwrap();
        assert_eq!(state, Some(FreezerState::Frozen));
    }
}
