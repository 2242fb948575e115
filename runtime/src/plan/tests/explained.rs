//! Plans of all sorts are explained: no step without a phase and a reason, no number that the
//! kernel has a name for.

use std::collections::BTreeMap;

use configs::config::{
    Capabilities, Device, MemoryPolicy, MemoryPolicyMode, Mount, MountAttr, MountFlags,
    MountIdMapping, NamespaceType, NetDevice, Personality, PersonalityDomain, Rlimit, RlimitType,
    TimeOffset,
};
use configs::oci;
use nsenter::plan::Op;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::properties::configurations::case as any_case;
use super::{BuiltPlan, Case, command, hierarchies, mount, refusing, volume};
use crate::Terminal;
use crate::plan::explain::reasons::{self, Phase, Reason};
use crate::plan::explain::{Explained, ExplainedStep, Shown, names};

fn explained(case: &Case, built: &BuiltPlan) -> Explained {
    Explained::of(&built.plan, &case.config).unwrap()
}

/// The rows that were used.
type Used = BTreeMap<*const Reason, &'static Reason>;

/// What holds for every plan.
fn check(case: &Case, built: &BuiltPlan, used: &mut Used) {
    let explained = explained(case, built);
    let steps = built.plan.steps();
    assert_eq!(explained.steps.len(), steps.len());
    for (step, given) in explained.steps.iter().zip(steps) {
        assert_eq!(step.does, given.context());
        assert_eq!(step.operation, given.op().name());
        assert!(step.reason.is_known(), "no reason for {given}");
        assert_ne!(step.phase, Phase::Same, "{given}");
        assert_eq!(step.tolerates.len(), given.tolerated().len());
        let tells = step.tolerates.is_empty() || !step.reason.tolerated.is_empty();
        assert!(tells, "nothing says why this may fail: {given}");
        for errno in &step.tolerates {
            assert!(errno.starts_with('E'), "{errno} of {given}");
        }
        for (name, shown) in &step.arguments {
            let bare = match shown {
                Shown::Word(word) => word.starts_with("0x"),
                Shown::Names(names) => names.iter().any(|name| name.starts_with("0x")),
                _ => false,
            };
            assert!(!bare, "{name}={shown:?} of {given}");
        }
        used.insert(std::ptr::from_ref(step.reason), step.reason);
    }
}

fn changed(base: Case, change: impl FnOnce(&mut Case)) -> Case {
    let mut case = base;
    change(&mut case);
    case
}

fn device(path: &str, kind: ::devices::Kind, numbers: (i64, i64)) -> Device {
    Device {
        kind,
        major: numbers.0,
        minor: numbers.1,
        access: ::devices::Access::ALL,
        allow: true,
        path: path.to_owned(),
        file_mode: 0o600,
        uid: 0,
        gid: 0,
    }
}

/// What the generated configurations do not have.
fn unusual_cases() -> Vec<Case> {
    let scheduler = |policy: &str, flags: &[&str]| oci::Scheduler {
        policy: policy.to_owned(),
        flags: flags.iter().map(|&flag| flag.to_owned()).collect(),
        runtime: 1,
        deadline: 2,
        period: 3,
        ..oci::Scheduler::default()
    };
    let listening = |case: &mut Case| {
        let mut filter = refusing(&[(libc::SYS_mount, libc::EPERM)]);
        filter.listener = true;
        filter.flags = 8;
        case.filter = Some(filter);
    };
    vec![
        changed(Case::standard(), |case| case.host.filtered = true),
        changed(Case::standard(), |case| {
            case.process
                .scheduler(scheduler("SCHED_DEADLINE", &["SCHED_FLAG_RESET_ON_FORK"]))
                .io_priority(oci::IoPriority {
                    class: "IOPRIO_CLASS_RT".to_owned(),
                    priority: 3,
                })
                .umask(0o27);
            case.config.cgroups.resources.cpuset_cpus = "0-3".to_owned();
            case.config.personality = Some(Personality {
                domain: PersonalityDomain::Linux32,
            });
            case.config.memory_policy = Some(MemoryPolicy {
                mode: MemoryPolicyMode::Bind,
                flags: 1 << 15,
                nodes: Some("0-1".parse().unwrap()),
            });
            case.config.domainname = "example".to_owned();
            let devices = [("eth0".to_owned(), NetDevice::default())];
            case.config.net_devices = devices.into();
        }),
        changed(Case::standard(), |case| {
            case.process.rlimits([Rlimit {
                kind: RlimitType::Nproc,
                soft: 10,
                hard: u64::MAX,
            }]);
            case.config
                .namespaces
                .set(NamespaceType::Pid, "/run/ns/pid");
            case.host.procfs_pidns = true;
            listening(case);
        }),
        changed(Case::user_namespace(), |case| {
            listening(case);
            case.config.namespaces.set(NamespaceType::Time, "");
            let offset = TimeOffset {
                secs: -1,
                nanosecs: 5,
            };
            case.config.time_offsets = [("boottime".to_owned(), offset)].into();
            case.config.devices.extend([
                device("/dev/fuse", ::devices::Kind::Char, (10, 229)),
                device("/dev/pipes/p", ::devices::Kind::Fifo, (0, 0)),
            ]);
            case.config.mounts.push(Mount {
                id_mapping: Some(MountIdMapping {
                    recursive: true,
                    uid_mappings: case.config.uid_mappings.clone(),
                    gid_mappings: case.config.gid_mappings.clone(),
                    ..MountIdMapping::default()
                }),
                rec_attr: Some(MountAttr {
                    attr_set: MountAttr::RDONLY,
                    ..MountAttr::default()
                }),
                cleared_flags: MountFlags::NOSUID,
                ..volume(
                    "/host/mapped",
                    "/mapped",
                    MountFlags::REC,
                    MountFlags::PRIVATE | MountFlags::REC,
                )
            });
            // The host's ids have no root here: what is left is an ordinary user.
            case.config.sysctl = [("net.ipv4.ip_forward".to_owned(), "1".to_owned())].into();
            case.config
                .mounts
                .retain(|mount| mount.destination != "/proc");
        }),
        changed(Case::user_namespace(), |case| {
            case.host.effective_uid = 1000;
            case.config.rootless_euid = true;
            case.config.rootless_cgroups = true;
            case.config.oom_score_adj = Some(100);
            listening(case);
        }),
        changed(Case::engine(), |case| {
            case.config.mount_label = "system_u:object_r:container_file_t:s0".to_owned();
            case.config.process_label = "system_u:system_r:container_t:s0".to_owned();
            case.config
                .devices
                .push(device("/dev/net/tun", ::devices::Kind::Char, (10, 200)));
            case.config.mounts.extend([
                mount("tmpfs", "/data", MountFlags::REMOUNT, "size=1m"),
                volume("/proc", "/proc", MountFlags::REC, MountFlags::NONE),
                mount(
                    "proc",
                    "/proc",
                    MountFlags::REMOUNT | MountFlags::BIND | MountFlags::RDONLY,
                    "",
                ),
            ]);
        }),
        changed(Case::engine(), |case| {
            // No /dev of its own.
            case.config
                .mounts
                .retain(|mount| !mount.destination.starts_with("/dev"));
            case.process.terminal(Some(Terminal::Keep));
            case.config.root_propagation = MountFlags::UNBINDABLE;
            case.config
                .mounts
                .push(mount("overlay", "/o", MountFlags::NONE, "a=b"));
        }),
        changed(Case::standard(), |case| {
            case.config.namespaces.remove(NamespaceType::Cgroup);
            let cgroup = case.config.mounts.iter_mut();
            for mount in cgroup.filter(|mount| mount.device == "cgroup") {
                mount.data = "memory_recursiveprot".to_owned();
            }
        }),
        changed(Case::standard(), |case| {
            case.view = hierarchies();
            case.config.namespaces.remove(NamespaceType::Cgroup);
            case.config.hooks.create_container = vec![command("/hook")];
            case.config.hooks.start_container = vec![command("/hook")];
        }),
        changed(Case::standard(), |case| {
            case.view = hierarchies();
            case.config.namespaces.remove(NamespaceType::Cgroup);
            let cgroup = case.config.mounts.iter_mut();
            for mount in cgroup.filter(|mount| mount.device == "cgroup") {
                mount.rec_attr = Some(MountAttr {
                    attr_set: MountAttr::RDONLY,
                    ..MountAttr::default()
                });
            }
        }),
        changed(Case::bare(), |case| {
            // One procfs in place of another, which a path of the image may have led to.
            case.config.mounts = vec![
                mount("tmpfs", "/x", MountFlags::NONE, ""),
                mount("proc", "/proc", MountFlags::NONE, ""),
            ];
            case.config.capabilities = Some(Capabilities::docker_default());
        }),
    ]
}

/// Every step of every plan has a phase, a name and a reason, and every row of the table is for
/// some step.
#[test]
fn every_step_of_every_plan_has_its_reason() {
    let mut used = Used::new();
    let mut runner = TestRunner::deterministic();
    let generated = (0..600).map(|_| any_case().new_tree(&mut runner).unwrap().current());
    let written = [
        Case::bare(),
        Case::standard(),
        Case::engine(),
        Case::user_namespace(),
    ];
    for case in generated.chain(written).chain(unusual_cases()) {
        check(&case, &case.init().unwrap(), &mut used);
        check(&case, &case.exec().unwrap(), &mut used);
    }
    let unused: Vec<&Reason> = reasons::rows()
        .iter()
        .filter(|row| !used.contains_key(&std::ptr::from_ref(*row)))
        .collect();
    assert!(unused.is_empty(), "rows of no step: {unused:#?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn no_plan_is_without_reasons(case in any_case()) {
        check(&case, &case.init().unwrap(), &mut Used::new());
        check(&case, &case.exec().unwrap(), &mut Used::new());
    }
}

/// The fields of an operation that are numbers have names, or are known to have none.
#[test]
fn every_number_of_an_operation_has_its_names() {
    let mut missing = Vec::new();
    for (operation, fields) in Op::ALL {
        for (field, kind) in *fields {
            let number = matches!(*kind, "Number" | "Number64" | "Flags" | "Flags64");
            if number && !names::is_known(operation, field) {
                missing.push(format!("{operation}.{field}"));
            }
        }
    }
    assert!(missing.is_empty(), "not named: {missing:?}");
}

fn step<'a>(explained: &'a Explained, does: &str) -> &'a ExplainedStep {
    let found = explained.steps.iter().find(|step| step.does == does);
    found.unwrap_or_else(|| panic!("no step {does:?}"))
}

fn argument<'a>(step: &'a ExplainedStep, name: &str) -> &'a Shown {
    let found = step.arguments.iter().find(|(other, _)| *other == name);
    &found.unwrap_or_else(|| panic!("no {name} in {step:?}")).1
}

#[test]
fn a_step_names_the_field_that_asks_for_it() {
    let mut case = Case::engine();
    case.config.hooks.create_container = vec![command("/one"), command("/two")];
    // Twice the same: the order tells which entry a step is of.
    case.config
        .mounts
        .push(volume("/a", "/twice", MountFlags::NONE, MountFlags::NONE));
    case.config
        .mounts
        .push(volume("/a", "/twice", MountFlags::NONE, MountFlags::NONE));
    let explained = explained(&case, &case.init().unwrap());
    for (does, field) in [
        (
            "sysctl net.ipv4.ping_group_range = \"0 2147483647\"",
            "linux.sysctl[net.ipv4.ping_group_range]",
        ),
        (
            "running createContainer hook #1",
            "hooks.createContainer[1]",
        ),
        ("mount \"proc\" at \"/proc\": attach", "mounts[0]"),
        ("sethostname \"cofferdam\"", "hostname"),
        ("setuid to 1000", "process.user.uid"),
    ] {
        assert_eq!(step(&explained, does).fields, [field], "{does}");
    }
    let twice: Vec<&str> = explained
        .steps
        .iter()
        .filter(|step| step.does == "mount \"/a\" at \"/twice\": attach")
        .map(|step| step.fields[0].as_str())
        .collect();
    assert_eq!(twice, ["mounts[9]", "mounts[10]"]);
}

#[test]
fn numbers_messages_and_filters_are_words() {
    let mut case = Case::engine();
    case.filter = Some(refusing(&[(libc::SYS_mount, libc::EPERM)]));
    let explained = explained(&case, &case.init().unwrap());
    let word = |text: &str| Shown::Word(text.to_owned());
    let loopback = step(&explained, "set the loopback interface up");
    assert_eq!(
        argument(loopback, "request"),
        &word("loopback up (RTM_NEWLINK)")
    );
    let Shown::Word(filter) = argument(step(&explained, "load the seccomp filter"), "program")
    else {
        panic!("a filter is told in words");
    };
    assert!(
        filter.contains("SCMP_ACT_ERRNO(EPERM) for mount"),
        "{filter}"
    );
    let capabilities = step(&explained, "apply capabilities");
    let Shown::Set(effective) = argument(capabilities, "effective") else {
        panic!("capabilities are a set");
    };
    assert_eq!(
        effective,
        &["CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_AUDIT_WRITE"]
    );
    // As they are seen in the container, whatever mount they are on.
    let masked = step(&explained, "mask paths");
    let Shown::Texts(paths) = argument(masked, "paths") else {
        panic!("paths are texts");
    };
    assert_eq!(paths, &["/proc/acpi", "/proc/kcore", "/sys/firmware"]);
}

/// The steps that are taken when nothing fails are those that the walk of the stub takes.
#[test]
fn what_is_done_only_after_a_failure_is_told_from_the_rest() {
    let case = Case::standard();
    let explained = explained(&case, &case.init().unwrap());
    assert!(!step(&explained, "make device node /dev/null").alternative);
    assert!(step(&explained, "bind /dev/null").alternative);
    assert!(!step(&explained, "link /dev/fd").alternative);
    assert!(!step(&explained, "exec sh").alternative);
}
