use std::fmt;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoBridgePort, InfoPortData, LinkAttribute, LinkFlags, LinkInfo,
};

use super::mac_address::MacAddress;

/// The number of a network device in its network namespace; positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkIndex(u32);

impl LinkIndex {
    /// The loopback device: it is the first device of every namespace, whatever its name.
    pub const LOOPBACK: Self = Self(1);

    /// The number, or `None` for 0, which means no device.
    #[must_use]
    pub const fn new(raw: u32) -> Option<Self> {
        if raw == 0 { None } else { Some(Self(raw)) }
    }

    /// The number.
    #[must_use]
    pub const fn as_raw(self) -> u32 {
        self.0
    }
}

impl fmt::Display for LinkIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A network device, as the kernel described it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Link {
    /// Its number.
    pub index: LinkIndex,
    /// Its name.
    pub name: String,
    /// What made it, such as `veth` or `bridge`; real hardware and loopback have no kind.
    pub kind: Option<String>,
    /// A text for people that was set ([`Socket::set_alias`](crate::Socket::set_alias)).
    pub alias: Option<String>,
    /// Whether it is switched on.
    pub is_up: bool,
    /// The bridge, bond or other device it is a port of.
    pub master: Option<LinkIndex>,
    /// Whether the bridge that it is a port of sends packets back through it.
    pub hairpin: bool,
    /// Its Ethernet address, if it has one.
    pub mac: Option<MacAddress>,
    /// The largest packet in bytes.
    pub mtu: u32,
    /// The length of its transmit queue in packets.
    pub tx_queue_len: u32,
}

impl Link {
    /// Takes the fields of a message about a link; `None` for other messages.
    pub(crate) fn from_message(message: &RouteNetlinkMessage) -> Option<Self> {
        let RouteNetlinkMessage::NewLink(message) = message else {
            return None;
        };
        let mut link = Self {
            index: LinkIndex::new(message.header.index)?,
            name: String::new(),
            kind: None,
            alias: None,
            is_up: message.header.flags.contains(LinkFlags::Up),
            master: None,
            hairpin: false,
            mac: None,
            mtu: 0,
            tx_queue_len: 0,
        };
        for attribute in &message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name.clone_from(name),
                LinkAttribute::IfAlias(alias) => link.alias = Some(alias.clone()),
                LinkAttribute::Controller(master) => link.master = LinkIndex::new(*master),
                LinkAttribute::Address(bytes) => {
                    link.mac = bytes.as_slice().try_into().ok().map(MacAddress::new);
                }
                LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
                LinkAttribute::TxQueueLen(length) => link.tx_queue_len = *length,
                LinkAttribute::LinkInfo(infos) => {
                    for info in infos {
                        match info {
                            LinkInfo::Kind(kind) => link.kind = Some(kind.to_string()),
                            LinkInfo::PortData(InfoPortData::BridgePort(port)) => {
                                link.hairpin = port.contains(&InfoBridgePort::HairpinMode(true));
                            }
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        Some(link)
    }
}
