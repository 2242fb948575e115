//! From a configuration to a plan: every decision about what the init process does is taken here, by pure functions.

mod built;
mod host;
mod request;

pub use built::{BuiltPlan, Gate, Input, Tag};
pub use host::HostFacts;
pub use request::{CgroupPlacement, CgroupView, ExecRequest, Filter, InitRequest, LegacyHierarchy};

use crate::{Error, ErrorKind, Result};

/// The plan of a container's init process.
///
/// # Errors
/// [`ErrorKind::InvalidConfig`] names the field that cannot be used, [`ErrorKind::Unsupported`] what this version does not
/// offer.
pub fn init(_request: &InitRequest<'_>) -> Result<BuiltPlan> {
    Err(Error::new(ErrorKind::Unsupported, "init"))
}

/// The plan of a process added to a running container.
///
/// # Errors
/// As [`init`].
pub fn exec(_request: &ExecRequest<'_>) -> Result<BuiltPlan> {
    Err(Error::new(ErrorKind::Unsupported, "exec"))
}
