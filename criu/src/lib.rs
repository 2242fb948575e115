#![doc = include_str!("../README.md")]

mod connection;
mod error;
mod log;
mod notification;
mod program;
mod rpc;
mod statistics;
mod version;

pub use error::{BoxError, Error, ErrorKind, Result};
pub use log::quote_errors;
pub use notification::{Notification, Stage};
pub use program::{Criu, FIRST_INHERITED, Session};
pub use rpc::{
    CgroupMode, CgroupRoot, ExternalMount, Features, InheritedDescriptor, JoinNamespace, Options,
    PageServer, VethPair,
};
pub use statistics::DumpStatistics;
pub use version::Version;
