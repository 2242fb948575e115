//! Networks of a test's own.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};

use configs::config::Network;
use configs::oci::Spec;
use configs::{Config, HostInfo, specconv};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::Value;

use crate::Case;

/// The host side of the pair of [`configuration`].
pub const HOST_SIDE: &str = "cfd0";

/// The bridge of [`enter`].
pub const BRIDGE: &str = "br0";

/// Moves the calling thread, and with it the commands that it starts, into a new network namespace
/// with a loopback interface and a bridge that are up; the bridge has the addresses `10.211.3.1/24`
/// and `fd21::1/64`.
pub fn enter() {
    let mut holder = Command::new("unshare")
        .args(["--net", "sh", "-c", "echo ready; exec cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("unshare");
    let mut line = String::new();
    let said = holder.stdout.as_mut().expect("a pipe");
    BufReader::new(said)
        .read_line(&mut line)
        .expect("read a line");
    let namespace = File::open(format!("/proc/{}/ns/net", holder.id())).expect("a namespace");
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).expect("setns");
    drop(holder.stdin.take());
    holder.wait().expect("wait");
    for line in [
        "link set lo up",
        "link add br0 address 02:00:00:00:00:01 type bridge",
        "link set br0 mtu 1500 up",
        "address add 10.211.3.1/24 dev br0",
        "address add fd21::1/64 dev br0 nodad",
    ] {
        let _ = ip(line);
    }
}

/// What `ip` of iproute2 prints for these words.
#[track_caller]
pub fn ip(words: &str) -> String {
    let words = words.split_whitespace();
    let output = Command::new("ip").args(words).output().expect("ip");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// What is known of a device of the calling thread's network; `None` if there is none.
pub fn device(name: &str) -> Option<Value> {
    let arguments = ["-details", "-json", "link", "show", name];
    let output = Command::new("ip").args(arguments).output().expect("ip");
    let devices: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    devices.get(0).cloned()
}

/// The configuration of a case, with a veth pair between [`HOST_SIDE`] and `eth0`.
pub fn configuration(case: &Case) -> Config {
    case.bundle.write();
    let spec = Spec::from_slice(case.bundle.config.to_string().as_bytes()).expect("a spec");
    let bundle = case.bundle.path().to_str().expect("UTF-8").to_owned();
    let options = specconv::Options {
        id: case.id.clone(),
        bundle,
        ..specconv::Options::default()
    };
    let converted = specconv::convert(&spec, &HostInfo::default(), &options);
    let mut config = converted.expect("a configuration").0;
    config.networks.push(Network {
        kind: "veth".to_owned(),
        name: "eth0".to_owned(),
        bridge: BRIDGE.to_owned(),
        mac_address: "02:00:00:00:00:07".to_owned(),
        address: "10.211.3.2/24".to_owned(),
        gateway: "10.211.3.1".to_owned(),
        ipv6_address: "fd21::2/64".to_owned(),
        ipv6_gateway: "fd21::1".to_owned(),
        mtu: 1400,
        txqueuelen: 77,
        host_interface_name: HOST_SIDE.to_owned(),
        hairpin_mode: true,
    });
    config
}

/// Connects from a container to a port of the bridge where no program listens, which the host says.
#[track_caller]
pub fn reaches_the_host(case: &Case) {
    let said = case.exec(&["nc", "-w", "60", "10.211.3.1", "9"]);
    assert!(said.stderr.contains("Connection refused"), "{said}");
}

/// Whether this machine can make such networks: `ip` of iproute2, and a kernel with bridges and
/// veth pairs.
pub(crate) fn can_be_made() -> bool {
    let script = "ip link add br0 type bridge && ip link add name v0 type veth peer name v1";
    let tried = Command::new("unshare")
        .args(["--net", "sh", "-c", script])
        .output();
    tried.is_ok_and(|output| output.status.success())
}
