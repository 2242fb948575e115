//! The directory of one container below the state root, and the files in it.
//!
//! A creation claims the id in two steps. `mkdir` makes the directory, searchable by its owner
//! only; the first state file, which is never put over another one, makes it a container, and only
//! then the directory gets its final mode. So a directory that has the first mode and no state file
//! holds nothing, and belongs to nothing, whatever interrupted whom. What was made by name is
//! looked up by name again to open it; between the two it can be removed and made by others.
//! That does not matter: of all that have the same directory open, one takes the lock and writes
//! the first state file.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use serde::Serialize;

use super::lock::Lock;
use crate::error::{Error, ErrorKind, Result};
use crate::id::ContainerId;
use crate::state::record::State;

pub(crate) const STATE: &str = "state.json";
/// The state file as it was before the container was created: all that is known of a container
/// whose state file is lost.
pub(crate) const EARLIER: &str = "state.earlier.json";

/// Where the root file system is mounted while CRIU restores it.
const CRIU_ROOT: &str = "criu-root";

/// The mode of a directory that no container was recorded in yet, or from which everything is
/// removed.
const UNUSED: Mode = Mode::RWXU;
/// The mode of a container's directory: the root user of a user namespace must be able to reach
/// what is mounted from below.
const USED: Mode = Mode::RWXU.union(Mode::XGRP).union(Mode::XOTH);

/// How deep below the directory of a container its files may lie.
const MAX_DEPTH: u32 = 32;

/// The directory of a container, open. Its files are reached through the descriptor, never again by
/// path.
#[derive(Debug)]
pub(crate) struct StateDirectory {
    pub(crate) directory: OwnedFd,
    pub(crate) path: PathBuf,
}

const OPEN: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

impl StateDirectory {
    /// Makes the directory and locks it. Of several processes that try, exactly one gets to
    /// [`claim`](Self::claim) it.
    ///
    /// Killed in between, it leaves an empty directory, which is not taken for a container and can
    /// be deleted.
    pub(crate) fn make(
        root: impl AsFd,
        root_path: &Path,
        id: &ContainerId,
    ) -> Result<(Self, Lock)> {
        let failed = |errno| Error::system(format!("make the directory of container {id}"), errno);
        match rustix::fs::mkdirat(&root, id.as_str(), UNUSED) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Err(Error::container_exists()),
            Err(errno) => return Err(failed(errno)),
        }
        let directory = match rustix::fs::openat(&root, id.as_str(), OPEN, Mode::empty()) {
            Ok(directory) => directory,
            Err(Errno::NOENT) => return Err(deleted_meanwhile(id)),
            Err(errno) => {
                // Only an empty one goes, and who has another empty one there finds it gone.
                let _ = rustix::fs::unlinkat(&root, id.as_str(), AtFlags::REMOVEDIR);
                return Err(failed(errno));
            }
        };
        let made = Self {
            directory,
            path: root_path.join(id),
        };
        let lock = made.unheld_lock()?;
        match lock.try_take(&root, id) {
            Ok(true) => Ok((made, lock)),
            // Whatever the other process is doing, it was faster.
            Ok(false) => Err(Error::container_exists()),
            // Not locked yet it looked like one that a killed process has left.
            Err(error) if error.kind() == ErrorKind::NotFound => Err(deleted_meanwhile(id)),
            Err(error) => Err(error),
        }
    }

    /// Writes the first state file into a directory that was [made](Self::make): from here on there
    /// is a container. Fails with [`ErrorKind::AlreadyExists`], and has changed nothing, if
    /// there is one.
    pub(crate) fn claim(
        &self,
        lock: &Lock,
        root: impl AsFd,
        id: &ContainerId,
        state: &State<impl Serialize>,
    ) -> Result<()> {
        let claimed = self.write_first(state);
        let claimed = claimed.and_then(|()| {
            // Whatever the umask made of it.
            rustix::fs::fchmod(&self.directory, USED)
                .map_err(|errno| Error::system(format!("chmod {}", self.path.display()), errno))
                .inspect_err(|_| drop(lock.remove(&root, id)))
        });
        if let Err(error) = &claimed
            && error.kind() != ErrorKind::AlreadyExists
        {
            // Only an empty one goes.
            let _ = rustix::fs::unlinkat(&root, id.as_str(), AtFlags::REMOVEDIR);
        }
        claimed
    }

    /// Opens the directory of an existing container.
    pub(crate) fn open(root: impl AsFd, root_path: &Path, id: &ContainerId) -> Result<Self> {
        match rustix::fs::openat(root, id.as_str(), OPEN, Mode::empty()) {
            Ok(directory) => Ok(Self {
                directory,
                path: root_path.join(id),
            }),
            Err(Errno::NOENT) => Err(Error::no_container()),
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

    /// Keeps other destroyers and changers out until the result is dropped.
    ///
    /// Fails with [`ErrorKind::NotFound`] if the directory is not the one at its path any more:
    /// another process destroyed the container, and perhaps a new one has its id by now. Fails
    /// with [`ErrorKind::Timeout`] if another process keeps the lock.
    pub(crate) fn lock(&self, root: impl AsFd, id: &ContainerId) -> Result<Lock> {
        let lock = self.unheld_lock()?;
        lock.take(root, id)?;
        Ok(lock)
    }

    /// The lock, not taken yet.
    pub(crate) fn unheld_lock(&self) -> Result<Lock> {
        let failed = |errno| Error::system(format!("lock {}", self.path.display()), errno);
        let directory =
            rustix::fs::openat(&self.directory, ".", OPEN, Mode::empty()).map_err(failed)?;
        Ok(Lock::new(directory, self.path.clone()))
    }

    /// The user who made it.
    pub(crate) fn owner(&self) -> Result<u32> {
        let stat = rustix::fs::fstat(&self.directory)
            .map_err(|errno| Error::system("read the owner of the container", errno))?;
        Ok(stat.st_uid)
    }

    /// Whether no container was recorded here yet, or everything of it was removed. That is known
    /// of what has the mode for it, and of an empty directory that other hands have made.
    pub(crate) fn holds_nothing(&self) -> Result<bool> {
        let stat = self.stat()?;
        if stat.st_mode & 0o777 & !UNUSED.bits() == 0 {
            return Ok(true);
        }
        let failed = |errno| Error::system(format!("list {}", self.path.display()), errno);
        let mut entries = rustix::fs::Dir::read_from(&self.directory).map_err(failed)?;
        let is_empty = entries.all(|entry| {
            entry.is_ok_and(|entry| matches!(entry.file_name().to_bytes(), b"." | b".."))
        });
        Ok(is_empty && stat.st_mode & 0o777 != USED.bits())
    }

    fn stat(&self) -> Result<rustix::fs::Stat> {
        rustix::fs::fstat(&self.directory)
            .map_err(|errno| Error::system(format!("look at {}", self.path.display()), errno))
    }

    /// Whether this looks like a directory that a process is just creating or removing: no record,
    /// the mode of one without, and a change within the last seconds.
    pub(crate) fn is_in_passing(&self) -> Result<bool> {
        const MOMENT: i64 = 10;
        let stat = self.stat()?;
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime).tv_sec;
        Ok(
            stat.st_mode & 0o777 & !UNUSED.bits() == 0
                && now.saturating_sub(stat.st_ctime) < MOMENT,
        )
    }

    /// Makes the directory in which the notification socket will be.
    pub(crate) fn make_notify_directory(&self, name: &str) -> Result<()> {
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
        make().map_err(|errno| Error::system(format!("make {}", path.display()), errno))
    }

    /// Makes the directory that CRIU restores the root file system from. Returns its path without
    /// links, which is what CRIU compares with those of mounts.
    pub(crate) fn make_criu_root(&self) -> Result<PathBuf> {
        let path = self.path.join(CRIU_ROOT);
        let failed = |error| Error::system(format!("make {}", path.display()), error);
        rustix::fs::mkdirat(&self.directory, CRIU_ROOT, Mode::from_raw_mode(0o755))
            .map_err(|errno| failed(errno.into()))?;
        path.canonicalize().map_err(failed)
    }

    /// Removes that directory. One that stays is removed with the container.
    pub(crate) fn remove_criu_root(&self) {
        if let Err(errno) = rustix::fs::unlinkat(&self.directory, CRIU_ROOT, AtFlags::REMOVEDIR) {
            log::debug!("remove {}: {errno}", self.path.join(CRIU_ROOT).display());
        }
    }
}

impl Lock {
    /// Removes the directory, which must be held, with everything in it. `false` if it is gone
    /// already.
    ///
    /// Interrupted, it leaves what an interrupted creation leaves.
    pub(crate) fn remove(&self, root: impl AsFd, id: &ContainerId) -> Result<bool> {
        let own = self.directory();
        let failed =
            |errno| Error::system(format!("remove the directory of container {id}"), errno);
        rustix::fs::fchmod(own, UNUSED).map_err(failed)?;
        // Mostly these are all there is.
        for name in [EARLIER, STATE] {
            let _ = rustix::fs::unlinkat(own, name, AtFlags::empty());
        }
        let remove = || rustix::fs::unlinkat(&root, id.as_str(), AtFlags::REMOVEDIR);
        match remove() {
            Ok(()) => return Ok(true),
            Err(Errno::NOENT) => return Ok(false),
            Err(_) => {}
        }
        match clear(own, MAX_DEPTH).and_then(|()| remove()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(failed(errno)),
        }
    }
}

/// Removes everything in a directory, following nothing.
fn clear(directory: BorrowedFd<'_>, depth: u32) -> Result<(), Errno> {
    let left = depth.checked_sub(1).ok_or(Errno::NAMETOOLONG)?;
    for entry in rustix::fs::Dir::read_from(directory)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => continue,
            // POSIX says EPERM, Linux EISDIR.
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(errno) => return Err(errno),
        }
        let child = rustix::fs::openat(directory, name, OPEN, Mode::empty())?;
        clear(child.as_fd(), left)?;
        match rustix::fs::unlinkat(directory, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Not locked yet, it looked like one that a killed process has left. What is there now is not
/// ours.
fn deleted_meanwhile(id: &ContainerId) -> Error {
    Error::new(
        ErrorKind::NotFound,
        format!("container {id} was deleted while it was made"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::exec_fifo::OtherEnd;
    use crate::state::record::Record;

    fn root() -> (tempfile::TempDir, OwnedFd) {
        let dir = tempfile::tempdir().unwrap();
        let fd = rustix::fs::open(dir.path(), OPEN, Mode::empty()).unwrap();
        (dir, fd)
    }

    fn id(text: &str) -> ContainerId {
        text.parse().unwrap()
    }

    /// What is on record before anything exists.
    fn intent() -> State {
        State {
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
        }
    }

    #[test]
    fn a_creation_that_finds_another_ones_directory_changes_nothing_in_it() {
        let (dir, fd) = root();
        let id = id("x");
        // As after: the first one makes the directory, it is taken for stale and removed, a second
        // one makes it again and the first one opens that.
        let (winner, lock) = StateDirectory::make(&fd, dir.path(), &id).unwrap();
        let loser = StateDirectory::open(&fd, dir.path(), &id).unwrap();
        let others = loser.unheld_lock().unwrap();
        assert!(!others.try_take(&fd, &id).unwrap());
        winner.claim(&lock, &fd, &id, &intent()).unwrap();
        drop(lock);
        let before = std::fs::read(winner.path().join(STATE)).unwrap();
        assert!(others.try_take(&fd, &id).unwrap());
        let other = State {
            id: "another".to_owned(),
            ..intent()
        };
        let error = loser.claim(&others, &fd, &id, &other).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(winner.path().join(STATE)).unwrap(), before);
        assert_eq!(std::fs::read_dir(winner.path()).unwrap().count(), 1);
    }

    /// Creations and removals of one id by many threads: a creation that succeeded finds its own
    /// record until it removes it.
    #[test]
    fn of_many_that_make_and_remove_no_one_loses_its_record() {
        let (dir, fd) = root();
        let id = id("x");
        let turns = std::sync::atomic::AtomicU32::new(0);
        let created = std::sync::atomic::AtomicU32::new(0);
        let (turns, created, root, fd, id) = (&turns, &created, dir.path(), &fd, &id);
        let next = || turns.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 3000;
        let make = |own: String| {
            while next() {
                let made = StateDirectory::make(fd, root, id).and_then(|(directory, lock)| {
                    let state = State {
                        id: own.clone(),
                        ..intent()
                    };
                    directory.claim(&lock, fd, id, &state)?;
                    Ok((directory, lock))
                });
                match made {
                    Ok((directory, lock)) => {
                        created.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        assert_eq!(directory.read_state::<State>().unwrap().id, own);
                        assert!(lock.remove(fd, id).unwrap());
                    }
                    Err(error) => assert!(
                        matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound),
                        "{error:?}"
                    ),
                }
            }
        };
        // What `delete --force` does with a directory that has no record.
        let remove_stale = || {
            while next() {
                let removed = StateDirectory::open(fd, root, id).and_then(|directory| {
                    let lock = directory.lock(fd, id)?;
                    match directory.remains()? {
                        crate::state::file::Remains::Nothing => lock.remove(fd, id),
                        _ => Ok(false),
                    }
                });
                if let Err(error) = removed {
                    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
                }
            }
        };
        std::thread::scope(|scope| {
            for number in 0..4 {
                scope.spawn(move || make(format!("maker {number}")));
                scope.spawn(remove_stale);
            }
        });
        assert!(created.load(std::sync::atomic::Ordering::Relaxed) > 0);
        assert_eq!(std::fs::read_dir(root).unwrap().count(), 0);
    }

    #[test]
    fn what_is_left_of_damaged_files_is_found() {
        use crate::state::file::Remains;
        let (dir, fd) = root();
        let (directory, lock) = StateDirectory::make(&fd, dir.path(), &id("x")).unwrap();
        assert!(matches!(directory.remains().unwrap(), Remains::Nothing));
        directory.claim(&lock, &fd, &id("x"), &intent()).unwrap();
        let made = State {
            cgroup_paths: [(String::new(), "/cgroup/x".into())].into(),
            ..intent()
        };
        directory.write_state(&made).unwrap();
        let created = State {
            init_process_pid: 42,
            ..made
        };
        directory.write_created(&created).unwrap();
        let state = directory.path().join(STATE);
        let pid = || match directory.remains().unwrap() {
            Remains::Record { record, damage } => {
                assert_eq!(record.cgroup_paths.len(), 1);
                (record.init_process_pid, damage.is_some())
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(pid(), (42, false));
        // Cut, emptied, away, or of another kind.
        let damage: [&dyn Fn(); 5] = [
            &|| std::fs::write(&state, r#"{"id":"x","init_"#).unwrap(),
            &|| std::fs::write(&state, "").unwrap(),
            &|| std::fs::remove_file(&state).unwrap(),
            &|| std::os::unix::fs::symlink("/etc/passwd", &state).unwrap(),
            &|| {
                std::fs::remove_file(&state).unwrap();
                std::fs::create_dir(&state).unwrap();
            },
        ];
        for damage in damage {
            damage();
            assert_eq!(pid(), (-1, true));
        }
        std::fs::remove_file(directory.path().join(EARLIER)).unwrap();
        assert!(matches!(directory.remains().unwrap(), Remains::Lost(_)));
        assert!(lock.remove(&fd, &id("x")).unwrap());
    }

    #[test]
    fn a_record_that_went_away_is_not_taken_for_one_that_never_was() {
        use crate::state::file::Remains;
        let (dir, fd) = root();
        let (directory, lock) = StateDirectory::make(&fd, dir.path(), &id("x")).unwrap();
        directory.claim(&lock, &fd, &id("x"), &intent()).unwrap();
        std::fs::remove_file(directory.path().join(STATE)).unwrap();
        assert!(matches!(directory.remains().unwrap(), Remains::Lost(_)));
    }

    #[test]
    fn a_file_that_another_process_of_this_pid_has_left_does_not_matter() {
        let (dir, fd) = root();
        let (directory, lock) = StateDirectory::make(&fd, dir.path(), &id("x")).unwrap();
        for number in 0..50 {
            let name = format!("state-{}-{number}", std::process::id());
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        std::fs::write(directory.path().join(EARLIER), "").unwrap();
        directory.claim(&lock, &fd, &id("x"), &intent()).unwrap();
        directory.write_created(&intent()).unwrap();
        assert_eq!(directory.read_state::<State>().unwrap(), intent());
        assert!(lock.remove(&fd, &id("x")).unwrap());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_lock_is_waited_for_within_bounds_and_its_holder_named() {
        let (dir, fd) = root();
        let (directory, lock) = StateDirectory::make(&fd, dir.path(), &id("x")).unwrap();
        let other = directory.unheld_lock().unwrap();
        assert!(!other.try_take(&fd, &id("x")).unwrap());
        let text = other.is_held().to_string();
        let own = format!("process {} (", std::process::id());
        assert!(text.contains(&own), "{text}");
        assert_eq!(other.is_held().kind(), ErrorKind::Timeout);
        drop(lock);
        assert!(other.try_take(&fd, &id("x")).unwrap());
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
        let mut state = intent();
        directory.write_state(&state).unwrap();
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                for _ in 0..500 {
                    let record: Record = directory.read_record().unwrap();
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
            directory.read_record().unwrap_err().kind(),
            ErrorKind::NotFound
        );
        for text in ["", "{", "[]", "{\"id\":\"x\"}"] {
            std::fs::write(directory.path().join(STATE), text).unwrap();
            let error = directory.read_record().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::CorruptState, "{text:?}");
            assert!(error.to_string().contains("x/state.json"), "{error}");
        }
    }

    #[test]
    fn only_one_claims_the_fifo() {
        let (dir, fd) = root();
        let (directory, _lock) = StateDirectory::make(&fd, dir.path(), &id("x")).unwrap();
        assert_eq!(directory.has_reader().unwrap(), Some(false));
        let own = (
            rustix::process::geteuid().as_raw(),
            rustix::process::getegid().as_raw(),
        );
        let ends = directory.make_fifo(own).unwrap();
        assert_eq!(directory.has_reader().unwrap(), Some(true));
        drop(ends);
        assert_eq!(directory.has_reader().unwrap(), None);
        assert!(directory.claim_fifo().unwrap());
        assert!(!directory.claim_fifo().unwrap());
    }

    /// Each step of a start may come just after another process has finished its own.
    #[test]
    fn a_fifo_that_another_process_removes_is_no_error() {
        let (_dir, root) = root();
        let (directory, _lock) =
            StateDirectory::make(&root, Path::new("/run/x"), &id("c")).unwrap();
        let waiting = directory.make_fifo((0, 0)).unwrap();
        assert!(matches!(directory.other_end(), Ok(OtherEnd::Reads(_))));
        assert!(directory.fifo_reader().unwrap().is_some());
        assert!(directory.claim_fifo().unwrap());
        assert!(directory.fifo_reader().unwrap().is_none());
        assert!(matches!(directory.other_end(), Ok(OtherEnd::NoFifo)));
        assert_eq!(directory.has_reader().unwrap(), Some(false));
        assert!(!directory.claim_fifo().unwrap());
        drop(waiting);
    }

    #[test]
    fn a_lock_on_a_directory_that_was_replaced_is_refused() {
        let (dir, fd) = root();
        let (old, lock) = StateDirectory::make(&fd, dir.path(), &id("x")).unwrap();
        drop(lock);
        let lock = old.lock(&fd, &id("x")).unwrap();
        assert!(lock.remove(&fd, &id("x")).unwrap());
        assert!(!lock.remove(&fd, &id("x")).unwrap());
        drop(lock);
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

    /// What it may take to write a record: as in `plan::tests::budget` a count.
    #[test]
    fn the_records_of_a_creation_share_the_configuration() {
        use crate::sys::allocations::count;

        let (dir, fd) = root();
        let id = id("x");
        let mut state = intent();
        state.config.mask_paths = vec!["/proc/some/path".to_owned(); 1000];
        let state = state.encoded();
        let (directory, lock) = StateDirectory::make(&fd, dir.path(), &id).unwrap();
        directory.claim(&lock, &fd, &id, &state).unwrap();
        let (written, allocations) = count(|| directory.write_state(&state));
        written.unwrap();
        assert!(allocations <= 3, "{allocations} allocations");
        assert_eq!(
            directory.read_state::<State>().unwrap().config,
            *state.config.shared()
        );
    }
}
