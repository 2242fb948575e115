//! `freezer.state`: write FROZEN, and again while the kernel says FREEZING.
//!
//! The freezer of cgroup v1 sends no notification when FREEZING becomes FROZEN, and only
//! looks at its processes when the file is read.

use std::time::{Duration, Instant};

use crate::backoff::{Backoff, sleep};
use crate::dir::Dir;
use crate::freezer::{LIMIT, unable};
use crate::{FreezerState, Result, processes};

pub(crate) const FILE: &str = "freezer.state";
const FROZEN: &str = "FROZEN";
pub(crate) const THAWED: &str = "THAWED";

/// How long one attempt may take. Mostly the first look is enough, and processes that run are
/// frozen within a few.
const ATTEMPT: Duration = Duration::from_millis(50);

/// How long processes run between two attempts: the one that forks gets done.
const RESPITE: Duration = Duration::from_millis(10);

pub(crate) fn set(dir: &Dir, state: FreezerState) -> Result<()> {
    match state {
        FreezerState::Thawed => dir.write(FILE, THAWED),
        FreezerState::Frozen => set_until(dir, Instant::now() + LIMIT),
    }
}

fn set_until(dir: &Dir, deadline: Instant) -> Result<()> {
    let frozen = freeze(dir, deadline);
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

/// A process that forks while its cgroup freezes can leave it in FREEZING for good; thawing for a
/// moment is the documented way out.
fn freeze(dir: &Dir, deadline: Instant) -> Result<bool> {
    while !try_freeze(dir)? {
        if Instant::now() >= deadline {
            return Ok(false);
        }
        dir.write(FILE, THAWED)?;
        sleep(RESPITE);
    }
    Ok(true)
}

fn try_freeze(dir: &Dir) -> Result<bool> {
    let mut looks = looks(Instant::now() + ATTEMPT);
    loop {
        dir.write(FILE, FROZEN)?;
        if dir.read(FILE)?.trim() == FROZEN {
            return Ok(true);
        }
        if !looks.pause() {
            return Ok(false);
        }
    }
}

/// The pauses between two looks at the file.
fn looks(deadline: Instant) -> Backoff {
    Backoff::new(
        Duration::from_micros(10),
        Duration::from_millis(1),
        deadline,
    )
}

/// Thaws the cgroup and all below it: one below may have been frozen by itself. What vanishes
/// meanwhile needs no thawing.
pub(crate) fn thaw_all(top: &Dir) -> Result<()> {
    processes::for_all(top, |dir| match dir.write(FILE, THAWED) {
        Err(error) if error.is_not_found() => Ok(()),
        done => done,
    })
}

/// Whether the cgroup is frozen because one above it is.
pub(crate) fn is_frozen_from_above(dir: &Dir) -> Result<bool> {
    let text = dir.read_if_present("freezer.parent_freezing")?;
    Ok(text.is_some_and(|text| text.trim() == "1"))
}

/// Moves all processes of the cgroup and below, which were sent `SIGKILL`, to a cgroup that is not
/// frozen: the first thing that they do there is to end. While they are frozen they keep their
/// numbers.
pub(crate) fn move_killed(from: &Dir, to: &Dir) -> Result<()> {
    for pid in processes::in_tree(from)? {
        match to.write("cgroup.procs", &pid.to_string()) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
            done => done?,
        }
    }
    Ok(())
}

/// `None` without a freezer. A cgroup that is frozen only by an ancestor counts as
/// thawed.
pub(crate) fn state(dir: &Dir) -> Result<Option<FreezerState>> {
    let mut looks = looks(Instant::now() + LIMIT);
    loop {
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
            _freezing if looks.pause() => {}
            _freezing => return Err(unable()),
        }
    }
}

/// Whether processes are frozen, or about to be, whichever cgroup of the path is frozen.
pub(crate) fn is_frozen(dir: &Dir) -> Result<bool> {
    let state = dir.read_if_present(FILE)?;
    Ok(state.is_some_and(|text| text.trim() != THAWED))
}

#[cfg(test)]
mod tests {
    use std::mem::MaybeUninit;

    use rustix::fs::{CWD, FileType, Mode, chmod, inotify, makedev, mknodat};

    use super::*;
    use crate::fake::Fake;

    /// A `freezer.state` that takes everything and never says FROZEN: the device behind
    /// `/dev/null`. `None` for a caller who may not make one.
    fn never_frozen() -> Option<Fake> {
        let fake = Fake::v1("1:freezer:/\n");
        fake.file("freezer/ctr/cgroup.procs", "");
        let path = fake.root().join("freezer/ctr").join(FILE);
        let mode = Mode::RUSR | Mode::WUSR;
        mknodat(CWD, &path, FileType::CharacterDevice, mode, makedev(1, 3)).ok()?;
        // Not on a file system without devices.
        std::fs::File::open(&path).is_ok().then_some(fake)
    }

    fn directory(fake: &Fake) -> Dir {
        let path = fake.root().join("freezer/ctr");
        Dir::new(std::fs::File::open(&path).unwrap().into(), &path)
    }

    #[test]
    fn what_does_not_freeze_in_time_is_an_error() {
        let Some(fake) = never_frozen() else { return };
        let dir = directory(&fake);
        let started = Instant::now();
        let limit = Duration::from_millis(200);
        let error = set_until(&dir, started + limit).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Timeout);
        assert!(started.elapsed() >= limit);
    }

    /// A busy container takes more attempts than the 1000 that other runtimes make.
    #[test]
    fn what_freezes_after_more_than_a_thousand_attempts_is_frozen() {
        let Some(fake) = never_frozen() else { return };
        let path = fake.root().join("freezer/ctr").join(FILE);
        let ready = path.with_extension("ready");
        std::fs::write(&ready, THAWED).unwrap();
        // It tells of every write. Several that are not read yet can be one event.
        let writes = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
        let flags = inotify::WatchFlags::MODIFY | inotify::WatchFlags::ATTRIB;
        inotify::add_watch(&writes, &path, flags).unwrap();
        let frozen = std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut buffer = [MaybeUninit::uninit(); 4096];
                let mut reader = inotify::Reader::new(&writes, &mut buffer);
                for _ in 0..=1000 {
                    if reader.next().unwrap().events() != inotify::ReadFlags::MODIFY {
                        return;
                    }
                }
                std::fs::rename(&ready, &path).unwrap();
            });
            // However long that takes here: what ends the attempts is time, not their number.
            let deadline = Instant::now() + Duration::from_secs(60);
            let frozen = set_until(&directory(&fake), deadline);
            // Ends the other thread if it still waits for writes.
            chmod(&path, Mode::RUSR | Mode::WUSR).unwrap();
            frozen
        });
        frozen.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), FROZEN);
    }
}
