#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod config;
mod error;
mod host;
mod int_enum;
pub mod json;
#[cfg(feature = "legacy")]
#[cfg_attr(docsrs, doc(cfg(feature = "legacy")))]
pub mod legacy;
pub mod lexical;
mod nullable;
pub mod oci;
pub mod process;
pub mod specconv;
mod stored;
pub mod validate;
mod warning;

// Its types are part of this interface.
pub use devices;

pub use config::Config;
pub use error::{Error, ErrorKind, Result};
pub use host::{HostInfo, IntelRdtSupport, NetworkNamespaceFact, RootfsFact};
pub use nsenter::NamespaceSet;
pub use user::IdMapping;
pub use warning::Warning;
