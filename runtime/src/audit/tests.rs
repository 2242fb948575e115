//! The findings about the configurations of engines, in full, and what holds for every
//! configuration.

use std::fmt::Write as _;
use std::path::Path;

use configs::oci::Spec;
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, proptest};
use proptest::sample::Index;
use proptest::test_runner::Config as ProptestConfig;
use serde_json::{Value, json};

use super::{RULES, Report, Severity, of_config};
use crate::error::ErrorKind;

const DOCKER: &str = include_str!("tests/docker.json");
const PODMAN: &str = include_str!("tests/podman.json");
const PRIVILEGED: &str = include_str!("tests/privileged.json");
const KUBERNETES_RESTRICTED: &str = include_str!("tests/kubernetes_restricted.json");

fn audit(config: &str) -> Report {
    of_config(&Spec::from_slice(config.as_bytes()).unwrap()).unwrap()
}

fn changed(config: &str, change: impl FnOnce(&mut Value)) -> Report {
    let mut config: Value = serde_json::from_str(config).unwrap();
    change(&mut config);
    audit(&config.to_string())
}

/// One line a finding: severity, rule, field.
#[track_caller]
fn assert_findings(report: &Report, wanted: &str) {
    let mut found = String::new();
    for finding in &report.findings {
        let (severity, id) = (finding.severity, finding.rule.id);
        let _ = writeln!(found, "{severity} {id} {}", finding.field);
    }
    let wanted: String = wanted
        .trim()
        .lines()
        .map(|line| line.trim().to_owned() + "\n")
        .collect();
    assert_eq!(found, wanted);
}

fn detail<'a>(report: &'a Report, id: &str) -> &'a str {
    let found = report.findings.iter().find(|finding| finding.rule.id == id);
    found.map_or("", |finding| &finding.detail)
}

#[test]
fn what_the_template_of_spec_allows() {
    let report = of_config(&Spec::example().with_cgroup_namespace()).unwrap();
    assert_eq!(report.system_calls, None);
    assert_findings(
        &report,
        "medium host-user linux.namespaces
         medium root-user process.user.uid
         medium no-seccomp linux.seccomp
         medium no-memory-limit linux.resources.memory.limit
         medium no-pids-limit linux.resources.pids.limit
         medium no-lsm process.apparmorProfile
         low capabilities-usual process.capabilities
         low masked-paths-later linux.maskedPaths
         low no-cpu-limit linux.resources.cpu
         info terminal process.terminal",
    );
    assert_eq!(
        detail(&report, "capabilities-usual"),
        "CAP_KILL: signals to any process; CAP_NET_BIND_SERVICE: ports below 1024; \
         CAP_AUDIT_WRITE: records in the audit log"
    );
}

#[test]
fn what_docker_allows() {
    let report = audit(DOCKER);
    assert_eq!(
        report.system_calls.as_deref(),
        Some(&["memory of other processes"][..])
    );
    assert_findings(
        &report,
        "medium host-user linux.namespaces
         medium root-user process.user.uid
         medium new-privileges process.noNewPrivileges
         medium no-memory-limit linux.resources.memory.limit
         medium no-pids-limit linux.resources.pids.limit
         low capabilities-usual process.capabilities
         low rootfs-writable root.readonly
         low no-cpu-limit linux.resources.cpu
         info seccomp-moot linux.seccomp.syscalls
         info host-path mounts[7].options
         info host-path mounts[8].options
         info host-path mounts[9].options
         info hooks hooks.prestart[0]",
    );
}

#[test]
fn what_podman_allows() {
    let report = audit(PODMAN);
    assert_eq!(
        report.system_calls.as_deref(),
        Some(
            &[
                "another kernel, reboot",
                "mounts",
                "other namespaces",
                "memory of other processes",
                "new user namespaces",
                "kernel keyrings",
                "sockets of the hypervisor"
            ][..]
        )
    );
    assert_findings(
        &report,
        "medium host-user linux.namespaces
         medium root-user process.user.uid
         medium new-privileges process.noNewPrivileges
         medium seccomp-allows linux.seccomp.syscalls
         medium no-memory-limit linux.resources.memory.limit
         low capabilities-usual process.capabilities
         low seccomp-allows linux.seccomp.syscalls
         low seccomp-allows linux.seccomp.syscalls
         low masked-paths-later linux.maskedPaths
         low rootfs-writable root.readonly
         low no-cpu-limit linux.resources.cpu
         info joined-namespace linux.namespaces[1].path
         info seccomp-moot linux.seccomp.syscalls
         info host-path mounts[6].options
         info host-path mounts[7].options
         info host-path mounts[8].options
         info host-path mounts[9].options",
    );
    assert_eq!(
        detail(&report, "seccomp-allows"),
        "new user namespaces: unshare, clone, clone3"
    );
}

#[test]
fn what_a_privileged_container_is_allowed() {
    let report = audit(PRIVILEGED);
    assert_eq!(report.worst(), Some(Severity::High));
    assert_findings(
        &report,
        r#"high host-network linux.namespaces
         high capabilities-host process.capabilities
         high proc-writable linux.readonlyPaths
         high sys-writable mounts[3].options
         high cgroup-writable mounts[4].options
         high host-root mounts[8].source
         high engine-socket mounts[7].source
         high devices-all linux.resources.devices
         high device-host linux.devices[0]
         high device-host linux.devices[2]
         medium host-user linux.namespaces
         medium root-user process.user.uid
         medium new-privileges process.noNewPrivileges
         medium capabilities-wide process.capabilities
         medium no-seccomp linux.seccomp
         medium masked-paths linux.maskedPaths
         medium proc-writable linux.readonlyPaths
         medium mount-shared linux.rootfsPropagation
         medium mount-shared mounts[8].options
         medium no-memory-limit linux.resources.memory.limit
         medium no-pids-limit linux.resources.pids.limit
         medium no-lsm process.apparmorProfile
         low host-cgroup linux.namespaces
         low capabilities-usual process.capabilities
         low masked-paths-later linux.maskedPaths
         low sysctl linux.sysctl["kernel.msgmax"]
         low rootfs-writable root.readonly
         low device-other linux.devices[1]
         low no-cpu-limit linux.resources.cpu
         low oom-killer process.oomScoreAdj
         info terminal process.terminal"#,
    );
}

#[test]
fn what_a_restricted_pod_is_allowed() {
    let report = audit(KUBERNETES_RESTRICTED);
    assert_findings(
        &report,
        "medium no-pids-limit linux.resources.pids.limit
         low host-user linux.namespaces
         low masked-paths-later linux.maskedPaths
         info joined-namespace linux.namespaces[4].path
         info joined-namespace linux.namespaces[1].path
         info joined-namespace linux.namespaces[2].path
         info seccomp-moot linux.seccomp.syscalls
         info host-path mounts[6].options
         info host-path mounts[7].options
         info host-path mounts[8].options
         info host-path mounts[9].source",
    );
    let controls = report
        .findings
        .iter()
        .flat_map(|found| found.rule.pod_security);
    assert_eq!(controls.count(), 0);
}

#[test]
fn a_namespace_of_the_host_that_is_joined_is_the_hosts() {
    let report = changed(PODMAN, |config| {
        config["linux"]["namespaces"][1]["path"] = json!("/proc/self/ns/net");
    });
    let first = report.findings.first().unwrap();
    assert_eq!(
        (first.severity, first.rule.id),
        (Severity::High, "host-network")
    );
    assert_eq!(first.field, "linux.namespaces[1].path");
}

#[test]
fn a_filter_is_judged_by_what_it_answers() {
    // A later rule cannot take back what a rule without conditions allows; on a second architecture
    // the call has another number.
    let with = |rules: Value| {
        changed(DOCKER, |config| {
            config["linux"]["seccomp"]["syscalls"] = rules;
            config["process"]["capabilities"]["bounding"] = json!(["CAP_SYS_ADMIN"]);
        })
    };
    let rule = |action: &str, names: &[&str]| json!({ "names": names, "action": action });
    let report = with(json!([
        rule("SCMP_ACT_ALLOW", &["mount"]),
        rule("SCMP_ACT_KILL", &["mount"])
    ]));
    assert_eq!(report.system_calls.as_deref(), Some(&["mounts"][..]));
    assert_eq!(detail(&report, "seccomp-allows"), "mounts: mount");
    let report = with(json!([rule("SCMP_ACT_KILL", &["mount"])]));
    assert_eq!(report.system_calls.as_deref(), Some(&[][..]));
    assert_eq!(detail(&report, "seccomp-allows"), "");
    if cfg!(target_arch = "x86_64") {
        let report = with(json!([rule("SCMP_ACT_LOG", &["stime"])]));
        assert_eq!(detail(&report, "seccomp-moot"), "clocks: stime (x86)");
    }
    let report = changed(DOCKER, |config| {
        config["linux"]["seccomp"]["defaultAction"] = json!("SCMP_ACT_ALLOW");
    });
    assert_eq!(
        detail(&report, "seccomp-default"),
        "SCMP_ACT_ALLOW for all that is not named"
    );
    assert!(report.system_calls.unwrap().contains(&"io_uring"));
}

#[test]
fn root_that_is_nobody_on_the_host_weighs_less() {
    let mapped = |host: u32| {
        changed(PRIVILEGED, |config| {
            let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
            namespaces.push(json!({ "type": "user" }));
            let map = json!([{ "containerID": 0, "hostID": host, "size": 65536 }]);
            config["linux"]["uidMappings"] = map.clone();
            config["linux"]["gidMappings"] = map;
        })
    };
    let severity = |report: &Report, id: &str| {
        let found = report.findings.iter().find(|found| found.rule.id == id);
        found.map(|found| found.severity)
    };
    let report = mapped(100_000);
    assert_eq!(
        severity(&report, "capabilities-host"),
        Some(Severity::Medium)
    );
    assert_eq!(severity(&report, "host-root-mapped"), None);
    assert_eq!(severity(&report, "host-user"), None);
    let report = mapped(0);
    assert_eq!(severity(&report, "capabilities-host"), Some(Severity::High));
    assert_eq!(severity(&report, "host-root-mapped"), Some(Severity::High));
}

#[test]
fn capabilities_that_nothing_can_raise_do_not_count() {
    let with = |no_new_privileges: bool| {
        changed(DOCKER, |config| {
            config["process"]["capabilities"] = json!({ "bounding": ["CAP_SYS_MODULE"] });
            config["process"]["noNewPrivileges"] = json!(no_new_privileges);
        })
    };
    assert_eq!(
        detail(&with(false), "capabilities-host"),
        "CAP_SYS_MODULE: kernel modules"
    );
    assert_eq!(detail(&with(true), "capabilities-host"), "");
}

#[test]
fn device_rules_count_as_they_are_in_force() {
    let fields = |rules: Value| {
        let report = changed(DOCKER, |config| {
            config["linux"]["resources"]["devices"] = rules
        });
        let findings = report.findings.into_iter();
        let devices = findings.filter(|found| found.rule.id.starts_with("device"));
        devices
            .map(|found| (found.rule.id, found.field))
            .collect::<Vec<_>>()
    };
    let disk = json!({ "allow": true, "type": "b", "major": 8, "access": "r" });
    let all = json!({ "allow": true, "access": "rwm" });
    let none = json!({ "allow": false, "access": "rwm" });
    assert_eq!(
        fields(json!([none, disk])),
        [("device-host", "linux.resources.devices[1]".to_owned())]
    );
    assert_eq!(fields(json!([disk, none])), []);
    assert_eq!(fields(json!([all, none])), []);
    assert_eq!(
        fields(json!([none, all])),
        [("devices-all", "linux.resources.devices".to_owned())]
    );
}

#[test]
fn sources_are_taken_for_what_they_lead_to() {
    let finding = |source: &str, options: Value| {
        let report = changed(DOCKER, |config| {
            config["mounts"] = json!([{
                "destination": "/x", "type": "bind", "source": source, "options": options,
            }]);
        });
        let found = report
            .findings
            .iter()
            .find(|found| found.field.starts_with("mounts"));
        found.map(|found| (found.severity, found.rule.id))
    };
    let rw = || json!(["rbind"]);
    let ro = || json!(["rbind", "rw", "ro"]);
    for (source, options, wanted) in [
        ("/", ro(), Some((Severity::High, "host-root"))),
        ("/etc/../", rw(), Some((Severity::High, "host-root"))),
        ("/etc", rw(), Some((Severity::High, "host-system"))),
        ("//etc/ssl/", ro(), Some((Severity::Low, "host-system"))),
        ("/etcetera", rw(), Some((Severity::Info, "host-path"))),
        ("/run", ro(), Some((Severity::High, "host-system"))),
        ("/run/user/1000", rw(), Some((Severity::Info, "host-path"))),
        (
            "/run/podman/podman.sock",
            ro(),
            Some((Severity::High, "engine-socket")),
        ),
        (
            "/run/x/agent.sock",
            ro(),
            Some((Severity::Low, "host-socket")),
        ),
        (
            "/var/lib/kubelet",
            ro(),
            Some((Severity::High, "host-system")),
        ),
        ("data", rw(), None),
    ] {
        assert_eq!(finding(source, options), wanted, "{source}");
    }
}

#[test]
fn an_error_names_the_field() {
    let error = |change: &dyn Fn(&mut Value)| {
        let mut config: Value = serde_json::from_str(DOCKER).unwrap();
        change(&mut config);
        let spec = Spec::from_slice(config.to_string().as_bytes()).unwrap();
        let error = of_config(&spec).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        error.chain()
    };
    let action = error(&|config| config["linux"]["seccomp"]["defaultAction"] = json!("X"));
    assert_eq!(
        action,
        "linux.seccomp: string X is not a valid action for seccomp"
    );
    let rule = error(&|config| config["linux"]["resources"]["devices"][0]["type"] = json!("x"));
    assert_eq!(rule, "linux.resources: invalid cgroup device type \"x\"");
}

#[test]
fn what_a_terminal_would_obey_is_escaped() {
    let report = changed(DOCKER, |config| {
        config["root"]["path"] = json!("/x\u{1b}[2J\u{202e}");
    });
    assert_eq!(
        detail(&report, "rootfs-writable"),
        "/x\\u{1b}[2J\\u{202e} can be written"
    );
}

#[test]
fn rules_have_names_of_their_own_and_sources_in_order() {
    let written = include_str!("rules.rs").matches(": Rule = rule(").count();
    assert_eq!(RULES.len(), written, "a rule is not in the list");
    for (index, rule) in RULES.iter().enumerate() {
        assert!(
            RULES
                .iter()
                .skip(index + 1)
                .all(|other| other.id != rule.id)
        );
        assert!(
            !rule.title.is_empty() && rule.why.ends_with('.'),
            "{}",
            rule.id
        );
        assert!(!rule.remedy.ends_with('.'), "{}", rule.id);
        for control in rule.pod_security {
            let level = control.split(": ").next();
            assert!(
                matches!(level, Some("baseline" | "restricted")),
                "{control}"
            );
        }
    }
}

/// The configurations from which `./x fuzz` starts, and one with every key.
fn seeds() -> Vec<Value> {
    // They are of the workspace, not of the package.
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let paths = [
        "fuzz/seeds/config_json/full",
        "fuzz/seeds/config_json/spec",
        "configs/src/oci/tests/every_key.json",
    ];
    let read = |path: &&str| {
        let text = std::fs::read(workspace.join(path)).unwrap();
        serde_json::from_slice(&text).unwrap()
    };
    let engines = [DOCKER, PODMAN, PRIVILEGED, KUBERNETES_RESTRICTED];
    let engines = engines.map(|text| serde_json::from_str(text).unwrap());
    paths.iter().map(read).chain(engines).collect()
}

/// The places of all values in a document.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let key = key.replace('~', "~0").replace('/', "~1");
                places(value, &format!("{at}/{key}"), found);
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                places(value, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// What is put there instead.
fn oddities() -> Vec<Value> {
    let number = [
        json!(-1),
        json!(0),
        json!(1),
        json!(u32::MAX),
        json!(u64::MAX),
        json!(i64::MIN),
    ];
    let text = [
        "",
        "/",
        "..",
        "//../x/",
        "a",
        "b",
        "CAP_SYS_ADMIN",
        "rbind",
        "SCMP_ACT_ALLOW",
        "ü\u{7}",
    ];
    let other = [
        json!(null),
        json!(true),
        json!(false),
        json!([]),
        json!({}),
        json!([{}]),
    ];
    number
        .into_iter()
        .chain(text.map(|text| json!(text)))
        .chain(other)
        .collect()
}

/// Whatever a configuration says, it is examined, or refused by the name of a field.
fn examine(config: &Value) {
    let Ok(spec) = Spec::from_slice(config.to_string().as_bytes()) else {
        return;
    };
    match of_config(&spec) {
        Ok(report) => {
            assert!(
                report
                    .findings
                    .is_sorted_by(|a, b| a.severity >= b.severity)
            );
            for finding in &report.findings {
                let shown = [&finding.field, &finding.detail];
                assert!(shown.iter().all(|text| !text.contains(char::is_control)));
            }
        }
        Err(error) => {
            // A namespace to join that cannot be looked at is an error of the system.
            assert!(matches!(
                error.kind(),
                ErrorKind::InvalidConfig | ErrorKind::System
            ));
            assert!(error.chain().starts_with("linux."), "{}", error.chain());
        }
    }
}

/// Every value of the seeds, with a third of the oddities each: all of them take a minute.
#[test]
fn every_value_may_be_odd() {
    for mut config in seeds().into_iter().take(3) {
        let mut all = Vec::new();
        places(&config, "", &mut all);
        for (index, place) in all.iter().enumerate() {
            for oddity in oddities().into_iter().skip(index % 3).step_by(3) {
                let value = config.pointer_mut(place).unwrap();
                let before = std::mem::replace(value, oddity);
                examine(&config);
                *config.pointer_mut(place).unwrap() = before;
            }
        }
    }
}

/// A choice among as many as there are.
fn index() -> impl Strategy<Value = Index> {
    any::<Index>()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn several_values_may_be_odd(seed in 0usize..7, changes in vec((index(), index()), 1..8)) {
        let mut config = seeds().swap_remove(seed);
        for (place, oddity) in changes {
            let mut all = Vec::new();
            places(&config, "", &mut all);
            let place = config.pointer_mut(place.get::<String>(&all)).unwrap();
            *place = oddity.get(&oddities()).clone();
        }
        examine(&config);
    }
}
