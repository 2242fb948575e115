//! The fixtures of each revision: what becomes of them, and that today's rules accept it.

use cofferdam_configs::config::{MountFlags, NamespaceType, Network};
use cofferdam_configs::legacy::{self, CAPABILITIES, Loaded, Revision};
use cofferdam_configs::{HostInfo, RootfsFact, validate};

use crate::{options, warnings};

/// Every fixture, with its revision.
pub(crate) const FIXTURES: [(&str, Revision, &str); 17] = [
    (
        "zero-command",
        Revision::Zero,
        include_str!("fixtures/zero-command.json"),
    ),
    (
        "a-strings",
        Revision::A,
        include_str!("fixtures/a-strings.json"),
    ),
    (
        "b-objects",
        Revision::B,
        include_str!("fixtures/b-objects.json"),
    ),
    (
        "b-objects-with-values",
        Revision::B,
        include_str!("fixtures/b-objects-with-values.json"),
    ),
    ("c-map", Revision::C, include_str!("fixtures/c-map.json")),
    ("d-keep", Revision::D, include_str!("fixtures/d-keep.json")),
    (
        "d-lists",
        Revision::D,
        include_str!("fixtures/d-lists.json"),
    ),
    ("d-map", Revision::D, include_str!("fixtures/d-map.json")),
    (
        "e-mount_config",
        Revision::E,
        include_str!("fixtures/e-mount_config.json"),
    ),
    (
        "e-netns",
        Revision::E,
        include_str!("fixtures/e-netns.json"),
    ),
    ("e-ipc", Revision::E, include_str!("fixtures/e-ipc.json")),
    (
        "f-minimal",
        Revision::F,
        include_str!("fixtures/f-minimal.json"),
    ),
    (
        "f-apparmor",
        Revision::F,
        include_str!("fixtures/f-apparmor.json"),
    ),
    (
        "f-selinux",
        Revision::F,
        include_str!("fixtures/f-selinux.json"),
    ),
    (
        "f-bridge",
        Revision::F,
        include_str!("fixtures/f-bridge.json"),
    ),
    (
        "f-host-pid",
        Revision::F,
        include_str!("fixtures/f-host-pid.json"),
    ),
    (
        "f-userns",
        Revision::F,
        include_str!("fixtures/f-userns.json"),
    ),
];

fn fixture(name: &str) -> Loaded {
    let found = FIXTURES.iter().find(|(other, _, _)| *other == name);
    let (_, _, text) = found.expect(name);
    legacy::load(text.as_bytes(), &options()).expect(name)
}

#[test]
fn every_fixture_is_read_and_valid() {
    for (name, revision, text) in FIXTURES {
        let loaded = legacy::load(text.as_bytes(), &options()).expect(name);
        assert_eq!(loaded.revision, revision, "{name}");
        for cgroup_v2 in [false, true] {
            let host = HostInfo {
                cgroup_v2,
                selinux: true,
                rootfs: RootfsFact::Resolved(loaded.config.rootfs.clone()),
                ..HostInfo::default()
            };
            let found = validate::validate(&loaded.config, &host);
            assert_eq!(found.expect(name), [], "{name}");
        }
        let unknown = |it: &&String| it.starts_with("ignoring unknown key");
        assert_eq!(warnings(&loaded).iter().find(unknown), None, "{name}");
    }
}

#[test]
fn a_rootfs_behind_a_symlink_is_refused_by_validation() {
    let loaded = fixture("f-minimal");
    let host = HostInfo {
        rootfs: RootfsFact::Resolved("/srv/elsewhere".to_owned()),
        ..HostInfo::default()
    };
    let error = validate::validate(&loaded.config, &host).unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid rootfs: not an absolute path, or a symlink"
    );
}

#[test]
fn the_file_of_april_2014_key_by_key() {
    let loaded = fixture("a-strings");
    let config = &loaded.config;
    assert_eq!(config.hostname, "harbour");
    let kinds: Vec<_> = config
        .namespaces
        .iter()
        .map(|it| (it.kind, it.path.as_str()))
        .collect();
    assert_eq!(
        kinds,
        [
            (NamespaceType::Ipc, ""),
            (NamespaceType::Mount, ""),
            (NamespaceType::Pid, ""),
            (NamespaceType::Uts, ""),
            (NamespaceType::Network, ""),
        ]
    );
    assert_eq!(
        config.networks,
        [Network {
            kind: "veth".to_owned(),
            name: "eth0".to_owned(),
            bridge: "cof0".to_owned(),
            host_interface_name: "cof0123456".to_owned(),
            address: "10.20.3.4/16".to_owned(),
            gateway: "10.20.0.1".to_owned(),
            mtu: 1500,
            ..Network::default()
        }]
    );
    assert!(loaded.has_cgroup);
    assert_eq!(config.cgroups.parent, "quay");
    assert_eq!(config.cgroups.name, "harbour");
    assert_eq!(config.cgroups.resources.devices.len(), 15);
    assert!(loaded.process.terminal);
    assert_eq!(
        loaded.process.env,
        ["HOME=/var", "PATH=/usr/bin:/bin", "TERM=vt220"]
    );
    assert_eq!(loaded.process.user, "root");
    assert_eq!(loaded.process.cwd, "/var");
    assert!(loaded.process.args.is_empty());
    let capabilities = config.capabilities.as_ref().unwrap();
    assert_eq!(capabilities.bounding.len(), CAPABILITIES.len() - 15);
    assert_eq!(capabilities.effective, capabilities.bounding);
    assert_eq!(capabilities.permitted, capabilities.bounding);
    assert!(!capabilities.bounding.contains(&"CAP_SYS_ADMIN".to_owned()));
    assert_eq!(config.apparmor_profile, "harbour-default");
    assert_eq!(config.rootfs, "/srv/rootfs");
    assert!(config.mask_paths.is_empty());
    assert!(config.readonly_paths.is_empty());
}

#[test]
fn the_mounts_of_the_file_of_april_2014() {
    let loaded = fixture("a-strings");
    let mounts: Vec<_> = loaded
        .config
        .mounts
        .iter()
        .map(|it| (it.source.as_str(), it.destination.as_str()))
        .collect();
    assert_eq!(
        mounts,
        [
            ("proc", "/proc"),
            ("tmpfs", "/dev"),
            ("devpts", "/dev/pts"),
            ("tmpfs", "/dev/shm"),
            ("mqueue", "/dev/mqueue"),
            ("sysfs", "/sys"),
            ("/srv/data", "/data"),
            ("/srv/names/hosts", "/etc/hosts"),
            ("/srv/names/resolv.conf", "/etc/resolv.conf"),
        ]
    );
    let bind = MountFlags::BIND | MountFlags::REC;
    assert_eq!(loaded.config.mounts[6].flags, bind);
    for mount in &loaded.config.mounts[7..] {
        assert_eq!(mount.flags, bind | MountFlags::RDONLY);
        assert_eq!(mount.propagation_flags, [MountFlags::PRIVATE]);
    }
    assert_eq!(
        warnings(&loaded),
        [
            "/dev is mounted, which it was not when the file was written",
            "/dev/mqueue is mounted, which it was not when the file was written",
        ]
    );
}

#[test]
fn the_first_file_has_its_command_and_one_network() {
    let loaded = fixture("zero-command");
    assert_eq!(loaded.process.args, ["/bin/busybox", "httpd", "-f"]);
    assert_eq!(loaded.process.env, ["PATH=/bin", "TERM=linux"]);
    assert_eq!(loaded.config.rootfs, "/srv/first/rootfs");
    assert_eq!(loaded.config.networks[0].address, "10.20.0.7/24");
    assert_eq!(loaded.config.cgroups.name, "first");
    assert_eq!(loaded.config.cgroups.resources.memory_swap, 0);
}

#[test]
fn the_file_of_december_2014() {
    let loaded = fixture("e-mount_config");
    let config = &loaded.config;
    assert_eq!(config.rootfs, "/srv/wharf/rootfs");
    assert!(config.readonlyfs);
    assert!(config.no_pivot_root);
    assert_eq!(config.networks[0].ipv6_address, "fd00:23::2/64");
    assert_eq!(config.routes[0].source, "10.23.0.2");
    assert_eq!(config.cgroups.resources.cpu_quota, 50_000);
    assert_eq!(config.rlimits[0].soft, 1024);
    assert_eq!(config.mask_paths, ["/proc/kcore"]);
    assert_eq!(loaded.slice.as_deref(), Some("quay.slice"));
    assert_eq!(loaded.process.user, "www:web");
    assert_eq!(loaded.relabels.len(), 2);
    assert_eq!(config.devices[0].file_mode, 0);
    assert!(warnings(&loaded).is_empty());
}

#[test]
fn the_samples_of_2015_differ_in_what_their_names_say() {
    let minimal = fixture("f-minimal").config;
    assert_eq!(minimal.networks, [Network::loopback()]);
    assert_eq!(minimal.mounts.len(), 6);
    assert_eq!(minimal.devices.len(), 7);
    assert_eq!(
        fixture("f-apparmor").config.apparmor_profile,
        "harbour-default"
    );
    let missing = warnings(&fixture("f-apparmor"));
    assert_eq!(missing.len(), 2, "{missing:?}");
    assert!(
        fixture("f-selinux")
            .config
            .process_label
            .contains("container_t")
    );
    let bridged = &fixture("f-bridge").config.networks[1];
    assert_eq!(bridged.host_interface_name, "vethcof24");
    assert!(bridged.hairpin_mode);
    let host_pid = fixture("f-host-pid").config.namespaces;
    assert!(!host_pid.contains(NamespaceType::Pid));
    let mapped = fixture("f-userns").config;
    assert!(mapped.namespaces.is_private(NamespaceType::User));
    assert_eq!(mapped.host_root_uid(), Ok(100_000));
    assert_eq!(mapped.host_root_gid(), Ok(200_000));
}
