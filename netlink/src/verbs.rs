//! The verbs that change something: one list for the blocking socket and for the asynchronous
//! connection.

use std::os::fd::BorrowedFd;

use crate::cidr::Cidr;
use crate::error::Result;
use crate::interface_name::InterfaceName;
use crate::link::LinkIndex;
use crate::mac_address::MacAddress;
use crate::new_link::NewLink;
use crate::request;
use crate::route::Route;
use crate::socket::Socket;

/// Defines each verb twice: as a call that blocks, and as an `async` one.
macro_rules! verbs {
    ($(
        $(#[$documentation:meta])*
        $verb:ident($($argument:ident: $type:ty),*) = $request:expr;
    )*) => {
        impl Socket {
            $($(#[$documentation])*
            pub fn $verb(&mut self, $($argument: $type),*) -> Result<()> {
                self.change(&$request)
            })*
        }

        #[cfg(feature = "async")]
        impl crate::asynchronous::Connection {
            $($(#[$documentation])*
            pub async fn $verb(&self, $($argument: $type),*) -> Result<()> {
                self.change(&$request).await
            })*
        }
    };
}

verbs! {
    /// Creates a device (`RTM_NEWLINK`); it is down.
    ///
    /// # Errors
    /// [`Exists`](crate::ErrorKind::Exists) if the name is taken;
    /// [`Invalid`](crate::ErrorKind::Invalid).
    create_link(new: &NewLink<'_>) = request::create_link(new)?;

    /// Deletes a device (`RTM_DELLINK`); of a veth pair, both ends. Real hardware cannot be
    /// deleted.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`Io`](crate::ErrorKind::Io).
    delete_link(link: LinkIndex) = request::delete_link(link);

    /// Switches a device on.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`Io`](crate::ErrorKind::Io).
    set_up(link: LinkIndex) = request::set_up(link, true);

    /// Switches a device off. Its routes and most of its IPv6 addresses go.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`Io`](crate::ErrorKind::Io).
    set_down(link: LinkIndex) = request::set_up(link, false);

    /// Gives a device another name. Before Linux 6.2 it must be down.
    ///
    /// # Errors
    /// [`Exists`](crate::ErrorKind::Exists) if the name is taken.
    rename(link: LinkIndex, name: &InterfaceName) = request::rename(link, name);

    /// Gives a device a text that says what it is for, as `ip link` shows it (`IFLA_IFALIAS`); an
    /// empty one takes it away.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) for more than 254 bytes.
    set_alias(link: LinkIndex, alias: &str) = request::set_alias(link, alias)?;

    /// Gives a device another Ethernet address; most drivers want it down.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) for a multicast address.
    set_mac(link: LinkIndex, mac: MacAddress) = request::set_mac(link, mac)?;

    /// Sets the largest packet in bytes.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io): `EINVAL` out of the device's range.
    set_mtu(link: LinkIndex, mtu: u32) = request::set_mtu(link, mtu);

    /// Sets the length of the transmit queue in packets.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`Io`](crate::ErrorKind::Io).
    set_tx_queue_len(link: LinkIndex, length: u32) = request::set_tx_queue_len(link, length);

    /// Makes a device a port of a bridge, bond or other master; with `None`, of none.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`Io`](crate::ErrorKind::Io).
    set_master(link: LinkIndex, master: Option<LinkIndex>) = request::set_master(link, master);

    /// Lets a bridge send packets back through the port they came from, or not.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io): `EINVAL` or `EOPNOTSUPP` if the device is not a port of a
    /// bridge.
    set_hairpin(port: LinkIndex, on: bool) = request::set_hairpin(port, on);

    /// Moves a device to another network namespace, by a descriptor of it. There it is down and has
    /// no address.
    ///
    /// # Errors
    /// [`Exists`](crate::ErrorKind::Exists) if its name is taken there;
    /// [`Io`](crate::ErrorKind::Io).
    move_to_namespace(link: LinkIndex, namespace: BorrowedFd<'_>)
        = request::move_to_namespace(link, namespace);

    /// Moves a device to the network namespace of a process. A pid can be reused meanwhile: prefer
    /// `move_to_namespace`.
    ///
    /// # Errors
    /// As `move_to_namespace`; `ESRCH` without such a process.
    move_to_namespace_of(link: LinkIndex, pid: u32) = request::move_to_namespace_of(link, pid);

    /// Moves a device to another network namespace under a new name, in one step: it never collides
    /// with a device that has its old name there.
    ///
    /// # Errors
    /// [`Exists`](crate::ErrorKind::Exists) if the new name is taken there; the device may then be
    /// there already, under its old name (seen on Linux 6.18). [`Io`](crate::ErrorKind::Io).
    move_and_rename(link: LinkIndex, namespace: BorrowedFd<'_>, name: &InterfaceName)
        = request::move_and_rename(link, namespace, name);

    /// Adds an address to a device (`RTM_NEWADDR`).
    ///
    /// # Errors
    /// [`Exists`](crate::ErrorKind::Exists) if the device has it.
    add_address(link: LinkIndex, address: Cidr) = request::add_address(link, address);

    /// Deletes an address of a device (`RTM_DELADDR`).
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if the device does not have it.
    delete_address(link: LinkIndex, address: Cidr) = request::delete_address(link, address);

    /// Adds a route to the main table (`RTM_NEWROUTE`).
    ///
    /// # Errors
    /// [`Exists`](crate::ErrorKind::Exists) if there is one to this destination;
    /// [`Invalid`](crate::ErrorKind::Invalid) if [`Route::check`] fails;
    /// [`Io`](crate::ErrorKind::Io): `ENETUNREACH` if the gateway is on no link.
    add_route(route: &Route) = request::add_route(route)?;

    /// Deletes a route of the main table (`RTM_DELROUTE`).
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`Invalid`](crate::ErrorKind::Invalid).
    delete_route(route: &Route) = request::delete_route(route)?;
}
