//! Which revision a file is of, and how it is read as JSON.

use cofferdam_configs::ErrorKind;
use cofferdam_configs::legacy::{self, Revision, Warning};
use serde_json::json;

use crate::{OF_2014, loaded, of_revision, options, warnings};

#[test]
fn the_form_of_the_namespaces_tells_the_revision() {
    for letter in OF_2014.into_iter().chain(['F']) {
        let revision = loaded(&of_revision(letter, &json!({}))).revision;
        assert_eq!(revision.letter(), letter);
        assert_eq!(revision.to_string(), letter.to_string());
    }
    assert!(Revision::ALL.is_sorted());
}

#[test]
fn the_first_files_drop_capabilities_or_have_one_network() {
    for extra in [
        json!({"capabilities": ["SYS_ADMIN"]}),
        json!({"network": {"bridge": "cof0"}}),
        json!({"command": {"args": ["sh"]}}),
        json!({"memory": 1_048_576}),
    ] {
        let file = of_revision('A', &extra);
        assert_eq!(loaded(&file).revision, Revision::Zero, "{file}");
    }
}

#[test]
fn without_namespaces_other_keys_tell_the_revision() {
    for (file, revision) in [
        (json!({"rootfs": "/srv/rootfs"}), Revision::F),
        (
            json!({"rootfs": "/srv/rootfs", "namespaces": []}),
            Revision::F,
        ),
        (
            json!({"rootfs": "/srv/rootfs", "namespaces": null}),
            Revision::F,
        ),
        (
            json!({"command": {}, "rootfs": "/srv/rootfs"}),
            Revision::Zero,
        ),
        (json!({"capabilities_mask": ["SYS_ADMIN"]}), Revision::A),
        (
            json!({"capabilities_mask": [{"key": "SYS_ADMIN"}]}),
            Revision::B,
        ),
        (
            json!({"capabilities_mask": {"SYS_ADMIN": false}}),
            Revision::C,
        ),
        (json!({"mount_config": {}}), Revision::E),
    ] {
        let loaded = loaded(&file);
        assert_eq!(loaded.revision, revision, "{file}");
        let guess = Warning::Revision { revision };
        assert!(!loaded.warnings.contains(&guess), "{file}");
    }
}

#[test]
fn keys_of_the_second_half_of_2014_tell_it_without_mount_config() {
    for extra in [
        json!({"restrict_sys": true}),
        json!({"root_fs": "/srv/rootfs"}),
        json!({"ipc": "/proc/1/ns/ipc"}),
        json!({"apparmor_profile": "x"}),
        json!({"process_label": "x"}),
        json!({"rlimits": []}),
        json!({"networks": [{"type": "netns", "ns_path": "/run/netns/x"}]}),
    ] {
        let file = of_revision('D', &extra);
        assert_eq!(loaded(&file).revision, Revision::E, "{file}");
    }
}

#[test]
fn a_file_that_could_be_of_several_revisions_is_warned_of() {
    for (file, revision) in [
        (json!({"environment": ["A=1"]}), Revision::D),
        (
            json!({"environment": ["A=1"], "restrict_sys": false}),
            Revision::E,
        ),
    ] {
        let loaded = loaded(&file);
        assert_eq!(loaded.revision, revision);
        assert_eq!(loaded.warnings[0], Warning::Revision { revision });
        // The reading in which absent capabilities are none.
        assert_eq!(loaded.config.capabilities.unwrap().bounding, [""; 0]);
    }
}

#[test]
fn keys_count_in_any_case() {
    let file = json!({
        "NameSpaces": [{"Key": "NEWUTS", "ENABLED": true}],
        "HOSTNAME": "pier",
        "Cgroups": {"Name": "pier"},
    });
    let loaded = loaded(&file);
    assert_eq!(loaded.revision, Revision::B);
    assert_eq!(loaded.config.hostname, "pier");
    assert_eq!(loaded.config.cgroups.name, "pier");
}

#[test]
fn null_is_an_absent_key() {
    for letter in OF_2014.into_iter().chain(['F']) {
        let plain = loaded(&of_revision(letter, &json!({})));
        let nulls = json!({
            "hostname": null, "networks": null, "cgroups": null,
        });
        let with_nulls = loaded(&of_revision(letter, &nulls));
        assert_eq!(plain, with_nulls);
    }
}

#[test]
fn what_follows_the_first_value_does_not_count() {
    for rest in ["", "\n", " {}", "garbage \\u0000", "}"] {
        let text = format!("{}{rest}", of_revision('A', &json!({"hostname": "pier"})));
        let loaded = legacy::load(text.as_bytes(), &options()).expect(rest);
        assert_eq!(loaded.config.hostname, "pier");
    }
    let mut text = of_revision('A', &json!({})).to_string().into_bytes();
    text.extend([0xff, 0, b'{']);
    assert!(legacy::load(&text, &options()).is_ok());
}

#[test]
fn what_is_not_a_file_is_an_error() {
    for (text, kind) in [
        ("", ErrorKind::Syntax),
        ("{", ErrorKind::Syntax),
        ("[]", ErrorKind::Data),
        ("null", ErrorKind::Data),
        ("\"text\"", ErrorKind::Data),
        ("{\"hostname\": \"a\\u0000b\"}", ErrorKind::Data),
    ] {
        let error = legacy::load(text.as_bytes(), &options()).expect_err(text);
        assert_eq!(error.kind(), kind, "{text}");
    }
}

/// Nothing in a message is a type of this crate or a word of its parser.
#[test]
fn what_was_found_and_what_is_expected_are_said_in_terms_of_json() {
    let refused = |text: &str| legacy::load(text.as_bytes(), &options()).unwrap_err();
    for (text, message) in [
        ("", "the file is empty"),
        (" \n", "the file is empty"),
        (
            "null",
            "invalid type: null, expected an object at line 1 column 4",
        ),
        (
            "[]",
            "invalid type: array, expected an object at line 1 column 0",
        ),
        (
            "7",
            "invalid type: integer `7`, expected an object at line 1 column 1",
        ),
    ] {
        assert_eq!(refused(text).to_string(), message, "{text:?}");
    }
    for (letter, extra, message) in [
        (
            'F',
            json!({"cgroups": 3}),
            "integer `3`, expected an object",
        ),
        ('F', json!({"Hooks": true}), "`true`, expected an object"),
        ('F', json!({"mounts": [[]]}), "array, expected an object"),
        ('F', json!({"mounts": {}}), "object, expected an array"),
        (
            'F',
            json!({"capabilities": 3}),
            "expected a list or an object",
        ),
        (
            'F',
            json!({"seccomp": "x"}),
            "string \"x\", expected an object",
        ),
        (
            'F',
            json!({"umask": -1}),
            "expected an integer from 0 to 4294967295",
        ),
        (
            'A',
            json!({"tty": 1}),
            "integer `1`, expected true or false",
        ),
        ('A', json!({"hostname": {}}), "object, expected a string"),
        ('E', json!({"mount_config": 1}), "expected an object"),
    ] {
        let text = refused(&of_revision(letter, &extra).to_string()).to_string();
        assert!(text.contains(message), "{text}");
    }
    // What the file says itself is not changed.
    let text = refused(r#"{"tty": "a map, expected u8"}"#).to_string();
    assert!(
        text.contains("\"a map, expected u8\", expected true or false"),
        "{text}"
    );
}

#[test]
fn a_value_of_the_wrong_type_is_refused_with_its_place() {
    for (letter, extra, place) in [
        ('A', json!({"hostname": 1}), "hostname"),
        ('A', json!({"tty": "yes"}), "tty"),
        ('A', json!({"environment": ["A=1", 2]}), "environment[1]"),
        (
            'A',
            json!({"networks": [{"mtu": "big"}]}),
            "networks[0].mtu",
        ),
        ('A', json!({"networks": {}}), "networks"),
        (
            'B',
            json!({"namespaces": [{"key": 5}]}),
            "namespaces[0].key",
        ),
        (
            'C',
            json!({"namespaces": {"NEWNS": "yes"}}),
            "namespaces.NEWNS",
        ),
        (
            'E',
            json!({"mount_config": {"mounts": 1}}),
            "mount_config.mounts",
        ),
        ('F', json!({"cgroups": {"memory": "1G"}}), "cgroups.memory"),
        (
            'F',
            json!({"seccomp": {"syscalls": [{"value": -1}]}}),
            "seccomp.syscalls[0].value",
        ),
    ] {
        assert_eq!(crate::refusal(&of_revision(letter, &extra)).0, place);
    }
}

#[test]
fn every_unknown_key_is_warned_of_once() {
    for letter in OF_2014.into_iter().chain(['F']) {
        let before = loaded(&of_revision(letter, &json!({}))).warnings.len();
        let extra = json!({
            "colour": "blue",
            "networks": [{"type": "loopback", "speed": 10}],
            "cgroups": {"name": "x", "hue": {"deep": 1}},
        });
        let found = warnings(&loaded(&of_revision(letter, &extra)));
        assert_eq!(found.len(), before + 3, "{letter}: {found:?}");
        for place in ["colour", "networks[0].speed", "cgroups.hue"] {
            assert!(found.contains(&format!("ignoring unknown key {place}")));
        }
    }
}

#[test]
fn keys_of_other_revisions_are_unknown_ones() {
    for (letter, extra, places) in [
        (
            'A',
            json!({"routes": [{"gateway": "nonsense"}]}),
            vec!["routes"],
        ),
        (
            'A',
            json!({"mounts": [{"source": "/a", "destination": "/a", "type": "x"}]}),
            vec!["mounts[0].type"],
        ),
        (
            'B',
            json!({"restrict_sys": true, "rlimits": []}),
            vec!["restrict_sys", "rlimits"],
        ),
        (
            'E',
            json!({"context": {"restrictions": "true"}, "readonly_fs": true}),
            vec!["readonly_fs", "context"],
        ),
        (
            'F',
            json!({"rlimits": [], "cgroups": {"device_access": true}}),
            vec!["cgroups.device_access"],
        ),
        ('F', json!({"tty": true}), vec!["tty"]),
    ] {
        let loaded = loaded(&of_revision(letter, &extra));
        let unknown: Vec<_> = loaded
            .warnings
            .iter()
            .filter_map(|warning| match warning {
                Warning::UnknownKey { place } => Some(place.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(unknown, places, "{extra}");
        assert!(!loaded.config.readonlyfs);
        assert!(loaded.config.readonly_paths.is_empty());
    }
}

#[test]
fn a_key_given_twice_is_refused() {
    for text in [
        r#"{"namespaces": ["NEWUTS"], "hostname": "a", "Hostname": "b"}"#,
        r#"{"namespaces": {"NEWUTS": true, "NEWUTS": false}}"#,
        r#"{"namespaces": [{"key": "NEWUTS", "enabled": true, "Enabled": false}]}"#,
        r#"{"namespaces": ["NEWUTS"], "context": {"a": "b", "a": "c"}}"#,
    ] {
        let error = legacy::load(text.as_bytes(), &options()).expect_err(text);
        assert_eq!(error.kind(), ErrorKind::Data, "{text}");
    }
}
