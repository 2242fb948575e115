//! Interfaces and routes.

use std::net::IpAddr;

use super::Revision;
use super::reading::{Reading, below, keys, number, refused};
use super::shapes::Names;
use crate::config::{self, NamespaceType};
use crate::{Config, Result};

keys! {
    /// An element of `networks`; in the first files also the one object `network`.
    struct Network {
        kind as "type": String, "0ABCDEF";
        context: Names<Option<String>>, "0ABCD";
        bridge: String, "0EF";
        prefix as "veth_prefix": String, "E";
        ns_path: String, "E";
        ip: String, "0";
        address: String, "0ABCDEF";
        gateway: String, "0ABCDEF";
        ipv6_address: String, "EF";
        ipv6_gateway: String, "EF";
        mac_address: String, "EF";
        mtu: i64, "0ABCDEF";
        txqueuelen: i64, "EF";
        name: String, "F";
        host_interface_name: String, "F";
        hairpin_mode: bool, "F";
    }
}

keys! {
    /// An element of `routes`.
    struct Route {
        destination: String, "DEF";
        source: String, "DEF";
        gateway: String, "DEF";
        interface_name: String, "DEF";
    }
}

/// What a network needs beyond its own fields: where they were in the file.
struct Attachment {
    bridge: String,
    bridge_place: String,
    prefix: String,
    prefix_place: String,
    ns_path: String,
    ns_path_place: String,
}

impl Attachment {
    /// Bridge, prefix and namespace were in `context` until June 2014.
    fn of(network: &mut Network, place: &str, reading: &mut Reading<'_>) -> Self {
        let in_context = reading.revision <= Revision::D
            && (reading.revision > Revision::Zero || network.context.is_some());
        let mut context = network.context.take().unwrap_or_default();
        let mut from_context = |key: &str| context.take(key).flatten().unwrap_or_default();
        let context_place = below(place, "context");
        let attachment = if in_context {
            Self {
                bridge: from_context("bridge"),
                bridge_place: below(&context_place, "bridge"),
                prefix: from_context("prefix"),
                prefix_place: below(&context_place, "prefix"),
                ns_path: if reading.revision >= Revision::B {
                    from_context("nspath")
                } else {
                    String::new()
                },
                ns_path_place: below(&context_place, "nspath"),
            }
        } else {
            Self {
                bridge: network.bridge.take().unwrap_or_default(),
                bridge_place: below(place, "bridge"),
                prefix: network.prefix.take().unwrap_or_default(),
                prefix_place: below(place, "veth_prefix"),
                ns_path: network.ns_path.take().unwrap_or_default(),
                ns_path_place: below(place, "ns_path"),
            }
        };
        for key in context.0.into_keys() {
            reading.unknown_key(&context_place, &key);
        }
        attachment
    }
}

/// The interfaces of a file.
pub(super) fn networks(
    list: Vec<Network>,
    config: &mut Config,
    reading: &mut Reading<'_>,
) -> Result<()> {
    for (index, network) in list.into_iter().enumerate() {
        one(network, &format!("networks[{index}]"), config, reading)?;
    }
    Ok(())
}

/// One interface. One of another namespace only names that.
pub(super) fn one(
    mut network: Network,
    place: &str,
    config: &mut Config,
    reading: &mut Reading<'_>,
) -> Result<()> {
    network.only_known(place, reading);
    let attachment = Attachment::of(&mut network, place, reading);
    // The one `network` of the first files always was a veth pair.
    let kind = network
        .kind
        .take()
        .unwrap_or_else(|| if place == "network" { "veth" } else { "" }.to_owned());
    match kind.as_str() {
        // Its address and gateway have never had an effect.
        "loopback" => config.networks.push(config::Network::loopback()),
        "veth" => {
            let veth = veth(network, attachment, place, config, reading)?;
            config.networks.push(veth);
        }
        "netns" if (Revision::B..=Revision::E).contains(&reading.revision) => {
            if attachment.ns_path.is_empty() {
                let message = "no network namespace to join";
                return Err(refused(attachment.ns_path_place, message));
            }
            config
                .namespaces
                .set(NamespaceType::Network, attachment.ns_path);
        }
        other => {
            let message = format!("{other:?} is not a valid network strategy type");
            return Err(refused(below(place, "type"), message));
        }
    }
    Ok(())
}

fn veth(
    network: Network,
    attachment: Attachment,
    place: &str,
    config: &Config,
    reading: &Reading<'_>,
) -> Result<config::Network> {
    if attachment.bridge.is_empty() {
        return Err(refused(attachment.bridge_place, "a veth needs a bridge"));
    }
    let is_f = reading.revision == Revision::F;
    // The first files had no prefix.
    let prefix = if is_f || reading.revision == Revision::Zero && attachment.prefix.is_empty() {
        "veth".to_owned()
    } else {
        attachment.prefix
    };
    if prefix.is_empty() {
        return Err(refused(attachment.prefix_place, "a veth needs a prefix"));
    }
    let veths = config.networks.iter().filter(|it| it.kind == "veth");
    let number_of_veths = u32::try_from(veths.clone().count()).unwrap_or(u32::MAX);
    let suffix = reading
        .options
        .interface_suffix
        .wrapping_add(number_of_veths)
        & 0x0fff_ffff;
    let host_name = network.host_interface_name.filter(|name| !name.is_empty());
    let name = network.name.filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| "eth0".to_owned());
    if veths.into_iter().any(|other| other.name == name) {
        let message = format!("a second interface with the name {name:?}");
        return Err(refused(place, message));
    }
    let address = |key: &str, text: Option<String>| cidr(text, &below(place, key));
    let gateway = |key: &str, text: Option<String>| ip(text, &below(place, key));
    let size = |key: &str, value: Option<i64>| {
        number::<u32>(value.unwrap_or_default(), &below(place, key))
    };
    Ok(config::Network {
        kind: "veth".to_owned(),
        name,
        bridge: attachment.bridge,
        mac_address: mac(network.mac_address, &below(place, "mac_address"))?,
        address: address("address", network.address.or(network.ip))?,
        gateway: gateway("gateway", network.gateway)?,
        ipv6_address: address("ipv6_address", network.ipv6_address)?,
        ipv6_gateway: gateway("ipv6_gateway", network.ipv6_gateway)?,
        mtu: size("mtu", network.mtu)?,
        txqueuelen: size("txqueuelen", network.txqueuelen)?,
        host_interface_name: match host_name {
            Some(name) => name,
            None => drawn_name(&prefix, suffix)
                .map_err(|message| refused(attachment.prefix_place, message))?,
        },
        hairpin_mode: network.hairpin_mode.unwrap_or_default(),
    })
}

/// The prefix and seven digits, as since 1.0. The four of April 2014 are enough where the prefix
/// leaves no more room in the name of an interface.
fn drawn_name(prefix: &str, suffix: u32) -> std::result::Result<String, String> {
    const ROOM: usize = 15;
    const FEWEST: usize = 4;
    let digits = ROOM.saturating_sub(prefix.len()).min(7);
    if digits < FEWEST {
        let most = ROOM - FEWEST;
        return Err(format!("{prefix:?} is longer than {most} bytes"));
    }
    let number = format!("{suffix:07x}");
    // The last ones differ from one interface to the next.
    let (_, number) = number.split_at(number.len() - digits);
    Ok(format!("{prefix}{number}"))
}

/// An address and the length of its prefix; absent and empty are none.
fn cidr(text: Option<String>, place: &str) -> Result<String> {
    let text = text.unwrap_or_default();
    if !text.is_empty() && parse_cidr(&text).is_none() {
        return Err(refused(
            place,
            format_args!("invalid CIDR address {text:?}"),
        ));
    }
    Ok(text)
}

fn parse_cidr(text: &str) -> Option<IpAddr> {
    let (address, length) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let length: u8 = length.parse().ok()?;
    (length <= most).then_some(address)
}

/// An address; absent and empty are none.
fn ip(text: Option<String>, place: &str) -> Result<String> {
    let text = text.unwrap_or_default();
    if !text.is_empty() && text.parse::<IpAddr>().is_err() {
        return Err(refused(place, format_args!("invalid IP address {text:?}")));
    }
    Ok(text)
}

/// A hardware address of one interface.
fn mac(text: Option<String>, place: &str) -> Result<String> {
    let text = text.unwrap_or_default();
    if text.is_empty() {
        return Ok(text);
    }
    let bytes: Option<Vec<u8>> = text
        .split(':')
        .map(|part| {
            let is_byte = part.len() == 2 && part.bytes().all(|it| it.is_ascii_hexdigit());
            is_byte.then(|| u8::from_str_radix(part, 16).ok()).flatten()
        })
        .collect();
    match bytes.as_deref() {
        Some([first, _, _, _, _, _]) if first & 1 == 0 => Ok(text),
        Some([_, _, _, _, _, _]) => {
            let message = format!("{text:?} is the hardware address of a group");
            Err(refused(place, message))
        }
        _ => Err(refused(
            place,
            format_args!("invalid hardware address {text:?}"),
        )),
    }
}

/// The routes of a file.
pub(super) fn routes(list: Vec<Route>, reading: &mut Reading<'_>) -> Result<Vec<config::Route>> {
    let mut routes = Vec::with_capacity(list.len());
    for (index, mut route) in list.into_iter().enumerate() {
        let place = format!("routes[{index}]");
        route.only_known(&place, reading);
        routes.push(convert_route(route, &place, reading.revision)?);
    }
    Ok(routes)
}

fn convert_route(route: Route, place: &str, revision: Revision) -> Result<config::Route> {
    let destination = cidr(route.destination, &below(place, "destination"))?;
    let source_place = below(place, "source");
    let source = match route.source.as_deref().and_then(parse_cidr) {
        // Until November 2014 the source had the length of its prefix.
        Some(address) if revision < Revision::F => address.to_string(),
        _ => ip(route.source, &source_place)?,
    };
    let gateway = ip(route.gateway, &below(place, "gateway"))?;
    let mut families = [
        parse_cidr(&destination),
        source.parse().ok(),
        gateway.parse().ok(),
    ]
    .into_iter()
    .flatten()
    .map(|address: IpAddr| address.is_ipv4());
    let Some(first) = families.next() else {
        let message = "a route needs a destination, a source or a gateway";
        return Err(refused(place, message));
    };
    if families.any(|family| family != first) {
        let message = "destination, source and gateway are not of one address family";
        return Err(refused(place, message));
    }
    Ok(config::Route {
        destination,
        source,
        gateway,
        interface_name: route.interface_name.unwrap_or_default(),
    })
}
