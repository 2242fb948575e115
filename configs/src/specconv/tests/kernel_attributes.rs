use super::*;

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
