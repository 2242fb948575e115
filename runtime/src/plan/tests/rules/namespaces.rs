//! Namespaces, cgroups, networks.

use configs::config::{MountFlags, NamespaceType, Network};
use nsenter::plan::{FsOption, Op, Plan, Step};

use super::built;
use crate::plan::tests::{Case, allowing, count, named, ops, position};
use crate::plan::{Filter, Gate, Input, Tag};

#[test]
fn a_joined_pid_namespace_sees_only_the_finished_process_where_the_kernel_allows() {
    let mut case = Case::standard();
    case.config
        .namespaces
        .set(NamespaceType::Pid, "/proc/7/ns/pid");
    let second_stage =
        |case: &Case| position(&built(case), |op| matches!(op, Op::SecondStage)).unwrap();
    let pivot = |case: &Case| position(&built(case), |op| matches!(op, Op::PivotRoot(_))).unwrap();
    assert!(second_stage(&case) < pivot(&case));
    case.host.procfs_pidns = true;
    assert!(second_stage(&case) > pivot(&case));
    assert!(case.init().unwrap().warnings.is_empty());
    // The namespace is the one that was opened, whatever its path shows by then.
    let whole = case.init().unwrap();
    let input = whole.inputs.iter().find(|(_, input)| {
        matches!(
            input,
            Input::Namespace {
                kind: NamespaceType::Pid,
                ..
            }
        )
    });
    let pidns = FsOption::Descriptor(c"pidns".to_owned(), input.unwrap().0);
    let given = |op: &Op| matches!(op, Op::NewMount { options, .. } if options.contains(&pidns));
    assert_eq!(count(&whole.plan, given), 1);
    // A filter that takes a capability to load is loaded inside, with that one capability and after
    // the supervisor knows.
    case.config.no_new_privileges = false;
    case.filter = Some(allowing());
    assert!(second_stage(&case) > pivot(&case));
    let plan = built(&case);
    let filter = position(&plan, |op| matches!(op, Op::Seccomp { .. })).unwrap();
    let ready = position(&plan, |op| matches!(op, Op::AskReady)).unwrap();
    assert!(second_stage(&case) < ready && ready < filter);
    let sets: Vec<(usize, u64)> = ops(&plan)
        .into_iter()
        .enumerate()
        .filter_map(|(index, op)| match op {
            Op::Capabilities { permitted, .. } => Some((index, *permitted)),
            _ => None,
        })
        .collect();
    let wanted = 1 << 29 | 1 << 10 | 1 << 5;
    assert!(matches!(sets[..], [(before, kept), (after, last)]
        if before < second_stage(&case) && kept == wanted | 1 << 21
            && filter < after && last == wanted));
    // Resource limits are set while the identity is the runtime's. That on processes counts once
    // the first stage has ended.
    let gate = |case: &Case| {
        let number = Gate::ResourceLimits.number();
        position(&built(case), |op| *op == Op::AskGate(number))
    };
    assert_eq!(gate(&case), None);
    let limit = |kind| configs::config::Rlimit {
        kind,
        hard: 9,
        soft: 8,
    };
    case.process.rlimits([
        limit(configs::config::RlimitType::Nofile),
        limit(configs::config::RlimitType::Nproc),
    ]);
    let user = position(&built(&case), |op| matches!(op, Op::SetUid(_))).unwrap();
    assert!(gate(&case).unwrap() < user);
    let processes = position(&built(&case), |op| {
        matches!(op, Op::ResourceLimit { resource: 6, .. })
    });
    assert!(second_stage(&case) < processes.unwrap());
    // An older kernel mounts from inside, with a warning.
    case.host.procfs_pidns = false;
    assert!(second_stage(&case) < pivot(&case));
    assert_eq!(gate(&case), None);
    assert!(case.init().unwrap().warnings[0].contains("CAP_SYS_PTRACE"));
}

#[test]
fn time_offsets_are_written_with_the_rights_of_before() {
    let mut case = Case::user_namespace();
    case.config.namespaces.set(NamespaceType::Time, "");
    case.config.time_offsets = [("boottime", 7, 8), ("monotonic", -1, 0)]
        .map(|(clock, secs, nanosecs)| {
            (
                clock.to_owned(),
                configs::config::TimeOffset { secs, nanosecs },
            )
        })
        .into();
    let plan = built(&case);
    let write = named(&plan, "set the clocks of the time namespace");
    let Op::Write { bytes, .. } = plan.steps()[write].op() else {
        panic!()
    };
    assert_eq!(bytes, b"boottime 7 8\nmonotonic -1 0\n");
    assert!(named(&plan, "open /proc/self/timens_offsets") < named(&plan, "make user namespace"));
    case.config.namespaces.remove(NamespaceType::Time);
    assert!(case.refusal().contains("time namespace isn't enabled"));
}

#[test]
fn an_unprivileged_runtime_becomes_dumpable_to_open_its_own_files() {
    let mut case = Case::user_namespace();
    case.config.oom_score_adj = Some(500);
    let bracket = |case: &Case| count(&built(case), |op| matches!(op, Op::Dumpable(true)));
    assert_eq!(bracket(&case), 1);
    case.filter = Some(Filter {
        listener: true,
        ..allowing()
    });
    assert_eq!(bracket(&case), 1);
    case.host.effective_uid = 1000;
    assert_eq!(bracket(&case), 4);
    case.filter = Some(allowing());
    assert_eq!(bracket(&case), 3);
    // The last is for processes that join the init process: the one that joins needs it not.
    let exec = case.exec().unwrap().plan;
    let last = |plan: &Plan| {
        let closed = position(plan, |op| matches!(op, Op::CloseControl)).unwrap();
        matches!(ops(plan)[closed - 1], Op::Dumpable(true))
    };
    assert!(last(&built(&case)) && !last(&exec));
}

#[test]
fn groups_are_dropped_unless_that_is_switched_off() {
    let mut case = Case::user_namespace();
    let groups = |case: &Case| count(&built(case), |op| matches!(op, Op::SetGroups(_)));
    assert_eq!(groups(&case), 2);
    case.config.rootless_euid = true;
    assert_eq!(groups(&case), 0);
    case.process.additional_gids([5]);
    assert_eq!(
        case.refusal(),
        "cannot set any additional groups in a rootless container"
    );
    let mut nested = Case::standard();
    nested.host.setgroups_denied = true;
    assert_eq!(groups(&nested), 0);
}

/// The one change of groups that may be refused comes before a filter that could refuse it.
#[test]
fn in_a_joined_user_namespace_groups_are_dropped_before_the_filter() {
    let mut case = Case::standard();
    case.config.no_new_privileges = false;
    case.config.namespaces.set(NamespaceType::User, "/ns/user");
    case.filter = Some(allowing());
    for exec in [false, true] {
        for gids in [Vec::new(), vec![5]] {
            case.process.additional_gids(gids.clone());
            let built = if exec { case.exec() } else { case.init() };
            let plan = built.unwrap().plan;
            let filter = position(&plan, |op| matches!(op, Op::Seccomp { .. })).unwrap();
            let steps = plan.steps();
            let of_groups = |(_, step): &(usize, &Step)| matches!(step.op(), Op::SetGroups(_));
            let [(at, step)] = steps
                .iter()
                .enumerate()
                .filter(of_groups)
                .collect::<Vec<_>>()[..]
            else {
                panic!("not one change of groups in\n{plan}")
            };
            assert_eq!(*step.op(), Op::SetGroups(gids.clone()));
            assert_eq!(step.tolerated().is_empty(), !gids.is_empty());
            assert!(at < filter || !gids.is_empty());
        }
    }
}

#[test]
fn namespaces_that_fit_nothing_are_refused_by_the_name_of_the_field() {
    let mut case = Case::user_namespace();
    case.config.uid_mappings.clear();
    assert!(case.refusal().contains("linux.uidMappings"));
    let mut case = Case::standard();
    case.host.effective_uid = 1000;
    assert_eq!(
        case.refusal(),
        "rootless container requires user namespaces"
    );
    let mut case = Case::standard();
    case.config.namespaces.remove(NamespaceType::Uts);
    assert_eq!(
        case.refusal(),
        "unable to set hostname without a private UTS namespace"
    );
    let mut case = Case::standard();
    case.config.namespaces.remove(NamespaceType::Mount);
    assert_eq!(
        case.refusal(),
        "unable to restrict sys entries without a private MNT namespace"
    );
    let mut case = Case::bare();
    case.config.no_pivot_root = true;
    case.config.root_propagation = MountFlags::PRIVATE;
    assert_eq!(
        case.refusal(),
        "rootfsPropagation of [r]private is not safe without pivot_root"
    );
}

#[test]
fn the_initial_affinity_of_an_exec_applies_outside_of_the_cgroup() {
    let mut case = Case::standard();
    case.process.cpu_affinity(configs::config::CpuAffinity {
        initial: Some("0".parse().unwrap()),
        final_cpus: Some("1".parse().unwrap()),
    });
    let built = case.exec().unwrap();
    assert!(!built.spawn_into_cgroup);
    let gate = Op::AskGate(Gate::Cgroup.number());
    let placed = position(&built.plan, |op| *op == gate).unwrap();
    let masks: Vec<&Op> = ops(&built.plan)
        .into_iter()
        .filter(|op| matches!(op, Op::Affinity(_)))
        .collect();
    let mask = |word: u64| Op::Affinity(Some(word.to_ne_bytes().to_vec()));
    assert_eq!(masks, [&mask(1), &mask(2)]);
    assert!(named(&built.plan, "set the initial CPU affinity") < placed);
    assert!(placed < named(&built.plan, "set the final CPU affinity"));
    let joined = position(&built.plan, |op| matches!(op, Op::JoinProcess { .. })).unwrap();
    assert!(placed < joined);
    // An init has no affinity of its own: what it inherited is taken off.
    let plan = case.init().unwrap().plan;
    assert_eq!(
        ops(&plan)
            .into_iter()
            .filter(|op| matches!(op, Op::Affinity(_)))
            .collect::<Vec<_>>(),
        [&Op::Affinity(None)]
    );
}

#[test]
fn a_gate_waits_for_the_placement_before_the_cgroup_namespace() {
    let mut case = Case::standard();
    case.cgroup.unified = false;
    case.cgroup.gate = true;
    let built = case.init().unwrap();
    assert!(!built.spawn_into_cgroup);
    let gate = position(
        &built.plan,
        |op| matches!(op, Op::AskGate(n) if *n == Gate::Cgroup.number()),
    )
    .unwrap();
    assert!(gate < position(&built.plan, |op| matches!(op, Op::Unshare(_))).unwrap());
}

#[test]
fn rootless_cgroups_may_not_be_joinable() {
    let mut case = Case::user_namespace();
    case.cgroup.tasks = vec!["memory".to_owned()];
    let step = |case: &Case| {
        let plan = built(case);
        plan.steps()[named(&plan, "join the memory cgroup")]
            .tolerated()
            .to_vec()
    };
    assert!(step(&case).is_empty());
    case.config.rootless_cgroups = true;
    assert_eq!(step(&case), [libc::EPERM, libc::EACCES]);
}

#[test]
fn a_process_that_is_added_looks_at_the_hierarchies_it_joins_by_name() {
    let mut case = Case::standard();
    case.cgroup.task_paths = vec![("memory".to_owned(), "memory/c/tasks".into())];
    let looks = |plan: &Plan| {
        count(
            plan,
            |op| matches!(op, Op::Verify { expect, .. } if expect.magic == Some(0x27_e0eb)),
        )
    };
    assert_eq!(looks(&built(&case)), 0);
    let plan = case.exec().unwrap().plan;
    assert_eq!(looks(&plan), 1);
    let write = position(
        &plan,
        |op| matches!(op, Op::Write { bytes, .. } if bytes == b"0"),
    );
    assert!(position(&plan, |op| matches!(op, Op::Verify { .. })) < write);
}

#[test]
fn further_networks_are_left_to_the_parent() {
    let mut case = Case::standard();
    assert_eq!(
        count(&built(&case), |op| matches!(op, Op::Socket { .. })),
        0
    );
    case.config.networks.push(Network {
        kind: "veth".to_owned(),
        ..Network::default()
    });
    let plan = built(&case);
    let socket = position(&plan, |op| matches!(op, Op::Socket { .. })).unwrap();
    assert!(matches!(
        plan.steps()[socket + 1].op(),
        Op::SendDescriptorAndWait { tag, .. } if *tag == Tag::RouteSocket.number()
    ));
    assert_eq!(count(&plan, |op| matches!(op, Op::Netlink(_))), 1);
    // The loopback of a joined namespace is its owner's business.
    case.config
        .namespaces
        .set(NamespaceType::Network, "/run/netns/x");
    assert_eq!(count(&built(&case), |op| matches!(op, Op::Netlink(_))), 0);
    // And the host's network is never touched.
    case.config.namespaces.remove(NamespaceType::Network);
    assert_eq!(
        count(&built(&case), |op| matches!(op, Op::Socket { .. })),
        0
    );
}
