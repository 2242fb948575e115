//! Files from 2015 on: what they had then, what they have gained, and that today's survive.

use cofferdam_configs::config::{
    ActionName, Architecture, Arg, Config, FilterFlag, IdMap, MountFlags, Operator,
};
use cofferdam_configs::legacy::{self, Options, Revision};
use cofferdam_configs::{json as documents, oci};
use serde_json::{Value, json};

use crate::{assert_refused, loaded, of_revision, options, refusal, warnings};

fn config(extra: &Value) -> Config {
    loaded(&of_revision('F', extra)).config
}

#[test]
fn the_signal_at_the_end_of_the_parent() {
    assert_eq!(
        config(&json!({"parent_death_signal": 15})).parent_death_signal,
        15
    );
    assert_eq!(config(&json!({})).parent_death_signal, 0);
}

#[test]
fn the_directory_of_pivot_root_has_no_effect() {
    let found = warnings(&loaded(&of_revision('F', &json!({"pivot_dir": "/tmp"}))));
    assert_eq!(found, ["pivot_dir has no effect"]);
    assert!(warnings(&loaded(&of_revision('F', &json!({"pivot_dir": ""})))).is_empty());
}

#[test]
fn a_private_root_is_propagation() {
    let private = MountFlags::PRIVATE | MountFlags::REC;
    assert_eq!(
        config(&json!({"privatefs": true})).root_propagation,
        private
    );
    assert_eq!(
        config(&json!({"privatefs": false})).root_propagation,
        MountFlags::NONE
    );
    let both = config(&json!({"privatefs": true, "rootPropagation": 1_064_960}));
    assert_eq!(both.root_propagation.bits(), 1_064_960);
}

#[test]
fn additional_groups_are_names_or_ids() {
    let loaded = loaded(&of_revision(
        'F',
        &json!({"additional_groups": ["audio", "44"]}),
    ));
    assert_eq!(loaded.process.additional_groups, ["audio", "44"]);
}

#[test]
fn id_mappings_need_their_namespace() {
    let map = json!([{"container_id": 0, "host_id": 100_000, "size": 1000}]);
    let namespaces = json!([{"type": "NEWUSER"}]);
    let keys = json!({
        "rootfs": "/srv/rootfs", "namespaces": namespaces, "uid_mappings": map, "gid_mappings": map,
    });
    let config = loaded(&keys).config;
    let expected = IdMap {
        container_id: 0,
        host_id: 100_000,
        size: 1000,
    };
    assert_eq!(config.uid_mappings, [expected]);
    assert_eq!(config.gid_mappings, [expected]);
    let text = "user namespace mappings specified, but user namespace isn't enabled in the config";
    assert_refused(
        &json!({"rootfs": "/srv/rootfs", "uid_mappings": map}),
        "namespaces",
        text,
    );
    let joined = json!([{"type": "NEWUSER", "path": "/proc/7/ns/user"}]);
    assert_eq!(
        loaded(&json!({"rootfs": "/", "namespaces": joined}))
            .config
            .namespaces
            .len(),
        1
    );
}

#[test]
fn masked_and_read_only_paths() {
    let config = config(&json!({"mask_paths": ["/proc/kcore"], "readonly_paths": ["/proc/sys"]}));
    assert_eq!(config.mask_paths, ["/proc/kcore"]);
    assert_eq!(config.readonly_paths, ["/proc/sys"]);
}

#[test]
fn kernel_parameters_have_had_two_keys() {
    for key in ["system_properties", "sysctl"] {
        let config = config(&json!({key: {"net.ipv4.ip_forward": "1"}}));
        assert_eq!(config.sysctl["net.ipv4.ip_forward"], "1");
    }
    let both = json!({
        "sysctl": {"net.ipv4.ip_forward": "1"}, "system_properties": {"net.ipv4.ip_forward": "0"},
    });
    let place = "system_properties[\"net.ipv4.ip_forward\"]";
    assert_eq!(refusal(&of_revision('F', &both)).0, place);
    let host = json!({"system_properties": {"kernel.panic": "1"}});
    let text = "sysctl \"kernel.panic\" is not in a separate kernel namespace";
    assert_refused(&of_revision('F', &host), "sysctl", text);
}

#[test]
fn a_filter_of_2015_has_numbers_of_calls() {
    let filter = json!({"syscalls": [
        {"value": 165, "action": 1, "args": []},
        {"value": 90, "action": -1, "args": [{"index": 1, "value": 511, "op": 3}]},
        {"value": 56, "action": -3, "args": [{"index": 0, "value": 268_435_456, "op": 4}]},
        {"value": 169, "action": -2},
    ]});
    let filter = config(&json!({"seccomp": filter})).seccomp.unwrap();
    assert_eq!(filter.default_action, ActionName::Allow);
    let rules: Vec<_> = filter
        .syscalls
        .iter()
        .map(|rule| (rule.name.as_str(), rule.action, rule.errno_ret))
        .collect();
    assert_eq!(
        rules,
        [
            ("mount", ActionName::Errno, Some(1)),
            ("chmod", ActionName::Allow, None),
            ("clone", ActionName::Kill, None),
            ("reboot", ActionName::Trap, None),
        ]
    );
    let arg = |index, value, value_two, op| Arg {
        index,
        value,
        value_two,
        op,
    };
    assert_eq!(filter.syscalls[1].args, [arg(1, 511, 0, Operator::Less)]);
    let user_namespace = 268_435_456;
    let masked = arg(0, user_namespace, user_namespace, Operator::MaskedEqual);
    assert_eq!(filter.syscalls[2].args, [masked]);
}

#[test]
fn operators_of_2015_are_five() {
    let with = |op| {
        let args = json!([{"index": 0, "value": 1, "op": op}]);
        of_revision(
            'F',
            &json!({"seccomp": {"syscalls": [{"value": 0, "args": args}]}}),
        )
    };
    let operators = [
        Operator::Equal,
        Operator::NotEqual,
        Operator::Greater,
        Operator::Less,
        Operator::MaskedEqual,
    ];
    for (number, operator) in operators.into_iter().enumerate() {
        let filter = loaded(&with(number)).config.seccomp.unwrap();
        assert_eq!(filter.syscalls[0].args[0].op, operator);
    }
    assert_refused(
        &with(5),
        "seccomp.syscalls[0].args[0].op",
        "5 is not an operator",
    );
}

#[test]
fn numbers_of_calls_are_those_of_one_architecture() {
    let filter = json!({"seccomp": {"syscalls": [{"value": 165, "action": 1}]}});
    let options = Options {
        architecture: Architecture::Aarch64,
        ..options()
    };
    let text = of_revision('F', &filter).to_string();
    let error = legacy::load(text.as_bytes(), &options).unwrap_err();
    assert_eq!(error.json_path(), Some("seccomp.syscalls[0].value"));
    let unknown = json!({"seccomp": {"syscalls": [{"value": 99_999, "action": 1}]}});
    let text = "no system call of x86_64 has the number 99999";
    assert_refused(
        &of_revision('F', &unknown),
        "seccomp.syscalls[0].value",
        text,
    );
    let none = json!({"seccomp": {"syscalls": [{"action": 1}]}});
    assert_eq!(
        refusal(&of_revision('F', &none)).0,
        "seccomp.syscalls[0].value"
    );
    let large = json!([{"index": 0, "value": 4_294_967_296_u64, "op": 0}]);
    let large = json!({"seccomp": {"syscalls": [{"value": 165, "args": large}]}});
    assert_eq!(
        refusal(&of_revision('F', &large)).0,
        "seccomp.syscalls[0].args[0].value"
    );
}

#[test]
fn a_filter_since_2016_has_names_of_calls() {
    let filter = json!({
        "default_action": 2, "architectures": ["amd64"], "flags": ["SECCOMP_FILTER_FLAG_LOG"],
        "default_errno_ret": 38, "listener_path": "/run/l", "listener_metadata": "m",
        "syscalls": [
            {"name": "mount", "action": 4, "errnoRet": null, "args": []},
            {"name": "chmod", "action": 2, "errnoRet": 13,
             "args": [{"index": 1, "value": 1, "value_two": 2, "op": 7}]},
        ],
    });
    let text = json!({"version": "1.0.0", "seccomp": filter});
    let found = config(&text).seccomp.unwrap();
    assert_eq!(found.default_action, ActionName::Errno);
    assert_eq!(found.architectures, [Architecture::X86_64]);
    assert_eq!(found.flags, [FilterFlag::Log]);
    assert_eq!(found.default_errno_ret, Some(38));
    assert_eq!(
        (
            found.listener_path.as_str(),
            found.listener_metadata.as_str()
        ),
        ("/run/l", "m")
    );
    assert_eq!(found.syscalls[0].action, ActionName::Allow);
    assert_eq!(found.syscalls[1].errno_ret, Some(13));
    assert_eq!(found.syscalls[1].args[0].op, Operator::MaskedEqual);
    for (key, value, place) in [
        ("default_action", json!(99), "seccomp.default_action"),
        ("architectures", json!(["vax"]), "seccomp.architectures[0]"),
        (
            "syscalls",
            json!([{"name": "mount", "action": 0}]),
            "seccomp.syscalls[0].action",
        ),
        (
            "syscalls",
            json!([{"name": "mount", "action": -1}]),
            "seccomp.syscalls[0].action",
        ),
        (
            "syscalls",
            json!([{"action": 1}]),
            "seccomp.syscalls[0].name",
        ),
        (
            "syscalls",
            json!([{"name": "mount", "action": 1, "args": [{"op": 0}]}]),
            "seccomp.syscalls[0].args[0].op",
        ),
    ] {
        let mut broken = text.clone();
        broken["seccomp"][key] = value;
        assert_eq!(refusal(&of_revision('F', &broken)).0, place);
    }
}

#[test]
fn a_rootless_container_was_one_switch() {
    let namespaces = json!([{"type": "NEWUSER", "path": "/proc/7/ns/user"}]);
    let config = loaded(&json!({"rootfs": "/", "namespaces": namespaces, "rootless": true})).config;
    assert!(config.rootless_euid);
    assert!(config.rootless_cgroups);
}

#[test]
fn hooks_labels_and_version() {
    let keys = json!({
        "hooks": {"prestart": [{"path": "/bin/true", "args": null, "env": null}]},
        "version": "1.0.0-rc1", "labels": ["a=b", "bundle=/srv/b"],
    });
    let config = config(&keys);
    assert_eq!(config.hooks.prestart[0].path, "/bin/true");
    assert_eq!(config.version, "1.0.0-rc1");
    assert_eq!(config.bundle(), Some("/srv/b"));
    assert_eq!(self::config(&json!({})).version, oci::VERSION);
}

/// A configuration with a value in every field that is stored.
fn full() -> Config {
    let text = include_bytes!("fixtures/today.json");
    documents::from_slice(text).expect("today's form")
}

#[test]
fn what_is_stored_today_is_read_as_it_was() {
    for config in [
        full(),
        Config {
            rootfs: "/srv/rootfs".into(),
            ..Config::default()
        },
    ] {
        let text = documents::to_string(&config).unwrap();
        let loaded = legacy::load(text.as_bytes(), &options()).expect(&text);
        assert_eq!(loaded.revision, Revision::F);
        let mut read = loaded.config;
        if config.capabilities.is_none() {
            // Absent sets are empty ones.
            assert_eq!(
                read.capabilities.take(),
                Some(cofferdam_configs::config::Capabilities::none())
            );
        }
        assert_eq!(read, config);
        let unknown = loaded
            .warnings
            .iter()
            .filter(|it| it.to_string().contains("unknown"));
        assert_eq!(unknown.count(), 0);
    }
}
