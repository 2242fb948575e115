//! The directories of the host's `/`, for the quick sandbox.
//!
//! The root of a sandbox cannot be the host's own: what is mounted in it has to be made read-only
//! with everything below. It is a directory with an empty one for each of the host's, which all
//! sandboxes of one state directory share, and on which those of the host are mounted.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

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

/// The directory, below that for the state, and what has to be mounted on it.
pub(super) struct HostRoot {
    pub(super) directory: PathBuf,
    pub(super) mounts: Vec<oci::Mount>,
}

impl HostRoot {
    pub(super) fn prepare(state: &Path) -> Result<Self> {
        let directory = state.join("host-root");
        make(&directory)?;
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
        Ok(Self { directory, mounts })
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
