//! Files that stay open between reads: opening a file of cgroupfs costs five times what reading it
//! costs.

use std::{
    collections::BTreeMap,
    os::fd::OwnedFd,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use rustix::io::Errno;

/// How many more files may be kept, by all directories of a cgroup together.
#[derive(Debug)]
pub(crate) struct Budget(AtomicUsize);

impl Budget {
    pub(crate) fn new(files: usize) -> Self {
        Self(AtomicUsize::new(files))
    }

    fn take(&self) -> bool {
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            })
            .is_ok()
    }

    fn give_back(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The open files of one directory, by name.
#[derive(Debug)]
pub(crate) struct Kept {
    budget: Arc<Budget>,
    files: Mutex<BTreeMap<String, OwnedFd>>,
}

impl Kept {
    pub(crate) fn new(budget: Arc<Budget>) -> Self {
        Self {
            budget,
            files: Mutex::default(),
        }
    }

    /// The content of a file that is kept; `None` if it is not.
    ///
    /// A kept file ends with its controller or its cgroup, and a new one of the same name is
    /// another file: then it is forgotten, and has to be opened again.
    pub(crate) fn read(&self, name: &str) -> Option<Result<String, Errno>> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let read = crate::dir::read_from_start(files.get(name)?);
        if read == Err(Errno::NODEV) {
            files.remove(name);
            self.budget.give_back();
            return None;
        }
        Some(read)
    }

    /// Keeps a file, if there is room for one more.
    pub(crate) fn keep(&self, name: &str, file: OwnedFd) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if !files.contains_key(name) && self.budget.take() {
            files.insert(name.to_owned(), file);
        }
    }
}
