//! Whatever goes wrong, nothing stays behind.

use std::fs;

use cofferdam::configs::Config;
use cofferdam::configs::config::Command;
use cofferdam::{ErrorKind, Process, Stdio, Terminal};

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
        let failing = vec![hook("echo told >&2; exit 4")];
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
            .create(&bundle.id, config, forever())
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Hook, "{}", error.chain());
        let expected =
            format!("error running {point} hook #0: exit status 4, stdout: , stderr: told");
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
    process.terminal(Some(Terminal::Socket(bundle.outside().join("nobody"))));
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
