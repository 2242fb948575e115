use super::*;

fn process(json: &str) -> oci::Process {
    oci::Process::from_slice(json.as_bytes()).unwrap()
}

fn attributes(json: &str) -> ProcessAttributes {
    ProcessAttributes::from_oci(&process(json)).unwrap()
}

fn message(json: &str) -> String {
    ProcessAttributes::from_oci(&process(json))
        .unwrap_err()
        .to_string()
}

#[test]
fn every_attribute_arrives() {
    let attributes = attributes(
        r#"{"terminal": true, "consoleSize": {"height": 24, "width": 80}, "cwd": "/w", "args": ["a", ""],
            "user": {"uid": 1, "gid": 2, "umask": 18, "additionalGids": [3, 4]}, "env": ["A=1"],
            "noNewPrivileges": true, "apparmorProfile": "p", "selinuxLabel": "l", "oomScoreAdj": 7,
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 18446744073709551615, "soft": 5}],
            "capabilities": {"effective": ["CAP_X"]}, "ioPriority": {"class": "IOPRIO_CLASS_IDLE", "priority": 7},
            "execCPUAffinity": {"final": "0"}}"#,
    );
    assert_eq!(
        (attributes.uid, attributes.gid, attributes.umask),
        (1, 2, Some(0o22))
    );
    assert_eq!(attributes.additional_gids, [3, 4]);
    assert_eq!(
        (attributes.args, attributes.cwd.as_str()),
        (vec!["a".to_owned(), String::new()], "/w")
    );
    assert_eq!(attributes.env.get("A"), Some("1"));
    assert_eq!(attributes.console_size, Some((24, 80)));
    assert_eq!(
        (
            attributes.apparmor_profile.as_deref(),
            attributes.selinux_label.as_deref()
        ),
        (Some("p"), Some("l"))
    );
    assert_eq!(
        (
            attributes.oom_score_adj,
            attributes.no_new_privileges,
            attributes.terminal
        ),
        (Some(7), true, true)
    );
    assert_eq!(
        attributes.rlimits,
        [Rlimit {
            kind: RlimitType::Nofile,
            hard: u64::MAX,
            soft: 5
        }]
    );
    assert_eq!(attributes.capabilities.unwrap().effective, ["CAP_X"]);
    assert_eq!(attributes.io_priority.unwrap().value(), 3 << 13 | 7);
    assert!(
        attributes
            .cpu_affinity
            .unwrap()
            .final_cpus
            .unwrap()
            .contains(0)
    );
}

#[test]
fn an_empty_process_has_no_attributes() {
    assert_eq!(attributes("{}"), ProcessAttributes::default());
}

#[test]
fn a_console_size_needs_both_and_must_fit() {
    for size in [
        r#"{"height": 24}"#,
        r#"{"width": 80}"#,
        r#"{"height": 65536, "width": 80}"#,
    ] {
        assert_eq!(
            attributes(&format!("{{\"consoleSize\": {size}}}")).console_size,
            None
        );
    }
}

#[test]
fn rlimit_names_are_those_of_getrlimit() {
    let names = [
        "CPU",
        "FSIZE",
        "DATA",
        "STACK",
        "CORE",
        "RSS",
        "NPROC",
        "NOFILE",
        "MEMLOCK",
        "AS",
        "LOCKS",
        "SIGPENDING",
        "MSGQUEUE",
        "NICE",
        "RTPRIO",
        "RTTIME",
    ];
    for (number, name) in (0u32..).zip(names) {
        let limit = oci::PosixRlimit {
            kind: format!("RLIMIT_{name}"),
            hard: 2,
            soft: 1,
        };
        assert_eq!(
            rlimits(&[limit]).unwrap()[0].kind.to_int(),
            number,
            "{name}"
        );
    }
    for name in ["NOFILE", "RLIMIT_nofile", ""] {
        assert_eq!(
            message(&format!("{{\"rlimits\": [{{\"type\": {name:?}}}]}}")),
            format!("invalid rlimit type: {name}")
        );
    }
}

#[test]
fn scheduling_is_converted_to_numbers() {
    let scheduling = attributes(
        r#"{"scheduler": {"policy": "SCHED_DEADLINE", "runtime": 1, "deadline": 2, "period": 3,
            "flags": ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_UTIL_CLAMP_MAX"]}}"#,
    )
    .scheduling
    .unwrap();
    assert_eq!((scheduling.policy.to_int(), scheduling.flags), (6, 0x41));
    assert_eq!(
        (scheduling.runtime, scheduling.deadline, scheduling.period),
        (1, 2, 3)
    );
    let scheduling = attributes(r#"{"scheduler": {"policy": "SCHED_FIFO", "priority": 9}}"#)
        .scheduling
        .unwrap();
    assert_eq!(
        (scheduling.policy, scheduling.priority),
        (SchedulerPolicy::Fifo, 9)
    );
}

#[test]
fn unknown_scheduling_names() {
    assert_eq!(
        message(r#"{"scheduler": {"policy": "SCHED_X"}}"#),
        "invalid scheduler policy: SCHED_X"
    );
    assert_eq!(
        message(r#"{"scheduler": {"policy": "SCHED_FIFO", "flags": ["X"]}}"#),
        "invalid scheduler flag: X"
    );
    assert_eq!(
        message(r#"{"scheduler": {}}"#),
        "scheduler policy is required"
    );
    assert_eq!(
        message(r#"{"scheduler": {"policy": "SCHED_FIFO", "priority": -1}}"#),
        "invalid scheduler.priority: -1"
    );
}

#[test]
fn nul_is_refused_in_processes_made_by_hand() {
    for (field, process) in [
        (
            "args",
            oci::Process {
                args: vec!["a\0".into()],
                ..oci::Process::default()
            },
        ),
        (
            "cwd",
            oci::Process {
                cwd: "/\0".into(),
                ..oci::Process::default()
            },
        ),
        (
            "apparmorProfile",
            oci::Process {
                apparmor_profile: "\0".into(),
                ..oci::Process::default()
            },
        ),
        (
            "selinuxLabel",
            oci::Process {
                selinux_label: "\0".into(),
                ..oci::Process::default()
            },
        ),
    ] {
        let error = ProcessAttributes::from_oci(&process).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("process {field} contains a NUL byte")
        );
    }
}
