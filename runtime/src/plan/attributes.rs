//! Attributes of the process that the kernel keeps across an exec.

use configs::config::{IoPriorityClass, SchedulerFlag, SchedulerPolicy};
use configs::oci;
use nsenter::plan::Op;

use super::namespaces::SecondStage;
use super::params::ProcessParams;
use super::steps::Steps;
use crate::{Error, Result};

/// Whether a child would not have the scheduling policy, or could not even be made with it
/// (`sched(7)`): a second stage that is cloned later has to set it itself.
pub(super) fn schedules_itself(params: &ProcessParams<'_>, second_stage: SecondStage) -> bool {
    let lost = |scheduler: &oci::Scheduler| {
        let resets = SchedulerFlag::ResetOnFork.name();
        scheduler.policy == SchedulerPolicy::Deadline.name()
            || scheduler.flags.iter().any(|flag| flag == resets)
    };
    second_stage == SecondStage::Late && params.scheduler().is_some_and(lost)
}

/// The scheduling policy, if there is one.
pub(super) fn schedule(steps: &mut Steps, params: &ProcessParams<'_>) -> Result<()> {
    let Some(scheduler) = params.scheduler() else {
        return Ok(());
    };
    let op = Op::Scheduler(sched_attr(scheduler)?);
    let context = "set the scheduling policy";
    if params.config.cgroups.resources.cpuset_cpus.is_empty() {
        steps.push(context, op);
        return Ok(());
    }
    // The kernel only says EPERM to a deadline task that may not run everywhere. Trying again gives
    // that its name.
    let (refused, done) = (steps.label(), steps.label());
    steps.push_or(context, op.clone(), &[libc::EPERM], refused);
    steps.jump(done);
    steps.bind(refused);
    steps.push(
        "process scheduler can't be used together with AllowedCPUs",
        op,
    );
    steps.bind(done);
    Ok(())
}

/// `no_new_privs`, scheduling, I/O priority, execution domain, memory policy.
pub(super) fn set(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    second_stage: SecondStage,
) -> Result<()> {
    if params.no_new_privileges() {
        steps.push("set no_new_privs", Op::NoNewPrivileges);
    }
    if !schedules_itself(params, second_stage) {
        schedule(steps, params)?;
    }
    if let Some(priority) = params.io_priority() {
        steps.push(
            "set the I/O priority",
            Op::IoPriority(io_priority(priority)?),
        );
    }
    if let Some(personality) = &params.config.personality {
        steps.push(
            "set the personality",
            Op::Personality(personality.domain.to_int().into()),
        );
    }
    if let Some(policy) = &params.config.memory_policy {
        let nodes = policy
            .nodes
            .as_ref()
            .map(|nodes| nodes.mask().to_vec())
            .unwrap_or_default();
        steps.push(
            "set the memory policy",
            Op::MemoryPolicy {
                mode: policy.mode.to_int() | policy.flags,
                nodes,
            },
        );
    }
    Ok(())
}

/// `struct sched_attr` of `sched_setattr(2)`, first version: 48 bytes.
fn sched_attr(scheduler: &oci::Scheduler) -> Result<Vec<u8>> {
    const SIZE: u32 = 48;
    let policy = SchedulerPolicy::from_name(&scheduler.policy)
        .ok_or_else(|| Error::config(format!("invalid scheduler policy: {}", scheduler.policy)))?;
    let flags = scheduler.flags.iter().try_fold(0, |bits, name| {
        SchedulerFlag::from_name(name)
            .map(|flag| bits | flag.to_int())
            .ok_or_else(|| Error::config(format!("invalid scheduler flag: {name}")))
    })?;
    let priority = u32::try_from(scheduler.priority).map_err(|_| {
        Error::config(format!(
            "process.scheduler.priority {} is negative",
            scheduler.priority
        ))
    })?;
    let mut attr = Vec::with_capacity(48);
    attr.extend_from_slice(&SIZE.to_ne_bytes());
    attr.extend_from_slice(&policy.to_int().to_ne_bytes());
    attr.extend_from_slice(&flags.to_ne_bytes());
    attr.extend_from_slice(&scheduler.nice.to_ne_bytes());
    attr.extend_from_slice(&priority.to_ne_bytes());
    for nanoseconds in [scheduler.runtime, scheduler.deadline, scheduler.period] {
        attr.extend_from_slice(&nanoseconds.to_ne_bytes());
    }
    Ok(attr)
}

/// The value of `ioprio_set(2)`: the class in the bits from 13 on.
fn io_priority(priority: &oci::IoPriority) -> Result<u32> {
    let class = IoPriorityClass::from_name(&priority.class)
        .ok_or_else(|| Error::config(format!("invalid ioPriority.Class: {}", priority.class)))?;
    let level = u32::try_from(priority.priority)
        .ok()
        .filter(|level| *level <= 7)
        .ok_or_else(|| {
            Error::config(format!(
                "invalid ioPriority.Priority: {}",
                priority.priority
            ))
        })?;
    Ok(class.to_int() << 13 | level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheduler_becomes_the_kernels_structure() {
        let scheduler = oci::Scheduler {
            policy: "SCHED_DEADLINE".to_owned(),
            flags: vec![
                "SCHED_FLAG_RESET_ON_FORK".to_owned(),
                "SCHED_FLAG_RECLAIM".to_owned(),
            ],
            runtime: 1,
            deadline: 2,
            period: 3,
            ..oci::Scheduler::default()
        };
        let attr = sched_attr(&scheduler).unwrap();
        let word = |at: usize| u32::from_ne_bytes(attr[at..at + 4].try_into().unwrap());
        let long = |at: usize| u64::from_ne_bytes(attr[at..at + 8].try_into().unwrap());
        assert_eq!(attr.len(), 48);
        assert_eq!(
            (word(0), word(4), long(8), word(16), word(20)),
            (48, 6, 3, 0, 0)
        );
        assert_eq!((long(24), long(32), long(40)), (1, 2, 3));
    }

    #[test]
    fn nice_values_may_be_negative_and_priorities_may_not() {
        let mut scheduler = oci::Scheduler {
            policy: "SCHED_BATCH".to_owned(),
            nice: -20,
            ..oci::Scheduler::default()
        };
        let attr = sched_attr(&scheduler).unwrap();
        assert_eq!(i32::from_ne_bytes(attr[16..20].try_into().unwrap()), -20);
        scheduler.priority = -1;
        assert!(sched_attr(&scheduler).is_err());
    }

    #[test]
    fn an_io_priority_is_class_and_level() {
        let priority = |class: &str, priority| {
            io_priority(&oci::IoPriority {
                class: class.to_owned(),
                priority,
            })
        };
        assert_eq!(priority("IOPRIO_CLASS_RT", 0).unwrap(), 0x2000);
        assert_eq!(priority("IOPRIO_CLASS_IDLE", 7).unwrap(), 0x6007);
        assert!(priority("IOPRIO_CLASS_BE", 8).is_err());
        assert!(priority("IOPRIO_CLASS_XX", 0).is_err());
    }
}
