//! What the supervisor does for the container's network: devices moved in, veth pairs, addresses,
//! routes.
//!
//! The init process opens a route socket in its network namespace and sends it to the supervisor.
//! Everything is done with that socket and one of the host: no thread enters the namespace.

use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use configs::Config;
use configs::config::Network;
use netlink::{Cidr, InterfaceName, LinkKind, MacAddress, NetDevice, NewLink, Route, Socket};
use nsenter::ProcessRef;

use crate::error::{Error, ErrorKind, Result};
use crate::id::ContainerId;

/// Refuses what cannot be set up, before anything is made.
pub(crate) fn check(config: &Config) -> Result<()> {
    for network in &config.networks {
        match network.kind.as_str() {
            "loopback" => {}
            "veth" => Veth::parse(network).map(drop)?,
            other => return Err(Error::config(format!("unknown strategy type {other:?}"))),
        }
    }
    for (host, device) in &config.net_devices {
        net_device(host, &device.name)?;
    }
    for route in &config.routes {
        Route::parse(&route.destination, &route.source, &route.gateway, None)
            .map_err(invalid("routes"))?;
    }
    Ok(())
}

/// Sets up the network through a route socket of the container's network namespace.
pub(crate) fn configure(
    id: &ContainerId,
    config: &Config,
    socket: OwnedFd,
    process: &ProcessRef<'_>,
) -> Result<()> {
    let failed = |error| Error::system("error creating network interfaces", error);
    let mut inside = Socket::from_descriptor(socket).map_err(failed)?;
    let mut host = Socket::connect().map_err(failed)?;
    let namespace = PathBuf::from(format!("/proc/{}/ns/net", process.pid()));
    for (name, device) in &config.net_devices {
        net_device(name, &device.name)?
            .move_to(&mut host, &mut inside, &namespace)
            .map_err(failed)?;
    }
    for network in config
        .networks
        .iter()
        .filter(|network| network.kind == "veth")
    {
        Veth::parse(network)?.make(id, &mut host, &mut inside)?;
    }
    for route in &config.routes {
        let link = match route.interface_name.as_str() {
            "" => None,
            name => Some(
                inside
                    .link_by_name(&name.parse().map_err(invalid("routes"))?)
                    .map_err(failed)?
                    .index,
            ),
        };
        let route = Route::parse(&route.destination, &route.source, &route.gateway, link)
            .map_err(invalid("routes"))?;
        inside.add_route(&route).map_err(failed)?;
    }
    Ok(())
}

/// Makes the host's ends of restored veth pairs this container's, and connects them again.
pub(crate) fn reconnect(id: &ContainerId, networks: &[Network]) -> Result<()> {
    let mut veths = networks
        .iter()
        .filter(|network| network.kind == "veth")
        .peekable();
    if veths.peek().is_none() {
        return Ok(());
    }
    let failed = |error| Error::system("connect the container's network interfaces", error);
    let mut host = Socket::connect().map_err(failed)?;
    for network in veths {
        let veth = Veth::parse(network)?;
        veth.connect_outside(id, &mut host).map_err(failed)?;
    }
    Ok(())
}

/// Deletes the host's ends of the veth pairs that were made for this container, and with them the
/// other ends. The kernel would do so some time after the end of the container's network namespace,
/// or never, where that is one that it joined.
///
/// A device of the same name of another origin is left alone: ours have the id of the
/// container as their alias.
pub(crate) fn remove(id: &ContainerId, networks: &[Network]) -> Result<()> {
    let mut names = networks
        .iter()
        .filter(|network| network.kind == "veth")
        .filter_map(|network| network.host_interface_name.parse::<InterfaceName>().ok())
        .peekable();
    if names.peek().is_none() {
        return Ok(());
    }
    let mut host = Socket::connect()
        .map_err(|error| Error::system("remove the container's network interfaces", error))?;
    for name in names {
        match delete_own(id, &name, &mut host) {
            Err(error) if error.kind() != netlink::ErrorKind::NotFound => {
                return Err(Error::system(format!("remove veth pair {name}"), error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// What marks a device as one of this container: its id, as far as the kernel takes it. Ids are
/// ASCII.
fn alias(id: &ContainerId) -> &str {
    let id = id.as_str();
    id.get(..254).unwrap_or(id)
}

fn delete_own(id: &ContainerId, name: &InterfaceName, host: &mut Socket) -> netlink::Result<()> {
    let link = host.link_by_name(name)?;
    if link.alias.as_deref() == Some(alias(id)) {
        host.delete_link(link.index)?;
    }
    Ok(())
}

fn invalid(field: &str) -> impl Fn(netlink::Error) -> Error {
    let field = field.to_owned();
    move |error| Error::with(ErrorKind::InvalidConfig, field.clone(), error)
}

fn net_device(host: &str, new: &str) -> Result<NetDevice> {
    let name = |text: &str| {
        text.parse::<InterfaceName>()
            .map_err(invalid("linux.netDevices"))
    };
    let new = if new.is_empty() {
        None
    } else {
        Some(name(new)?)
    };
    Ok(NetDevice::new(name(host)?, new))
}

/// A veth pair: one end on the host, a port of a bridge, the other one in the container.
#[derive(Debug, PartialEq, Eq)]
struct Veth {
    inside: InterfaceName,
    outside: InterfaceName,
    bridge: Option<InterfaceName>,
    hairpin: bool,
    mac: Option<MacAddress>,
    addresses: Vec<Cidr>,
    gateways: Vec<IpAddr>,
    mtu: Option<u32>,
    tx_queue_len: Option<u32>,
}

impl Veth {
    fn parse(from: &Network) -> Result<Self> {
        fn part<T: std::str::FromStr<Err = E>, E>(
            field: &str,
            text: &str,
            problem: impl Fn(E) -> Error,
        ) -> Result<Option<T>> {
            if text.is_empty() {
                return Ok(None);
            }
            text.parse()
                .map(Some)
                .map_err(|error| problem(error).context(format!("networks: {field} {text:?}")))
        }
        let netlink =
            |error: netlink::Error| Error::with(ErrorKind::InvalidConfig, "invalid", error);
        let address = |error: std::net::AddrParseError| {
            Error::with(ErrorKind::InvalidConfig, "invalid", error)
        };
        let missing = |field: &str| Error::config(format!("networks: a veth needs {field}"));
        let addresses = [
            part("address", &from.address, netlink)?,
            part("ipv6_address", &from.ipv6_address, netlink)?,
        ];
        let gateways = [
            part("gateway", &from.gateway, address)?,
            part("ipv6_gateway", &from.ipv6_gateway, address)?,
        ];
        Ok(Self {
            inside: part("name", &from.name, netlink)?.ok_or_else(|| missing("a name"))?,
            outside: part("host_interface_name", &from.host_interface_name, netlink)?
                .ok_or_else(|| missing("a host_interface_name"))?,
            bridge: part("bridge", &from.bridge, netlink)?,
            hairpin: from.hairpin_mode,
            mac: part("mac_address", &from.mac_address, netlink)?,
            addresses: addresses.into_iter().flatten().collect(),
            gateways: gateways.into_iter().flatten().collect(),
            mtu: (from.mtu != 0).then_some(from.mtu),
            tx_queue_len: (from.txqueuelen != 0).then_some(from.txqueuelen),
        })
    }

    fn make(&self, id: &ContainerId, host: &mut Socket, inside: &mut Socket) -> Result<()> {
        let failed = |error| {
            Error::system(
                format!("make veth pair {} and {}", self.outside, self.inside),
                error,
            )
        };
        let namespace = inside.namespace().map_err(failed)?;
        // Its other end is made in the container under its final name: nothing to move or rename.
        let kind = LinkKind::Veth {
            peer: &self.inside,
            peer_namespace: Some(namespace.as_fd()),
        };
        let mut pair = NewLink::new(&self.outside, kind);
        pair.mtu = self.mtu;
        pair.tx_queue_len = self.tx_queue_len;
        host.create_link(&pair).map_err(failed)?;
        self.connect(id, host, inside).map_err(|error| {
            // The pair would end with the network namespace; that may belong to another container.
            if let Ok(link) = host.link_by_name(&self.outside) {
                let _ = host.delete_link(link.index);
            }
            failed(error)
        })
    }

    /// The host's end: marked as this container's, a port of its bridge, up.
    fn connect_outside(&self, id: &ContainerId, host: &mut Socket) -> netlink::Result<()> {
        let outer = host.link_by_name(&self.outside)?.index;
        host.set_alias(outer, alias(id))?;
        if let Some(bridge) = &self.bridge {
            let bridge = host.link_by_name(bridge)?.index;
            host.set_master(outer, Some(bridge))?;
            if self.hairpin {
                host.set_hairpin(outer, true)?;
            }
        }
        host.set_up(outer)
    }

    fn connect(
        &self,
        id: &ContainerId,
        host: &mut Socket,
        inside: &mut Socket,
    ) -> netlink::Result<()> {
        self.connect_outside(id, host)?;
        let inner = inside.link_by_name(&self.inside)?.index;
        if let Some(mac) = self.mac {
            inside.set_mac(inner, mac)?;
        }
        for address in &self.addresses {
            inside.add_address(inner, *address)?;
        }
        inside.set_up(inner)?;
        for gateway in &self.gateways {
            inside.add_route(&Route::default_gateway(*gateway, Some(inner)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn veth() -> Network {
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
        assert!(check(&config(veth())).is_ok());
        let wrong: [fn(&mut Network); 7] = [
            |network| network.kind = "macvlan".to_owned(),
            |network| network.name.clear(),
            |network| network.host_interface_name.clear(),
            |network| network.host_interface_name = "much-too-long-a-name".to_owned(),
            |network| network.address = "10.1.2.3/33".to_owned(),
            |network| network.gateway = "10.1.2".to_owned(),
            |network| network.mac_address = "00:11".to_owned(),
        ];
        for change in wrong {
            let mut network = veth();
            change(&mut network);
            let error = check(&config(network.clone())).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{network:?}");
        }
    }

    #[test]
    fn zero_leaves_sizes_to_the_kernel() {
        let parsed = Veth::parse(&veth()).unwrap();
        assert_eq!((parsed.mtu, parsed.tx_queue_len), (None, None));
        let parsed = Veth::parse(&Network {
            mtu: 1400,
            txqueuelen: 5,
            ..veth()
        })
        .unwrap();
        assert_eq!((parsed.mtu, parsed.tx_queue_len), (Some(1400), Some(5)));
        assert_eq!(parsed.addresses.len(), 1);
        assert_eq!(parsed.gateways, [IpAddr::from([10, 1, 2, 1])]);
    }
}
