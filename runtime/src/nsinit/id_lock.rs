//! The lock of an id: of several commands that want a process in the container of one id, one at a
//! time looks whether it is there, makes it, joins it or removes it.
//!
//! It is a file beside the directories of the containers, which is there as long as somebody has
//! it. The directory of the container has a lock of its own, which cannot do this: it goes with the
//! container.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use crate::error::Error;
use crate::id::ContainerId;
use crate::runtime::Runtime;
use crate::state::lock::{self, LOCK_TIMEOUT};

/// Cannot be the id of a container, before which it is put.
const PREFIX: &str = ":";
/// `NAME_MAX` of Linux file systems. Ids that differ only beyond that share a lock.
const NAME_MAX: usize = 255;

/// The lock, held. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct IdLock<'a> {
    file: Arc<OwnedFd>,
    place: Place<'a>,
}

impl<'a> IdLock<'a> {
    /// Waits for the lock. The state root is made if it does not exist.
    ///
    /// However many commands there are, it is waited for as long as they go on.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) if one and the same process has it for
    /// ten seconds, which the message names: it is stopped, or runs a hook that calls this program.
    /// [`ErrorKind::System`](crate::ErrorKind::System).
    pub(crate) fn take(runtime: &'a Runtime, id: &ContainerId) -> Result<Self, Error> {
        Self::take_from(runtime, id, LOCK_TIMEOUT)
    }

    /// The same with another time for one holder.
    fn take_from(runtime: &'a Runtime, id: &ContainerId, timeout: Duration) -> Result<Self, Error> {
        runtime.make_root()?;
        let mut name = format!("{PREFIX}{id}");
        name.truncate(NAME_MAX);
        let place = Place { runtime, name };
        loop {
            let file = Arc::new(place.open()?);
            place.wait_for(&file, timeout)?;
            // The one before removes it when it gives the lock back.
            if place.is_place_of(&file)? {
                return Ok(Self { file, place });
            }
        }
    }
}

impl Drop for IdLock<'_> {
    fn drop(&mut self) {
        if let Ok(root) = self.place.runtime.root() {
            let _ = rustix::fs::unlinkat(root, &self.place.name, AtFlags::empty());
        }
        // A process that was cloned meanwhile has the same open file description.
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

/// Where the file is.
#[derive(Debug)]
struct Place<'a> {
    runtime: &'a Runtime,
    name: String,
}

impl Place<'_> {
    fn open(&self) -> Result<OwnedFd, Error> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(
            self.runtime.root()?,
            &self.name,
            flags,
            Mode::RUSR | Mode::WUSR,
        )
        .map_err(|errno| self.failed(errno))
    }

    /// Waits for the lock of an open file.
    ///
    /// The kernel wakes everybody who waits, which trying again and again does not: who comes later
    /// would mostly be earlier. It knows no deadline; so another thread waits, which goes with the
    /// process if there is nothing to wait for.
    fn wait_for(&self, file: &Arc<OwnedFd>, timeout: Duration) -> Result<(), Error> {
        let (send, locked) = mpsc::channel();
        let waiting = Arc::clone(file);
        let wait = move || {
            let flock = || rustix::fs::flock(&waiting, FlockOperation::LockExclusive);
            let _ = send.send(retry_on_intr(flock));
        };
        thread::Builder::new()
            .spawn(wait)
            .map_err(|error| Error::system("start a thread that waits for a lock", error))?;
        let mut holder = None;
        loop {
            match locked.recv_timeout(timeout) {
                // A file system without locks goes without.
                Ok(Ok(()) | Err(Errno::NOLCK | Errno::OPNOTSUPP)) => return Ok(()),
                Ok(Err(errno)) => return Err(self.failed(errno)),
                Err(_) => {
                    let before = holder.replace(lock::holder(file));
                    if before == holder {
                        return Err(lock::is_held(file, &self.path()));
                    }
                }
            }
        }
    }

    /// Whether this file is the one that has the name.
    fn is_place_of(&self, file: &OwnedFd) -> Result<bool, Error> {
        // As long as it is open, no other file has its inode number.
        let mine = rustix::fs::fstat(file).map_err(|errno| self.failed(errno))?;
        let there = rustix::fs::statat(self.runtime.root()?, &self.name, AtFlags::SYMLINK_NOFOLLOW);
        match there {
            Ok(there) => Ok((there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(self.failed(errno)),
        }
    }

    fn failed(&self, errno: Errno) -> Error {
        Error::system(format!("lock {}", self.path().display()), errno)
    }

    fn path(&self) -> PathBuf {
        self.runtime.path().join(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::error::ErrorKind;

    fn runtime() -> (tempfile::TempDir, Runtime) {
        let directory = tempfile::tempdir().unwrap();
        let runtime = Runtime::new(directory.path().join("root")).unwrap();
        (directory, runtime)
    }

    fn files(runtime: &Runtime) -> usize {
        std::fs::read_dir(runtime.path()).unwrap().count()
    }

    #[test]
    fn one_at_a_time_has_it_and_the_last_one_leaves_nothing() {
        let (_directory, runtime) = runtime();
        let id = ContainerId::new("a").unwrap();
        let (inside, turns) = (AtomicU32::new(0), AtomicU32::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let _lock = IdLock::take(&runtime, &id).unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        turns.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(turns.into_inner(), 400);
        assert_eq!(files(&runtime), 0);
    }

    #[test]
    fn ids_do_not_wait_for_each_other() {
        let (_directory, runtime) = runtime();
        let ids = ["a", "b"].map(|id| ContainerId::new(id).unwrap());
        let locks = ids.each_ref().map(|id| IdLock::take(&runtime, id).unwrap());
        assert_eq!(files(&runtime), 2);
        drop(locks);
        assert_eq!(files(&runtime), 0);
    }

    #[test]
    fn the_longest_id_has_one() {
        let (_directory, runtime) = runtime();
        let id = ContainerId::new("a".repeat(NAME_MAX)).unwrap();
        drop(IdLock::take(&runtime, &id).unwrap());
    }

    /// A process that is killed leaves the file.
    #[test]
    fn a_file_without_holder_is_no_obstacle() {
        let (_directory, runtime) = runtime();
        let id = ContainerId::new("a").unwrap();
        std::fs::create_dir(runtime.path()).unwrap();
        std::fs::write(runtime.path().join(":a"), "").unwrap();
        drop(IdLock::take(&runtime, &id).unwrap());
        assert_eq!(files(&runtime), 0);
    }

    #[test]
    fn who_keeps_it_is_named() {
        let (_directory, runtime) = runtime();
        let id = ContainerId::new("a").unwrap();
        let held = IdLock::take(&runtime, &id).unwrap();
        let refused = IdLock::take_from(&runtime, &id, Duration::from_millis(1)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Timeout);
        let expected = format!("process {}", std::process::id());
        assert!(refused.to_string().contains(&expected), "{refused}");
        // Who has waited in vain does not get it later.
        drop(held);
        drop(IdLock::take(&runtime, &id).unwrap());
    }
}
