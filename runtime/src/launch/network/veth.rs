//! A veth pair: the host side, a port of a bridge, and the side in the container.

use std::fmt;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::str::FromStr;

use configs::config::Network;
use netlink::{Cidr, InterfaceName, Link, LinkKind, MacAddress, NewLink, Route, Socket};

use super::{CREATING, step};
use crate::error::{Error, ErrorKind, Result};
use crate::id::ContainerId;

/// A field of the configuration, for messages.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) list: &'static str,
    pub(super) number: usize,
    /// Its name; empty for the whole element.
    pub(super) name: &'static str,
    pub(super) value: &'a str,
}

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.list, self.number)?;
        if self.name.is_empty() {
            return Ok(());
        }
        write!(f, ".{} {:?}", self.name, self.value)
    }
}

/// A pair to make.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Veth {
    /// Its place among the networks.
    number: usize,
    pub(super) inside: InterfaceName,
    pub(super) outside: InterfaceName,
    pub(super) bridge: Option<InterfaceName>,
    hairpin: bool,
    mac: Option<MacAddress>,
    /// IPv4 and IPv6.
    pub(super) addresses: [Option<Cidr>; 2],
    pub(super) gateways: [Option<IpAddr>; 2],
    pub(super) mtu: Option<u32>,
    pub(super) tx_queue_len: Option<u32>,
}

const ADDRESSES: [&str; 2] = ["address", "ipv6_address"];
const GATEWAYS: [&str; 2] = ["gateway", "ipv6_gateway"];

impl Veth {
    pub(super) fn parse(number: usize, from: &Network) -> Result<Self> {
        let part = Part(number);
        let veth = Self {
            number,
            inside: part.required("name", &from.name)?,
            outside: part.required("host_interface_name", &from.host_interface_name)?,
            bridge: part.optional("bridge", &from.bridge)?,
            hairpin: from.hairpin_mode,
            mac: part.optional("mac_address", &from.mac_address)?,
            addresses: [
                part.optional(ADDRESSES[0], &from.address)?,
                part.optional(ADDRESSES[1], &from.ipv6_address)?,
            ],
            gateways: [
                part.optional(GATEWAYS[0], &from.gateway)?,
                part.optional(GATEWAYS[1], &from.ipv6_gateway)?,
            ],
            mtu: (from.mtu != 0).then_some(from.mtu),
            tx_queue_len: (from.txqueuelen != 0).then_some(from.txqueuelen),
        };
        let refuse = |name, value: &str, problem: &str| {
            let field = part.field(name, value);
            Err(Error::config(format!("{field}: {problem}")))
        };
        if veth.mac.is_some_and(MacAddress::is_multicast) {
            return refuse("mac_address", &from.mac_address, "is a multicast address");
        }
        if veth.hairpin && veth.bridge.is_none() {
            return refuse("hairpin_mode", "true", "needs a bridge");
        }
        let [v4, v6] = veth.addresses.map(|address| address.map(Cidr::address));
        let [gateway4, gateway6] = veth.gateways;
        for (name, text, ip, problem) in [
            (ADDRESSES[0], &from.address, v4, "is not an IPv4 address"),
            (
                ADDRESSES[1],
                &from.ipv6_address,
                v6,
                "is not an IPv6 address",
            ),
            (
                GATEWAYS[0],
                &from.gateway,
                gateway4,
                "is not an IPv4 address",
            ),
            (
                GATEWAYS[1],
                &from.ipv6_gateway,
                gateway6,
                "is not an IPv6 address",
            ),
        ] {
            let wanted = [ADDRESSES[0], GATEWAYS[0]].contains(&name);
            if ip.is_some_and(|ip| ip.is_ipv4() != wanted) {
                return refuse(name, text, problem);
            }
        }
        Ok(veth)
    }

    /// Makes the pair. If a step fails it is gone again.
    pub(super) fn make(
        &self,
        id: &ContainerId,
        host: &mut Socket,
        inside: &mut Socket,
    ) -> Result<()> {
        let bridge = self.find_bridge(host)?;
        self.create(id, host, inside)?;
        let connected = self
            .connect_outside(id, bridge, host)
            .and_then(|()| self.connect_inside(inside));
        if connected.is_err() {
            self.delete(host);
        }
        connected
    }

    /// Deletes the pair that this has made.
    pub(super) fn delete(&self, host: &mut Socket) {
        let deleted = host
            .link_by_name(&self.outside)
            .and_then(|link| host.delete_link(link.index));
        if let Err(error) = deleted {
            log::debug!("{error:#}");
        }
    }

    /// The bridge, which has to be one: any other master would take the device as well.
    fn find_bridge(&self, host: &mut Socket) -> Result<Option<Link>> {
        let Some(name) = &self.bridge else {
            return Ok(None);
        };
        let field = self.field("bridge", name.as_str());
        let link = host.link_by_name(name).map_err(step(field))?;
        if link.kind.as_deref() == Some("bridge") {
            return Ok(Some(link));
        }
        let message = format!("{CREATING}: {field}: the device is not a bridge");
        Err(Error::new(ErrorKind::System, message))
    }

    /// Creates both sides at once, the inner one in the container under its final name: there is
    /// nothing to move or to rename.
    fn create(&self, id: &ContainerId, host: &mut Socket, inside: &mut Socket) -> Result<()> {
        let outside = self.field("host_interface_name", self.outside.as_str());
        let namespace = inside.namespace().map_err(step(outside))?;
        let kind = LinkKind::Veth {
            peer: &self.inside,
            peer_namespace: Some(namespace.as_fd()),
        };
        let mut pair = NewLink::new(&self.outside, kind);
        pair.mac = Some(host_mac(id, &self.outside));
        pair.mtu = self.mtu;
        pair.tx_queue_len = self.tx_queue_len;
        host.create_link(&pair).map_err(|error| {
            let mtu = self.mtu.unwrap_or_default().to_string();
            let taken = error.kind() == netlink::ErrorKind::Exists;
            let field = match error.raw_os_error() {
                // Nothing else of a pair has limits.
                Some(libc::EINVAL | libc::ERANGE) if self.mtu.is_some() => self.field("mtu", &mtu),
                _ if taken && inside.link_by_name(&self.inside).is_ok() => {
                    self.field("name", self.inside.as_str())
                }
                _ => outside,
            };
            step(field)(error)
        })
    }

    /// The host side: marked as this container's, a port of its bridge, up.
    fn connect_outside(
        &self,
        id: &ContainerId,
        bridge: Option<Link>,
        host: &mut Socket,
    ) -> Result<()> {
        let name = self.outside.as_str();
        let failed = || step(self.field("host_interface_name", name));
        let outer = host.link_by_name(&self.outside).map_err(failed())?.index;
        host.set_alias(outer, alias(id)).map_err(failed())?;
        if let Some(bridge) = bridge {
            let attached = host.set_master(outer, Some(bridge.index));
            attached.map_err(step(self.field("bridge", &bridge.name)))?;
        }
        if self.hairpin {
            let set = host.set_hairpin(outer, true);
            set.map_err(step(self.field("hairpin_mode", "true")))?;
        }
        host.set_up(outer).map_err(failed())
    }

    fn connect_inside(&self, inside: &mut Socket) -> Result<()> {
        let failed = || step(self.field("name", self.inside.as_str()));
        let inner = inside.link_by_name(&self.inside).map_err(failed())?.index;
        if let Some(mac) = self.mac {
            let text = mac.to_string();
            let set = inside.set_mac(inner, mac);
            set.map_err(step(self.field("mac_address", &text)))?;
        }
        for (name, address) in ADDRESSES.into_iter().zip(self.addresses) {
            if let Some(address) = address {
                let text = address.to_string();
                let added = inside.add_address(inner, address);
                added.map_err(step(self.field(name, &text)))?;
            }
        }
        inside.set_up(inner).map_err(failed())?;
        for (name, gateway) in GATEWAYS.into_iter().zip(self.gateways) {
            if let Some(gateway) = gateway {
                let text = gateway.to_string();
                let added = inside.add_route(&Route::default_gateway(gateway, Some(inner)));
                added.map_err(step(self.field(name, &text)))?;
            }
        }
        Ok(())
    }

    /// Takes the host side off its bridge.
    pub(super) fn detach(&self, id: &ContainerId, host: &mut Socket) -> Result<()> {
        if self.bridge.is_none() {
            return Ok(());
        }
        let link = self.own_link(id, host)?;
        let field = self.field("host_interface_name", self.outside.as_str());
        host.set_master(link.index, None).map_err(step(field))
    }

    /// The host side, if it is still the one that was made.
    fn own_link(&self, id: &ContainerId, host: &mut Socket) -> Result<Link> {
        let field = self.field("host_interface_name", self.outside.as_str());
        let link = host.link_by_name(&self.outside).map_err(step(field))?;
        if is_own(id, &self.outside, &link) {
            return Ok(link);
        }
        let name = &self.outside;
        let message = format!("network interface {name} is not the container's any more");
        Err(Error::new(ErrorKind::InvalidState, message))
    }

    /// Makes the host side a port of its bridge again.
    pub(super) fn attach(&self, id: &ContainerId, host: &mut Socket) -> Result<()> {
        self.own_link(id, host)?;
        let bridge = self.find_bridge(host)?;
        self.connect_outside(id, bridge, host)
    }

    /// The same for a pair that CRIU has made, which gives the host side no sizes.
    pub(super) fn attach_restored(&self, id: &ContainerId, host: &mut Socket) -> Result<()> {
        let failed = || step(self.field("host_interface_name", self.outside.as_str()));
        let outer = host.link_by_name(&self.outside).map_err(failed())?.index;
        if let Some(mtu) = self.mtu {
            let text = mtu.to_string();
            let set = host.set_mtu(outer, mtu);
            set.map_err(step(self.field("mtu", &text)))?;
        }
        if let Some(length) = self.tx_queue_len {
            let text = length.to_string();
            let set = host.set_tx_queue_len(outer, length);
            set.map_err(step(self.field("txqueuelen", &text)))?;
        }
        let bridge = self.find_bridge(host)?;
        self.connect_outside(id, bridge, host)
    }

    fn field<'a>(&self, name: &'static str, value: &'a str) -> Field<'a> {
        Part(self.number).field(name, value)
    }
}

/// Reads the fields of the network with this number.
struct Part(usize);

impl Part {
    fn field<'a>(&self, name: &'static str, value: &'a str) -> Field<'a> {
        Field {
            list: "networks",
            number: self.0,
            name,
            value,
        }
    }

    fn optional<T>(&self, name: &'static str, text: &str) -> Result<Option<T>>
    where
        T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
    {
        if text.is_empty() {
            return Ok(None);
        }
        let refused = |error| {
            let message = self.field(name, text).to_string();
            Error::with(ErrorKind::InvalidConfig, message, error)
        };
        text.parse().map(Some).map_err(refused)
    }

    fn required<T>(&self, name: &'static str, text: &str) -> Result<T>
    where
        T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
    {
        let number = self.0;
        let missing = || Error::config(format!("networks[{number}]: a veth needs a {name}"));
        self.optional(name, text)?.ok_or_else(missing)
    }
}

/// What marks a device as one of this container for people: its id, as far as the kernel takes it.
/// Ids are ASCII.
fn alias(id: &ContainerId) -> &str {
    let id = id.as_str();
    id.get(..254).unwrap_or(id)
}

/// The address of the host side: it is there from the first moment, and marks the device until it
/// has its alias. A bridge without an address of its own takes the lowest of its ports, which this
/// is not: it begins with `fe`.
fn host_mac(id: &ContainerId, name: &InterfaceName) -> MacAddress {
    // FNV-1a: another release of this program has to find the same one.
    let bytes = id.as_str().bytes().chain([0]).chain(name.as_str().bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let [_, _, _, a, b, c, d, e] = hash.to_be_bytes();
    MacAddress::new([0xfe, a, b, c, d, e])
}

/// Whether a device was made for this container.
fn is_own(id: &ContainerId, name: &InterfaceName, link: &Link) -> bool {
    match &link.alias {
        Some(text) => text == alias(id),
        None => link.mac == Some(host_mac(id, name)),
    }
}

/// Deletes the pair with this host side if it was made for this container.
pub(super) fn delete_own(
    id: &ContainerId,
    name: &InterfaceName,
    host: &mut Socket,
) -> netlink::Result<()> {
    let link = host.link_by_name(name)?;
    if is_own(id, name, &link) {
        host.delete_link(link.index)?;
    }
    Ok(())
}
