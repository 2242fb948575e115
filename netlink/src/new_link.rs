use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_route::link::{
    InfoData, InfoKind, InfoMacVlan, InfoMacVtap, InfoVeth, InfoVlan, LinkAttribute, LinkInfo,
    LinkMessage, MacVlanMode,
};

use crate::error::{Repr, Result};
use crate::interface_name::InterfaceName;
use crate::link::LinkIndex;
use crate::mac_address::MacAddress;

/// Whom the devices on one parent device may talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MacvlanMode {
    /// Not to one another.
    Private,
    /// To one another by way of a switch outside that sends packets back.
    Vepa,
    /// To one another directly.
    Bridge,
    /// One device gets the parent for itself.
    Passthru,
}

/// What a device is made of.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum LinkKind<'a> {
    /// A device that drops everything.
    Dummy,
    /// A switch for its ports.
    Bridge,
    /// One end of a cable.
    Veth {
        /// The name of the other end.
        peer: &'a InterfaceName,
        /// Where the other end is made; `None` for the socket's own namespace.
        peer_namespace: Option<BorrowedFd<'a>>,
    },
    /// The packets with one tag on a parent device.
    Vlan {
        /// The device that carries the tagged packets.
        parent: LinkIndex,
        /// The tag, 0 to 4094.
        id: u16,
    },
    /// A second address on a parent device.
    Macvlan {
        /// The device that carries the packets.
        parent: LinkIndex,
        /// Whom it may talk to.
        mode: MacvlanMode,
    },
    /// As `Macvlan`, with a character device to read and write the packets.
    Macvtap {
        /// The device that carries the packets.
        parent: LinkIndex,
        /// Whom it may talk to.
        mode: MacvlanMode,
    },
    /// Any other kind by the kernel's name for it, with that kind's defaults.
    Other(&'a str),
}

/// A device to create. What is `None` is left to the kernel.
///
/// Both ends of a [`LinkKind::Veth`] get the same `mtu` and `tx_queue_len`; `mac` is for the named
/// end.
#[derive(Clone, Debug)]
pub struct NewLink<'a> {
    /// Its name.
    pub name: &'a InterfaceName,
    /// What it is made of.
    pub kind: LinkKind<'a>,
    /// The largest packet in bytes.
    pub mtu: Option<u32>,
    /// The length of the transmit queue in packets.
    pub tx_queue_len: Option<u32>,
    /// Its Ethernet address.
    pub mac: Option<MacAddress>,
}

impl<'a> NewLink<'a> {
    /// A device with everything else left to the kernel.
    #[must_use]
    pub fn new(name: &'a InterfaceName, kind: LinkKind<'a>) -> Self {
        Self {
            name,
            kind,
            mtu: None,
            tx_queue_len: None,
            mac: None,
        }
    }

    pub(crate) fn message(&self) -> Result<LinkMessage> {
        let mut attributes = self.attributes(self.name);
        if let Some(mac) = self.mac {
            attributes.push(LinkAttribute::Address(mac.bytes().to_vec()));
        }
        let (kind, data) = self.info()?;
        match self.kind {
            LinkKind::Vlan { parent, .. }
            | LinkKind::Macvlan { parent, .. }
            | LinkKind::Macvtap { parent, .. } => {
                attributes.push(LinkAttribute::Link(parent.as_raw()));
            }
            _ => {}
        }
        let mut info = vec![LinkInfo::Kind(kind)];
        info.extend(data.map(LinkInfo::Data));
        attributes.push(LinkAttribute::LinkInfo(info));
        Ok(message(attributes))
    }

    /// What both ends of a cable have.
    fn attributes(&self, name: &InterfaceName) -> Vec<LinkAttribute> {
        let mut attributes = vec![LinkAttribute::IfName(name.to_string())];
        attributes.extend(self.mtu.map(LinkAttribute::Mtu));
        attributes.extend(self.tx_queue_len.map(LinkAttribute::TxQueueLen));
        attributes
    }

    fn info(&self) -> Result<(InfoKind, Option<InfoData>)> {
        Ok(match self.kind {
            LinkKind::Dummy => (InfoKind::Dummy, None),
            LinkKind::Bridge => (InfoKind::Bridge, None),
            LinkKind::Veth {
                peer,
                peer_namespace,
            } => {
                let mut attributes = self.attributes(peer);
                attributes.extend(
                    peer_namespace.map(|namespace| LinkAttribute::NetNsFd(namespace.as_raw_fd())),
                );
                let peer = InfoVeth::Peer(message(attributes));
                (InfoKind::Veth, Some(InfoData::Veth(peer)))
            }
            LinkKind::Vlan { id, .. } => {
                if id > 4094 {
                    return Err(Repr::VlanId(id).into());
                }
                (InfoKind::Vlan, Some(InfoData::Vlan(vec![InfoVlan::Id(id)])))
            }
            LinkKind::Macvlan { mode, .. } => {
                let data = InfoData::MacVlan(vec![InfoMacVlan::Mode(mode.attribute())]);
                (InfoKind::MacVlan, Some(data))
            }
            LinkKind::Macvtap { mode, .. } => {
                let data = InfoData::MacVtap(vec![InfoMacVtap::Mode(mode.attribute())]);
                (InfoKind::MacVtap, Some(data))
            }
            LinkKind::Other(kind) => (InfoKind::Other(kind.to_owned()), None),
        })
    }
}

impl MacvlanMode {
    /// No `From`: types of the message crates stay out of the public interface.
    fn attribute(self) -> MacVlanMode {
        match self {
            Self::Private => MacVlanMode::Private,
            Self::Vepa => MacVlanMode::Vepa,
            Self::Bridge => MacVlanMode::Bridge,
            Self::Passthru => MacVlanMode::Passthrough,
        }
    }
}

fn message(attributes: Vec<LinkAttribute>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes = attributes;
    message
}
