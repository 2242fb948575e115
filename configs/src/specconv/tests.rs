use std::time::Duration;

use super::*;
use crate::config::{CpuSet, HookPoint, MemoryPolicyMode, PersonalityDomain};
use crate::{ErrorKind, RootfsFact, UserNamespaceMaps, validate};

fn spec(json: &str) -> oci::Spec {
    let mut spec = oci::Spec::from_slice(json.as_bytes()).unwrap();
    spec.root.get_or_insert_with(|| oci::Root {
        path: "rootfs".into(),
        readonly: false,
    });
    spec
}

fn options() -> Options {
    Options {
        id: "ctr".into(),
        bundle: "/srv/bundle".into(),
        ..Options::default()
    }
}

fn converted(json: &str) -> Config {
    convert(&spec(json), &HostInfo::default(), &options())
        .unwrap()
        .0
}

fn message(json: &str) -> String {
    convert(&spec(json), &HostInfo::default(), &options())
        .unwrap_err()
        .to_string()
}

fn linux(json: &str) -> String {
    format!("{{\"linux\": {json}}}")
}

fn map(container_id: u32, host_id: u32, size: u32) -> IdMap {
    IdMap {
        container_id,
        host_id,
        size,
    }
}

#[test]
fn a_root_is_needed() {
    let error = convert(&oci::Spec::default(), &HostInfo::default(), &options()).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Conversion, "root must be specified")
    );
}

#[test]
fn a_relative_root_is_in_the_bundle() {
    for (path, rootfs) in [
        ("rootfs", "/srv/bundle/rootfs"),
        (".", "/srv/bundle"),
        ("", "/srv/bundle"),
        ("/x/../r", "/x/../r"),
    ] {
        let spec = oci::Spec {
            root: Some(oci::Root {
                path: path.into(),
                readonly: true,
            }),
            ..oci::Spec::default()
        };
        let (config, _) = convert(&spec, &HostInfo::default(), &options()).unwrap();
        assert_eq!((config.rootfs.as_str(), config.readonlyfs), (rootfs, true));
        assert_eq!(rootfs_path(&spec, "/srv/bundle").as_deref(), Some(rootfs));
    }
}

#[test]
fn a_bundle_with_nothing_but_a_root_converts_and_validates() {
    let config = converted("{}");
    assert!(config.namespaces.is_empty());
    assert_eq!(config.capabilities, None);
    assert_eq!(config.cgroups.name, "ctr");
    assert_eq!(config.devices.len(), 6);
    assert_eq!(
        validate::validate(&config, &HostInfo::default()).unwrap(),
        []
    );
}

#[test]
fn the_template_converts_and_validates() {
    let host = HostInfo {
        cgroup_v2: true,
        rootfs: RootfsFact::Resolved("/b/rootfs".into()),
        ..HostInfo::default()
    };
    let options = Options {
        bundle: "/b".into(),
        ..options()
    };
    let spec = oci::Spec::example().with_cgroup_namespace();
    let (config, warnings) = convert(&spec, &host, &options).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(validate::validate(&config, &host).unwrap(), []);
    spec.checked_process(false).unwrap();
}

#[test]
fn the_rootless_template_converts_and_validates() {
    let spec = oci::Spec::example().into_rootless(1000, 100);
    let options = Options {
        rootless_euid: true,
        rootless_cgroups: true,
        ..options()
    };
    let (config, _) = convert(&spec, &HostInfo::default(), &options).unwrap();
    validate::validate(&config, &HostInfo::default()).unwrap();
    assert_eq!(
        (config.host_root_uid(), config.host_root_gid()),
        (Ok(1000), Ok(100))
    );
    assert!(config.rootless_euid && config.rootless_cgroups && config.cgroups.rootless);
}

#[test]
fn what_the_caller_asked_for_is_in_the_configuration() {
    let options = Options {
        no_pivot_root: true,
        no_new_keyring: true,
        ..options()
    };
    let spec = spec(r#"{"ociVersion": "0.1", "hostname": "h", "domainname": "d"}"#);
    let (config, _) = convert(&spec, &HostInfo::default(), &options).unwrap();
    assert!(config.no_pivot_root && config.no_new_keyring);
    assert_eq!(
        (config.hostname.as_str(), config.domainname.as_str()),
        ("h", "d")
    );
    // The runtime's version, whatever the bundle was written for.
    assert_eq!(config.version, "1.3.0");
}

#[test]
fn labels_are_the_annotations_and_the_bundle() {
    let config = converted(r#"{"annotations": {"b": "2=3", "a": "1"}}"#);
    assert_eq!(config.labels, ["a=1", "b=2=3", "bundle=/srv/bundle"]);
}

#[test]
fn bind_mounts() {
    let config = converted(
        r#"{"mounts": [
            {"destination": "/a", "type": "tmpfs", "source": "data", "options": ["rbind", "ro"]},
            {"destination": "/b", "type": "none", "source": "/../x//y", "options": ["bind"]},
            {"destination": "/c", "type": "bind", "source": "data"}
        ]}"#,
    );
    let fields: Vec<_> = config
        .mounts
        .iter()
        .map(|m| (m.device.as_str(), m.source.as_str(), m.is_bind()))
        .collect();
    assert_eq!(
        fields,
        [
            ("bind", "/srv/bundle/data", true),
            ("bind", "/../x//y", true),
            ("bind", "data", false)
        ]
    );
    assert_eq!(
        config.mounts[0].flags,
        MountFlags::BIND | MountFlags::REC | MountFlags::RDONLY
    );
}

#[test]
fn a_relative_destination_is_taken_from_the_root_with_a_warning() {
    let spec = spec(r#"{"mounts": [{"destination": "proc", "type": "proc", "source": "proc"}]}"#);
    let (config, warnings) = convert(&spec, &HostInfo::default(), &options()).unwrap();
    assert_eq!(config.mounts[0].destination, "/proc");
    assert_eq!(
        warnings,
        [Warning::RelativeDestination {
            destination: "proc".into()
        }]
    );
    assert!(
        warnings[0]
            .to_string()
            .starts_with("mount destination proc is not absolute.")
    );
}

#[test]
fn a_nul_in_a_mount_is_refused() {
    let field = |set: fn(&mut oci::Mount)| {
        let mut mount = oci::Mount {
            destination: "/a".into(),
            ..oci::Mount::default()
        };
        set(&mut mount);
        let spec = oci::Spec {
            mounts: vec![mount],
            ..spec("{}")
        };
        convert(&spec, &HostInfo::default(), &options())
            .unwrap_err()
            .to_string()
    };
    let text = "mount field contains null byte";
    assert_eq!(field(|m| m.source = "\0".into()), text);
    assert_eq!(field(|m| m.destination = "/\0".into()), text);
    assert_eq!(field(|m| m.kind = "\0".into()), text);
    assert_eq!(field(|m| m.options = vec!["x=\0".into()]), text);
}

#[test]
fn root_propagation() {
    for (word, bits) in [
        ("private", 0x4_0000),
        ("rprivate", 0x4_4000),
        ("slave", 0x8_0000),
        ("rslave", 0x8_4000),
        ("shared", 0x10_0000),
        ("rshared", 0x10_4000),
        ("unbindable", 0x2_0000),
        ("runbindable", 0x2_4000),
        ("", 0),
    ] {
        let config = converted(&linux(&format!("{{\"rootfsPropagation\": {word:?}}}")));
        assert_eq!(config.root_propagation.bits(), bits, "{word}");
    }
    assert_eq!(
        message(&linux(r#"{"rootfsPropagation": "ro"}"#)),
        "rootfsPropagation=ro is not supported"
    );
}

#[test]
fn a_private_root_needs_the_pivot() {
    for (word, refused) in [
        ("private", true),
        ("rprivate", true),
        ("rslave", false),
        ("rshared", false),
    ] {
        let spec = spec(&linux(&format!("{{\"rootfsPropagation\": {word:?}}}")));
        let options = Options {
            no_pivot_root: true,
            ..options()
        };
        match convert(&spec, &HostInfo::default(), &options) {
            Ok(_) => assert!(!refused, "{word}"),
            Err(error) => {
                assert!(refused, "{word}");
                let text = "rootfsPropagation of [r]private is not safe without pivot_root";
                assert_eq!(error.to_string(), text);
            }
        }
    }
}

#[test]
fn namespaces_of_every_type() {
    let config = converted(&linux(
        r#"{"uidMappings": [{"size": 1}], "gidMappings": [{"size": 1}], "namespaces": [
            {"type": "pid"}, {"type": "network", "path": "/run/netns/x"}, {"type": "mount"}, {"type": "user"},
            {"type": "ipc"}, {"type": "uts"}, {"type": "cgroup"}, {"type": "time"}]}"#,
    ));
    let canonical: Vec<_> = config
        .namespaces
        .iter_canonical()
        .map(|ns| ns.kind.name())
        .collect();
    assert_eq!(
        canonical,
        [
            "NEWUSER",
            "NEWIPC",
            "NEWUTS",
            "NEWNET",
            "NEWPID",
            "NEWNS",
            "NEWCGROUP",
            "NEWTIME"
        ]
    );
    assert_eq!(
        config.namespaces.path_of(NamespaceType::Network),
        Some("/run/netns/x")
    );
    assert!(!config.namespaces.is_private(NamespaceType::Network));
    // A namespace that is joined is already set up.
    assert!(config.networks.is_empty());
}

#[test]
fn unknown_and_repeated_namespaces() {
    assert_eq!(
        message(&linux(r#"{"namespaces": [{"type": "net"}]}"#)),
        "namespace \"net\" does not exist"
    );
    assert_eq!(
        message(&linux(
            r#"{"namespaces": [{"type": "pid"}, {"type": "uts"}, {"type": "pid"}]}"#
        )),
        "malformed spec file: duplicated ns \"pid\""
    );
}

#[test]
fn a_private_network_namespace_has_a_loopback() {
    let config = converted(&linux(r#"{"namespaces": [{"type": "network"}]}"#));
    assert_eq!(config.networks, [Network::loopback()]);
}

const USERNS: &str = r#""namespaces": [{"type": "user", "path": "/proc/7/ns/user"}]"#;

fn joining(mappings: &str) -> Result<(Config, Vec<Warning>)> {
    let maps = UserNamespaceMaps {
        uid_mappings: vec![map(0, 1000, 10), map(10, 3000, 5)],
        gid_mappings: vec![map(0, 2000, 10)],
    };
    let host = HostInfo {
        user_namespaces: [("/proc/7/ns/user".to_owned(), maps)].into(),
        ..HostInfo::default()
    };
    convert(
        &spec(&linux(&format!("{{{USERNS} {mappings}}}"))),
        &host,
        &options(),
    )
}

#[test]
fn joining_a_user_namespace_stores_the_mappings_it_has() {
    let (config, warnings) = joining("").unwrap();
    assert_eq!(config.uid_mappings, [map(0, 1000, 10), map(10, 3000, 5)]);
    assert_eq!(config.gid_mappings, [map(0, 2000, 10)]);
    assert_eq!(warnings, []);
}

#[test]
fn repeating_the_mappings_of_a_joined_namespace_is_accepted_with_a_warning() {
    let (config, warnings) = joining(
        r#", "uidMappings": [{"containerID": 10, "hostID": 3000, "size": 5}, {"hostID": 1000, "size": 10}],
           "gidMappings": [{"containerID": 0, "hostID": 2000, "size": 10}]"#,
    )
    .unwrap();
    assert_eq!(warnings, [Warning::UserNamespacePathAndMappings]);
    assert_eq!(config.uid_mappings.len(), 2);
}

#[test]
fn other_mappings_than_the_joined_namespace_has_are_refused() {
    for mappings in [
        r#", "uidMappings": [{"hostID": 1, "size": 10}], "gidMappings": [{"hostID": 2000, "size": 10}]"#,
        r#", "gidMappings": [{"hostID": 2000, "size": 10}]"#,
    ] {
        assert_eq!(
            joining(mappings).unwrap_err().to_string(),
            "user namespaces enabled, but both namespace path and non-matching mapping specified -- you may only provide one"
        );
    }
}

#[test]
fn the_mappings_of_a_joined_namespace_must_be_known() {
    let spec = spec(&linux(&format!("{{{USERNS}}}")));
    assert_eq!(joined_user_namespace(&spec), Some("/proc/7/ns/user"));
    assert_eq!(joined_network_namespace(&spec), None);
    let error = convert(&spec, &HostInfo::default(), &options()).unwrap_err();
    assert_eq!(error.to_string(), "failed to cache mappings for userns");
}

const PRIVATE_USERNS: &str = r#""namespaces": [{"type": "user"}],
    "uidMappings": [{"hostID": 1000, "size": 10}], "gidMappings": [{"hostID": 2000, "size": 10}]"#;

#[test]
fn in_a_user_namespace_every_device_belongs_to_the_containers_root() {
    let config = converted(&linux(&format!(
        "{{{PRIVATE_USERNS}, \"devices\": [{{\"path\": \"/dev/x\", \"type\": \"c\", \"uid\": 7, \"gid\": 7}}]}}"
    )));
    assert_eq!(config.devices.len(), 7);
    assert!(
        config
            .devices
            .iter()
            .all(|device| (device.uid, device.gid) == (1000, 2000))
    );
}

#[test]
fn a_user_namespace_needs_a_root() {
    let json = linux(
        r#"{"namespaces": [{"type": "user"}], "uidMappings": [{"containerID": 1, "size": 1}],
            "gidMappings": [{"size": 1}]}"#,
    );
    let error = convert(&spec(&json), &HostInfo::default(), &options()).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(
        source,
        "user namespaces enabled, but no mapping found for uid 0"
    );
}

#[test]
fn the_cgroup_owner_is_a_host_id() {
    let json = format!(
        r#"{{"process": {{"user": {{"uid": 3}}}},
            "mounts": [{{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"}}],
            "linux": {{{}}}}}"#,
        PRIVATE_USERNS.replace(
            r#"[{"type": "user"}]"#,
            r#"[{"type": "user"}, {"type": "cgroup"}]"#
        )
    );
    assert_eq!(converted(&json).cgroups.owner_uid, Some(1003));
    assert_eq!(
        converted(&json.replace("\"uid\": 3", "\"uid\": 99"))
            .cgroups
            .owner_uid,
        None
    );
}

#[test]
fn id_mapped_mounts() {
    let mounts = r#""mounts": [
        {"destination": "/a", "source": "/a", "options": ["rbind", "ridmap"]},
        {"destination": "/b", "source": "/b", "options": ["bind"], "uidMappings": [{"hostID": 5, "size": 1}],
         "gidMappings": [{"hostID": 6, "size": 1}]},
        {"destination": "/c", "source": "/c", "options": ["bind"]}]"#;
    let request = |config: &Config, index: usize| config.mounts[index].id_mapping.clone();

    let config = converted(&format!("{{{mounts}, \"linux\": {{{PRIVATE_USERNS}}}}}"));
    let inherited = request(&config, 0).unwrap();
    assert!(inherited.recursive && inherited.userns_path.is_empty());
    assert_eq!(
        (inherited.uid_mappings, inherited.gid_mappings),
        (vec![map(0, 1000, 10)], vec![map(0, 2000, 10)])
    );
    let own = request(&config, 1).unwrap();
    assert!(!own.recursive);
    assert_eq!(
        (own.uid_mappings, own.gid_mappings),
        (vec![map(0, 5, 1)], vec![map(0, 6, 1)])
    );
    assert_eq!(request(&config, 2), None);

    let maps = UserNamespaceMaps {
        uid_mappings: vec![map(0, 1, 1)],
        gid_mappings: vec![map(0, 1, 1)],
    };
    let host = HostInfo {
        user_namespaces: [("/proc/7/ns/user".to_owned(), maps)].into(),
        ..HostInfo::default()
    };
    let json = format!("{{{mounts}, \"linux\": {{{USERNS}}}}}");
    let (config, _) = convert(&spec(&json), &host, &options()).unwrap();
    let joined = request(&config, 0).unwrap();
    assert_eq!(
        (joined.userns_path.as_str(), joined.uid_mappings.len()),
        ("/proc/7/ns/user", 0)
    );

    let none = request(&converted(&format!("{{{mounts}}}")), 0).unwrap();
    assert!(none.uid_mappings.is_empty() && none.userns_path.is_empty());
}

#[test]
fn the_process_leaves_its_attributes() {
    let config = converted(
        r#"{"process": {"cwd": "/", "args": ["x"], "user": {"umask": 63}, "oomScoreAdj": -5, "noNewPrivileges": true,
            "selinuxLabel": "l", "apparmorProfile": "p", "rlimits": [{"type": "RLIMIT_CPU"}],
            "capabilities": {"bounding": ["CAP_KILL"], "ambient": []},
            "scheduler": {"policy": "SCHED_BATCH", "nice": 3}, "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 2},
            "execCPUAffinity": {"initial": "0", "final": "1-2"}}}"#,
    );
    assert_eq!(
        (config.umask, config.oom_score_adj, config.no_new_privileges),
        (Some(0o77), Some(-5), true)
    );
    assert_eq!(config.process_label, "l");
    assert_eq!(config.capabilities.unwrap().bounding, ["CAP_KILL"]);
    assert_eq!(config.scheduler.unwrap().nice, 3);
    assert_eq!(config.io_priority.unwrap().priority, 2);
    let affinity = config.exec_cpu_affinity.unwrap();
    assert_eq!(affinity.final_cpus, Some("1-2".parse::<CpuSet>().unwrap()));
    // These travel with the process.
    assert!(config.rlimits.is_empty() && config.apparmor_profile.is_empty());
}

#[test]
fn absent_capabilities_are_not_empty_ones() {
    assert_eq!(converted(r#"{"process": {}}"#).capabilities, None);
    assert_eq!(
        converted(r#"{"process": {"capabilities": {}}}"#).capabilities,
        Some(Capabilities::default())
    );
}

#[test]
fn bad_affinity_lists_are_named() {
    for (list, text) in [
        (
            r#""initial": "x""#,
            "bad CPUAffinity.Initial: invalid number \"x\"",
        ),
        (
            r#""final": "3-1""#,
            "bad CPUAffinity.Final: invalid range: 3-1",
        ),
        (
            r#""final": ",""#,
            "bad CPUAffinity.Final: no members found in set \",\"",
        ),
    ] {
        assert_eq!(
            message(&format!(
                "{{\"process\": {{\"execCPUAffinity\": {{{list}}}}}}}"
            )),
            text
        );
    }
    assert_eq!(
        converted(r#"{"process": {"execCPUAffinity": {}}}"#).exec_cpu_affinity,
        None
    );
}

#[test]
fn hooks() {
    let config = converted(
        r#"{"hooks": {"prestart": [{"path": "/a", "args": ["b", "c"], "env": [], "timeout": 10}],
            "poststop": [{"path": "/d"}, {"path": "/e", "timeout": -1}]}}"#,
    );
    let prestart = &config.hooks.at(HookPoint::Prestart)[0];
    assert_eq!(
        (prestart.path.as_str(), &prestart.args[..]),
        ("/a", &["b".to_owned(), "c".to_owned()][..])
    );
    assert_eq!(
        (prestart.env.as_deref(), prestart.timeout),
        (Some(&[][..]), Some(Duration::from_secs(10)))
    );
    let poststop = config.hooks.at(HookPoint::Poststop);
    assert_eq!(
        (poststop[0].env.as_deref(), poststop[0].timeout),
        (None, None)
    );
    assert_eq!(poststop[1].timeout, Some(Duration::ZERO));
    assert!(config.hooks.at(HookPoint::CreateRuntime).is_empty());
}

#[test]
fn memory_policy() {
    let config = converted(&linux(
        r#"{"memoryPolicy": {"mode": "MPOL_INTERLEAVE", "nodes": "0-1", "flags": ["MPOL_F_STATIC_NODES",
            "MPOL_F_NUMA_BALANCING"]}}"#,
    ));
    let policy = config.memory_policy.unwrap();
    assert_eq!(
        (policy.mode, policy.flags),
        (MemoryPolicyMode::Interleave, 0xa000)
    );
    assert_eq!(policy.nodes.unwrap().count(), 2);
    for (policy, text) in [
        (
            r#""mode": "INTERLEAVE""#,
            "invalid memory policy mode \"INTERLEAVE\"",
        ),
        (
            r#""mode": "MPOL_BIND", "nodes": "x""#,
            "invalid memory policy nodes \"x\"",
        ),
        (
            r#""mode": "MPOL_BIND", "flags": ["badflag"]"#,
            "invalid memory policy flag \"badflag\"",
        ),
    ] {
        assert_eq!(
            message(&linux(&format!("{{\"memoryPolicy\": {{{policy}}}}}"))),
            text
        );
    }
}

#[test]
fn personality() {
    let spec = spec(&linux(
        r#"{"personality": {"domain": "LINUX32", "flags": ["X"]}}"#,
    ));
    let (config, warnings) = convert(&spec, &HostInfo::default(), &options()).unwrap();
    assert_eq!(
        config.personality.unwrap().domain,
        PersonalityDomain::Linux32
    );
    assert_eq!(
        warnings,
        [Warning::PersonalityFlags {
            flags: vec!["X".into()]
        }]
    );
    assert_eq!(
        message(&linux(r#"{"personality": {"domain": "linux"}}"#)),
        "invalid personality domain linux"
    );
}

#[test]
fn the_rest_of_the_linux_section_is_copied() {
    let config = converted(&linux(
        r#"{"maskedPaths": ["/m"], "readonlyPaths": ["/r"], "mountLabel": "l", "sysctl": {"net.x": "1"},
            "timeOffsets": {"boottime": {"secs": -1, "nanosecs": 2}}, "netDevices": {"eth0": {"name": "eth1"}},
            "intelRdt": {"closID": "c", "schemata": ["L3:0=f"], "l3CacheSchema": "x", "memBwSchema": "y",
            "enableMonitoring": true}}"#,
    ));
    assert_eq!(
        (&config.mask_paths[..], &config.readonly_paths[..]),
        (&["/m".to_owned()][..], &["/r".to_owned()][..])
    );
    assert_eq!(
        (config.mount_label.as_str(), config.sysctl["net.x"].as_str()),
        ("l", "1")
    );
    assert_eq!(
        config.time_offsets["boottime"],
        oci::TimeOffset {
            secs: -1,
            nanosecs: 2
        }
    );
    assert_eq!(config.net_devices["eth0"].name, "eth1");
    let rdt = config.intel_rdt.unwrap();
    assert_eq!(
        (
            rdt.clos_id.as_str(),
            rdt.l3_cache_schema.as_str(),
            rdt.mem_bw_schema.as_str()
        ),
        ("c", "x", "y")
    );
    assert!(rdt.enable_monitoring && rdt.schemata == ["L3:0=f"]);
}
