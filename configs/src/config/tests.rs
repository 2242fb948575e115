use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn reread<T: Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

fn map(container_id: u32, host_id: u32, size: u32) -> IdMap {
    IdMap::new(container_id, host_id, size)
}

/// A configuration with every field set.
fn full() -> Config {
    let mut namespaces = Namespaces::new();
    for kind in NamespaceType::ALL {
        namespaces.set(
            kind,
            if kind == NamespaceType::Network {
                "/run/netns/x"
            } else {
                ""
            },
        );
    }
    Config {
        no_pivot_root: true,
        parent_death_signal: 9,
        rootfs: "/r".into(),
        umask: Some(0o22),
        readonlyfs: true,
        root_propagation: MountFlags::SLAVE | MountFlags::REC,
        mounts: vec![Mount {
            source: "/s".into(),
            destination: "/d".into(),
            device: "bind".into(),
            flags: MountFlags::BIND,
            cleared_flags: MountFlags::RDONLY,
            propagation_flags: vec![MountFlags::PRIVATE, MountFlags::SHARED],
            data: "x=1".into(),
            rec_attr: Some(MountAttr {
                attr_set: 1,
                attr_clr: 0x70,
                ..MountAttr::default()
            }),
            extensions: Mount::COPY_UP,
            id_mapping: Some(MountIdMapping {
                recursive: true,
                userns_path: "/u".into(),
                uid_mappings: vec![map(0, 1, 2)],
                gid_mappings: vec![map(3, 4, 5)],
            }),
        }],
        devices: vec![Device {
            kind: devices::Kind::Char,
            major: 1,
            minor: 3,
            access: devices::Access::ALL,
            allow: true,
            path: "/dev/null".into(),
            file_mode: 0o666,
            uid: 1,
            gid: 2,
        }],
        net_devices: [(
            "eth0".to_owned(),
            NetDevice {
                name: "eth1".into(),
            },
        )]
        .into(),
        mount_label: "ml".into(),
        hostname: "h".into(),
        domainname: "d".into(),
        namespaces,
        capabilities: Some(Capabilities {
            bounding: vec!["CAP_KILL".into()],
            ..Capabilities::default()
        }),
        networks: vec![Network::loopback()],
        routes: vec![Route {
            gateway: "10.0.0.1".into(),
            ..Route::default()
        }],
        cgroups: Cgroup {
            name: "n".into(),
            parent: "p".into(),
            path: "/c".into(),
            scope_prefix: "s".into(),
            systemd: true,
            systemd_properties: vec![],
            rootless: true,
            owner_uid: Some(0),
            resources: Resources {
                devices: vec![devices::Rule::deny(
                    devices::Kind::All,
                    None,
                    Some(2),
                    devices::Access::MKNOD,
                )],
                memory: -1,
                pids_limit: Some(0),
                freezer: FreezerState::Frozen,
                cpu_rt_runtime: 5,
                net_cls_classid: 6,
                unified: [("a.b".to_owned(), "c".to_owned())].into(),
                ..Resources::default()
            },
        },
        apparmor_profile: "ap".into(),
        process_label: "pl".into(),
        rlimits: vec![Rlimit {
            kind: RlimitType::Nofile,
            hard: 2,
            soft: 1,
        }],
        oom_score_adj: Some(0),
        uid_mappings: vec![map(0, 1, 2)],
        gid_mappings: vec![map(0, 1, 2)],
        mask_paths: vec!["/m".into()],
        readonly_paths: vec!["/ro".into()],
        sysctl: [("net.x".to_owned(), "1".to_owned())].into(),
        seccomp: Some(Seccomp {
            default_action: ActionName::Errno,
            architectures: vec![Architecture::X86_64],
            flags: vec![FilterFlag::SpecAllow],
            syscalls: vec![SeccompSyscall {
                name: "read".into(),
                action: ActionName::Notify,
                errno_ret: None,
                args: vec![Arg {
                    index: 1,
                    value: 2,
                    value_two: 3,
                    op: Operator::MaskedEqual,
                }],
            }],
            default_errno_ret: Some(38),
            listener_path: "/l".into(),
            listener_metadata: "md".into(),
        }),
        no_new_privileges: true,
        hooks: Hooks {
            poststop: vec![Command {
                path: "/h".into(),
                ..Command::default()
            }],
            ..Hooks::default()
        },
        version: "1.3.0".into(),
        labels: vec!["bundle=/b".into()],
        no_new_keyring: true,
        intel_rdt: Some(IntelRdt {
            clos_id: "c".into(),
            schemata: vec!["MB:0=20".into()],
            l3_cache_schema: "x".into(),
            mem_bw_schema: "y".into(),
            enable_monitoring: true,
        }),
        memory_policy: Some(MemoryPolicy {
            mode: MemoryPolicyMode::Bind,
            flags: MemoryPolicyFlag::StaticNodes.to_int(),
            nodes: Some("0".parse().unwrap()),
        }),
        rootless_euid: true,
        rootless_cgroups: true,
        time_offsets: [(
            "boottime".to_owned(),
            TimeOffset {
                secs: 1,
                nanosecs: 0,
            },
        )]
        .into(),
        scheduler: Some(oci::Scheduler {
            policy: "SCHED_IDLE".into(),
            ..oci::Scheduler::default()
        }),
        personality: Some(Personality {
            domain: PersonalityDomain::Linux32,
        }),
        io_priority: Some(oci::IoPriority {
            class: "IOPRIO_CLASS_BE".into(),
            priority: 1,
        }),
        exec_cpu_affinity: Some(CpuAffinity {
            initial: None,
            final_cpus: Some("1".parse().unwrap()),
        }),
    }
}

#[test]
fn the_keys_are_libcontainers_in_its_order() {
    let text = serde_json::to_string(&full()).unwrap();
    let expected = concat!(
        r#"{"no_pivot_root":true,"parent_death_signal":9,"rootfs":"/r","umask":18,"readonlyfs":true,"#,
        r#""rootPropagation":540672,"mounts":[{"source":"/s","destination":"/d","device":"bind","flags":4096,"#,
        r#""cleared_flags":1,"propagation_flags":[262144,1048576],"data":"x=1","#,
        r#""rec_attr":{"Attr_set":1,"Attr_clr":112,"Propagation":0,"Userns_fd":0},"extensions":1,"#,
        r#""id_mapping":{"recursive":true,"userns_path":"/u","uid_mappings":[{"container_id":0,"host_id":1,"size":2}],"#,
        r#""gid_mappings":[{"container_id":3,"host_id":4,"size":5}]}}],"#,
        r#""devices":[{"type":99,"major":1,"minor":3,"permissions":"rwm","allow":true,"path":"/dev/null","#,
        r#""file_mode":438,"uid":1,"gid":2}],"netDevices":{"eth0":{"name":"eth1"}},"mount_label":"ml","#,
        r#""hostname":"h","domainname":"d","namespaces":[{"type":"NEWUSER"},{"type":"NEWIPC"},{"type":"NEWUTS"},"#,
        r#"{"type":"NEWNET","path":"/run/netns/x"},{"type":"NEWPID"},{"type":"NEWNS"},{"type":"NEWCGROUP"},"#,
        r#"{"type":"NEWTIME"}],"capabilities":{"Bounding":["CAP_KILL"]},"networks":[{"type":"loopback"}],"#,
        r#""routes":[{"gateway":"10.0.0.1"}],"cgroups":{"name":"n","parent":"p","path":"/c","scope_prefix":"s","#,
        r#""Systemd":true,"Rootless":true,"owner_uid":0,"devices":[{"type":97,"major":-1,"minor":2,"#,
        r#""permissions":"m","allow":false}],"memory":-1,"cpu_rt_quota":5,"pids_limit":0,"freezer":"FROZEN","#,
        r#""net_cls_classid_u":6,"unified":{"a.b":"c"}},"apparmor_profile":"ap","process_label":"pl","#,
        r#""rlimits":[{"type":7,"hard":2,"soft":1}],"oom_score_adj":0,"#,
        r#""uid_mappings":[{"container_id":0,"host_id":1,"size":2}],"#,
        r#""gid_mappings":[{"container_id":0,"host_id":1,"size":2}],"mask_paths":["/m"],"readonly_paths":["/ro"],"#,
        r#""sysctl":{"net.x":"1"},"seccomp":{"default_action":2,"architectures":["amd64"],"#,
        r#""flags":["SECCOMP_FILTER_FLAG_SPEC_ALLOW"],"syscalls":[{"name":"read","action":7,"errnoRet":null,"#,
        r#""args":[{"index":1,"value":2,"value_two":3,"op":7}]}],"default_errno_ret":38,"listener_path":"/l","#,
        r#""listener_metadata":"md"},"no_new_privileges":true,"Hooks":{"poststop":[{"path":"/h","args":[],"#,
        r#""env":null,"dir":"","timeout":null}]},"version":"1.3.0","labels":["bundle=/b"],"no_new_keyring":true,"#,
        r#""intel_rdt":{"closID":"c","schemata":["MB:0=20"],"l3_cache_schema":"x","memBwSchema":"y","#,
        r#""enableMonitoring":true},"memory_policy":{"mode":2,"flags":32768,"nodes":[1]},"rootless_euid":true,"#,
        r#""rootless_cgroups":true,"time_offsets":{"boottime":{"secs":1}},"scheduler":{"policy":"SCHED_IDLE"},"#,
        r#""personality":{"domain":8},"io_priority":{"class":"IOPRIO_CLASS_BE","priority":1},"#,
        r#""exec_cpu_affinity":{"Initial":null,"Final":[2]}}"#,
    );
    assert_eq!(text, expected);
    assert_eq!(reread(&full()), full());
}

#[test]
fn the_keys_of_an_empty_configuration() {
    assert_eq!(
        serde_json::to_string(&Config::default()).unwrap(),
        r#"{"rootfs":"","mounts":[],"devices":[],"namespaces":[],"cgroups":{},"version":"","labels":[]}"#
    );
}

#[test]
fn a_stored_configuration_may_have_null_for_whatever_is_nil_in_go() {
    let text = r#"{"rootfs":"/r","mounts":null,"devices":null,"namespaces":null,"cgroups":null,"labels":null,
        "seccomp":{"default_action":4,"architectures":null,"flags":null,"syscalls":null,"default_errno_ret":null},
        "Hooks":null,"version":"1.2.1","unknown":1,"exec_cpu_affinity":{"Initial":[3,0,0,0],"Final":null}}"#;
    let config: Config = serde_json::from_str(text).unwrap();
    assert_eq!(
        (config.mounts.len(), config.cgroups.clone()),
        (0, Cgroup::default())
    );
    assert_eq!(config.seccomp.unwrap().default_action, ActionName::Allow);
    // Trailing zeros do not make another set.
    assert_eq!(
        config.exec_cpu_affinity.unwrap().initial,
        Some("0-1".parse().unwrap())
    );
}

#[test]
fn hooks_are_written_by_name_and_read_by_name() {
    let command = Command {
        path: "/var/vcap/hooks/hook".into(),
        args: vec!["--pid=123".into()],
        env: Some(vec!["FOO=BAR".into()]),
        dir: "/var/vcap".into(),
        timeout: Some(Duration::from_secs(1)),
    };
    let text = r#"[{"path":"/var/vcap/hooks/hook","args":["--pid=123"],"env":["FOO=BAR"],"dir":"/var/vcap","timeout":1000000000}]"#;
    for point in HookPoint::ALL {
        let object = format!("{{\"{}\":{text}}}", point.name());
        let hooks: Hooks = serde_json::from_str(&object).unwrap();
        assert_eq!(hooks.at(point), std::slice::from_ref(&command));
        assert_eq!(serde_json::to_string(&hooks).unwrap(), object);
    }
    let all = HookPoint::ALL
        .map(|point| format!("\"{}\":{text}", point.name()))
        .join(",");
    let hooks: Hooks = serde_json::from_str(&format!("{{{all}}}")).unwrap();
    let written = serde_json::to_string(&hooks).unwrap();
    let order: Vec<_> = [
        "createContainer",
        "createRuntime",
        "poststart",
        "poststop",
        "prestart",
        "startContainer",
    ]
    .iter()
    .map(|name| written.find(&format!("\"{name}\"")).unwrap())
    .collect();
    assert!(order.is_sorted());
}

#[test]
fn unknown_and_empty_hooks_are_dropped() {
    let hooks: Hooks =
        serde_json::from_str(r#"{"prestart":[],"poststop":null,"other":[{"path":"/x"}]}"#).unwrap();
    assert!(hooks.is_empty());
    assert_eq!(serde_json::to_string(&hooks).unwrap(), "{}");
    assert!(serde_json::from_str::<Hooks>("{invalid-json}").is_err());
}

#[test]
fn a_hook_that_had_no_time_left_when_stored_still_has_none() {
    let command: Command = serde_json::from_str(r#"{"path":"/x","timeout":-5}"#).unwrap();
    assert_eq!(command.timeout, Some(Duration::ZERO));
}

#[test]
fn labels_are_found_by_key() {
    let config = Config {
        labels: [
            "a=1",
            "bundle=annotation",
            "a=2",
            "nothing",
            "b=x=y",
            "bundle=/b",
        ]
        .map(str::to_owned)
        .into(),
        ..Config::default()
    };
    assert_eq!(
        (
            config.label("a"),
            config.label("b"),
            config.label("nothing")
        ),
        (Some("1"), Some("x=y"), None)
    );
    // The runtime's own entry is the last one.
    assert_eq!(config.bundle(), Some("/b"));
    let annotations = config.annotations();
    assert_eq!(
        annotations.into_iter().collect::<Vec<_>>(),
        [("a".into(), "2".into()), ("b".into(), "x=y".into())]
    );
    assert_eq!(
        (Config::default().bundle(), Config::default().label("a")),
        (None, None)
    );
}

fn mapped(uid_mappings: Vec<IdMap>) -> Config {
    let mut config = Config {
        uid_mappings,
        ..Config::default()
    };
    config.namespaces.set(NamespaceType::User, "");
    config
}

#[test]
fn without_a_user_namespace_ids_are_the_same() {
    let config = Config::default();
    assert_eq!(
        (
            config.host_root_uid(),
            config.host_uid(7),
            config.host_gid(8)
        ),
        (Ok(0), Ok(7), Ok(8))
    );
}

#[test]
fn the_first_matching_range_gives_the_host_id() {
    let config = mapped(vec![map(1000, 5, 2), map(0, 100_000, 2000)]);
    assert_eq!(config.host_root_uid(), Ok(100_000));
    assert_eq!(
        (
            config.host_uid(1000),
            config.host_uid(1001),
            config.host_uid(1002)
        ),
        (Ok(5), Ok(6), Ok(101_002))
    );
}

#[test]
fn ids_without_a_host_id() {
    let text = |result: Result<u32, IdMapError>| result.unwrap_err().to_string();
    assert_eq!(
        text(mapped(vec![]).host_uid(0)),
        "user namespaces enabled, but no uid mappings found"
    );
    assert_eq!(
        text(mapped(vec![]).host_gid(0)),
        "user namespaces enabled, but no gid mappings found"
    );
    let config = mapped(vec![map(0, u32::MAX - 1, 5)]);
    assert_eq!(
        text(config.host_uid(5)),
        "user namespaces enabled, but no mapping found for uid 5"
    );
    assert_eq!(config.host_uid(0), Ok(u32::MAX - 1));
    for uid in [1, 2] {
        let host = u64::from(u32::MAX - 1) + u64::from(uid);
        let expected = format!(
            "mapping for uid {uid} (host id {host}) is larger than native integer size (4294967294)"
        );
        assert_eq!(text(config.host_uid(uid)), expected);
    }
}

#[test]
fn a_namespace_type_is_there_once() {
    let mut namespaces = Namespaces::new();
    assert!(namespaces.is_empty() && namespaces.created().is_empty());
    namespaces.set(NamespaceType::Pid, "/p");
    namespaces.set(NamespaceType::Pid, "");
    namespaces.set(NamespaceType::Uts, "/u");
    assert_eq!(
        (namespaces.len(), namespaces.created()),
        (2, NamespaceType::Pid.into())
    );
    assert!(
        namespaces.is_private(NamespaceType::Pid) && !namespaces.is_private(NamespaceType::Uts)
    );
    assert!(namespaces.remove(NamespaceType::Pid) && !namespaces.remove(NamespaceType::Pid));
    assert_eq!(namespaces.path_of(NamespaceType::Uts), Some("/u"));
}

#[test]
fn cpu_lists() {
    for (text, ids) in [
        ("0", &[0][..]),
        ("0-3,5", &[0, 1, 2, 3, 5]),
        (" 1 , 3 ,", &[1, 3]),
        (",,7,,", &[7]),
        ("3,1,2-2", &[1, 2, 3]),
        ("63-64,1023", &[63, 64, 1023]),
    ] {
        let set: CpuSet = text.parse().unwrap();
        assert_eq!(set.iter().collect::<Vec<_>>(), ids, "{text}");
        assert_eq!(set.count() as usize, ids.len());
    }
    assert_eq!(CpuSet::parse_optional("").unwrap(), None);
}

#[test]
fn wrong_cpu_lists() {
    for (text, error) in [
        ("x", "invalid number \"x\""),
        ("-1", "invalid number \"\""),
        ("1-", "invalid number \"\""),
        ("1 - 2", "invalid number \"1 \""),
        ("+1", "invalid number \"+1\""),
        ("1-2-3", "invalid number \"2-3\""),
        ("3-1", "invalid range: 3-1"),
        ("1024", "values larger than 1023 are not supported"),
        (
            "99999999999999999999",
            "values larger than 1023 are not supported",
        ),
        (",", "no members found in set \",\""),
        (" ", "no members found in set \" \""),
    ] {
        assert_eq!(
            text.parse::<CpuSet>().unwrap_err().to_string(),
            error,
            "{text}"
        );
    }
}

proptest! {
    #[test]
    fn a_cpu_list_is_the_set_it_names(
        ids in prop::collection::btree_set(0u32..=CpuSet::MAX_ID, 1..40),
    ) {
        let text = ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let set: CpuSet = text.parse().unwrap();
        prop_assert_eq!(set.iter().collect::<std::collections::BTreeSet<_>>(), ids);
        prop_assert_eq!(set.to_string().parse::<CpuSet>().unwrap(), set.clone());
        prop_assert_eq!(reread(&set), set);
    }

    #[test]
    fn no_cpu_list_makes_the_parser_panic(text in "[0-9, -]{0,20}") {
        let _ = text.parse::<CpuSet>();
    }

    #[test]
    fn host_ids_are_linear_in_a_range(
        container_id in any::<u32>(),
        host_id in any::<u32>(),
        size in any::<u32>(),
        id in any::<u32>(),
    ) {
        let end = u64::from(container_id) + u64::from(size);
        let inside = id >= container_id && u64::from(id) < end;
        let expected = inside.then(|| u64::from(host_id) + u64::from(id - container_id));
        prop_assert_eq!(map(container_id, host_id, size).host_id_of(id), expected);
    }

    #[test]
    fn device_access_text_is_canonical(text in "[rwm]{0,6}") {
        let access: devices::Access = text.parse().unwrap();
        prop_assert_eq!(access.to_string().parse::<devices::Access>().unwrap(), access);
        prop_assert_eq!(reread(&access), access);
        for letter in ['r', 'w', 'm'] {
            prop_assert_eq!(access.to_string().contains(letter), text.contains(letter));
        }
    }
}
