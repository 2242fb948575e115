//! What a container with a veth pair has.

use super::*;

#[test]
fn a_veth_pair_has_every_setting_of_the_configuration() {
    let (Some(mut host), Some(bundle)) = (Host::enter(), with(network())) else {
        return;
    };
    let before = host.picture();
    let container = bundle.create(forever()).unwrap();
    let bridge = host.link(BRIDGE).unwrap();
    let outer = host.link(OUTSIDE).unwrap();
    assert_eq!(outer.kind.as_deref(), Some("veth"));
    assert_eq!(outer.master, Some(bridge.index));
    assert_eq!((outer.is_up, outer.hairpin), (true, true));
    assert_eq!((outer.mtu, outer.tx_queue_len), (1400, 77));
    assert_eq!(outer.alias.as_deref(), Some(bundle.id.as_str()));

    let mut inside = inside(&container);
    let inner = link(&mut inside, "eth0").unwrap();
    assert_eq!(inner.kind.as_deref(), Some("veth"));
    assert_eq!(inner.mac, Some("02:00:00:00:00:07".parse().unwrap()));
    assert!(inner.is_up && link(&mut inside, "lo").unwrap().is_up);
    assert_eq!((inner.mtu, inner.tx_queue_len), (1400, 77));
    let (links, addresses, routes) = picture(&mut inside);
    assert_eq!(links.len(), 2, "{links:?}");
    let ours = addresses
        .iter()
        .filter(|address| address.link == inner.index);
    let ours: Vec<Cidr> = ours.map(|address| address.cidr).collect();
    assert_eq!(ours, [cidr("10.211.3.2/24"), cidr("fd21::2/64")]);
    let gateway =
        |text: &str| netlink::Route::default_gateway(text.parse().unwrap(), Some(inner.index));
    assert_eq!(routes, [gateway("10.211.3.1"), gateway("fd21::1")]);

    container.destroy().unwrap();
    assert_eq!(host.picture(), before);
    bundle.assert_nothing_left();
}

/// Only what must be there.
#[test]
fn what_is_not_set_is_left_to_the_kernel() {
    let least = Network {
        kind: "veth".to_owned(),
        name: "inner".to_owned(),
        host_interface_name: OUTSIDE.to_owned(),
        ..Network::default()
    };
    let (Some(mut host), Some(bundle)) = (Host::enter(), with(least)) else {
        return;
    };
    let other = host.dummy("other");
    let container = bundle.create(forever()).unwrap();
    let outer = host.link(OUTSIDE).unwrap();
    assert_eq!((outer.master, outer.hairpin), (None, false));
    let mut inside = inside(&container);
    let inner = link(&mut inside, "inner").unwrap();
    for side in [&outer, &inner] {
        assert_eq!(side.mtu, other.mtu);
        assert_eq!(side.tx_queue_len, other.tx_queue_len);
        assert!(side.is_up);
    }
    let (_, addresses, routes) = picture(&mut inside);
    assert!(addresses.iter().all(|address| address.link != inner.index));
    assert_eq!(routes, []);
    container.destroy().unwrap();
    bundle.assert_nothing_left();
}

#[test]
fn routes_are_added_after_the_interfaces() {
    let (Some(mut host), Some(mut bundle)) = (Host::enter(), with(network())) else {
        return;
    };
    let route = |destination: &str, source: &str, gateway: &str, interface: &str| Route {
        destination: destination.to_owned(),
        source: source.to_owned(),
        gateway: gateway.to_owned(),
        interface_name: interface.to_owned(),
    };
    bundle.config.routes = vec![
        route("192.0.2.0/24", "10.211.3.2", "10.211.3.1", "eth0"),
        // An address in the network is as good as the network.
        route("198.51.100.9/24", "", "", "eth0"),
        route("203.0.113.0/24", "", "10.211.3.1", ""),
        route("2001:db8::/32", "", "fd21::1", "eth0"),
    ];
    let container = bundle.create(forever()).unwrap();
    let mut inside = inside(&container);
    let index = link(&mut inside, "eth0").unwrap().index;
    let routes = picture(&mut inside).2;
    for (destination, source, gateway) in [
        ("192.0.2.0/24", "10.211.3.2", "10.211.3.1"),
        ("198.51.100.0/24", "", ""),
        ("203.0.113.0/24", "", "10.211.3.1"),
        ("2001:db8::/32", "", "fd21::1"),
    ] {
        let wanted = netlink::Route::parse(destination, source, gateway, Some(index)).unwrap();
        assert!(routes.contains(&wanted), "{wanted:?} is not in {routes:?}");
    }
    container.destroy().unwrap();
    assert!(host.link(OUTSIDE).is_none());
    bundle.assert_nothing_left();
}

#[test]
fn several_pairs_are_made_in_order() {
    let (Some(mut host), Some(mut bundle)) = (Host::enter(), with(network())) else {
        return;
    };
    bundle.config.networks.push(Network {
        name: "eth1".to_owned(),
        host_interface_name: "cfd1".to_owned(),
        address: "10.211.5.2/24".to_owned(),
        gateway: String::new(),
        ipv6_address: String::new(),
        ipv6_gateway: String::new(),
        ..network()
    });
    let container = bundle.create(forever()).unwrap();
    let links = inside(&container).links().unwrap();
    let names: Vec<&str> = links.iter().map(|link| link.name.as_str()).collect();
    assert_eq!(names, ["lo", "eth0", "eth1"]);
    let counted = container.stats().unwrap().network_interfaces.unwrap();
    let names: Vec<&str> = counted.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, [OUTSIDE, "cfd1"]);
    container.destroy().unwrap();
    assert!(host.link(OUTSIDE).is_none() && host.link("cfd1").is_none());
    bundle.assert_nothing_left();
}

/// What the container receives the host side sends.
#[test]
fn statistics_are_those_of_the_container() {
    let (Some(mut host), Some(bundle)) = (Host::enter(), with(network())) else {
        return;
    };
    let container = bundle.create(forever()).unwrap();
    let sender = UdpSocket::bind("10.211.3.1:0").unwrap();
    let counted = || {
        let stats = container.stats().unwrap().network_interfaces.unwrap();
        let [one] = stats.as_slice() else {
            panic!("{stats:?}");
        };
        one.clone()
    };
    // Packets that are sent while the neighbour is looked for may be dropped.
    let mut rounds = 0;
    while counted().rx_bytes < 50_000 {
        rounds += 1;
        assert!(rounds < 100_000, "{:?}", counted());
        sender.send_to(&[0; 1000], "10.211.3.2:9").unwrap();
    }
    let theirs = counted();
    assert_eq!(theirs.name, OUTSIDE);
    assert!(theirs.rx_packets >= 48, "{theirs:?}");
    // The container answers a few times that no program listens.
    assert!(theirs.tx_bytes < theirs.rx_bytes, "{theirs:?}");
    let seen = inside(&container).statistics(&name("eth0")).unwrap();
    assert!(seen.rx_bytes >= theirs.rx_bytes && seen.tx_bytes >= theirs.tx_bytes);
    let outer = host.socket.statistics(&name(OUTSIDE)).unwrap();
    assert!(outer.tx_bytes >= theirs.rx_bytes && outer.rx_bytes >= theirs.tx_bytes);
    // What cannot be counted is an error.
    let index = host.link(OUTSIDE).unwrap().index;
    host.socket.delete_link(index).unwrap();
    let text = container.stats().unwrap_err().chain();
    assert!(text.contains("find link cfd0"), "{text}");
    container.destroy().unwrap();
    bundle.assert_nothing_left();
}

/// The container's network namespace belongs to its user namespace.
#[test]
fn a_container_with_a_user_namespace_gets_its_pair() {
    use cofferdam::configs::config::{IdMap, NamespaceType};
    let (Some(mut host), Some(mut bundle)) = (Host::enter(), with(network())) else {
        return;
    };
    let map = vec![IdMap {
        container_id: 0,
        host_id: 100_000,
        size: 65_536,
    }];
    bundle.config.namespaces.set(NamespaceType::User, "");
    bundle.config.uid_mappings.clone_from(&map);
    bundle.config.gid_mappings = map;
    std::os::unix::fs::chown(bundle.outside(), Some(100_000), Some(100_000)).unwrap();
    let container = bundle.create(forever()).unwrap();
    let mut inside = inside(&container);
    assert!(link(&mut inside, "eth0").unwrap().is_up);
    assert_eq!(picture(&mut inside).2.len(), 2);
    container.destroy().unwrap();
    assert!(host.link(OUTSIDE).is_none());
    bundle.assert_nothing_left();
}

/// The kernel removes a pair some time after the end of its namespace.
#[test]
fn a_pair_is_gone_when_the_container_is() {
    let (Some(mut host), Some(bundle)) = (Host::enter(), with(network())) else {
        return;
    };
    let before = host.picture();
    // At once again, under the same names.
    for _ in 0..10 {
        let container = bundle.create(shell("true")).unwrap();
        assert!(host.link(OUTSIDE).is_some());
        container.destroy().unwrap();
        assert_eq!(host.picture(), before);
    }
    bundle.assert_nothing_left();
}

#[test]
fn a_device_of_the_same_name_that_is_not_the_containers_stays() {
    let (Some(mut host), Some(bundle)) = (Host::enter(), with(network())) else {
        return;
    };
    let container = bundle.create(shell("true")).unwrap();
    let own = host.link(OUTSIDE).unwrap().index;
    host.socket.delete_link(own).unwrap();
    let other = host.dummy(OUTSIDE);
    container.destroy().unwrap();
    assert_eq!(host.link(OUTSIDE), Some(other));
    bundle.assert_nothing_left();
}

/// A pair has its alias a moment after it is made; its address is there before.
#[test]
fn a_pair_without_an_alias_is_removed_with_its_container() {
    let (Some(mut host), Some(bundle)) = (Host::enter(), with(network())) else {
        return;
    };
    let container = bundle.create(shell("true")).unwrap();
    let own = host.link(OUTSIDE).unwrap().index;
    host.socket.set_alias(own, "").unwrap();
    // The process is not the only one that keeps the namespace, and with it the pair.
    let namespace = File::open(format!("/proc/{}/ns/net", container.pid().unwrap())).unwrap();
    container.destroy().unwrap();
    assert_eq!(host.link(OUTSIDE), None);
    drop(namespace);
    bundle.assert_nothing_left();
}
