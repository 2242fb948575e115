//! The invariants, each named after what it demands.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;

use configs::config::{MountAttr, NamespaceType};
use nsenter::plan::{Dir, Op, Plan, Slot};
use proptest::prelude::*;

use super::configurations::strict;
use super::walk::slots;
use crate::plan::tests::{Case, count, named, ops, position};
use crate::plan::{BuiltPlan, Input};

fn all(plan: &Plan, wanted: impl Fn(&Op) -> bool) -> Vec<usize> {
    ops(plan)
        .into_iter()
        .enumerate()
        .filter(|(_, op)| wanted(op))
        .map(|(index, _)| index)
        .collect()
}

fn last(plan: &Plan, wanted: impl Fn(&Op) -> bool) -> Option<usize> {
    all(plan, wanted).pop()
}

/// I1, I2, I4: who makes which namespace, and when.
pub(super) fn namespaces_are_made_in_order(case: &Case, plan: &Plan) -> Result<(), TestCaseError> {
    let namespaces = &case.config.namespaces;
    let cloneable = NamespaceType::Pid
        | NamespaceType::Mount
        | NamespaceType::Network
        | NamespaceType::Ipc
        | NamespaceType::Uts;
    prop_assert!((plan.clone_namespaces() - cloneable).is_empty());
    let needs_second = namespaces.contains(NamespaceType::User)
        || namespaces.path_of(NamespaceType::Pid).is_some()
        || namespaces.is_private(NamespaceType::Time);
    prop_assert_eq!(
        count(plan, |op| matches!(op, Op::SecondStage)),
        usize::from(needs_second)
    );
    if needs_second {
        prop_assert!(plan.clone_namespaces().is_empty());
    }
    let mut made = plan.clone_namespaces();
    for op in ops(plan) {
        if let Op::Unshare(more) = op {
            let user = NamespaceType::User;
            prop_assert!(*more == user.into() || !more.contains(user));
            prop_assert!(!made.intersects(*more));
            made |= *more;
        }
    }
    prop_assert_eq!(made, namespaces.created());

    let unshare = |wanted: NamespaceType| {
        position(
            plan,
            |op| matches!(op, Op::Unshare(made) if made.contains(wanted)),
        )
    };
    if let Some(user) = unshare(NamespaceType::User) {
        let maps = position(plan, |op| matches!(op, Op::AskIdMaps)).unwrap();
        let root = position(plan, |op| matches!(op, Op::SetUid(0))).unwrap();
        prop_assert!(user < maps && maps < root);
        for (index, op) in ops(plan).into_iter().enumerate() {
            if matches!(op, Op::Unshare(made) if *made != NamespaceType::User.into()) {
                prop_assert!(root < index);
            }
        }
    }
    if let Some(cgroup) = unshare(NamespaceType::Cgroup) {
        let placed = last(plan, |op| {
            matches!(op, Op::AskGate(1)) || matches!(op, Op::Write { bytes, .. } if bytes == b"0")
        });
        let offsets = case.config.oom_score_adj.is_some();
        // The value 0 of oom_score_adj looks the same as a placement, and comes before it.
        prop_assert!(placed.is_none_or(|placed| placed < cgroup) || offsets);
    }
    if let Some(time) = unshare(NamespaceType::Time) {
        let written = named(plan, "set the clocks of the time namespace");
        let second = position(plan, |op| matches!(op, Op::SecondStage)).unwrap();
        prop_assert!(time < written && written < second);
    }
    Ok(())
}

/// I3: dumpable only around the id maps, around opening a file of the process' own directory, while
/// an ordinary user's supervisor takes the notification descriptor, and at the end, when nothing is
/// left that the program has not.
pub(super) fn dumpable_only_for_a_moment(plan: &Plan) -> Result<(), TestCaseError> {
    let ops = ops(plan);
    for on in all(plan, |op| matches!(op, Op::Dumpable(true))) {
        if matches!(ops[on + 1], Op::CloseControl) {
            continue;
        }
        let expected = matches!(
            ops[on + 1],
            Op::AskIdMaps | Op::Open { .. } | Op::Seccomp { listener: true, .. }
        );
        prop_assert!(expected && matches!(ops[on + 2], Op::Dumpable(false)));
    }
    Ok(())
}

/// I5: a second stage that starts late in a populated pid namespace does nothing that needs a
/// capability.
pub(super) fn late_second_stages_are_powerless(plan: &Plan) -> Result<(), TestCaseError> {
    let second = position(plan, |op| matches!(op, Op::SecondStage)).unwrap();
    let lookup = position(plan, |op| matches!(op, Op::Lookup(_))).unwrap();
    if second < lookup {
        return Ok(());
    }
    let mut filtered = false;
    for op in &ops(plan)[second + 1..] {
        filtered |= matches!(op, Op::Seccomp { .. });
        // The capability that loading the filter or a scheduling policy takes is dropped right
        // after it.
        filtered |= matches!(op, Op::Scheduler(_));
        let drops = filtered
            && matches!(
                op,
                Op::Scheduler(_) | Op::Capabilities { .. } | Op::AmbientSet(_)
            );
        prop_assert!(
            drops
                || matches!(
                    op,
                    Op::Name(_)
                        | Op::Close(_)
                        | Op::Affinity(_)
                        | Op::NewSession
                        | Op::ControllingTerminal(_)
                        | Op::AskReady
                        | Op::DeathSignal(_)
                        | Op::ResourceLimit { .. }
                        | Op::Dumpable(true)
                        | Op::Seccomp { .. }
                        | Op::CloseControl
                        | Op::WaitStart(_)
                        | Op::LateHooks(_)
                        | Op::Exec { .. }
                ),
            "{op:?}"
        );
    }
    Ok(())
}

/// I6, I11, I12, I13 and the identity: the order of the last steps.
pub(super) fn the_tail_is_in_order(case: &Case, plan: &Plan) -> Result<(), TestCaseError> {
    let one = |wanted: &dyn Fn(&Op) -> bool| position(plan, wanted).unwrap();
    let ready = one(&|op| matches!(op, Op::AskReady));
    let lookup = one(&|op| matches!(op, Op::Lookup(_)));
    let close = one(&|op| matches!(op, Op::CloseControl));
    let uid = last(plan, |op| matches!(op, Op::SetUid(_))).unwrap();
    let gid = last(plan, |op| matches!(op, Op::SetGid(_))).unwrap();
    let cwd = one(&|op| matches!(op, Op::VerifyDirectory));
    prop_assert!(gid < uid && uid < cwd && cwd < lookup && lookup < close);
    prop_assert_eq!(ops(plan)[uid], &Op::SetUid(case.process.uid));

    let capabilities = position(plan, |op| matches!(op, Op::Capabilities { .. }));
    prop_assert!(capabilities.is_some());
    if let Some(capabilities) = capabilities {
        let bounding = one(&|op| matches!(op, Op::BoundingSet { .. }));
        let ambient = one(&|op| matches!(op, Op::AmbientSet(_)));
        prop_assert!(
            bounding < uid && uid < capabilities && capabilities < ambient && capabilities < lookup
        );
    }
    let filter = position(plan, |op| matches!(op, Op::Seccomp { .. }));
    prop_assert_eq!(filter.is_some(), case.filter.is_some());
    if let Some(filter) = filter {
        prop_assert!(ready < filter && filter < close);
        if case.config.no_new_privileges {
            prop_assert!(lookup < filter);
        } else if filter > uid {
            // Left to the second stage, which keeps one capability for it and drops that.
            let second = last(plan, |op| matches!(op, Op::SecondStage)).unwrap();
            prop_assert!(lookup < second && second < filter);
            prop_assert!(second < ready || case.filter == Some(strict()));
            let dropped = last(plan, |op| matches!(op, Op::Capabilities { .. }));
            prop_assert!(dropped.unwrap() > filter);
        } else {
            prop_assert!(capabilities.is_none_or(|capabilities| filter < capabilities));
        }
    }
    prop_assert_eq!(
        count(plan, |op| matches!(op, Op::NoNewPrivileges)),
        usize::from(case.config.no_new_privileges)
    );
    // Limits on descriptors are in force from here on: nothing more is opened.
    for op in &ops(plan)[ready..] {
        prop_assert!(slots(op).1.is_empty(), "{op:?} opens a descriptor");
    }
    if let Some(signal) = position(plan, |op| matches!(op, Op::DeathSignal(_))) {
        prop_assert!(uid < signal);
    }
    Ok(())
}

/// I8: what is attached was made or cloned by the process itself, or handed out by its supervisor.
pub(super) fn only_trees_are_attached(plan: &Plan) -> Result<(), TestCaseError> {
    let mut filled: BTreeMap<Slot, &Op> = BTreeMap::new();
    for op in ops(plan) {
        if let Op::Attach { mount, target } = op {
            let made = matches!(
                filled.get(mount),
                Some(Op::NewMount { .. } | Op::CloneTree { .. } | Op::AskDescriptor { .. })
            );
            let resolved = matches!(
                filled.get(target),
                Some(Op::MakePath { .. } | Op::MakePlainDirectory { .. } | Op::Open { .. })
            );
            prop_assert!(made && resolved, "{op:?}");
        }
        for slot in slots(op).1 {
            filled.insert(slot, op);
        }
    }
    Ok(())
}

/// Nothing is looked up in whatever directory the runtime happens to be in.
pub(super) fn paths_of_the_host_are_absolute(plan: &Plan) -> Result<(), TestCaseError> {
    for op in ops(plan) {
        if let Op::Open {
            dir: Dir::Cwd,
            path,
            ..
        }
        | Op::CloneTree {
            dir: Dir::Cwd,
            path,
            ..
        }
        | Op::BindDirectory { source: path, .. } = op
        {
            prop_assert!(path.to_bytes().starts_with(b"/"), "{op:?}");
        }
    }
    Ok(())
}

/// I9: the mounts are attached in the order of the configuration, with all their attributes on.
pub(super) fn mounts_are_in_order(case: &Case, plan: &Plan) -> Result<(), TestCaseError> {
    let mut after = 0;
    for mount in &case.config.mounts {
        let source = if mount.source.is_empty() {
            &mount.device
        } else {
            &mount.source
        };
        let entry = format!("mount {source:?} at {:?}: ", mount.destination);
        let at_once = |op: &Op| matches!(op, Op::MountOn { .. } | Op::MountIn { .. });
        let found = plan.steps().iter().skip(after).position(|step| {
            match step.context().strip_prefix(&entry) {
                Some("attach") => true,
                Some("mount") => at_once(step.op()),
                _ => false,
            }
        });
        prop_assert!(found.is_some(), "no {} after step {}", entry, after);
        let attached = after + found.unwrap();
        after = attached + 1;
        if at_once(plan.steps()[attached].op()) {
            continue;
        }
        let Op::Attach { mount: tree, .. } = plan.steps()[attached].op() else {
            panic!("{entry} attaches nothing")
        };
        // Until its slot is closed only the propagation of the mount changes, and read-only is
        // added.
        for step in plan.steps().iter().skip(attached + 1) {
            match step.op() {
                Op::Close(slot) if slot == tree => break,
                Op::MountAttributes {
                    mount, set, clear, ..
                } if mount == tree => {
                    prop_assert!(*clear == 0 && (*set == 0 || *set == MountAttr::RDONLY));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// I10, I15, I17: the order around the switch of the root, and every protection once.
pub(super) fn protections_are_complete(
    case: &Case,
    built: &BuiltPlan,
) -> Result<(), TestCaseError> {
    let (config, plan) = (&case.config, &built.plan);
    let switch = position(plan, |op| {
        matches!(op, Op::PivotRoot(_) | Op::MoveRoot(_) | Op::Chroot(_))
    })
    .unwrap();
    let switches = |wanted: fn(&Op) -> bool| count(plan, wanted);
    if config.namespaces.contains(NamespaceType::Mount) {
        prop_assert_eq!(
            switches(|op| matches!(op, Op::PivotRoot(_))),
            usize::from(!config.no_pivot_root)
        );
        prop_assert_eq!(
            switches(|op| matches!(op, Op::MoveRoot(_))),
            usize::from(config.no_pivot_root)
        );
        prop_assert!(built.host_mounts.is_empty());
    } else {
        prop_assert_eq!(switches(|op| matches!(op, Op::Chroot(_))), 1);
        prop_assert_eq!(
            switches(|op| matches!(
                op,
                Op::Propagation { .. }
                    | Op::HolderPropagation { .. }
                    | Op::PivotRoot(_)
                    | Op::MoveRoot(_)
            )),
            0
        );
        prop_assert_eq!(
            built.host_mounts.len(),
            config.mounts.len() + usize::from(config.readonlyfs)
        );
    }
    for (index, op) in ops(plan).into_iter().enumerate() {
        match op {
            Op::NewMount { fstype, .. } if matches!(fstype.to_bytes(), b"proc" | b"sysfs") => {
                prop_assert!(index < switch)
            }
            Op::Mask { .. } | Op::ReadonlyPaths { .. } | Op::Sysctl { .. } => {
                prop_assert!(index > switch)
            }
            _ => {}
        }
    }
    let mask = position(plan, |op| matches!(op, Op::Mask { .. }));
    prop_assert_eq!(mask.is_some(), !config.mask_paths.is_empty());
    let readonly = position(plan, |op| matches!(op, Op::ReadonlyPaths { .. }));
    prop_assert_eq!(readonly.is_some(), !config.readonly_paths.is_empty());
    let sysctls = all(plan, |op| matches!(op, Op::Sysctl { .. }));
    prop_assert_eq!(sysctls.len(), config.sysctl.len());
    let profile = position(
        plan,
        |op| matches!(op, Op::Write { bytes, .. } if bytes == b"exec profile"),
    );
    prop_assert_eq!(profile.is_some(), !config.apparmor_profile.is_empty());
    for sysctl in sysctls {
        prop_assert!(profile.is_none_or(|profile| profile < sysctl));
        prop_assert!(
            mask.is_none_or(|mask| sysctl < mask)
                && readonly.is_none_or(|readonly| sysctl < readonly)
        );
    }
    let contexts = |wanted: &str| {
        plan.steps()
            .iter()
            .filter(|step| step.context() == wanted)
            .count()
    };
    prop_assert_eq!(
        contexts("make the root read-only"),
        usize::from(config.readonlyfs)
    );
    let label = format!("set the process label {}", config.process_label);
    prop_assert_eq!(
        contexts(&label),
        usize::from(!config.process_label.is_empty())
    );
    Ok(())
}

/// I15: what may fail without a failure of the plan, and what has another way, is on this list.
pub(super) fn only_these_may_fail(plan: &Plan) -> Result<(), TestCaseError> {
    for step in plan.steps() {
        let listed = match (step.otherwise(), step.op()) {
            (_, _) if step.tolerated().is_empty() => true,
            // A kernel without keyrings, or with setgroups(2) switched off; the cgroups of an
            // ordinary user; more CPUs, or a process that others can join, at the end.
            (None, Op::Keyring { .. }) => step.tolerated() == [libc::ENOSYS],
            (None, Op::SetGroups(gids)) => gids.is_empty() && step.tolerated() == [libc::EPERM],
            (None, Op::Write { bytes, .. }) => bytes == b"0",
            (None, Op::Affinity(None) | Op::Dumpable(true)) => true,
            // The next step goes there, or fails.
            (None, Op::MakePath { .. }) => {
                step.context().starts_with("create the working directory")
            }
            // What is unmounted or covered right after.
            (None, Op::Propagation { .. }) => step.context().starts_with("stop propagation"),
            (Some(_), op) => matches!(
                op,
                Op::Open { .. }
                    | Op::NewMount { .. }
                    | Op::CloneTree { .. }
                    | Op::MakeNode { .. }
                    | Op::Unmount { .. }
                    | Op::Scheduler(_)
            ),
            _ => false,
        };
        prop_assert!(listed, "{step} may fail");
    }
    Ok(())
}

/// Every placement asked for is made, and every input used.
pub(super) fn placements_are_made(case: &Case, built: &BuiltPlan) -> Result<(), TestCaseError> {
    let tasks: Vec<&String> = built
        .inputs
        .iter()
        .filter_map(|(_, input)| match input {
            Input::CgroupTasks(controller) => Some(controller),
            _ => None,
        })
        .collect();
    prop_assert_eq!(tasks, case.cgroup.tasks.iter().collect::<Vec<_>>());
    let opened = |path: &CStr| {
        count(
            &built.plan,
            |op| matches!(op, Op::Open { path: it, .. } if **it == *path),
        )
    };
    for (_, path) in &case.cgroup.task_paths {
        let path = CString::new(path.as_os_str().as_bytes()).unwrap();
        prop_assert_eq!(opened(&path), 1);
    }
    let gates = count(&built.plan, |op| matches!(op, Op::AskGate(1)));
    let outside = case.cgroup.unified && !built.spawn_into_cgroup;
    prop_assert_eq!(gates, usize::from(case.cgroup.gate || outside));
    prop_assert!(!built.spawn_into_cgroup || case.cgroup.unified);
    for (slot, input) in &built.inputs {
        prop_assert!(
            ops(&built.plan)
                .into_iter()
                .any(|op| slots(op).0.contains(slot)),
            "{input} is not used"
        );
    }
    Ok(())
}
