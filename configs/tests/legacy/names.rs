//! Namespaces and capabilities in each form.

use cofferdam_configs::config::NamespaceType;
use cofferdam_configs::legacy::{self, CAPABILITIES, Options, Warning};
use serde_json::{Value, json};

use crate::{OF_2014, assert_refused, loaded, of_revision, options};

/// The namespaces of a revision, new or with the path of the one to join.
fn namespaces(file: &Value) -> Vec<(NamespaceType, String)> {
    let namespaces = loaded(file).config.namespaces;
    namespaces
        .iter()
        .map(|it| (it.kind, it.path.clone()))
        .collect()
}

fn all_but(dropped: &[&str]) -> Vec<String> {
    let kept = CAPABILITIES.iter().filter(|name| !dropped.contains(name));
    kept.map(|name| (*name).to_owned()).collect()
}

#[test]
fn every_namespace_has_its_name() {
    let names = [
        ("NEWNS", NamespaceType::Mount),
        ("NEWUTS", NamespaceType::Uts),
        ("NEWIPC", NamespaceType::Ipc),
        ("NEWPID", NamespaceType::Pid),
        ("NEWNET", NamespaceType::Network),
    ];
    for (name, kind) in names {
        let new = vec![(kind, String::new())];
        assert_eq!(namespaces(&json!({"namespaces": [name]})), new);
        let entry = json!({"namespaces": [{"key": name, "enabled": true}]});
        assert_eq!(namespaces(&entry), new);
        assert_eq!(namespaces(&json!({"namespaces": {name: true}})), new);
        let typed = json!({"rootfs": "/srv/rootfs", "namespaces": [{"type": name}]});
        assert_eq!(namespaces(&typed), new);
        let joined = json!({
            "rootfs": "/srv/rootfs",
            "namespaces": [{"type": name, "path": "/run/ns/x"}],
        });
        assert_eq!(namespaces(&joined), [(kind, "/run/ns/x".to_owned())]);
    }
}

#[test]
fn a_namespace_that_is_not_enabled_is_the_hosts() {
    for file in [
        json!({"namespaces": [{"key": "NEWPID", "enabled": false}, {"key": "NEWNS"}]}),
        json!({"namespaces": {"NEWPID": false, "NEWNS": null}}),
    ] {
        assert_eq!(namespaces(&file), []);
    }
}

#[test]
fn the_number_beside_a_name_does_not_count() {
    let file = json!({
        "namespaces": [{"key": "NEWPID", "enabled": true, "value": 0, "file": "uts"}],
        "capabilities_mask": [{"key": "SYS_ADMIN", "enabled": false, "value": 0}],
    });
    assert_eq!(namespaces(&file), [(NamespaceType::Pid, String::new())]);
    let capabilities = loaded(&file).config.capabilities.unwrap();
    assert_eq!(capabilities.bounding, all_but(&["CAP_SYS_ADMIN"]));
}

#[test]
fn an_unknown_namespace_is_an_error_only_in_lists_of_names() {
    let text = "namespace \"NEWMOON\" does not exist";
    let list = json!({"namespaces": ["NEWNS", "NEWMOON"]});
    assert_refused(&list, "namespaces[1]", text);
    let first = json!({"namespaces": ["NEWMOON"], "capabilities": []});
    assert_refused(&first, "namespaces[0]", text);
    for (file, place) in [
        (
            json!({"namespaces": [{"key": "NEWMOON", "enabled": true}]}),
            "namespaces[0]",
        ),
        (
            json!({"namespaces": {"NEWMOON": true}}),
            "namespaces.NEWMOON",
        ),
        (
            json!({"rootfs": "/srv/rootfs", "namespaces": [{"type": "NEWMOON"}]}),
            "namespaces[0].type",
        ),
    ] {
        let loaded = loaded(&file);
        assert!(loaded.config.namespaces.is_empty());
        assert!(loaded.warnings.contains(&Warning::UnknownName {
            place: place.to_owned(),
            name: "NEWMOON".to_owned(),
        }));
    }
}

#[test]
fn a_user_namespace_had_no_mappings_in_2014_and_is_refused() {
    let text =
        "user namespaces enabled, but no namespace path to join nor mappings to apply specified";
    assert_refused(&json!({"namespaces": ["NEWUSER"]}), "namespaces", text);
    assert_refused(
        &json!({"namespaces": {"NEWUSER": true}}),
        "namespaces",
        text,
    );
}

#[test]
fn a_mask_drops_and_everything_else_is_kept() {
    let dropped = ["CAP_SYS_ADMIN", "CAP_MKNOD"];
    for (file, place) in [
        (
            json!({"namespaces": ["NEWNS"], "capabilities_mask": ["SYS_ADMIN", "CAP_MKNOD"]}),
            "A",
        ),
        (
            json!({"namespaces": ["NEWNS"], "capabilities": ["SYS_ADMIN", "MKNOD"]}),
            "0",
        ),
        (
            json!({
                "namespaces": [{"key": "NEWNS", "enabled": true}],
                "capabilities_mask": [
                    {"key": "SYS_ADMIN", "enabled": false},
                    {"key": "MKNOD"},
                    {"key": "KILL", "enabled": true},
                ],
            }),
            "B",
        ),
    ] {
        let loaded = loaded(&file);
        assert_eq!(loaded.revision.to_string(), place);
        let capabilities = loaded.config.capabilities.unwrap();
        assert_eq!(capabilities.bounding, all_but(&dropped));
        assert_eq!(capabilities.effective, capabilities.bounding);
        assert_eq!(capabilities.permitted, capabilities.bounding);
        assert!(capabilities.inheritable.is_empty());
        assert!(capabilities.ambient.is_empty());
    }
}

#[test]
fn without_a_mask_nothing_is_dropped() {
    for letter in ['0', 'A', 'B'] {
        let capabilities = loaded(&of_revision(letter, &json!({}))).config.capabilities;
        assert_eq!(capabilities.unwrap().bounding, CAPABILITIES);
    }
}

#[test]
fn what_the_kernel_does_not_have_is_not_kept() {
    let options = Options {
        capabilities: vec!["CAP_KILL".to_owned(), "CAP_CHOWN".to_owned()],
        ..options()
    };
    let text = of_revision('A', &json!({"capabilities_mask": ["CHOWN"]})).to_string();
    let loaded = legacy::load(text.as_bytes(), &options).unwrap();
    assert_eq!(loaded.config.capabilities.unwrap().bounding, ["CAP_KILL"]);
    let text = of_revision('A', &json!({"capabilities_mask": ["SYS_ADMIN"]})).to_string();
    assert!(legacy::load(text.as_bytes(), &options).is_err());
}

#[test]
fn an_object_keeps_what_is_true_and_is_warned_of() {
    let mask = json!({"KILL": true, "CHOWN": true, "SYS_ADMIN": false, "FLY": true});
    let loaded = loaded(&of_revision('C', &json!({"capabilities_mask": mask})));
    let capabilities = loaded.config.capabilities.as_ref().unwrap();
    assert_eq!(capabilities.bounding, ["CAP_CHOWN", "CAP_KILL"]);
    assert!(loaded.warnings.contains(&Warning::CapabilityMask));
    assert!(loaded.warnings.contains(&Warning::UnknownName {
        place: "capabilities_mask.FLY".to_owned(),
        name: "FLY".to_owned(),
    }));
}

#[test]
fn a_list_keeps_what_it_names() {
    for letter in ['D', 'E', 'F'] {
        let list = json!({"capabilities": ["KILL", "CAP_CHOWN", "KILL"]});
        let capabilities = loaded(&of_revision(letter, &list)).config.capabilities;
        let capabilities = capabilities.unwrap();
        assert_eq!(capabilities.bounding, ["CAP_KILL", "CAP_CHOWN"]);
        assert_eq!(capabilities.effective, capabilities.bounding);
        assert_eq!(capabilities.permitted, capabilities.bounding);
        assert!(capabilities.inheritable.is_empty());
    }
}

#[test]
fn a_list_that_is_absent_keeps_nothing() {
    for letter in ['D', 'E', 'F'] {
        let capabilities = loaded(&of_revision(letter, &json!({}))).config.capabilities;
        assert!(capabilities.unwrap().bounding.is_empty());
    }
}

#[test]
fn inheritable_capabilities_are_for_those_who_ask_for_them() {
    let options = Options {
        strict_legacy: true,
        ..options()
    };
    for letter in ['D', 'E', 'F'] {
        let text = of_revision(letter, &json!({"capabilities": ["KILL"]})).to_string();
        let loaded = legacy::load(text.as_bytes(), &options).unwrap();
        assert_eq!(
            loaded.config.capabilities.unwrap().inheritable,
            ["CAP_KILL"]
        );
    }
}

#[test]
fn an_unknown_capability_is_an_error_in_lists_of_2014_march_and_2015() {
    let text = "unknown capability \"FLY\"";
    let mask = json!({"capabilities_mask": ["KILL", "FLY"]});
    assert_refused(&of_revision('A', &mask), "capabilities_mask[1]", text);
    let list = json!({"capabilities": ["FLY"]});
    assert_refused(&of_revision('0', &list), "capabilities[0]", text);
    assert_refused(&of_revision('F', &list), "capabilities[0]", text);
    for letter in ['D', 'E'] {
        let loaded = loaded(&of_revision(letter, &list));
        assert!(loaded.warnings.contains(&Warning::UnknownName {
            place: "capabilities[0]".to_owned(),
            name: "FLY".to_owned(),
        }));
    }
}

#[test]
fn the_five_sets_are_taken_as_they_are() {
    let sets = json!({
        "bounding": ["CAP_KILL", "CAP_CHOWN"], "Effective": ["CAP_KILL"], "Inheritable": null,
        "Permitted": ["CAP_KILL", "CAP_FLY"], "Ambient": ["CAP_KILL"], "Imaginary": [],
    });
    let loaded = loaded(&of_revision('F', &json!({"capabilities": sets})));
    let found: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "ignoring unknown name \"CAP_FLY\" at capabilities.Permitted[1]",
            "ignoring unknown key capabilities.Imaginary",
        ]
    );
    let sets = loaded.config.capabilities.unwrap();
    assert_eq!(sets.bounding, ["CAP_KILL", "CAP_CHOWN"]);
    assert_eq!(sets.effective, ["CAP_KILL"]);
    assert_eq!(sets.permitted, ["CAP_KILL"]);
    assert_eq!(sets.ambient, ["CAP_KILL"]);
    assert!(sets.inheritable.is_empty());
}

#[test]
fn a_list_has_one_form_only() {
    let name = json!({"namespaces": [{"key": "NEWNS", "enabled": true}, "NEWPID"]});
    assert_eq!(loaded(&name).config.namespaces.len(), 2);
    let object = json!({"namespaces": ["NEWNS", {"key": "NEWPID"}]});
    assert_refused(&object, "namespaces[1]", "an object in place of a name");
    let typed = json!({"rootfs": "/", "namespaces": [{"type": "NEWNS"}, "NEWPID"]});
    assert_refused(&typed, "namespaces[1]", "a name in place of an object");
    for letter in OF_2014 {
        assert!(crate::load(&of_revision(letter, &json!({"namespaces": 5}))).is_err());
    }
}
