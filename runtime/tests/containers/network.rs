//! Interfaces and routes that the runtime makes or moves.
//!
//! Each test is in a network of its own: its thread enters a new network namespace, which is the
//! host's for the containers that it makes.

mod failures;
mod joined;
mod settings;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};

use cofferdam::configs::config::{NetDevice, Network, Route};
use cofferdam::{Container, Process};
use netlink::{
    Address, Cidr, InterfaceName, Link, LinkKind, MacAddress, Namespace, NewLink, Scope, Socket,
};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::bundle::{Bundle, forever, output, shell};

/// The host side of the pair.
const OUTSIDE: &str = "cfd0";
const BRIDGE: &str = "br0";

fn name(text: &str) -> InterfaceName {
    text.parse().unwrap()
}

fn cidr(text: &str) -> Cidr {
    text.parse().unwrap()
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

    fn socket(&self) -> Socket {
        Namespace::open(self.path()).unwrap().connect().unwrap()
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

/// The network of a test: a bridge, up, with addresses.
struct Host {
    socket: Socket,
}

/// Moves the calling thread into a new network, with a bridge that is up. `false`, with the reason,
/// if this machine lacks what that takes.
pub(crate) fn enter_with_bridge(bridge: &str, address: &str) -> bool {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: needs root");
        return false;
    }
    {
        let holder = Holder::start();
        let namespace = File::open(holder.path()).unwrap();
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
    }
    let mut socket = Socket::connect().unwrap();
    let bridge = name(bridge);
    let mut new = NewLink::new(&bridge, LinkKind::Bridge);
    // Otherwise a bridge has the address and the MTU of its ports.
    new.mac = Some(MacAddress::new([2, 0, 0, 0, 0, 1]));
    if let Err(error) = socket.create_link(&new) {
        eprintln!("skipped: the kernel has no bridges: {error:#}");
        return false;
    }
    let bridge = socket.link_by_name(&bridge).unwrap().index;
    socket.set_mtu(bridge, 1500).unwrap();
    socket.add_address(bridge, cidr(address)).unwrap();
    socket.set_up(bridge).unwrap();
    true
}

impl Host {
    /// Moves the calling thread into a new network. `None`, with the reason, if this machine lacks
    /// what the tests need.
    fn enter() -> Option<Self> {
        if !enter_with_bridge(BRIDGE, "10.211.3.1/24") {
            return None;
        }
        let mut socket = Socket::connect().unwrap();
        let bridge = link(&mut socket, BRIDGE).unwrap().index;
        socket.add_address(bridge, cidr("fd21::1/64")).unwrap();
        Some(Self { socket })
    }

    fn link(&mut self, text: &str) -> Option<Link> {
        link(&mut self.socket, text)
    }

    /// A device of others.
    fn dummy(&mut self, text: &str) -> Link {
        dummy(&mut self.socket, text)
    }

    /// All that can be seen here: no test of a container may leave it another.
    fn picture(&mut self) -> Picture {
        picture(&mut self.socket)
    }
}

type Picture = (Vec<Link>, Vec<Address>, Vec<netlink::Route>);

/// What is in a network, but for what the kernel does in its own time: addresses and routes of the
/// link, and who is up because others are.
fn picture(socket: &mut Socket) -> Picture {
    let mut addresses = socket.addresses(None).unwrap();
    addresses.retain(|address| address.scope != Scope::Link);
    let mut routes = socket.routes().unwrap();
    routes.retain(|route| route.protocol != Some(2));
    (socket.links().unwrap(), addresses, routes)
}

fn link(socket: &mut Socket, text: &str) -> Option<Link> {
    match socket.link_by_name(&name(text)) {
        Ok(link) => Some(link),
        Err(error) if error.kind() == netlink::ErrorKind::NotFound => None,
        Err(error) => panic!("{error:#}"),
    }
}

fn dummy(socket: &mut Socket, text: &str) -> Link {
    let kind = LinkKind::Veth {
        peer: &name(&format!("{text}-peer")),
        peer_namespace: None,
    };
    socket
        .create_link(&NewLink::new(&name(text), kind))
        .unwrap();
    link(socket, text).unwrap()
}

/// A veth network with every setting.
fn network() -> Network {
    Network {
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
        host_interface_name: OUTSIDE.to_owned(),
        hairpin_mode: true,
    }
}

/// A bundle with a loopback interface and this one.
fn with(network: Network) -> Option<Bundle> {
    let mut bundle = Bundle::new()?;
    assert_eq!(bundle.config.networks, [Network::loopback()]);
    bundle.config.networks.push(network);
    Some(bundle)
}

/// The network of a container.
fn inside(container: &Container) -> Socket {
    let pid = container.pid().unwrap();
    let namespace = Namespace::open(format!("/proc/{pid}/ns/net")).unwrap();
    namespace.connect().unwrap()
}

#[test]
fn a_device_of_the_host_is_moved_in_and_renamed() {
    let (Some(mut host), Some(mut bundle)) = (Host::enter(), Bundle::new()) else {
        return;
    };
    let index = host.dummy("given").index;
    let address = cidr("10.211.4.2/24");
    host.socket.add_address(index, address).unwrap();
    bundle.config.net_devices.insert(
        "given".to_owned(),
        NetDevice {
            name: "eth0".to_owned(),
        },
    );
    let mut container = bundle
        .run(shell(
            "ls /sys/class/net; cat /sys/class/net/eth0/operstate /proc/net/fib_trie",
        ))
        .unwrap();
    assert!(host.link("given").is_none(), "it is still outside");
    let text = output(&mut container);
    assert!(
        text.contains("eth0") && text.contains("10.211.4.2"),
        "{text}"
    );
    container.wait().unwrap();
    container.destroy().unwrap();
    bundle.assert_nothing_left();
}
