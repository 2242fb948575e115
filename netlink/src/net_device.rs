use std::os::fd::AsFd;
use std::path::Path;

use nix::errno::Errno;

use crate::address::{Address, Scope};
use crate::error::{Error, ErrorKind, Repr, Result};
use crate::interface_name::InterfaceName;
use crate::socket::Socket;

/// A device of the host that a container gets, with the name it has in there (OCI runtime-spec,
/// `linux.netDevices`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetDevice {
    /// The name on the host.
    pub name: InterfaceName,
    /// The name in the container.
    pub new_name: InterfaceName,
}

impl NetDevice {
    /// A device that keeps its name unless another is given.
    #[must_use]
    pub fn new(name: InterfaceName, new_name: Option<InterfaceName>) -> Self {
        Self {
            new_name: new_name.unwrap_or_else(|| name.clone()),
            name,
        }
    }

    /// Moves the device from the namespace of `host` to that of `container`, and switches it on
    /// there.
    ///
    /// Name and namespace change in one step, so the device collides with nothing on the way. Its
    /// permanent addresses of global scope come along, address and prefix length alone; size
    /// and Ethernet address stay by themselves. `path` names the container's namespace in
    /// messages.
    ///
    /// What has happened is not undone after a failure. When the namespace ends, the kernel returns
    /// hardware to the initial namespace and deletes virtual devices.
    ///
    /// # Errors
    /// `move netDevice NAME to namespace PATH`, with the failed step as the source and its kind.
    pub fn move_to(&self, host: &mut Socket, container: &mut Socket, path: &Path) -> Result<()> {
        self.steps(host, container).map_err(|source| {
            Error::from(Repr::Move {
                device: self.name.to_string(),
                namespace: path.to_owned(),
                source: Box::new(source),
            })
        })
    }

    /// Asked first because the kernel moves a device before it finds that the new name is taken.
    fn check_free(&self, container: &mut Socket) -> Result<()> {
        match container.link_by_name(&self.new_name) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Err(Error::io(
                format!("name a link {}", self.new_name),
                Errno::EEXIST,
            )),
        }
    }

    fn steps(&self, host: &mut Socket, container: &mut Socket) -> Result<()> {
        let namespace = container.namespace()?;
        let outside = host.link_by_name(&self.name)?;
        self.check_free(container)?;
        // Asked before the device goes down, because then the kernel drops IPv6 addresses.
        let addresses = host.addresses(Some(outside.index))?;
        host.set_down(outside.index)?;
        host.move_and_rename(outside.index, namespace.as_fd(), &self.new_name)?;
        let inside = container.link_by_name(&self.new_name)?;
        for address in addresses {
            if !goes_along(&address) {
                log::debug!("address {} of {} stays behind", address.cidr, self.name);
                continue;
            }
            container.add_address(inside.index, address.cidr)?;
        }
        container.set_up(inside.index)
    }
}

/// Whether an address is one that was given to the device for use in a network.
fn goes_along(address: &Address) -> bool {
    address.is_permanent && address.scope == Scope::Universe
}
