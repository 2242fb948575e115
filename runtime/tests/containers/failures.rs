//! Whatever goes wrong, nothing stays behind.

use std::fs;
use std::path::Path;
use std::time::Duration;

use cofferdam::configs::Config;
use cofferdam::configs::config::Command;
use cofferdam::{ErrorKind, Process, Runtime, Status, Stdio, Terminal};

use crate::bundle::{Bundle, forever};

fn hook(script: &str) -> Command {
    Command {
        path: "/bin/sh".to_owned(),
        args: ["sh", "-c", script].map(str::to_owned).to_vec(),
        ..Command::default()
    }
}

#[test]
fn a_missing_program() {
    let Some(bundle) = Bundle::new() else { return };
    for program in ["no-such-program", "/no/such/program"] {
        let mut process = Process::new([program]);
        process.env(["PATH=/bin"]).stdin(Stdio::Null);
        let error = bundle.create(process).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Init, "{}", error.chain());
        assert!(
            error.chain().contains(&format!("exec: {program:?}")),
            "{}",
            error.chain()
        );
        bundle.assert_nothing_left();
    }
}

#[test]
fn a_missing_root() {
    let Some(mut bundle) = Bundle::new() else {
        return;
    };
    bundle.config.rootfs = "/nonexistent/rootfs".to_owned();
    bundle.create(forever()).unwrap_err();
    bundle.assert_nothing_left();
}

#[test]
fn a_failing_hook_at_any_point() {
    let Some(mut bundle) = Bundle::new() else {
        return;
    };
    let mark = bundle.outside().join("poststop");
    bundle.config.hooks.poststop = vec![hook(&format!("> {}", mark.display()))];
    for point in ["prestart", "createRuntime", "poststart"] {
        let mut hooks = bundle.config.hooks.clone();
        let failing = vec![hook("echo failed >&2; exit 4")];
        match point {
            "prestart" => hooks.prestart = failing,
            "createRuntime" => hooks.create_runtime = failing,
            _ => hooks.poststart = failing,
        }
        let config = Config {
            hooks,
            ..bundle.config.clone()
        };
        let error = bundle
            .runtime
            .run(&bundle.id, config, forever())
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Hook, "{}", error.chain());
        let expected =
            format!("error running {point} hook #0: exit status 4, stdout: , stderr: failed");
        assert!(error.chain().contains(&expected), "{}", error.chain());
        bundle.assert_nothing_left();
        assert!(mark.exists(), "the poststop hook did not run");
        fs::remove_file(&mark).unwrap();
    }
}

#[test]
fn a_console_socket_that_nobody_listens_at() {
    let Some(bundle) = Bundle::new() else { return };
    let mut process = forever();
    process.terminal(Some(Terminal::Socket(
        bundle.outside().join("without-listener"),
    )));
    let error = bundle.create(process).unwrap_err();
    assert!(
        error.chain().contains("failed to dial"),
        "{}",
        error.chain()
    );
    assert!(
        !bundle.outside().join("state").exists(),
        "something was made before the socket was tried"
    );
}

#[test]
fn a_limit_that_the_kernel_refuses() {
    let Some(mut bundle) = Bundle::new() else {
        return;
    };
    bundle.config.cgroups.resources.cpuset_cpus = "1000".to_owned();
    bundle.create(forever()).unwrap_err();
    bundle.assert_nothing_left();
}

#[test]
fn failing_hooks_inside_the_container() {
    let Some(mut bundle) = Bundle::new() else {
        return;
    };
    bundle.config.hooks.create_container = vec![hook("exit 0"), hook("echo failed >&2; exit 4")];
    let error = bundle.create(forever()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Hook);
    assert_eq!(
        error.chain(),
        "unable to start container process: error during container init: \
         error running createContainer hook #1: exit status 4, stdout: , stderr: failed"
    );
    bundle.assert_nothing_left();
}

/// The creator is killed by one of its own hooks; the rest of this test is another process.
#[test]
fn a_creator_that_is_killed_leaves_what_can_be_destroyed() {
    const CHILD: &str = "COFFERDAM_TEST_IS_KILLED";
    if let Ok(point) = std::env::var(CHILD) {
        let Some(mut bundle) = Bundle::new() else {
            return;
        };
        let suicide = vec![hook("kill -9 $PPID; sleep 1000")];
        match point.as_str() {
            "createRuntime" => bundle.config.hooks.create_runtime = suicide,
            _ => bundle.config.hooks.poststart = suicide,
        }
        println!("\n{} {}", bundle.outside().display(), bundle.id);
        let config = bundle.config.clone();
        let _ = bundle.runtime.run(&bundle.id, config, forever());
        return;
    }
    if Bundle::new().is_none() {
        return;
    }
    for (point, status) in [
        ("createRuntime", Status::Stopped),
        ("poststart", Status::Running),
    ] {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "failures::a_creator_that_is_killed_leaves_what_can_be_destroyed",
                "--nocapture",
            ])
            .env(CHILD, point)
            .output()
            .unwrap();
        assert!(!output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let (directory, id) = text
            .lines()
            .find_map(|line| line.strip_prefix('/')?.split_once(' '))
            .unwrap();
        let directory = Path::new("/").join(directory);
        let runtime = Runtime::new(directory.join("state")).unwrap();
        let container = runtime.load(&id.parse().unwrap()).unwrap();
        // The init process notices the end of its parent until it is published.
        if status == Status::Running {
            assert_eq!(container.status().unwrap(), status, "{point}");
            container.signal(cofferdam::Signal::KILL).unwrap();
        }
        assert!(
            container.wait_timeout(Duration::from_secs(60)).unwrap(),
            "{point}"
        );
        container.destroy().unwrap();
        assert_eq!(runtime.list().unwrap().count(), 0, "{point}");
        assert!(crate::bundle::cgroups_named(id).is_empty(), "{point}");
        fs::remove_dir_all(&directory).unwrap();
    }
}

#[test]
fn a_memory_limit_that_is_too_low_is_told_as_such() {
    let Some(mut bundle) = Bundle::new() else {
        return;
    };
    bundle.config.cgroups.resources.memory = 4096;
    let error = bundle.create(forever()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OomKilled, "{}", error.chain());
    assert_eq!(
        error.chain(),
        "container init was OOM-killed (memory limit too low?)"
    );
    bundle.assert_nothing_left();
}

#[test]
fn one_process_is_enough_to_start() {
    let Some(mut bundle) = Bundle::new() else {
        return;
    };
    bundle.config.cgroups.resources.pids_limit = Some(1);
    let container = bundle.run(crate::bundle::shell("exit 8")).unwrap();
    assert_eq!(container.wait().unwrap().code(), 8);
    container.destroy().unwrap();
    bundle.assert_nothing_left();
}
