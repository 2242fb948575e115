//! What libcontainer's own integration tests ask, as far as no other file here does. The tests have
//! their names; `docs/legacy-index.md` has the others.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use cofferdam_integration::{Case, eventually, need};
use runtime::devices::{Access, Kind, Rule};
use serde_json::json;

#[test]
fn ipc_join_path() {
    need!(Root, Busybox);
    let mut first = Case::new();
    first.bundle.args(&["/bin/sleep", "1000"]);
    first.start();
    let path = format!("/proc/{}/ns/ipc", first.pid());
    let mut second = Case::new();
    second.bundle.without_namespace("ipc");
    second
        .bundle
        .namespace(json!({ "type": "ipc", "path": path }));
    let joined = second.inside("readlink /proc/self/ns/ipc").stdout;
    assert_eq!(
        joined.trim_end(),
        fs::read_link(path).unwrap().to_str().unwrap()
    );
    second.finish();
    first.delete();
}

#[test]
fn ipc_bad_path() {
    need!(Root, Busybox);
    let mut case = Case::new();
    let path = "/proc/1/ns/no-such";
    case.bundle.without_namespace("ipc");
    case.bundle
        .namespace(json!({ "type": "ipc", "path": path }));
    let _ = case.run().failed(1, path);
    case.finish();
}

/// Without a namespace of this type, `name` in `/proc/self/ns`, the container has the host's.
#[track_caller]
fn is_the_hosts(kind: &str, name: &str) {
    let mut case = Case::new();
    case.bundle.without_namespace(kind);
    let output = case.inside(&format!("readlink /proc/self/ns/{name}"));
    let host = fs::read_link(format!("/proc/self/ns/{name}")).unwrap();
    assert_eq!(output.stdout.trim_end(), host.to_str().unwrap());
    case.finish();
}

#[test]
fn pid_host() {
    need!(Root, Busybox);
    is_the_hosts("pid", "pid");
}

#[test]
fn ipc_host() {
    need!(Root, Busybox);
    is_the_hosts("ipc", "ipc");
}

#[test]
fn cgroup_host() {
    need!(Root, Busybox);
    is_the_hosts("cgroup", "cgroup");
}

#[test]
fn shared_pidns_init_kill() {
    need!(Root, Busybox);
    let mut first = Case::new();
    first.bundle.args(&["/bin/sleep", "1000"]);
    first.start();
    let mut second = Case::new();
    second.bundle.without_namespace("pid");
    second
        .bundle
        .namespace(json!({ "type": "pid", "path": format!("/proc/{}/ns/pid", first.pid()) }));
    second.bundle.script("sleep 1000 & exec sleep 1000");
    second.start();
    let processes = || {
        let list = second.call(&["ps", "--format", "json", &second.id]).ok();
        list.json().as_array().map_or(0, Vec::len)
    };
    eventually("both run", || processes() == 2);
    let _ = second.call(&["kill", &second.id, "KILL"]).ok();
    eventually("both are killed", || processes() == 0);
    assert_eq!(first.status(), "running");
    second.wait_for_status("stopped");
    second.delete();
    first.delete();
}

/// Whether a container can make a cgroup below its own, with these options of the mount. On v2 the
/// mount shows the whole tree, without a cgroup namespace.
fn makes_a_cgroup(options: &[&str]) -> bool {
    let mut case = Case::new();
    case.bundle.mount(json!({
        "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": options
    }));
    let output = case.inside(
        "cd /sys/fs/cgroup; test -d memory && cd memory || \
         cd .$(sed -n 's/^0:://p' /proc/self/cgroup); \
         mkdir below 2>/dev/null && rmdir below && echo made || true",
    );
    case.finish();
    output.stdout == "made\n"
}

#[test]
fn mount_cgroup_ro() {
    need!(Root, Busybox, Controllers);
    assert!(!makes_a_cgroup(&["nosuid", "noexec", "nodev", "ro"]));
}

#[test]
fn mount_cgroup_rw() {
    need!(Root, Busybox, Controllers);
    assert!(makes_a_cgroup(&["nosuid", "noexec", "nodev"]));
}

/// The propagation of a shared mount of the host that is bound into a container whose root has
/// this one, as it is in `/proc/self/mountinfo`.
fn propagation(root: &str) -> String {
    let mut case = Case::new();
    let source = case.bundle.path().join("source");
    fs::create_dir(&source).unwrap();
    case.bundle.config["linux"]["rootfsPropagation"] = json!(root);
    case.bundle.mount(json!({
        "destination": "/mnt", "type": "bind", "source": source, "options": ["rbind"]
    }));
    case.bundle
        .script("grep ' /mnt ' /proc/self/mountinfo | cut -d' ' -f7");
    let source = source.display();
    let output = case
        .run_after(&format!(
            "mount -t tmpfs tmpfs {source}; mount --make-shared {source}"
        ))
        .ok();
    case.finish();
    output.stdout
}

#[test]
fn rootfs_propagation_slave_mount() {
    need!(Root, Busybox);
    let found = propagation("rslave");
    assert!(found.starts_with("master:"), "{found}");
}

#[test]
fn rootfs_propagation_shared_mount() {
    need!(Root, Busybox);
    let found = propagation("private");
    assert!(found.starts_with("shared:"), "{found}");
}

#[test]
fn bind_mount_and_user() {
    need!(Root, Busybox);
    let mut case = Case::new();
    let locked = case.bundle.path().join("locked");
    fs::create_dir_all(locked.join("inner")).unwrap();
    fs::write(locked.join("inner/file"), "readable").unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o700)).unwrap();
    case.bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    case.bundle.mount(json!({
        "destination": "/mnt", "type": "bind", "source": locked.join("inner"),
        "options": ["bind"]
    }));
    assert_eq!(case.inside("cat /mnt/file").stdout, "readable");
    case.finish();
}

#[test]
fn tmpfs_copy_up() {
    need!(Root, Busybox);
    let mut case = Case::new();
    case.bundle.mount(json!({
        "destination": "/etc", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]
    }));
    let output = case.inside("grep -c root /etc/passwd; grep ' /etc ' /proc/self/mountinfo");
    assert_eq!(output.lines()[0], "1");
    assert!(output.stdout.contains(" - tmpfs "), "{output}");
    case.finish();
}

#[test]
fn stdio_permissions() {
    need!(Root, Busybox);
    let mut case = Case::new();
    case.bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    let output = case.inside("echo out >/dev/stdout; echo err >/dev/stderr");
    assert_eq!(
        (output.stdout.as_str(), output.stderr.as_str()),
        ("out\n", "err\n")
    );
    case.finish();
}

#[test]
fn exec_in_rlimit() {
    need!(Root, Busybox);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    let process = json!({
        "args": ["/bin/sh", "-c", "ulimit -n"], "cwd": "/",
        "rlimits": [{ "type": "RLIMIT_NOFILE", "soft": 100, "hard": 101 }]
    });
    let file = case.bundle.path().join("process.json");
    fs::write(&file, process.to_string()).unwrap();
    let output = case.exec_before(&["--process", file.to_str().unwrap()]);
    assert_eq!(output.ok().stdout, "100\n");
    case.delete();
}

#[test]
fn update_devices() {
    need!(Root, Busybox, Controllers);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    let container = runtime::Runtime::new(case.root())
        .and_then(|runtime| runtime.load(&case.id.parse()?))
        .unwrap();
    let opens = || case.exec(&["/bin/head", "-c", "1", "/dev/zero"]).code == 0;
    let before = container.config().unwrap();
    let mut denied = before.clone();
    let zero = Rule::deny(Kind::Char, Some(1), Some(5), Access::READ | Access::WRITE);
    denied.cgroups.resources.devices.push(zero);
    for (config, allowed) in [(&before, true), (&denied, false), (&before, true)] {
        container.set(config).unwrap();
        assert_eq!(opens(), allowed);
    }
    // All or nothing: no machine has this processor.
    denied.cgroups.resources.cpuset_cpus = "4095".to_owned();
    container.set(&denied).unwrap_err();
    assert!(opens());
    assert_eq!(container.config().unwrap(), before);
    case.delete();
}
