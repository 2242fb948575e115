//! What the supervisor does for the container's network: devices moved in, veth pairs, addresses,
//! routes.
//!
//! The init process opens a route socket in its network namespace and sends it to the supervisor.
//! Everything is done with that socket and one of the host: no thread enters the namespace. A
//! container that is restored has no such init process, and a thread enters it for the socket.
//!
//! What is made outside, or in a namespace that the container has joined, has a mark by which it is
//! found again, so that nothing of others is removed with the container.

mod routes;
mod veth;

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use configs::Config;
use configs::config::{NamespaceType, Namespaces, Network, Route};
use netlink::{InterfaceName, LinkIndex, Namespace, NetDevice, Socket};
use nsenter::ProcessRef;

use self::routes::Routes;
use self::veth::{Field, Veth};
use crate::error::{Error, ErrorKind, Result};
use crate::id::ContainerId;

/// Refuses what cannot be set up, before anything is made.
pub(crate) fn check(config: &Config) -> Result<()> {
    for (number, network) in config.networks.iter().enumerate() {
        match network.kind.as_str() {
            "loopback" => {}
            "veth" => Veth::parse(number, network).map(drop)?,
            other => return Err(Error::config(format!("unknown strategy type {other:?}"))),
        }
    }
    for (host, device) in &config.net_devices {
        net_device(host, &device.name)?;
    }
    routes::check(&config.routes)
}

/// Sets up the network through a route socket of the container's network namespace.
pub(crate) fn configure(
    id: &ContainerId,
    config: &Config,
    socket: OwnedFd,
    process: &ProcessRef<'_>,
) -> Result<()> {
    let mut inside = Socket::from_descriptor(socket).map_err(failed)?;
    let mut host = Socket::connect().map_err(failed)?;
    let namespace = PathBuf::from(format!("/proc/{}/ns/net", process.pid()));
    for (name, device) in &config.net_devices {
        net_device(name, &device.name)?
            .move_to(&mut host, &mut inside, &namespace)
            .map_err(failed)?;
    }
    connect(id, config, &mut host, &mut inside)
}

/// Sets up the network in the namespace of a restored process, which CRIU has left as it was made,
/// or as it was joined.
pub(crate) fn configure_restored(id: &ContainerId, config: &Config, pid: u32) -> Result<()> {
    let joined = is_joined(&config.namespaces);
    let loopback = !joined && config.networks.iter().any(|one| one.kind == "loopback");
    if !loopback && !is_asked_for(config) {
        return Ok(());
    }
    let path = PathBuf::from(format!("/proc/{pid}/ns/net"));
    let namespace = Namespace::open(&path).map_err(failed)?;
    let mut inside = namespace.connect().map_err(failed)?;
    if loopback {
        inside.set_up(LinkIndex::LOOPBACK).map_err(failed)?;
    }
    if !is_asked_for(config) {
        return Ok(());
    }
    let mut host = Socket::connect().map_err(failed)?;
    for (name, device) in &config.net_devices {
        let device = net_device(name, &device.name)?;
        // In the namespace of others it has stayed while the container was away.
        if !joined || !exists(&mut inside, &device.new_name)? {
            let moved = device.move_to(&mut host, &mut inside, &path);
            moved.map_err(failed)?;
        }
    }
    connect(id, config, &mut host, &mut inside)
}

/// Whether there is more than a loopback interface to set up.
fn is_asked_for(config: &Config) -> bool {
    let mut networks = config.networks.iter();
    networks.any(|network| network.kind != "loopback")
        || !config.routes.is_empty()
        || !config.net_devices.is_empty()
}

/// Makes the veth pairs, then the routes. If that fails what was made of them is gone.
fn connect(
    id: &ContainerId,
    config: &Config,
    host: &mut Socket,
    inside: &mut Socket,
) -> Result<()> {
    let mut made: Vec<Veth> = Vec::new();
    let mut connected = || {
        for (number, network) in veths(&config.networks) {
            let veth = Veth::parse(number, network)?;
            veth.make(id, host, inside)?;
            made.push(veth);
        }
        Routes::of(config).add(inside)
    };
    let connected = connected();
    if connected.is_err() {
        // The pairs would end with the network namespace; that may belong to another container.
        for veth in made {
            veth.delete(host);
        }
    }
    connected
}

/// Makes the host sides of veth pairs that CRIU has restored this container's, and connects them.
pub(crate) fn reconnect(id: &ContainerId, networks: &[Network]) -> Result<()> {
    each_outside(networks, |veth, host| veth.attach_restored(id, host))
}

/// Takes the host sides of the container's veth pairs off their bridges, as long as its connections
/// must not see a packet. If one cannot be, all are connected again.
pub(crate) fn detach(id: &ContainerId, networks: &[Network]) -> Result<()> {
    let mut count = 0;
    let detached = each_outside(networks, |veth, host| {
        veth.detach(id, host)?;
        count += 1;
        Ok(())
    });
    if detached.is_err() {
        let attached = each_outside(networks, |veth, host| {
            if count == 0 {
                return Ok(());
            }
            count -= 1;
            veth.attach(id, host)
        });
        if let Err(error) = attached {
            log::debug!("{}", error.chain());
        }
    }
    detached
}

/// Undoes [`detach`].
pub(crate) fn attach(id: &ContainerId, networks: &[Network]) -> Result<()> {
    each_outside(networks, |veth, host| veth.attach(id, host))
}

fn each_outside(
    networks: &[Network],
    mut call: impl FnMut(&Veth, &mut Socket) -> Result<()>,
) -> Result<()> {
    let mut host: Option<Socket> = None;
    for (number, network) in veths(networks) {
        let veth = Veth::parse(number, network)?;
        let connected = match &mut host {
            Some(host) => host,
            none => none.insert(Socket::connect().map_err(failed)?),
        };
        call(&veth, connected)?;
    }
    Ok(())
}

/// What of a container's network has to be removed with it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Removal {
    networks: Vec<Network>,
    routes: Vec<Route>,
    /// The namespace that the container has joined; empty for one of its own.
    namespace: String,
}

impl Removal {
    /// That of a container with these networks, routes and namespaces.
    pub(crate) fn new(networks: &[Network], routes: &[Route], namespaces: &Namespaces) -> Self {
        let namespace = namespaces.path_of(NamespaceType::Network);
        Self {
            networks: networks.to_vec(),
            routes: routes.to_vec(),
            namespace: namespace.unwrap_or_default().to_owned(),
        }
    }

    /// Deletes the host sides of the veth pairs that were made for this container, and with them
    /// the other sides. The kernel would do so some time after the end of the container's network
    /// namespace, or never, where that is one that it joined. There the routes are deleted, too.
    ///
    /// A device of the same name of another origin is left alone.
    pub(crate) fn remove(&self, id: &ContainerId) -> Result<()> {
        self.remove_routes()?;
        let mut names = veths(&self.networks)
            .filter_map(|(_, network)| network.host_interface_name.parse::<InterfaceName>().ok())
            .peekable();
        if names.peek().is_none() {
            return Ok(());
        }
        let mut host = Socket::connect()
            .map_err(|error| Error::system("remove the container's network interfaces", error))?;
        for name in names {
            match veth::delete_own(id, &name, &mut host) {
                Err(error) if error.kind() != netlink::ErrorKind::NotFound => {
                    return Err(Error::system(format!("remove veth pair {name}"), error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn remove_routes(&self) -> Result<()> {
        if self.namespace.is_empty() || self.routes.is_empty() {
            return Ok(());
        }
        routes::remove(&self.routes, Path::new(&self.namespace)).map_err(|error| {
            Error::system(
                format!("remove the container's routes in {}", self.namespace),
                error,
            )
        })
    }
}

fn veths(networks: &[Network]) -> impl Iterator<Item = (usize, &Network)> {
    let numbered = networks.iter().enumerate();
    numbered.filter(|(_, network)| network.kind == "veth")
}

fn is_joined(namespaces: &Namespaces) -> bool {
    namespaces.path_of(NamespaceType::Network).is_some()
}

fn exists(socket: &mut Socket, name: &InterfaceName) -> Result<bool> {
    match socket.link_by_name(name) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == netlink::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

/// What a failure to set up the network begins with.
const CREATING: &str = "error creating network interfaces";

fn failed(error: netlink::Error) -> Error {
    Error::system(CREATING, error)
}

/// A step that failed, for a field of the configuration.
fn step(field: Field<'_>) -> impl Fn(netlink::Error) -> Error {
    let message = format!("{CREATING}: {field}");
    move |error| Error::system(message.clone(), error)
}

fn net_device(host: &str, new: &str) -> Result<NetDevice> {
    let name = |text: &str| {
        text.parse::<InterfaceName>()
            .map_err(|error| Error::with(ErrorKind::InvalidConfig, "linux.netDevices", error))
    };
    let new = if new.is_empty() {
        None
    } else {
        Some(name(new)?)
    };
    Ok(NetDevice::new(name(host)?, new))
}

#[cfg(test)]
mod tests;
