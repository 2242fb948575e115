//! What must hold for the plan of every configuration, checked on generated ones.
//!
//! The plan is also *walked*, the way the stub goes through it: once with every step succeeding,
//! and once for each step that has an alternative, with that step failing.

pub(super) mod configurations;
mod invariants;
mod walk;

use configs::config::NamespaceType;
use nsenter::plan::{Op, Plan};
use proptest::prelude::*;

use self::configurations::case;
use self::invariants::{
    dumpable_only_for_a_moment, late_second_stages_are_powerless, mounts_are_in_order,
    namespaces_are_made_in_order, only_these_may_fail, only_trees_are_attached,
    paths_of_the_host_are_absolute, placements_are_made, protections_are_complete,
    the_tail_is_in_order,
};
use self::walk::walks;
use super::{count, position};

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn plans_of_init_keep_the_invariants(case in case()) {
        let built = case.init().map_err(|error| TestCaseError::fail(error.chain()))?;
        let plan = &built.plan;
        namespaces_are_made_in_order(&case, plan)?;
        dumpable_only_for_a_moment(plan)?;
        if built.two_stages {
            late_second_stages_are_powerless(plan)?;
        }
        the_tail_is_in_order(&case, plan)?;
        only_trees_are_attached(plan)?;
        paths_of_the_host_are_absolute(plan)?;
        mounts_are_in_order(&case, plan)?;
        protections_are_complete(&case, &built)?;
        only_these_may_fail(plan)?;
        placements_are_made(&case, &built)?;
        walks(&built)?;
    }

    #[test]
    fn plans_of_exec_keep_the_invariants(case in case()) {
        let built = case.exec().map_err(|error| TestCaseError::fail(error.chain()))?;
        let plan = &built.plan;
        prop_assert!(built.two_stages);
        prop_assert!(plan.clone_namespaces().is_empty());
        prop_assert_eq!(count(plan, |op| matches!(op, Op::SecondStage)), 1);
        late_second_stages_are_powerless(plan)?;
        dumpable_only_for_a_moment(plan)?;
        the_tail_is_in_order(&case, plan)?;
        only_these_may_fail(plan)?;
        placements_are_made(&case, &built)?;
        walks(&built)?;
        // Nothing is mounted, nothing hidden: the container is as it is.
        let mounting = |op: &Op| matches!(
            op,
            Op::NewMount { .. } | Op::CloneTree { .. } | Op::Attach { .. } | Op::Mask { .. }
        );
        prop_assert_eq!(count(plan, mounting), 0);
        let creating = |op: &Op| matches!(op, Op::Hook(_) | Op::LateHooks(_) | Op::WaitStart(_));
        prop_assert_eq!(count(plan, creating), 0);
        // The pid namespace is joined before, and only the child is in it.
        let joining = |op: &Op| match op {
            Op::JoinProcess { namespaces, .. } => namespaces.contains(NamespaceType::Pid),
            _ => false,
        };
        let joins = position(plan, joining);
        prop_assert_eq!(joins.is_some(), case.config.namespaces.contains(NamespaceType::Pid));
        // The profile is set with the container's own identity.
        let profile = position(plan, |op| matches!(op, Op::Write { bytes, .. } if bytes == b"exec profile"));
        prop_assert_eq!(profile.is_some(), !case.config.apparmor_profile.is_empty());
        let uid = position(plan, |op| matches!(op, Op::SetUid(_))).unwrap();
        prop_assert!(profile.is_none_or(|profile| uid < profile));
    }

    #[test]
    fn the_same_request_gives_the_same_bytes_and_they_read_back(case in case()) {
        let (one, two) = (case.init().unwrap(), case.init().unwrap());
        prop_assert_eq!(one.plan.as_bytes(), two.plan.as_bytes());
        prop_assert_eq!(&one.inputs, &two.inputs);
        let read = Plan::from_bytes(one.plan.as_bytes()).unwrap();
        prop_assert_eq!(read.to_string(), one.plan.to_string());
        prop_assert!(one.plan.as_bytes().len() < 16 << 20);
    }
}
