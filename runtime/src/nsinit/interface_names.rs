//! Names on the host for veth pairs that have none in their description.

use configs::Config;
use netlink::{InterfaceName, Socket};

use crate::cli::failure::Failure;

/// How many names are drawn until one is free.
const ATTEMPTS: usize = 20;

/// A name of this prefix that no interface has.
pub(crate) fn draw(prefix: &str) -> Result<InterfaceName, Failure> {
    let random = || {
        InterfaceName::random(prefix)
            .map_err(|error| Failure::new(format!("name a veth pair: {error:#}")))
    };
    until_free(random, is_taken)
}

/// Draws until what is drawn is not taken. What is always the same is taken after all: making it
/// says so.
pub(crate) fn until_free<T>(
    mut draw: impl FnMut() -> Result<T, Failure>,
    is_taken: impl Fn(&T) -> bool,
) -> Result<T, Failure> {
    let mut drawn = draw()?;
    for _ in 1..ATTEMPTS {
        if !is_taken(&drawn) {
            break;
        }
        drawn = draw()?;
    }
    Ok(drawn)
}

/// Whether the name on the host of one of the veth pairs is that of an interface.
pub(crate) fn any_is_taken(config: &Config) -> bool {
    let networks = config.networks.iter();
    let mut veths = networks.filter(|network| network.kind == "veth");
    veths.any(|veth| {
        let name = veth.host_interface_name.parse();
        name.is_ok_and(|name| is_taken(&name))
    })
}

/// What cannot be found out is an error of making the pair.
fn is_taken(name: &InterfaceName) -> bool {
    Socket::connect().is_ok_and(|mut host| host.link_by_name(name).is_ok())
}

#[cfg(test)]
mod tests {
    use configs::config::Network;

    use super::*;

    #[test]
    fn another_name_is_drawn_where_one_is_taken() {
        let mut names = ["a", "a", "b", "c"].into_iter();
        let drawn = until_free(|| Ok(names.next().unwrap()), |name| *name == "a");
        assert_eq!(drawn.unwrap(), "b");
        let mut count = 0;
        let drawn = until_free(
            || {
                count += 1;
                Ok("a")
            },
            |_| true,
        );
        assert_eq!((drawn.unwrap(), count), ("a", ATTEMPTS));
    }

    #[test]
    fn a_name_is_taken_by_an_interface_of_the_host() {
        let config = |name: &str| Config {
            networks: vec![Network {
                kind: "veth".to_owned(),
                host_interface_name: name.to_owned(),
                ..Network::default()
            }],
            ..Config::default()
        };
        assert!(any_is_taken(&config("lo")));
        let free = draw("fourteen-bytes").unwrap();
        assert!(!any_is_taken(&config(free.as_str())));
        assert!(!any_is_taken(&config("no name")));
    }
}
