//! What is sent: one function per verb, pure, so that the blocking socket, the asynchronous
//! connection and [`encode`](crate::encode) send the same bytes.

use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::{
    DefaultNla, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, NetlinkHeader,
    NetlinkMessage,
};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage, LinkProtoInfoBridge};
use netlink_packet_route::route::{
    RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::cidr::Cidr;
use crate::error::{Error, Repr, Result};
use crate::interface_name::InterfaceName;
use crate::link::LinkIndex;
use crate::mac_address::MacAddress;
use crate::new_link::NewLink;
use crate::route::Route;

/// `IFLA_BRPORT_MODE` of `linux/if_link.h`: whether a bridge port is a hairpin.
const BRIDGE_PORT_MODE: u16 = 4;

/// A message and the description of what it asks, for error texts.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) operation: String,
    message: RouteNetlinkMessage,
    flags: u16,
}

impl Request {
    fn change(operation: String, message: RouteNetlinkMessage) -> Self {
        Self {
            operation,
            message,
            flags: NLM_F_REQUEST | NLM_F_ACK,
        }
    }

    fn create(operation: String, message: RouteNetlinkMessage) -> Self {
        Self {
            flags: NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
            ..Self::change(operation, message)
        }
    }

    fn dump(operation: &str, message: RouteNetlinkMessage) -> Self {
        Self {
            flags: NLM_F_REQUEST | NLM_F_DUMP,
            ..Self::change(operation.to_owned(), message)
        }
    }

    /// The error for an answer that lacks what was asked for.
    pub(crate) fn unanswered(&self, problem: &'static str) -> Error {
        let operation = self.operation.clone();
        Repr::Protocol { operation, problem }.into()
    }

    /// The message with its header complete.
    pub(crate) fn message(&self, sequence: u32) -> NetlinkMessage<RouteNetlinkMessage> {
        let mut header = NetlinkHeader::default();
        header.flags = self.flags;
        header.sequence_number = sequence;
        let mut message = NetlinkMessage::new(header, self.message.clone().into());
        message.finalize();
        message
    }

    /// The bytes to send.
    pub(crate) fn encode(&self, sequence: u32) -> Vec<u8> {
        let message = self.message(sequence);
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        bytes
    }
}

fn link(index: LinkIndex, attributes: Vec<LinkAttribute>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index.as_raw();
    message.attributes = attributes;
    message
}

fn set_link(operation: String, index: LinkIndex, attribute: LinkAttribute) -> Request {
    let message = link(index, vec![attribute]);
    Request::change(operation, RouteNetlinkMessage::SetLink(message))
}

pub(crate) fn create_link(new: &NewLink<'_>) -> Result<Request> {
    let message = RouteNetlinkMessage::NewLink(new.message()?);
    Ok(Request::create(
        format!("create link {}", new.name),
        message,
    ))
}

pub(crate) fn delete_link(index: LinkIndex) -> Request {
    let message = RouteNetlinkMessage::DelLink(link(index, Vec::new()));
    Request::change(format!("delete link {index}"), message)
}

pub(crate) fn link_by_name(name: &InterfaceName) -> Request {
    let mut message = LinkMessage::default();
    message.attributes = vec![LinkAttribute::IfName(name.to_string())];
    Request::change(
        format!("find link {name}"),
        RouteNetlinkMessage::GetLink(message),
    )
}

pub(crate) fn links() -> Request {
    Request::dump(
        "list links",
        RouteNetlinkMessage::GetLink(LinkMessage::default()),
    )
}

pub(crate) fn set_up(index: LinkIndex, up: bool) -> Request {
    let mut message = link(index, Vec::new());
    message.header.change_mask = LinkFlags::Up;
    if up {
        message.header.flags = LinkFlags::Up;
    }
    let direction = if up { "up" } else { "down" };
    let message = RouteNetlinkMessage::NewLink(message);
    Request::change(format!("set link {index} {direction}"), message)
}

pub(crate) fn rename(index: LinkIndex, name: &InterfaceName) -> Request {
    let operation = format!("rename link {index} to {name}");
    set_link(operation, index, LinkAttribute::IfName(name.to_string()))
}

/// The longest alias that the kernel takes: `IFALIASZ` of `linux/if.h` less one, with the NUL of
/// the message.
const ALIAS_BYTES: usize = 254;

pub(crate) fn set_alias(index: LinkIndex, alias: &str) -> Result<Request> {
    if alias.len() > ALIAS_BYTES {
        return Err(Repr::Alias(alias.len()).into());
    }
    let operation = format!("set alias of link {index} to {alias:?}");
    let attribute = LinkAttribute::IfAlias(alias.to_owned());
    Ok(set_link(operation, index, attribute))
}

pub(crate) fn set_mac(index: LinkIndex, mac: MacAddress) -> Result<Request> {
    if mac.is_multicast() {
        return Err(Repr::MulticastMac(mac.to_string()).into());
    }
    let operation = format!("set address of link {index} to {mac}");
    Ok(set_link(
        operation,
        index,
        LinkAttribute::Address(mac.bytes().to_vec()),
    ))
}

pub(crate) fn set_mtu(index: LinkIndex, mtu: u32) -> Request {
    let operation = format!("set mtu of link {index} to {mtu}");
    set_link(operation, index, LinkAttribute::Mtu(mtu))
}

pub(crate) fn set_tx_queue_len(index: LinkIndex, length: u32) -> Request {
    let operation = format!("set transmit queue of link {index} to {length}");
    set_link(operation, index, LinkAttribute::TxQueueLen(length))
}

pub(crate) fn set_master(index: LinkIndex, master: Option<LinkIndex>) -> Request {
    let operation = match master {
        Some(master) => format!("make link {index} a port of link {master}"),
        None => format!("free link {index} from its master"),
    };
    let master = master.map_or(0, LinkIndex::as_raw);
    set_link(operation, index, LinkAttribute::Controller(master))
}

pub(crate) fn set_hairpin(index: LinkIndex, on: bool) -> Request {
    let mode = LinkProtoInfoBridge::Other(DefaultNla::new(BRIDGE_PORT_MODE, vec![u8::from(on)]));
    let mut message = link(index, vec![LinkAttribute::ProtoInfoBridge(vec![mode])]);
    message.header.interface_family = AddressFamily::Bridge;
    let operation = format!("set hairpin mode of link {index} to {on}");
    Request::change(operation, RouteNetlinkMessage::SetLink(message))
}

pub(crate) fn move_to_namespace(index: LinkIndex, namespace: BorrowedFd<'_>) -> Request {
    let operation = format!("move link {index} to another namespace");
    set_link(
        operation,
        index,
        LinkAttribute::NetNsFd(namespace.as_raw_fd()),
    )
}

pub(crate) fn move_to_namespace_of(index: LinkIndex, pid: u32) -> Request {
    let operation = format!("move link {index} to the namespace of process {pid}");
    set_link(operation, index, LinkAttribute::NetNsPid(pid))
}

pub(crate) fn move_and_rename(
    index: LinkIndex,
    namespace: BorrowedFd<'_>,
    name: &InterfaceName,
) -> Request {
    let message = link(
        index,
        vec![
            LinkAttribute::IfName(name.to_string()),
            LinkAttribute::NetNsFd(namespace.as_raw_fd()),
        ],
    );
    let operation = format!("move link {index} to another namespace as {name}");
    Request::change(operation, RouteNetlinkMessage::NewLink(message))
}

fn address(index: LinkIndex, cidr: Cidr) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(cidr.address());
    message.header.prefix_len = cidr.prefix();
    message.header.index = index.as_raw();
    message.attributes = vec![
        AddressAttribute::Local(cidr.address()),
        AddressAttribute::Address(cidr.address()),
    ];
    message
}

pub(crate) fn add_address(index: LinkIndex, cidr: Cidr) -> Request {
    let mut message = address(index, cidr);
    message
        .attributes
        .extend(cidr.broadcast().map(AddressAttribute::Broadcast));
    let operation = format!("add address {cidr} to link {index}");
    Request::create(operation, RouteNetlinkMessage::NewAddress(message))
}

pub(crate) fn delete_address(index: LinkIndex, cidr: Cidr) -> Request {
    let message = RouteNetlinkMessage::DelAddress(address(index, cidr));
    Request::change(format!("delete address {cidr} of link {index}"), message)
}

pub(crate) fn addresses() -> Request {
    let message = RouteNetlinkMessage::GetAddress(AddressMessage::default());
    Request::dump("list addresses", message)
}

fn route(route: &Route) -> Result<RouteMessage> {
    let mut message = RouteMessage::default();
    message.header.address_family = if route.is_ipv4()? {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    };
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.kind = RouteType::Unicast;
    message.header.protocol = route
        .protocol
        .map_or(RouteProtocol::Boot, RouteProtocol::from);
    // Without gateway the network is on the link itself; IPv6 knows no other scope than the widest.
    message.header.scope = if route.gateway.is_none() && route.is_ipv4()? {
        RouteScope::Link
    } else {
        RouteScope::Universe
    };
    if let Some(destination) = route.destination.map(Cidr::network) {
        message.header.destination_prefix_length = destination.prefix();
        let to = destination.address().into();
        message.attributes.push(RouteAttribute::Destination(to));
    }
    let optional = [
        route
            .preferred_source
            .map(|ip| RouteAttribute::PrefSource(ip.into())),
        route.gateway.map(|ip| RouteAttribute::Gateway(ip.into())),
        route.link.map(|link| RouteAttribute::Oif(link.as_raw())),
    ];
    message.attributes.extend(optional.into_iter().flatten());
    Ok(message)
}

fn destination_text(route: &Route) -> String {
    route.destination.map_or_else(
        || "default".to_owned(),
        |destination| destination.to_string(),
    )
}

pub(crate) fn add_route(new: &Route) -> Result<Request> {
    let message = RouteNetlinkMessage::NewRoute(route(new)?);
    Ok(Request::create(
        format!("add route {}", destination_text(new)),
        message,
    ))
}

pub(crate) fn delete_route(old: &Route) -> Result<Request> {
    let message = RouteNetlinkMessage::DelRoute(route(old)?);
    Ok(Request::change(
        format!("delete route {}", destination_text(old)),
        message,
    ))
}

pub(crate) fn routes() -> Request {
    Request::dump(
        "list routes",
        RouteNetlinkMessage::GetRoute(RouteMessage::default()),
    )
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    }
}
