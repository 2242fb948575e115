//! The OCI JSON form of a profile.

use std::error::Error as _;

use cofferdam_seccomp::{
    Action, ActionName, Architecture, Arg, ErrorKind, FilterFlag, Operator, Profile, Rule,
};

#[test]
fn all_fields_have_their_oci_names() {
    let text = r#"{
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
        "architectures": ["SCMP_ARCH_X86"], "flags": ["SECCOMP_FILTER_FLAG_LOG"],
        "listenerPath": "/run/agent", "listenerMetadata": "tag",
        "syscalls": [{"names": ["clone"], "action": "SCMP_ACT_ALLOW", "errnoRet": 1,
                      "args": [{"index": 5, "value": 18446744073709551615, "valueTwo": 3, "op": "SCMP_CMP_MASKED_EQ"}]}]
    }"#;
    let profile = Profile {
        default_action: ActionName::Errno,
        default_errno_ret: Some(38),
        architectures: vec![Architecture::X86],
        flags: Some(vec![FilterFlag::Log]),
        listener_path: Some("/run/agent".to_owned()),
        listener_metadata: Some("tag".to_owned()),
        syscalls: vec![Rule {
            names: vec!["clone".to_owned()],
            action: ActionName::Allow,
            errno_ret: Some(1),
            args: vec![Arg {
                index: 5,
                value: u64::MAX,
                value_two: 3,
                op: Operator::MaskedEqual,
            }],
        }],
    };
    assert_eq!(serde_json::from_str::<Profile>(text).unwrap(), profile);
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_value(&profile).unwrap(), value);
}

#[test]
fn null_is_absent() {
    let text = r#"{"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": null, "architectures": null, "flags": null,
        "listenerPath": null, "syscalls": [{"names": null, "action": "SCMP_ACT_KILL", "args": null}]}"#;
    let profile: Profile = serde_json::from_str(text).unwrap();
    let rule = Rule {
        names: Vec::new(),
        action: ActionName::Kill,
        errno_ret: None,
        args: Vec::new(),
    };
    let expected = Profile {
        syscalls: vec![rule],
        ..Profile::new(Action::Allow)
    };
    assert_eq!(profile, expected);
}

#[test]
fn a_name_that_is_unknown_is_refused() {
    for (named, text) in [
        ("missing field `defaultAction`", "{}"),
        ("unknown variant ``", r#"{"defaultAction": ""}"#),
        (
            "unknown variant `SCMP_ACT_MAYBE`",
            r#"{"defaultAction": "SCMP_ACT_MAYBE"}"#,
        ),
        (
            "unknown variant `SCMP_ARCH_PDP11`",
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_PDP11"]}"#,
        ),
        (
            "unknown variant `SECCOMP_FILTER_FLAG_X`",
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_X"]}"#,
        ),
        (
            "unknown variant `SCMP_CMP_LIKE`",
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"],
                "action": "SCMP_ACT_KILL", "args": [{"index": 0, "value": 0, "op": "SCMP_CMP_LIKE"}]}]}"#,
        ),
    ] {
        let error = Profile::from_slice(text.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidProfile);
        let why = error.source().unwrap().to_string();
        assert!(why.contains(named), "{text}: {why}");
    }
}

#[test]
fn no_flags_differs_from_unsaid_flags() {
    let none: Profile =
        serde_json::from_str(r#"{"defaultAction": "SCMP_ACT_ALLOW", "flags": []}"#).unwrap();
    assert_eq!(none.flags, Some(Vec::new()));
    assert_eq!(
        serde_json::to_string(&none).unwrap(),
        r#"{"defaultAction":"SCMP_ACT_ALLOW","flags":[]}"#
    );
}

/// A key that is dropped can be the one that the filter was about.
#[test]
fn a_key_that_is_unknown_is_refused_by_name() {
    for (key, text) in [
        (
            "syscall",
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscall": []}"#,
        ),
        ("DefaultAction", r#"{"DefaultAction": "SCMP_ACT_ERRNO"}"#),
        (
            "archMap",
            r#"{"defaultAction": "SCMP_ACT_ERRNO", "archMap": []}"#,
        ),
        (
            "comment",
            r#"{"defaultAction": "SCMP_ACT_ERRNO", "comment": "x"}"#,
        ),
        (
            "includes",
            r#"{"syscalls": [{"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {}}]}"#,
        ),
        (
            "excludes",
            r#"{"syscalls": [{"names": ["clone"], "excludes": {"caps": ["CAP_SYS_ADMIN"]}}]}"#,
        ),
        (
            "name",
            r#"{"syscalls": [{"name": "mount", "action": "SCMP_ACT_ALLOW"}]}"#,
        ),
        (
            "mask",
            r#"{"syscalls": [{"names": ["clone"], "args": [{"index": 0, "mask": 1}]}]}"#,
        ),
    ] {
        let error = Profile::from_slice(text.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidProfile);
        let why = error.source().unwrap().to_string();
        assert!(
            why.contains(&format!("unknown field `{key}`")),
            "{key}: {why}"
        );
        assert!(serde_json::from_str::<Profile>(text).is_err(), "{key}");
    }
    let error = Profile::from_slice(br#"{"syscalls": [], "syscalls": []}"#).unwrap_err();
    assert!(
        error
            .source()
            .unwrap()
            .to_string()
            .contains("duplicate field")
    );
}

#[test]
fn what_is_built_from_types_is_what_the_json_says() {
    let built = Profile::new(Action::Errno(38))
        .architecture(Architecture::X86)
        .rule(Rule::new(Action::Allow, ["read", "write"]))
        .rule(Rule::new(Action::KillProcess, ["socket"]).when(Arg::new(0, Operator::NotEqual, 40)))
        .rule(Rule::new(Action::Trace(7), ["clone"]).when(Arg::masked(0, 0x7e02_0000, 3)));
    let text = r#"{
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "architectures": ["SCMP_ARCH_X86"],
        "syscalls": [
            {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["socket"], "action": "SCMP_ACT_KILL_PROCESS",
             "args": [{"index": 0, "value": 40, "op": "SCMP_CMP_NE"}]},
            {"names": ["clone"], "action": "SCMP_ACT_TRACE", "errnoRet": 7,
             "args": [{"index": 0, "value": 2114060288, "valueTwo": 3, "op": "SCMP_CMP_MASKED_EQ"}]}
        ]
    }"#;
    assert_eq!(built, Profile::from_slice(text.as_bytes()).unwrap());
}
