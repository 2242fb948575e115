//! One rule a test.

mod cgroup_mounts;
mod devices;
mod mounts;
mod namespaces;
mod process;
mod protections;
mod recursive_attributes;
mod remounts;
mod root;

use configs::config::{Mount, MountAttr};
use nsenter::plan::{Op, Plan};

use super::{Case, named, ops};

pub(super) fn built(case: &Case) -> Plan {
    case.init().unwrap().plan
}

/// A bare container with these mounts.
pub(super) fn with_mounts(mounts: Vec<Mount>) -> Case {
    let mut case = Case::bare();
    case.config.mounts = mounts;
    case
}

/// The attributes given to the detached tree of the only bind mount: set, clear, propagation,
/// recursive, keep locked.
pub(super) fn changes(plan: &Plan) -> Vec<(u64, u64, u64, bool, bool)> {
    // After those of the root file system.
    ops(plan)
        .into_iter()
        .skip(named(plan, "attach the root file system"))
        .filter_map(|op| match op {
            Op::MountAttributes {
                set,
                clear,
                propagation,
                recursive,
                keep_locked,
                ..
            } => Some((*set, *clear, *propagation, *recursive, *keep_locked)),
            _ => None,
        })
        .collect()
}

pub(super) fn new_mounts(plan: &Plan) -> Vec<(&str, u64)> {
    ops(plan)
        .into_iter()
        .filter_map(|op| match op {
            Op::NewMount {
                fstype, attributes, ..
            }
            | Op::MountOn {
                fstype, attributes, ..
            }
            | Op::MountIn {
                fstype, attributes, ..
            } => Some((fstype.to_str().unwrap(), *attributes)),
            _ => None,
        })
        .collect()
}

pub(super) const PRIVATE: u64 = 1 << 18;
pub(super) const SHARED: u64 = 1 << 20;
pub(super) const OTHERS: u64 =
    MountAttr::NOSUID | MountAttr::NODEV | MountAttr::NOEXEC | MountAttr::NOSYMFOLLOW;
