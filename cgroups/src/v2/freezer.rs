//! `cgroup.freeze` (Linux 5.2): write 1 or 0, then wait for `frozen` in `cgroup.events`.

use std::time::Instant;

use crate::cgroup_events::{LOOK, wait_for};
use crate::dir::Dir;
use crate::freezer::{LIMIT, not_supported, thawed_meanwhile, unable};
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
    match wait_until_frozen(dir, deadline) {
        Ok(Some(FreezerState::Frozen)) => Ok(()),
        Ok(Some(FreezerState::Thawed)) => Err(thawed_meanwhile()),
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
    match wait_until_frozen(dir, deadline) {
        // Some process still runs, whatever was asked for.
        Ok(None) => Err(unable()),
        Err(error) if error.is_not_found() => Ok(None),
        state => state,
    }
}

/// Waits until a cgroup that is to be frozen is; `None` if it is not before `deadline`. That it is
/// not to be frozen any more, because another process has thawed it, ends the wait: the kernel
/// sends no notification then. That the cgroup or its freezer is not there is an error.
fn wait_until_frozen(dir: &Dir, deadline: Instant) -> Result<Option<FreezerState>> {
    loop {
        if dir.read(FILE)?.trim() == "0" {
            return Ok(Some(FreezerState::Thawed));
        }
        let now = Instant::now();
        if wait_for(dir, "frozen", 1, deadline.min(now + LOOK))? {
            return Ok(Some(FreezerState::Frozen));
        }
        if now >= deadline {
            return Ok(None);
        }
    }
}

/// Thaws the processes, if they are to be frozen. What vanishes meanwhile needs no thawing.
pub(crate) fn thaw(dir: &Dir) -> Result<()> {
    match dir.write_if_present(FILE, "0") {
        Err(error) if error.is_not_found() => Ok(()),
        done => done.map(drop),
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

    /// A cgroup that is to be frozen and is not yet.
    fn freezing() -> (Fake, Dir) {
        let fake = Fake::v2("", "/");
        fake.file("c/cgroup.freeze", "1\n");
        fake.file("c/cgroup.events", "populated 1\nfrozen 0\n");
        let dir = fake
            .hierarchy()
            .root()
            .descend("c".as_ref(), Below::Unified);
        (fake, dir.unwrap())
    }

    #[test]
    fn a_freeze_that_is_under_way_is_no_frozen_cgroup() {
        let (fake, dir) = freezing();
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

    /// What a wait for a cgroup that does not get frozen comes to, with what happens meanwhile
    /// again and again.
    fn waiting<T: Send>(wait: fn(&Dir) -> Result<T>, change: impl Fn(&Fake)) -> Result<T> {
        let (fake, dir) = freezing();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| wait(&dir));
            while !waiter.is_finished() {
                change(&fake);
            }
            waiter.join().unwrap()
        })
    }

    #[test]
    fn a_wait_ends_when_another_process_thaws_the_cgroup() {
        let thaw = |fake: &Fake| {
            if fake.read("c/cgroup.freeze").starts_with('1') {
                fake.file("c/cgroup.freeze", "0\n");
            }
        };
        assert_eq!(waiting(state, thaw).unwrap(), Some(FreezerState::Thawed));
        let error = waiting(|dir| set(dir, FreezerState::Frozen), thaw).unwrap_err();
        assert_eq!(
            error.to_string(),
            "unable to freeze: another process has thawed the cgroup"
        );
    }

    #[test]
    fn a_wait_ends_when_another_process_removes_the_cgroup() {
        let remove = |fake: &Fake| drop(std::fs::remove_dir_all(fake.root().join("c")));
        assert_eq!(waiting(state, remove).unwrap(), None);
        assert!(waiting(|dir| set(dir, FreezerState::Frozen), remove).is_err());
    }
}
