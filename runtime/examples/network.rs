//! A container with an address of its own on a bridge of the host, and what it has received.
//!
//! ```text
//! ip link add cfd-example type bridge
//! ip address add 192.0.2.1/24 dev cfd-example
//! ip link set cfd-example up
//! cargo run --example network -- /path/to/rootfs
//! ```

#![allow(clippy::print_stdout, reason = "an example talks to its user")]

mod configuration;

use std::error::Error;
use std::fs::File;
use std::io::Read as _;

use cofferdam::configs::config::{Network, Route};
use cofferdam::{ContainerId, Process, Runtime, Stdio};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let id: ContainerId = "network".parse()?;
    // The configuration of a bundle, without what an OCI bundle has no place for.
    let bundle = configuration::bundle(id.as_str(), &configuration::rootfs()?, &["sh"])?;
    let (mut config, _) = bundle.configuration(&id)?;
    config.networks.push(Network {
        kind: "veth".to_owned(),
        bridge: "cfd-example".to_owned(),
        host_interface_name: "cfd-network".to_owned(),
        name: "eth0".to_owned(),
        address: "192.0.2.7/24".to_owned(),
        gateway: "192.0.2.1".to_owned(),
        ..Network::default()
    });
    // Beside the default route through the gateway.
    config.routes.push(Route {
        destination: "198.51.100.0/24".to_owned(),
        gateway: "192.0.2.1".to_owned(),
        interface_name: "eth0".to_owned(),
        ..Route::default()
    });

    let script = "read line; cat /sys/class/net/eth0/operstate; cat /proc/net/route";
    let mut shell = Process::new(["sh", "-c", script]);
    shell
        .env(["PATH=/usr/bin:/bin"])
        .stdin(Stdio::Pipe)
        .stdout(Stdio::Pipe);
    let runtime = Runtime::new("/run/cofferdam-examples")?;
    let mut container = runtime.run(&id, config, shell)?;
    for interface in container.stats()?.network_interfaces.unwrap_or_default() {
        println!(
            "{} has received {} bytes",
            interface.name, interface.rx_bytes
        );
    }

    let pipes = container.init_mut().ok_or("no child")?.pipes();
    drop(pipes.stdin.take());
    let mut text = String::new();
    let stdout = pipes.stdout.take().ok_or("no pipe")?;
    File::from(stdout).read_to_string(&mut text)?;
    print!("{text}");
    container.wait()?;
    // The host's side of the pair goes with it.
    container.destroy()?;
    Ok(())
}
