//! Hooks: programs run at the points of a container's life.

use cofferdam_integration::{Case, Limited, need};
use serde_json::{Value, json};

const POINTS: [&str; 6] = [
    "prestart",
    "createRuntime",
    "createContainer",
    "startContainer",
    "poststart",
    "poststop",
];

fn hook(script: &str) -> Value {
    json!([{ "path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"] }])
}

#[test]
fn they_run_in_their_order_and_read_the_state() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    // All of them append to one file: on the host in the bundle, inside through a mount of it.
    let log = case.bundle.path().join("hooks.log");
    std::fs::write(&log, "").unwrap();
    std::fs::create_dir_all(case.bundle.rootfs().join("work")).unwrap();
    let source = case.bundle.path().to_str().unwrap().to_owned();
    case.bundle.mount(json!({ "destination": "/shared", "type": "bind", "source": source, "options": ["bind", "rw"] }));
    for point in POINTS {
        let file = if point == "startContainer" {
            "/shared/hooks.log".to_owned()
        } else {
            log.display().to_string()
        };
        // The program has begun, but may not have come to its first line: its own word is waited
        // for.
        let wait = if point == "poststart" {
            format!("until grep -q program {file}; do :; done;")
        } else {
            String::new()
        };
        case.bundle.config["hooks"][point] = hook(&format!("{wait} echo {point} $(cat) >> {file}"));
    }
    case.bundle
        .script("echo program >> /shared/hooks.log; sleep 1000");
    let _ = case.detached(&["run", "--detach", &case.id]).ok();
    let _ = case.call(&["delete", "--force", &case.id]).ok();
    let text = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<(&str, Value)> = text
        .lines()
        .map(|line| {
            let (name, state) = line.split_once(' ').unwrap_or((line, "null"));
            (
                name,
                serde_json::from_str(state).unwrap_or_else(|error| panic!("{error}: {line}")),
            )
        })
        .collect();
    let names: Vec<&str> = lines.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        [
            "prestart",
            "createRuntime",
            "createContainer",
            "startContainer",
            "program",
            "poststart",
            "poststop"
        ]
    );
    let expected = [
        ("prestart", "creating"),
        ("createRuntime", "creating"),
        ("createContainer", "creating"),
        ("startContainer", "created"),
        ("poststart", "running"),
        ("poststop", "stopped"),
    ];
    for (name, status) in expected {
        let state = &lines.iter().find(|(other, _)| *other == name).unwrap().1;
        assert_eq!(
            (state["status"].as_str(), state["id"].as_str()),
            (Some(status), Some(case.id.as_str())),
            "{name}"
        );
        assert_eq!(
            state["bundle"].as_str(),
            case.bundle.path().to_str(),
            "{name}"
        );
        assert_eq!(
            state.get("pid").is_some(),
            name != "poststop",
            "{name}: {state}"
        );
    }
    case.finish();
}

#[test]
fn a_failing_hook_fails_the_command_and_leaves_nothing() {
    need!(Containers, Busybox);
    for point in ["prestart", "createRuntime", "createContainer", "poststart"] {
        let mut case = Case::new();
        case.bundle.config["hooks"][point] = hook("echo said so; exit 3");
        case.bundle.script("echo ran");
        let output = case.run();
        assert_eq!(output.code, 1, "{point}: {output}");
        // A program that has begun is killed, after it may have said something.
        let begun = point == "poststart";
        assert!(begun || !output.stdout.contains("ran"), "{point}: {output}");
        assert!(
            output.stderr.contains("exit status 3") && output.stderr.contains("said so"),
            "{point}: {output}"
        );
        case.finish();
    }
}

#[test]
fn hooks_succeed_when_the_caller_ignores_its_children() {
    need!(Root, Busybox);
    let mut case = Case::new();
    for point in [
        "prestart",
        "createRuntime",
        "createContainer",
        "poststart",
        "poststop",
    ] {
        case.bundle.config["hooks"][point] = hook("true");
    }
    case.bundle.args(&["/bin/sleep", "1000"]).write();
    let (program, root) = (case.program.display(), case.root().display());
    let line = format!(
        "trap '' CHLD; set -e; {program} --root {root} run --detach {id} </dev/null >said 2>&1; \
         exec {program} --root {root} delete --force {id} >>said 2>&1",
        id = case.id
    );
    // Of the shells it is bash that keeps a child's signals ignored.
    let shell = Limited::new("/bin/bash").args(["-c", &line]);
    let output = shell.directory(case.bundle.path()).output();
    let said = std::fs::read_to_string(case.bundle.path().join("said")).unwrap();
    assert_eq!((output.code, said.as_str()), (0, ""), "{output}");
    case.finish();
}

#[test]
fn hooks_have_the_file_mode_mask_of_the_caller() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    let points = ["prestart", "createRuntime", "createContainer", "poststart"];
    for point in points {
        let file = case.bundle.path().join(point);
        case.bundle.config["hooks"][point] = hook(&format!("umask > {}", file.display()));
    }
    case.bundle.script("umask").write();
    let (program, root) = (case.program.display(), case.root().display());
    let line = format!("umask 27; exec {program} --root {root} run {}", case.id);
    let shell = Limited::new("/bin/sh").args(["-c", &line]);
    let output = shell.directory(case.bundle.path()).output().ok();
    assert_eq!(output.stdout, "0022\n");
    for point in points {
        let mask = std::fs::read_to_string(case.bundle.path().join(point)).unwrap();
        assert_eq!(mask, "0027\n", "{point}");
    }
    case.finish();
}

#[test]
fn a_hook_has_only_its_time() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.config["hooks"]["createRuntime"] =
        json!([{ "path": "/bin/sleep", "args": ["sleep", "100"], "timeout": 1 }]);
    let _ = case.run().failed(1, "hook ran past specified timeout of 1");
    case.finish();
}

#[test]
fn arguments_are_passed_as_they_are() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    let file = case.bundle.path().join("out");
    let script = format!("echo \"$0|$1\" > {}", file.display());
    case.bundle.config["hooks"]["createRuntime"] =
        json!([{ "path": "/bin/sh", "args": ["other-name", "-c", script, "zero", "one two"] }]);
    let _ = case.run().ok();
    assert_eq!(std::fs::read_to_string(file).unwrap(), "zero|one two\n");
    case.finish();
}

/// It runs when the caller of `start` may be gone: the message is the container's own, and so is
/// the exit code.
#[test]
fn a_start_container_hook_that_fails_ends_the_container_with_255() {
    need!(Containers, Busybox);
    let mut missing = hook("");
    missing[0]["path"] = json!("/no/such/hook");
    let mut slow = hook("exec sleep 1000");
    slow[0]["timeout"] = json!(1);
    for (failing, text) in [
        (hook("exit 3"), "exit status 3"),
        (hook("kill -SEGV $$"), "signal: segmentation fault"),
        (missing, "exec /no/such/hook: no such file or directory"),
        (slow, "hook ran past specified timeout of 1.0s"),
    ] {
        let mut case = Case::new();
        case.bundle.script("echo program");
        case.bundle.config["hooks"]["startContainer"] = failing;
        let output = case.run();
        assert_eq!((output.code, output.stdout.as_str()), (255, ""), "{output}");
        let expected = "error running startContainer hook #0: ";
        assert!(
            output.stderr.starts_with(expected) && output.stderr.contains(text),
            "{output}"
        );
        case.finish();
    }
}

/// Hooks are children of `run`, and send it signals at moments that are certain: while it makes and
/// while it removes the container.
#[test]
fn signals_around_the_program_do_not_take_the_place_of_what_run_ends_with() {
    need!(Containers, Busybox);
    for signal in ["TERM", "INT", "HUP", "QUIT", "USR1", "ALRM"] {
        let mut case = Case::new();
        case.bundle.args(&["/bin/sh", "-c", "exit 7"]);
        let send = format!("kill -{signal} $PPID");
        case.bundle.config["hooks"]["poststop"] = hook(&send);
        let removed = case.run();
        assert_eq!((removed.code, removed.stderr.as_str()), (7, ""), "{signal}");
        case.nothing_left();
        case.bundle.config["hooks"] = json!({ "createRuntime": hook(&format!("{send}; exit 1")) });
        let failed = case.run().failed(1, "hook #0");
        assert!(
            failed.stderr.contains("exit status 1"),
            "{signal}: {failed}"
        );
        case.nothing_left();
        case.finish();
    }
}

#[test]
fn failing_poststop_hooks_are_told_and_all_of_them_run() {
    need!(Containers, Busybox);
    for verb in ["run", "delete", "unwinding"] {
        let mut case = Case::new();
        let log = case.bundle.path().join("log");
        let mark = hook(&format!("echo second >> {}", log.display()));
        case.bundle.config["hooks"]["poststop"] =
            json!([hook("exit 4")[0], mark[0], hook("kill -TERM $$")[0]]);
        let messages = [
            "error running poststop hook #0: exit status 4",
            "error running poststop hook #2: signal: terminated",
        ];
        case.bundle.script("exit 6");
        let output = match verb {
            // The exit code of the program is what counts.
            "run" => case.run().failed(6, ""),
            "delete" => {
                case.create();
                case.call(&["delete", &case.id]).failed(1, "")
            }
            _ => {
                case.bundle.config["hooks"]["createRuntime"] = hook("exit 5");
                case.run().failed(1, "error running createRuntime hook #0")
            }
        };
        for text in messages.iter().filter(|_| verb != "unwinding") {
            assert!(output.stderr.contains(text), "{verb}: {output}");
        }
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "second\n", "{verb}");
        case.finish();
    }
}

/// A hook that runs a command of the program under test on the container; what that says is
/// appended to `log`.
fn hook_command(case: &Case, command: &str, log: &std::path::Path) -> Value {
    let (program, root, log) = (case.program.display(), case.root().display(), log.display());
    let command = command.replace("ID", &case.id);
    hook(&format!(
        "{program} --root {root} {command} >> {log} 2>&1; echo exit code $? >> {log}"
    ))
}

#[test]
fn a_poststart_hook_finds_a_running_container_and_may_change_it() {
    need!(Root, Busybox, Controllers);
    for verb in ["start", "run"] {
        let mut case = Case::new();
        let log = case.bundle.path().join("log");
        let update = hook_command(&case, "update --pids-limit 100 ID", &log);
        let state = hook_command(&case, "state ID", &log);
        // What runs is the program, and not what prepares it.
        let program = format!(
            "readlink /proc/$(grep -o '\"pid\":[0-9]*' | cut -d: -f2)/exe >> {}",
            log.display()
        );
        case.bundle.config["hooks"]["poststart"] = json!([update[0], state[0], hook(&program)[0]]);
        case.bundle.args(&["/bin/sleep", "1000"]);
        if verb == "start" {
            case.create();
            assert!(!log.exists(), "it is for start to run them");
            let _ = case.call(&["start", &case.id]).ok();
        } else {
            let _ = case.detached(&["run", "--detach", &case.id]).ok();
        }
        let said = std::fs::read_to_string(&log).unwrap();
        assert_eq!(said.matches("exit code 0").count(), 2, "{verb}: {said}");
        assert!(said.contains(r#""status": "running""#), "{verb}: {said}");
        assert!(said.ends_with("/bin/busybox\n"), "{verb}: {said}");
        let state = std::fs::read(case.root().join(&case.id).join("state.json")).unwrap();
        let state: Value = serde_json::from_slice(&state).unwrap();
        assert_eq!(state["config"]["cgroups"]["pids_limit"], 100, "{verb}");
        case.wait_for_status("running");
        case.delete();
    }
}

#[test]
fn poststart_hooks_come_after_start_container_hooks_and_once() {
    need!(Root, Busybox);
    let mut case = Case::new();
    let log = case.bundle.path().join("log");
    std::fs::write(&log, "").unwrap();
    let source = case.bundle.path().to_str().unwrap().to_owned();
    std::fs::create_dir_all(case.bundle.rootfs().join("shared")).unwrap();
    case.bundle.mount(json!({ "destination": "/shared", "type": "bind", "source": source, "options": ["bind", "rw"] }));
    case.bundle.config["hooks"]["startContainer"] =
        hook("sleep 1; echo startContainer >> /shared/log");
    case.bundle.config["hooks"]["poststart"] =
        hook(&format!("echo poststart >> {}", log.display()));
    case.bundle.args(&["/bin/tiny-true"]);
    case.create();
    let _ = case.call(&["start", &case.id]).ok();
    let _ = case.call(&["start", &case.id]).failed(1, "cannot start");
    let said = std::fs::read_to_string(&log).unwrap();
    assert_eq!(said, "startContainer\npoststart\n");
    case.delete();
}

#[test]
fn a_poststart_hook_that_fails_stops_the_container() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    let log = case.bundle.path().join("log");
    case.bundle.config["hooks"]["poststart"] = hook("exit 3");
    case.bundle.config["hooks"]["poststop"] = hook(&format!("echo poststop > {}", log.display()));
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.create();
    let _ = case
        .call(&["start", &case.id])
        .failed(1, "error running poststart hook #0: exit status 3");
    case.wait_for_status("stopped");
    assert!(!log.exists());
    let _ = case.call(&["delete", &case.id]).ok();
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "poststop\n");
    case.finish();
}

#[test]
fn a_poststart_hook_may_delete_the_container() {
    need!(Root, Busybox);
    let mut case = Case::new();
    let log = case.bundle.path().join("log");
    case.bundle.config["hooks"]["poststart"] = hook_command(&case, "delete --force ID", &log);
    case.bundle.config["hooks"]["poststop"] = hook(&format!("echo stopped >> {}", log.display()));
    case.bundle.args(&["/bin/sleep", "1000"]);
    let _ = case.run().failed(137, "");
    // Once: it was destroyed once.
    let said = std::fs::read_to_string(&log).unwrap();
    assert_eq!(said, "stopped\nexit code 0\n");
    case.nothing_left();
    case.create();
    let _ = case.call(&["start", &case.id]).ok();
    case.finish();
}

#[test]
fn what_a_poststart_hook_puts_in_the_place_of_the_container_stays() {
    need!(Root, Busybox);
    let mut case = Case::new();
    let log = case.bundle.path().join("log");
    let other = case.bundle.path().join("other");
    let delete = hook_command(&case, "delete --force ID", &log);
    let command = format!("run --detach --bundle {} ID < /dev/null", other.display());
    let again = hook_command(&case, &command, &log);
    case.bundle.args(&["/bin/sleep", "1000"]).write();
    std::fs::create_dir(&other).unwrap();
    let mut config = case.bundle.config.clone();
    config["root"]["path"] = json!(case.bundle.rootfs());
    std::fs::write(other.join("config.json"), config.to_string()).unwrap();
    let fails = hook("exit 3");
    case.bundle.config["hooks"]["poststart"] = json!([delete[0], again[0], fails[0]]);
    let output = case.detached(&["run", "--detach", &case.id]);
    let _ = output.failed(1, "exit status 3");
    let said = std::fs::read_to_string(&log).unwrap();
    assert_eq!(said, "exit code 0\nexit code 0\n");
    case.wait_for_status("running");
    case.delete();
}

#[test]
fn a_program_that_is_not_there_is_found_out_before_poststart_hooks() {
    need!(Root, Busybox);
    for verb in ["create", "run"] {
        let mut case = Case::new();
        let log = case.bundle.path().join("log");
        for point in ["poststart", "poststop"] {
            let line = format!("echo {point} >> {}", log.display());
            case.bundle.config["hooks"][point] = hook(&line);
        }
        case.bundle.args(&["/no/such/program"]);
        let output = case.detached(&[verb, &case.id]);
        assert_eq!(output.code, 1, "{verb}: {output}");
        assert_eq!(
            std::fs::read_to_string(&log).unwrap(),
            "poststop\n",
            "{verb}"
        );
        case.finish();
    }
}
