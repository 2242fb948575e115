//! `stats`: what containers have used so far, for programs that collect such numbers.

mod exposition;

use cofferdam_integration::{Case, need};
use serde_json::json;

use exposition::Samples;

/// A container with limits, and one without them in the same state root, which is stopped.
fn two() -> (Case, String) {
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    let without = case.bundle.config["linux"]["cgroupsPath"].clone();
    case.bundle.config["linux"]["resources"]["memory"] = json!({ "limit": 64 << 20 });
    case.bundle.config["linux"]["resources"]["pids"] = json!({ "limit": 20 });
    case.start();
    let other = format!("{}-z", case.id);
    let cgroup = format!("{}-z", case.cgroup());
    case.bundle.config["linux"]["cgroupsPath"] = cgroup.into();
    case.bundle.args(&["/bin/true"]);
    let _ = case.detached(&["run", "--detach", &other]).ok();
    cofferdam_integration::eventually("the other one has ended", || {
        case.call(&["state", &other]).ok().json()["status"] == "stopped"
    });
    case.bundle.config["linux"]["cgroupsPath"] = without;
    (case, other)
}

/// The number of a metric of a container with this further label.
fn number(samples: &Samples, name: &str, id: &str, label: Option<(&str, &str)>) -> Option<f64> {
    let samples = samples.get(&format!("cofferdam_container_{name}"))?;
    let (_, number) = samples.iter().find(|(labels, _)| {
        labels["container"] == id && label.is_none_or(|(name, value)| labels[name] == value)
    })?;
    Some(*number)
}

#[test]
fn prometheus_is_told_of_all_containers() {
    need!(Containers, Busybox, Controllers);
    let (case, other) = two();
    let output = case.call(&["stats", "--format", "prometheus"]).ok();
    let samples = exposition::read(&output.stdout);
    let of = |name| number(&samples, name, &case.id, None);
    assert_eq!(of("memory_limit_bytes"), Some(f64::from(64 << 20)));
    assert_eq!(of("processes"), Some(1.0));
    assert_eq!(of("processes_limit"), Some(20.0));
    assert_eq!(of("memory_oom_kills_total"), Some(0.0));
    assert!(of("memory_usage_bytes").unwrap() > 0.0);
    // It has started, and sleeps: less than a minute of processor time.
    let seconds = of("cpu_usage_seconds_total").unwrap();
    assert!(seconds > 0.0 && seconds < 60.0, "{seconds}");
    for (id, has) in [(&case.id, "running"), (&other, "stopped")] {
        for status in ["creating", "created", "running", "paused", "stopped"] {
            let told = number(&samples, "status", id, Some(("status", status)));
            let expected = if status == has { 1.0 } else { 0.0 };
            assert_eq!(told, Some(expected), "{id} {status}");
        }
    }
    // Of one that is stopped there is the status alone.
    assert_eq!(number(&samples, "processes", &other, None), None);
    assert_eq!(
        samples["cofferdam_unreadable_containers"][0].1.to_string(),
        "0"
    );
    let _ = case.call(&["delete", "--force", &other]).ok();
    case.delete();
}

#[test]
fn one_container_or_all_in_three_formats() {
    need!(Containers, Busybox, Controllers);
    let (case, other) = two();
    let one = case.call(&["stats", "--format", "prometheus", &other]).ok();
    let samples = exposition::read(&one.stdout);
    let ids = samples.values().flatten();
    let ids = ids.filter_map(|(labels, _)| labels.get("container"));
    assert!(ids.clone().count() > 0 && ids.into_iter().all(|id| *id == other));
    let open = case.call(&["stats", "--format", "openmetrics"]).ok();
    assert!(open.stdout.ends_with("\n# EOF\n"), "{open}");
    assert!(
        open.stdout
            .contains("# TYPE cofferdam_container_cpu_usage_seconds counter\n")
    );
    // The line of `events`, with all its keys; the stopped one has none.
    let line = case.call(&["stats"]).ok().json();
    let event = case.call(&["events", "--stats", &case.id]).ok().json();
    let keys = |value: &serde_json::Value| -> Vec<String> {
        value["data"].as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!((&line["id"], &line["type"]), (&event["id"], &event["type"]));
    assert_eq!(keys(&line), keys(&event));
    let _ = case.call(&["stats", &other]).failed(1, "is not running");
    let _ = case
        .call(&["stats", "--format", "xml"])
        .failed(1, "is none of json, prometheus, openmetrics");
    let _ = case
        .call(&["stats", "nobody"])
        .failed(1, "container does not exist");
    let _ = case.call(&["delete", "--force", &other]).ok();
    case.delete();
}

#[test]
fn what_cannot_be_read_is_counted() {
    let case = Case::new();
    let broken = case.root().join("broken");
    std::fs::create_dir_all(&broken).unwrap();
    std::fs::write(broken.join("state.json"), "{").unwrap();
    let output = case.call(&["stats", "--format", "prometheus"]).ok();
    assert!(output.stderr.contains("container broken"), "{output}");
    let samples = exposition::read(&output.stdout);
    let unreadable = &samples["cofferdam_unreadable_containers"];
    assert_eq!(unreadable[0].1.to_string(), "1");
    std::fs::remove_dir_all(broken).unwrap();
}
