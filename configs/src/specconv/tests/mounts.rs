use super::*;

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
fn id_mappings_may_be_in_an_option() {
    let json = |option: &str, more: &str| {
        format!(
            r#"{{"mounts": [{{"destination": "/a", "source": "/b", "options": ["bind", "{option}"]{more}}}]}}"#
        )
    };
    let mapping = |option: &str| {
        let config = converted(&json(option, ""));
        config.mounts[0].id_mapping.clone().unwrap()
    };
    let both = mapping("ridmap=uids=0-10-100;gids=0-20-100");
    assert!(both.recursive);
    assert_eq!(both.uid_mappings[0].host_id, 10);
    assert_eq!(both.gid_mappings[0].host_id, 20);
    assert!(!mapping("idmap=uids=0-10-100;gids=0-20-100").recursive);
    let maps = r#", "uidMappings": [{"containerID": 0, "hostID": 1, "size": 1}],
        "gidMappings": [{"containerID": 0, "hostID": 1, "size": 1}]"#;
    for (option, more, said) in [
        ("idmap=uids=0-10", "", "invalid mount \"/a\": option idmap"),
        (
            "ridmap=pids=0-1-1",
            "",
            "invalid mount \"/a\": option ridmap",
        ),
        ("idmap=uids=0-1-1;gids=0-1-1", maps, "both in an option"),
    ] {
        let error = convert(&spec(&json(option, more)), &HostInfo::default(), &options());
        let text = error.unwrap_err().to_string();
        assert!(text.contains(said), "{text}");
    }
    // Without a value they are those beside it.
    let config = converted(&json("idmap", maps));
    assert_eq!(
        config.mounts[0].id_mapping.as_ref().unwrap().uid_mappings[0].host_id,
        1
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

    let maps = IdMapping {
        uids: vec![map(0, 1, 1)].into(),
        gids: vec![map(0, 1, 1)].into(),
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
