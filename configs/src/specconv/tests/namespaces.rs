use super::*;

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
        .map(|ns| ns.kind.flag_name())
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

fn joining(mappings: &str) -> Result<(Config, Vec<Warning>)> {
    let maps = IdMapping {
        uids: vec![map(0, 1000, 10), map(10, 3000, 5)].into(),
        gids: vec![map(0, 2000, 10)].into(),
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
fn id_maps_without_a_user_namespace_are_ignored_and_told() {
    for maps in [
        r#""uidMappings": [{"hostID": 1000, "size": 10}], "gidMappings": [{"hostID": 2000, "size": 10}]"#,
        r#""uidMappings": [{"hostID": 1000, "size": 10}]"#,
        r#""gidMappings": [{"hostID": 1000, "size": 10}], "namespaces": [{"type": "pid"}]"#,
    ] {
        let spec = spec(&linux(&format!("{{{maps}}}")));
        let (config, warnings) = convert(&spec, &HostInfo::default(), &options()).unwrap();
        assert_eq!(warnings, [Warning::IdMapsWithoutUserNamespace]);
        assert_eq!((config.uid_mappings, config.gid_mappings), (vec![], vec![]));
        assert!(!config.namespaces.contains(NamespaceType::User));
    }
}

#[test]
fn unknown_keys_are_told() {
    let spec = spec(&linux(
        r#"{"maskedPath": ["/a"], "resources": {"memory": {"limits": 1}}}"#,
    ));
    let (_, warnings) = convert(&spec, &HostInfo::default(), &options()).unwrap();
    let texts: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "ignoring unknown key linux.maskedPath",
            "ignoring unknown key linux.resources.memory.limits"
        ]
    );
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

#[test]
fn in_a_user_namespace_a_device_without_an_owner_belongs_to_the_containers_root() {
    let config = converted(&linux(&format!(
        "{{{PRIVATE_USERNS}, \"devices\": [{{\"path\": \"/dev/x\", \"type\": \"c\"}}]}}"
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
fn owners_of_devices_become_ids_of_the_host() {
    let json = linux(
        r#"{"namespaces": [{"type": "user"}],
            "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 20}],
            "gidMappings": [{"containerID": 0, "hostID": 2000, "size": 20}],
            "devices": [
                {"path": "/dev/a", "type": "c", "major": 1, "minor": 5, "uid": 10, "gid": 11},
                {"path": "/dev/b", "type": "c", "major": 1, "minor": 5, "uid": 99, "gid": 3},
                {"path": "/dev/c", "type": "b", "major": 7, "minor": 0}]}"#,
    );
    let (config, _) = convert(&spec(&json), &HostInfo::default(), &options()).unwrap();
    let owner = |path: &str| {
        let device = config.devices.iter().find(|device| device.path == path);
        device.map(|device| (device.uid, device.gid)).unwrap()
    };
    assert_eq!(owner("/dev/a"), (1010, 2011));
    // An id that is not mapped cannot own anything there.
    assert_eq!(owner("/dev/b"), (1000, 2003));
    assert_eq!(owner("/dev/c"), (1000, 2000));
    assert_eq!(owner("/dev/null"), (1000, 2000));
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
