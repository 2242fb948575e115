//! The lock of one container's directory: flock(2) on the directory itself.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{Timespec, poll};
use rustix::fs::{AtFlags, FlockOperation};
use rustix::io::Errno;

use crate::error::{Error, ErrorKind, Result};
use crate::id::ContainerId;

/// How long a lock is waited for. A process that holds one longer is stopped, or runs a slow hook.
pub(crate) const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// Pauses between two attempts: the kernel has no flock(2) with a deadline.
const FIRST_PAUSE: Duration = Duration::from_micros(500);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// Keeps other makers, destroyers and changers out of one container's directory, until it is
/// dropped.
///
/// Every process that removes the directory holds it, so what is at its path while it is held is
/// what was there when it was taken.
#[derive(Debug)]
pub(crate) struct Lock {
    /// A description of its own: the lock must not depend on duplicates of another one.
    directory: OwnedFd,
    path: PathBuf,
}

impl Lock {
    /// A lock that is not held. `directory` is an open file description that nothing else uses.
    pub(crate) fn new(directory: OwnedFd, path: PathBuf) -> Self {
        Self { directory, path }
    }

    /// Gives the lock back, to [take](Self::take) it again perhaps.
    pub(crate) fn release(&self) {
        // What was never locked, for want of locks, cannot be unlocked.
        let _ = rustix::fs::flock(&self.directory, FlockOperation::Unlock);
    }

    /// Takes the lock; nothing happens if it is held. The directory must be the one at its path.
    ///
    /// Fails with [`ErrorKind::NotFound`] if it is not, and with [`ErrorKind::Timeout`] if another
    /// process keeps the lock for longer than [`LOCK_TIMEOUT`]; that error names the process.
    pub(crate) fn take(&self, root: impl AsFd, id: &ContainerId) -> Result<()> {
        let deadline = Instant::now() + LOCK_TIMEOUT;
        let mut pauses = Pauses::default();
        while !self.try_take(&root, id)? {
            if !pauses.pause(deadline) {
                return Err(self.is_held());
            }
        }
        Ok(())
    }

    /// The same without waiting; `false` if another process holds the lock. A file system without
    /// locks goes without.
    pub(crate) fn try_take(&self, root: impl AsFd, id: &ContainerId) -> Result<bool> {
        match try_exclusive(&self.directory) {
            Ok(true) | Err(Errno::NOLCK | Errno::OPNOTSUPP) => {}
            Ok(false) => return Ok(false),
            Err(errno) => return Err(self.failed(errno)),
        }
        if self.is_at_its_path(root, id)? {
            Ok(true)
        } else {
            Err(Error::no_container())
        }
    }

    /// Whether the directory is still the one of this container.
    pub(crate) fn is_at_its_path(&self, root: impl AsFd, id: &ContainerId) -> Result<bool> {
        // As long as this one is open, no other directory can have its inode number.
        let mine = rustix::fs::fstat(&self.directory).map_err(|errno| self.failed(errno))?;
        match rustix::fs::statat(root, id.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) => Ok((there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(self.failed(errno)),
        }
    }

    /// What to say when another process keeps the lock.
    pub(crate) fn is_held(&self) -> Error {
        is_held(&self.directory, &self.path)
    }

    pub(crate) fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    fn failed(&self, errno: Errno) -> Error {
        Error::system(format!("lock {}", self.path.display()), errno)
    }
}

/// Locks an open file for its description alone, without waiting; `false` if another one has it.
fn try_exclusive(file: impl AsFd) -> Result<bool, Errno> {
    let operation = FlockOperation::NonBlockingLockExclusive;
    match rustix::io::retry_on_intr(|| rustix::fs::flock(&file, operation)) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// The same; waits at most [`LOCK_TIMEOUT`].
#[cfg(feature = "cli")]
pub(crate) fn wait_for_exclusive(file: impl AsFd) -> Result<bool, Errno> {
    let deadline = Instant::now() + LOCK_TIMEOUT;
    let mut pauses = Pauses::default();
    while !try_exclusive(&file)? {
        if !pauses.pause(deadline) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Growing pauses of a loop that waits for something without an event.
#[derive(Debug, Default)]
pub(crate) struct Pauses(Option<Duration>);

impl Pauses {
    /// Waits a little longer than the last time; `false` if the deadline has passed.
    pub(crate) fn pause(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        let pause = self.0.map_or(FIRST_PAUSE, |last| last * 2);
        let pause = pause.min(LONGEST_PAUSE);
        self.0 = Some(pause);
        let pause = Timespec::try_from(pause.min(left)).unwrap_or_default();
        // A signal cuts the pause short, no more.
        let _ = poll(&mut [], Some(&pause));
        true
    }
}

/// What to say when another process keeps the lock of a file for [`LOCK_TIMEOUT`].
pub(crate) fn is_held(file: impl AsFd, path: &Path) -> Error {
    let by = match holder(file) {
        Some(pid) => format!("process {pid}{}", name_of(pid)),
        None => "another process".to_owned(),
    };
    Error::new(
        ErrorKind::Timeout,
        format!(
            "lock {}: {by} has held it for {} seconds",
            path.display(),
            LOCK_TIMEOUT.as_secs()
        ),
    )
}

/// The process that holds the lock of a file, by `/proc/locks`, if this pid namespace shows it.
///
/// The kernel writes that list page by page: a line is missing if one before it goes meanwhile.
pub(crate) fn holder(file: impl AsFd) -> Option<u32> {
    const READINGS: usize = 100;
    let stat = rustix::fs::fstat(file).ok()?;
    let file = format!(
        "{:02x}:{:02x}:{}",
        rustix::fs::major(stat.st_dev),
        rustix::fs::minor(stat.st_dev),
        stat.st_ino
    );
    (0..READINGS).find_map(|_| holder_in(&std::fs::read_to_string("/proc/locks").ok()?, &file))
}

fn holder_in(locks: &str, file: &str) -> Option<u32> {
    let holder = |line: &str| {
        // Who waits has an arrow before the kind.
        let mut fields = line.split_whitespace().skip(1);
        let held = fields.next() == Some("FLOCK");
        let pid = fields.nth(2)?.parse().ok()?;
        (held && fields.next() == Some(file) && pid != 0).then_some(pid)
    };
    locks.lines().find_map(holder)
}

fn name_of(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm"))
        .map(|name| format!(" ({})", name.trim_end()))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// Others take and give locks all the time, more than a page of the list.
    #[test]
    fn a_holder_is_found_among_locks_that_come_and_go() {
        let directory = tempfile::tempdir().unwrap();
        let open = |name: String| File::create(directory.path().join(name)).unwrap();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for thread in 0..2 {
                let (open, over) = (&open, &over);
                scope.spawn(move || {
                    let others: Vec<File> = (0..200)
                        .map(|number| open(format!("{thread}-{number}")))
                        .collect();
                    while !over.load(Ordering::Relaxed) {
                        for other in &others {
                            other.lock().unwrap();
                        }
                        for other in &others {
                            other.unlock().unwrap();
                        }
                    }
                });
            }
            let own = open("own".to_owned());
            own.lock().unwrap();
            let found: Vec<_> = (0..200).map(|_| holder(&own)).collect();
            over.store(true, Ordering::Relaxed);
            assert_eq!(found, [Some(std::process::id()); 200]);
        });
    }
}
