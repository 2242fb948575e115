//! From an older file to a bundle, and what becomes of that.

use cofferdam_configs::config::{Config, FilterFlag, NamespaceType, Network, Resources};
use cofferdam_configs::legacy::{self, Loaded, Warning};
use cofferdam_configs::process::ProcessAttributes;
use cofferdam_configs::{
    HostInfo, IntelRdtSupport, RootfsFact, json as documents, oci, specconv, validate,
};
use serde_json::{Value, json};

use crate::fixtures::FIXTURES;
use crate::{loaded, of_revision, options};

const TODAY: &str = include_str!("fixtures/today.json");

fn args() -> Vec<String> {
    ["/bin/sh", "-c", "true"].map(str::to_owned).to_vec()
}

/// Ids that the caller has looked up.
fn user() -> oci::User {
    oci::User {
        uid: 33,
        gid: 34,
        additional_gids: vec![35],
        ..oci::User::default()
    }
}

fn bundle(loaded: &Loaded) -> (oci::Spec, Vec<String>) {
    let (spec, warnings) = legacy::to_oci(loaded, &args(), Some(&user())).expect("a bundle");
    let texts = warnings.into_iter().map(|warning| match warning {
        Warning::NotInOci { what } => what,
        other => panic!("{other:?}"),
    });
    (spec, texts.collect())
}

fn bundle_of(letter: char, extra: &Value) -> (oci::Spec, Vec<String>) {
    bundle(&loaded(&of_revision(letter, extra)))
}

fn host(config: &Config) -> HostInfo {
    HostInfo {
        selinux: true,
        seccomp_flags: FilterFlag::ALL.to_vec(),
        intel_rdt: IntelRdtSupport {
            enabled: true,
            cat: true,
            mba: true,
        },
        rootfs: RootfsFact::Resolved(config.rootfs.clone()),
        ..HostInfo::default()
    }
}

/// What a runtime makes of the text of a bundle.
fn configuration(spec: &oci::Spec, host: &HostInfo, systemd: bool) -> Config {
    let text = documents::to_string(spec).expect("JSON");
    let spec = oci::Spec::from_slice(text.as_bytes()).expect(&text);
    let options = specconv::Options {
        id: "converted".to_owned(),
        bundle: "/srv/bundle".to_owned(),
        use_systemd_cgroup: systemd,
        ..specconv::Options::default()
    };
    let (config, warnings) = specconv::convert(&spec, host, &options).expect(&text);
    assert_eq!(warnings, []);
    validate::validate(&config, host).expect(&text);
    config
}

/// The configuration without what a bundle has elsewhere or not at all.
fn common(config: &Config) -> Config {
    let mut common = config.clone();
    common.parent_death_signal = 0;
    common.no_pivot_root = false;
    common.no_new_keyring = false;
    common.networks = Vec::new();
    common.routes = Vec::new();
    common.labels = Vec::new();
    common.version = String::new();
    common.devices = Vec::new();
    // Those of the process.
    common.apparmor_profile = String::new();
    common.rlimits = Vec::new();
    let cgroup = &mut common.cgroups;
    if !cgroup.systemd {
        cgroup.path = [cgroup.parent.as_str(), &cgroup.name].join("/");
        if !config.cgroups.path.is_empty() {
            cgroup.path.clone_from(&config.cgroups.path);
        }
        cgroup.path = cgroup.path.trim_start_matches('/').to_owned();
        cgroup.name = String::new();
        cgroup.parent = String::new();
    }
    if cgroup.path.is_empty() && !cgroup.systemd || cgroup.path == "converted" {
        // Without a path the cgroup has the container's id.
        cgroup.path = String::new();
    }
    cgroup.rootless = false;
    cgroup.owner_uid = None;
    cgroup.resources = Resources {
        devices: Vec::new(),
        freezer: Default::default(),
        // In `unified` where it is not that of the shares.
        cpu_weight: 0,
        unified: Default::default(),
        ..config.cgroups.resources.clone()
    };
    common
}

#[test]
fn a_bundle_becomes_the_same_configuration() {
    let today = ("today", TODAY);
    for (name, text) in FIXTURES
        .map(|(name, _, text)| (name, text))
        .into_iter()
        .chain([today])
    {
        let loaded = legacy::load(text.as_bytes(), &options()).expect(name);
        let (spec, _) = bundle(&loaded);
        let host = HostInfo {
            cgroup_v2: true,
            ..host(&loaded.config)
        };
        let config = configuration(&spec, &host, loaded.config.cgroups.systemd);
        assert_eq!(common(&config), common(&loaded.config), "{name}");
        for node in &loaded.config.devices {
            let found = config.devices.iter().find(|other| other.path == node.path);
            let found = found.expect(name);
            assert_eq!(
                (found.kind, found.major, found.minor, found.file_mode),
                (node.kind, node.major, node.minor, node.file_mode),
            );
        }
        let rules = &loaded.config.cgroups.resources.devices;
        assert_eq!(
            &config.cgroups.resources.devices[..rules.len()],
            rules.as_slice()
        );
    }
}

#[test]
fn the_process_has_what_the_file_says_and_the_command() {
    for (name, _, text) in FIXTURES {
        let loaded = legacy::load(text.as_bytes(), &options()).expect(name);
        let (spec, _) = bundle(&loaded);
        let process = spec.checked_process(true).expect(name);
        let attributes = ProcessAttributes::from_oci(process).expect(name);
        assert_eq!(attributes.args, args());
        assert_eq!(attributes.env.entries(), loaded.process.env);
        assert_eq!(attributes.cwd, loaded.process.cwd);
        assert_eq!(attributes.terminal, loaded.process.terminal);
        assert_eq!(attributes.rlimits, loaded.config.rlimits);
        assert_eq!(attributes.capabilities, loaded.config.capabilities);
        let profile = attributes.apparmor_profile.unwrap_or_default();
        assert_eq!(profile, loaded.config.apparmor_profile);
        assert_eq!((attributes.uid, attributes.gid), (33, 34));
        assert_eq!(attributes.additional_gids, [35]);
    }
}

#[test]
fn the_command_of_the_first_files_is_used_without_another_one() {
    let first = loaded(&of_revision('0', &json!({"command": {"args": ["httpd"]}})));
    let (spec, _) = legacy::to_oci(&first, &[], None).unwrap();
    assert_eq!(spec.process.unwrap().args, ["httpd"]);
    let error = legacy::to_oci(&loaded(&of_revision('A', &json!({}))), &[], None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no command to run (at command.args)"
    );
}

#[test]
fn names_of_users_are_looked_up_by_the_caller() {
    let ids = |user: &str| {
        let loaded = loaded(&of_revision('A', &json!({"user": user})));
        let (spec, _) = legacy::to_oci(&loaded, &args(), None).ok()?;
        let user = spec.process?.user;
        Some((user.uid, user.gid))
    };
    for root in ["", "root", "0", "root:root", "0:0"] {
        assert_eq!(ids(root), Some((0, 0)), "{root}");
    }
    assert_eq!(ids("7:8"), Some((7, 8)));
    for unknown in [
        "7",
        "www",
        "www:web",
        "7:web",
        "root:web",
        "-1:0",
        "4294967296:0",
    ] {
        assert_eq!(ids(unknown), None, "{unknown}");
    }
    let named = loaded(&of_revision('A', &json!({"user": "www"})));
    let error = legacy::to_oci(&named, &args(), None).unwrap_err();
    assert_eq!(error.json_path(), Some("user"));
    let groups = loaded(&of_revision(
        'F',
        &json!({"additional_groups": ["4", "audio"]}),
    ));
    let error = legacy::to_oci(&groups, &args(), None).unwrap_err();
    assert_eq!(error.json_path(), Some("additional_groups[1]"));
    let groups = loaded(&of_revision('F', &json!({"additional_groups": ["4"]})));
    let (spec, _) = legacy::to_oci(&groups, &args(), None).unwrap();
    assert_eq!(spec.process.unwrap().user.additional_gids, [4]);
}

#[test]
fn what_a_bundle_has_no_place_for_is_named() {
    let veth = json!({"type": "veth", "bridge": "cof0", "name": "eth1"});
    let command = json!([{"path": "/bin/true"}]);
    let (_, missing) = bundle_of(
        'F',
        &json!({
            "networks": [{"type": "loopback"}, veth],
            "routes": [{"gateway": "10.0.0.1"}],
            "mount_label": "l",
            "mounts": [
                {"source": "/a", "destination": "/a", "device": "bind", "relabel": "z",
                 "premount_cmds": command, "postmount_cmds": command},
                {"source": "b", "destination": "/b", "device": "tmpfs", "flags": 1 << 30},
            ],
            "cgroups": {
                "slice": "quay.slice", "freezer": "FROZEN",
                "net_prio_ifpriomap": [{"interface": "e", "priority": -1}],
            },
            "parent_death_signal": 9, "no_pivot_root": true, "no_new_keyring": true,
            "rootPropagation": 5,
            "Hooks": {"poststop": [{"path": "/p", "dir": "/d"}]},
        }),
    );
    assert_eq!(
        missing,
        [
            "some flags of mounts[1] (/b)",
            "Hooks.poststop[0].dir",
            "cgroups.freezer",
            "cgroups.net_prio_ifpriomap[0]",
            "rootPropagation",
            "networks[1] (veth eth1 at bridge cof0)",
            "routes[0]",
            "mounts[0].premount_cmds",
            "mounts[0].postmount_cmds",
            "the label to give to /a",
            "cgroups.slice (quay.slice)",
            "parent_death_signal",
            "no_pivot_root",
            "no_new_keyring",
        ]
    );
}

#[test]
fn a_file_without_a_cgroup_allows_every_device() {
    let (spec, _) = bundle_of('A', &json!({}));
    let linux = spec.linux.unwrap();
    assert_eq!(linux.cgroups_path, "");
    let rules = linux.resources.unwrap().devices;
    assert_eq!(rules.len(), 1);
    assert!(rules[0].allow);
    assert_eq!(
        (rules[0].kind.as_str(), rules[0].access.as_str()),
        ("a", "rwm")
    );
}

#[test]
fn the_path_of_the_cgroup() {
    for (keys, path) in [
        (json!({"name": "n"}), "n"),
        (json!({"name": "n", "parent": "p"}), "p/n"),
        (json!({"name": "n", "parent": "/p/"}), "/p/n"),
        (json!({"path": "/a/b"}), "/a/b"),
        (
            json!({"name": "n", "parent": "p.slice", "scope_prefix": "s", "Systemd": true}),
            "p.slice:s:n",
        ),
    ] {
        let (spec, _) = bundle_of('F', &json!({"cgroups": keys}));
        assert_eq!(spec.linux.unwrap().cgroups_path, path);
    }
}

#[test]
fn a_weight_that_is_not_that_of_the_shares_is_written_as_it_is() {
    let weight = |keys| {
        let (spec, _) = bundle_of('F', &json!({"cgroups": keys}));
        spec.linux
            .unwrap()
            .resources
            .unwrap()
            .unified
            .get("cpu.weight")
            .cloned()
    };
    assert_eq!(weight(json!({"cpu_shares": 1024})), None);
    assert_eq!(weight(json!({"cpu_weight": 77})), Some("77".to_owned()));
}

#[test]
fn owners_of_devices_are_ids_of_the_container() {
    let map = json!([{"container_id": 10, "host_id": 1000, "size": 5}]);
    let device = |uid| json!({"type": 99, "path": "/dev/x", "uid": uid, "gid": 1004});
    let keys = |uid| {
        json!({
            "namespaces": [{"type": "NEWNS"}, {"type": "NEWUTS"}, {"type": "NEWNET"}, {"type": "NEWUSER"}],
            "uid_mappings": map, "gid_mappings": map, "devices": [device(uid)],
        })
    };
    for (host, container) in [(1000, Some(10)), (1003, Some(13)), (1005, None), (0, None)] {
        let (spec, _) = bundle_of('F', &keys(host));
        let device = &spec.linux.unwrap().devices[0];
        assert_eq!((device.uid, device.gid), (container, Some(14)));
    }
}

#[test]
fn hooks_end_after_whole_seconds() {
    let hook =
        |timeout: u64| json!({"path": "/p", "args": ["p"], "env": ["A=b"], "timeout": timeout});
    let hooks = json!({"prestart": [hook(1), hook(2_000_000_000)]});
    let (spec, _) = bundle_of('F', &json!({"Hooks": hooks}));
    let prestart = spec.hooks.unwrap().prestart;
    assert_eq!(
        (prestart[0].timeout, prestart[1].timeout),
        (Some(1), Some(2))
    );
    assert_eq!(prestart[0].args.as_deref(), Some(&["p".to_owned()][..]));
}

#[test]
fn annotations_are_the_labels_without_the_bundle() {
    let (spec, _) = bundle_of('F', &json!({"labels": ["a=b", "bundle=/srv/b"]}));
    assert_eq!(spec.annotations.len(), 1);
    assert_eq!(spec.annotations["a"], "b");
}

#[test]
fn a_private_network_has_its_loopback_interface() {
    let loopback = json!({"networks": [{"type": "loopback"}]});
    let loaded = loaded(&of_revision('A', &loopback));
    let (spec, missing) = bundle(&loaded);
    assert_eq!(missing, ["parent_death_signal"]);
    let config = configuration(&spec, &host(&loaded.config), false);
    assert_eq!(config.networks, [Network::loopback()]);
    assert!(config.namespaces.is_private(NamespaceType::Network));
}
