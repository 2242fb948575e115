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
