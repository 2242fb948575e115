//! Interfaces that the runtime makes or moves.

use cofferdam::configs::config::{NetDevice, Network};
use netlink::{InterfaceName, LinkKind, NewLink, Socket};

use crate::bundle::{Bundle, output, shell};

fn name(text: &str) -> InterfaceName {
    text.parse().unwrap()
}

/// Shows the interfaces with their addresses; the files of sysfs are those of the namespace that mounted it.
const SHOW: &str = "ls /sys/class/net; cat /sys/class/net/eth0/operstate /sys/class/net/eth0/mtu /proc/net/fib_trie";

#[test]
fn a_veth_pair_is_made_with_its_addresses_and_counted() {
    let Some(mut bundle) = Bundle::new() else {
        return;
    };
    let outside = format!("cfd{}", std::process::id() % 1_000_000);
    bundle.config.networks.push(Network {
        kind: "veth".to_owned(),
        name: "eth0".to_owned(),
        host_interface_name: outside.clone(),
        address: "10.211.3.2/24".to_owned(),
        gateway: "10.211.3.1".to_owned(),
        mtu: 1400,
        ..Network::default()
    });
    let mut container = match bundle.create(shell(SHOW)) {
        // A kernel without veth.
        Err(error) if error.raw_os_error() == Some(95) => {
            eprintln!("skipped: {}", error.chain());
            return;
        }
        other => other.unwrap(),
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
