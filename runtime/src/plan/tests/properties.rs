//! What must hold for the plan of every configuration, checked on generated ones.
//!
//! The plan is also *walked*, the way the stub goes through it: once with every step succeeding, and once for each step
//! that has an alternative, with that step failing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use configs::config::{Config, IdMap, Mount, MountAttr, MountFlags, NamespaceType};
use nsenter::plan::{Dir, Leaf, Op, Plan, Slot};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::super::{BuiltPlan, CgroupView, Filter, Input, LegacyHierarchy};
use super::{
    Case, allowing, command, count, hierarchies, mount, named, ops, position, refusing, volume,
};
use crate::Terminal;

const USER: u32 = 0x1000_0000;
const PID: u32 = 0x2000_0000;
const CGROUP: u32 = 0x0200_0000;
const TIME: u32 = 0x80;
/// Pid, mount, network, IPC, UTS.
const CLONEABLE: u32 = 0x2000_0000 | 0x0002_0000 | 0x4000_0000 | 0x0800_0000 | 0x0400_0000;

// ---- configurations ------------------------------------------------------------------------------------------------

fn flags() -> impl Strategy<Value = MountFlags> {
    subsequence(
        vec![
            MountFlags::RDONLY,
            MountFlags::NOSUID,
            MountFlags::NODEV,
            MountFlags::NOEXEC,
            MountFlags::NOATIME,
            MountFlags::STRICTATIME,
            MountFlags::NODIRATIME,
        ],
        0..4,
    )
    .prop_map(|flags| {
        flags
            .into_iter()
            .fold(MountFlags::NONE, |all, flag| all | flag)
    })
}

fn propagation() -> impl Strategy<Value = MountFlags> {
    select(vec![
        MountFlags::NONE,
        MountFlags::PRIVATE,
        MountFlags::PRIVATE | MountFlags::REC,
        MountFlags::SLAVE | MountFlags::REC,
        MountFlags::SHARED,
        MountFlags::SHARED | MountFlags::REC,
    ])
}

fn some_mount() -> impl Strategy<Value = Mount> {
    let destination = select(vec![
        "/a",
        "/a/b",
        "/var/c",
        "/dev/d",
        "/etc/hosts",
        "relative/x",
        "/a/../e",
    ]);
    let bind = (
        destination.clone(),
        flags(),
        flags(),
        propagation(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(destination, flags, cleared, propagation, recursive, attributes)| {
                let recursive = if recursive {
                    MountFlags::REC
                } else {
                    MountFlags::NONE
                };
                let mut mount = volume("/host/dir", destination, flags | recursive, propagation);
                mount.cleared_flags = cleared.difference(flags);
                mount.rec_attr = attributes.then_some(MountAttr {
                    attr_set: MountAttr::RDONLY,
                    ..MountAttr::default()
                });
                mount
            },
        );
    let fresh = (
        select(vec!["tmpfs", "mqueue", "overlay", "ext4"]),
        destination,
        flags(),
        select(vec!["", "mode=700", "a=b,c"]),
    )
        .prop_map(|(kind, destination, flags, data)| mount(kind, destination, flags, data));
    let copied = flags().prop_map(|flags| Mount {
        extensions: Mount::COPY_UP,
        ..mount("tmpfs", "/copied", flags, "")
    });
    prop_oneof![4 => bind, 3 => fresh, 1 => copied]
}

fn namespaces() -> impl Strategy<Value = Vec<(NamespaceType, bool)>> {
    subsequence(NamespaceType::ALL.to_vec(), 0..=8)
        .prop_flat_map(|kinds| {
            let count = kinds.len();
            (
                Just(kinds),
                proptest::collection::vec(proptest::bool::weighted(0.25), count),
            )
        })
        .prop_map(|(kinds, joined)| kinds.into_iter().zip(joined).collect())
}

prop_compose! {
    fn case()(
        namespaces in namespaces(),
        own_mounts in proptest::bool::weighted(0.85),
        standard in any::<bool>(),
        mounts in proptest::collection::vec(some_mount(), 0..6),
        keep in subsequence(vec!["/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/sys/fs/cgroup"], 0..=7),
        root_propagation in propagation(),
        switches in any::<[bool; 15]>(),
        uid in select(vec![0u32, 1, 1000]),
        affinity in select(vec![None, Some("0"), Some("0-3")]),
        signal in select(vec![0, 9, 15]),
        owns in any::<bool>(),
        filter in select(vec![None, Some(allowing()), Some(strict())]),
        tasks in subsequence(vec!["memory".to_owned(), "pids".to_owned()], 0..=2),
    ) -> Case {
        let [
            nnp, caps, terminal, readonly, labels, apparmor, late, hooks, legacy, gate, unified, pidns, unprivileged,
            outside, no_pivot,
        ] = switches;
        let mut case = if standard { Case::standard() } else { Case::engine() };
        let config = &mut case.config;
        config.mounts.retain(|mount| keep.contains(&mount.destination.as_str()));
        config.mounts.extend(mounts);
        config.namespaces = super::private(&[]);
        for (kind, joined) in namespaces {
            let path = if joined { format!("/run/ns/{}", kind.proc_file()) } else { String::new() };
            config.namespaces.set(kind, path);
        }
        if own_mounts && !config.namespaces.contains(NamespaceType::Mount) {
            config.namespaces.set(NamespaceType::Mount, "");
        }
        match_namespaces(config);
        if config.namespaces.contains(NamespaceType::Mount) {
            config.root_propagation = root_propagation;
            config.no_pivot_root = no_pivot && !root_propagation.intersects(MountFlags::PRIVATE);
            case.host.full_proc_mounts = vec!["/proc".into(), "/sys".into()];
        }
        config.no_new_privileges = nnp;
        config.readonlyfs = readonly;
        config.parent_death_signal = signal;
        if !caps {
            config.capabilities = None;
        }
        if labels {
            config.process_label = "system_u:system_r:container_t:s0".to_owned();
            config.mount_label = "system_u:object_r:container_file_t:s0:c1,c2".to_owned();
        }
        config.apparmor_profile = if apparmor { "profile" } else { "" }.to_owned();
        if hooks {
            config.hooks.create_container = vec![command("/hook"), command("/hook2")];
            config.hooks.start_container = vec![command("/hook")];
        }
        case.view = match (legacy, owns) {
            (true, true) => hierarchies(),
            (true, false) => CgroupView::Legacy(vec![LegacyHierarchy {
                directory: "memory".to_owned(),
                source: "cgroup".to_owned(),
                data: "memory".to_owned(),
                links: Vec::new(),
                own: PathBuf::new(),
            }]),
            (false, true) => CgroupView::Unified { directory: "/sys/fs/cgroup/c".into() },
            (false, false) => CgroupView::Unified { directory: PathBuf::new() },
        };
        case.process.user(uid, uid);
        if let Some(cpus) = affinity {
            case.process.cpu_affinity(configs::config::CpuAffinity {
                initial: Some(cpus.parse().unwrap()),
                final_cpus: Some("0".parse().unwrap()),
            });
        }
        if terminal {
            case.process.terminal(Some(Terminal::Keep));
        }
        case.filter = filter;
        case.late_limits = late;
        case.cgroup.tasks = tasks;
        case.cgroup.gate = gate;
        case.cgroup.unified = unified;
        case.cgroup.outside = outside;
        case.host.procfs_pidns = pidns;
        if unprivileged && case.config.namespaces.contains(NamespaceType::User) {
            case.host.effective_uid = 1000;
            case.config.rootless_euid = true;
            case.config.rootless_cgroups = true;
            case.process.additional_gids([]);
        }
        case
    }
}

/// Makes the rest of the configuration fit the namespaces.
fn match_namespaces(config: &mut Config) {
    let has = |kind| config.namespaces.contains(kind);
    if has(NamespaceType::User) {
        let map = IdMap {
            container_id: 0,
            host_id: 100_000,
            size: 65_536,
        };
        (config.uid_mappings, config.gid_mappings) = (vec![map], vec![map]);
    }
    if !has(NamespaceType::Uts) {
        config.hostname.clear();
    }
    if !has(NamespaceType::Mount) {
        config.mask_paths.clear();
        config.readonly_paths.clear();
    }
    if config.namespaces.is_private(NamespaceType::Time) {
        config.time_offsets.insert(
            "boottime".to_owned(),
            configs::config::TimeOffset {
                secs: 1,
                nanosecs: 0,
            },
        );
    }
}

// ---- walking a plan ------------------------------------------------------------------------------------------------

/// The slots an operation reads, and those it fills.
fn slots(op: &Op) -> (Vec<Slot>, Vec<Slot>) {
    let dir = |dir: &Dir| match dir {
        Dir::Cwd => None,
        Dir::Slot(slot) => Some(*slot),
    };
    match op {
        Op::Open {
            dir: from, into, ..
        }
        | Op::CloneTree {
            dir: from, into, ..
        } => (dir(from).into_iter().collect(), vec![*into]),
        Op::MakePath {
            root, leaf, into, ..
        } => {
            let mut reads = vec![*root];
            if let Leaf::Like(slot) = leaf {
                reads.push(*slot);
            }
            (reads, vec![*into])
        }
        Op::MakePlainDirectory { root, into, .. } => (vec![*root], vec![*into]),
        Op::NewMount { into, .. } | Op::AskDescriptor { into, .. } | Op::Socket { into, .. } => {
            (vec![], vec![*into])
        }
        Op::Attach { mount, target } => (vec![*mount, *target], vec![]),
        Op::CopyTree { from, to } => (vec![*from, *to], vec![]),
        Op::Mask { root, null, .. } => (vec![*root, *null], vec![]),
        Op::Pty {
            devpts,
            master,
            slave,
        } => (vec![*devpts], vec![*master, *slave]),
        Op::Join(list) => (list.iter().map(|(slot, _)| *slot).collect(), vec![]),
        Op::SecondStage { cgroup } => (cgroup.iter().copied().collect(), vec![]),
        Op::Write { fd, .. }
        | Op::Verify { fd, .. }
        | Op::SetXattr { fd, .. }
        | Op::SendDescriptor { fd, .. }
        | Op::LendDescriptor { fd, .. }
        | Op::MountAttributes { mount: fd, .. }
        | Op::MakeNode { dir: fd, .. }
        | Op::Symlink { dir: fd, .. }
        | Op::Remove { dir: fd, .. }
        | Op::ReadonlyPaths { root: fd, .. }
        | Op::Sysctl { procfs: fd, .. }
        | Op::JoinProcess { pidfd: fd, .. }
        | Op::ControllingTerminal(fd)
        | Op::PivotRoot(fd)
        | Op::MoveRoot(fd)
        | Op::Chroot(fd)
        | Op::ChangeDirectoryTo(fd)
        | Op::Stdio(fd)
        | Op::AskConsole(fd)
        | Op::WaitStart(fd) => (vec![*fd], vec![]),
        _ => (vec![], vec![]),
    }
}

/// Where a jump leads: the label of a built plan prints the index of a step.
fn destination(op: &Op) -> Option<usize> {
    let Op::Jump(label) = op else { return None };
    let text = format!("{label:?}");
    Some(
        text.trim_matches(|c: char| !c.is_ascii_digit())
            .parse()
            .unwrap(),
    )
}

/// Goes through the plan with one step failing, and checks every descriptor on the way.
fn walk(built: &BuiltPlan, failing: Option<usize>) -> Result<(), TestCaseError> {
    let steps = built.plan.steps();
    let mut open: BTreeMap<Slot, usize> = built
        .inputs
        .iter()
        .map(|(slot, _)| (*slot, usize::MAX))
        .collect();
    let mut at = 0;
    while let Some(step) = steps.get(at) {
        let op = step.op();
        let (reads, fills) = slots(op);
        for slot in reads {
            prop_assert!(
                open.contains_key(&slot),
                "step {at} {} reads an empty slot",
                step.context()
            );
        }
        if failing == Some(at) {
            at = step
                .otherwise()
                .map_or(at + 1, |target| usize::try_from(target).unwrap());
            continue;
        }
        for slot in fills {
            prop_assert!(
                open.insert(slot, at).is_none(),
                "step {at} {} leaks what its slot held",
                step.context()
            );
        }
        if let Op::Close(slot) = op {
            open.remove(slot);
        }
        if let Op::WaitStart(fifo) = op {
            prop_assert!(
                open.keys().all(|slot| slot == fifo),
                "open while waiting: {open:?}"
            );
        }
        if let Op::Exec { .. } = op {
            prop_assert!(open.is_empty(), "open at the end: {open:?}");
            return Ok(());
        }
        at = destination(op).unwrap_or(at + 1);
    }
    Err(TestCaseError::fail("the plan does not end"))
}

fn walks(built: &BuiltPlan) -> Result<(), TestCaseError> {
    walk(built, None)?;
    for (index, step) in built.plan.steps().iter().enumerate() {
        if !step.tolerated().is_empty() {
            walk(built, Some(index))?;
        }
    }
    Ok(())
}

// ---- invariants ----------------------------------------------------------------------------------------------------

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
fn namespaces_are_made_in_order(case: &Case, plan: &Plan) -> Result<(), TestCaseError> {
    let namespaces = &case.config.namespaces;
    prop_assert_eq!(plan.clone_flags() & !CLONEABLE, 0);
    let needs_second = namespaces.contains(NamespaceType::User)
        || namespaces.path_of(NamespaceType::Pid).is_some()
        || namespaces.is_private(NamespaceType::Time);
    prop_assert_eq!(
        count(plan, |op| matches!(op, Op::SecondStage { .. })),
        usize::from(needs_second)
    );
    if needs_second {
        prop_assert_eq!(plan.clone_flags(), 0);
    }
    let mut made = u64::from(plan.clone_flags());
    for op in ops(plan) {
        if let Op::Unshare(flags) = op {
            prop_assert!(*flags == USER || flags & USER == 0);
            prop_assert_eq!(made & u64::from(*flags), 0);
            made |= u64::from(*flags);
        }
    }
    prop_assert_eq!(made, namespaces.clone_flags());

    let unshare = |wanted: u32| {
        position(
            plan,
            |op| matches!(op, Op::Unshare(flags) if flags & wanted != 0),
        )
    };
    if let Some(user) = unshare(USER) {
        let maps = position(plan, |op| matches!(op, Op::AskIdMaps)).unwrap();
        let root = position(plan, |op| matches!(op, Op::SetUid(0))).unwrap();
        prop_assert!(user < maps && maps < root);
        for (index, op) in ops(plan).into_iter().enumerate() {
            if matches!(op, Op::Unshare(flags) if *flags != USER) {
                prop_assert!(root < index);
            }
        }
    }
    if let Some(cgroup) = unshare(CGROUP) {
        let placed = last(plan, |op| {
            matches!(op, Op::AskGate(1)) || matches!(op, Op::Write { bytes, .. } if bytes == b"0")
        });
        let offsets = case.config.oom_score_adj.is_some();
        // The value 0 of oom_score_adj looks the same as a placement, and comes before it.
        prop_assert!(placed.is_none_or(|placed| placed < cgroup) || offsets);
    }
    if let Some(time) = unshare(TIME) {
        let written = named(plan, "set the clocks of the time namespace");
        let born = position(plan, |op| matches!(op, Op::SecondStage { .. })).unwrap();
        prop_assert!(time < written && written < born);
    }
    Ok(())
}

/// I3: dumpable only around the id maps and around opening a file of the process' own directory.
fn dumpable_only_for_a_moment(plan: &Plan) -> Result<(), TestCaseError> {
    let ops = ops(plan);
    for on in all(plan, |op| matches!(op, Op::Dumpable(true))) {
        let expected = matches!(ops[on + 1], Op::AskIdMaps | Op::Open { .. });
        prop_assert!(expected && matches!(ops[on + 2], Op::Dumpable(false)));
    }
    Ok(())
}

/// A filter under which the stub cannot clone itself.
fn strict() -> Filter {
    refusing(&[
        (libc::SYS_clone3, libc::EPERM),
        (libc::SYS_clone, libc::EPERM),
    ])
}

/// I5: what is born late in a populated pid namespace does nothing that needs a capability.
fn late_births_are_powerless(plan: &Plan) -> Result<(), TestCaseError> {
    let born = position(plan, |op| matches!(op, Op::SecondStage { .. })).unwrap();
    let lookup = position(plan, |op| matches!(op, Op::Lookup(_))).unwrap();
    if born < lookup {
        return Ok(());
    }
    let mut filtered = false;
    for op in &ops(plan)[born + 1..] {
        filtered |= matches!(op, Op::Seccomp { .. });
        // The capability that loading the filter or a scheduling policy takes is dropped right after it.
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
fn the_tail_is_in_order(case: &Case, plan: &Plan) -> Result<(), TestCaseError> {
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
    prop_assert!(capabilities.is_some() || case.config.capabilities.is_none());
    if let Some(capabilities) = capabilities.filter(|_| case.config.capabilities.is_some()) {
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
            let born = last(plan, |op| matches!(op, Op::SecondStage { .. })).unwrap();
            prop_assert!(lookup < born && born < filter);
            prop_assert_eq!(case.filter.as_ref(), Some(&strict()));
            if case.process.uid != 0 || case.config.capabilities.is_some() {
                let dropped = last(plan, |op| matches!(op, Op::Capabilities { .. }));
                prop_assert!(dropped.unwrap() > filter);
            }
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

/// I8: what is attached was made or cloned by the process itself.
fn only_trees_are_attached(plan: &Plan) -> Result<(), TestCaseError> {
    let mut filled: BTreeMap<Slot, &Op> = BTreeMap::new();
    for op in ops(plan) {
        if let Op::Attach { mount, target } = op {
            let made = matches!(
                filled.get(mount),
                Some(Op::NewMount { .. } | Op::CloneTree { .. })
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
fn paths_of_the_host_are_absolute(plan: &Plan) -> Result<(), TestCaseError> {
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
        } = op
        {
            prop_assert!(path.to_bytes().starts_with(b"/"), "{op:?}");
        }
    }
    Ok(())
}

/// I9: the mounts are attached in the order of the configuration, with all their attributes on.
fn mounts_are_in_order(case: &Case, plan: &Plan) -> Result<(), TestCaseError> {
    let mut after = 0;
    for mount in &case.config.mounts {
        let point = super::super::steps::clean(&mount.destination);
        let source = if mount.source.is_empty() {
            &mount.device
        } else {
            &mount.source
        };
        let context = format!("attach \"{source}\" at \"{point}\"");
        let found = plan
            .steps()
            .iter()
            .skip(after)
            .position(|step| step.context() == context);
        prop_assert!(found.is_some(), "no {} after step {}", context, after);
        let attached = after + found.unwrap();
        let Op::Attach { mount: tree, .. } = plan.steps()[attached].op() else {
            panic!("{context} attaches nothing")
        };
        // Until its slot is closed only the propagation of the mount changes, and read-only is added.
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
        after = attached + 1;
    }
    Ok(())
}

/// I10, I15, I17: the order around the switch of the root, and every protection once.
fn protections_are_complete(case: &Case, built: &BuiltPlan) -> Result<(), TestCaseError> {
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
                Op::Propagation { .. } | Op::PivotRoot(_) | Op::MoveRoot(_)
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

/// Every placement asked for is made, and every input used.
fn placements_are_made(case: &Case, built: &BuiltPlan) -> Result<(), TestCaseError> {
    let tasks: Vec<&String> = built
        .inputs
        .iter()
        .filter_map(|(_, input)| match input {
            Input::CgroupTasks(controller) => Some(controller),
            _ => None,
        })
        .collect();
    prop_assert_eq!(tasks, case.cgroup.tasks.iter().collect::<Vec<_>>());
    prop_assert_eq!(
        count(&built.plan, |op| matches!(op, Op::AskGate(1))),
        usize::from(case.cgroup.gate)
    );
    let born_by_stub = built
        .inputs
        .iter()
        .any(|(_, input)| *input == Input::CgroupDirectory);
    prop_assert_eq!(built.spawn_into_cgroup || born_by_stub, case.cgroup.unified);
    prop_assert!(!(built.spawn_into_cgroup && born_by_stub));
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn plans_of_init_keep_the_invariants(case in case()) {
        let built = case.init().map_err(|error| TestCaseError::fail(error.chain()))?;
        let plan = &built.plan;
        namespaces_are_made_in_order(&case, plan)?;
        dumpable_only_for_a_moment(plan)?;
        if built.two_stages {
            late_births_are_powerless(plan)?;
        }
        the_tail_is_in_order(&case, plan)?;
        only_trees_are_attached(plan)?;
        paths_of_the_host_are_absolute(plan)?;
        mounts_are_in_order(&case, plan)?;
        protections_are_complete(&case, &built)?;
        placements_are_made(&case, &built)?;
        walks(&built)?;
    }

    #[test]
    fn plans_of_exec_keep_the_invariants(case in case()) {
        let built = case.exec().map_err(|error| TestCaseError::fail(error.chain()))?;
        let plan = &built.plan;
        prop_assert!(built.two_stages);
        prop_assert_eq!(plan.clone_flags(), 0);
        prop_assert_eq!(count(plan, |op| matches!(op, Op::SecondStage { .. })), 1);
        late_births_are_powerless(plan)?;
        dumpable_only_for_a_moment(plan)?;
        the_tail_is_in_order(&case, plan)?;
        placements_are_made(&case, &built)?;
        walks(&built)?;
        // Nothing is mounted, nothing hidden: the container is as it is.
        let mounting = |op: &Op| matches!(op, Op::NewMount { .. } | Op::CloneTree { .. } | Op::Attach { .. } | Op::Mask { .. });
        prop_assert_eq!(count(plan, mounting), 0);
        prop_assert_eq!(count(plan, |op| matches!(op, Op::Hook(_) | Op::LateHooks(_) | Op::WaitStart(_))), 0);
        // The pid namespace is joined before, and only the child is in it.
        let joins = position(plan, |op| matches!(op, Op::JoinProcess { flags, .. } if flags & PID != 0));
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
