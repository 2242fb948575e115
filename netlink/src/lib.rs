#![doc = include_str!("../README.md")]
//!
//! ## In detail
//!
//! Network devices, addresses and routes through the kernel's [`rtnetlink(7)`], without threads or
//! runtime.
//!
//! A [`Socket`] belongs to the network namespace it was opened in, for ever, wherever it is used
//! afterwards. That makes it the tool for configuring a container's network from outside: open it
//! inside (or let a process in there send it), use it here.
//!
//! | subject | entry point |
//! |---|---|
//! | the connection | [`Socket`], [`Namespace`] |
//! | links | [`Link`], [`NewLink`], [`LinkKind`], [`Socket::create_link`], verbs of [`Socket`] |
//! | addresses, routes | [`Address`], [`Cidr`], [`Route`] |
//! | hand a device to a container | [`NetDevice`] |
//! | counters of a link | [`Socket::statistics`] |
//! | messages for callers with system calls only | [`encode`] |
//! | the same verbs for tokio programs | module `asynchronous` (feature `async`) |
//!
//! Every change is acknowledged by the kernel before the call returns. No wait is longer than ten
//! seconds.
//!
//! [`rtnetlink(7)`]: https://man7.org/linux/man-pages/man7/rtnetlink.7.html
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
#[cfg(feature = "async")]
pub mod asynchronous;
mod cidr;
pub mod encode;
mod error;
mod interface_name;
mod link;
mod mac_address;
mod namespace;
mod net_device;
mod new_link;
mod request;
mod route;
mod socket;
mod statistics;
mod sys;
mod verbs;
mod wire;

pub use address::{Address, Scope};
pub use cidr::Cidr;
pub use error::{Error, ErrorKind, Result};
pub use interface_name::InterfaceName;
pub use link::{Link, LinkIndex};
pub use mac_address::MacAddress;
pub use namespace::Namespace;
pub use net_device::NetDevice;
pub use new_link::{LinkKind, MacvlanMode, NewLink};
pub use route::Route;
pub use socket::Socket;
pub use statistics::Statistics;
