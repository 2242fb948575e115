#![doc = include_str!("../README.md")]

mod connection;
mod error;
mod images;
mod log;
mod notification;
mod process_tree;
mod program;
mod rpc;
mod statistics;
mod version;

pub use error::{BoxError, Error, ErrorKind, Result};
pub use images::{PageMap, Records, has_memory, read_processes};
pub use log::{Quotation, quote_errors};
pub use notification::{Notification, Stage};
pub use process_tree::kill_tree;
pub use program::{Criu, FIRST_INHERITED, Session};
pub use rpc::{
    CgroupMode, CgroupRoot, ExternalMount, Features, InheritedDescriptor, JoinNamespace, Options,
    PageServer, VethPair,
};
pub use statistics::DumpStatistics;
pub use version::Version;
