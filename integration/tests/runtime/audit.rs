//! `audit`: what bundles and running containers are allowed.

use std::collections::BTreeSet;
use std::fs;

use cofferdam_integration::{Case, cgroup, need};
use serde_json::{Value, json};

/// The findings of `audit --format json`, each as its rule and its field.
fn findings(report: &Value) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .map(|found| (text(&found["rule"]), text(&found["field"])))
        .collect()
}

fn audit(case: &Case, subject: &str) -> Value {
    case.call(&["audit", "--format", "json", subject])
        .ok()
        .json()
}

fn has(report: &Value, rule: &str) -> bool {
    findings(report).iter().any(|(id, _)| id == rule)
}

/// What a rule has found, first.
fn detail(report: &Value, rule: &str) -> String {
    let findings = report["findings"].as_array().unwrap();
    let found = findings.iter().find(|found| found["rule"] == rule);
    found.map_or_else(String::new, |found| {
        found["detail"].as_str().unwrap().to_owned()
    })
}

/// A container that waits.
fn started(change: impl FnOnce(&mut Case)) -> Case {
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    change(&mut case);
    case.start();
    case
}

#[test]
fn a_bundle_is_read_and_nothing_is_made() {
    let case = Case::new();
    case.bundle.write();
    let listing = || {
        let entries = fs::read_dir(case.bundle.path()).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name())
            .collect::<BTreeSet<_>>()
    };
    let before = listing();
    let _ = fs::remove_dir(case.root());
    let output = case.call(&["audit", "."]).ok();
    assert_eq!(listing(), before);
    assert!(!case.root().exists());
    assert!(output.stdout.starts_with(".: 0 high, "), "{output}");
    for line in output.lines() {
        assert!(line.len() <= 80 && !line.contains('\u{1b}'), "{line}");
    }
}

#[test]
fn the_exit_code_says_whether_there_is_a_finding_of_a_severity() {
    let case = Case::new();
    case.bundle.write();
    let code = |level: &str| case.call(&["audit", "--fail-on", level, "."]).code;
    assert_eq!(["high", "medium", "low", "info"].map(code), [0, 2, 2, 2]);
    let _ = case
        .call(&["audit", "--fail-on", "worst", "."])
        .failed(1, "is none of high, medium, low, info");
    let _ = case
        .call(&["audit", "--format", "xml", "."])
        .failed(1, "is none of text, json, sarif");
    let _ = case
        .call(&["audit", &case.id])
        .failed(1, "container does not exist");
    let _ = case
        .call(&["audit", "./rootfs"])
        .failed(1, "JSON specification file config.json not found");
}

#[test]
fn an_error_names_the_field() {
    let mut case = Case::new();
    case.bundle.config["linux"]["seccomp"] = json!({ "defaultAction": "SCMP_ACT_MAYBE" });
    case.bundle.write();
    let _ = case.call(&["audit", "."]).failed(
        1,
        "linux.seccomp: string SCMP_ACT_MAYBE is not a valid action for seccomp",
    );
}

#[test]
fn sarif_has_a_rule_for_each_result() {
    let case = Case::new();
    case.bundle.write();
    let log = case.call(&["audit", "--format", "sarif", "."]).ok().json();
    assert_eq!(log["version"], "2.1.0");
    let [run] = log["runs"].as_array().unwrap().as_slice() else {
        panic!("{log}");
    };
    assert_eq!(run["tool"]["driver"]["name"], "cofferdam audit");
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    assert!(!results.is_empty());
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        let level = result["level"].as_str().unwrap();
        assert!(matches!(level, "error" | "warning" | "note"), "{level}");
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let location = &result["locations"][0];
        assert_eq!(
            location["physicalLocation"]["artifactLocation"]["uri"],
            "config.json"
        );
        assert!(location["logicalLocations"][0]["fullyQualifiedName"].is_string());
    }
}

#[test]
fn a_container_is_allowed_what_its_bundle_says() {
    need!(Containers, Busybox, Controllers);
    let case = started(|case| {
        case.bundle.config["linux"]["resources"]["pids"] = json!({ "limit": 100 });
        case.bundle.config["linux"]["seccomp"] = json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{ "names": ["mount", "bpf"], "action": "SCMP_ACT_ERRNO" }],
        });
        case.bundle.mount(json!({
            "destination": "/host", "type": "bind", "source": "/etc", "options": ["rbind", "ro"],
        }));
        case.bundle.user_namespace(100_000, 65_536);
    });
    let bundle = audit(&case, ".");
    let container = audit(&case, &case.id);
    assert_eq!(findings(&container), findings(&bundle));
    assert_eq!(container["systemCalls"], bundle["systemCalls"]);
    assert!(!has(&container, "state-differs"), "{container:#}");
    case.delete();
}

#[test]
fn a_limit_counts_as_it_is_now() {
    need!(Containers, Busybox, Controllers);
    let case = started(|_| {});
    for limit in ["no-memory-limit", "no-pids-limit"] {
        assert!(has(&audit(&case, &case.id), limit));
    }
    let update = ["update", "--memory", "64m", "--pids-limit", "30", &case.id];
    let _ = case.call(&update).ok();
    let report = audit(&case, &case.id);
    assert!(has(&audit(&case, "."), "no-memory-limit"));
    for rule in ["no-memory-limit", "no-pids-limit", "state-differs"] {
        assert!(!has(&report, rule), "{report:#}");
    }
    // Behind the runtime's back.
    let directory = cgroup::directories(&case.cgroup())
        .into_iter()
        .find(|directory| directory.join("pids.max").exists())
        .unwrap();
    fs::write(directory.join("pids.max"), "max").unwrap();
    let report = audit(&case, &case.id);
    assert!(has(&report, "no-pids-limit"));
    assert_eq!(
        detail(&report, "state-differs"),
        "the limit is none, 30 on record"
    );
    case.delete();
}

#[test]
fn a_joined_namespace_is_told_whosever_it_is() {
    need!(Containers, Busybox, Root);
    let other = started(|_| {});
    let pid = other.pid();
    let case = started(|case| {
        case.bundle.without_namespace("network");
        case.bundle.without_namespace("ipc");
        let path = format!("/proc/{pid}/ns/net");
        case.bundle
            .namespace(json!({ "type": "network", "path": path }));
        case.bundle
            .namespace(json!({ "type": "ipc", "path": "/proc/self/ns/ipc" }));
    });
    let report = audit(&case, &case.id);
    let joined = format!("joins the network namespace /proc/{pid}/ns/net");
    assert_eq!(detail(&report, "joined-namespace"), joined);
    assert!(has(&report, "host-ipc") && !has(&report, "host-network"));
    assert_eq!(findings(&report), {
        let mut bundle = findings(&audit(&case, "."));
        // The place in the bundle is that of the namespace that is the host's.
        let place = bundle
            .iter()
            .find(|(id, _)| id == "host-ipc")
            .cloned()
            .unwrap();
        assert!(place.1.ends_with("].path"));
        bundle.remove(&place);
        bundle.insert((place.0, "linux.namespaces".to_owned()));
        bundle
    });
    case.delete();
    other.delete();
}

#[test]
fn a_container_that_does_not_run_has_nothing_to_look_at() {
    need!(Containers, Busybox);
    let case = started(|_| {});
    let _ = case.call(&["kill", &case.id, "KILL"]).ok();
    case.wait_for_status("stopped");
    let _ = case
        .call(&["audit", &case.id])
        .failed(1, "container not running");
    case.delete();
}
