//! Limits, update, pause, events, on both versions of cgroups.

use cofferdam_integration::limited::{TIMEOUT, wait};
use cofferdam_integration::{Case, Limited, cgroup, eventually, need};
use serde_json::{Value, json};

/// What a limit is in the container's cgroup: on v1 a file of a controller, on v2 a file; and what
/// each then holds.
struct Shown<'a> {
    v1: (&'a str, &'a str, String),
    v2: (&'a str, String),
}

impl Shown<'_> {
    #[track_caller]
    fn check(&self, case: &Case) {
        let (controller, file, wanted) = if cgroup::is_unified() {
            ("", self.v2.0, &self.v2.1)
        } else {
            (self.v1.0, self.v1.1, &self.v1.2)
        };
        assert_eq!(
            &cgroup::read(controller, &case.cgroup(), file),
            wanted,
            "{file}"
        );
    }
}

fn memory(mebibytes: u64) -> Shown<'static> {
    let bytes = (mebibytes << 20).to_string();
    Shown {
        v1: ("memory", "memory.limit_in_bytes", bytes.clone()),
        v2: ("memory.max", bytes),
    }
}

fn reservation(mebibytes: u64) -> Shown<'static> {
    let bytes = (mebibytes << 20).to_string();
    Shown {
        v1: ("memory", "memory.soft_limit_in_bytes", bytes.clone()),
        v2: ("memory.low", bytes),
    }
}

/// The weight is what the shares are on the other scale: 2, 1024 and 262144 are 1, 100 and 10000.
fn shares(shares: u64, weight: u64) -> Shown<'static> {
    Shown {
        v1: ("cpu", "cpu.shares", shares.to_string()),
        v2: ("cpu.weight", weight.to_string()),
    }
}

/// Microseconds of each 100,000.
fn quota(quota: u64) -> Shown<'static> {
    Shown {
        v1: ("cpu", "cpu.cfs_quota_us", quota.to_string()),
        v2: ("cpu.max", format!("{quota} 100000")),
    }
}

fn pids(limit: &str) -> Shown<'static> {
    Shown {
        v1: ("pids", "pids.max", limit.to_owned()),
        v2: ("pids.max", limit.to_owned()),
    }
}

fn cpus(list: &str) -> Shown<'static> {
    Shown {
        v1: ("cpuset", "cpuset.cpus", list.to_owned()),
        v2: ("cpuset.cpus", list.to_owned()),
    }
}

fn limited(resources: Value) -> Case {
    let mut case = Case::new();
    for (name, value) in resources.as_object().unwrap() {
        case.bundle.config["linux"]["resources"][name] = value.clone();
    }
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    case
}

#[test]
fn limits_are_written_to_the_cgroup() {
    need!(Containers, Busybox, Controllers);
    let case = limited(json!({
        "memory": { "limit": 64 << 20, "reservation": 32 << 20 },
        "cpu": { "shares": 512, "quota": 50_000, "period": 100_000, "cpus": "0" },
        "pids": { "limit": 20 },
    }));
    for limit in [
        memory(64),
        reservation(32),
        shares(512, 59),
        quota(50_000),
        cpus("0"),
        pids("20"),
    ] {
        limit.check(&case);
    }
    let pid = case.pid().to_string();
    for controller in ["memory", "cpu", "pids", "devices", "freezer"] {
        let members = cgroup::read(controller, &case.cgroup(), "cgroup.procs");
        assert!(members.lines().any(|line| line == pid), "{controller}");
    }
    case.delete();
}

#[test]
fn update_changes_what_is_given() {
    need!(Containers, Busybox, Controllers);
    let case = limited(json!({ "memory": { "limit": 64 << 20 }, "pids": { "limit": 20 } }));
    let _ = case
        .call(&[
            "update",
            "--memory",
            "96m",
            "--pids-limit",
            "30",
            "--cpu-share",
            "200",
            &case.id,
        ])
        .ok();
    for limit in [memory(96), pids("30"), shares(200, 29)] {
        limit.check(&case);
    }
    let resources =
        json!({ "memory": { "limit": 80 << 20 }, "cpu": { "quota": 20_000, "period": 100_000 } });
    let _ = case
        .command(&["update", "--resources", "-", &case.id])
        .input(resources.to_string())
        .output()
        .ok();
    // What was not given stays.
    for limit in [memory(80), quota(20_000), shares(200, 29), pids("30")] {
        limit.check(&case);
    }
    case.delete();
}

#[test]
fn no_processes_is_a_limit_of_one() {
    need!(Containers, Busybox, Controllers, Cofferdam);
    let case = limited(json!({ "pids": { "limit": 20 } }));
    for (given, limit) in [("0", "1"), ("-1", "max"), ("7", "7")] {
        let flag = format!("--pids-limit={given}");
        let _ = case.call(&["update", &flag, &case.id]).ok();
        pids(limit).check(&case);
    }
    case.delete();
}

#[test]
fn an_update_that_the_kernel_refuses_changes_nothing() {
    need!(Containers, Busybox, Controllers);
    let case = limited(json!({ "memory": { "limit": 64 << 20 } }));
    assert_eq!(
        case.call(&["update", "--cpuset-cpus", "4000-5000", &case.id])
            .code,
        1
    );
    let _ = case
        .call(&["update", "--memory", "lots", &case.id])
        .failed(1, "invalid value for memory");
    memory(64).check(&case);
    case.delete();
}

/// What the files of a container's limits say.
fn contents(case: &Case) -> Vec<String> {
    let files = if cgroup::is_unified() {
        [
            "memory.max",
            "memory.low",
            "cpu.weight",
            "cpu.max",
            "pids.max",
        ]
        .map(|file| ("", file))
    } else {
        [
            ("memory", "memory.limit_in_bytes"),
            ("memory", "memory.soft_limit_in_bytes"),
            ("cpu", "cpu.shares"),
            ("cpu", "cpu.cfs_period_us"),
            ("pids", "pids.max"),
        ]
    };
    let read = |(controller, file): (&str, &str)| cgroup::read(controller, &case.cgroup(), file);
    files.map(read).to_vec()
}

#[test]
fn limits_that_were_none_are_none_again_after_a_refused_update() {
    need!(Containers, Busybox, Controllers, Cofferdam);
    let case = limited(json!({}));
    let before = contents(&case);
    let new = [
        "update",
        "--memory=64m",
        "--memory-reservation=32m",
        "--pids-limit=50",
        "--cpu-period=50000",
        "--cpu-share=300",
    ];
    for refused in [
        "--cpuset-cpus=4000",
        "--cpu-quota=1",
        "--l3-cache-schema=L3:0=f",
    ] {
        let line: Vec<_> = new.into_iter().chain([refused, &case.id]).collect();
        let output = case.call(&line);
        assert_eq!(output.code, 1, "{refused}: {output}");
        assert_eq!(contents(&case), before, "{refused}: {output}");
    }
    // One that can be made is made, and the next one that is refused goes back to it.
    let line: Vec<_> = new.into_iter().chain([case.id.as_str()]).collect();
    let _ = case.call(&line).ok();
    let made = contents(&case);
    assert_ne!(made, before);
    let refused = [
        "update",
        "--memory=80m",
        "--cpu-share=400",
        "--cpuset-cpus=4000",
        &case.id,
    ];
    assert_eq!(case.call(&refused).code, 1);
    assert_eq!(contents(&case), made);
    case.delete();
}

#[test]
fn an_update_that_cannot_be_recorded_changes_nothing() {
    need!(Root, Busybox, Controllers, Cofferdam);
    let case = limited(json!({ "memory": { "limit": 64 << 20 } }));
    let before = contents(&case);
    let recorded = || {
        let path = case.root().join(&case.id).join("state.json");
        std::fs::read_to_string(path).unwrap()
    };
    let record = recorded();
    // The state root is read-only for the command, and full.
    for script in [
        r#"mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@""#,
        r#"cp -a "$1" "$1.copy" && mount -t tmpfs -o size=64k,mode=700 tmpfs "$1" && cp -a "$1.copy/." "$1" && rm -r "$1.copy" &&
           { cat /dev/zero >"$1/fill" 2>/dev/null; shift; exec "$@"; }"#,
    ] {
        let root = case.root().to_str().unwrap();
        let program = case.program.to_str().unwrap();
        let output = Limited::new("unshare")
            .args([
                "--mount",
                "--propagation=private",
                "sh",
                "-c",
                script,
                "sh",
                root,
            ])
            .args([
                program,
                "--root",
                root,
                "update",
                "--memory=80m",
                "--pids-limit=50",
                &case.id,
            ])
            .output();
        assert_eq!(output.code, 1, "{output}");
        assert_eq!(contents(&case), before, "{output}");
        assert_eq!(recorded(), record);
    }
    case.delete();
}

#[test]
fn null_sections_of_an_update_are_no_limits() {
    need!(Containers, Busybox, Controllers, Cofferdam);
    let case = limited(json!({ "memory": { "limit": 64 << 20 } }));
    let _ = case
        .command(&["update", "--resources", "-", &case.id])
        .input(r#"{"memory":null,"cpu":null}"#)
        .output()
        .ok();
    memory(64).check(&case);
    case.delete();
}

#[test]
fn pause_stops_everything_until_resume() {
    need!(Containers, Busybox);
    let case = limited(json!({}));
    let _ = case
        .call(&["resume", &case.id])
        .failed(1, "container not paused");
    let _ = case.call(&["pause", &case.id]).ok();
    assert_eq!(case.status(), "paused");
    let _ = case
        .call(&["pause", &case.id])
        .failed(1, "container not running");
    let _ = case
        .exec(&["/bin/true"])
        .failed(255, "cannot exec in a paused container");
    let _ = case.call(&["resume", &case.id]).ok();
    assert_eq!(case.status(), "running");
    let _ = case.exec(&["/bin/true"]).ok();
    case.delete();
}

#[test]
fn a_paused_container_stays_paused_through_an_update() {
    need!(Containers, Busybox, Controllers);
    let case = limited(json!({ "memory": { "limit": 64 << 20 } }));
    let _ = case.call(&["pause", &case.id]).ok();
    let _ = case.call(&["update", "--memory", "80m", &case.id]).ok();
    assert_eq!(case.status(), "paused");
    let _ = case.call(&["resume", &case.id]).ok();
    case.delete();
}

#[test]
fn statistics_are_what_engines_read() {
    need!(Containers, Busybox, Controllers);
    let case = limited(json!({ "memory": { "limit": 64 << 20 }, "pids": { "limit": 20 } }));
    let line = case.call(&["events", "--stats", &case.id]).ok();
    assert_eq!(line.lines().len(), 1);
    let event = line.json();
    assert_eq!(
        (event["type"].as_str(), event["id"].as_str()),
        (Some("stats"), Some(case.id.as_str()))
    );
    let data = &event["data"];
    assert_eq!(data["memory"]["usage"]["limit"], 64 << 20);
    assert!(data["memory"]["usage"]["usage"].as_u64().unwrap() > 0);
    assert_eq!(
        (
            data["pids"]["current"].as_u64(),
            data["pids"]["limit"].as_u64()
        ),
        (Some(1), Some(20))
    );
    assert!(data["cpu"]["usage"]["total"].as_u64().unwrap() > 0);
    for key in [
        "cpu",
        "cpuset",
        "memory",
        "pids",
        "blkio",
        "hugetlb",
        "intel_rdt",
        "network_interfaces",
    ] {
        assert!(data.get(key).is_some(), "{key}: {line}");
    }
    let _ = case
        .call(&["events", "--interval", "0s", &case.id])
        .failed(1, "duration interval must be greater than 0");
    case.delete();
}

#[test]
fn a_program_that_needs_too_much_memory_is_killed() {
    need!(Containers, Busybox, Controllers);
    let mut case = Case::new();
    case.bundle.too_little_memory();
    assert_eq!(case.run().code, 137);
    case.finish();
}

#[test]
fn events_tell_of_killed_processes() {
    need!(Containers, Busybox, Controllers);
    let case = limited(json!({ "memory": { "limit": 32 << 20, "swap": 32 << 20 } }));
    let log = case.bundle.path().join("events");
    let file = std::fs::File::create(&log).unwrap();
    let mut events = case
        .command(&["events", "--interval", "100ms", &case.id])
        .spawn(file.into());
    let text = || std::fs::read_to_string(&log).unwrap();
    eventually("statistics are shown", || {
        text().contains("\"type\":\"stats\"")
    });
    let _ = case.exec(&[
        "/bin/dd",
        "if=/dev/zero",
        "of=/dev/null",
        "bs=100M",
        "count=1",
    ]);
    eventually("the kill is reported", || {
        text().contains("\"type\":\"oom\"")
    });
    let _ = case.call(&["kill", &case.id, "KILL"]).ok();
    let _ = case.call(&["delete", "--force", &case.id]).ok();
    assert!(wait(&events, TIMEOUT), "events ends with the container");
    let _ = events.wait();
    case.finish();
}

#[test]
fn a_cgroup_that_is_in_use_is_refused() {
    need!(Containers, Busybox, Controllers, Cofferdam);
    let first = limited(json!({}));
    let mut second = Case::new();
    second.bundle.config["linux"]["cgroupsPath"] = json!(first.cgroup());
    let _ = second
        .run()
        .failed(1, "container's cgroup is not empty: 1 process(es) found");
    assert_eq!(first.status(), "running");
    second.bundle.config["linux"]["cgroupsPath"] = json!("/cofferdam/none");
    second.finish();
    first.delete();
}
