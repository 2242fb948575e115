//! The Intel RDT group of a container.

use configs::Config;

use super::Container;
use crate::error::{Error, ErrorKind, Result};

/// Fails if the configuration asks for one.
pub(crate) fn check(config: &Config) -> Result<()> {
    match config.intel_rdt {
        None => Ok(()),
        Some(_) => Err(Error::new(
            ErrorKind::Unsupported,
            "linux.intelRdt: not supported by this version",
        )),
    }
}

impl Container {
    /// Changes the group of a running container.
    pub(super) fn set_rdt(&self, config: &Config) -> Result<()> {
        check(config)
    }
}
