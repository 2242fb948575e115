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

pub use options::{CgroupsMode, CheckpointOptions, CriuOptions, PageServer, RestoreOptions};
pub use stages::{RestoreObserver, RestoreStage};
