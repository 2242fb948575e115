//! Configurations to build plans from.

use std::path::PathBuf;

use configs::config::{Config, IdMap, Mount, MountAttr, MountFlags, NamespaceType};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::Terminal;
use crate::plan::tests::{Case, allowing, command, hierarchies, mount, private, refusing, volume};
use crate::plan::{CgroupView, Filter, LegacyHierarchy};
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
    pub(in crate::plan) fn case()(
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
        tasks_by_name in subsequence(vec!["cpu,cpuacct", "blkio"], 0..=2),
    ) -> Case {
        let [
            nnp, caps, terminal, readonly, labels, apparmor, late, hooks, legacy, gate, unified,
            pidns, unprivileged,
            outside, no_pivot,
        ] = switches;
        let mut case = if standard { Case::standard() } else { Case::engine() };
        let config = &mut case.config;
        config.mounts.retain(|mount| keep.contains(&mount.destination.as_str()));
        config.mounts.extend(mounts);
        config.namespaces = private(&[]);
        for (kind, joined) in namespaces {
            let path = if joined { format!("/run/ns/{}", kind.file_name()) } else { String::new() };
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
            of_caller: false,
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
        let by_name = tasks_by_name.into_iter().map(|name| (name.to_owned(), format!("{name}/c/tasks").into()));
        case.cgroup.task_paths = by_name.collect();
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

/// A filter under which the stub cannot clone itself.
pub(super) fn strict() -> Filter {
    refusing(&[
        (libc::SYS_clone3, libc::EPERM),
        (libc::SYS_clone, libc::EPERM),
    ])
}
