#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod applied;
mod cgroup;
mod cgroup_events;
mod conversion;
mod devices_v2;
mod dir;
mod emptiness;
mod error;
pub mod events;
#[cfg(test)]
mod fake;
mod freezer;
mod hierarchy;
mod hugepages;
mod kept;
mod kill;
mod membership;
mod pauses;
mod remove;
mod resources;
mod sampler;
mod slot;
mod snapshot;
mod spec;
pub mod stats;
mod sys;
#[cfg(feature = "systemd")]
mod systemd;
mod tree;
mod v1;
mod v2;
mod values;

// Their types are part of this interface.
pub use devices;

pub use applied::{Applied, Warning};
pub use cgroup::{Cgroup, Frozen, Paths};
pub use error::{Error, ErrorKind, Result};
pub use hierarchy::{Hierarchy, HierarchyMount, Mode};
pub use resources::{
    FreezerState, HugepageLimit, IfPriority, Rdma, Resources, ThrottleDevice, WeightDevice,
};
pub use sampler::Sampler;
pub use snapshot::Snapshot;
pub use spec::CgroupSpec;
pub use stats::Stats;
