use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::dir::{Below, Dir, read_from_start};
use crate::open_files::{DescriptorBudget, OpenFiles};
use crate::stats::Files;
use crate::{Error, ErrorKind, Hierarchy, Result};

/// The directory of a cgroup in one hierarchy: its place, and the directory itself, opened when it
/// is first needed and then kept.
#[derive(Debug)]
pub(crate) struct GroupDir {
    /// Below the root of the hierarchies.
    relative: PathBuf,
    path: PathBuf,
    below: Below,
    dir: OnceLock<Dir>,
    open_files: OpenFiles,
    /// The directory was made by this value: it is one of cgroupfs.
    made: bool,
}

impl GroupDir {
    pub(crate) fn new(hierarchy: &Hierarchy, relative: PathBuf, below: Below) -> Self {
        Self {
            path: hierarchy.path().join(&relative),
            relative,
            below,
            dir: OnceLock::new(),
            open_files: OpenFiles::new(Arc::new(DescriptorBudget::new(0))),
            made: false,
        }
    }

    /// The directory at an absolute path as [`paths`](crate::Cgroup::paths) reports it.
    pub(crate) fn at(hierarchy: &Hierarchy, path: &Path, below: Below) -> Result<Self> {
        let relative = path
            .strip_prefix(hierarchy.path())
            .ok()
            .filter(|relative| {
                relative
                    .components()
                    .all(|part| part != Component::ParentDir)
            })
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidPath,
                    format_args!(
                        "cgroup path {} is not below {}",
                        path.display(),
                        hierarchy.path().display()
                    ),
                )
            })?;
        Ok(Self::new(hierarchy, relative.to_owned(), below))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn relative(&self) -> &Path {
        &self.relative
    }

    /// From now on the directory's files stay open, as far as the budget goes.
    pub(crate) fn keep_files(&mut self, budget: &Arc<DescriptorBudget>) {
        self.open_files = OpenFiles::new(Arc::clone(budget));
    }

    /// Closes what is open; it is opened again when it is needed.
    pub(crate) fn close(&mut self) {
        self.dir = OnceLock::new();
        self.open_files = OpenFiles::new(Arc::new(DescriptorBudget::new(0)));
    }

    pub(crate) fn below(&self) -> Below {
        self.below
    }

    /// The open directory.
    pub(crate) fn dir(&self, hierarchy: &Hierarchy) -> Result<&Dir> {
        if let Some(dir) = self.dir.get() {
            return Ok(dir);
        }
        let dir = hierarchy.root().descend(&self.relative, self.below)?;
        // On cgroup v2 the kernel crosses no mount on the way.
        if self.below == Below::V1 && !self.made {
            hierarchy.check(&dir)?;
        }
        Ok(self.dir.get_or_init(|| dir))
    }

    /// The open directory; `None` if it does not exist.
    pub(crate) fn dir_if_present(&self, hierarchy: &Hierarchy) -> Result<Option<&Dir>> {
        match self.dir(hierarchy) {
            Ok(dir) => Ok(Some(dir)),
            Err(error) if error.is_not_found() => {
                if self.below == Below::V1 {
                    self.check_above(hierarchy)?;
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether what is there of the way to an absent directory is of cgroupfs: otherwise another
    /// mount covers it, and nothing can be said of the cgroup. On version 2 the kernel refuses to
    /// cross a mount.
    fn check_above(&self, hierarchy: &Hierarchy) -> Result<()> {
        for above in self.relative.ancestors().skip(1) {
            if above.as_os_str().is_empty() {
                break;
            }
            match hierarchy.root().descend(above, self.below) {
                Ok(dir) => return hierarchy.check(&dir),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The files of the open directory, to be read again and again; `None` if it does not exist.
    pub(crate) fn files(&self, hierarchy: &Hierarchy) -> Result<Option<Files<'_>>> {
        let dir = self.dir_if_present(hierarchy)?;
        Ok(dir.map(|dir| Files::new(dir, &self.open_files)))
    }

    /// Opens a file of the cgroup, in one step if its directory is not open.
    pub(crate) fn open(&self, hierarchy: &Hierarchy, name: &str, flags: OFlags) -> Result<OwnedFd> {
        if self.dir.get().is_none()
            && let Some(file) =
                hierarchy
                    .root()
                    .open_below(&self.relative, self.below, name, flags)?
        {
            // Version 1 crosses mounts on the way: something else may be mounted over the cgroup.
            if self.below == Below::V1 && !self.made {
                hierarchy.check_file(&file, &self.path.join(name))?;
            }
            return Ok(file);
        }
        self.dir(hierarchy)?.open(name, flags)
    }

    /// The trimmed content of a file, in one step if the directory is not open. `None` if it cannot
    /// be read like that: opening the directory gives the reason.
    pub(crate) fn read_in_one_step(&self, hierarchy: &Hierarchy, name: &str) -> Option<String> {
        let file = self.open(hierarchy, name, OFlags::RDONLY).ok()?;
        Some(read_from_start(file).ok()?.trim().to_owned())
    }

    /// Makes the directory, and those above it, and opens it. What was made is appended to `made`.
    pub(crate) fn make(&self, hierarchy: &Hierarchy, made: &mut Vec<PathBuf>) -> Result<&Dir> {
        let dir = make(hierarchy.root(), &self.relative, self.below, made)?;
        Ok(self.dir.get_or_init(|| dir))
    }

    /// As [`make`](Self::make), for a directory of cgroup v1, of which there are many: it is left
    /// to be opened when it is needed.
    pub(crate) fn make_v1(&mut self, hierarchy: &Hierarchy, made: &mut Vec<PathBuf>) -> Result<()> {
        // Mostly only the last one is missing.
        if let Ok(true) = hierarchy.root().mkdir(&self.relative) {
            made.push(self.relative.clone());
            self.made = true;
            return Ok(());
        }
        let dir = self.make(hierarchy, made)?;
        if made.last() == Some(&self.relative) {
            return Ok(());
        }
        hierarchy.check(dir)
    }

    /// Whether the directory was made by this value.
    pub(crate) fn is_made(&self) -> bool {
        self.made
    }

    /// Removes the directory, if that can be done at once.
    pub(crate) fn rmdir(&self, hierarchy: &Hierarchy) -> Result<(), Errno> {
        hierarchy.root().rmdir(&self.relative)
    }
}

fn make(root: &Dir, path: &Path, below: Below, made: &mut Vec<PathBuf>) -> Result<Dir> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return root.child(".");
    };
    if parent.as_os_str().is_empty() {
        return make_in(root, path, Path::new(name), made);
    }
    let parent = match root.descend(parent, below) {
        Err(error) if error.is_not_found() => make(root, parent, below, made)?,
        found => found?,
    };
    make_in(&parent, path, Path::new(name), made)
}

fn make_in(parent: &Dir, path: &Path, name: &Path, made: &mut Vec<PathBuf>) -> Result<Dir> {
    if parent.mkdir(name)? {
        made.push(path.to_owned());
    }
    let dir = parent.descend(name, Below::Unified)?;
    Ok(dir)
}

/// Removes directories that were made, the innermost first; for undoing a failed creation. That may
/// have failed for want of descriptors, so none is needed: the paths are those by which the
/// directories were made.
pub(crate) fn unmake(hierarchy: &Hierarchy, made: &[PathBuf]) {
    for path in made.iter().rev() {
        let removed = hierarchy.root().rmdir(path);
        log::debug!("undo mkdir {}: {removed:?}", path.display());
    }
}
