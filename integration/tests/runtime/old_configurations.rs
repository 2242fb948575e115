//! Containers made of libcontainer's older configuration files. They run on every machine; those
//! with labels and profiles need more, and are read and validated in the tests of crate `configs`.

use std::fs::{self, File};
use std::io::Read as _;

use cofferdam_integration::{Case, need};
use runtime::configs::Config;
use runtime::configs::legacy::{self, Options};
use runtime::{ContainerId, Process, Runtime, Stdio};

/// A fixture of crate `configs`.
macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../configs/tests/legacy/fixtures/", $name))
    };
}

/// Runs a script with the configuration of a file, changed for this machine.
fn run(case: &Case, file: &str, change: impl FnOnce(&mut Config), script: &str) -> String {
    let rootfs = case.bundle.rootfs().to_str().unwrap().to_owned();
    let options = Options {
        rootfs: rootfs.clone(),
        ..Options::default()
    };
    let mut config = legacy::load(file.as_bytes(), &options).unwrap().config;
    config.rootfs = rootfs;
    // Not the cgroup of another test.
    config.cgroups.name.clone_from(&case.id);
    config.cgroups.parent = "cofferdam".to_owned();
    change(&mut config);
    let mut process = Process::new(["/bin/sh", "-c", script]);
    process
        .env(["PATH=/bin"])
        .stdin(Stdio::Null)
        .stdout(Stdio::Pipe);
    let id: ContainerId = case.id.parse().unwrap();
    let runtime = Runtime::new(case.root()).unwrap();
    let mut container = runtime
        .run(&id, config, process)
        .unwrap_or_else(|error| panic!("{}", error.chain()));
    let pipes = container.init_mut().unwrap().pipes();
    let mut text = String::new();
    File::from(pipes.stdout.take().unwrap())
        .read_to_string(&mut text)
        .unwrap();
    container.wait().unwrap();
    container.destroy().unwrap();
    text
}

#[test]
fn the_file_of_april_2014() {
    need!(Root, Busybox);
    let case = Case::new();
    let own = case.bundle.path();
    fs::create_dir(own.join("data")).unwrap();
    fs::write(own.join("hosts"), "hosts of the caller\n").unwrap();
    fs::write(own.join("resolv.conf"), "").unwrap();
    // Its sources, its bridge and its profile are not here.
    let change = |config: &mut Config| {
        for mount in &mut config.mounts {
            if let Some(path) = mount.source.strip_prefix("/srv/") {
                let name = path.rsplit('/').next().unwrap();
                mount.source = own.join(name).to_str().unwrap().to_owned();
            }
        }
        config.networks.clear();
        config.apparmor_profile.clear();
    };
    let script = "echo $$ on $(hostname); cat /etc/hosts; touch /data/written; \
                  touch /etc/hosts 2>/dev/null || echo read-only";
    let text = run(&case, fixture!("a-strings.json"), change, script);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines, ["1 on harbour", "hosts of the caller", "read-only"]);
    assert!(fs::exists(own.join("data/written")).unwrap());
    case.finish();
}

#[test]
fn the_minimal_sample_of_2015() {
    need!(Root, Busybox);
    let case = Case::new();
    let file = fixture!("f-minimal.json");
    let text = run(&case, file, |_| {}, "echo $$ on $(hostname)");
    assert_eq!(text, "1 on minimal\n");
    case.finish();
}

#[test]
fn the_sample_with_the_processes_of_the_host() {
    need!(Root, Busybox);
    let case = Case::new();
    let script = "readlink /proc/self/ns/pid; hostname";
    let text = run(&case, fixture!("f-host-pid.json"), |_| {}, script);
    let host = fs::read_link("/proc/self/ns/pid").unwrap();
    assert_eq!(text, format!("{}\nseer\n", host.display()));
    case.finish();
}

#[test]
fn the_sample_with_a_user_namespace() {
    need!(Root, Busybox);
    let case = Case::new();
    let script = "cat /proc/self/uid_map /proc/self/gid_map";
    let text = run(&case, fixture!("f-userns.json"), |_| {}, script);
    let words: Vec<&str> = text.split_whitespace().collect();
    assert_eq!(words, ["0", "100000", "65536", "0", "200000", "65536"]);
    case.finish();
}
