//! What can be done with a container (ACT) and with processes added to it (EX), by the library.

use std::fs;
use std::path::Path;

use cofferdam_integration::{Case, cgroup, eventually, need};
use runtime::{
    Bundle, Child, Container, ErrorKind, ExitStatus, Process, Runtime, Signal, Status, Stdio,
};
use serde_json::json;

use super::probe;

/// A container that sleeps.
fn resident() -> (Case, Container) {
    running("exec sleep 1000")
}

/// A container that runs a script.
fn running(script: &str) -> (Case, Container) {
    let mut case = probe::case();
    case.bundle.config["root"]["readonly"] = json!(false);
    case.bundle.script(script);
    case.bundle.write();
    let runtime = Runtime::new(case.root()).unwrap();
    let mut bundle = Bundle::load(case.bundle.path()).unwrap();
    let quiet = bundle.process();
    quiet
        .stdin(Stdio::Null)
        .stdout(Stdio::Null)
        .stderr(Stdio::Null);
    let container = runtime
        .run_bundle(&case.id.parse().unwrap(), bundle)
        .unwrap();
    (case, container)
}

fn shell(script: &str) -> Process {
    let mut process = Process::new(["/bin/sh", "-c", script]);
    process
        .stdin(Stdio::Null)
        .stdout(Stdio::Null)
        .stderr(Stdio::Null);
    process
}

fn sleeper(container: &Container) -> Child {
    container.exec(shell("exec sleep 1000")).unwrap()
}

/// Kills and removes it.
#[track_caller]
fn end(case: Case, container: &Container) {
    container.signal(Signal::KILL).unwrap();
    container.wait().unwrap();
    container.destroy().unwrap();
    case.finish();
}

#[test]
fn act_1_processes() {
    need!(Root, Busybox);
    let (case, container) = resident();
    let other = sleeper(&container);
    let mut wanted = [container.pid().unwrap(), other.pid()];
    let mut found = container.processes().unwrap();
    wanted.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, wanted);
    end(case, &container);
    other.wait().unwrap();
}

#[test]
fn act_2_stats() {
    need!(Root, Busybox, Controllers);
    let (case, container) = resident();
    let stats = container.stats().unwrap();
    assert_eq!(stats.cgroup.pids.current, 1);
    assert!(stats.cgroup.memory.usage.usage > 0);
    end(case, &container);
}

#[test]
fn act_3_wait_for_the_init_process() {
    need!(Root, Busybox);
    let (case, container) = running("exit 3");
    assert_eq!(container.wait().unwrap(), ExitStatus::Exited(3));
    container.destroy().unwrap();
    case.finish();
}

#[test]
fn act_4_wait_for_any_process() {
    need!(Root, Busybox);
    let (case, container) = resident();
    let child = container.exec(shell("exit 4")).unwrap();
    assert_eq!(child.wait().unwrap(), ExitStatus::Exited(4));
    end(case, &container);
}

#[test]
fn act_5_destroy_ends_and_removes() {
    need!(Root, Busybox);
    let (case, container) = resident();
    let refused = container.destroy().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::StillRunning);
    let runtime = Runtime::new(case.root()).unwrap();
    assert!(runtime.force_delete(container.id()).unwrap());
    let ended = container.wait().unwrap();
    assert_eq!(ended, ExitStatus::Signaled(Signal::KILL));
    assert!(!fs::exists(case.root().join(&case.id)).unwrap());
    case.finish();
}

#[test]
fn act_6_signal_the_init_process() {
    need!(Root, Busybox);
    let (case, container) =
        running("trap 'exit 6' TERM; touch /ready; while :; do sleep 0.01; done");
    let ready = case.bundle.rootfs().join("ready");
    eventually("the trap is set", || fs::exists(&ready).unwrap());
    container.signal(Signal::TERM).unwrap();
    assert_eq!(container.wait().unwrap(), ExitStatus::Exited(6));
    container.destroy().unwrap();
    case.finish();
}

#[test]
fn act_7_signal_a_process() {
    need!(Root, Busybox);
    let (case, container) = resident();
    let child = sleeper(&container);
    child.signal(Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap(), ExitStatus::Signaled(Signal::TERM));
    assert_eq!(container.status().unwrap(), Status::Running);
    end(case, &container);
}

#[test]
fn act_8_pause() {
    need!(Root, Busybox);
    let (case, container) = resident();
    container.pause().unwrap();
    assert_eq!(container.status().unwrap(), Status::Paused);
    let again = container.pause().unwrap_err();
    assert_eq!(again.kind(), ErrorKind::NotRunning);
    container.resume().unwrap();
    end(case, &container);
}

#[test]
fn act_9_resume() {
    need!(Root, Busybox);
    let (case, container) = resident();
    let refused = container.resume().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotPaused);
    container.pause().unwrap();
    container.resume().unwrap();
    assert_eq!(container.status().unwrap(), Status::Running);
    end(case, &container);
}

#[test]
fn act_10_exec() {
    need!(Root, Busybox);
    let (case, container) = resident();
    let child = container
        .exec(shell("test $(hostname) = testhost"))
        .unwrap();
    assert_eq!(child.wait().unwrap(), ExitStatus::Exited(0));
    end(case, &container);
}

#[test]
fn act_11_set() {
    need!(Root, Busybox, Controllers);
    let (case, container) = resident();
    let mut config = container.config().unwrap();
    config.cgroups.resources.pids_limit = Some(11);
    container.set(&config).unwrap();
    let limit = cgroup::read("pids", &case.cgroup(), "pids.max");
    assert_eq!(limit, "11");
    assert_eq!(container.config().unwrap(), config);
    end(case, &container);
}

#[test]
fn ex_1_the_program_must_be_in_the_root_file_system() {
    need!(Root, Busybox);
    let (case, container) = resident();
    let error = container.exec(Process::new(["/usr/bin/env"])).unwrap_err();
    assert!(error.chain().contains("/usr/bin/env"), "{}", error.chain());
    end(case, &container);
}

#[test]
fn ex_2_changes_persist() {
    need!(Root, Busybox);
    let (case, container) = resident();
    for script in ["echo kept >/file", "grep kept /file"] {
        let child = container.exec(shell(script)).unwrap();
        assert_eq!(child.wait().unwrap(), ExitStatus::Exited(0), "{script}");
    }
    end(case, &container);
}

#[test]
fn ex_3_all_namespaces_are_those_of_the_container() {
    need!(Root, Busybox);
    let (case, container) = resident();
    let child = sleeper(&container);
    let of = |pid: i32, kind: &str| fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
    for kind in ["pid", "uts", "ipc", "net", "mnt", "user", "cgroup"] {
        let init = of(container.pid().unwrap(), kind);
        assert_eq!(of(child.pid(), kind), init, "{kind}");
    }
    end(case, &container);
    child.wait().unwrap();
}

#[test]
fn ex_4_it_is_frozen_with_the_container() {
    need!(Root, Busybox);
    let (case, container) = running("exec sleep 1000");
    let count = case.bundle.rootfs().join("count");
    let child = container
        .exec(shell("while :; do echo >>/count; sleep 0.01; done"))
        .unwrap();
    let length = || fs::metadata(&count).map_or(0, |file| file.len());
    eventually("it counts", || length() > 2);
    container.pause().unwrap();
    let frozen = length();
    // Its clock goes on: a process that is not frozen would count a few times meanwhile.
    assert!(!child.try_wait().is_ok_and(|ended| ended.is_some()));
    assert!(
        !container
            .wait_timeout(std::time::Duration::from_millis(100))
            .unwrap()
    );
    assert_eq!(length(), frozen);
    container.resume().unwrap();
    eventually("it counts again", || length() > frozen);
    end(case, &container);
    child.wait().unwrap();
}

#[test]
fn ex_5_it_lives_as_long_as_the_init_process() {
    need!(Root, Busybox);
    let (case, container) = resident();
    let child = sleeper(&container);
    container.signal(Signal::KILL).unwrap();
    container.wait().unwrap();
    assert_eq!(child.wait().unwrap(), ExitStatus::Signaled(Signal::KILL));
    let refused = container.exec(shell("true")).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotRunning);
    container.destroy().unwrap();
    case.finish();
}

/// A container with a process in a cgroup `below` its own.
fn in_a_cgroup_below() -> (Case, Container, Child) {
    let (case, container) = resident();
    for directory in cgroup::directories(&case.cgroup()) {
        let below = directory.join("below");
        fs::create_dir(&below).unwrap();
        // A cpuset of v1 begins empty.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let above = fs::read_to_string(directory.join(file)).unwrap_or_default();
            if fs::exists(below.join(file)).unwrap() && !above.trim().is_empty() {
                fs::write(below.join(file), above).unwrap();
            }
        }
    }
    let mut process = shell("exec sleep 1000");
    process.sub_cgroup("", "below");
    let child = container.exec(process).unwrap();
    (case, container, child)
}

#[test]
fn ex_6_it_may_have_a_cgroup_below_that_of_the_container() {
    need!(Root, Busybox);
    let (case, container, child) = in_a_cgroup_below();
    let text = fs::read_to_string(format!("/proc/{}/cgroup", child.pid())).unwrap();
    let below = format!("{}/below", case.cgroup());
    for line in text.lines() {
        assert!(line.ends_with(&below), "{line}");
    }
    end(case, &container);
    child.wait().unwrap();
}

#[test]
fn ex_7_cgroups_below_are_removed_with_the_container() {
    need!(Root, Busybox);
    let (case, container, child) = in_a_cgroup_below();
    let directories = cgroup::directories(&case.cgroup());
    assert!(!directories.is_empty());
    container.signal(Signal::KILL).unwrap();
    container.wait().unwrap();
    child.wait().unwrap();
    container.destroy().unwrap();
    let left: Vec<&Path> = directories
        .iter()
        .map(AsRef::as_ref)
        .filter(|directory: &&Path| directory.exists())
        .collect();
    assert_eq!(left, [] as [&Path; 0]);
    case.finish();
}
