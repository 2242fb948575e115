//! Containers made of libcontainer's older configuration files. Those with labels and profiles are
//! among the tests of security modules.

use std::fs;

use cofferdam_integration::older_configuration::run;
use cofferdam_integration::{Case, need, networks};
use runtime::configs::Config;

/// A fixture of crate `configs`.
macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../configs/tests/legacy/fixtures/", $name))
    };
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

#[test]
fn the_sample_that_is_attached_to_a_bridge() {
    need!(Root, Busybox, VirtualNetworks);
    networks::enter();
    let case = Case::new();
    let change = |config: &mut Config| config.networks[1].bridge = networks::BRIDGE.to_owned();
    let script = "ip -4 address show eth0; ip route; hostname";
    let text = run(&case, fixture!("f-bridge.json"), change, script);
    for expected in ["10.24.0.2/24", "default via 10.24.0.1 dev eth0", "bridged"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    // The pair ends with the container.
    assert_eq!(networks::device("vethcof24"), None);
    case.finish();
}
