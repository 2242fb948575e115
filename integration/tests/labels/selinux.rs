//! SELinux labels: of processes, of what is added later, of mounts and of keyrings.

use std::fs;
use std::path::Path;

use cofferdam_integration::limited::Output;
use cofferdam_integration::older_configuration::read;
use cofferdam_integration::{Case, Limited, need, program};
use serde_json::json;

use crate::sys;

/// What containers run as in the reference policy, with two categories of their own.
const PROCESS: &str = "system_u:system_r:container_t:s0:c11,c22";
/// What such processes may write to.
const FILE: &str = "system_u:object_r:container_file_t:s0:c11,c22";
/// The same of a neighbour.
const FOREIGN: &str = "system_u:object_r:container_file_t:s0:c33,c44";

/// A container with a writable root, whose files it may use.
fn case() -> Case {
    let mut case = Case::new();
    case.bundle.config["root"]["readonly"] = json!(false);
    case.bundle.config["process"]["selinuxLabel"] = json!(PROCESS);
    case.bundle.config["linux"]["mountLabel"] = json!(FILE);
    label(FILE, &case.bundle.rootfs());
    case
}

/// The same, asleep.
fn sleeping() -> Case {
    let mut case = case();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    case
}

/// Labels a tree.
fn label(label: &str, path: &Path) {
    let _ = Limited::new("chcon")
        .args([
            "--recursive".into(),
            label.into(),
            path.as_os_str().to_owned(),
        ])
        .output()
        .ok();
}

/// A label as the kernel shows it.
fn shown(text: &str) -> &str {
    text.trim_end_matches(['\0', '\n'])
}

#[test]
fn a_container_has_the_label_of_its_configuration() {
    need!(Root, Busybox, SeLinux);
    let case = sleeping();
    let init = fs::read_to_string(format!("/proc/{}/attr/current", case.pid())).unwrap();
    assert_eq!(shown(&init), PROCESS);
    case.delete();
}

#[test]
fn files_of_a_neighbour_are_out_of_reach() {
    need!(Root, Busybox, SeLinux);
    let mut case = case();
    for (name, of) in [("own", FILE), ("foreign", FOREIGN)] {
        let file = case.bundle.rootfs().join(name);
        fs::write(&file, "secret\n").unwrap();
        label(of, &file);
    }
    let output =
        case.inside("cat /own && echo x >/own && echo wrote; cat /foreign; echo x >/foreign; true");
    assert_eq!(output.lines(), ["secret", "wrote"], "{output}");
    assert!(output.stderr.contains("ermission denied"), "{output}");
    case.finish();
}

#[test]
fn what_is_added_later_has_the_same_label_or_its_own() {
    need!(Root, Busybox, SeLinux);
    let case = sleeping();
    let look = ["/bin/cat", "/proc/self/attr/current"];
    let output = case.exec(&look).ok();
    assert_eq!(shown(&output.stdout), PROCESS);
    // It has to have the categories of the files, to run any program of the container.
    let other = "system_u:system_r:container_t:s0:c11,c22,c33";
    let output = case
        .exec_before(&[&["--process-label", other], &look[..]].concat())
        .ok();
    assert_eq!(shown(&output.stdout), other);
    case.delete();
}

#[test]
fn file_systems_of_a_container_have_its_mount_label() {
    need!(Root, Busybox, SeLinux);
    for (of, writable) in [(FILE, true), (FOREIGN, false)] {
        let mut case = case();
        case.bundle.config["linux"]["mountLabel"] = json!(of);
        case.bundle
            .mount(json!({ "destination": "/data", "type": "tmpfs", "source": "tmpfs" }));
        let script = "grep ' /data ' /proc/self/mountinfo; echo x >/data/file && echo wrote";
        case.bundle.script(script);
        let output = case.run();
        assert!(output.stdout.contains(of), "{output}");
        assert_eq!(output.stdout.contains("wrote"), writable, "{output}");
        case.finish();
    }
}

#[test]
fn the_session_keyring_has_the_label_of_the_container() {
    need!(Root, Busybox, SeLinux);
    let case = sleeping();
    let name = format!("_ses.{}", case.id);
    let keys = fs::read_to_string("/proc/keys").unwrap();
    let line = keys
        .lines()
        .find(|line| line.contains(&name))
        .expect("the keyring");
    let serial = line.split_whitespace().next().expect("a serial number");
    let serial = i32::from_str_radix(serial, 16).unwrap();
    let text = sys::key_label(serial).unwrap();
    assert_eq!(shown(&text), PROCESS);
    case.delete();
}

#[test]
fn a_label_that_the_policy_does_not_know_is_refused() {
    need!(Root, Busybox, SeLinux);
    let unknown = "system_u:system_r:cofferdam_unknown_t:s0";
    let mut first = case();
    first.bundle.config["process"]["selinuxLabel"] = json!(unknown);
    first.bundle.script("echo the program ran");
    let output = first.run();
    assert_eq!(output.code, 1, "{output}");
    assert!(!output.stdout.contains("ran"), "{output}");
    first.finish();

    let second = sleeping();
    let output = second.exec_before(&["--process-label", unknown, "/bin/echo", "ran"]);
    assert_eq!(output.code, 255, "{output}");
    assert!(!output.stdout.contains("ran"), "{output}");
    second.delete();
}

#[test]
fn a_label_that_the_policy_forbids_is_refused() {
    need!(Root, Busybox, SeLinux);
    let mut case = case();
    // The kernel's own: no program may become that.
    case.bundle.config["process"]["selinuxLabel"] = json!("system_u:system_r:kernel_t:s0");
    case.bundle.script("echo the program ran");
    let output = case.run();
    assert_eq!(output.code, 1, "{output}");
    assert!(!output.stdout.contains("ran"), "{output}");
    case.finish();
}

/// The init process of the second container looks at the first one's user namespace by way of
/// `/proc`, where the policy decides on who may.
#[test]
fn the_user_namespace_of_another_container_can_be_joined() {
    need!(Root, Busybox, SeLinux);
    let (first, mut second) = (case(), case());
    let user_namespace = |mut case: Case| {
        case.bundle.user_namespace(100_000, 65_536);
        case.bundle.args(&["/bin/sleep", "1000"]);
        case
    };
    let first = user_namespace(first);
    first.start();
    let path = format!("/proc/{}/ns/user", first.pid());
    second = user_namespace(second);
    second.bundle.without_namespace("user");
    // They are those of the namespace.
    second.bundle.config["linux"]["uidMappings"] = json!([]);
    second.bundle.config["linux"]["gidMappings"] = json!([]);
    second
        .bundle
        .namespace(json!({ "type": "user", "path": path }));
    second.start();
    let namespace = |case: &Case| fs::read_link(format!("/proc/{}/ns/user", case.pid())).unwrap();
    assert_eq!(namespace(&second), namespace(&first));
    let label = fs::read_to_string(format!("/proc/{}/attr/current", second.pid())).unwrap();
    assert_eq!(shown(&label), PROCESS);
    let output = second.exec(&["/bin/cat", "/proc/self/attr/current"]).ok();
    assert_eq!(shown(&output.stdout), PROCESS);
    second.delete();
    first.delete();
}

/// The sample of 2015 with labels, by the program that it was written for: the policy lets a
/// program start containers by the label of its file, and the one of these tests has no such label.
fn sample_of_2015(case: &Case, mount_label: &str, script: &str) -> Output {
    let file = include_str!("../../../configs/tests/legacy/fixtures/f-selinux.json");
    let config = read(case, file, |config| {
        // The files of the root file system have the categories of these tests.
        PROCESS.clone_into(&mut config.process_label);
        mount_label.clone_into(&mut config.mount_label);
    });
    let path = case.bundle.path().join("container.json");
    fs::write(&path, serde_json::to_string(&config).unwrap()).unwrap();
    let (root, path) = (case.root().to_str().unwrap(), path.to_str().unwrap());
    let line = ["--root", root, "exec", "--id", &case.id, "--config", path];
    Limited::new(program::nsinit())
        .args([&line[..], &["sh", "-c", script]].concat())
        .output()
}

#[test]
fn the_sample_of_2015_with_labels_has_them() {
    need!(Root, Busybox, Cofferdam, SeLinux);
    let case = case();
    let script = "hostname; cat /proc/self/attr/current; echo; \
                  echo x >/dev/shm/file && grep ' /dev/shm ' /proc/mounts";
    let output = sample_of_2015(&case, FILE, script).ok();
    let lines: Vec<&str> = output.stdout.lines().map(shown).collect();
    assert_eq!(&lines[..2], ["labelled", PROCESS], "{output}");
    assert!(lines.last().unwrap().contains(FILE), "{output}");
    case.finish();
}

/// In the sample itself, mounts have the label of the process. The policy has no file system with
/// the type of a process.
#[test]
fn a_mount_label_that_is_one_of_processes_is_refused() {
    need!(Root, Busybox, Cofferdam, SeLinux);
    let case = case();
    let output = sample_of_2015(&case, PROCESS, "echo the program ran");
    let output = output.failed(1, "permission denied");
    assert!(!output.stdout.contains("ran"), "{output}");
    case.finish();
}
