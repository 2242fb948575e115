//! `state`, `stats`, `pause`, `unpause`, `oom`.

use std::fs;
use std::process::Stdio;

use cofferdam_integration::{eventually, need};

use super::subject::{Subject, WAIT, end, ended};

#[test]
fn state_shows_the_record_of_a_running_container() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    let first = subject.start(&[], WAIT);
    let state = subject.state().unwrap();
    for key in [
        "id",
        "init_process_pid",
        "init_process_start",
        "cgroup_paths",
        "namespace_paths",
        "config",
        "external_descriptors",
    ] {
        assert!(!state[key].is_null(), "{key}: {state}");
    }
    assert_eq!(state["id"], "nsinit");
    let pid = state["init_process_pid"].as_i64().unwrap();
    assert_eq!(
        state["namespace_paths"]["NEWNS"],
        format!("/proc/{pid}/ns/mnt")
    );
    assert_eq!(state["external_descriptors"].as_array().unwrap().len(), 3);
    let kept = fs::read_to_string(subject.root().join("nsinit/state.json")).unwrap();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&kept).unwrap(),
        state
    );
    assert_eq!(end(first), Some(3));
    let _ = subject
        .call(&["state"])
        .failed(1, "container does not exist");
    subject.finish();
}

#[test]
fn stats_have_the_names_of_2015() {
    need!(Root, Busybox, Cofferdam, Controllers);
    let subject = Subject::new();
    let first = subject.start(&[], WAIT);
    let stats = subject.call(&["stats"]).ok().json();
    let counters = &stats["CgroupStats"];
    assert!(
        counters["cpu_stats"]["cpu_usage"]["total_usage"].as_u64() > Some(0),
        "{stats}"
    );
    assert!(
        counters["memory_stats"]["usage"]["usage"].as_u64() > Some(0),
        "{stats}"
    );
    assert!(
        counters["blkio_stats"].is_object() && stats["Interfaces"].is_null(),
        "{stats}"
    );
    assert_eq!(end(first), Some(3));
    let _ = subject
        .call(&["stats"])
        .failed(1, "container does not exist");
    subject.finish();
}

#[test]
fn a_paused_container_is_seen_as_such_by_others() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    let first = subject.start(&[], WAIT);
    for _ in 0..2 {
        let paused = subject.call(&["pause"]).ok();
        assert_eq!((&*paused.stdout, &*paused.stderr), ("", ""));
    }
    let _ = subject.exec(&[], "true").failed(1, "paused container");
    for _ in 0..2 {
        let resumed = subject.call(&["unpause"]).ok();
        assert_eq!((&*resumed.stdout, &*resumed.stderr), ("", ""));
    }
    let _ = subject.exec(&[], "true").ok();
    assert_eq!(end(first), Some(3));
    for command in ["pause", "unpause", "oom"] {
        let _ = subject
            .call(&[command])
            .failed(1, "container does not exist");
    }
    subject.finish();
}

#[test]
fn oom_logs_a_line_for_each_time_and_ends_with_the_container() {
    need!(Root, Busybox, Cofferdam, Controllers);
    let subject = Subject::new();
    let first = subject.start(&["--memory-limit=16777216", "--memory-swap=16777216"], WAIT);
    let said = subject.root().with_extension("oom");
    let mut watch = subject
        .command(&["oom"])
        .stdin(Stdio::null())
        .stderr(fs::File::create(&said).unwrap())
        .spawn()
        .unwrap();
    let lines = || fs::read_to_string(&said).unwrap();
    // It may not be watching yet the first time.
    eventually("a line is logged", || {
        let hungry = subject.exec(&[], "exec dd if=/dev/zero of=/dev/null bs=100M count=1");
        assert_eq!(hungry.code, 128 + 9, "{hungry}");
        lines().contains("OOM notification received")
    });
    assert_eq!(end(first), Some(3));
    assert_eq!(ended(&mut watch), Some(0));
    fs::remove_file(&said).unwrap();
    subject.finish();
}
