#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod applied;
mod backoff;
mod cgroup;
mod cgroup_events;
mod conversion;
mod dir;
mod error;
pub mod events;
#[cfg(test)]
mod fake;
mod file_format;
mod freezer;
mod group_dir;
mod hierarchy;
mod hugepages;
mod kill;
mod membership;
mod open_files;
mod processes;
mod recorded_freezers;
mod remove;
mod resources;
mod sampler;
mod snapshot;
mod spec;
pub mod stats;
mod sys;
#[cfg(feature = "systemd")]
mod systemd;
mod v1;
mod v2;
mod wait_empty;

// Their types are part of this interface.
pub use devices;

pub use applied::{Applied, Warning};
pub use cgroup::{Cgroup, Frozen, Paths};
pub use conversion::cpu_weight;
pub use error::{Error, ErrorKind, Result};
pub use hierarchy::{Hierarchy, HierarchyMount, Mode};
pub use recorded_freezers::RecordedFreezers;
pub use resources::{
    FreezerState, HugepageLimit, IfPriority, Rdma, Resources, ThrottleDevice, WeightDevice,
};
pub use sampler::Sampler;
pub use snapshot::Snapshot;
pub use spec::CgroupSpec;
pub use stats::Stats;
