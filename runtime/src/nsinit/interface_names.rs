//! Names on the host for veth pairs that have none in their description.

use configs::Config;
use netlink::{InterfaceName, Socket};

use crate::cli::failure::Failure;

/// How many names are drawn until one is free.
pub(crate) const ATTEMPTS: usize = 20;

/// A name of this prefix that no interface has.
pub(crate) fn draw(prefix: &str) -> Result<InterfaceName, Failure> {
    let mut name = random(prefix)?;
    for _ in 1..ATTEMPTS {
        if !is_taken(&name) {
            break;
        }
        name = random(prefix)?;
    }
    Ok(name)
}

fn random(prefix: &str) -> Result<InterfaceName, Failure> {
    InterfaceName::random(prefix)
        .map_err(|error| Failure::new(format!("name a veth pair: {error:#}")))
}

/// The names of a configuration.
pub(crate) fn of(config: &Config) -> impl Iterator<Item = &str> {
    let networks = config.networks.iter();
    let veths = networks.filter(|network| network.kind == "veth");
    veths.map(|veth| veth.host_interface_name.as_str())
}

/// Whether one of the names of a configuration is that of an interface.
pub(crate) fn any_is_taken(config: &Config) -> bool {
    of(config).any(|name| name.parse().is_ok_and(|name| is_taken(&name)))
}

/// What cannot be found out is an error of making the pair.
fn is_taken(name: &InterfaceName) -> bool {
    Socket::connect().is_ok_and(|mut host| host.link_by_name(name).is_ok())
}
