use super::*;

fn host(flags: &[FilterFlag]) -> HostInfo {
    HostInfo {
        seccomp_flags: flags.to_vec(),
        ..HostInfo::default()
    }
}

fn filter() -> oci::Seccomp {
    oci::Seccomp {
        default_action: "SCMP_ACT_ERRNO".into(),
        ..oci::Seccomp::default()
    }
}

fn syscall(names: &[&str], action: &str) -> oci::Syscall {
    oci::Syscall {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        action: action.into(),
        ..oci::Syscall::default()
    }
}

fn message(filter: &oci::Seccomp) -> String {
    seccomp(filter, &HostInfo::default())
        .unwrap_err()
        .to_string()
}

#[test]
fn no_default_action_and_no_rules_is_no_filter() {
    assert_eq!(
        seccomp(&oci::Seccomp::default(), &HostInfo::default()).unwrap(),
        None
    );
}

#[test]
fn rules_without_a_default_action_are_an_error() {
    let filter = oci::Seccomp {
        syscalls: vec![syscall(&["read"], "SCMP_ACT_ALLOW")],
        ..oci::Seccomp::default()
    };
    assert_eq!(
        message(&filter),
        "string  is not a valid action for seccomp"
    );
}

#[test]
fn absent_flags_ask_for_the_default_where_the_kernel_has_it() {
    let flags =
        |filter: &oci::Seccomp, host: &HostInfo| seccomp(filter, host).unwrap().unwrap().flags;
    let all = host(FilterFlag::ALL);
    assert_eq!(flags(&filter(), &all), [FilterFlag::SpecAllow]);
    assert_eq!(flags(&filter(), &host(&[])), []);
    let none = oci::Seccomp {
        flags: Some(vec![]),
        ..filter()
    };
    assert_eq!(flags(&none, &all), []);
    let log = oci::Seccomp {
        flags: Some(vec!["SECCOMP_FILTER_FLAG_LOG".into()]),
        ..filter()
    };
    assert_eq!(flags(&log, &all), [FilterFlag::Log]);
}

#[test]
fn a_flag_must_be_known_and_supported() {
    let with = |flag: &str| oci::Seccomp {
        flags: Some(vec![flag.into()]),
        ..filter()
    };
    assert_eq!(
        message(&with("SECCOMP_FILTER_FLAG_X")),
        "seccomp flag \"SECCOMP_FILTER_FLAG_X\" is not known"
    );
    assert_eq!(
        message(&with("SECCOMP_FILTER_FLAG_LOG")),
        "seccomp flag \"SECCOMP_FILTER_FLAG_LOG\" is not supported by the kernel"
    );
}

#[test]
fn each_name_of_a_block_becomes_a_rule() {
    let mut block = syscall(&["clone", "clone3"], "SCMP_ACT_ERRNO");
    block.errno_ret = Some(38);
    block.args = vec![oci::SeccompArg {
        index: 1,
        value: 2,
        value_two: 3,
        op: "SCMP_CMP_MASKED_EQ".into(),
    }];
    let filter = oci::Seccomp {
        architectures: vec!["SCMP_ARCH_X86_64".into(), "SCMP_ARCH_LOONGARCH64".into()],
        default_errno_ret: Some(1),
        listener_path: "/run/agent".into(),
        listener_metadata: "meta".into(),
        syscalls: vec![block, syscall(&["read"], "SCMP_ACT_ALLOW")],
        ..filter()
    };
    let converted = seccomp(&filter, &HostInfo::default()).unwrap().unwrap();
    let names: Vec<_> = converted
        .syscalls
        .iter()
        .map(|rule| (rule.name.as_str(), rule.action))
        .collect();
    assert_eq!(
        names,
        [
            ("clone", ActionName::Errno),
            ("clone3", ActionName::Errno),
            ("read", ActionName::Allow)
        ]
    );
    let arg = Arg {
        index: 1,
        value: 2,
        value_two: 3,
        op: Operator::MaskedEqual,
    };
    assert_eq!(converted.syscalls[1].args, [arg]);
    assert_eq!(converted.syscalls[1].errno_ret, Some(38));
    assert_eq!(
        converted.architectures,
        [Architecture::X86_64, Architecture::Loongarch64]
    );
    assert_eq!(
        (
            converted.listener_path.as_str(),
            converted.listener_metadata.as_str()
        ),
        ("/run/agent", "meta")
    );
    assert_eq!(converted.default_errno_ret, Some(1));
}

#[test]
fn unknown_names_are_errors() {
    let mut wrong = filter();
    wrong.architectures = vec!["SCMP_ARCH_Z80".into()];
    assert_eq!(
        message(&wrong),
        "string SCMP_ARCH_Z80 is not a valid arch for seccomp"
    );
    let mut wrong = filter();
    wrong.default_action = "SCMP_ACT_NO".into();
    assert_eq!(
        message(&wrong),
        "string SCMP_ACT_NO is not a valid action for seccomp"
    );
    let mut wrong = filter();
    wrong.syscalls = vec![syscall(&["read"], "SCMP_ACT_ALLOW")];
    wrong.syscalls[0].args = vec![oci::SeccompArg {
        op: "SCMP_CMP_XX".into(),
        ..oci::SeccompArg::default()
    }];
    assert_eq!(
        message(&wrong),
        "string SCMP_CMP_XX is not a valid operator for seccomp"
    );
}
