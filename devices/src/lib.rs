#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod access;
#[cfg(test)]
mod arbitrary;
pub mod bpf;
pub mod defaults;
mod device;
pub mod emulator;
mod error;
mod rule;
#[cfg(feature = "serde")]
mod serial;

pub use access::Access;
pub use device::{Device, from_fd, from_path, host, walk};
pub use emulator::Emulator;
pub use error::{Error, ErrorKind, Result};
pub use rule::{Kind, Rule, number_from_i64};
