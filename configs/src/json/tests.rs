use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::oci::{Process, Resources, Spec};

fn error(text: &str) -> Error {
    Spec::from_slice(text.as_bytes()).unwrap_err()
}

fn place(text: &str) -> String {
    error(text).json_path().unwrap_or("no place").to_owned()
}

#[test]
fn the_place_of_a_wrong_type_is_named() {
    for (text, path) in [
        (
            r#"{"linux": {"devices": [{"major": 1}, {"major": "x"}]}}"#,
            "linux.devices[1].major",
        ),
        (r#"{"process": {"user": {"uid": -1}}}"#, "process.user.uid"),
        (r#"{"process": {"user": {"uid": 1.5}}}"#, "process.user.uid"),
        (r#"{"hostname": 3}"#, "hostname"),
        (r#"{"annotations": {"a.b": 3}}"#, r#"annotations["a.b"]"#),
        (
            "{\n  \"mounts\": [\n    {\"options\": [\"ro\", {}]}\n  ]\n}",
            "mounts[0].options[1]",
        ),
    ] {
        let error = error(text);
        assert_eq!(error.kind(), ErrorKind::Data, "{text}");
        assert_eq!(error.json_path(), Some(path), "{text}");
        assert!(
            error.to_string().ends_with(&format!("(at {path})")),
            "{error}"
        );
        assert_eq!(error.to_string().lines().count(), 1);
    }
}

#[test]
fn a_number_out_of_range_is_refused() {
    let text = r#"{"linux": {"resources": {"memory": {"limit": 9223372036854775808}}}}"#;
    assert_eq!(place(text), "linux.resources.memory.limit");
    assert_eq!(
        place(r#"{"process": {"user": {"gid": 4294967296}}}"#),
        "process.user.gid"
    );
}

#[test]
fn broken_text_is_a_syntax_error() {
    for text in [
        "",
        "{",
        r#"{"hostname": "a"#,
        "nope",
        "\u{feff}{}",
        "{} {}",
        "{}x",
    ] {
        assert_eq!(error(text).kind(), ErrorKind::Syntax, "{text:?}");
    }
}

#[test]
fn white_space_of_any_kind_may_surround_the_document() {
    let spec = Spec::from_slice(b"\r\n\t {\r\n\"ociVersion\": \"1.3.0\"\t} \n").unwrap();
    assert_eq!(spec, Spec::default());
}

#[test]
fn invalid_utf8_is_refused_with_its_place() {
    let error = Spec::from_slice(b"{\"process\": {\"args\": [\"a\", \"b\xff\"]}}").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Syntax);
    assert_eq!(error.to_string(), "text is not UTF-8 (at process.args[1])");
}

#[test]
fn nul_is_refused_wherever_it_is() {
    for (text, path) in [
        (r#"{"process": {"cwd": "/\u0000"}}"#, "process.cwd"),
        (r#"{"windows": {"x": [["a\u0000"]]}}"#, "windows.x[0][0]"),
        (r#"{"annotations": {"a\u0000": "b"}}"#, "annotations"),
        (r#"{"hostname": "\\\u0000"}"#, "hostname"),
    ] {
        let error = error(text);
        assert_eq!(error.kind(), ErrorKind::Data, "{text}");
        assert_eq!(
            error.to_string(),
            format!("string contains a NUL byte (at {path})")
        );
    }
    // The text clients may know.
    assert_eq!(
        error(r#"{"mounts": [{"destination": "/", "source": "a\u0000b"}]}"#).to_string(),
        "mount field contains null byte (at mounts[0].source)"
    );
}

#[test]
fn a_backslash_before_u0000_is_no_nul() {
    assert_eq!(
        Spec::from_slice(br#"{"hostname": "a\\u0000"}"#)
            .unwrap()
            .hostname,
        "a\\u0000"
    );
}

#[test]
fn a_key_given_twice_is_refused() {
    for (text, path) in [
        (r#"{"hostname": "a", "hostname": "a"}"#, "hostname"),
        (r#"{"process": {"cwd": "/", "cwd": "/tmp"}}"#, "process.cwd"),
        (
            r#"{"annotations": {"a": "1", "b": "2", "a": "1"}}"#,
            "annotations.a",
        ),
        (
            r#"{"linux": {"sysctl": {"a": "1", "a": "1"}}}"#,
            "linux.sysctl.a",
        ),
    ] {
        let error = error(text);
        assert!(error.to_string().starts_with("duplicate field"), "{error}");
        assert_eq!(error.json_path(), Some(path));
    }
}

#[test]
fn unknown_keys_are_ignored_and_their_places_kept() {
    let text = br#"{
        "x": {"y": [1, null, {"z": true}]}, "hostname": "a", "x": 1, "Windows": {"n": 1}, "vm": {},
        "process": {"args": ["a"], "noNewPriviliges": true, "user": {"uid": 1, "Group": 2}},
        "mounts": [{"destination": "/a"}, {"destination": "/b", "option": ["ro"]}],
        "annotations": {"Anything": "goes"},
        "linux": {
            "maskedPath": ["/a"],
            "resources": {"memory": {"limits": 5}, "rdma": {"a.b": {"handles": 1}}}
        }
    }"#;
    let mut spec = Spec::from_slice(text).unwrap();
    assert_eq!(
        std::mem::take(&mut spec.unknown_keys),
        [
            "x",
            "x",
            "process.noNewPriviliges",
            "process.user.Group",
            "mounts[1].option",
            "linux.maskedPath",
            "linux.resources.memory.limits",
            "linux.resources.rdma[\"a.b\"].handles",
        ]
    );
    assert_eq!(spec.hostname, "a");
    let process = Process::from_slice(br#"{"cwd": "/", "capability": {}}"#).unwrap();
    assert_eq!(process.unknown_keys, ["capability"]);
    let resources = Resources::from_slice(br#"{"pid": {"limit": 1}}"#).unwrap();
    assert_eq!(resources.unknown_keys, ["pid"]);
}

#[test]
fn an_array_is_no_object() {
    for (text, path) in [
        (r#"{"process": {"user": [0, 0]}}"#, "process.user"),
        (
            r#"{"linux": {"seccomp": ["SCMP_ACT_ALLOW"]}}"#,
            "linux.seccomp",
        ),
        (r#"{"linux": {"resources": []}}"#, "linux.resources"),
    ] {
        let error = error(text);
        assert_eq!(error.kind(), ErrorKind::Data);
        assert!(
            error.to_string().starts_with("invalid type: array"),
            "{error}"
        );
        assert_eq!(error.json_path(), Some(path));
    }
}

#[test]
fn only_so_many_unknown_keys_are_kept() {
    let keys: Vec<String> = (0..1000).map(|n| format!("\"k{n}\": 1")).collect();
    let spec = Spec::from_slice(format!("{{{}}}", keys.join(",")).as_bytes()).unwrap();
    assert_eq!(spec.unknown_keys.len(), 32);
}

#[test]
fn keys_of_policies_are_read_in_any_case() {
    let spec = Spec::from_slice(
        br#"{
            "Process": {
                "NoNewPrivileges": true,
                "Capabilities": {"Bounding": ["CAP_KILL"]},
                "user": {"UID": 1000},
                "ApparmorProfile": "p"
            },
            "root": {"readOnly": true},
            "Linux": {
                "Seccomp": {"DefaultAction": "SCMP_ACT_ERRNO", "Syscalls": [{"NAMES": ["read"], "Args": [{"ValueTwo": 3}]}]},
                "MaskedPaths": ["/a"],
                "namespaces": [{"Type": "pid"}],
                "resources": {"BlockIO": {"Weight": 10}, "Devices": [{"Allow": true}]}
            }
        }"#,
    )
    .unwrap();
    assert_eq!(spec.unknown_keys, [""; 0]);
    let process = spec.process.unwrap();
    assert!(process.no_new_privileges);
    assert_eq!(
        process.capabilities.unwrap().bounding.unwrap(),
        ["CAP_KILL"]
    );
    assert_eq!(process.user.uid, 1000);
    assert_eq!(process.apparmor_profile, "p");
    assert!(spec.root.unwrap().readonly);
    let linux = spec.linux.unwrap();
    let filter = linux.seccomp.unwrap();
    assert_eq!(filter.default_action, "SCMP_ACT_ERRNO");
    assert_eq!(filter.syscalls[0].names, ["read"]);
    assert_eq!(filter.syscalls[0].args[0].value_two, 3);
    assert_eq!(linux.masked_paths, ["/a"]);
    assert_eq!(linux.namespaces[0].kind, "pid");
    let resources = linux.resources.unwrap();
    assert_eq!(resources.block_io.unwrap().weight, Some(10));
    assert!(resources.devices[0].allow);
}

#[test]
fn a_key_in_two_cases_is_a_key_given_twice() {
    for (text, path) in [
        (
            r#"{"process": {"user": {"uid": 1000, "UID": 0}}}"#,
            "process.user.UID",
        ),
        (
            r#"{"root": {"readonly": true, "ReadOnly": false}}"#,
            "root.ReadOnly",
        ),
        (
            r#"{"linux": {"Seccomp": {}, "seccomp": null}}"#,
            "linux.seccomp",
        ),
    ] {
        let error = error(text);
        assert!(error.to_string().starts_with("duplicate field"), "{error}");
        assert_eq!(error.json_path(), Some(path));
    }
}

/// Objects whose keys are data.
const MAPS: [&str; 6] = [
    "annotations",
    "sysctl",
    "unified",
    "rdma",
    "netDevices",
    "timeOffsets",
];

/// The same document with the case of all keys changed that are not data.
fn recased(value: &serde_json::Value, change: fn(&str) -> String, data: bool) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(entries) => {
            let one = |(key, value): (&String, &Value)| {
                let value = recased(value, change, MAPS.contains(&key.as_str()));
                (if data { key.clone() } else { change(key) }, value)
            };
            Value::Object(entries.iter().map(one).collect())
        }
        Value::Array(list) => Value::Array(
            list.iter()
                .map(|value| recased(value, change, false))
                .collect(),
        ),
        other => other.clone(),
    }
}

#[test]
fn every_known_key_is_read_in_every_case() {
    let text = include_bytes!("../oci/tests/every_key.json");
    let usual = Spec::from_slice(text).unwrap();
    assert_eq!(usual.unknown_keys, [""; 0]);
    // Everything above was read: nothing is left out when it is written.
    let document: serde_json::Value = serde_json::from_slice(text).unwrap();
    assert_eq!(serde_json::to_value(&usual).unwrap(), document);
    let capital = |key: &str| {
        let (first, rest) = key.split_at(1);
        format!("{}{rest}", first.to_ascii_uppercase())
    };
    for change in [str::to_ascii_uppercase, str::to_ascii_lowercase, capital] {
        let text = recased(&document, change, false).to_string();
        assert_eq!(Spec::from_slice(text.as_bytes()).unwrap(), usual, "{text}");
    }
}

#[test]
fn nesting_is_limited_also_in_ignored_parts() {
    let nested = |depth: usize| format!("{{\"x\": {}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(Spec::from_slice(nested(MAX_DEPTH - 1).as_bytes()).is_ok());
    let error = error(&nested(MAX_DEPTH));
    assert_eq!(error.kind(), ErrorKind::Syntax);
    assert!(
        error
            .to_string()
            .starts_with("nested deeper than 128 levels (at x[0][0]"),
        "{error}"
    );
    assert!(Spec::from_slice("[".repeat(100_000).as_bytes()).is_err());
}

#[test]
fn messages_are_short_whatever_the_document_says() {
    let long = "ä".repeat(100_000);
    let error = error(&format!(r#"{{"annotations": {{"{long}": 1}}}}"#));
    assert!(error.json_path().is_some_and(|path| path.len() > 200_000));
    let text = error.to_string();
    assert!(text.contains("(at annotations[\"ää") && text.ends_with("ää\"])"));
    assert!(text.chars().count() < 300, "{text}");
    let value = Spec::from_slice(format!(r#"{{"hooks": "{long}"}}"#).as_bytes());
    assert!(value.unwrap_err().to_string().chars().count() < 1100);
}

#[test]
fn brackets_in_strings_do_not_nest() {
    let text = format!("{{\"hostname\": \"{}\\\"[\"}}", "[{".repeat(200));
    assert!(Spec::from_slice(text.as_bytes()).is_ok());
}

#[test]
fn null_stands_for_absent() {
    let text = r#"{"ociVersion": null, "process": null, "root": null, "hostname": null, "mounts": null, "hooks": null,
        "annotations": null, "linux": {"namespaces": null, "sysctl": null, "resources": {"memory": null, "cpu": null,
        "devices": null, "unified": null}, "seccomp": null}}"#;
    let spec = Spec::from_slice(text.as_bytes()).unwrap();
    assert_eq!(spec.process, None);
    assert_eq!(spec.linux.unwrap().resources, Some(Resources::default()));
}

#[test]
fn the_null_document_is_refused() {
    assert_eq!(error(" null ").to_string(), "config cannot be null");
    assert!(Process::from_slice(b"null").is_err());
    assert!(Resources::from_slice(b"null").is_err());
}

#[test]
fn indentation_is_the_callers() {
    let map = BTreeMap::from([("a", vec![1, 2]), ("b", vec![])]);
    assert_eq!(to_string(&map).unwrap(), r#"{"a":[1,2],"b":[]}"#);
    assert_eq!(
        to_string_indented(&map, "\t").unwrap(),
        "{\n\t\"a\": [\n\t\t1,\n\t\t2\n\t],\n\t\"b\": []\n}"
    );
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Spec::from_slice(&text);
    }

    #[test]
    fn no_text_of_json_signs_makes_the_reader_panic(text in r#"[\[\]{}",:0-9a\\u ]{0,60}"#, offset in 0usize..80) {
        let _ = Spec::from_slice(text.as_bytes());
        let _ = locate::path_at(text.as_bytes(), offset);
        let _ = locate::nul_escape(text.as_bytes());
    }

    #[test]
    fn a_cut_document_is_an_error_not_a_panic(cut in 0usize..4000) {
        let text = to_string(&Spec::example()).unwrap();
        let cut = cut.min(text.len() - 1);
        prop_assert!(Spec::from_slice(&text.as_bytes()[..cut]).is_err());
    }

    #[test]
    fn a_nul_is_found_exactly_when_a_string_has_one(value in r#"[a\\"u0]{0,8}"#, nul in any::<bool>()) {
        let value = if nul { format!("{value}\0") } else { value };
        let text = to_string(&BTreeMap::from([("hostname", &value)])).unwrap();
        match Spec::from_slice(text.as_bytes()) {
            Ok(spec) => { prop_assert!(!nul); prop_assert_eq!(spec.hostname, value); }
            Err(error) => { prop_assert!(nul, "{}", error); prop_assert_eq!(error.json_path(), Some("hostname")); }
        }
    }
}
