//! The directories of the host's `/`, for the quick sandbox.
//!
//! The root of a sandbox cannot be the host's own: what is mounted in it has to be made read-only
//! with everything below. It is a directory with an empty one for each of the host's, on which
//! those of the host are mounted. All sandboxes of one state directory share it, but for those
//! that mount something where the host has nothing: they have one of their own, which is removed
//! with them.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use super::specification::bind;
use crate::error::{Error, Result};
use configs::oci;

/// Those that a sandbox has of its own.
const OWN: [&str; 4] = ["dev", "proc", "run", "tmp"];
/// Those that are empty: home directories.
const EMPTY: [&str; 2] = ["home", "root"];
/// What is not there: `/sys`, of which hardly anything works without capabilities, and what file
/// systems keep for themselves.
const ABSENT: [&str; 2] = ["lost+found", "sys"];

/// The directory that all share, below that for the state.
pub(super) fn shared(state: &Path) -> PathBuf {
    state.join("host-root")
}

/// A directory that one sandbox has for its own, removed when this is dropped.
#[derive(Debug)]
pub(super) struct OwnRoot(PathBuf);

impl OwnRoot {
    /// A new directory of this name, below that for the state.
    pub(super) fn new(state: &Path, name: &str) -> Result<Self> {
        let all = state.join("host-roots");
        make(&all)?;
        let directory = all.join(name);
        make(&directory)?;
        Ok(Self(directory))
    }

    pub(super) fn directory(&self) -> &Path {
        &self.0
    }
}

impl Drop for OwnRoot {
    fn drop(&mut self) {
        // What the host has below its `/` is mounted in the namespace of the sandbox alone.
        if let Err(error) = fs::remove_dir_all(&self.0) {
            log::warn!("remove {}: {error}", self.0.display());
        }
    }
}

/// Whether something has to be made in the root for a mount, or a working directory, to be there.
pub(super) fn makes_entries(path: &Path) -> bool {
    let mut names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name),
        _ => None,
    });
    let Some(first) = names.next() else {
        return false;
    };
    if OWN.iter().any(|name| first == *name) {
        return false;
    }
    if EMPTY.iter().any(|name| first == *name) {
        return names.next().is_some();
    }
    let absent = ABSENT.iter().any(|name| first == *name);
    // A file in the host's root is not in that of sandboxes.
    absent || !Path::new("/").join(first).is_dir()
}

/// Whether a mount point is missing in a directory of the host's, which is read-only.
pub(super) fn lacks(path: &Path) -> bool {
    let first = |names: &[&str]| {
        names
            .iter()
            .any(|name| path.starts_with(Path::new("/").join(name)))
    };
    let private = first(&OWN) || first(&EMPTY);
    !private && !makes_entries(path) && !path.exists()
}

/// What has to be mounted on the directory that is the root of a quick sandbox.
pub(super) struct HostRoot {
    pub(super) mounts: Vec<oci::Mount>,
}

impl HostRoot {
    /// Makes what is missing in the directory.
    pub(super) fn prepare(directory: &Path) -> Result<Self> {
        make(directory)?;
        for name in OWN.iter().chain(&EMPTY) {
            make(&directory.join(name))?;
        }
        let mut mounts = Vec::new();
        let host = Path::new("/");
        let failed = |error| Error::system("list /", error);
        for entry in fs::read_dir(host).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let skipped = OWN.iter().chain(&EMPTY).chain(&ABSENT);
            if skipped.into_iter().any(|skipped| name == *skipped) {
                continue;
            }
            let (there, here) = (entry.path(), directory.join(&name));
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_symlink() {
                link(&there, &here)?;
            } else if kind.is_dir() {
                make(&here)?;
                mounts.push(bind(&there, &there, true)?);
            }
            // Files in the root are rare, and none is of use to programs.
        }
        Ok(Self { mounts })
    }
}

/// Makes a directory that may be there, for every user to look into.
fn make(path: &Path) -> Result<()> {
    let failed = |error| Error::system(format!("make {}", path.display()), error);
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    // Whatever the umask made of it.
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(failed)
}

/// Makes a link as the host has one.
fn link(there: &Path, here: &Path) -> Result<()> {
    let failed = |error| Error::system(format!("make {}", here.display()), error);
    let target = fs::read_link(there).map_err(failed)?;
    match symlink(&target, here) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed(error)),
        _ => Ok(()),
    }
}
