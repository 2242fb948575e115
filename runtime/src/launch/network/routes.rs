//! The routes of a container.

use std::path::Path;

use configs::Config;
use configs::config;
use netlink::{InterfaceName, LinkIndex, Namespace, Route, Socket};

use super::veth::Field;
use super::{is_joined, step};
use crate::error::{Error, ErrorKind, Result};

/// The protocol (`rtm_protocol` of `rtnetlink(7)`) of routes in a namespace of others: by it those
/// of this runtime are known. The number is not registered.
const MARK: u8 = 207;

/// Refuses routes that cannot be.
pub(super) fn check(routes: &[config::Route]) -> Result<()> {
    for (number, route) in routes.iter().enumerate() {
        let refused = |error| {
            let message = format!("routes[{number}]");
            Error::with(ErrorKind::InvalidConfig, message, error)
        };
        Route::parse(&route.destination, &route.source, &route.gateway, None).map_err(refused)?;
        if !route.interface_name.is_empty() {
            let name: netlink::Result<InterfaceName> = route.interface_name.parse();
            name.map_err(refused)?;
        }
    }
    Ok(())
}

/// Those of a configuration.
pub(super) struct Routes<'a> {
    routes: &'a [config::Route],
    protocol: Option<u8>,
}

impl<'a> Routes<'a> {
    pub(super) fn of(config: &'a Config) -> Self {
        Self {
            routes: &config.routes,
            protocol: is_joined(&config.namespaces).then_some(MARK),
        }
    }

    /// Adds the routes. If one cannot be added, those before it are deleted.
    pub(super) fn add(&self, inside: &mut Socket) -> Result<()> {
        let mut added = Vec::new();
        let done = self.add_each(inside, &mut added);
        if done.is_err() {
            for route in &added {
                if let Err(error) = inside.delete_route(route) {
                    log::debug!("{error:#}");
                }
            }
        }
        done
    }

    fn add_each(&self, inside: &mut Socket, added: &mut Vec<Route>) -> Result<()> {
        for (number, route) in self.routes.iter().enumerate() {
            let field = |name, value| Field {
                list: "routes",
                number,
                name,
                value,
            };
            let name = route.interface_name.as_str();
            let link = link(name, inside).map_err(step(field("interface_name", name)))?;
            let made = parse(route, link, self.protocol).map_err(step(field("", "")))?;
            inside.add_route(&made).map_err(step(field("", "")))?;
            added.push(made);
        }
        Ok(())
    }
}

/// Deletes the routes that were made in a namespace that the container has joined, if it is still
/// there. Others to the same destination stay.
pub(super) fn remove(routes: &[config::Route], namespace: &Path) -> netlink::Result<()> {
    let gone = |error: &netlink::Error| {
        // Without its mount, the file of a namespace is an empty one.
        let number = error.raw_os_error();
        error.kind() == netlink::ErrorKind::NotFound || number == Some(libc::EINVAL)
    };
    let connected = Namespace::open(namespace).and_then(|namespace| namespace.connect());
    let mut inside = match connected {
        Err(error) if gone(&error) => return Ok(()),
        connected => connected?,
    };
    for route in routes {
        let removed = link(&route.interface_name, &mut inside)
            .and_then(|link| parse(route, link, Some(MARK)))
            .and_then(|route| inside.delete_route(&route));
        match removed {
            // With the device its routes have gone.
            Err(error) if error.kind() == netlink::ErrorKind::NotFound => {}
            removed => removed?,
        }
    }
    Ok(())
}

/// The device of a route; none is named by an empty text.
fn link(name: &str, inside: &mut Socket) -> netlink::Result<Option<LinkIndex>> {
    if name.is_empty() {
        return Ok(None);
    }
    Ok(Some(inside.link_by_name(&name.parse()?)?.index))
}

fn parse(
    route: &config::Route,
    link: Option<LinkIndex>,
    protocol: Option<u8>,
) -> netlink::Result<Route> {
    let parsed = Route::parse(&route.destination, &route.source, &route.gateway, link)?;
    Ok(Route { protocol, ..parsed })
}
