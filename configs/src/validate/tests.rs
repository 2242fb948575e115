use super::*;
use crate::config::{
    CpuSet, IdMap, IntelRdt, MemoryPolicy, MemoryPolicyMode, Mount, MountAttr, MountFlags,
    MountIdMapping, NamespaceType, Namespaces, Network, Route,
};
use crate::oci::{IoPriority, NetDevice, Scheduler, TimeOffset};
use crate::{IntelRdtSupport, NetworkNamespaceFact, RootfsFact};

fn config(namespaces: &[NamespaceType]) -> Config {
    let mut config = Config {
        rootfs: "/r".into(),
        ..Config::default()
    };
    for kind in namespaces {
        config.namespaces.set(*kind, "");
    }
    config
}

fn with(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = config(&[]);
    change(&mut config);
    config
}

fn host() -> HostInfo {
    HostInfo {
        rootfs: RootfsFact::Resolved("/r".into()),
        ..HostInfo::default()
    }
}

#[track_caller]
fn accepts(config: &Config) {
    assert_eq!(validate(config, &host()).unwrap(), []);
}

#[track_caller]
fn refuses(config: &Config, text: &str) {
    refuses_on(config, &host(), text);
}

#[track_caller]
fn refuses_on(config: &Config, host: &HostInfo, text: &str) {
    assert_eq!(validate(config, host).unwrap_err().to_string(), text);
}

fn root_map() -> Vec<IdMap> {
    vec![IdMap {
        container_id: 0,
        host_id: 1000,
        size: 10,
    }]
}

fn user_namespace(config: &mut Config) {
    config.namespaces.set(NamespaceType::User, "");
    config.uid_mappings = root_map();
    config.gid_mappings = root_map();
}

#[test]
fn a_configuration_with_nothing_but_a_rootfs() {
    accepts(&config(&[]));
}

#[test]
fn the_rootfs_must_be_its_own_real_path() {
    let check = |rootfs: &str, fact: RootfsFact| {
        let config = Config {
            rootfs: rootfs.into(),
            ..Config::default()
        };
        validate(
            &config,
            &HostInfo {
                rootfs: fact,
                ..HostInfo::default()
            },
        )
        .map_err(|error| error.to_string())
    };
    let text = Err("invalid rootfs: not an absolute path, or a symlink".to_owned());
    let resolved = |path: &str| RootfsFact::Resolved(path.into());
    assert_eq!(check("/r", resolved("/elsewhere")), text);
    assert_eq!(check("r", resolved("/r")), text);
    assert_eq!(check("", RootfsFact::NotExamined), text);
    assert_eq!(check("/r/", resolved("/r")), Ok(vec![]));
    assert_eq!(check("/a/../r", resolved("/r")), Ok(vec![]));
    assert_eq!(check("/r", RootfsFact::NotExamined), Ok(vec![]));
    assert_eq!(
        check("/r", RootfsFact::Failed("no such file".into())),
        Err("invalid rootfs".to_owned())
    );
}

#[test]
fn a_cgroup_has_a_path_or_a_name() {
    let text = "cgroup: either Path or Name and Parent should be used, got path \"/p\", name \"\" and parent \"x\"";
    let mut config = with(|c| c.cgroups.path = "/p".into());
    accepts(&config);
    config.cgroups.parent = "x".into();
    refuses(&config, text);
}

#[test]
fn unified_is_for_cgroup_v2() {
    let config =
        with(|c| c.cgroups.resources.unified = [("memory.high".to_owned(), "1".to_owned())].into());
    refuses(
        &config,
        "invalid configuration: cannot use unified on cgroup v1",
    );
    assert!(
        validate(
            &config,
            &HostInfo {
                cgroup_v2: true,
                ..host()
            }
        )
        .is_ok()
    );
}

#[test]
fn swap_on_cgroup_v2() {
    let check = |memory: i64, swap: i64, cgroup_v2: bool| {
        let config = with(|c| {
            c.cgroups.resources.memory = memory;
            c.cgroups.resources.memory_swap = swap;
        });
        validate(
            &config,
            &HostInfo {
                cgroup_v2,
                ..host()
            },
        )
        .map(drop)
        .map_err(|error| error.to_string())
    };
    for (memory, swap) in [
        (0, 0),
        (100, 0),
        (100, -1),
        (-1, 0),
        (-1, 50),
        (100, 100),
        (100, 200),
        (0, -1),
    ] {
        assert_eq!(check(memory, swap, true), Ok(()), "{memory} {swap}");
    }
    assert_eq!(
        check(0, 100, true),
        Err("unable to set swap limit without memory limit".into())
    );
    assert_eq!(
        check(200, 100, true),
        Err("memory+swap limit should be >= memory limit".into())
    );
    assert_eq!(check(-2, 100, true), Err("invalid memory value: -2".into()));
    assert_eq!(check(200, 100, false), Ok(()));
}

#[test]
fn networks_and_routes_need_a_network_namespace() {
    let text = "unable to apply network settings without a private NET namespace";
    for change in [
        (|c| c.networks.push(Network::loopback())) as fn(&mut Config),
        |c| c.routes.push(Route::default()),
    ] {
        let mut config = with(change);
        refuses(&config, text);
        config
            .namespaces
            .set(NamespaceType::Network, "/run/netns/x");
        accepts(&config);
    }
}

fn net_device(host_name: &str, name: &str) -> Config {
    let mut config = config(&[NamespaceType::Network]);
    config
        .net_devices
        .insert(host_name.into(), NetDevice { name: name.into() });
    config
}

#[test]
fn network_devices_need_a_network_namespace_and_root() {
    accepts(&net_device("eth0", ""));
    accepts(&net_device("eth0", "eth1"));
    let mut config = net_device("eth0", "eth1");
    config.rootless_euid = true;
    refuses(
        &config,
        "network devices are not supported for rootless containers",
    );
    config.namespaces = Namespaces::new();
    refuses(
        &config,
        "unable to move network devices without a NET namespace",
    );
}

#[test]
fn network_device_names_are_the_kernels() {
    for name in ["a", "eth0", "veth-1.2_3", "123456789012345"] {
        accepts(&net_device(name, name));
    }
    for name in [".", "..", "a/b", "a:b", "a b", "a\tb", "1234567890123456"] {
        let text = format!("invalid network device name {name:?}");
        refuses(&net_device(name, "eth0"), &text);
        refuses(&net_device("eth0", name), &text);
    }
    refuses(&net_device("", "eth0"), "invalid network device name \"\"");
}

#[test]
fn host_names_need_a_uts_namespace() {
    let mut hostname = with(|c| c.hostname = "h".into());
    refuses(
        &hostname,
        "unable to set hostname without a private UTS namespace",
    );
    let mut domainname = with(|c| c.domainname = "d".into());
    refuses(
        &domainname,
        "unable to set domainname without a private UTS namespace",
    );
    for config in [&mut hostname, &mut domainname] {
        config.namespaces.set(NamespaceType::Uts, "");
        accepts(config);
    }
}

#[test]
fn masks_need_a_mount_namespace() {
    let text = "unable to restrict sys entries without a private MNT namespace";
    for change in [
        (|c| c.mask_paths.push("/m".into())) as fn(&mut Config),
        |c| c.readonly_paths.push("/m".into()),
    ] {
        let mut config = with(change);
        refuses(&config, text);
        config.namespaces.set(NamespaceType::Mount, "");
        accepts(&config);
    }
}

#[test]
fn a_label_needs_selinux() {
    let config = with(|c| c.process_label = "l".into());
    refuses(
        &config,
        "selinux label is specified in config, but selinux is disabled or not supported",
    );
    assert!(
        validate(
            &config,
            &HostInfo {
                selinux: true,
                ..host()
            }
        )
        .is_ok()
    );
}

#[test]
fn user_namespaces_and_mappings_belong_together() {
    accepts(&with(user_namespace));
    accepts(&with(|c| {
        c.namespaces.set(NamespaceType::User, "/proc/1/ns/user")
    }));
    refuses(
        &config(&[NamespaceType::User]),
        "user namespaces enabled, but no namespace path to join nor mappings to apply specified",
    );
    refuses(
        &with(|c| c.gid_mappings = root_map()),
        "user namespace mappings specified, but user namespace isn't enabled in the config",
    );
}

#[test]
fn namespaces_the_kernel_does_not_have() {
    let host = HostInfo {
        namespaces: vec![],
        ..host()
    };
    refuses_on(
        &with(user_namespace),
        &host,
        "user namespaces aren't enabled in the kernel",
    );
    refuses_on(
        &config(&[NamespaceType::Cgroup]),
        &host,
        "cgroup namespaces aren't enabled in the kernel",
    );
    refuses_on(
        &config(&[NamespaceType::Time]),
        &host,
        "time namespaces aren't enabled in the kernel",
    );
}

#[test]
fn time_offsets_need_a_new_time_namespace() {
    let mut config =
        with(|c| c.time_offsets = [("boottime".to_owned(), TimeOffset::default())].into());
    refuses(
        &config,
        "time namespace offsets specified, but time namespace isn't enabled in the config",
    );
    config.namespaces.set(NamespaceType::Time, "");
    accepts(&config);
    config
        .namespaces
        .set(NamespaceType::Time, "/proc/1/ns/time");
    refuses(
        &config,
        "time namespace enabled, but both namespace path and time offsets specified -- you may only provide one",
    );
}

fn sysctl(name: &str, namespaces: &[NamespaceType]) -> Config {
    let mut config = config(namespaces);
    if namespaces.contains(&NamespaceType::User) {
        user_namespace(&mut config);
    }
    config.sysctl.insert(name.into(), "1".into());
    config
}

#[test]
fn kernel_parameters_of_a_namespace_need_it() {
    use NamespaceType::{Ipc, Network, User, Uts};
    for (name, namespace, text) in [
        (
            "kernel.msgmax",
            Ipc,
            "sysctl \"kernel.msgmax\" is not allowed in the hosts ipc namespace",
        ),
        (
            "kernel.shm_rmid_forced",
            Ipc,
            "sysctl \"kernel.shm_rmid_forced\" is not allowed in the hosts ipc namespace",
        ),
        (
            "kernel/sem",
            Ipc,
            "sysctl \"kernel/sem\" is not allowed in the hosts ipc namespace",
        ),
        (
            "fs.mqueue.msg_max",
            Ipc,
            "sysctl \"fs.mqueue.msg_max\" is not allowed in the hosts ipc namespace",
        ),
        (
            "fs/mqueue/msg_max",
            Ipc,
            "sysctl \"fs/mqueue/msg_max\" is not allowed in the hosts ipc namespace",
        ),
        (
            "net.ipv4.ip_forward",
            Network,
            "sysctl \"net.ipv4.ip_forward\" not allowed in host network namespace",
        ),
        (
            "net/ipv4/conf/a.b/x",
            Network,
            "sysctl \"net/ipv4/conf/a.b/x\" not allowed in host network namespace",
        ),
        (
            "net.ipv4.conf.a/b.x",
            Network,
            "sysctl \"net.ipv4.conf.a/b.x\" not allowed in host network namespace",
        ),
        (
            "user.max_pid_namespaces",
            User,
            "setting ucounts without a user namespace not allowed: user.max_pid_namespaces",
        ),
        (
            "kernel.domainname",
            Uts,
            "sysctl \"kernel.domainname\" is not in a separate kernel namespace",
        ),
    ] {
        accepts(&sysctl(name, &[namespace]));
        refuses(&sysctl(name, &[]), text);
    }
}

#[test]
fn other_kernel_parameters_are_refused() {
    for name in [
        "kernel.hostname",
        "kernel.panic",
        "vm.swappiness",
        "fs.file-max",
        "",
        "net",
        "fs.mqueuex.y",
        "net/../kernel/panic",
        "net.ipv4.//.//.kernel.panic",
        "net..x",
        "/net/ipv4/ip_forward",
    ] {
        let everything = [
            NamespaceType::Ipc,
            NamespaceType::Network,
            NamespaceType::User,
        ];
        refuses(
            &sysctl(name, &everything),
            &format!("sysctl {name:?} is not in a separate kernel namespace"),
        );
    }
    refuses(
        &sysctl("kernel.hostname", &[NamespaceType::Uts]),
        "sysctl \"kernel.hostname\" is not allowed as it conflicts with the OCI \"hostname\" field",
    );
}

#[test]
fn network_parameters_are_not_set_in_the_hosts_namespace_by_path() {
    let mut config = sysctl("net.ipv4.ip_forward", &[]);
    config
        .namespaces
        .set(NamespaceType::Network, "/run/netns/x");
    let on = |network_namespace| HostInfo {
        network_namespace,
        ..host()
    };
    assert!(validate(&config, &on(NetworkNamespaceFact::Other)).is_ok());
    refuses_on(
        &config,
        &on(NetworkNamespaceFact::Own),
        "sysctl \"net.ipv4.ip_forward\" not allowed in host network namespace",
    );
    refuses_on(
        &config,
        &on(NetworkNamespaceFact::Failed("gone".into())),
        "invalid netns path",
    );
    refuses_on(
        &config,
        &on(NetworkNamespaceFact::NotExamined),
        "invalid netns path",
    );
}

#[test]
fn both_ways_to_write_a_kernel_parameter_mean_the_same() {
    for (name, dots, path) in [
        (
            "net.ipv4.conf.eno2/100.x",
            "net.ipv4.conf.eno2/100.x",
            "net/ipv4/conf/eno2.100/x",
        ),
        (
            "net/ipv4/conf/eno2.100/x",
            "net.ipv4.conf.eno2/100.x",
            "net/ipv4/conf/eno2.100/x",
        ),
        ("kernel.sem", "kernel.sem", "kernel/sem"),
    ] {
        assert_eq!(
            (sysctl_with_dots(name).as_str(), sysctl_path(name).as_str()),
            (dots, path)
        );
    }
}

#[test]
fn intel_rdt() {
    let with_rdt = |rdt: IntelRdt| with(|c| c.intel_rdt = Some(rdt));
    let on = |enabled, cat, mba| HostInfo {
        intel_rdt: IntelRdtSupport { enabled, cat, mba },
        ..host()
    };
    refuses(
        &with_rdt(IntelRdt::default()),
        "intelRdt is specified in config, but Intel RDT is not enabled",
    );
    for class in ["", "/", "a", "a.b"] {
        let config = with_rdt(IntelRdt {
            clos_id: class.into(),
            ..IntelRdt::default()
        });
        assert!(
            validate(&config, &on(true, false, false)).is_ok(),
            "{class}"
        );
    }
    for class in [".", "..", "a/b", "/a", "//"] {
        let config = with_rdt(IntelRdt {
            clos_id: class.into(),
            ..IntelRdt::default()
        });
        refuses_on(
            &config,
            &on(true, true, true),
            &format!("invalid intelRdt.ClosID {class:?}"),
        );
    }
    let l3 = with_rdt(IntelRdt {
        l3_cache_schema: "L3:0=f".into(),
        ..IntelRdt::default()
    });
    refuses_on(
        &l3,
        &on(true, false, true),
        "intelRdt.l3CacheSchema is specified in config, but Intel RDT/CAT is not enabled",
    );
    assert!(validate(&l3, &on(true, true, false)).is_ok());
    let mb = with_rdt(IntelRdt {
        mem_bw_schema: "MB:0=20".into(),
        ..IntelRdt::default()
    });
    refuses_on(
        &mb,
        &on(true, true, false),
        "intelRdt.memBwSchema is specified in config, but Intel RDT/MBA is not enabled",
    );
    assert!(validate(&mb, &on(true, false, true)).is_ok());
}

#[test]
fn rootless_needs_a_mapped_user_namespace() {
    let mut config = with(|c| c.rootless_euid = true);
    refuses(&config, "rootless container requires user namespaces");
    user_namespace(&mut config);
    accepts(&config);
    config.uid_mappings.clear();
    refuses(
        &config,
        "rootless containers requires at least one UID mapping",
    );
    user_namespace(&mut config);
    config.gid_mappings.clear();
    refuses(
        &config,
        "rootless containers requires at least one GID mapping",
    );
    config
        .namespaces
        .set(NamespaceType::User, "/proc/1/ns/user");
    accepts(&config);
}

#[test]
fn rootless_mount_options_name_mapped_ids() {
    let mut config = with(|c| c.rootless_euid = true);
    user_namespace(&mut config);
    let mut check = |data: &str| {
        config.mounts = vec![Mount {
            destination: "/d".into(),
            data: data.into(),
            ..Mount::default()
        }];
        validate(&config, &host()).map(drop).map_err(|error| {
            format!(
                "{error}: {}",
                std::error::Error::source(&error)
                    .map(ToString::to_string)
                    .unwrap_or_default()
            )
        })
    };
    for data in ["uid=5,gid=9", "uid=x", "gid=", "mode=755", "fuid=99"] {
        assert_eq!(check(data), Ok(()), "{data}");
    }
    assert_eq!(
        check("mode=1,uid=10"),
        Err(
            "cannot specify uid=10 mount option for rootless container: \
             user namespaces enabled, but no mapping found for uid 10"
                .into()
        )
    );
    assert_eq!(
        check("gid=5,gid=99"),
        Err(
            "cannot specify gid=99 mount option for rootless container: \
             user namespaces enabled, but no mapping found for gid 99"
                .into()
        )
    );
}

fn mount(change: impl FnOnce(&mut Mount)) -> Config {
    let mut mount = Mount {
        source: "/s".into(),
        destination: "/d".into(),
        device: "bind".into(),
        flags: MountFlags::BIND,
        ..Mount::default()
    };
    change(&mut mount);
    with(|c| c.mounts.push(mount))
}

#[test]
fn bind_mounts_take_no_options_of_file_systems() {
    accepts(&mount(|_| {}));
    refuses(
        &mount(|m| m.data = "mode=755".into()),
        "invalid mount \"/d\": bind mounts cannot have any filesystem-specific options applied",
    );
    accepts(&mount(|m| {
        m.flags = MountFlags::NONE;
        m.data = "mode=755".into();
    }));
}

#[test]
fn id_mapped_mounts() {
    let mapping = || MountIdMapping {
        uid_mappings: root_map(),
        gid_mappings: root_map(),
        ..MountIdMapping::default()
    };
    let joined = MountIdMapping {
        userns_path: "/proc/1/ns/user".into(),
        ..MountIdMapping::default()
    };
    accepts(&mount(|m| m.id_mapping = Some(mapping())));
    accepts(&mount(|m| m.id_mapping = Some(joined.clone())));
    refuses(
        &mount(|m| {
            m.id_mapping = Some(mapping());
            m.flags = MountFlags::NONE;
        }),
        "invalid mount \"/d\": id-mapped mounts are only supported for bind-mounts",
    );
    let text =
        "invalid mount \"/d\": id-mapped mounts must have both uid and gid mappings specified";
    refuses(
        &mount(|m| m.id_mapping = Some(MountIdMapping::default())),
        text,
    );
    refuses(
        &mount(|m| {
            m.id_mapping = Some(MountIdMapping {
                gid_mappings: vec![],
                ..mapping()
            })
        }),
        text,
    );
    refuses(
        &mount(|m| {
            m.id_mapping = Some(MountIdMapping {
                uid_mappings: root_map(),
                ..joined
            })
        }),
        "invalid mount \"/d\": [internal error] id-mapped mounts cannot have both userns_path and uid and gid mappings specified",
    );
    refuses(
        &mount(|m| {
            m.id_mapping = Some(mapping());
            m.rec_attr = Some(MountAttr {
                attr_set: MountAttr::IDMAP,
                ..MountAttr::default()
            });
        }),
        "invalid mount \"/d\": mount configuration cannot contain recAttr for MOUNT_ATTR_IDMAP",
    );
    let mut rootless = mount(|m| m.id_mapping = Some(mapping()));
    rootless.rootless_euid = true;
    user_namespace(&mut rootless);
    refuses(
        &rootless,
        "invalid mount \"/d\": id-mapped mounts are not supported for rootless containers",
    );
}

#[test]
fn a_relative_destination_is_told() {
    let warnings = validate(&mount(|m| m.destination = "d".into()), &host()).unwrap();
    assert_eq!(
        warnings,
        [Warning::RelativeDestination {
            destination: "d".into()
        }]
    );
}

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

#[test]
fn the_first_broken_rule_in_order_is_reported() {
    let mut config = mount(|m| m.data = "x".into());
    config.rootfs = "relative".into();
    config.hostname = "h".into();
    config.sysctl.insert("kernel.panic".into(), "1".into());
    config.scheduler = Some(Scheduler::default());
    config.cgroups.path = "/p".into();
    config.cgroups.name = "n".into();
    let mut order = Vec::new();
    let mut next = |config: &Config| order.push(validate(config, &host()).unwrap_err().to_string());
    next(&config);
    config.cgroups.name.clear();
    next(&config);
    config.rootfs = "/r".into();
    next(&config);
    config.hostname.clear();
    next(&config);
    config.sysctl.clear();
    next(&config);
    config.mounts.clear();
    next(&config);
    let starts = [
        "cgroup:",
        "invalid rootfs",
        "unable to set hostname",
        "sysctl",
        "invalid mount",
        "scheduler",
    ];
    assert_eq!(order.len(), starts.len());
    for (text, start) in order.iter().zip(starts) {
        assert!(text.starts_with(start), "{text}");
    }
}
