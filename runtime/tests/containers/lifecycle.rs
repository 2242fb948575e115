//! create, start, signal, pause, set, destroy.

use std::fs;
use std::time::Duration;

use cofferdam::configs::config::{Command, IdMap, NamespaceType};
use cofferdam::{ErrorKind, Event, ExitStatus, Signal, Status};

use crate::bundle::{Bundle, cgroups_named, forever, output, shell, wait_for_output};

#[test]
fn the_whole_life() {
    let Some(bundle) = Bundle::new() else { return };
    let mut container = bundle
        .create(shell("echo hello from $$ on $(hostname); exit 7"))
        .unwrap();
    assert_eq!(container.status().unwrap(), Status::Created);
    assert_eq!(container.init().unwrap().try_wait().unwrap(), None);
    let pid = container.pid().unwrap();
    let state = container.oci_state().unwrap();
    assert_eq!((state.pid, state.status), (pid, Status::Created));
    assert_eq!(
        state.annotations.get("purpose").map(String::as_str),
        Some("test")
    );
    assert_eq!(bundle.runtime.list().unwrap().count(), 1);

    container.start().unwrap();
    assert_eq!(output(&mut container), "hello from 1 on inside\n");
    assert_eq!(container.wait().unwrap(), ExitStatus::Exited(7));
    assert_eq!(container.status().unwrap(), Status::Stopped);
    assert_eq!(container.oci_state().unwrap().pid, 0);
    assert!(
        container
            .start()
            .unwrap_err()
            .to_string()
            .contains("stopped")
    );
    container.destroy().unwrap();
    bundle.assert_nothing_left();
    assert_eq!(container.destroy().unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_created_container_is_started_once_and_by_anybody() {
    let Some(bundle) = Bundle::new() else { return };
    let _maker = bundle.create(forever()).unwrap();
    let results: Vec<_> = std::thread::scope(|scope| {
        let starters: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| bundle.runtime.load(&bundle.id).unwrap().start()))
            .collect();
        starters
            .into_iter()
            .map(|starter| starter.join().unwrap())
            .collect()
    });
    assert_eq!(
        results.iter().filter(|result| result.is_ok()).count(),
        1,
        "{results:?}"
    );
    for error in results.into_iter().filter_map(Result::err) {
        assert_eq!(
            error.to_string(),
            "cannot start an already running container"
        );
    }
    let other = bundle.runtime.load(&bundle.id).unwrap();
    assert_eq!(other.status().unwrap(), Status::Running);
    assert_eq!(other.destroy().unwrap_err().kind(), ErrorKind::StillRunning);
    other.signal(Signal::KILL).unwrap();
    assert_eq!(other.wait().unwrap(), ExitStatus::Unknown);
    other.destroy().unwrap();
    bundle.assert_nothing_left();
}

#[test]
fn a_created_container_can_be_destroyed() {
    let Some(bundle) = Bundle::new() else { return };
    let container = bundle.create(forever()).unwrap();
    container.destroy().unwrap();
    assert_eq!(
        container.wait().unwrap(),
        ExitStatus::Signaled(Signal::KILL)
    );
    bundle.assert_nothing_left();
}

/// Another command looks at a container just after its directory was made, and destroys it when it
/// is complete.
#[test]
fn a_container_is_destroyed_as_it_is_not_as_it_was_loaded() {
    let Some(bundle) = Bundle::new() else { return };
    let maker = bundle.create(forever()).unwrap();
    let file = maker.directory().join("state.json");
    let complete = fs::read(&file).unwrap();
    let mut before: serde_json::Value = serde_json::from_slice(&complete).unwrap();
    before["init_process_pid"] = (-1).into();
    before["cgroup_paths"] = serde_json::json!({});
    before["creator"] = serde_json::json!({"pid": std::process::id(), "start": 0});
    fs::write(&file, before.to_string()).unwrap();
    let container = bundle.runtime.load(&bundle.id).unwrap();
    fs::write(&file, &complete).unwrap();
    assert_eq!(container.processes().unwrap(), [maker.pid().unwrap()]);
    container.destroy().unwrap();
    maker.wait().unwrap();
    bundle.assert_nothing_left();
}

#[test]
fn a_second_container_of_the_same_name_is_refused_and_harms_nobody() {
    let Some(bundle) = Bundle::new() else { return };
    let first = bundle.run(forever()).unwrap();
    assert_eq!(
        bundle.create(forever()).unwrap_err().kind(),
        ErrorKind::AlreadyExists
    );
    assert_eq!(first.status().unwrap(), Status::Running);
    assert!(!cgroups_named(bundle.id.as_str()).is_empty());
    first.signal(Signal::KILL).unwrap();
    first.wait().unwrap();
    first.destroy().unwrap();
    bundle.assert_nothing_left();
}

#[test]
fn a_cgroup_in_use_is_refused() {
    let Some(first) = Bundle::new() else { return };
    let Some(mut second) = Bundle::new() else {
        return;
    };
    let container = first.run(forever()).unwrap();
    second.config.cgroups = first.config.cgroups.clone();
    let error = second.create(forever()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CgroupInUse);
    assert!(
        error
            .chain()
            .contains("container's cgroup is not empty: 1 process(es) found"),
        "{}",
        error.chain()
    );
    assert_eq!(container.status().unwrap(), Status::Running);
    second.assert_nothing_left();
}

/// On cgroup v1 another container may use the name in one hierarchy only.
#[test]
fn what_was_made_beside_a_cgroup_in_use_is_removed() {
    let Some(bundle) = Bundle::new() else { return };
    let devices = std::path::Path::new("/sys/fs/cgroup/devices");
    if !devices.is_dir() {
        eprintln!("skipped: needs cgroup v1");
        return;
    }
    let used = devices.join(bundle.id.as_str());
    fs::create_dir(&used).unwrap();
    let mut other = std::process::Command::new("/bin/sleep")
        .arg("1000")
        .spawn()
        .unwrap();
    fs::write(used.join("cgroup.procs"), other.id().to_string()).unwrap();
    let error = bundle.create(forever()).unwrap_err();
    let left = cgroups_named(bundle.id.as_str());
    other.kill().unwrap();
    other.wait().unwrap();
    fs::remove_dir(&used).unwrap();
    assert_eq!(error.kind(), ErrorKind::CgroupInUse);
    assert_eq!(left, [used]);
    bundle.assert_nothing_left();
}

#[test]
fn paused_processes_stand_still_until_resumed() {
    let Some(bundle) = Bundle::new() else { return };
    let container = bundle.run(forever()).unwrap();
    container.pause().unwrap();
    assert_eq!(container.status().unwrap(), Status::Paused);
    assert_eq!(
        container.pause().unwrap_err().to_string(),
        "container not running"
    );
    assert_eq!(container.destroy().unwrap_err().kind(), ErrorKind::Paused);
    container.resume().unwrap();
    assert_eq!(container.status().unwrap(), Status::Running);
    assert_eq!(container.resume().unwrap_err().kind(), ErrorKind::NotPaused);
    // A paused one dies, too.
    container.pause().unwrap();
    container.signal(Signal::KILL).unwrap();
    assert_eq!(
        container.wait().unwrap(),
        ExitStatus::Signaled(Signal::KILL)
    );
    container.destroy().unwrap();
    bundle.assert_nothing_left();
}

#[test]
fn processes_and_statistics_are_those_of_the_container() {
    let Some(bundle) = Bundle::new() else { return };
    let mut container = bundle.run(shell("sleep 100000 & echo; wait")).unwrap();
    wait_for_output(&mut container);
    let pids = container.processes().unwrap();
    assert_eq!(pids.len(), 2);
    assert!(pids.contains(&container.pid().unwrap()));
    assert_eq!(container.stats().unwrap().cgroup.pids.current, 2);
    container.signal_all(Signal::KILL).unwrap();
    container.wait().unwrap();
    assert!(container.processes().unwrap().is_empty());
    container.destroy().unwrap();
    assert!(container.processes().unwrap().is_empty());
    bundle.assert_nothing_left();
}

#[test]
fn a_changed_limit_is_in_force_and_recorded() {
    let Some(mut bundle) = Bundle::new() else {
        return;
    };
    bundle.config.cgroups.resources.pids_limit = Some(20);
    let container = bundle.run(forever()).unwrap();
    assert_eq!(container.stats().unwrap().cgroup.pids.limit, 20);
    let mut config = container.config().unwrap();
    config.cgroups.resources.pids_limit = Some(30);
    container.set(&config).unwrap();
    assert_eq!(container.stats().unwrap().cgroup.pids.limit, 30);
    assert_eq!(
        container.config().unwrap().cgroups.resources.pids_limit,
        Some(30)
    );
    // Refused by the kernel: the former limits stay.
    config.cgroups.resources.pids_limit = Some(40);
    config.cgroups.resources.cpuset_cpus = "1000".to_owned();
    container.set(&config).unwrap_err();
    assert_eq!(container.stats().unwrap().cgroup.pids.limit, 30);
    assert_eq!(
        container.config().unwrap().cgroups.resources.pids_limit,
        Some(30)
    );
    container.signal(Signal::KILL).unwrap();
    container.wait().unwrap();
    container.destroy().unwrap();
}

#[test]
fn killing_reaches_everybody_without_a_pid_namespace() {
    let Some(mut bundle) = Bundle::new() else {
        return;
    };
    bundle.config.namespaces.remove(NamespaceType::Pid);
    let mut container = bundle.run(shell("sleep 100000 & echo; wait")).unwrap();
    wait_for_output(&mut container);
    // The init process alone.
    container.init().unwrap().signal(Signal::KILL).unwrap();
    container.wait().unwrap();
    assert_eq!(container.processes().unwrap().len(), 1);
    assert_eq!(container.status().unwrap(), Status::Stopped);
    container.signal(Signal::KILL).unwrap();
    container.destroy().unwrap();
    bundle.assert_nothing_left();
}

#[test]
fn hooks_run_at_their_points_with_the_state() {
    let Some(mut bundle) = Bundle::new() else {
        return;
    };
    let log = bundle.outside().join("log");
    let hook = |name: &str| Command {
        path: "/bin/sh".to_owned(),
        args: [
            "sh",
            "-c",
            &format!("(echo {name}; cat; echo) >> {}", log.display()),
        ]
        .map(str::to_owned)
        .to_vec(),
        ..Command::default()
    };
    bundle.config.hooks.prestart = vec![hook("prestart")];
    bundle.config.hooks.create_runtime = vec![hook("createRuntime")];
    bundle.config.hooks.poststart = vec![hook("poststart")];
    bundle.config.hooks.poststop = vec![hook("poststop")];
    let container = bundle.create(shell("true")).unwrap();
    let pid = container.pid().unwrap();
    let lines_of = || fs::read_to_string(&log).unwrap().lines().count();
    assert_eq!(lines_of(), 4, "poststart comes with start");
    container.start().unwrap();
    let text = fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        [lines[0], lines[2], lines[4]],
        ["prestart", "createRuntime", "poststart"]
    );
    for (line, status) in [
        (lines[1], "creating"),
        (lines[3], "creating"),
        (lines[5], "running"),
    ] {
        let state: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            (state["status"].as_str(), state["pid"].as_i64()),
            (Some(status), Some(i64::from(pid))),
            "{line}"
        );
        assert_eq!(state["id"], bundle.id.as_str());
    }
    container.wait().unwrap();
    container.destroy().unwrap();
    let text = fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[6], "poststop");
    let state: serde_json::Value = serde_json::from_str(lines[7]).unwrap();
    assert_eq!(
        (state["status"].as_str(), state.get("pid")),
        (Some("stopped"), None)
    );
    bundle.assert_nothing_left();
}

#[test]
fn a_hook_before_the_program_does_not_keep_its_container_from_being_ended() {
    let Some(mut bundle) = Bundle::new() else {
        return;
    };
    let script = "> /tmp/here; exec sleep 100000";
    bundle.config.hooks.start_container = vec![Command {
        path: "/bin/sh".to_owned(),
        args: ["sh", "-c", script].map(str::to_owned).to_vec(),
        ..Command::default()
    }];
    let ends = |container: &cofferdam::Container| {
        let here = bundle.rootfs().join("tmp/here");
        while !here.exists() {
            std::thread::yield_now();
        }
        container.signal(Signal::TERM).unwrap();
        assert!(container.wait_timeout(Duration::from_secs(20)).unwrap());
        container.destroy().unwrap();
        fs::remove_file(here).unwrap();
    };
    ends(&bundle.run(forever()).unwrap());
    let container = bundle.create(forever()).unwrap();
    container.start().unwrap();
    ends(&container);
    // One that waits for its start is ended as well, from the moment it is there.
    let container = bundle.create(forever()).unwrap();
    container.signal(Signal::TERM).unwrap();
    assert!(container.wait_timeout(Duration::from_secs(20)).unwrap());
}

#[test]
fn running_out_of_memory_is_an_event() {
    let Some(mut bundle) = Bundle::new() else {
        return;
    };
    bundle.config.cgroups.resources.memory = 16 << 20;
    let process = shell("read go < /go; x=x; while :; do x=$x$x; done");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        bundle.rootfs().join("go"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o666),
        0,
    )
    .unwrap();
    let container = bundle.run(process).unwrap();
    let events = container.events(Some(Duration::from_secs(3600))).unwrap();
    fs::write(bundle.rootfs().join("go"), "go\n").unwrap();
    let seen: Vec<_> = events.map(Result::unwrap).collect();
    let statistics = seen
        .iter()
        .filter(|event| matches!(event, Event::Stats(Ok(_))));
    assert_eq!(statistics.count(), 1, "{seen:?}");
    assert!(
        seen.iter().any(|event| matches!(event, Event::OutOfMemory)),
        "{seen:?}"
    );
    assert_eq!(
        container.wait().unwrap(),
        ExitStatus::Signaled(Signal::KILL)
    );
    container.destroy().unwrap();
    bundle.assert_nothing_left();
}

#[test]
fn many_threads_make_containers_at_a_time() {
    let bundles: Vec<_> = (0..8).map_while(|_| Bundle::new()).collect();
    std::thread::scope(|scope| {
        for (number, bundle) in (0_u8..).zip(&bundles) {
            scope.spawn(move || {
                let mut container = bundle.run(shell(&format!("exit {number}"))).unwrap();
                let text = output(&mut container);
                assert_eq!(
                    container.wait().unwrap(),
                    ExitStatus::Exited(number),
                    "{text}"
                );
                container.destroy().unwrap();
                bundle.assert_nothing_left();
            });
        }
    });
}

#[test]
fn a_container_outlives_the_thread_that_made_it() {
    let Some(bundle) = Bundle::new() else { return };
    let container = std::thread::scope(|scope| {
        scope
            .spawn(|| bundle.run(forever()).unwrap())
            .join()
            .unwrap()
    });
    assert!(!container.wait_timeout(Duration::from_millis(50)).unwrap());
    assert_eq!(container.status().unwrap(), Status::Running);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_async_program_makes_containers_in_blocking_tasks() {
    let bundles: Vec<_> = (0..4).map_while(|_| Bundle::new()).collect();
    let tasks: Vec<_> = (0_u8..)
        .zip(bundles)
        .map(|(number, bundle)| {
            tokio::task::spawn_blocking(move || {
                let container = bundle.run(shell(&format!("exit {number}"))).unwrap();
                let status = container.wait().unwrap();
                container.destroy().unwrap();
                status
            })
        })
        .collect();
    for (number, task) in (0_u8..).zip(tasks) {
        assert_eq!(task.await.unwrap(), ExitStatus::Exited(number));
    }
}

#[test]
fn a_user_namespace_gets_its_maps_and_owns_its_pipes() {
    let Some(mut bundle) = Bundle::new() else {
        return;
    };
    let map = vec![IdMap {
        container_id: 0,
        host_id: 100_000,
        size: 65_536,
    }];
    bundle.config.namespaces.set(NamespaceType::User, "");
    bundle.config.uid_mappings.clone_from(&map);
    bundle.config.gid_mappings = map;
    fs::set_permissions(
        bundle.outside(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let mut container = bundle
        .run(shell(
            "cat /proc/self/uid_map; id -u; ls -ln /proc/self/fd/ >&2; echo > /dev/stdout",
        ))
        .unwrap();
    let text = output(&mut container);
    assert!(text.contains("100000      65536\n0\n"), "{text}");
    assert!(container.wait().unwrap().success(), "{text}");
    container.destroy().unwrap();
    bundle.assert_nothing_left();
}

#[test]
fn state_json_is_what_other_tools_read() {
    let Some(bundle) = Bundle::new() else { return };
    let container = bundle.create(forever()).unwrap();
    let text = fs::read_to_string(container.directory().join("state.json")).unwrap();
    let state: serde_json::Value = serde_json::from_str(&text).unwrap();
    let pid = container.pid().unwrap();
    assert_eq!(state["id"], bundle.id.as_str());
    assert_eq!(state["init_process_pid"], pid);
    assert!(state["init_process_start"].as_u64().unwrap() > 0);
    assert_eq!(
        state["namespace_paths"]["NEWNET"],
        format!("/proc/{pid}/ns/net")
    );
    assert_eq!(state["namespace_paths"].as_object().unwrap().len(), 8);
    assert_eq!(
        state["external_descriptors"],
        serde_json::json!(["/dev/null", "/dev/null", "/dev/null"])
    );
    assert_eq!(state["config"]["rootfs"], bundle.rootfs().to_str().unwrap());
    for path in state["cgroup_paths"].as_object().unwrap().values() {
        let processes =
            fs::read_to_string(std::path::Path::new(path.as_str().unwrap()).join("cgroup.procs"))
                .unwrap();
        assert_eq!(processes.trim(), pid.to_string(), "{path}");
    }
    assert!(state.get("creator").is_none());
    container.destroy().unwrap();
}

/// `force_delete` kills the processes of a container before it has the lock, if that is taken: who
/// holds it may wait for them.
#[test]
fn a_container_that_is_deleted_by_force_while_it_is_locked_leaves_no_child() {
    let Some(bundle) = Bundle::new() else { return };
    let container = bundle.run(forever()).unwrap();
    let pid = container.pid().unwrap();
    let directory = fs::File::open(container.directory()).unwrap();
    drop(container);
    directory.lock().unwrap();
    std::thread::scope(|scope| {
        let deletion = scope.spawn(|| bundle.runtime.force_delete(&bundle.id));
        let stat = format!("/proc/{pid}/stat");
        while !fs::read_to_string(&stat).unwrap().contains(") Z ") {
            std::thread::yield_now();
        }
        directory.unlock().unwrap();
        assert!(deletion.join().unwrap().unwrap());
    });
    assert!(!fs::exists(format!("/proc/{pid}")).unwrap(), "a zombie");
    bundle.assert_nothing_left();
}
