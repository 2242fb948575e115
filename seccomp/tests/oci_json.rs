//! The OCI JSON form of a profile.

use cofferdam_seccomp::{Arg, Profile, Rule};

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
        default_action: "SCMP_ACT_ERRNO".to_owned(),
        default_errno_ret: Some(38),
        architectures: vec!["SCMP_ARCH_X86".to_owned()],
        flags: Some(vec!["SECCOMP_FILTER_FLAG_LOG".to_owned()]),
        listener_path: Some("/run/agent".to_owned()),
        listener_metadata: Some("tag".to_owned()),
        syscalls: vec![Rule {
            names: vec!["clone".to_owned()],
            action: "SCMP_ACT_ALLOW".to_owned(),
            errno_ret: Some(1),
            args: vec![Arg {
                index: 5,
                value: u64::MAX,
                value_two: 3,
                op: "SCMP_CMP_MASKED_EQ".to_owned(),
            }],
        }],
    };
    assert_eq!(serde_json::from_str::<Profile>(text).unwrap(), profile);
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_value(&profile).unwrap(), value);
}

#[test]
fn null_is_absent_and_unknown_keys_are_ignored() {
    let text = r#"{"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": null, "architectures": null, "flags": null,
        "listenerPath": null, "comment": [1], "syscalls": [{"names": null, "action": "SCMP_ACT_KILL", "args": null}]}"#;
    let profile: Profile = serde_json::from_str(text).unwrap();
    let rule = Rule {
        action: "SCMP_ACT_KILL".to_owned(),
        ..Rule::default()
    };
    let expected = Profile {
        default_action: "SCMP_ACT_ALLOW".to_owned(),
        syscalls: vec![rule],
        ..Profile::default()
    };
    assert_eq!(profile, expected);
    assert!(serde_json::from_str::<Profile>("{}").unwrap().is_empty());
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
