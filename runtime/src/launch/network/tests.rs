use std::net::IpAddr;

use super::*;

fn network() -> Network {
    Network {
        kind: "veth".to_owned(),
        name: "eth0".to_owned(),
        host_interface_name: "veth1".to_owned(),
        bridge: "br0".to_owned(),
        address: "10.1.2.3/24".to_owned(),
        gateway: "10.1.2.1".to_owned(),
        ..Network::default()
    }
}

fn config(network: Network) -> Config {
    Config {
        networks: vec![Network::loopback(), network],
        ..Config::default()
    }
}

#[test]
fn a_network_that_cannot_be_made_is_refused_early() {
    assert!(check(&config(network())).is_ok());
    type Change = (fn(&mut Network), &'static str);
    let wrong: [Change; 13] = [
        (
            |n| n.kind = "macvlan".to_owned(),
            "unknown strategy type \"macvlan\"",
        ),
        (|n| n.kind.clear(), "unknown strategy type \"\""),
        (|n| n.name.clear(), "networks[1]: a veth needs a name"),
        (
            |n| n.host_interface_name.clear(),
            "networks[1]: a veth needs a host_interface_name",
        ),
        (
            |n| n.host_interface_name = "much-too-long-a-name".to_owned(),
            "networks[1].host_interface_name \"much-too-long-a-name\": bad interface name \"much-too-long-a-name\"",
        ),
        (
            |n| n.address = "10.1.2.3/33".to_owned(),
            "networks[1].address \"10.1.2.3/33\": bad CIDR address \"10.1.2.3/33\"",
        ),
        (
            |n| n.address = "fd00::3/64".to_owned(),
            "networks[1].address \"fd00::3/64\": is not an IPv4 address",
        ),
        (
            |n| n.ipv6_address = "10.1.2.3/24".to_owned(),
            "networks[1].ipv6_address \"10.1.2.3/24\": is not an IPv6 address",
        ),
        (
            |n| n.gateway = "10.1.2".to_owned(),
            "networks[1].gateway \"10.1.2\": invalid IP address syntax",
        ),
        (
            |n| n.ipv6_gateway = "10.1.2.1".to_owned(),
            "networks[1].ipv6_gateway \"10.1.2.1\": is not an IPv6 address",
        ),
        (
            |n| n.mac_address = "00:11".to_owned(),
            "networks[1].mac_address \"00:11\": bad MAC address \"00:11\"",
        ),
        (
            |n| n.mac_address = "01:00:5e:00:00:01".to_owned(),
            "networks[1].mac_address \"01:00:5e:00:00:01\": is a multicast address",
        ),
        (
            |n| {
                n.bridge.clear();
                n.hairpin_mode = true;
            },
            "networks[1].hairpin_mode \"true\": needs a bridge",
        ),
    ];
    for (change, text) in wrong {
        let mut network = network();
        change(&mut network);
        let error = check(&config(network)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert_eq!(error.chain(), text);
    }
}

#[test]
fn a_route_that_cannot_be_is_refused_early() {
    let route = |destination: &str, source: &str, gateway: &str, interface: &str| Route {
        destination: destination.to_owned(),
        source: source.to_owned(),
        gateway: gateway.to_owned(),
        interface_name: interface.to_owned(),
    };
    let checked = |route| {
        let good = route_through_gateway();
        check(&Config {
            routes: vec![good, route],
            ..Config::default()
        })
    };
    for good in [
        route("10.0.0.0/8", "", "", "eth0"),
        route("", "10.1.2.3", "", "eth0"),
        route("", "", "10.1.2.1", ""),
        route("fd00::/8", "fd00::3", "fd00::1", "eth0"),
    ] {
        checked(good).unwrap();
    }
    for (bad, text) in [
        (
            route("", "", "", "eth0"),
            "routes[1]: route needs a destination, source or gateway",
        ),
        (
            route("10.0.0.0", "", "", "eth0"),
            "routes[1]: Invalid destination for route: 10.0.0.0",
        ),
        (
            route("", "10.0.0.0/8", "", "eth0"),
            "routes[1]: Invalid source for route: 10.0.0.0/8",
        ),
        (
            route("", "", "gate", "eth0"),
            "routes[1]: Invalid gateway for route: gate",
        ),
        (
            route("10.0.0.0/8", "", "fd00::1", "eth0"),
            "routes[1]: route mixes IPv4 and IPv6",
        ),
        (
            route("10.0.0.0/8", "", "", "eth 0"),
            "routes[1]: bad interface name \"eth 0\"",
        ),
    ] {
        let error = checked(bad).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert_eq!(error.chain(), text);
    }
}

fn route_through_gateway() -> Route {
    Route {
        gateway: "10.1.2.1".to_owned(),
        ..Route::default()
    }
}

#[test]
fn zero_leaves_sizes_to_the_kernel() {
    let parsed = Veth::parse(1, &network()).unwrap();
    assert_eq!((parsed.mtu, parsed.tx_queue_len), (None, None));
    let parsed = Veth::parse(
        1,
        &Network {
            mtu: 1400,
            txqueuelen: 5,
            ..network()
        },
    )
    .unwrap();
    assert_eq!((parsed.mtu, parsed.tx_queue_len), (Some(1400), Some(5)));
    assert_eq!(parsed.addresses[1], None);
    assert_eq!(parsed.gateways, [Some(IpAddr::from([10, 1, 2, 1])), None]);
}
