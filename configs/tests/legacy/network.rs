//! Interfaces and routes.

use cofferdam_configs::config::{NamespaceType, Network, Route};
use cofferdam_configs::legacy::{self, Options};
use serde_json::{Value, json};

use crate::{OF_2014, assert_refused, loaded, of_revision, options, refusal, warnings};

/// The keys of a veth, in the form of a revision.
fn veth(letter: char, extra: &Value) -> Value {
    let mut network = match letter {
        'E' => json!({"type": "veth", "bridge": "cof0", "veth_prefix": "cof"}),
        'F' => json!({"type": "veth", "bridge": "cof0", "host_interface_name": "cof7"}),
        _ => json!({"type": "veth", "context": {"bridge": "cof0", "prefix": "cof"}}),
    };
    for (key, value) in extra.as_object().unwrap() {
        network[key] = value.clone();
    }
    network
}

fn with(letter: char, network: &Value) -> Value {
    of_revision(letter, &json!({"networks": [network]}))
}

fn interfaces(file: &Value) -> Vec<Network> {
    loaded(file).config.networks
}

#[test]
fn a_loopback_interface_has_nothing_to_configure() {
    let network = json!({
        "type": "loopback", "address": "127.0.0.1/0", "gateway": "localhost", "mtu": 1500,
    });
    for letter in OF_2014.into_iter().chain(['F']) {
        assert_eq!(interfaces(&with(letter, &network)), [Network::loopback()]);
    }
}

#[test]
fn a_veth_is_eth0_at_a_bridge() {
    let keys = json!({"address": "10.9.0.2/16", "gateway": "10.9.0.1", "mtu": 1400});
    for letter in OF_2014.into_iter().chain(['F']) {
        let interfaces = interfaces(&with(letter, &veth(letter, &keys)));
        let outside = if letter == 'F' { "cof7" } else { "cof0123456" };
        let expected = Network {
            kind: "veth".to_owned(),
            name: "eth0".to_owned(),
            bridge: "cof0".to_owned(),
            address: "10.9.0.2/16".to_owned(),
            gateway: "10.9.0.1".to_owned(),
            mtu: 1400,
            host_interface_name: outside.to_owned(),
            ..Network::default()
        };
        assert_eq!(interfaces, [expected], "{letter}");
    }
}

#[test]
fn the_name_on_the_host_is_the_prefix_and_seven_random_digits() {
    let file = with('A', &veth('A', &json!({}))).to_string();
    for (number, name) in [
        (0, "cof0000000"),
        (0xabc, "cof0000abc"),
        (u32::MAX, "coffffffff"),
    ] {
        let options = Options {
            interface_suffix: number,
            ..options()
        };
        let loaded = legacy::load(file.as_bytes(), &options).unwrap();
        assert_eq!(loaded.config.networks[0].host_interface_name, name);
    }
    // As many digits as there is room for, but no fewer than in April 2014.
    let of_prefix = |prefix: &str| {
        let network = json!({"type": "veth", "context": {"bridge": "cof0", "prefix": prefix}});
        with('A', &network)
    };
    for (prefix, name) in [
        ("eight-by", "eight-by0123456"),
        ("nine-byte", "nine-byte123456"),
        ("eleven-byte", "eleven-byte3456"),
    ] {
        assert_eq!(interfaces(&of_prefix(prefix))[0].host_interface_name, name);
    }
    assert_refused(
        &of_prefix("twelve-bytes"),
        "networks[0].context.prefix",
        "\"twelve-bytes\" is longer than 11 bytes",
    );
    // In the first files there was no prefix; since 2015 there is a name.
    let first = json!({"bridge": "cof0"});
    let network = interfaces(&of_revision('0', &json!({"network": first})));
    assert_eq!(network[0].host_interface_name, "veth0123456");
    let unnamed = json!({"type": "veth", "bridge": "cof0"});
    let network = interfaces(&with('F', &unnamed));
    assert_eq!(network[0].host_interface_name, "veth0123456");
}

#[test]
fn the_one_network_of_the_first_files_is_a_veth() {
    let network =
        json!({"ip": "10.9.0.2/24", "gateway": "10.9.0.1", "bridge": "cof0", "mtu": 9000});
    let interfaces = interfaces(&of_revision('0', &json!({"network": network})));
    assert_eq!(interfaces[0].address, "10.9.0.2/24");
    assert_eq!(interfaces[0].mtu, 9000);
    let address = json!({"address": "10.9.0.3/24", "bridge": "cof0"});
    let interfaces = self::interfaces(&of_revision('0', &json!({"network": address})));
    assert_eq!(interfaces[0].address, "10.9.0.3/24");
}

#[test]
fn ipv6_mac_address_and_queue_length_came_at_the_end_of_2014() {
    let keys = json!({
        "ipv6_address": "fd00::2/64", "ipv6_gateway": "fd00::1",
        "mac_address": "02:42:00:00:00:0a", "txqueuelen": 300,
    });
    for letter in ['E', 'F'] {
        let interface = &interfaces(&with(letter, &veth(letter, &keys)))[0];
        assert_eq!(interface.ipv6_address, "fd00::2/64");
        assert_eq!(interface.ipv6_gateway, "fd00::1");
        assert_eq!(interface.mac_address, "02:42:00:00:00:0a");
        assert_eq!(interface.txqueuelen, 300);
    }
    let before = loaded(&with('D', &veth('D', &keys)));
    assert_eq!(before.config.networks[0].ipv6_address, "");
    assert_eq!(
        warnings(&before)
            .iter()
            .filter(|it| it.contains("unknown key"))
            .count(),
        4
    );
}

#[test]
fn names_and_hairpin_came_in_2015() {
    let keys = json!({"name": "net1", "host_interface_name": "outer", "hairpin_mode": true});
    let interface = &interfaces(&with('F', &veth('F', &keys)))[0];
    assert_eq!(interface.name, "net1");
    assert_eq!(interface.host_interface_name, "outer");
    assert!(interface.hairpin_mode);
}

#[test]
fn an_mtu_of_0_leaves_it_alone() {
    for letter in OF_2014.into_iter().chain(['F']) {
        for keys in [json!({}), json!({"mtu": 0})] {
            assert_eq!(interfaces(&with(letter, &veth(letter, &keys)))[0].mtu, 0);
        }
    }
    let negative = veth('A', &json!({"mtu": -1}));
    assert_refused(
        &with('A', &negative),
        "networks[0].mtu",
        "-1 is out of range",
    );
}

#[test]
fn a_network_namespace_is_joined() {
    for (letter, network) in [
        (
            'B',
            json!({"type": "netns", "context": {"nspath": "/run/netns/x"}}),
        ),
        (
            'C',
            json!({"type": "netns", "context": {"nspath": "/run/netns/x"}}),
        ),
        (
            'D',
            json!({"type": "netns", "context": {"nspath": "/run/netns/x"}}),
        ),
        ('E', json!({"type": "netns", "ns_path": "/run/netns/x"})),
    ] {
        let config = loaded(&with(letter, &network)).config;
        assert!(config.networks.is_empty());
        assert_eq!(
            config.namespaces.path_of(NamespaceType::Network),
            Some("/run/netns/x")
        );
    }
    let text = "no network namespace to join";
    let nowhere = with('E', &json!({"type": "netns"}));
    assert_refused(&nowhere, "networks[0].ns_path", text);
    let nowhere = with('D', &json!({"type": "netns", "context": {}}));
    assert_refused(&nowhere, "networks[0].context.nspath", text);
}

#[test]
fn another_type_of_network_is_refused() {
    for letter in OF_2014.into_iter().chain(['F']) {
        let text = "\"pigeon\" is not a valid network strategy type";
        assert_refused(
            &with(letter, &json!({"type": "pigeon"})),
            "networks[0].type",
            text,
        );
        assert_eq!(refusal(&with(letter, &json!({}))).0, "networks[0].type");
    }
    for letter in ['0', 'A', 'F'] {
        let text = "\"netns\" is not a valid network strategy type";
        assert_refused(
            &with(letter, &json!({"type": "netns"})),
            "networks[0].type",
            text,
        );
    }
}

#[test]
fn a_veth_needs_bridge_and_prefix() {
    for letter in ['A', 'B', 'C', 'D'] {
        let network = json!({"type": "veth", "context": {"prefix": "cof"}});
        let place = "networks[0].context.bridge";
        assert_refused(&with(letter, &network), place, "a veth needs a bridge");
        let network = json!({"type": "veth", "context": {"bridge": "cof0"}});
        let place = "networks[0].context.prefix";
        assert_refused(&with(letter, &network), place, "a veth needs a prefix");
    }
    let no_bridge = |letter| with(letter, &json!({"type": "veth", "veth_prefix": "cof"}));
    for letter in ['E', 'F'] {
        assert_refused(
            &no_bridge(letter),
            "networks[0].bridge",
            "a veth needs a bridge",
        );
    }
    let no_prefix = json!({"type": "veth", "bridge": "cof0"});
    let place = "networks[0].veth_prefix";
    assert_refused(&with('E', &no_prefix), place, "a veth needs a prefix");
}

#[test]
fn unknown_keys_of_a_context_are_warned_of() {
    let context = json!({"bridge": "cof0", "prefix": "cof", "veth-host": "x", "nspath": "/x"});
    let veth = json!({"type": "veth", "context": context});
    let found = warnings(&loaded(&with('A', &veth)));
    assert!(found.contains(&"ignoring unknown key networks[0].context.veth-host".to_owned()));
    assert!(found.contains(&"ignoring unknown key networks[0].context.nspath".to_owned()));
}

#[test]
fn malformed_addresses_are_refused_where_they_are() {
    for (key, values) in [
        (
            "address",
            &["10.0.0.1", "10.0.0.1/33", "10.0.0/8", "x/8", "10.0.0.1/-1"][..],
        ),
        ("ipv6_address", &["fd00::1", "fd00::1/129"]),
        ("gateway", &["10.0.0.1/8", "localhost"]),
        ("ipv6_gateway", &["fd00::g"]),
        (
            "mac_address",
            &[
                "02:42",
                "02:42:00:00:00:0g",
                "+2:42:00:00:00:00",
                "01:00:5e:00:00:01",
            ],
        ),
    ] {
        for value in values {
            let file = with('E', &veth('E', &json!({key: value})));
            assert_eq!(refusal(&file).0, format!("networks[0].{key}"), "{value}");
        }
    }
}

#[test]
fn a_second_interface_needs_a_name_of_its_own() {
    let one = veth('A', &json!({}));
    let file = of_revision('A', &json!({"networks": [one, one]}));
    assert_refused(
        &file,
        "networks[1]",
        "a second interface with the name \"eth0\"",
    );
    let two = json!([
        {"type": "veth", "bridge": "cof0", "name": "eth0"},
        {"type": "veth", "bridge": "cof0", "name": "eth1"},
    ]);
    let found = interfaces(&of_revision('F', &json!({"networks": two})));
    assert_eq!(found[0].host_interface_name, "veth0123456");
    assert_eq!(found[1].host_interface_name, "veth0123457");
}

#[test]
fn networks_need_a_network_namespace_of_the_container() {
    let text = "unable to apply network settings without a private NET namespace";
    let networks = json!([{"type": "loopback"}]);
    let old = json!({"namespaces": ["NEWNS"], "networks": networks});
    assert_refused(&old, "networks", text);
    let routes = json!([{"gateway": "10.0.0.1"}]);
    let old = json!({"namespaces": {"NEWNS": true}, "routes": routes});
    assert_refused(&old, "routes", text);
    let new = json!({"rootfs": "/srv/rootfs", "networks": networks});
    assert_refused(&new, "networks", text);
}

#[test]
fn routes_came_with_the_keys_they_have() {
    let route = json!({
        "destination": "10.5.0.0/16", "source": "10.9.0.2", "gateway": "10.9.0.9",
        "interface_name": "eth0",
    });
    for letter in ['D', 'E', 'F'] {
        let routes = loaded(&of_revision(letter, &json!({"routes": [route]})))
            .config
            .routes;
        assert_eq!(
            routes,
            [Route {
                destination: "10.5.0.0/16".to_owned(),
                source: "10.9.0.2".to_owned(),
                gateway: "10.9.0.9".to_owned(),
                interface_name: "eth0".to_owned(),
            }]
        );
    }
}

#[test]
fn the_source_of_a_route_had_a_prefix_length_in_2014() {
    let routes = json!({"routes": [{"source": "10.9.0.2/24", "interface_name": "eth0"}]});
    for letter in ['D', 'E'] {
        assert_eq!(
            loaded(&of_revision(letter, &routes)).config.routes[0].source,
            "10.9.0.2"
        );
    }
    let text = "invalid IP address \"10.9.0.2/24\"";
    assert_refused(&of_revision('F', &routes), "routes[0].source", text);
}

#[test]
fn a_route_needs_one_of_three_and_one_family() {
    let route = |route: Value| of_revision('F', &json!({"routes": [route]}));
    for key in ["destination", "source", "gateway"] {
        let value = if key == "destination" {
            "10.0.0.0/8"
        } else {
            "10.0.0.1"
        };
        assert_eq!(loaded(&route(json!({key: value}))).config.routes.len(), 1);
    }
    let text = "a route needs a destination, a source or a gateway";
    assert_refused(&route(json!({"interface_name": "eth0"})), "routes[0]", text);
    let mixed = json!({"destination": "10.0.0.0/8", "gateway": "fd00::1"});
    let text = "destination, source and gateway are not of one address family";
    assert_refused(&route(mixed), "routes[0]", text);
    let bare = json!({"destination": "10.0.0.0"});
    let text = "invalid CIDR address \"10.0.0.0\"";
    assert_refused(&route(bare), "routes[0].destination", text);
}
