//! Every step that can fail: the error names the field, and nothing is left.

use cofferdam::ErrorKind;
use cofferdam::configs::Config;
use cofferdam::configs::config::NamespaceType;

use super::*;

/// What a test does to a configuration, and to the networks outside and in the container.
struct Failure {
    /// What the error says after the beginning that all have.
    said: &'static str,
    config: fn(&mut Config),
    outside: fn(&mut Socket),
    /// What is in the namespace before; for one of the container's own there is nothing.
    joined: Option<fn(&mut Socket)>,
}

impl Failure {
    const fn of(said: &'static str, config: fn(&mut Config)) -> Self {
        Self {
            said,
            config,
            outside: |_| {},
            joined: None,
        }
    }

    const fn outside(said: &'static str, outside: fn(&mut Socket)) -> Self {
        Self {
            outside,
            ..Self::of(said, |_| {})
        }
    }

    const fn joined(said: &'static str, config: fn(&mut Config), joined: fn(&mut Socket)) -> Self {
        Self {
            joined: Some(joined),
            ..Self::of(said, config)
        }
    }
}

/// The network that fails.
fn veth(config: &mut Config) -> &mut Network {
    config.networks.last_mut().unwrap()
}

fn route(config: &mut Config, destination: &str, gateway: &str, interface: &str) {
    config.routes.push(Route {
        destination: destination.to_owned(),
        gateway: gateway.to_owned(),
        interface_name: interface.to_owned(),
        ..Route::default()
    });
}

fn second(config: &mut Config) -> &mut Network {
    config.networks.push(Network {
        name: "eth1".to_owned(),
        host_interface_name: "cfd1".to_owned(),
        ..network()
    });
    veth(config)
}

const FAILURES: [Failure; 21] = [
    Failure::of(
        r#"networks[1].bridge "br9": find link br9: No such device"#,
        |config| veth(config).bridge = "br9".to_owned(),
    ),
    Failure::outside(
        r#"networks[1].bridge "br0": the device is not a bridge"#,
        |host| {
            let bridge = link(host, BRIDGE).unwrap().index;
            host.delete_link(bridge).unwrap();
            dummy(host, BRIDGE);
        },
    ),
    Failure::outside(
        r#"networks[1].host_interface_name "cfd0": create link cfd0: File exists"#,
        |host| drop(dummy(host, OUTSIDE)),
    ),
    Failure::of(
        r#"networks[1].name "lo": create link cfd0: File exists"#,
        |config| veth(config).name = "lo".to_owned(),
    ),
    Failure::joined(
        r#"networks[1].name "eth0": create link cfd0: File exists"#,
        |_| {},
        |inside| drop(dummy(inside, "eth0")),
    ),
    Failure::of(r#"networks[1].mtu "70000": create link cfd0"#, |config| {
        veth(config).mtu = 70_000
    }),
    Failure::of(r#"networks[1].mtu "3": create link cfd0"#, |config| {
        veth(config).mtu = 3
    }),
    Failure::of(
        r#"networks[1].mac_address "00:00:00:00:00:00": set address of link "#,
        |config| veth(config).mac_address = "00:00:00:00:00:00".to_owned(),
    ),
    Failure::of(
        r#"networks[1].ipv6_address "ff02::7/64": add address ff02::7/64 to link "#,
        |config| veth(config).ipv6_address = "ff02::7/64".to_owned(),
    ),
    Failure::of(
        r#"networks[1].gateway "10.99.0.1": add route default"#,
        |config| veth(config).gateway = "10.99.0.1".to_owned(),
    ),
    Failure::of(
        r#"networks[1].ipv6_gateway "fd99::1": add route default"#,
        |config| veth(config).ipv6_gateway = "fd99::1".to_owned(),
    ),
    Failure::joined(
        r#"networks[1].gateway "10.211.3.1": add route default: File exists"#,
        |_| {},
        |inside| {
            let index = dummy(inside, "theirs").index;
            inside.add_address(index, cidr("10.9.9.9/24")).unwrap();
            inside.set_up(index).unwrap();
            let theirs = "10.9.9.1".parse().unwrap();
            let default = netlink::Route::default_gateway(theirs, Some(index));
            inside.add_route(&default).unwrap();
        },
    ),
    // The pair before is removed as well.
    Failure::of(
        r#"networks[2].gateway "10.211.3.1": add route default: File exists"#,
        |config| _ = second(config),
    ),
    Failure::of(
        r#"networks[2].host_interface_name "cfd0": create link cfd0: File exists"#,
        |config| second(config).host_interface_name = OUTSIDE.to_owned(),
    ),
    Failure::of(
        r#"networks[2].bridge "cfd0": the device is not a bridge"#,
        |config| second(config).bridge = OUTSIDE.to_owned(),
    ),
    Failure::of(
        r#"routes[0].interface_name "eth9": find link eth9: No such device"#,
        |config| route(config, "192.0.2.0/24", "", "eth9"),
    ),
    Failure::of("routes[1]: add route 192.0.2.0/24: File exists", |config| {
        route(config, "192.0.2.0/24", "", "eth0");
        route(config, "192.0.2.0/24", "", "eth0");
    }),
    Failure::of("routes[0]: add route 192.0.2.0/24", |config| {
        route(config, "192.0.2.0/24", "10.99.0.1", "eth0")
    }),
    Failure::of("routes[0]: add route 192.0.2.0/24", |config| {
        config.routes.push(Route {
            destination: "192.0.2.0/24".to_owned(),
            source: "10.99.0.2".to_owned(),
            interface_name: "eth0".to_owned(),
            ..Route::default()
        });
    }),
    // No device is named, and no gateway by which the kernel could find one.
    Failure::of(
        "routes[0]: add route 192.0.2.0/24: No such device",
        |config| {
            route(config, "192.0.2.0/24", "", "");
        },
    ),
    // The route before goes through a device that stays.
    Failure::joined(
        "routes[1]: add route 198.51.100.0/24: File exists",
        |config| {
            route(config, "192.0.2.0/24", "", "theirs");
            route(config, "198.51.100.0/24", "", "theirs");
        },
        |inside| {
            let index = dummy(inside, "theirs").index;
            inside.set_up(index).unwrap();
            let theirs = netlink::Route::parse("198.51.100.0/24", "", "", Some(index)).unwrap();
            inside.add_route(&theirs).unwrap();
        },
    ),
];

#[test]
fn a_step_that_fails_leaves_nothing_of_those_before() {
    for failure in &FAILURES {
        // In a thread, and so in a network, of its own.
        std::thread::scope(|scope| {
            scope.spawn(|| fail(failure, failure.joined.is_some()));
        });
    }
}

/// There nothing ends with the init process.
#[test]
fn a_step_that_fails_leaves_nothing_in_a_joined_namespace() {
    for failure in &FAILURES {
        std::thread::scope(|scope| {
            scope.spawn(|| fail(failure, true));
        });
    }
}

fn fail(failure: &Failure, joined: bool) {
    let (Some(mut host), Some(mut bundle)) = (Host::enter(), with(network())) else {
        return;
    };
    let holder = Holder::start();
    if joined {
        let namespaces = &mut bundle.config.namespaces;
        namespaces.set(NamespaceType::Network, holder.path());
    }
    (failure.outside)(&mut host.socket);
    if let Some(prepare) = failure.joined {
        prepare(&mut holder.socket());
    }
    (failure.config)(&mut bundle.config);
    let before = (host.picture(), picture(&mut holder.socket()));
    let error = bundle.create(forever()).unwrap_err();
    let text = error.chain();
    let said = format!("error creating network interfaces: {}", failure.said);
    assert!(text.contains(&said), "{said:?} is not in {text:?}");
    assert_eq!(error.kind(), ErrorKind::System, "{text}");
    let after = (host.picture(), picture(&mut holder.socket()));
    assert_eq!(after, before, "after {text}");
    bundle.assert_nothing_left();
}

/// Before anything is made.
#[test]
fn a_network_that_cannot_be_is_refused() {
    let (Some(mut host), Some(mut bundle)) = (Host::enter(), with(network())) else {
        return;
    };
    let before = host.picture();
    veth(&mut bundle.config).mac_address = "01:00:5e:00:00:01".to_owned();
    let error = bundle.create(forever()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert_eq!(
        error.chain(),
        r#"networks[1].mac_address "01:00:5e:00:00:01": is a multicast address"#
    );
    assert_eq!(host.picture(), before);
    bundle.assert_nothing_left();
}
