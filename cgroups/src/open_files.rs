//! What a handle knows of the files of a cgroup between two readings: opening a file of cgroupfs
//! costs five times what reading it costs.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::Errno;

use crate::dir::read_from_start;

/// How many more files may be kept open, in all hierarchies of a cgroup together.
#[derive(Debug)]
pub(crate) struct DescriptorBudget(AtomicUsize);

impl DescriptorBudget {
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

/// What is known of a file.
#[derive(Debug)]
pub(crate) enum Known {
    /// It is not there.
    Absent,
    /// What was just read from it.
    Content(Result<String, Errno>),
}

/// The files of one directory that are kept open, and those that are known not to be there
/// (`None`), by name.
#[derive(Debug)]
pub(crate) struct OpenFiles {
    budget: Arc<DescriptorBudget>,
    files: Mutex<BTreeMap<String, Option<OwnedFd>>>,
}

impl OpenFiles {
    pub(crate) fn new(budget: Arc<DescriptorBudget>) -> Self {
        Self {
            budget,
            files: Mutex::default(),
        }
    }

    /// `None` for a file of which nothing is known.
    ///
    /// A kept file ends with its controller or its cgroup, and a new one of the same name is
    /// another file: then it is forgotten, and has to be opened again.
    pub(crate) fn read(&self, name: &str) -> Option<Known> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = files.get(name)? else {
            return Some(Known::Absent);
        };
        let read = read_from_start(file);
        if read == Err(Errno::NODEV) {
            files.remove(name);
            self.budget.give_back();
            return None;
        }
        Some(Known::Content(read))
    }

    /// Keeps a file, if there is room for one more.
    pub(crate) fn keep(&self, name: &str, file: OwnedFd) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if !files.contains_key(name) && self.budget.take() {
            files.insert(name.to_owned(), Some(file));
        }
    }

    /// From now on these files are not looked for.
    pub(crate) fn remember_absences(&self, names: Vec<String>) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            files.entry(name).or_insert(None);
        }
    }
}
