//! Documents of others: `config.json`, process files, resources files. What they say is done,
//! refused or warned of, never dropped.

use std::path::{Path, PathBuf};

use cofferdam_integration::{Case, Output, need};
use rustix::fs::{CWD, Mode, mkfifoat};
use serde_json::{Value, json};

use crate::refusals::set;

/// A file beside the bundle.
fn file(case: &Case, name: &str, content: &Value) -> PathBuf {
    let path = case.bundle.path().join(name);
    std::fs::write(&path, content.to_string()).unwrap();
    path
}

fn exec_file(case: &Case, path: &Path) -> Output {
    case.exec_before(&["--process", path.to_str().unwrap()])
}

fn status_line(output: &Output, name: &str) -> String {
    let lines = output.stdout.lines();
    let mut found = lines.filter_map(|line| line.strip_prefix(name));
    found
        .next()
        .unwrap_or_default()
        .trim_matches([':', '\t'])
        .to_owned()
}

#[test]
fn keys_are_those_of_go_in_any_case() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.config["process"]["noNewPrivileges"].take();
    case.bundle.config["process"]["NoNewPrivileges"] = json!(true);
    case.bundle.config["process"]["user"] = json!({ "UID": 1000, "Gid": 1000 });
    case.bundle.config["linux"]["MaskedPaths"] = json!(["/etc/passwd"]);
    case.bundle.config["root"]["readOnly"] = json!(true);
    case.bundle.config["root"]
        .as_object_mut()
        .unwrap()
        .remove("readonly");
    case.bundle.config["process"]
        .as_object_mut()
        .unwrap()
        .remove("noNewPrivileges");
    case.bundle.config["linux"]
        .as_object_mut()
        .unwrap()
        .remove("maskedPaths");
    let output = case.inside("cat /proc/self/status; cat /etc/passwd; touch /new 2>&1 || true");
    assert_eq!(status_line(&output, "NoNewPrivs"), "1", "{output}");
    assert!(status_line(&output, "Uid").starts_with("1000"), "{output}");
    assert!(!output.stdout.contains("root:"), "{output}");
    assert!(output.stdout.contains("Read-only file system"), "{output}");
    case.finish();
}

#[test]
fn a_key_in_two_cases_is_refused() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.config["process"]["user"] = json!({ "uid": 1000, "UID": 0 });
    let output = case.run();
    assert_eq!(output.code, 1, "{output}");
    assert!(output.stderr.contains("duplicate field `uid`"), "{output}");
    case.finish();
}

#[test]
fn unknown_keys_are_told_by_their_place() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    set(
        &mut case.bundle.config,
        "/process/noNewPriviliges",
        json!(true),
    );
    set(&mut case.bundle.config, "/linux/maskedPath", json!(["/a"]));
    set(
        &mut case.bundle.config,
        "/windows",
        json!({ "network": {} }),
    );
    case.bundle.args(&["/bin/sleep", "1000"]);
    let output = case.start();
    for place in ["process.noNewPriviliges", "linux.maskedPath"] {
        let text = format!("ignoring unknown key {place}");
        assert!(output.stderr.contains(&text), "{output}");
    }
    assert!(!output.stderr.contains("windows"), "{output}");

    let process = json!({ "args": ["true"], "cwd": "/", "env": ["PATH=/bin"], "capability": {} });
    let output = exec_file(&case, &file(&case, "process.json", &process)).ok();
    assert!(
        output.stderr.contains("ignoring unknown key capability"),
        "{output}"
    );

    let resources = file(&case, "resources.json", &json!({ "pid": { "limit": 9 } }));
    let output = case
        .call(&[
            "update",
            "--resources",
            resources.to_str().unwrap(),
            &case.id,
        ])
        .ok();
    assert!(
        output.stderr.contains("ignoring unknown key pid"),
        "{output}"
    );
    case.delete();
}

#[test]
fn keys_of_process_and_resources_files_are_those_of_go_too() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    let process = json!({
        "Args": ["cat", "/proc/self/status"], "CWD": "/", "ENV": ["PATH=/bin"], "NoNewPrivileges": true,
        "User": { "Uid": 7, "AdditionalGids": [9] }
    });
    let output = exec_file(&case, &file(&case, "process.json", &process)).ok();
    assert_eq!(status_line(&output, "NoNewPrivs"), "1", "{output}");
    assert!(status_line(&output, "Uid").starts_with('7'), "{output}");
    assert_eq!(status_line(&output, "Groups").trim(), "9", "{output}");
    let resources = file(&case, "resources.json", &json!({ "PIDS": { "Limit": -1 } }));
    let output = case
        .call(&[
            "update",
            "--resources",
            resources.to_str().unwrap(),
            &case.id,
        ])
        .ok();
    assert_eq!(output.stderr, "", "{output}");
    case.delete();
}

#[test]
fn only_regular_files_are_read() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    let fifo = case.bundle.path().join("fifo");
    mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).unwrap();
    for (path, kind) in [
        (fifo.as_path(), "a FIFO"),
        (Path::new("/dev/zero"), "a character device"),
        (case.bundle.path(), "a directory"),
    ] {
        let said = format!("is {kind}, not a regular file");
        let output = exec_file(&case, path);
        assert_eq!(output.code, 255, "{output}");
        assert!(output.stderr.contains(&said), "{output}");
        let update = ["update", "--resources", path.to_str().unwrap(), &case.id];
        let output = case.call(&update);
        assert_eq!(output.code, 1, "{output}");
        assert!(output.stderr.contains(&said), "{output}");
    }
    case.delete();
}

#[test]
fn the_version_of_the_specification_is_looked_at() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    for version in ["1.0.0", "1.0.2-dev", "1.99.0"] {
        case.bundle.config["ociVersion"] = json!(version);
        assert_eq!(case.run().code, 0, "{version}");
    }
    for version in [
        json!("invalid"),
        json!(""),
        json!("1."),
        json!("2.0.0"),
        Value::Null,
    ] {
        case.bundle.config["ociVersion"] = version.clone();
        let output = case.run();
        assert_eq!(output.code, 1, "{version}: {output}");
        assert!(output.stderr.contains("ociVersion"), "{version}: {output}");
    }
    case.finish();
}

#[test]
fn the_umask_of_a_process_file_counts() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.config["process"]["user"]["umask"] = json!(0o022);
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    let umask = |user: Value| {
        let process = json!({ "args": ["sh", "-c", "umask"], "cwd": "/", "env": ["PATH=/bin"], "user": user });
        exec_file(&case, &file(&case, "process.json", &process))
            .ok()
            .stdout
    };
    assert_eq!(umask(json!({ "umask": 0o077 })), "0077\n");
    assert_eq!(umask(json!({})), "0022\n");
    case.delete();
}

#[test]
fn a_process_without_capabilities_object_has_none() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.config["process"]
        .as_object_mut()
        .unwrap()
        .remove("capabilities");
    let output = case.inside("cat /proc/self/status");
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(status_line(&output, set), "0".repeat(16), "{output}");
    }
    case.finish();
}

#[test]
fn id_maps_without_a_user_namespace_are_ignored_and_told() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.config["linux"]["uidMappings"] =
        json!([{ "containerID": 0, "hostID": 100_000, "size": 10 }]);
    let output = case.inside("cat /proc/self/uid_map");
    assert!(
        output
            .stderr
            .contains("linux.uidMappings and linux.gidMappings are ignored"),
        "{output}"
    );
    case.finish();
}

#[test]
fn warnings_are_told_when_the_command_fails() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    let sets = &mut case.bundle.config["process"]["capabilities"];
    let mut bounding = sets["bounding"].as_array().cloned().unwrap_or_default();
    bounding.push(json!("CAP_TEST"));
    sets["bounding"] = json!(bounding);
    set(&mut case.bundle.config, "/process/unknown", json!(1));
    case.bundle.args(&["/nonexistent"]);
    for output in [case.run(), case.detached(&["create", &case.id])] {
        assert_eq!(output.code, 1, "{output}");
        assert!(output.stderr.contains("[CAP_TEST]"), "{output}");
        assert!(output.stderr.contains("process.unknown"), "{output}");
    }
    case.finish();
}
