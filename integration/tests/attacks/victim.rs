//! Containers as attacks need them.

use std::path::Path;

use cofferdam_integration::reduced_kernel::Check;
use cofferdam_integration::{Case, Output};
use serde_json::{Value, json};

/// Every capability that this machine's root has; `CAP_SYS_RESOURCE` may be missing even there.
pub(crate) const STRONG: [&str; 16] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_ADMIN",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_TTY_CONFIG",
];

/// What the example configuration masks in procfs; not every kernel has all of it.
pub(crate) const MASKED: [&str; 5] = ["kcore", "keys", "timer_list", "acpi", "sched_debug"];

/// Gives the container these capabilities.
pub(crate) fn capabilities(case: &mut Case, names: &[&str]) {
    case.bundle.config["process"]["capabilities"] =
        json!({ "bounding": names, "effective": names, "permitted": names });
}

/// Lets the container write to its root.
pub(crate) fn writable(case: &mut Case) {
    case.bundle.config["root"]["readonly"] = json!(false);
}

/// Takes the mount at a destination out of the configuration.
pub(crate) fn without_mount(case: &mut Case, destination: &str) {
    case.bundle.config["mounts"]
        .as_array_mut()
        .unwrap()
        .retain(|mount| mount["destination"] != destination);
}

/// Puts a mount in place of the one at its destination.
pub(crate) fn replace_mount(case: &mut Case, mount: Value) {
    let mounts = case.bundle.config["mounts"].as_array_mut().unwrap();
    let position = mounts
        .iter()
        .position(|old| old["destination"] == mount["destination"])
        .unwrap();
    mounts[position] = mount;
}

/// A bind mount.
pub(crate) fn bind(source: &Path, destination: &str) -> Value {
    json!({ "destination": destination, "type": "bind", "source": source, "options": ["rbind"] })
}

/// `create`, with the pid of the init process if that worked.
pub(crate) fn create(case: &Case) -> Result<u32, Output> {
    let path = case.bundle.path().join("init-pid");
    let output = case.detached(&["create", "--pid-file", path.to_str().unwrap(), &case.id]);
    if output.code == 0 {
        Ok(std::fs::read_to_string(path).unwrap().parse().unwrap())
    } else {
        sane(&output);
        Err(output)
    }
}

/// `delete --force`, after which the case can be used again.
pub(crate) fn delete(case: &Case) {
    let _ = case.call(&["delete", "--force", &case.id]).ok();
}

/// A failure must be one that the program reports: no panic, no crash, and text.
#[track_caller]
pub(crate) fn sane(output: &Output) {
    let _check = Check::begin();
    // 255 is exec's own failure; 128 + N is a signal, of which nothing here should die.
    assert!(
        (0..128).contains(&output.code) || output.code == 255,
        "a crash: {output}"
    );
    assert!(!output.stderr.contains("panicked"), "a panic: {output}");
    assert!(
        output.code == 0 || !output.stderr.trim().is_empty(),
        "no message: {output}"
    );
}

/// Fails unless the command was refused, with a message.
#[track_caller]
pub(crate) fn refused(output: &Output, what: &str) {
    sane(output);
    assert!(output.code != 0, "{what} is accepted: {output}");
}

/// `cofferdam ARGUMENTS` with shell redirections around it.
pub(crate) fn shell(case: &Case, before: &str, arguments: &str, after: &str) -> Output {
    case.bundle.write();
    let line = format!(
        "{before} exec '{}' --root '{}' {arguments} {after}",
        case.program.display(),
        case.root().display()
    );
    cofferdam_integration::Limited::new("/bin/bash")
        .args(["-c", &line])
        .directory(case.bundle.path())
        .output()
}

/// The value of a line of `/proc/PID/status`, with single spaces.
pub(crate) fn status_field(status: &str, name: &str) -> String {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("{name} is not in {status}"))
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}
