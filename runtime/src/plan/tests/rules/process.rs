//! The process: identity, environment, terminal, hooks.

use configs::config::{Capabilities, IdMap, MountFlags, NamespaceType, Rlimit, RlimitType};
use nsenter::plan::{Dir, Op, Plan};

use super::{built, with_mounts};
use crate::plan::tests::{Case, command, count, mount, named, ops, position, private, refusing};
use crate::plan::{CgroupView, Gate, Tag};
use crate::{ErrorKind, Terminal};

#[test]
fn absent_capabilities_are_none_as_empty_ones_are() {
    let touches = |op: &Op| {
        matches!(
            op,
            Op::BoundingSet { .. } | Op::Capabilities { .. } | Op::AmbientSet(_)
        )
    };
    let none = [
        &Op::BoundingSet { keep: 0, last: 40 },
        &Op::Capabilities {
            effective: 0,
            permitted: 0,
            inheritable: 0,
        },
        &Op::AmbientSet(0),
    ];
    for (container, user) in [
        (None, 0),
        (Some(Capabilities::default()), 0),
        (None, 1000),
        (Some(Capabilities::none()), 1000),
    ] {
        let mut case = Case::standard();
        case.config.capabilities = container;
        case.process.user(user, user);
        for plan in [built(&case), case.exec().unwrap().plan] {
            let dropped: Vec<&Op> = ops(&plan).into_iter().filter(|op| touches(op)).collect();
            assert_eq!(dropped, none);
        }
    }
}

#[test]
fn capabilities_that_the_kernel_lacks_are_told_and_left_out() {
    let mut case = Case::standard();
    let names = ["CAP_CHOWN", "CAP_NEVER", "CAP_CHECKPOINT_RESTORE"]
        .map(str::to_owned)
        .to_vec();
    case.config.capabilities = Some(Capabilities {
        bounding: names.clone(),
        effective: names,
        ..Capabilities::default()
    });
    case.host.last_capability = 39;
    let built = case.init().unwrap();
    assert_eq!(
        built.warnings,
        ["ignoring unknown or unavailable capabilities: [CAP_NEVER CAP_CHECKPOINT_RESTORE]"]
    );
    assert!(ops(&built.plan).contains(&&Op::BoundingSet { keep: 1, last: 39 }));
}

#[test]
fn capabilities_that_cannot_be_granted_are_told_and_left_out() {
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Vec<_>>()
    };
    let both = names(&["CAP_CHOWN", "CAP_KILL"]);
    let mut case = Case::standard();
    case.config.capabilities = Some(Capabilities {
        bounding: both.clone(),
        effective: both.clone(),
        permitted: both.clone(),
        inheritable: both.clone(),
        ambient: both,
    });
    let asked = |case: &Case| {
        let built = case.init().unwrap();
        let sets = ops(&built.plan).into_iter().find_map(|op| match op {
            Op::Capabilities {
                effective,
                permitted,
                inheritable,
            } => Some([*effective, *permitted, *inheritable]),
            _ => None,
        });
        (sets.unwrap(), built.warnings)
    };
    case.host.grantable_capabilities = !1;
    let (sets, warnings) = asked(&case);
    assert_eq!(sets, [1 << 5; 3]);
    assert_eq!(
        warnings,
        ["ignoring capabilities that this process cannot grant: [CAP_CHOWN]"]
    );
    assert!(ops(&case.init().unwrap().plan).contains(&&Op::AmbientSet(1 << 5)));
    // Root of a user namespace has every one in it.
    let own = private(&[
        NamespaceType::Mount,
        NamespaceType::Pid,
        NamespaceType::User,
    ]);
    case.config.namespaces = own;
    case.config.hostname.clear();
    case.config.uid_mappings = vec![IdMap {
        container_id: 0,
        host_id: 1000,
        size: 1,
    }];
    case.config.gid_mappings = case.config.uid_mappings.clone();
    assert_eq!(asked(&case), ([1 | 1 << 5; 3], Vec::new()));
}

/// What a filter forbids is done before it, as far as it does not depend on the user.
#[test]
fn the_directory_is_verified_before_a_filter_that_forbids_it() {
    for (refused, before) in [
        (&[libc::SYS_getcwd][..], true),
        (&[libc::SYS_chdir], true),
        (&[libc::SYS_mount], false),
    ] {
        let mut case = Case::engine();
        case.process.cwd("/srv");
        let calls: Vec<_> = refused.iter().map(|call| (*call, 1)).collect();
        case.filter = Some(refusing(&calls));
        let plan = built(&case);
        let at = |wanted: &dyn Fn(&Op) -> bool| position(&plan, wanted).unwrap();
        let filter = at(&|op| matches!(op, Op::Seccomp { .. }));
        let moved = at(&|op| matches!(op, Op::ChangeDirectory { .. }));
        let verified = at(&|op| *op == Op::VerifyDirectory);
        assert!(moved < verified, "{refused:?}");
        assert_eq!(verified < filter, before, "{refused:?}");
        // Once is enough, and nothing moves afterwards.
        assert_eq!(count(&plan, |op| *op == Op::VerifyDirectory), 1);
        let again = count(&plan, |op| matches!(op, Op::RetryDirectory(_)));
        assert_eq!(again, usize::from(!before), "{refused:?}");
    }
}

#[test]
fn capabilities_survive_the_change_to_another_user() {
    let keeps = |plan: &Plan| count(plan, |op| matches!(op, Op::KeepCapabilities(_)));
    assert_eq!(keeps(&built(&Case::standard())), 0);
    let plan = built(&Case::engine());
    let [on, off] =
        [true, false].map(|keep| position(&plan, |op| *op == Op::KeepCapabilities(keep)).unwrap());
    let uid = position(&plan, |op| *op == Op::SetUid(1000)).unwrap();
    assert!(on < uid && uid < off);
}

#[test]
fn an_exec_is_filtered_before_its_birth_unless_the_filter_forbids_the_birth() {
    let mut case = Case::engine();
    case.config.apparmor_profile.clear();
    let order = |case: &Case| {
        let plan = case.exec().unwrap().plan;
        let filter = position(&plan, |op| matches!(op, Op::Seccomp { .. })).unwrap();
        let second = position(&plan, |op| matches!(op, Op::SecondStage)).unwrap();
        let sets: Vec<u64> = ops(&plan)
            .into_iter()
            .filter_map(|op| match op {
                Op::Capabilities { permitted, .. } => Some(*permitted),
                _ => None,
            })
            .collect();
        (filter < second, sets)
    };
    let wanted = 1 << 29 | 1 << 5 | 1 << 10;
    let admin = 1 << 21;
    assert_eq!(order(&case), (true, vec![wanted]));
    // The older call will do, where the newer one is said not to exist.
    case.filter = Some(refusing(&[(libc::SYS_clone3, libc::ENOSYS)]));
    assert_eq!(order(&case), (true, vec![wanted]));
    // Either call ends a process of one thread.
    case.filter = Some(refusing(&[(libc::SYS_exit_group, libc::EPERM)]));
    assert_eq!(order(&case), (true, vec![wanted]));
    // The first stage says nothing that takes more than write(2).
    case.filter = Some(refusing(&[(libc::SYS_sendmsg, libc::EACCES)]));
    assert_eq!(order(&case), (true, vec![wanted]));
    for calls in [
        &[libc::SYS_clone3][..],
        &[libc::SYS_exit, libc::SYS_exit_group],
        &[libc::SYS_read],
        &[libc::SYS_prctl],
        &[libc::SYS_setsid],
    ] {
        let refused: Vec<_> = calls.iter().map(|call| (*call, libc::EACCES)).collect();
        case.filter = Some(refusing(&refused));
        assert_eq!(
            order(&case),
            (false, vec![wanted | admin, wanted]),
            "{calls:?}"
        );
    }
    // What only some plans do in the second stage is only asked about for these.
    case.filter = Some(refusing(&[(libc::SYS_prlimit64, libc::EPERM)]));
    assert_eq!(order(&case), (true, vec![wanted]));
    case.process.rlimits([Rlimit {
        kind: RlimitType::Nproc,
        hard: 9,
        soft: 8,
    }]);
    assert_eq!(order(&case), (false, vec![wanted | admin, wanted]));
    let plan = case.exec().unwrap().plan;
    let second = position(&plan, |op| matches!(op, Op::SecondStage)).unwrap();
    let limited = position(&plan, |op| {
        matches!(
            op,
            Op::ResourceLimit {
                resource: 6,
                soft: 8,
                hard: 9
            }
        )
    });
    assert!(second < limited.unwrap());
    case.filter = Some(refusing(&[(libc::SYS_ioctl, libc::EPERM)]));
    assert_eq!(order(&case), (true, vec![wanted]));
    case.process.terminal(Some(Terminal::Keep));
    assert_eq!(order(&case), (false, vec![wanted | admin, wanted]));
    // The capability must not outlive the filter.
    case.config.capabilities = None;
    assert_eq!(order(&case), (false, vec![admin, 0]));
    // Restricted programs may be filtered without any capability.
    case.process.no_new_privileges(true);
    assert_eq!(order(&case), (false, vec![0]));
}

#[test]
fn a_policy_that_no_child_inherits_is_set_by_the_one_born_last() {
    let mut case = Case::standard();
    let scheduler = |policy: &str, flags: &[&str]| configs::oci::Scheduler {
        policy: policy.to_owned(),
        flags: flags.iter().map(|&flag| flag.to_owned()).collect(),
        ..configs::oci::Scheduler::default()
    };
    let order = |case: &Case| {
        let plan = case.exec().unwrap().plan;
        let set = position(&plan, |op| matches!(op, Op::Scheduler(_))).unwrap();
        let second = position(&plan, |op| matches!(op, Op::SecondStage)).unwrap();
        let dropped = plan.steps().iter().rposition(|step| match step.op() {
            Op::Capabilities { permitted, .. } => permitted & (1 << 23) == 0,
            _ => false,
        });
        (set < second, set < dropped.unwrap())
    };
    case.process.scheduler(scheduler("SCHED_BATCH", &[]));
    assert_eq!(order(&case), (true, true));
    case.process
        .scheduler(scheduler("SCHED_FIFO", &["SCHED_FLAG_RESET_ON_FORK"]));
    assert_eq!(order(&case), (false, true));
    case.process.scheduler(scheduler("SCHED_DEADLINE", &[]));
    assert_eq!(order(&case), (false, true));
    // An init of one stage has no child.
    let plan = built(&case);
    let set = position(&plan, |op| matches!(op, Op::Scheduler(_))).unwrap();
    assert!(set < position(&plan, |op| matches!(op, Op::AskReady)).unwrap());
}

#[test]
fn a_policy_that_the_cpuset_forbids_is_told_as_such() {
    let mut case = Case::standard();
    case.process.scheduler(configs::oci::Scheduler {
        policy: "SCHED_DEADLINE".to_owned(),
        ..configs::oci::Scheduler::default()
    });
    assert_eq!(count(&built(&case), |op| matches!(op, Op::Scheduler(_))), 1);
    case.config.cgroups.resources.cpuset_cpus = "0".to_owned();
    let plan = built(&case);
    let step = &plan.steps()[named(&plan, "set the scheduling policy")];
    assert_eq!(step.tolerated(), [libc::EPERM]);
    let failing = named(
        &plan,
        "process scheduler can't be used together with AllowedCPUs",
    );
    assert_eq!(step.otherwise(), u32::try_from(failing).ok());
    assert!(plan.steps()[failing].tolerated().is_empty());
}

#[test]
fn an_id_that_means_no_change_is_refused() {
    let mut case = Case::standard();
    case.process.user(u32::MAX, 0);
    assert!(case.refusal().contains("4294967295"));
    case.process.user(0, 0).additional_gids([u32::MAX]);
    assert!(case.refusal().contains("4294967295"));
}

#[test]
fn the_working_directory_is_tried_with_both_identities_and_verified() {
    let plan = built(&Case::engine());
    let first = position(&plan, |op| {
        matches!(
            op,
            Op::ChangeDirectory {
                retry_later: true,
                ..
            }
        )
    })
    .unwrap();
    let uid = position(&plan, |op| *op == Op::SetUid(1000)).unwrap();
    let second = position(&plan, |op| matches!(op, Op::RetryDirectory(_))).unwrap();
    let verify = position(&plan, |op| matches!(op, Op::VerifyDirectory)).unwrap();
    assert!(first < uid && uid < second && second < verify);
    // It is made before, inside of the root, and nothing is done for the root directory itself.
    assert!(named(&plan, "create the working directory \"/home/user\"") < first);
    let plan = built(&Case::standard());
    assert_eq!(
        count(&plan, |op| matches!(
            op,
            Op::ChangeDirectory { .. } | Op::RetryDirectory(_)
        )),
        0
    );
    assert_eq!(count(&plan, |op| matches!(op, Op::VerifyDirectory)), 1);
    // An exec makes no directory.
    let plan = Case::engine().exec().unwrap().plan;
    assert_eq!(count(&plan, |op| matches!(op, Op::MakePath { .. })), 0);
}

#[test]
fn the_mask_is_the_configured_one_or_the_usual() {
    let mask = |plan: &Plan| {
        ops(plan).into_iter().find_map(|op| match op {
            Op::Umask(mask) => Some(*mask),
            _ => None,
        })
    };
    let mut case = Case::standard();
    assert_eq!(mask(&built(&case)), Some(0o022));
    case.host.umask = Some(0o077);
    assert_eq!(mask(&built(&case)), Some(0o022));
    assert_eq!(mask(&case.exec().unwrap().plan), Some(0o077));
    case.config.umask = Some(0o027);
    assert_eq!(mask(&case.exec().unwrap().plan), Some(0o027));
    case.process.umask(0o007);
    assert_eq!(mask(&built(&case)), Some(0o007));
}

#[test]
fn home_is_only_asked_for_when_it_is_missing() {
    let asks = |case: &Case| count(&built(case), |op| matches!(op, Op::AskHome { .. }));
    let mut case = Case::standard();
    assert_eq!(asks(&case), 1);
    case.process.add_env("HOME=/root");
    assert_eq!(asks(&case), 0);
    assert_eq!(asks(&Case::bare()), 0);
}

#[test]
fn the_terminal_comes_from_the_containers_devpts_and_covers_the_console_of_an_init() {
    let mut case = Case::standard();
    case.process.terminal(Some(Terminal::Keep));
    let plan = built(&case);
    let pivot = position(&plan, |op| matches!(op, Op::PivotRoot(_))).unwrap();
    let Some((at, Op::Pty { slave, .. })) = ops(&plan)
        .into_iter()
        .enumerate()
        .find(|(_, op)| matches!(op, Op::Pty { .. }))
    else {
        panic!()
    };
    assert!(pivot < at);
    let console = named(&plan, "clone the terminal for /dev/console");
    assert!(matches!(
        plan.steps()[console].op(),
        Op::CloneTree { dir: Dir::Slot(dir), path, .. } if dir == slave && path.is_empty()
    ));
    // With a terminal the standard streams are never the null device.
    assert_eq!(count(&plan, |op| matches!(op, Op::ReopenNull)), 0);

    let plan = case.exec().unwrap().plan;
    assert_eq!(count(&plan, |op| matches!(op, Op::CloneTree { .. })), 0);
    let session = position(&plan, |op| matches!(op, Op::NewSession)).unwrap();
    assert!(session < position(&plan, |op| matches!(op, Op::ControllingTerminal(_))).unwrap());
}

#[test]
fn hooks_get_their_environment_and_the_state_around_the_pid() {
    let mut case = Case::standard();
    let mut hook = command("/hook");
    hook.args = vec!["other name".to_owned()];
    hook.timeout = Some(std::time::Duration::from_millis(1500));
    case.config.hooks.create_container = vec![hook];
    case.config.hooks.start_container = vec![command("/late")];
    case.config.labels = vec!["pid\":1=\"pid\":1".to_owned(), "bundle=/b".to_owned()];
    let plan = built(&case);
    let Some(Op::Hook(hook)) = ops(&plan).into_iter().find(|op| matches!(op, Op::Hook(_))) else {
        panic!()
    };
    assert_eq!(hook.args, [c"other name".to_owned()]);
    assert_eq!(
        (hook.env.as_deref(), hook.timeout_ms),
        (Some([].as_slice()), 1500)
    );
    let json = [hook.stdin.0.as_slice(), b"4711", &hook.stdin.1].concat();
    let state: configs::oci::State = serde_json::from_slice(&json).unwrap();
    assert_eq!(
        (state.pid, state.id.as_str(), state.bundle.as_str()),
        (4711, "c1", "/b")
    );
    assert_eq!(state.status, configs::oci::ContainerStatus::Creating);
    assert_eq!(state.annotations["pid\":1"], "\"pid\":1");

    let Some(Op::LateHooks(late)) = ops(&plan)
        .into_iter()
        .find(|op| matches!(op, Op::LateHooks(_)))
    else {
        panic!()
    };
    assert_eq!(late[0].env, None);
    assert!(
        late[0]
            .stdin
            .0
            .windows(18)
            .any(|window| window == b"\"status\":\"created\"")
    );
    let change = position(&plan, |op| matches!(op, Op::ChangeDirectoryTo(_))).unwrap();
    assert!(change < position(&plan, |op| matches!(op, Op::PivotRoot(_))).unwrap());
}

#[test]
fn what_hooks_cannot_be_is_refused_by_name() {
    let mut case = Case::bare();
    case.config.hooks.create_container = vec![command("relative")];
    assert!(case.refusal().contains("hooks.createContainer[0]"));
    let mut hook = command("/hook");
    hook.dir = "/tmp".to_owned();
    case.config.hooks.create_container = vec![hook];
    let error = case.init().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn the_parents_gate_for_hooks_is_only_asked_when_it_has_something_to_do() {
    let mut case = Case::standard();
    let gates = |case: &Case| count(&built(case), |op| *op == Op::AskGate(Gate::Hooks.number()));
    assert_eq!(gates(&case), 0);
    case.late_limits = true;
    assert_eq!(gates(&case), 1);
    case.late_limits = false;
    case.config.hooks.create_runtime = vec![command("/hook")];
    assert_eq!(gates(&case), 1);
}

/// With a filter around the runtime, and only then; when all is made.
#[test]
fn namespaces_and_mounts_are_compared_where_a_filter_may_have_answered() {
    let mut case = Case::standard();
    let gate = Op::AskGate(Gate::Isolation.number());
    for exec in [false, true] {
        case.host.filtered = false;
        let plan = |case: &Case| {
            let plan = if exec { case.exec() } else { case.init() };
            plan.unwrap().plan
        };
        assert_eq!(count(&plan(&case), |op| *op == gate), 0);
        case.host.filtered = true;
        let plan = plan(&case);
        let asked = position(&plan, |op| *op == gate).unwrap();
        let left = &ops(&plan)[asked + 1..];
        assert!(
            left.iter().all(|op| matches!(
                op,
                Op::CloseControl | Op::WaitStart(_) | Op::LateHooks(_) | Op::Exec { .. }
            )),
            "{left:?}"
        );
    }
}

#[test]
fn exec_joins_what_the_configuration_names_and_enters_a_root_without_mount_namespace() {
    let mut case = Case::standard();
    let joins = |case: &Case| {
        ops(&case.exec().unwrap().plan)
            .into_iter()
            .find_map(|op| match op {
                Op::JoinProcess { namespaces, .. } => Some(*namespaces),
                _ => None,
            })
    };
    let all = case.config.namespaces.iter().map(|ns| ns.kind).collect();
    assert_eq!(joins(&case), Some(all));
    case.config.namespaces = private(&[]);
    assert_eq!(joins(&case), None);
    assert_eq!(
        count(&case.exec().unwrap().plan, |op| matches!(op, Op::Chroot(_))),
        1
    );
}

#[test]
fn values_of_the_process_win_over_the_containers() {
    let mut case = Case::engine();
    case.process
        .no_new_privileges(true)
        .capabilities(Capabilities::default());
    let plan = case.exec().unwrap().plan;
    assert_eq!(count(&plan, |op| *op == Op::NoNewPrivileges), 1);
    assert_eq!(
        count(&plan, |op| matches!(
            op,
            Op::Capabilities { permitted: 0, .. }
        )),
        1
    );
}

#[test]
fn null_bytes_are_refused_wherever_they_stand() {
    let mut case = Case::bare();
    case.process = crate::Process::new(["/bin/sh", "a\0b"]);
    assert!(case.refusal().contains("process.args"));
    let mut case = Case::bare();
    case.process.cwd("/a\0b");
    assert!(case.refusal().contains("process.cwd"));
    let case = with_mounts(vec![mount("tmpfs", "/a\0b", MountFlags::NONE, "")]);
    assert_eq!(case.refusal(), "mount field contains null byte");
    let mut case = Case::standard();
    case.config.sysctl = [("net.x".to_owned(), "1\0".to_owned())].into();
    assert!(case.refusal().contains("linux.sysctl"));
}

#[test]
fn tags_and_gates_read_back_from_their_numbers() {
    for tag in [
        Tag::Root,
        Tag::RouteSocket,
        Tag::Source(0),
        Tag::Source(65_535),
        Tag::IdMap(0),
        Tag::IdMap(65_535),
        Tag::Tree(0),
        Tag::Tree(65_535),
        Tag::Devices,
    ] {
        assert_eq!(Tag::from_number(tag.number()), Some(tag));
    }
    for gate in [
        Gate::Cgroup,
        Gate::Hooks,
        Gate::ResourceLimits,
        Gate::Identity,
        Gate::Isolation,
    ] {
        assert_eq!(Gate::from_number(gate.number()), Some(gate));
    }
    assert_eq!(Tag::from_number(0), None);
    assert_eq!(Tag::from_number(0x4_0000), None);
    assert_eq!(Gate::from_number(0), None);
}

#[test]
fn a_view_is_only_looked_at_for_cgroup_mounts() {
    let mut case = Case::bare();
    let one = built(&case);
    case.view = CgroupView::Legacy(Vec::new());
    assert_eq!(one.as_bytes(), built(&case).as_bytes());
}
