//! The directory of one container below the state root, and the files in it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind, Result};
use crate::id::ContainerId;
use crate::state::State;

/// The fifo that an init process reads one byte from before it runs the user's program. While that has it open, the
/// container is created and not started.
pub(crate) const FIFO: &str = "exec.fifo";
const STATE: &str = "state.json";

/// A state file larger than this is none. (A configuration of some hundred mounts takes 100 KiB.)
const MAX_STATE: u64 = 64 << 20;

/// Keeps other makers, destroyers and changers out of one container's directory, until it is dropped.
///
/// Whoever removes the directory holds it, so what is at its path while it is held is what was there when it was taken.
#[derive(Debug)]
pub(crate) struct Lock {
    /// A description of its own: the lock must not depend on duplicates of another one.
    directory: OwnedFd,
    path: PathBuf,
}

/// The directory of a container, open. Its files are reached through the descriptor, never again by path.
#[derive(Debug)]
pub(crate) struct StateDirectory {
    directory: OwnedFd,
    path: PathBuf,
}

const OPEN: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

impl StateDirectory {
    /// Makes the directory and locks it: of several processes that try, exactly one succeeds.
    ///
    /// Killed in between, it leaves an empty directory, which is not taken for a container and can be deleted.
    pub(crate) fn make(
        root: impl AsFd,
        root_path: &Path,
        id: &ContainerId,
    ) -> Result<(Self, Lock)> {
        let failed = |errno| Error::system(format!("make the directory of container {id}"), errno);
        // Searchable for everybody: the root user of a user namespace must be able to reach what is mounted from below.
        match rustix::fs::mkdirat(&root, id.as_str(), Mode::from_raw_mode(0o711)) {
            Ok(()) => {}
            Err(Errno::EXIST) => {
                return Err(Error::new(
                    ErrorKind::AlreadyExists,
                    "container with given ID already exists",
                ));
            }
            Err(errno) => return Err(failed(errno)),
        }
        let open = || {
            let directory = rustix::fs::openat(&root, id.as_str(), OPEN, Mode::empty())?;
            // Whatever the umask made of it.
            rustix::fs::fchmod(&directory, Mode::from_raw_mode(0o711))?;
            Ok(directory)
        };
        let made = open().map_err(failed).and_then(|directory| {
            let made = Self {
                directory,
                path: root_path.join(id),
            };
            let lock = made.lock(&root, id)?;
            Ok((made, lock))
        });
        made.map_err(|error| {
            if error.kind() == ErrorKind::NotFound {
                // Not locked yet it looked like one that somebody left. What is there now is not ours.
                return Error::new(
                    ErrorKind::NotFound,
                    format!("container {id} was deleted while it was made"),
                );
            }
            // Whoever has another empty one there finds it gone when locking it.
            let _ = rustix::fs::unlinkat(&root, id.as_str(), AtFlags::REMOVEDIR);
            error
        })
    }

    /// Opens the directory of an existing container.
    pub(crate) fn open(root: impl AsFd, root_path: &Path, id: &ContainerId) -> Result<Self> {
        match rustix::fs::openat(root, id.as_str(), OPEN, Mode::empty()) {
            Ok(directory) => Ok(Self {
                directory,
                path: root_path.join(id),
            }),
            Err(Errno::NOENT) => Err(not_found()),
            Err(errno) => Err(Error::system(
                format!("open the directory of container {id}"),
                errno,
            )),
        }
    }

    /// Its path, for messages and for what has to be named by path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps other destroyers and changers out until the result is dropped. A file system without locks goes without.
    ///
    /// Fails with [`ErrorKind::NotFound`] if the directory is not the one at its path any more: somebody else destroyed
    /// the container, and perhaps a new one has its id by now.
    pub(crate) fn lock(&self, root: impl AsFd, id: &ContainerId) -> Result<Lock> {
        let failed = |errno| Error::system(format!("lock {}", self.path.display()), errno);
        let directory =
            rustix::fs::openat(&self.directory, ".", OPEN, Mode::empty()).map_err(failed)?;
        let lock = Lock {
            directory,
            path: self.path.clone(),
        };
        lock.take(root, id)?;
        Ok(lock)
    }

    /// The user who made it.
    pub(crate) fn owner(&self) -> Result<u32> {
        let stat = rustix::fs::fstat(&self.directory)
            .map_err(|errno| Error::system("read the owner of the container", errno))?;
        Ok(stat.st_uid)
    }

    /// Reads the state file: all of it ([`State`]) or the part that `T` names.
    pub(crate) fn read_state<T: DeserializeOwned>(&self) -> Result<T> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.directory, STATE, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Err(not_found()),
            Err(errno) => return Err(self.failed("open", errno)),
        };
        let mut text = Vec::with_capacity(16 << 10);
        file.take(MAX_STATE + 1)
            .read_to_end(&mut text)
            .map_err(|error| self.failed("read", error))?;
        if u64::try_from(text.len()).is_ok_and(|length| length > MAX_STATE) {
            return Err(Error::new(
                ErrorKind::CorruptState,
                format!(
                    "{}: larger than {MAX_STATE} bytes",
                    self.state_path().display()
                ),
            ));
        }
        serde_json::from_slice(&text).map_err(|error| {
            Error::with(
                ErrorKind::CorruptState,
                format!("read {}", self.state_path().display()),
                error,
            )
        })
    }

    /// Replaces the state file: whoever reads it gets the old or the new one.
    pub(crate) fn write_state(&self, state: &State) -> Result<()> {
        let text = serde_json::to_vec(state).map_err(|error| self.failed("encode", error))?;
        // Unique among all writers, and among all threads of this one.
        static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("state-{}-{number}", std::process::id());
        let write = || -> io::Result<()> {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let file =
                rustix::fs::openat(&self.directory, &name, flags, Mode::from_raw_mode(0o600))?;
            File::from(file).write_all(&text)?;
            Ok(rustix::fs::renameat(
                &self.directory,
                &name,
                &self.directory,
                STATE,
            )?)
        };
        write().map_err(|error| {
            let _ = rustix::fs::unlinkat(&self.directory, &name, AtFlags::empty());
            if error.kind() == io::ErrorKind::NotFound {
                not_found()
            } else {
                self.failed("write", error)
            }
        })
    }

    fn state_path(&self) -> PathBuf {
        self.path.join(STATE)
    }

    fn failed(
        &self,
        what: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Error::system(format!("{what} {}", self.state_path().display()), source)
    }

    /// Makes the fifo and opens its both ends: whoever holds the descriptor is a writer himself and never reads an end of
    /// file. `owner` is the root user of the container.
    pub(crate) fn make_fifo(&self, owner: (u32, u32)) -> Result<OwnedFd> {
        let make = || -> rustix::io::Result<OwnedFd> {
            rustix::fs::mknodat(
                &self.directory,
                FIFO,
                FileType::Fifo,
                Mode::from_raw_mode(0o600),
                0,
            )?;
            let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let fifo = rustix::fs::openat(&self.directory, FIFO, flags, Mode::empty())?;
            let (uid, gid) = (
                rustix::fs::Uid::from_raw(owner.0),
                rustix::fs::Gid::from_raw(owner.1),
            );
            if owner
                != (
                    rustix::process::geteuid().as_raw(),
                    rustix::process::getegid().as_raw(),
                )
            {
                rustix::fs::fchown(&fifo, Some(uid), Some(gid))?;
            }
            Ok(fifo)
        };
        make().map_err(|errno| {
            Error::system(format!("make {}", self.path.join(FIFO).display()), errno)
        })
    }

    /// Whether an init process has the fifo open: it does until it runs the program.
    pub(crate) fn has_waiting_init(&self) -> Result<bool> {
        match self.open_fifo(OFlags::WRONLY | OFlags::NONBLOCK) {
            Ok(fifo) => Ok(fifo.is_some()),
            Err(Errno::NXIO) => Ok(false),
            // It belongs to the root user of the container. There is one, more cannot be told.
            Err(Errno::ACCESS) => Ok(true),
            Err(errno) => Err(Error::system(
                format!("open {}", self.path.join(FIFO).display()),
                errno,
            )),
        }
    }

    /// Opens the fifo with these flags; `Ok(None)` if there is none.
    pub(crate) fn open_fifo(&self, flags: OFlags) -> Result<Option<OwnedFd>, Errno> {
        match rustix::fs::openat(
            &self.directory,
            FIFO,
            flags | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
        ) {
            Ok(fifo) => Ok(Some(fifo)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// Removes the fifo; says whether it was this call that did it.
    pub(crate) fn claim_fifo(&self) -> Result<bool> {
        match rustix::fs::unlinkat(&self.directory, FIFO, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(Error::system(
                format!("remove {}", self.path.join(FIFO).display()),
                errno,
            )),
        }
    }

    /// Makes the directory in which the notification socket will be.
    pub(crate) fn make_notify_directory(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        let make = || {
            rustix::fs::mkdirat(&self.directory, name, Mode::from_raw_mode(0o755))?;
            rustix::fs::chmodat(
                &self.directory,
                name,
                Mode::from_raw_mode(0o755),
                AtFlags::empty(),
            )
        };
        make().map_err(|errno| Error::system(format!("make {}", path.display()), errno))?;
        Ok(path)
    }
}

impl Lock {
    /// Gives the lock back, to [take](Self::take) it again perhaps.
    pub(crate) fn release(&self) {
        // What was never locked, for want of locks, cannot be unlocked.
        let _ = rustix::fs::flock(&self.directory, FlockOperation::Unlock);
    }

    /// Takes the lock; nothing happens if it is held. The directory must be the one at its path.
    pub(crate) fn take(&self, root: impl AsFd, id: &ContainerId) -> Result<()> {
        let failed = |errno| Error::system(format!("lock {}", self.path.display()), errno);
        let own = &self.directory;
        match rustix::io::retry_on_intr(|| rustix::fs::flock(own, FlockOperation::LockExclusive)) {
            Ok(()) | Err(Errno::NOLCK | Errno::OPNOTSUPP) => {}
            Err(errno) => return Err(failed(errno)),
        }
        // As long as this one is open, no other directory can have its inode number.
        let mine = rustix::fs::fstat(own).map_err(failed)?;
        match rustix::fs::statat(root, id.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) if (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino) => Ok(()),
            Ok(_) | Err(Errno::NOENT) => Err(not_found()),
            Err(errno) => Err(failed(errno)),
        }
    }
}

/// Removes the directory of a container with everything in it; one that is not there is no error. Whoever calls holds its
/// [`Lock`].
pub(crate) fn remove(root: impl AsFd, root_path: &Path, id: &ContainerId) -> Result<bool> {
    let path = root_path.join(id);
    // Mostly the state file is all there is.
    let _ = rustix::fs::unlinkat(&root, format!("{id}/{STATE}"), AtFlags::empty());
    match rustix::fs::unlinkat(&root, id.as_str(), AtFlags::REMOVEDIR) {
        Ok(()) => return Ok(true),
        Err(Errno::NOENT) => return Ok(false),
        Err(_) => {}
    }
    // By path below a directory that only we and root may write to.
    match std::fs::remove_dir_all(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::system(format!("remove {}", path.display()), error)),
    }
}

fn not_found() -> Error {
    Error::new(ErrorKind::NotFound, "container does not exist")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Record;

    fn root() -> (tempfile::TempDir, OwnedFd) {
        let dir = tempfile::tempdir().unwrap();
        let fd = rustix::fs::open(dir.path(), OPEN, Mode::empty()).unwrap();
        (dir, fd)
    }

    fn id(text: &str) -> ContainerId {
        text.parse().unwrap()
    }

    #[test]
    fn of_many_that_make_one_directory_exactly_one_succeeds() {
        let (dir, fd) = root();
        let results: Vec<_> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..16)
                .map(|_| scope.spawn(|| StateDirectory::make(&fd, dir.path(), &id("x"))))
                .collect();
            all.into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        for error in results.into_iter().filter_map(Result::err) {
            assert_eq!(error.kind(), ErrorKind::AlreadyExists);
            assert_eq!(error.to_string(), "container with given ID already exists");
        }
    }

    #[test]
    fn a_reader_never_sees_half_a_state() {
        let (dir, fd) = root();
        let (directory, _lock) = StateDirectory::make(&fd, dir.path(), &id("x")).unwrap();
        let mut state = State {
            id: "x".to_owned(),
            init_process_pid: -1,
            init_process_start: 0,
            created: String::new(),
            config: configs::Config::default(),
            rootless: false,
            cgroup_paths: std::collections::BTreeMap::new(),
            namespace_paths: std::collections::BTreeMap::new(),
            external_descriptors: Vec::new(),
            intel_rdt_path: String::new(),
            intel_rdt_mon_path: String::new(),
            creator: None,
            host_mounts: Vec::new(),
        };
        directory.write_state(&state).unwrap();
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                for _ in 0..500 {
                    let record: Record = directory.read_state().unwrap();
                    let expected = if record.init_process_pid == -1 {
                        0
                    } else {
                        usize::try_from(record.init_process_pid).unwrap()
                    };
                    assert_eq!(record.config.rootfs.len(), expected);
                }
            });
            for length in 1..200 {
                state.init_process_pid = length;
                state.config.rootfs = "x".repeat(usize::try_from(length).unwrap());
                directory.write_state(&state).unwrap();
            }
            reader.join().unwrap();
        });
        assert_eq!(
            std::fs::read_dir(directory.path()).unwrap().count(),
            1,
            "temporary files stay behind"
        );
        assert_eq!(directory.read_state::<State>().unwrap(), state);
    }

    #[test]
    fn what_is_no_state_is_told_with_its_path() {
        let (dir, fd) = root();
        let (directory, _lock) = StateDirectory::make(&fd, dir.path(), &id("x")).unwrap();
        assert_eq!(
            directory.read_state::<Record>().unwrap_err().kind(),
            ErrorKind::NotFound
        );
        for text in ["", "{", "[]", "{\"id\":\"x\"}"] {
            std::fs::write(directory.path().join(STATE), text).unwrap();
            let error = directory.read_state::<Record>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::CorruptState, "{text:?}");
            assert!(error.to_string().contains("x/state.json"), "{error}");
        }
    }

    #[test]
    fn only_one_claims_the_fifo() {
        let (dir, fd) = root();
        let (directory, _lock) = StateDirectory::make(&fd, dir.path(), &id("x")).unwrap();
        assert!(!directory.has_waiting_init().unwrap());
        let own = (
            rustix::process::geteuid().as_raw(),
            rustix::process::getegid().as_raw(),
        );
        let ends = directory.make_fifo(own).unwrap();
        assert!(directory.has_waiting_init().unwrap());
        drop(ends);
        assert!(!directory.has_waiting_init().unwrap());
        assert!(directory.claim_fifo().unwrap());
        assert!(!directory.claim_fifo().unwrap());
    }

    #[test]
    fn a_lock_on_a_directory_that_was_replaced_is_refused() {
        let (dir, fd) = root();
        let (old, lock) = StateDirectory::make(&fd, dir.path(), &id("x")).unwrap();
        drop(lock);
        drop(old.lock(&fd, &id("x")).unwrap());
        assert!(remove(&fd, dir.path(), &id("x")).unwrap());
        assert!(!remove(&fd, dir.path(), &id("x")).unwrap());
        assert_eq!(
            old.lock(&fd, &id("x")).unwrap_err().kind(),
            ErrorKind::NotFound
        );
        let (_new, _lock) = StateDirectory::make(&fd, dir.path(), &id("x")).unwrap();
        assert_eq!(
            old.lock(&fd, &id("x")).unwrap_err().kind(),
            ErrorKind::NotFound
        );
    }
}
