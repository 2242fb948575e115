use super::*;

#[test]
fn the_process_leaves_its_attributes() {
    let config = converted(
        r#"{"process": {"cwd": "/", "args": ["x"], "user": {"umask": 63}, "oomScoreAdj": -5, "noNewPrivileges": true,
            "selinuxLabel": "l", "apparmorProfile": "p", "rlimits": [{"type": "RLIMIT_CPU"}],
            "capabilities": {"bounding": ["CAP_KILL"], "ambient": []},
            "scheduler": {"policy": "SCHED_BATCH", "nice": 3}, "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 2},
            "execCPUAffinity": {"initial": "0", "final": "1-2"}}}"#,
    );
    assert_eq!(
        (config.umask, config.oom_score_adj, config.no_new_privileges),
        (Some(0o77), Some(-5), true)
    );
    assert_eq!(config.process_label, "l");
    assert_eq!(config.capabilities.unwrap().bounding, ["CAP_KILL"]);
    assert_eq!(config.scheduler.unwrap().nice, 3);
    assert_eq!(config.io_priority.unwrap().priority, 2);
    let affinity = config.exec_cpu_affinity.unwrap();
    assert_eq!(affinity.final_cpus, Some("1-2".parse::<CpuSet>().unwrap()));
    // These travel with the process.
    assert!(config.rlimits.is_empty() && config.apparmor_profile.is_empty());
}

#[test]
fn absent_capabilities_are_not_empty_ones() {
    assert_eq!(converted(r#"{"process": {}}"#).capabilities, None);
    assert_eq!(
        converted(r#"{"process": {"capabilities": {}}}"#).capabilities,
        Some(Capabilities::default())
    );
}

#[test]
fn bad_affinity_lists_are_named() {
    for (list, text) in [
        (
            r#""initial": "x""#,
            "bad CPUAffinity.Initial: invalid number \"x\"",
        ),
        (
            r#""final": "3-1""#,
            "bad CPUAffinity.Final: invalid range: 3-1",
        ),
        (
            r#""final": ",""#,
            "bad CPUAffinity.Final: no members found in set \",\"",
        ),
    ] {
        assert_eq!(
            message(&format!(
                "{{\"process\": {{\"execCPUAffinity\": {{{list}}}}}}}"
            )),
            text
        );
    }
    assert_eq!(
        converted(r#"{"process": {"execCPUAffinity": {}}}"#).exec_cpu_affinity,
        None
    );
}

#[test]
fn hooks() {
    let config = converted(
        r#"{"hooks": {"prestart": [{"path": "/a", "args": ["b", "c"], "env": [], "timeout": 10}],
            "poststop": [{"path": "/d"}, {"path": "/e", "timeout": -1}]}}"#,
    );
    let prestart = &config.hooks.at(HookPoint::Prestart)[0];
    assert_eq!(
        (prestart.path.as_str(), &prestart.args[..]),
        ("/a", &["b".to_owned(), "c".to_owned()][..])
    );
    assert_eq!(
        (prestart.env.as_deref(), prestart.timeout),
        (Some(&[][..]), Some(Duration::from_secs(10)))
    );
    let poststop = config.hooks.at(HookPoint::Poststop);
    assert_eq!(
        (poststop[0].env.as_deref(), poststop[0].timeout),
        (None, None)
    );
    assert_eq!(poststop[1].timeout, Some(Duration::ZERO));
    assert!(config.hooks.at(HookPoint::CreateRuntime).is_empty());
}
