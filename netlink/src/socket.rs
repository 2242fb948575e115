use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use netlink_packet_route::RouteNetlinkMessage;
use nix::errno::Errno;
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recvfrom, sendto,
    setsockopt, socket,
};
use nix::sys::time::TimeVal;

use crate::address::Address;
use crate::error::{Error, Repr, Result};
use crate::interface_name::InterfaceName;
use crate::link::{Link, LinkIndex};
use crate::request::{self, Request};
use crate::route::Route;
use crate::statistics::Statistics;
use crate::sys;
use crate::wire::{Outcome, Reply, answers};

/// How long a request may take.
const ACKNOWLEDGEMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// The kernel fills at most 32 KiB per datagram of a list; one device with many virtual functions
/// can need more.
const DATAGRAM_BYTES: usize = 128 * 1024;

/// A connection to the kernel's routing subsystem, in one network namespace.
pub struct Socket {
    descriptor: OwnedFd,
    sequence: u32,
    /// Where answers are received, kept for the next one.
    datagram: Vec<u8>,
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("descriptor", &self.descriptor)
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

impl Socket {
    /// Connects in the network namespace of the calling thread.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io).
    pub fn connect() -> Result<Self> {
        socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkRoute,
        )
        .map_err(|errno| Error::io("open netlink socket", errno))
        .and_then(Self::prepare)
    }

    /// Takes a socket that another process opened, for instance inside a container that the caller
    /// does not enter.
    ///
    /// The giver is not trusted: the socket must be a netlink socket of the routing family, and
    /// answers are taken from the kernel alone.
    ///
    /// # Errors
    /// [`Protocol`](crate::ErrorKind::Protocol) if it is another kind of descriptor.
    pub fn from_descriptor(descriptor: OwnedFd) -> Result<Self> {
        let option = |name| sys::socket_option(descriptor.as_fd(), name);
        let is_route = option(libc::SO_DOMAIN).is_ok_and(|domain| domain == libc::AF_NETLINK)
            && option(libc::SO_PROTOCOL).is_ok_and(|protocol| protocol == libc::NETLINK_ROUTE);
        if !is_route {
            return Err(Repr::Protocol {
                operation: "take netlink socket".to_owned(),
                problem: "the descriptor is no socket of NETLINK_ROUTE",
            }
            .into());
        }
        Self::prepare(descriptor)
    }

    fn prepare(descriptor: OwnedFd) -> Result<Self> {
        let failed = |errno: Errno| Error::io("prepare netlink socket", errno);
        setsockopt(&descriptor, ReceiveTimeout, &TimeVal::new(1, 0)).map_err(failed)?;
        for option in [libc::NETLINK_EXT_ACK, libc::NETLINK_CAP_ACK] {
            // Without them the kernel's message for an error is missing; that is all.
            let _ = sys::enable_netlink_option(descriptor.as_fd(), option);
        }
        let start = sys::random().map_err(|source| Error::io("getrandom", source))?;
        Ok(Self {
            descriptor,
            // A number that earlier users of the socket cannot know.
            sequence: u32::try_from(start >> 32).unwrap_or(0),
            datagram: vec![0; DATAGRAM_BYTES],
        })
    }

    /// The network namespace that the socket belongs to (`SIOCGSKNS`, Linux 4.9).
    ///
    /// # Errors
    /// [`Denied`](crate::ErrorKind::Denied) without `CAP_NET_ADMIN` in it.
    pub fn namespace(&self) -> Result<OwnedFd> {
        sys::namespace_of(self.descriptor.as_fd())
            .map_err(|source| Error::io("find the namespace of a socket", source))
    }

    /// The device with this name.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound).
    pub fn link_by_name(&mut self, name: &InterfaceName) -> Result<Link> {
        let request = request::link_by_name(name);
        let objects = self.exchange(&request)?;
        let link = objects.iter().find_map(Link::from_message);
        link.ok_or_else(|| request.unanswered("the answer describes no link"))
    }

    /// All devices of the namespace. A list that changed while the kernel wrote it is read again,
    /// as are the other ones.
    ///
    /// # Errors
    /// [`TimedOut`](crate::ErrorKind::TimedOut) if it changes without a pause;
    /// [`Io`](crate::ErrorKind::Io).
    pub fn links(&mut self) -> Result<Vec<Link>> {
        let objects = self.exchange(&request::links())?;
        Ok(objects.iter().filter_map(Link::from_message).collect())
    }

    /// The addresses of one device, or of all, of every family.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io).
    pub fn addresses(&mut self, link: Option<LinkIndex>) -> Result<Vec<Address>> {
        let objects = self.exchange(&request::addresses())?;
        Ok(objects
            .iter()
            .filter_map(Address::from_message)
            .filter(|address| link.is_none_or(|link| link == address.link))
            .collect())
    }

    /// The unicast routes of the main table, of every family.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io).
    pub fn routes(&mut self) -> Result<Vec<Route>> {
        let objects = self.exchange(&request::routes())?;
        Ok(objects.iter().filter_map(Route::from_message).collect())
    }

    /// The counters of the device with this name, in the namespace of this socket (`IFLA_STATS64`).
    /// `/sys/class/net` shows those of the namespace in which that sysfs was mounted.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound).
    pub fn statistics(&mut self, name: &InterfaceName) -> Result<Statistics> {
        let request = request::link_by_name(name);
        let objects = self.exchange(&request)?;
        let found = objects.iter().find_map(Statistics::from_message);
        found.ok_or_else(|| request.unanswered("the answer has no counters"))
    }

    pub(crate) fn change(&mut self, request: &Request) -> Result<()> {
        self.exchange(request).map(drop)
    }

    /// Asks until nothing has changed while the answer was written.
    fn exchange(&mut self, request: &Request) -> Result<Vec<RouteNetlinkMessage>> {
        let deadline = Instant::now() + ACKNOWLEDGEMENT_TIMEOUT;
        loop {
            match self.ask(request, deadline)? {
                Outcome::Complete(objects) => return Ok(objects),
                Outcome::Interrupted => log::debug!("{}: it changed meanwhile", request.operation),
            }
        }
    }

    /// Sends a request and reads to the end of the answer.
    fn ask(&mut self, request: &Request, deadline: Instant) -> Result<Outcome> {
        let operation = request.operation.as_str();
        self.sequence = self.sequence.wrapping_add(1);
        let sequence = self.sequence;
        let bytes = request.encode(sequence);
        let kernel = NetlinkAddr::new(0, 0);
        sendto(
            self.descriptor.as_raw_fd(),
            &bytes,
            &kernel,
            MsgFlags::empty(),
        )
        .map_err(|errno| Error::io(operation, errno))?;
        let mut reply = Reply::default();
        loop {
            let datagram = self.receive(deadline, operation)?;
            let mut answers = answers(datagram, sequence).into_iter();
            if let Some(end) = answers.find_map(|answer| reply.take(answer, operation)) {
                return end;
            }
        }
    }

    /// The next datagram of the kernel; those of others (any process with `CAP_NET_ADMIN` in the
    /// namespace) are dropped.
    fn receive(&mut self, deadline: Instant, operation: &str) -> Result<&[u8]> {
        while Instant::now() < deadline {
            match recvfrom::<NetlinkAddr>(self.descriptor.as_raw_fd(), &mut self.datagram) {
                Ok((length, Some(sender))) if sender.pid() == 0 => {
                    return Ok(self.datagram.get(..length).unwrap_or_default());
                }
                Ok(_) | Err(Errno::EINTR | Errno::EAGAIN) => {}
                Err(errno) => return Err(Error::io(operation, errno)),
            }
        }
        Err(Error::io(operation, Errno::ETIMEDOUT))
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

#[cfg(test)]
pub(crate) mod tests;
