//! The containers of a state root, one after the other.

use rustix::fs::FileType;

use super::Runtime;
use crate::container::Container;
use crate::error::{Error, ErrorKind, Result};
use crate::id::ContainerId;
use crate::state::directory::StateDirectory;

impl Runtime {
    /// All containers, in the order of their ids. An entry whose state cannot be read, or that has
    /// none, is an `Err` that names it; one that disappears meanwhile, or that is just being
    /// made or removed, is left out.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the state root does not exist, [`ErrorKind::System`].
    pub fn list(&self) -> Result<Containers> {
        let root = self.existing_root()?.ok_or_else(|| self.is_missing())?;
        let failed = |errno| Error::system(format!("list {}", self.path.display()), errno);
        let mut ids = Vec::new();
        for entry in rustix::fs::Dir::read_from(&root).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if !matches!(entry.file_type(), FileType::Directory | FileType::Unknown) {
                continue;
            }
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            // Another program's directory, not ours: engines keep their own things beside.
            ids.extend(ContainerId::new(name).ok());
        }
        ids.sort();
        Ok(Containers {
            runtime: self.clone(),
            ids: ids.into_iter(),
        })
    }
}

/// Iterator over the containers of a state root: [`Runtime::list`].
#[derive(Debug)]
pub struct Containers {
    runtime: Runtime,
    ids: std::vec::IntoIter<ContainerId>,
}

impl Iterator for Containers {
    type Item = Result<Container>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(id) = self.ids.next() {
            // Whether the root is still there was asked when it was listed.
            match Container::load(self.runtime.clone(), &id) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    if let Some(settled) = self.without_record(&id) {
                        return Some(settled);
                    }
                }
                Err(error) => return Some(Err(error.context(format!("container {id}")))),
                Ok(container) => return Some(Ok(container)),
            }
        }
        None
    }
}

impl Containers {
    /// How many entries there are to look at.
    #[cfg(feature = "cli")]
    pub(crate) fn remaining(&self) -> usize {
        self.ids.len()
    }

    /// The same in parts of at most `length`, in the same order.
    #[cfg(feature = "cli")]
    pub(crate) fn parts(mut self, length: std::num::NonZeroUsize) -> Vec<Self> {
        let mut parts = Vec::new();
        while self.ids.len() > 0 {
            let ids: Vec<_> = self.ids.by_ref().take(length.get()).collect();
            parts.push(Self {
                runtime: self.runtime.clone(),
                ids: ids.into_iter(),
            });
        }
        parts
    }

    /// What to say of a directory that had no record; nothing if that is only for a moment.
    fn without_record(&self, id: &ContainerId) -> Option<Result<Container>> {
        let look = || {
            let root = self.runtime.root()?;
            StateDirectory::open(root, self.runtime.path(), id)?.is_in_passing()
        };
        if !matches!(look(), Ok(false)) {
            return None;
        }
        // With this mode and age a directory has its record, if it ever gets one.
        let loaded = self.runtime.load(id);
        Some(loaded.map_err(|error| error.context(format!("container {id}"))))
    }
}
