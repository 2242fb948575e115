//! The text in front of failures: that of runc 1.5, which engines, scripts and its own suite look
//! for.

use cofferdam_integration::{Case, need};
use serde_json::{Value, json};

use crate::refusals::set;

const NOT_STARTED: &str = "unable to start container process: ";
const DURING_INIT: &str = "unable to start container process: error during container init: ";

/// What `create` and `run` say for a change of the configuration, after their own name.
#[track_caller]
fn says(pointer: &str, value: Value, text: &str) {
    let mut case = Case::new();
    set(&mut case.bundle.config, pointer, value);
    for command in ["create", "run"] {
        let output = case.call(&[command, &case.id]);
        assert_eq!(output.code, 1, "{pointer}: {output}");
        let expected = format!("{command} failed: {text}");
        assert!(
            output.stderr.replace("\\\"", "\"").contains(&expected),
            "{pointer}: not {expected:?}: {output}"
        );
        case.nothing_left();
    }
    case.finish();
}

#[test]
fn hooks_before_the_program_are_part_of_the_init() {
    need!(Containers, Busybox);
    for hook in ["prestart", "createRuntime", "createContainer"] {
        says(
            "/hooks",
            json!({ hook: [{ "path": "/bin/false" }] }),
            &format!("{DURING_INIT}error running {hook} hook #0: exit status 1"),
        );
    }
}

#[test]
fn steps_of_the_init_are_named() {
    need!(Containers, Busybox);
    for (pointer, value, text) in [
        (
            "/process/args",
            json!(["/no/such"]),
            "exec: \"/no/such\": stat /no/such: no such file or directory",
        ),
        (
            "/process/args",
            json!(["nosuch"]),
            "exec: \"nosuch\": executable file not found in $PATH",
        ),
        (
            "/process/args",
            json!(["/etc/passwd"]),
            "exec: \"/etc/passwd\": permission denied",
        ),
        (
            "/process/cwd",
            json!("/etc/passwd"),
            "chdir to cwd (\"/etc/passwd\") set in config.json failed: ",
        ),
        (
            "/linux/sysctl",
            json!({ "net.no.such": "1" }),
            "open sysctl net.no.such file: ",
        ),
        (
            "/process/rlimits",
            json!([{ "type": "RLIMIT_NOFILE", "soft": 2, "hard": 1 }]),
            "error setting rlimit",
        ),
    ] {
        says(pointer, value, &format!("{DURING_INIT}{text}"));
    }
}

#[test]
fn limits_that_cannot_be_set_are_part_of_the_init() {
    need!(Root, Busybox, Controllers);
    says(
        "/linux/resources",
        // The shortest period is a millisecond.
        json!({ "cpu": { "period": 1, "quota": 1 } }),
        &format!("{DURING_INIT}error setting cgroup config for procHooks process: "),
    );
}

#[test]
fn a_process_that_exec_cannot_start_is_named_like_one_of_run() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    for (arguments, text) in [
        (
            &["/no/such"][..],
            "exec: \\\"/no/such\\\": stat /no/such: no such file or directory",
        ),
        (
            &["--cwd", "/etc/passwd", "/bin/true"],
            "chdir to cwd (\\\"/etc/passwd\\\") set in config.json failed: ",
        ),
        (
            &["--env", "=x", "/bin/true"],
            "invalid environment variable",
        ),
    ] {
        let output = case.exec_before(arguments);
        assert_eq!(output.code, 255, "{output}");
        let expected = format!("exec failed: {NOT_STARTED}{text}");
        assert!(
            output.stderr.contains(&expected),
            "not {expected:?}: {output}"
        );
    }
    case.delete();
}

#[test]
fn what_other_programs_say_keeps_their_text() {
    need!(Containers, Busybox, Ps);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    let output = case.call(&["ps", &case.id, "--no-such-option"]);
    assert!(output.stderr.contains("msg=\"exit status 1: "), "{output}");
    let _ = case
        .call(&["update", "-r", "/no/such/file", &case.id])
        .failed(1, "open /no/such/file: no such file or directory");
    let _ = case
        .call(&["update", "-r", "/", &case.id])
        .failed(1, "/ is a directory, not a regular file");
    let json = case.call(&["ps", "--format", "json", &case.id]).ok().stdout;
    assert!(json.starts_with('[') && json.ends_with("]\n"), "{json:?}");
    case.delete();
}

/// Engines take this text for a program that may not run or is not there, wherever they are.
#[test]
fn what_is_not_about_the_program_does_not_sound_like_it() {
    need!(Containers, Busybox);
    let mut case = Case::rootless();
    case.bundle.config["process"]["oomScoreAdj"] = json!(-999);
    let output = case.run();
    if output.code != 0 {
        assert!(output.stderr.contains("oom_score_adj"), "{output}");
        for text in ["permission denied", "no such file or directory"] {
            assert!(!output.stderr.contains(text), "{output}");
        }
    }
    case.finish();
}

#[test]
fn with_debug_every_line_has_its_place() {
    need!(Containers, Busybox);
    let case = Case::new();
    let log = case.bundle.path().join("log");
    let log = log.to_str().unwrap();
    let _ = case
        .call(&[
            "--debug",
            "--log",
            log,
            "--log-format",
            "json",
            "state",
            "nobody",
        ])
        .failed(1, "container does not exist");
    let _ = case
        .call(&[
            "--debug",
            "--log",
            log,
            "--log-format",
            "json",
            "run",
            "--bundle",
            "/no/such",
            &case.id,
        ])
        .failed(1, "chdir /no/such");
    let text = std::fs::read_to_string(log).unwrap();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(
            line["func"].is_string() && line["file"].is_string(),
            "{line}"
        );
    }
    case.finish();
}

#[test]
fn an_empty_notification_socket_is_none() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.script("echo ${NOTIFY_SOCKET-none}");
    let output = case
        .command(&["run", &case.id])
        .env("NOTIFY_SOCKET", "")
        .output()
        .ok();
    assert_eq!(output.stdout, "none\n");
    case.finish();
}
