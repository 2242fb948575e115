//! Containers with a veth pair, which a host program has made, on the command line.

use cofferdam_integration::library::quiet;
use cofferdam_integration::networks::{self, HOST_SIDE, configuration, device};
use cofferdam_integration::{Case, need};
use runtime::Runtime;

/// A started container with a pair.
fn start(case: &Case) {
    let host = Runtime::new(case.root()).unwrap();
    let mut process = quiet("/bin/sh");
    process.args(["/bin/sh", "-c", "sleep 100000"]);
    let id = case.id.parse().unwrap();
    drop(host.run(&id, configuration(case), process).unwrap());
}

#[test]
fn a_veth_pair_is_in_the_state_file_and_in_the_statistics() {
    need!(Root, Busybox, Cofferdam, VirtualNetworks);
    networks::enter();
    let case = Case::new();
    start(&case);
    let state = std::fs::read_to_string(case.root().join(&case.id).join("state.json")).unwrap();
    let state: serde_json::Value = serde_json::from_str(&state).unwrap();
    let expected = serde_json::json!([
        {"type": "loopback"},
        {
            "type": "veth", "name": "eth0", "bridge": "br0",
            "mac_address": "02:00:00:00:00:07",
            "address": "10.211.3.2/24", "gateway": "10.211.3.1",
            "ipv6_address": "fd21::2/64", "ipv6_gateway": "fd21::1",
            "mtu": 1400, "txqueuelen": 77,
            "host_interface_name": HOST_SIDE, "hairpin_mode": true
        }
    ]);
    assert_eq!(state["config"]["networks"], expected);

    // The host answers what the container asks for.
    for _ in 0..3 {
        networks::reaches_the_host(&case);
    }
    let stats = case.call(&["events", "--stats", &case.id]).ok().json();
    let interfaces = &stats["data"]["network_interfaces"];
    assert_eq!(interfaces.as_array().unwrap().len(), 1, "{stats}");
    let counted = &interfaces[0];
    assert_eq!(counted["Name"], HOST_SIDE);
    for key in ["RxBytes", "RxPackets", "TxBytes", "TxPackets"] {
        assert!(counted[key].as_u64().unwrap() >= 3, "{key}: {counted}");
    }
    for key in ["RxErrors", "RxDropped", "TxErrors", "TxDropped"] {
        assert!(counted[key].is_u64(), "{key}: {counted}");
    }
    let shown = case.exec(&["ip", "address", "show", "eth0"]).ok();
    for text in [
        "10.211.3.2/24",
        "fd21::2/64",
        "02:00:00:00:00:07",
        "mtu 1400",
    ] {
        assert!(shown.stdout.contains(text), "{text}: {shown}");
    }

    let _ = case.call(&["delete", "--force", &case.id]).ok();
    assert_eq!(device(HOST_SIDE), None);
    case.finish();
}

/// A container that joins the network of another one, as those of a pod do.
#[test]
fn the_network_of_a_container_can_be_joined_by_another() {
    need!(Root, Busybox, Cofferdam, VirtualNetworks);
    networks::enter();
    let first = Case::new();
    start(&first);
    let mut second = Case::new();
    let path = format!("/proc/{}/ns/net", first.pid());
    second.bundle.without_namespace("network");
    let joined = serde_json::json!({"type": "network", "path": path});
    second.bundle.namespace(joined);
    let shown = second.inside("ip address show eth0");
    assert!(shown.stdout.contains("10.211.3.2/24"), "{shown}");
    second.finish();
    // The pair is the first one's.
    assert!(device(HOST_SIDE).is_some());
    first.delete();
    assert_eq!(device(HOST_SIDE), None);
}
