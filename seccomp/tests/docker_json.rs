//! Profiles in Docker's form: resolved for a container and a host, or refused.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::error::Error as _;

use cofferdam_seccomp::{
    Action, Architecture, Backend, DockerConditions, DockerProfile, ErrorKind, Profile, compile,
    evaluate,
};

/// A profile with the parts of Docker's default one.
const PROFILE: &str = r#"{
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 1,
    "archMap": [
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
        {"architecture": "SCMP_ARCH_RISCV64", "subArchitectures": null}
    ],
    "syscalls": [
        {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "comment": "since", "includes": {"minKernel": "4.8"}},
        {"names": ["modify_ldt"], "action": "SCMP_ACT_ALLOW", "args": null, "includes": {"arches": ["amd64", "x32"]}},
        {"names": ["mount", "setns"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["clone"], "action": "SCMP_ACT_ALLOW",
         "args": [{"index": 0, "value": 2114060288, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}],
         "excludes": {"caps": ["CAP_SYS_ADMIN"], "arches": ["s390", "s390x"]}},
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["openat2"], "action": "SCMP_ACT_ALLOW", "excludes": {"minKernel": "6.0"}}
    ]
}"#;

fn conditions(architecture: Architecture, kernel: (u32, u32), caps: &[&str]) -> DockerConditions {
    DockerConditions {
        architecture,
        kernel,
        bounding: caps.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn resolve(text: &str, conditions: &DockerConditions) -> Profile {
    DockerProfile::from_slice(text.as_bytes())
        .unwrap()
        .resolve(conditions)
        .unwrap()
}

fn names(profile: &Profile) -> Vec<&str> {
    let names = profile.syscalls.iter().flat_map(|rule| &rule.names);
    names.map(String::as_str).collect()
}

#[test]
fn a_rule_applies_where_its_conditions_hold() {
    for (architecture, kernel, caps, expected) in [
        (
            Architecture::X86_64,
            (6, 1),
            &[][..],
            &["read", "write", "ptrace", "modify_ldt", "clone", "clone3"][..],
        ),
        (
            Architecture::X86_64,
            (4, 7),
            &["CAP_SYS_ADMIN"],
            &["read", "write", "modify_ldt", "mount", "setns", "openat2"],
        ),
        (
            Architecture::S390x,
            (4, 8),
            &["CAP_KILL"],
            &["read", "write", "ptrace", "clone3", "openat2"],
        ),
        (
            Architecture::Aarch64,
            (5, 99),
            &[],
            &["read", "write", "ptrace", "clone", "clone3", "openat2"],
        ),
    ] {
        let conditions = conditions(architecture, kernel, caps);
        assert_eq!(
            names(&resolve(PROFILE, &conditions)),
            expected,
            "{conditions:?}"
        );
    }
}

#[test]
fn the_architectures_are_those_of_the_map() {
    let of = |architecture| resolve(PROFILE, &conditions(architecture, (6, 1), &[])).architectures;
    assert_eq!(
        of(Architecture::X86_64),
        [Architecture::X86_64, Architecture::X86, Architecture::X32]
    );
    assert_eq!(of(Architecture::Riscv64), [Architecture::Riscv64]);
    assert!(of(Architecture::S390x).is_empty());
}

/// What the container may do in the end.
#[test]
fn what_needs_a_capability_is_refused_without_it() {
    let native = Architecture::native().unwrap();
    let answer = |caps: &[&str], number: libc::c_long| {
        let profile = resolve(PROFILE, &conditions(native, (6, 1), caps));
        let program = compile(&profile, Backend::Native).unwrap().program;
        let number = u32::try_from(number).unwrap();
        Action::from_return_value(evaluate(&program, native, number, [0; 6]).unwrap())
    };
    for number in [libc::SYS_mount, libc::SYS_setns] {
        assert_eq!(answer(&["CAP_KILL"], number), Action::Errno(1));
        assert_eq!(answer(&["CAP_SYS_ADMIN"], number), Action::Allow);
    }
    assert_eq!(answer(&[], libc::SYS_clone3), Action::Errno(38));
}

#[test]
fn the_form_with_one_name_a_rule_is_read() {
    let text = r#"{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86"],
        "syscalls": [{"name": "accept", "action": "SCMP_ACT_ALLOW", "args": []}]}"#;
    let profile = resolve(text, &conditions(Architecture::X86_64, (6, 1), &[]));
    assert_eq!(names(&profile), ["accept"]);
    assert_eq!(profile.architectures, [Architecture::X86]);
}

#[test]
fn a_document_in_the_oci_form_means_the_same() {
    let text = r#"{"defaultAction": "SCMP_ACT_ALLOW", "flags": [], "listenerPath": "/run/agent", "listenerMetadata": "m",
        "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}"#;
    assert_eq!(
        resolve(text, &conditions(Architecture::X86_64, (6, 1), &[])),
        Profile::from_slice(text.as_bytes()).unwrap()
    );
}

#[test]
fn what_is_not_understood_is_refused_by_name() {
    for (named, text) in [
        (
            "SCMP_ARCH_VAX",
            r#"{"archMap": [{"architecture": "SCMP_ARCH_S390X", "subArchitectures": ["SCMP_ARCH_VAX"]}]}"#,
        ),
        ("`defaultAction`", "{}"),
        ("`SCMP_ACT_MAYBE`", r#"{"defaultAction": "SCMP_ACT_MAYBE"}"#),
        ("`syscall`", r#"{"syscall": []}"#),
        ("`include`", r#"{"syscalls": [{"include": {}}]}"#),
        (
            "`cap`",
            r#"{"syscalls": [{"includes": {"cap": ["CAP_KILL"]}}]}"#,
        ),
        (
            "`maxKernel`",
            r#"{"syscalls": [{"excludes": {"maxKernel": "5.4"}}]}"#,
        ),
        ("`subArch`", r#"{"archMap": [{"subArch": []}]}"#),
        (
            "\"5.4.1\"",
            r#"{"syscalls": [{"excludes": {"minKernel": "5.4.1"}}]}"#,
        ),
        (
            "\"five\"",
            r#"{"syscalls": [{"includes": {"minKernel": "five"}}]}"#,
        ),
        (
            "\"0.0\"",
            r#"{"syscalls": [{"includes": {"minKernel": "0.0"}}]}"#,
        ),
    ] {
        let error = DockerProfile::from_slice(text.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidProfile);
        let why = error.source().unwrap().to_string();
        assert!(why.contains(named), "{text}: {why}");
    }
    for (named, text) in [
        (
            "architectures and archMap",
            r#"{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86"], "archMap": [{"architecture": "SCMP_ARCH_X86"}]}"#,
        ),
        (
            "name and names",
            r#"{"defaultAction": "SCMP_ACT_ERRNO",
                "syscalls": [{"name": "a", "names": ["b"], "action": "SCMP_ACT_ALLOW"}]}"#,
        ),
        (
            "syscalls[0].includes.caps: \"SYS_ADMIN\"",
            r#"{"defaultAction": "SCMP_ACT_ERRNO",
                "syscalls": [{"action": "SCMP_ACT_ALLOW", "includes": {"caps": ["SYS_ADMIN"]}}]}"#,
        ),
        (
            "syscalls[1].excludes.arches: \"amd46\"",
            r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"action": "SCMP_ACT_ALLOW"},
                {"action": "SCMP_ACT_ALLOW", "excludes": {"arches": ["amd46"]}}]}"#,
        ),
    ] {
        let profile = DockerProfile::from_slice(text.as_bytes()).unwrap();
        let error = profile
            .resolve(&conditions(Architecture::X86_64, (6, 1), &[]))
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidProfile);
        assert!(error.to_string().contains(named), "{text}: {error}");
    }
}
