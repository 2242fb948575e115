#![doc = include_str!("../README.md")]
//!
//! ## In detail
//!
//! Intel Resource Director Technology for containers, through the kernel's [resctrl] file system:
//! parts of the L3 cache (CAT), memory bandwidth (MBA), and what is used of both (CMT, MBM). AMD's
//! QoS extensions have the same interface.
//!
//! [`Root`] is the file system. A [`Group`] is a class of service in it, a directory with a `tasks`
//! file and a `schemata` file; [`Settings`] says which one a container uses and what it may have.
//! Everything works on open directories, so a tree of plain files does for a test
//! ([`Root::open_at`]). What the kernel does by itself the test has to do: make `tasks`
//! and `schemata` in a new group before they are written, and empty a group before
//! [`Group::delete`] removes it.
//!
//! [resctrl]: https://docs.kernel.org/filesystems/resctrl.html
#![cfg_attr(docsrs, feature(doc_cfg))]

mod error;
mod features;
mod file;
mod group;
mod mountinfo;
mod root;
mod schema;
mod settings;
mod stats;

pub use error::{Error, ErrorKind, Result};
pub use features::Features;
pub use group::Group;
pub use root::Root;
pub use schema::Schema;
pub use settings::Settings;
pub use stats::{BandwidthInfo, BandwidthUse, CacheInfo, CacheUse, Stats};
