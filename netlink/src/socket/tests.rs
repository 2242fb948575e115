//! Against the real kernel, in network namespaces made for each test, which need root.

mod kinds;

use super::*;
use crate::wire::Answer;
use crate::{Cidr, ErrorKind, LinkKind, MacAddress, Namespace, NetDevice, NewLink, Scope, encode};
use nix::sched::{CloneFlags, unshare};
use std::fs::File;
use std::net::IpAddr;
use std::path::Path;

/// A new network namespace, which ends with the value; `None`, after a line that says why, without
/// the right to make one.
pub(crate) fn private_namespace() -> Option<Namespace> {
    let made = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET)?;
        // Opened by the thread itself: it is the one that lives in there.
        File::open("/proc/thread-self/ns/net").map_err(|_| Errno::EIO)
    });
    match made.join().unwrap() {
        Ok(file) => Some(Namespace::new(file, "/run/netns/test")),
        Err(errno) => {
            eprintln!("skipped: a network namespace needs root: {errno}");
            None
        }
    }
}

fn private() -> Option<Socket> {
    Some(private_namespace()?.connect().unwrap())
}

fn name(text: &str) -> InterfaceName {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn cidr(text: &str) -> Cidr {
    text.parse().unwrap()
}

fn create(socket: &mut Socket, text: &str, kind: LinkKind<'_>) -> LinkIndex {
    let name = name(text);
    socket.create_link(&NewLink::new(&name, kind)).unwrap();
    socket.link_by_name(&name).unwrap().index
}

/// A pair whose other end stays in the same namespace.
fn veth(socket: &mut Socket, text: &str, peer: &InterfaceName) -> LinkIndex {
    let kind = LinkKind::Veth {
        peer,
        peer_namespace: None,
    };
    create(socket, text, kind)
}

/// Creates a device whose kind the kernel may lack, or says so.
fn try_create(socket: &mut Socket, new: &NewLink<'_>) -> Option<Link> {
    match socket.create_link(new) {
        Ok(()) => Some(socket.link_by_name(new.name).unwrap()),
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
            eprintln!("skipped: the kernel has no {:?}", new.kind);
            None
        }
        Err(error) => panic!("{error}: {:?}", error.raw_os_error()),
    }
}

fn addresses(socket: &mut Socket, link: LinkIndex) -> Vec<Cidr> {
    let all = socket.addresses(Some(link)).unwrap();
    all.iter()
        .filter(|address| address.scope != Scope::Link)
        .map(|address| address.cidr)
        .collect()
}

#[test]
fn the_loopback_device_is_the_first_and_comes_up() {
    let Some(mut socket) = private() else { return };
    let before = socket.link_by_name(&name("lo")).unwrap();
    assert_eq!(
        (before.index, before.is_up, before.kind),
        (LinkIndex::LOOPBACK, false, None)
    );
    socket.set_up(LinkIndex::LOOPBACK).unwrap();
    assert!(socket.link_by_name(&name("lo")).unwrap().is_up);
}

#[test]
fn the_encoded_message_brings_loopback_up() {
    let Some(mut socket) = private() else { return };
    let kernel = NetlinkAddr::new(0, 0);
    let raw = socket.descriptor.as_raw_fd();
    sendto(raw, &encode::loopback_up(), &kernel, MsgFlags::empty()).unwrap();
    let mut answer = [0; 256];
    let (length, _) = recvfrom::<NetlinkAddr>(raw, &mut answer).unwrap();
    let [Answer::End(0, None)] = answers(&answer[..length], 1)[..] else {
        panic!("{:?}", &answer[..length]);
    };
    assert!(socket.link_by_name(&name("lo")).unwrap().is_up);
}

#[test]
fn a_veth_pair_has_two_ends_with_the_same_sizes() {
    let Some(mut socket) = private() else { return };
    let (here, there) = (name("here"), name("there"));
    let mac: MacAddress = "02:00:00:00:00:07".parse().unwrap();
    let new = NewLink {
        mtu: Some(1400),
        tx_queue_len: Some(77),
        mac: Some(mac),
        ..NewLink::new(
            &here,
            LinkKind::Veth {
                peer: &there,
                peer_namespace: None,
            },
        )
    };
    socket.create_link(&new).unwrap();
    for end in [&here, &there] {
        let link = socket.link_by_name(end).unwrap();
        assert_eq!((link.mtu, link.tx_queue_len), (1400, 77));
        assert_eq!(link.kind.as_deref(), Some("veth"));
        assert_eq!(link.mac == Some(mac), end == &here);
    }
    let error = socket.create_link(&new).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exists);
    assert!(error.to_string().starts_with("create link here"), "{error}");
    let index = socket.link_by_name(&here).unwrap().index;
    socket.delete_link(index).unwrap();
    assert_eq!(
        socket.link_by_name(&there).unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[test]
fn the_other_end_can_be_made_in_another_namespace() {
    let (Some(mut socket), Some(inside)) = (private(), private_namespace()) else {
        return;
    };
    let peer = name("eth0");
    let kind = LinkKind::Veth {
        peer: &peer,
        peer_namespace: Some(inside.as_fd()),
    };
    create(&mut socket, "host-end", kind);
    assert!(socket.link_by_name(&peer).is_err());
    let link = inside.connect().unwrap().link_by_name(&peer).unwrap();
    assert_eq!(link.kind.as_deref(), Some("veth"));
}

#[test]
fn changing_a_device() {
    let Some(mut socket) = private() else { return };
    let link = veth(&mut socket, "a", &name("b"));
    let mac = MacAddress::random_local().unwrap();
    socket.set_mac(link, mac).unwrap();
    socket.set_mtu(link, 1280).unwrap();
    socket.set_tx_queue_len(link, 5).unwrap();
    socket.rename(link, &name("renamed")).unwrap();
    socket.set_up(link).unwrap();
    let found = socket.link_by_name(&name("renamed")).unwrap();
    assert_eq!(found.index, link);
    assert_eq!(
        (found.mac, found.mtu, found.tx_queue_len),
        (Some(mac), 1280, 5)
    );
    assert!(found.is_up);
    socket.set_down(link).unwrap();
    assert!(!socket.link_by_name(&name("renamed")).unwrap().is_up);
}

#[test]
fn refusals_are_told_apart() {
    let Some(mut socket) = private() else { return };
    let multicast = "01:00:5e:00:00:01".parse().unwrap();
    let error = socket.set_mac(LinkIndex::LOOPBACK, multicast).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let absent = LinkIndex::new(999).unwrap();
    assert_eq!(
        socket.set_up(absent).unwrap_err().kind(),
        ErrorKind::NotFound
    );
    assert_eq!(
        socket.link_by_name(&name("eth9")).unwrap_err().kind(),
        ErrorKind::NotFound
    );
    let link = veth(&mut socket, "a", &name("b"));
    let error = socket.set_mtu(link, 1).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    assert!(
        error
            .to_string()
            .starts_with(&format!("set mtu of link {link} to 1")),
        "{error}"
    );
    assert_eq!(
        socket.rename(link, &name("b")).unwrap_err().kind(),
        ErrorKind::Exists
    );
}

#[test]
fn addresses_come_and_go() {
    let Some(mut socket) = private() else { return };
    let link = veth(&mut socket, "a", &name("b"));
    for text in ["192.0.2.7/24", "2001:db8::7/64"] {
        socket.add_address(link, cidr(text)).unwrap();
        assert_eq!(
            socket.add_address(link, cidr(text)).unwrap_err().kind(),
            ErrorKind::Exists
        );
    }
    let all = socket.addresses(Some(link)).unwrap();
    assert!(
        all.iter()
            .all(|address| address.is_permanent && address.scope == Scope::Universe)
    );
    assert_eq!(
        addresses(&mut socket, link),
        [cidr("192.0.2.7/24"), cidr("2001:db8::7/64")]
    );
    assert!(socket.addresses(None).unwrap().len() >= 2);
    socket.delete_address(link, cidr("192.0.2.7/24")).unwrap();
    assert_eq!(addresses(&mut socket, link), [cidr("2001:db8::7/64")]);
    let error = socket
        .delete_address(link, cidr("192.0.2.7/24"))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn routes_come_and_go() {
    let Some(mut socket) = private() else { return };
    let link = veth(&mut socket, "a", &name("b"));
    socket.add_address(link, cidr("192.0.2.7/24")).unwrap();
    socket.add_address(link, cidr("2001:db8::7/64")).unwrap();
    socket.set_up(link).unwrap();
    let routes = [
        Route::default_gateway(ip("192.0.2.1"), Some(link)),
        Route::default_gateway(ip("2001:db8::1"), Some(link)),
        Route {
            destination: Some(cidr("198.51.100.0/24")),
            preferred_source: Some(ip("192.0.2.7")),
            gateway: None,
            link: Some(link),
            protocol: Some(207),
        },
    ];
    for route in &routes {
        socket.add_route(route).unwrap();
        assert_eq!(
            socket.add_route(route).unwrap_err().kind(),
            ErrorKind::Exists
        );
    }
    let listed = socket.routes().unwrap();
    assert!(
        routes.iter().all(|route| listed.contains(route)),
        "{listed:?}"
    );
    for route in &routes {
        socket.delete_route(route).unwrap();
        assert_eq!(
            socket.delete_route(route).unwrap_err().kind(),
            ErrorKind::NotFound
        );
    }
    let unreachable = Route::default_gateway(ip("203.0.113.1"), Some(link));
    let error = socket.add_route(&unreachable).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENETUNREACH));
    assert_eq!(
        socket.add_route(&Route::default()).unwrap_err().kind(),
        ErrorKind::Invalid
    );
}

#[test]
fn a_device_moves_by_descriptor_and_by_pid() {
    let (Some(mut socket), Some(inside)) = (private(), private_namespace()) else {
        return;
    };
    let peer = name("b");
    let link = veth(&mut socket, "a", &peer);
    socket.move_to_namespace(link, inside.as_fd()).unwrap();
    assert!(inside.connect().unwrap().link_by_name(&name("a")).is_ok());
    let back = socket.link_by_name(&peer).unwrap().index;
    let mut holder = std::process::Command::new("unshare")
        .args(["--net", "sh", "-c", "echo ready; exec cat"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let said = holder.stdout.as_mut().unwrap();
    std::io::Read::read_exact(said, &mut [0; 6]).unwrap();
    let third = name("third");
    let kind = LinkKind::Veth {
        peer: &name("other"),
        peer_namespace: None,
    };
    let moved = create(&mut socket, "third", kind);
    socket.move_to_namespace_of(moved, holder.id()).unwrap();
    let there = Namespace::open(format!("/proc/{}/ns/net", holder.id())).unwrap();
    assert!(there.connect().unwrap().link_by_name(&third).is_ok());
    assert!(socket.link_by_name(&third).is_err());
    drop(holder.stdin.take());
    holder.wait().unwrap();
    let error = socket
        .move_to_namespace_of(back, i32::MAX.unsigned_abs())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn a_net_device_takes_its_permanent_global_addresses_along() {
    let (Some(mut host), Some(inside)) = (private(), private_namespace()) else {
        return;
    };
    let mut container = inside.connect().unwrap();
    let link = veth(&mut host, "a", &name("b"));
    host.set_mtu(link, 1300).unwrap();
    host.set_up(link).unwrap();
    for text in ["192.0.2.7/24", "198.51.100.7/32", "2001:db8::7/64"] {
        host.add_address(link, cidr(text)).unwrap();
    }
    let device = NetDevice::new(name("a"), Some(name("eth0")));
    device
        .move_to(&mut host, &mut container, inside.path())
        .unwrap();
    assert_eq!(
        host.link_by_name(&name("a")).unwrap_err().kind(),
        ErrorKind::NotFound
    );
    let moved = container.link_by_name(&name("eth0")).unwrap();
    assert!(moved.is_up);
    assert_eq!(moved.mtu, 1300);
    let mut found = addresses(&mut container, moved.index);
    found.sort();
    assert_eq!(
        found,
        ["192.0.2.7/24", "198.51.100.7/32", "2001:db8::7/64"].map(cidr)
    );
}

#[test]
fn addresses_of_narrow_scope_stay_behind() {
    let (Some(mut host), Some(inside)) = (private(), private_namespace()) else {
        return;
    };
    let mut container = inside.connect().unwrap();
    let link = veth(&mut host, "a", &name("b"));
    // Link-local by its prefix, so the kernel gives it the scope of the link.
    host.add_address(link, cidr("fe80::7/64")).unwrap();
    let device = NetDevice::new(name("a"), None);
    device
        .move_to(&mut host, &mut container, inside.path())
        .unwrap();
    let moved = container.link_by_name(&name("a")).unwrap();
    let all = container.addresses(Some(moved.index)).unwrap();
    assert!(
        all.iter().all(|address| address.cidr != cidr("fe80::7/64")),
        "{all:?}"
    );
}

#[test]
fn a_net_device_whose_new_name_is_taken_stays_on_the_host() {
    let (Some(mut host), Some(inside)) = (private(), private_namespace()) else {
        return;
    };
    let mut container = inside.connect().unwrap();
    veth(&mut host, "a", &name("b"));
    let device = NetDevice::new(name("a"), Some(name("lo")));
    let error = device
        .move_to(&mut host, &mut container, Path::new("/proc/7/ns/net"))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "move netDevice a to namespace /proc/7/ns/net"
    );
    assert_eq!(error.kind(), ErrorKind::Exists);
    assert!(host.link_by_name(&name("a")).is_ok());
    let missing = NetDevice::new(name("eth9"), None);
    let error = missing
        .move_to(&mut host, &mut container, inside.path())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn a_long_list_is_read_to_its_end() {
    let Some(mut socket) = private() else { return };
    for number in 0..60 {
        let (one, other) = (name(&format!("a{number}")), name(&format!("b{number}")));
        let kind = LinkKind::Veth {
            peer: &other,
            peer_namespace: None,
        };
        socket.create_link(&NewLink::new(&one, kind)).unwrap();
    }
    let links = socket.links().unwrap();
    assert_eq!(
        links
            .iter()
            .filter(|link| link.kind.as_deref() == Some("veth"))
            .count(),
        120
    );
}

#[test]
fn a_socket_keeps_its_namespace_and_can_be_handed_over() {
    let Some(namespace) = private_namespace() else {
        return;
    };
    let socket = namespace.connect().unwrap();
    let inode = |fd: BorrowedFd<'_>| nix::sys::stat::fstat(fd).unwrap().st_ino;
    assert_eq!(
        inode(socket.namespace().unwrap().as_fd()),
        inode(namespace.as_fd())
    );
    let mut handed = Socket::from_descriptor(socket.descriptor).unwrap();
    assert_eq!(
        handed.links().unwrap().first().map(|link| link.index),
        Some(LinkIndex::LOOPBACK)
    );
}

#[test]
fn other_descriptors_are_no_sockets_of_the_kernel() {
    let pair = std::os::unix::net::UnixDatagram::pair().unwrap();
    let audit = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkKObjectUEvent,
    );
    for descriptor in [
        pair.0.into(),
        File::open("/dev/null").unwrap().into(),
        audit.unwrap(),
    ] {
        let error = Socket::from_descriptor(descriptor).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
    }
}

/// The test's own sysfs shows another namespace, and has no such device.
#[test]
fn counters_are_those_of_the_namespace_of_the_socket() {
    let Some(mut socket) = private() else {
        return;
    };
    let (one, other) = (name("cfd-one"), name("cfd-other"));
    let index = veth(&mut socket, "cfd-one", &other);
    let peer = socket.link_by_name(&other).unwrap().index;
    assert_eq!(socket.statistics(&one).unwrap(), Statistics::default());
    assert!(!Path::new("/sys/class/net/cfd-one").exists());
    for link in [index, peer] {
        socket.set_up(link).unwrap();
    }
    let namespace = Namespace::new(socket.namespace().unwrap(), "");
    socket.add_address(index, cidr("192.0.2.1/24")).unwrap();
    // Nothing answers: what is counted is the question who has this address, as soon as the
    // kernel has seen the cable.
    let deadline = Instant::now() + ACKNOWLEDGEMENT_TIMEOUT;
    let sent = loop {
        let ask = || {
            let from = std::net::UdpSocket::bind("192.0.2.1:0").unwrap();
            let _ = from.send_to(b"x", "192.0.2.2:9");
            Ok(())
        };
        namespace.inside(ask).unwrap();
        let sent = socket.statistics(&one).unwrap();
        if sent.tx_packets > 0 || Instant::now() > deadline {
            break sent;
        }
    };
    assert!(sent.tx_packets > 0 && sent.tx_bytes > 0, "{sent:?}");
    let missing = socket.statistics(&name("eth9")).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

#[test]
fn a_device_has_the_alias_it_was_given() {
    let Some(mut socket) = private() else {
        return;
    };
    let index = veth(&mut socket, "cfd-one", &name("cfd-other"));
    let alias = |socket: &mut Socket| socket.link_by_name(&name("cfd-one")).unwrap().alias;
    assert_eq!(alias(&mut socket), None);
    let longest = "x".repeat(254);
    for text in ["container web", longest.as_str()] {
        socket.set_alias(index, text).unwrap();
        assert_eq!(alias(&mut socket).as_deref(), Some(text));
    }
    let error = socket.set_alias(index, &"x".repeat(255)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    socket.set_alias(index, "").unwrap();
    assert_eq!(alias(&mut socket), None);
}

/// More devices than one datagram takes are listed while others come and go in front of them.
#[test]
fn a_list_is_whole_although_devices_come_and_go() {
    let Some(namespace) = private_namespace() else {
        return;
    };
    let mut socket = namespace.connect().unwrap();
    let names: Vec<String> = (0..40).map(|number| format!("stays{number}")).collect();
    for text in &names {
        let _ = veth(&mut socket, text, &name(&format!("p{text}")));
    }
    std::thread::scope(|scope| {
        // A change is only made for a permit, and a list gets a few: it is interrupted, but not for
        // ever.
        let (permits, permitted) = std::sync::mpsc::channel::<()>();
        let namespace = &namespace;
        scope.spawn(move || {
            let mut socket = namespace.connect().unwrap();
            for () in permitted {
                let index = veth(&mut socket, "goes", &name("goes-too"));
                socket.delete_link(index).unwrap();
            }
        });
        for _ in 0..20 {
            for _ in 0..5 {
                permits.send(()).unwrap();
            }
            let links = socket.links().unwrap();
            for text in &names {
                let found = links.iter().filter(|link| link.name == *text).count();
                assert_eq!(found, 1, "{text}");
            }
        }
        drop(permits);
    });
}
