//! `plan`, `plan --diff` and `exec --plan`: what would be done, as text and as JSON.

use std::fs;
use std::process::Command;

use cofferdam_integration::{Case, need};
use serde_json::{Value, json};

/// The operations of a plan as `--format raw` has them.
fn raw(case: &Case) -> Vec<String> {
    let output = case.call(&["plan", "--format", "raw", &case.id]).ok();
    let steps = output.lines().into_iter().filter_map(|line| {
        let (number, step) = line.split_once(": ")?;
        number.parse::<usize>().ok()?;
        step.split(' ').next().map(str::to_owned)
    });
    steps.collect()
}

fn plan(case: &Case) -> Value {
    case.call(&["plan", "--format", "json", &case.id])
        .ok()
        .json()
}

fn steps(plan: &Value) -> &Vec<Value> {
    plan["steps"].as_array().unwrap()
}

/// Changes a configuration.
type Change = fn(&mut Value);

/// Bundles that ask for one thing each.
fn bundles() -> Vec<(&'static str, Change)> {
    vec![
        ("as it is", |_| {}),
        ("terminal", |config| {
            config["process"]["terminal"] = json!(true)
        }),
        ("hooks", |config| {
            let hook = json!([{ "path": "/bin/true", "args": ["true"], "timeout": 3 }]);
            config["hooks"] = json!({
                "createRuntime": hook, "createContainer": hook, "startContainer": hook,
            });
        }),
        ("user namespace", |config| {
            let map = json!([{ "containerID": 0, "hostID": 100_000, "size": 65536 }]);
            config["linux"]["uidMappings"] = map.clone();
            config["linux"]["gidMappings"] = map;
            let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
            namespaces.push(json!({ "type": "user" }));
        }),
        ("seccomp", |config| {
            config["linux"]["seccomp"] = json!({
                "defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [{ "names": ["keyctl"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38 }],
            });
        }),
        ("odd names", |config| {
            config["mounts"].as_array_mut().unwrap().push(json!({
                "destination": "/a\": attach\n\u{1b}[31m", "type": "tmpfs", "source": "tmp\tfs",
            }));
        }),
    ]
}

#[test]
fn json_has_the_steps_that_are_executed_in_their_order() {
    need!(Root);
    for (name, change) in bundles() {
        let mut case = Case::new();
        change(&mut case.bundle.config);
        case.bundle.write();
        let plan = plan(&case);
        let operations: Vec<&str> = steps(&plan)
            .iter()
            .map(|step| step["operation"].as_str().unwrap())
            .collect();
        assert_eq!(operations, raw(&case), "{name}");
        assert_eq!(plan["version"], 1);
        assert_eq!(plan["container"], json!(case.id));
        let phases = plan["phases"].as_array().unwrap();
        for (index, step) in steps(&plan).iter().enumerate() {
            assert_eq!(step["index"], json!(index));
            assert!(!step["why"].as_str().unwrap().is_empty(), "{step}");
            let phase = phases.iter().find(|phase| phase["id"] == step["phase"]);
            assert!(phase.is_some(), "{step}");
            if let Some(tolerates) = step.get("tolerates") {
                assert!(!tolerates["why"].as_str().unwrap().is_empty(), "{step}");
                let next = tolerates["continuesWith"].as_u64().unwrap();
                assert!(usize::try_from(next).unwrap() > index, "{step}");
            }
        }
        case.finish();
    }
}

#[test]
fn the_text_fits_a_terminal_and_does_nothing_to_it() {
    need!(Root);
    for (name, change) in bundles() {
        let mut case = Case::new();
        change(&mut case.bundle.config);
        case.bundle.write();
        let output = case.call(&["plan", &case.id]).ok();
        for line in output.lines() {
            // A path is not parted.
            let words = line.trim_start().split(' ').count();
            assert!(line.chars().count() <= 80 || words == 1, "{name}: {line}");
            assert!(!line.chars().any(char::is_control), "{name}: {line:?}");
        }
        let numbered = output.lines().into_iter().filter(|line| {
            let number = line.get(..4).unwrap_or_default().trim();
            !number.is_empty() && number.parse::<usize>().is_ok() && line.get(4..6) == Some("  ")
        });
        assert_eq!(numbered.count(), raw(&case).len(), "{name}");
        for bare in ["0x", "errno "] {
            assert!(!output.stdout.contains(bare), "{name}: {output}");
        }
        case.finish();
    }
}

#[test]
fn a_plan_needs_no_id_and_says_what_it_cannot_do() {
    need!(Root);
    let case = Case::new();
    case.bundle.write();
    let output = case.call(&["plan"]).ok();
    assert!(output.stdout.contains("container CONTAINER-ID"), "{output}");
    let _ = case
        .call(&["plan", "--format", "xml", &case.id])
        .failed(1, "is none of text, json, raw");
    let _ = case
        .call(&["plan", &case.id, "more"])
        .failed(1, "only plan --diff takes two arguments");
    case.finish();
}

/// Another bundle with the configuration of this one, changed.
fn other(case: &Case, change: impl FnOnce(&mut Value)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("rootfs")).unwrap();
    let mut config = case.bundle.config.clone();
    config["root"]["path"] = json!("rootfs");
    change(&mut config);
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    folder
}

#[test]
fn equal_bundles_differ_in_nothing_and_others_in_the_field_that_is_named() {
    need!(Root);
    let case = Case::new();
    let one = other(&case, |_| {});
    let one = one.path().to_str().unwrap();
    let diff = |change: Change| {
        let folder = other(&case, change);
        case.call(&["plan", "--diff", one, folder.path().to_str().unwrap()])
    };
    let same = diff(|_| {}).ok();
    assert_eq!(same.stdout, "");
    let changes: [(&str, Change); 9] = [
        ("hostname", |config| config["hostname"] = json!("other")),
        ("process.env", |config| {
            config["process"]["env"] = json!(["HOME=/", "A=b"])
        }),
        ("process.cwd", |config| {
            config["process"]["cwd"] = json!("/elsewhere")
        }),
        ("process.capabilities.bounding", |config| {
            config["process"]["capabilities"]["bounding"] = json!(["CAP_CHOWN"]);
        }),
        ("linux.resources.memory", |config| {
            config["linux"]["resources"]["memory"] = json!({ "limit": 123_456_789 });
        }),
        ("process.rlimits", |config| {
            config["process"]["rlimits"] = json!([{ "type": "RLIMIT_CORE", "soft": 1, "hard": 1 }]);
        }),
        ("linux.maskedPaths", |config| {
            config["linux"]["maskedPaths"] = json!(["/proc/odd"])
        }),
        ("mounts[0]", |config| {
            config["mounts"][0]["options"] = json!(["nosuid", "noexec"])
        }),
        ("linux.sysctl[net.ipv4.ip_forward]", |config| {
            config["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "1" });
        }),
    ];
    for (field, change) in changes {
        let output = diff(change).failed(1, "");
        let lines = output.lines();
        assert!(
            lines.iter().any(|line| line.contains(field)),
            "{field}: {output}"
        );
        // Nothing else is made out of it.
        let foreign = |line: &&str| !line.contains(field.split('.').next().unwrap());
        let foreign: Vec<&str> = lines.iter().map(|line| &**line).filter(foreign).collect();
        assert!(
            foreign.iter().all(|line| line.starts_with(['-', '+'])),
            "{field}: {output}"
        );
    }
    let _ = case
        .call(&["plan", "--diff", one])
        .failed(2, "takes two arguments");
    let _ = case
        .call(&["plan", "--diff", one, "no-such-container"])
        .failed(2, "container does not exist");
    case.finish();
}

#[test]
fn a_running_container_is_compared_with_its_bundle_as_it_is_now() {
    need!(Root, Busybox);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    let same = case.call(&["plan", "--diff", ".", &case.id]).ok();
    assert_eq!(same.stdout, "");
    case.bundle.config["hostname"] = json!("changed");
    let output = case.call(&["plan", "--diff", ".", &case.id]).failed(1, "");
    assert!(output.stdout.contains("[hostname]"), "{output}");
    let _ = case.call(&["delete", "--force", &case.id]).ok();
    case.finish();
}

#[test]
fn the_plan_of_an_exec_is_shown_and_nothing_is_run() {
    need!(Root, Busybox);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    let arguments = [
        "exec",
        "--plan",
        "--cap",
        "CAP_NET_RAW",
        "--user",
        "7:8",
        "--tty",
    ];
    let command = [case.id.as_str(), "/bin/touch", "/dev/shm/was-here"];
    let output = case.call(&[&arguments[..], &command].concat()).ok();
    for part in [
        "CAP_NET_RAW",
        "setuid to 7",
        "setgid to 8",
        "Pty",
        "JoinProcess",
        "CLONE_NEWPID",
    ] {
        assert!(output.stdout.contains(part), "{part}: {output}");
    }
    let json = [&arguments[..], &["--format", "json"], &command].concat();
    let plan = case.call(&json).ok().json();
    assert_eq!(plan["process"], "exec");
    let last = steps(&plan).last().unwrap();
    assert_eq!(
        last["arguments"]["args"],
        json!(["/bin/touch", "/dev/shm/was-here"])
    );
    let _ = case
        .call(&["exec", &case.id, "/bin/ls", "/dev/shm/was-here"])
        .failed(1, "");
    let processes = case.call(&["ps", "--format", "json", &case.id]).ok().json();
    assert_eq!(processes.as_array().unwrap().len(), 1, "{processes}");
    let _ = case
        .call(&["exec", "--format", "json", &case.id, "/bin/true"])
        .failed(255, "--format is for --plan");
    let _ = case.call(&["delete", "--force", &case.id]).ok();
    case.finish();
}

#[test]
fn an_ordinary_user_sees_the_plan_of_its_own_container() {
    need!(Root, Busybox);
    let case = Case::rootless();
    case.bundle.write();
    let plan = plan(&case);
    let does = |text: &str| steps(&plan).iter().any(|step| step["does"] == text);
    assert!(
        does("write id maps") && does("let the user join the container"),
        "{plan}"
    );
    case.finish();
}

#[test]
fn a_reader_may_go_away() {
    need!(Root);
    let case = Case::new();
    case.bundle.write();
    let script = format!(
        "cd {} && {} plan | head -1",
        case.bundle.path().display(),
        case.program.display()
    );
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    case.finish();
}
