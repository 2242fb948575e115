use std::net::IpAddr;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteHeader, RouteType};

use super::cidr::Cidr;
use super::error::{Error, Repr, Result};
use super::link::LinkIndex;

/// A way to a network, in the main routing table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Route {
    /// The network; `None` for the default route.
    pub destination: Option<Cidr>,
    /// The source address of packets that take this way, unless they have one.
    pub preferred_source: Option<IpAddr>,
    /// The neighbour who passes packets on; `None` if the network is on the link itself.
    pub gateway: Option<IpAddr>,
    /// The device.
    pub link: Option<LinkIndex>,
    /// Who made it (`rtm_protocol`), such as 2 for the kernel itself; `None` is 3, which routes
    /// have that are made by hand.
    pub protocol: Option<u8>,
}

impl Route {
    /// The default route through a gateway.
    #[must_use]
    pub fn default_gateway(gateway: IpAddr, link: Option<LinkIndex>) -> Self {
        Self {
            gateway: Some(gateway),
            link,
            ..Self::default()
        }
    }

    /// Reads the texts of a configuration; an empty text is an absent part.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid): `Invalid destination for route: …`, and likewise
    /// source and gateway; and what [`Route::check`] finds.
    pub fn parse(
        destination: &str,
        source: &str,
        gateway: &str,
        link: Option<LinkIndex>,
    ) -> Result<Self> {
        let route = Self {
            destination: part("destination", destination)?,
            preferred_source: part("source", source)?,
            gateway: part("gateway", gateway)?,
            link,
            protocol: None,
        };
        route.check()?;
        Ok(route)
    }

    /// Checks that at least one address is there and that all are of one family.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub fn check(&self) -> Result<()> {
        self.is_ipv4().map(drop)
    }

    pub(crate) fn is_ipv4(&self) -> Result<bool> {
        let mut families = [
            self.destination.map(Cidr::address),
            self.preferred_source,
            self.gateway,
        ]
        .into_iter()
        .flatten()
        .map(|address| address.is_ipv4());
        let first = families
            .next()
            .ok_or(Repr::Route("needs a destination, source or gateway"))?;
        if families.all(|family| family == first) {
            Ok(first)
        } else {
            Err(Repr::Route("mixes IPv4 and IPv6").into())
        }
    }

    /// Takes the fields of a message about a unicast route of the main table; `None` for other
    /// messages.
    pub(crate) fn from_message(message: &RouteNetlinkMessage) -> Option<Self> {
        let RouteNetlinkMessage::NewRoute(message) = message else {
            return None;
        };
        let header = &message.header;
        if header.table != RouteHeader::RT_TABLE_MAIN || header.kind != RouteType::Unicast {
            return None;
        }
        let mut route = Self {
            protocol: Some(u8::from(header.protocol)).filter(|protocol| *protocol != BY_HAND),
            ..Self::default()
        };
        for attribute in &message.attributes {
            match attribute {
                RouteAttribute::Destination(to) => {
                    route.destination =
                        ip(to).and_then(|to| Cidr::new(to, header.destination_prefix_length).ok());
                }
                RouteAttribute::PrefSource(source) => route.preferred_source = ip(source),
                RouteAttribute::Gateway(gateway) => route.gateway = ip(gateway),
                RouteAttribute::Oif(index) => route.link = LinkIndex::new(*index),
                _ => {}
            }
        }
        Some(route)
    }
}

/// `RTPROT_BOOT` of `linux/rtnetlink.h`.
const BY_HAND: u8 = 3;

fn part<T: std::str::FromStr>(what: &'static str, text: &str) -> Result<Option<T>> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        Error::from(Repr::RouteText {
            what,
            text: text.to_owned(),
        })
    })
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(destination: &str, source: &str, gateway: &str) -> std::result::Result<Route, String> {
        Route::parse(destination, source, gateway, None).map_err(|error| error.to_string())
    }

    #[test]
    fn texts() {
        let route = parse("192.0.2.0/24", "192.0.2.9", "192.0.2.1").unwrap();
        assert_eq!(route.destination, Some("192.0.2.0/24".parse().unwrap()));
        assert_eq!(route.gateway, Some("192.0.2.1".parse().unwrap()));
        assert_eq!(
            parse("", "", "2001:db8::1").unwrap(),
            Route::default_gateway("2001:db8::1".parse().unwrap(), None)
        );
    }

    #[test]
    fn exact_messages() {
        let error = |destination, source, gateway| parse(destination, source, gateway).unwrap_err();
        assert_eq!(
            error("192.0.2.0", "", ""),
            "Invalid destination for route: 192.0.2.0"
        );
        assert_eq!(error("", "x", ""), "Invalid source for route: x");
        assert_eq!(error("", "", "y"), "Invalid gateway for route: y");
        assert_eq!(
            error("", "", ""),
            "route needs a destination, source or gateway"
        );
        assert_eq!(
            error("192.0.2.0/24", "", "::1"),
            "route mixes IPv4 and IPv6"
        );
    }
}
