//! Interfaces that the runtime makes or moves.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};

use cofferdam::configs::config::{NamespaceType, NetDevice, Network};
use cofferdam::{Container, Process};
use netlink::{InterfaceName, LinkKind, NewLink, Socket};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::bundle::{Bundle, output, shell};

fn name(text: &str) -> InterfaceName {
    text.parse().unwrap()
}

/// Shows the interfaces with their addresses; the files of sysfs are those of the namespace that
/// mounted it.
const SHOW: &str = "ls /sys/class/net; cat /sys/class/net/eth0/operstate /sys/class/net/eth0/mtu /proc/net/fib_trie";

/// A bundle with a pair whose ends are `outside` and `eth0`.
fn with_pair(outside: &str) -> Option<Bundle> {
    let mut bundle = Bundle::new()?;
    bundle.config.networks.push(Network {
        kind: "veth".to_owned(),
        name: "eth0".to_owned(),
        host_interface_name: outside.to_owned(),
        address: "10.211.3.2/24".to_owned(),
        gateway: "10.211.3.1".to_owned(),
        mtu: 1400,
        ..Network::default()
    });
    Some(bundle)
}

/// Creates the container; `None` with a kernel without veth.
fn create(bundle: &Bundle, script: &str) -> Option<Container> {
    match bundle.create(shell(script)) {
        Err(error) if error.raw_os_error() == Some(95) => {
            eprintln!("skipped: {}", error.chain());
            None
        }
        other => Some(other.unwrap()),
    }
}

fn exists(host: &mut Socket, outside: &str) -> bool {
    match host.link_by_name(&name(outside)) {
        Ok(_) => true,
        Err(error) if error.kind() == netlink::ErrorKind::NotFound => false,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_veth_pair_is_made_with_its_addresses_and_counted() {
    let outside = format!("cfd{}", std::process::id() % 1_000_000);
    let Some(bundle) = with_pair(&outside) else {
        return;
    };
    let Some(mut container) = create(&bundle, SHOW) else {
        return;
    };
    let stats = container.stats().unwrap().network_interfaces.unwrap();
    assert_eq!(stats.len(), 1);
    assert_eq!(stats[0].name, outside);
    container.start().unwrap();
    let text = output(&mut container);
    assert!(
        text.contains("eth0\nlo\n") && text.contains("1400"),
        "{text}"
    );
    assert!(text.contains("10.211.3.2"), "{text}");
    container.wait().unwrap();
    container.destroy().unwrap();
    bundle.assert_nothing_left();
}

/// The kernel removes a pair some time after the end of its namespace.
#[test]
fn a_veth_pair_is_gone_when_the_container_is() {
    let outside = format!("cfg{}", std::process::id() % 1_000_000);
    let Some(bundle) = with_pair(&outside) else {
        return;
    };
    let mut host = Socket::connect().unwrap();
    // At once again, under the same names.
    for _ in 0..10 {
        let Some(container) = create(&bundle, "true") else {
            return;
        };
        assert!(exists(&mut host, &outside));
        container.destroy().unwrap();
        assert!(!exists(&mut host, &outside));
    }
    bundle.assert_nothing_left();
}

#[test]
fn a_device_of_the_same_name_that_is_not_the_containers_stays() {
    let outside = format!("cfo{}", std::process::id() % 1_000_000);
    let Some(bundle) = with_pair(&outside) else {
        return;
    };
    let mut host = Socket::connect().unwrap();
    let Some(container) = create(&bundle, "true") else {
        return;
    };
    let own = host.link_by_name(&name(&outside)).unwrap().index;
    host.delete_link(own).unwrap();
    let peer = name(&format!("{outside}p"));
    let kind = LinkKind::Veth {
        peer: &peer,
        peer_namespace: None,
    };
    let name = name(&outside);
    host.create_link(&NewLink::new(&name, kind)).unwrap();
    container.destroy().unwrap();
    let other = host.link_by_name(&name).unwrap().index;
    host.delete_link(other).unwrap();
    bundle.assert_nothing_left();
}

/// A process that keeps a network namespace of its own until its standard input is closed.
struct Holder(Child);

impl Holder {
    fn start() -> Self {
        let mut child = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo ready; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let said = child.stdout.as_mut().unwrap();
        BufReader::new(said).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self(child)
    }

    fn path(&self) -> String {
        format!("/proc/{}/ns/net", self.0.id())
    }

    fn end(&mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }
}

/// In a namespace that outlives the container nothing would ever remove the pair. This one is
/// entered by the thread of the caller, whose sysfs goes on showing the first one.
#[test]
fn a_caller_in_another_network_namespace_counts_and_removes_its_pairs() {
    let outside = format!("cfn{}", std::process::id() % 1_000_000);
    let Some(mut bundle) = with_pair(&outside) else {
        return;
    };
    let (mut callers, mut joined) = (Holder::start(), Holder::start());
    bundle
        .config
        .namespaces
        .set(NamespaceType::Network, joined.path());
    let own = File::open(callers.path()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            move_into_link_name_space(own.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            let Some(container) = create(&bundle, "true") else {
                return;
            };
            let mut host = Socket::connect().unwrap();
            assert!(exists(&mut host, &outside));
            let stats = container.stats().unwrap().network_interfaces.unwrap();
            assert_eq!(stats[0].name, outside);
            container.destroy().unwrap();
            assert!(!exists(&mut host, &outside));
        });
    });
    callers.end();
    joined.end();
    bundle.assert_nothing_left();
}

/// In the namespace of others: the pair does not end with the init process.
#[test]
fn a_creation_that_fails_leaves_no_pair_in_a_joined_namespace() {
    let outside = format!("cff{}", std::process::id() % 1_000_000);
    let Some(mut bundle) = with_pair(&outside) else {
        return;
    };
    let mut joined = Holder::start();
    bundle
        .config
        .namespaces
        .set(NamespaceType::Network, joined.path());
    let mut host = Socket::connect().unwrap();
    // Found out by the init process, long after the network.
    let error = bundle
        .create(Process::new(["/no/such/program"]))
        .unwrap_err();
    if error.raw_os_error() == Some(95) {
        eprintln!("skipped: {}", error.chain());
    } else {
        assert!(
            error.chain().contains("/no/such/program"),
            "{}",
            error.chain()
        );
    }
    assert!(!exists(&mut host, &outside));
    joined.end();
    bundle.assert_nothing_left();
}

#[test]
fn a_device_of_the_host_is_moved_in_and_renamed() {
    let Some(mut bundle) = Bundle::new() else {
        return;
    };
    let outside = format!("cfm{}", std::process::id() % 1_000_000);
    let mut host = Socket::connect().unwrap();
    if let Err(error) = host.create_link(&NewLink::new(&name(&outside), LinkKind::Dummy)) {
        eprintln!("skipped: {error}");
        return;
    }
    let index = host.link_by_name(&name(&outside)).unwrap().index;
    host.add_address(index, "10.211.4.2/24".parse().unwrap())
        .unwrap();
    bundle.config.net_devices.insert(
        outside.clone(),
        NetDevice {
            name: "eth0".to_owned(),
        },
    );
    let mut container = bundle.run(shell(SHOW)).unwrap();
    assert!(
        host.link_by_name(&name(&outside)).is_err(),
        "it is still outside"
    );
    let text = output(&mut container);
    assert!(
        text.contains("eth0") && text.contains("10.211.4.2"),
        "{text}"
    );
    container.wait().unwrap();
    container.destroy().unwrap();
    bundle.assert_nothing_left();
}
