//! Stopping and continuing all processes of a cgroup.

use std::time::Duration;

use crate::{Error, ErrorKind};

/// How long freezing may take. A process in uninterruptible sleep freezes when it wakes up.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

pub(crate) fn not_configured() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "cannot toggle freezer: cgroups not configured for container",
    )
}

pub(crate) fn not_supported() -> Error {
    Error::new(ErrorKind::Unsupported, "freezer not supported")
}

pub(crate) fn unable() -> Error {
    Error::new(ErrorKind::Timeout, "unable to freeze")
}

pub(crate) fn thawed_meanwhile() -> Error {
    Error::new(
        ErrorKind::Timeout,
        "unable to freeze: another process has thawed the cgroup",
    )
}
