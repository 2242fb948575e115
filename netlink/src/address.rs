use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressScope,
};

use super::cidr::Cidr;
use super::link::LinkIndex;

/// How far an address is valid (`rtnetlink(7)`, `rtm_scope`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everywhere ("global").
    Universe,
    /// Within the site.
    Site,
    /// On the link.
    Link,
    /// On this host.
    Host,
    /// Another value.
    Other(u8),
}

impl Scope {
    /// No `From`: types of the message crates stay out of the public interface.
    fn from_header(scope: AddressScope) -> Self {
        match scope {
            AddressScope::Universe => Self::Universe,
            AddressScope::Site => Self::Site,
            AddressScope::Link => Self::Link,
            AddressScope::Host => Self::Host,
            other => Self::Other(other.into()),
        }
    }
}

/// An address of a network device, as the kernel described it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Address {
    /// The device.
    pub link: LinkIndex,
    /// The device's own address and the length of its network's prefix.
    pub cidr: Cidr,
    /// How far it is valid.
    pub scope: Scope,
    /// Whether it was set permanently: it has no end of validity (`IFA_F_PERMANENT`).
    pub is_permanent: bool,
}

impl Address {
    /// Takes the fields of a message about an address; `None` for other messages.
    pub(crate) fn from_message(message: &RouteNetlinkMessage) -> Option<Self> {
        let RouteNetlinkMessage::NewAddress(message) = message else {
            return None;
        };
        let mut local = None;
        let mut address = None;
        let mut is_permanent = message.header.flags.contains(AddressHeaderFlags::Permanent);
        for attribute in &message.attributes {
            match attribute {
                // On a point-to-point link `Address` is the other end.
                AddressAttribute::Local(value) => local = Some(*value),
                AddressAttribute::Address(value) => address = Some(*value),
                AddressAttribute::Flags(flags) => {
                    is_permanent = flags.contains(AddressFlags::Permanent);
                }
                _ => {}
            }
        }
        Some(Self {
            link: LinkIndex::new(message.header.index)?,
            cidr: Cidr::new(local.or(address)?, message.header.prefix_len).ok()?,
            scope: Scope::from_header(message.header.scope),
            is_permanent,
        })
    }
}
