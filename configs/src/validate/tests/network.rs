use super::*;

#[test]
fn networks_and_routes_need_a_network_namespace() {
    let text = "unable to apply network settings without a private NET namespace";
    for change in [
        (|c| c.networks.push(Network::loopback())) as fn(&mut Config),
        |c| c.routes.push(Route::default()),
    ] {
        let mut config = with(change);
        refuses(&config, text);
        config
            .namespaces
            .set(NamespaceType::Network, "/run/netns/x");
        accepts(&config);
    }
}

#[test]
fn veth_networks_need_root() {
    let mut config = config(&[NamespaceType::Network]);
    config.networks = vec![
        Network::loopback(),
        Network {
            kind: "veth".to_owned(),
            ..Network::default()
        },
    ];
    accepts(&config);
    config.rootless_euid = true;
    // What else a rootless container lacks here is looked at after that.
    refuses(
        &config,
        "networks of type veth are not supported for rootless containers",
    );
}

fn net_device(host_name: &str, name: &str) -> Config {
    let mut config = config(&[NamespaceType::Network]);
    config
        .net_devices
        .insert(host_name.into(), NetDevice { name: name.into() });
    config
}

#[test]
fn network_devices_need_a_network_namespace_and_root() {
    accepts(&net_device("eth0", ""));
    accepts(&net_device("eth0", "eth1"));
    let mut config = net_device("eth0", "eth1");
    config.rootless_euid = true;
    refuses(
        &config,
        "network devices are not supported for rootless containers",
    );
    config.namespaces = Namespaces::new();
    refuses(
        &config,
        "unable to move network devices without a NET namespace",
    );
}

#[test]
fn network_device_names_are_the_kernels() {
    for name in ["a", "eth0", "veth-1.2_3", "123456789012345"] {
        accepts(&net_device(name, name));
    }
    for name in [".", "..", "a/b", "a:b", "a b", "a\tb", "1234567890123456"] {
        let text = format!("invalid network device name {name:?}");
        refuses(&net_device(name, "eth0"), &text);
        refuses(&net_device("eth0", name), &text);
    }
    refuses(&net_device("", "eth0"), "invalid network device name \"\"");
}
