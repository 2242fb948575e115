//! Scheduling, I/O priority and memory policy.

use crate::config::{CpuSet, IoPriorityClass, MemoryPolicyMode};
use crate::{Config, Error, Result, oci};

/// Checks that the attributes fit the policy. Names that are not known are found when they are
/// [converted](crate::process::SchedulingAttributes::from_oci).
///
/// # Errors
/// An attribute is out of range or belongs to another policy.
pub fn scheduler(attributes: &oci::Scheduler) -> Result<()> {
    let policy = attributes.policy.as_str();
    if policy.is_empty() {
        return Err(Error::invalid("scheduler policy is required"));
    }
    if matches!(policy, "SCHED_OTHER" | "SCHED_BATCH") && !(-20..=19).contains(&attributes.nice) {
        return Err(Error::invalid(format!(
            "invalid scheduler.nice: {} when scheduler.policy is {policy}",
            attributes.nice
        )));
    }
    if attributes.priority != 0 && !matches!(policy, "SCHED_FIFO" | "SCHED_RR") {
        return Err(Error::invalid(
            "scheduler.priority can only be specified for SchedFIFO or SchedRR policy",
        ));
    }
    let has_times = attributes.runtime != 0 || attributes.deadline != 0 || attributes.period != 0;
    if has_times && policy != "SCHED_DEADLINE" {
        return Err(Error::invalid(
            "scheduler runtime/deadline/period can only be specified for SchedDeadline policy",
        ));
    }
    Ok(())
}

/// Checks class and priority.
///
/// # Errors
/// The class is not known or the priority not in 0..=7.
pub fn io_priority(priority: &oci::IoPriority) -> Result<()> {
    if !(0..=7).contains(&priority.priority) {
        return Err(Error::invalid(format!(
            "invalid ioPriority.Priority: {}",
            priority.priority
        )));
    }
    if IoPriorityClass::from_name(&priority.class).is_none() {
        return Err(Error::invalid(format!(
            "invalid ioPriority.Class: {:?}",
            priority.class
        )));
    }
    Ok(())
}

pub(super) fn memory_policy(config: &Config) -> Result<()> {
    let Some(policy) = &config.memory_policy else {
        return Ok(());
    };
    let nodes = policy.nodes.as_ref().map_or(0, CpuSet::count);
    match policy.mode {
        MemoryPolicyMode::Default | MemoryPolicyMode::Local if nodes != 0 => Err(Error::invalid(
            format!("memory policy mode requires 0 nodes but got {nodes}"),
        )),
        MemoryPolicyMode::Bind
        | MemoryPolicyMode::Interleave
        | MemoryPolicyMode::PreferredMany
        | MemoryPolicyMode::WeightedInterleave
            if nodes == 0 =>
        {
            Err(Error::invalid(
                "memory policy mode requires at least one node but got 0",
            ))
        }
        _ => Ok(()),
    }
}
