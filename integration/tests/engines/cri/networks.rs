//! Pods with a network of their own, made by the plugins of the CNI.

use cofferdam_integration::cri::messages::{NamespaceMode, PodSandboxConfig};
use cofferdam_integration::engine::{Node, container_config};
use cofferdam_integration::{need, networks};

use super::SLEEP;

fn config(node: &Node, name: &str) -> PodSandboxConfig {
    let mut config = node.pod_config();
    config.metadata.as_mut().unwrap().name = name.to_owned();
    config.hostname = name.to_owned();
    let linux = config.linux.as_mut().unwrap();
    let security = linux.security_context.as_mut().unwrap();
    let namespaces = security.namespace_options.as_mut().unwrap();
    namespaces.set_network(NamespaceMode::Pod);
    config
}

#[test]
fn pods_have_addresses_and_reach_each_other() {
    need!(
        Root,
        Busybox,
        Controllers,
        Containerd,
        Runc,
        NetworkPlugins,
        VirtualNetworks
    );
    // The daemon and its bridge are in a network of this test.
    networks::enter();
    let node = Node::start();
    let [server, client] = ["server", "client"].map(|name| node.pod(config(&node, name)));
    let address = server.status().network.unwrap().ip;
    let listens = container_config("listens", "echo hello | nc -l -p 7000");
    let listens = server.run(listens);
    let shown = listens.shows("hostname; ip -o -4 address show dev eth0; ip route");
    assert!(shown.starts_with("server\n"), "{shown}");
    assert!(shown.contains(&format!(" {address}/24 ")), "{shown}");

    let asks = client.run(container_config("asks", SLEEP));
    // It may be asked before it listens.
    let script = format!("until nc -w 60 {address} 7000 </dev/null; do :; done 2>/dev/null");
    assert_eq!(asks.shows(&script), "hello\n");
    // Containers of one pod have one network.
    let beside = client.run(container_config("beside", SLEEP));
    let look = "readlink /proc/self/ns/net; ip -o address";
    assert_eq!(asks.shows(look), beside.shows(look));
    server.remove();
    client.remove();
    assert!(!networks::ip("-o link").contains("veth"));
}
