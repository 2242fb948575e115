//! What commands print: engines and scripts read it.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;

use cofferdam_integration::{Bundle, Case, Limited, Output, need, program, subordinate_ids};
use serde_json::{Value, json};

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

/// Closed standard output is another matter: it is opened as `/dev/null`.
#[test]
fn what_cannot_be_printed_is_an_error() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    let root = case.root().display();
    for command in ["features", "list", "list --quiet", "state ID", "ps ID"] {
        for (redirection, reason) in [
            (">/dev/full", "no space left on device"),
            ("1</dev/null", "bad file descriptor"),
        ] {
            let command = command.replace("ID", &case.id);
            let program = case.program.display();
            let line = format!("exec {program} --root {root} {command} {redirection}");
            let output = Limited::new("/bin/sh").args(["-c", &line]).output();
            let _ = output.failed(1, &format!("write to standard output: {reason}"));
        }
    }
    case.delete();
}

/// As before `head -1` that has its line, but so from the beginning: the pipe has no reader, and no
/// other process has ever had its reading end.
const WITHOUT_A_READER: &str = r#"
    mkfifo "$0" && exec 3<>"$0" 4>"$0" 3<&- && exec "$@" >&4 4>&-
"#;

fn without_a_reader(case: &Case, line: Vec<OsString>) -> Output {
    let fifo = case.root().join("without-a-reader");
    let output = Limited::new("/bin/sh")
        .args(["-c", WITHOUT_A_READER])
        .args([fifo.clone()])
        .args(line)
        .directory(case.bundle.path())
        .output();
    std::fs::remove_file(fifo).unwrap();
    output
}

#[test]
fn a_reader_that_has_gone_ends_every_command_alike() {
    need!(Containers, Busybox, Cofferdam);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    let mut other = Bundle::new();
    other.args(&["/bin/other"]).write();
    let root = case.root().to_str().unwrap().to_owned();
    let (runtime, nsinit) = (case.program.clone(), program::nsinit());
    for (program, line) in [
        (&runtime, "list"),
        (&runtime, "list --quiet"),
        (&runtime, "list --format json"),
        (&runtime, "state ID"),
        (&runtime, "ps ID"),
        (&runtime, "ps --format json ID"),
        (&runtime, "events ID"),
        (&runtime, "events --stats ID"),
        (&runtime, "stats"),
        (&runtime, "stats --format json ID"),
        (&runtime, "stats --format prometheus"),
        (&runtime, "top --once"),
        (&runtime, "top --format json"),
        (&runtime, "features"),
        (&runtime, "plan"),
        (&runtime, "plan --format json"),
        (&runtime, "plan --diff . OTHER"),
        (&runtime, "audit ID"),
        (&runtime, "audit --fail-on low ."),
        (&runtime, "exec --plan ID /bin/true"),
        (&runtime, "completion bash"),
        (&runtime, "help"),
        (&runtime, "help files"),
        (&runtime, "help checkpoint"),
        (&runtime, "list --help"),
        (&runtime, "--version"),
        (&nsinit, "config"),
        (&nsinit, "state --id ID"),
        (&nsinit, "stats --id ID"),
        (&nsinit, "help"),
    ] {
        let line = line
            .replace("ID", &case.id)
            .replace("OTHER", other.path().to_str().unwrap());
        let mut words: Vec<OsString> = vec![program.into(), "--root".into(), (&root).into()];
        words.extend(line.split(' ').map(OsString::from));
        let output = without_a_reader(&case, words);
        assert_eq!((output.code, &*output.stderr), (141, ""), "{output}");
    }
    case.delete();
}

/// A shell sees the same end of runc, which the signal ends.
#[test]
fn a_shell_sees_what_it_sees_of_runc() {
    need!(Root, Runc);
    let case = Case::new();
    let runc = ["/usr/bin/env", "runc", "list"].map(OsString::from);
    assert_eq!(
        without_a_reader(&case, runc.to_vec()).code,
        128 + libc::SIGPIPE
    );
    case.finish();
}

#[test]
fn a_mistake_is_told_even_if_nobody_reads_the_help() {
    need!(Cofferdam);
    let case = Case::new();
    let line = vec![
        case.program.clone().into(),
        "list".into(),
        "--nonsense".into(),
    ];
    let _ = without_a_reader(&case, line).failed(1, "flag provided but not defined: -nonsense");
    case.finish();
}

#[test]
fn state_has_the_keys_of_the_specification_and_more() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.bundle.config["annotations"] = json!({ "some.key": "a <value>" });
    case.start();
    let output = case.call(&["state", &case.id]).ok();
    assert!(
        output.stdout.starts_with("{\n  \"ociVersion\": "),
        "{output}"
    );
    assert!(
        output.stdout.ends_with("\n}"),
        "no newline at the end: {output}"
    );
    let state = output.json();
    assert_eq!(state["id"], case.id);
    assert_eq!(state["status"], "running");
    assert_eq!(state["bundle"], case.bundle.path().to_str().unwrap());
    assert_eq!(state["rootfs"], case.bundle.rootfs().to_str().unwrap());
    assert_eq!(state["annotations"], json!({ "some.key": "a <value>" }));
    assert_eq!(state["owner"], "");
    let created = state["created"].as_str().unwrap();
    assert!(
        created.ends_with('Z') && created.as_bytes()[10] == b'T',
        "{created}"
    );
    let order: Vec<usize> = [
        "ociVersion",
        "id",
        "pid",
        "status",
        "bundle",
        "rootfs",
        "created",
        "annotations",
        "owner",
    ]
    .iter()
    .map(|key| {
        output
            .stdout
            .find(&format!("\n  \"{key}\""))
            .unwrap_or_else(|| panic!("{key}: {output}"))
    })
    .collect();
    assert!(order.is_sorted(), "{output}");
    case.delete();
}

#[test]
fn list_shows_all_containers_in_three_forms() {
    need!(Containers, Busybox);
    let owner = subordinate_ids::name().expect("a name of this user");
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    assert_eq!(
        case.call(&["list", "--format", "json"])
            .ok()
            .stdout
            .trim_end(),
        "null"
    );
    case.start();
    let table = case.call(&["list"]).ok();
    let lines = table.lines();
    assert_eq!(
        lines[0].split_whitespace().collect::<Vec<_>>(),
        ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
    );
    let cells: Vec<&str> = lines[1].split_whitespace().collect();
    assert_eq!(
        (cells[0], cells[1], cells[2], cells[5]),
        (
            case.id.as_str(),
            case.pid().to_string().as_str(),
            "running",
            owner.as_str()
        )
    );
    let start = |title: &str| lines[0].find(title).unwrap();
    assert_eq!(
        &lines[1][start("STATUS")..start("STATUS") + 7],
        "running",
        "columns are aligned"
    );
    assert_eq!(
        case.call(&["list", "--quiet"]).ok().stdout,
        format!("{}\n", case.id)
    );
    let json = case.call(&["list", "--format", "json"]).ok().json();
    assert_eq!(json[0]["id"], case.id);
    assert_eq!(json[0]["owner"], owner);
    let _ = case
        .call(&["list", "--format", "xml"])
        .failed(1, "invalid format option");
    case.delete();
}

#[test]
fn list_skips_what_it_cannot_read_and_says_so() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    let broken = case.root().join("broken");
    std::fs::create_dir(&broken).unwrap();
    std::fs::write(broken.join("state.json"), "{").unwrap();
    let output = case.call(&["list", "--quiet"]).ok();
    assert!(output.stdout.contains(&case.id), "{output}");
    std::fs::remove_dir_all(broken).unwrap();
    case.delete();
}

#[test]
fn many_are_listed_in_the_order_of_their_ids() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    let record = std::fs::read(case.root().join(&case.id).join("state.json")).unwrap();
    // More than one thread takes at once; the last but one cannot be read.
    let mut made: Vec<String> = (0..200).map(|number| format!("many-{number:03}")).collect();
    for id in &made {
        let directory = case.root().join(id);
        std::fs::create_dir(&directory).unwrap();
        std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o711)).unwrap();
        let text: &[u8] = if id == "many-198" { b"{" } else { &record };
        std::fs::write(directory.join("state.json"), text).unwrap();
    }
    let mut expected = made.clone();
    expected.retain(|id| id != "many-198");
    expected.push(case.id.clone());
    expected.sort();

    let quiet = case.call(&["list", "--quiet"]).ok();
    assert_eq!(quiet.lines(), expected);
    let listed = case.call(&["list", "--format", "json"]).ok();
    let complaints = listed.stderr.lines();
    assert_eq!(
        complaints.filter(|line| line.contains("many-198")).count(),
        1,
        "{listed}"
    );
    let listed = listed.json();
    let ids = listed.as_array().unwrap().iter();
    assert!(
        ids.clone().all(|one| one["status"] == "running"),
        "{listed}"
    );
    let ids: Vec<_> = ids.map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids, expected);

    for id in made.drain(..) {
        std::fs::remove_dir_all(case.root().join(id)).unwrap();
    }
    case.delete();
}

#[test]
fn a_state_root_that_was_named_must_exist() {
    need!(Containers, Cofferdam);
    let _ = Limited::new(program::under_test())
        .args(["--root", "/no/such/root", "list"])
        .output()
        .failed(1, "");
}

#[test]
fn ps_shows_the_processes_of_the_container_only() {
    need!(Containers, Busybox, Ps);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    assert_eq!(
        case.call(&["ps", "--format", "json", &case.id]).ok().json(),
        json!([case.pid()])
    );
    let table = case.call(&["ps", &case.id]).ok();
    assert_eq!(table.lines().len(), 2, "{table}");
    assert!(
        table.lines()[0].contains("PID") && table.lines()[1].contains("sleep 1000"),
        "{table}"
    );
    let table = case.call(&["ps", &case.id, "-e", "-o", "pid,comm"]).ok();
    assert_eq!(
        table.lines()[1].split_whitespace().collect::<Vec<_>>(),
        [case.pid().to_string().as_str(), "sleep"]
    );
    case.delete();
}

#[test]
fn features_and_version_say_what_this_is() {
    need!(Cofferdam);
    let call = |arguments: &[&str]| {
        Limited::new(program::under_test())
            .args(arguments)
            .output()
            .ok()
    };
    let features = call(&["features"]);
    assert!(
        features
            .stdout
            .starts_with("{\n    \"ociVersionMin\": \"1.0.0\",\n    \"ociVersionMax\": \"1.3.0\","),
        "{features}"
    );
    let features = features.json();
    assert_eq!(features["linux"]["cgroup"]["v1"], true);
    assert_eq!(
        keys(&features["linux"]),
        [
            "apparmor",
            "capabilities",
            "cgroup",
            "intelRdt",
            "memoryPolicy",
            "mountExtensions",
            "namespaces",
            "netDevices",
            "seccomp",
            "selinux"
        ]
    );
    for spelling in ["--version", "-v", "-version"] {
        let version = call(&[spelling]);
        assert!(
            version.lines()[0].starts_with("cofferdam version 0."),
            "{version}"
        );
        assert!(version.lines().contains(&"spec: 1.3.0"), "{version}");
        assert!(!version.stdout.contains("go: "), "{version}");
    }
}

#[test]
fn the_program_calls_itself_what_it_is_called() {
    need!(Cofferdam);
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("runc");
    std::os::unix::fs::symlink(program::under_test(), &link).unwrap();
    let call = |arguments: &[&str]| Limited::new(&link).args(arguments).output();
    assert!(
        call(&["--version"])
            .ok()
            .stdout
            .starts_with("runc version ")
    );
    assert!(
        call(&["run", "--help"])
            .ok()
            .stdout
            .starts_with("NAME:\n   runc run - ")
    );
    assert!(call(&["--help"]).ok().stdout.contains("(default: \"/run/"));
}

#[test]
fn mistakes_on_the_command_line_have_their_codes() {
    need!(Cofferdam);
    let call = |arguments: &[&str]| Limited::new(program::under_test()).args(arguments).output();
    let _ = call(&["nonsense"]).failed(3, "No help topic for 'nonsense'");
    let output = call(&["state"]).failed(1, "requires exactly 1 argument(s)");
    assert!(output.stdout.starts_with("Incorrect Usage."), "{output}");
    let output =
        call(&["state", "--nonsense", "x"]).failed(1, "flag provided but not defined: -nonsense");
    assert!(output.stdout.contains("USAGE:"), "{output}");
    let _ = call(&["kill"]).failed(1, "requires a minimum of 1 argument(s)");
    let _ = call(&["--log-format", "xml", "list"]).failed(1, "invalid log-format: xml");
    for root in ["/", "/tmp/.."] {
        let _ = call(&["--root", root, "list"])
            .failed(1, "Option --root argument should not be set to /");
    }
    assert_eq!(call(&["--help"]).code, 0);
    assert_eq!(call(&["help"]).code, 0);
    assert_eq!(call(&["help", "run"]).code, 0);
}

#[test]
fn errors_are_in_the_log_file_and_on_standard_error() {
    need!(Containers, Busybox);
    let case = Case::new();
    let log = case.bundle.path().join("log");
    let path = log.to_str().unwrap();
    let output = case.call(&["--log", path, "--log-format", "json", "state", "nobody"]);
    assert_eq!(output.stderr, "container does not exist\n");
    let line: Value = serde_json::from_str(
        std::fs::read_to_string(&log)
            .unwrap()
            .lines()
            .last()
            .unwrap(),
    )
    .unwrap();
    assert_eq!(
        (line["level"].as_str(), line["msg"].as_str()),
        (Some("error"), Some("container does not exist"))
    );
    assert!(line["time"].is_string());
    let output = case.call(&["--log", path, "state", "nobody"]);
    assert_eq!(output.stderr, "container does not exist\n");
    let text = std::fs::read_to_string(&log).unwrap();
    let last = text.lines().last().unwrap();
    assert!(
        last.starts_with("time=\"")
            && last.ends_with("level=error msg=\"container does not exist\""),
        "{last}"
    );
    assert_eq!(text.lines().count(), 2, "lines are added to the file");
    case.finish();
}

/// Hours of another zone would be some ahead of this clock, or behind.
#[test]
fn times_in_the_log_are_utc() {
    need!(Containers);
    let case = Case::new();
    let now = || {
        let date = Limited::new("/bin/date").args(["--utc", "+%Y-%m-%dT%H"]);
        date.output().ok().stdout.trim().to_owned()
    };
    let before = now();
    for zone in ["UTC", "JST-9", "HST10"] {
        let output = case.command(&["state", "nobody"]).env("TZ", zone).output();
        let time = output.stderr.strip_prefix("time=\"").unwrap();
        let (time, rest) = time.split_once('"').unwrap();
        let hour = time.get(..13).unwrap();
        assert!(
            before.as_str() <= hour && hour <= now().as_str(),
            "{zone}: {output}"
        );
        assert!(
            time.ends_with('Z') && rest.starts_with(" level=error"),
            "{output}"
        );
    }
    case.finish();
}

#[test]
fn spec_writes_a_bundle_that_runs() {
    need!(Root, Busybox);
    let mut case = Case::new();
    let config = case.bundle.path().join("config.json");
    let call = |directory: &std::path::Path, arguments: &[&str]| {
        Limited::new(program::under_test())
            .args(arguments)
            .directory(directory)
            .output()
    };
    let _ = call(case.bundle.path(), &["spec"]).ok();
    let spec: Value = serde_json::from_str(&std::fs::read_to_string(&config).unwrap()).unwrap();
    assert_eq!(spec["process"]["args"], json!(["sh"]));
    let _ =
        call(case.bundle.path(), &["spec"]).failed(1, "File config.json exists. Remove it first");
    case.bundle.config = spec;
    case.bundle.config["process"]["terminal"] = json!(false);
    case.bundle.config["linux"]["cgroupsPath"] = json!(format!("/cofferdam/{}", case.id));
    assert_eq!(case.inside("echo ran").stdout, "ran\n");
    case.finish();
}

#[test]
fn timings_tell_the_phases_and_the_steps_of_a_run() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.args(&["/bin/true"]);
    let output = case.call(&["run", "--timings", &case.id]).ok();
    let lines: Vec<Vec<&str>> = output
        .stderr
        .lines()
        .map(|line| line.split_whitespace().collect())
        .filter(|fields: &Vec<&str>| matches!(fields.get(2), Some(&("runtime" | "init"))))
        .collect();
    let ends: Vec<f64> = lines
        .iter()
        .map(|fields| fields[0].parse().unwrap())
        .collect();
    assert!(ends.is_sorted(), "{output}");
    for (process, what) in [
        ("runtime", "build the plan"),
        ("init", "name the process"),
        ("init", "ready"),
        ("runtime", "remove the container"),
    ] {
        let logged = |fields: &Vec<&str>| fields[2] == process && fields[3..].join(" ") == what;
        assert!(lines.iter().any(logged), "{process}: {what}: {output}");
    }
}

#[test]
fn engines_are_told_that_there_are_checkpoints() {
    need!(Containers);
    let case = Case::new();
    // podman and CRI-O ask this way, and look at the exit code alone.
    for command in ["checkpoint", "restore"] {
        for line in [[command, "--help"], [command, "-h"], ["help", command]] {
            let _ = case.call(&line).ok();
        }
    }
    case.finish();
}
