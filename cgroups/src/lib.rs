#![doc = include_str!("../README.md")]

mod cgroup;
mod dir;
mod error;
mod hierarchy;
mod membership;
mod resources;
mod spec;
pub mod stats;

pub use cgroup::{Applied, Cgroup, Frozen, Paths, Warning};
pub use error::{Error, ErrorKind, Result};
pub use hierarchy::{Hierarchy, HierarchyMount, Mode};
pub use resources::{
    FreezerState, HugepageLimit, IfPriority, Rdma, Resources, ThrottleDevice, WeightDevice,
};
pub use spec::CgroupSpec;
pub use stats::Stats;
