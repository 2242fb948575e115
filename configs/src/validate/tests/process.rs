use super::*;

#[test]
fn scheduler_attributes_fit_the_policy() {
    let base = |policy: &str| Scheduler {
        policy: policy.into(),
        ..Scheduler::default()
    };
    let check = |attributes: Scheduler| {
        let config = with(|c| c.scheduler = Some(attributes));
        validate(&config, &host())
            .map(drop)
            .map_err(|error| error.to_string())
    };
    assert_eq!(check(base("")), Err("scheduler policy is required".into()));
    for policy in ["SCHED_OTHER", "SCHED_BATCH"] {
        for nice in [-20, 0, 19] {
            assert_eq!(
                check(Scheduler {
                    nice,
                    ..base(policy)
                }),
                Ok(())
            );
        }
        for nice in [-21, 20] {
            let text = format!("invalid scheduler.nice: {nice} when scheduler.policy is {policy}");
            assert_eq!(
                check(Scheduler {
                    nice,
                    ..base(policy)
                }),
                Err(text)
            );
        }
    }
    assert_eq!(
        check(Scheduler {
            nice: 20,
            ..base("SCHED_FIFO")
        }),
        Ok(())
    );
    for policy in ["SCHED_FIFO", "SCHED_RR"] {
        assert_eq!(
            check(Scheduler {
                priority: 5,
                ..base(policy)
            }),
            Ok(())
        );
    }
    assert_eq!(
        check(Scheduler {
            priority: 5,
            ..base("SCHED_OTHER")
        }),
        Err("scheduler.priority can only be specified for SchedFIFO or SchedRR policy".into())
    );
    for times in [[1, 0, 0], [0, 1, 0], [0, 0, 1]] {
        let [runtime, deadline, period] = times;
        let timed = |policy| Scheduler {
            runtime,
            deadline,
            period,
            ..base(policy)
        };
        assert_eq!(check(timed("SCHED_DEADLINE")), Ok(()));
        assert_eq!(
            check(timed("SCHED_BATCH")),
            Err(
                "scheduler runtime/deadline/period can only be specified for SchedDeadline policy"
                    .into()
            )
        );
    }
}

#[test]
fn io_priority_class_and_range() {
    let check = |class: &str, priority: i32| {
        let config = with(|c| {
            c.io_priority = Some(IoPriority {
                class: class.into(),
                priority,
            })
        });
        validate(&config, &host())
            .map(drop)
            .map_err(|error| error.to_string())
    };
    for class in ["IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"] {
        assert_eq!((check(class, 0), check(class, 7)), (Ok(()), Ok(())));
    }
    assert_eq!(
        check("IOPRIO_CLASS_BE", 8),
        Err("invalid ioPriority.Priority: 8".into())
    );
    assert_eq!(
        check("IOPRIO_CLASS_BE", -1),
        Err("invalid ioPriority.Priority: -1".into())
    );
    assert_eq!(
        check("IOPRIO_CLASS_X", 1),
        Err("invalid ioPriority.Class: \"IOPRIO_CLASS_X\"".into())
    );
}

#[test]
fn memory_policies_and_their_nodes() {
    use MemoryPolicyMode::{
        Bind, Default as Standard, Interleave, Local, Preferred, PreferredMany, WeightedInterleave,
    };
    let check = |mode, nodes: &str| {
        let nodes = CpuSet::parse_optional(nodes).unwrap();
        let config = with(|c| {
            c.memory_policy = Some(MemoryPolicy {
                mode,
                flags: 0,
                nodes,
            })
        });
        validate(&config, &host())
            .map(drop)
            .map_err(|error| error.to_string())
    };
    for mode in [Standard, Local] {
        assert_eq!(check(mode, ""), Ok(()));
        assert_eq!(
            check(mode, "0-1"),
            Err("memory policy mode requires 0 nodes but got 2".into())
        );
    }
    for mode in [Bind, Interleave, PreferredMany, WeightedInterleave] {
        assert_eq!(check(mode, "0"), Ok(()));
        assert_eq!(
            check(mode, ""),
            Err("memory policy mode requires at least one node but got 0".into())
        );
    }
    assert_eq!(
        (check(Preferred, ""), check(Preferred, "0-3")),
        (Ok(()), Ok(()))
    );
}
