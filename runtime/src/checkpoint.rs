//! Checkpoint and restore, by [CRIU](https://criu.org).
//!
//! CRIU dumps and restores the processes. What it cannot know of a container is decided here: which
//! mounts and namespaces come from outside, where the standard streams lead, and what becomes of
//! the cgroup.

pub(crate) mod criu_process;
pub(crate) mod descriptors;
pub(crate) mod dump;
pub(crate) mod external_mounts;
pub(crate) mod image_files;
pub(crate) mod namespaces;
pub(crate) mod options;
pub(crate) mod restore;
pub(crate) mod stages;

use configs::Config;
use rustix::thread::{CapabilitySet, capabilities};

use crate::error::{Error, ErrorKind, Result};

pub use options::{CgroupsMode, CheckpointOptions, CriuOptions, PageServer, RestoreOptions};
pub use stages::{RestoreObserver, RestoreStage};

/// Refuses a container whose init process asks for a signal when its parent ends: CRIU sets it
/// again at the restore, in a child of the thread that restores, and with the restore that thread
/// ends.
pub(crate) fn refuse_parent_death_signal(config: &Config) -> Result<()> {
    match config.parent_death_signal {
        0 => Ok(()),
        signal => Err(Error::new(
            ErrorKind::Unsupported,
            format!("a container with a parent death signal ({signal}) would end with its restore"),
        )),
    }
}

/// Fails for a caller whom CRIU would refuse, with lines of its own on standard error.
pub(crate) fn require_privileges() -> Result<()> {
    let sets = capabilities(None)
        .map_err(|errno| Error::system("look at the capabilities of this process", errno))?;
    let either = CapabilitySet::SYS_ADMIN | CapabilitySet::CHECKPOINT_RESTORE;
    if sets.effective.intersects(either) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        "CRIU cannot checkpoint or restore containers for an ordinary user: it needs CAP_SYS_ADMIN \
         or CAP_CHECKPOINT_RESTORE",
    ))
}
