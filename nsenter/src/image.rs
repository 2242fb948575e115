//! The stub's executable.

use std::os::fd::OwnedFd;
use std::sync::OnceLock;

use crate::error::Result;

/// Largest stub, in bytes. A test checks it.
pub const MAX_IMAGE_BYTES: usize = 100 << 10;

static SEALED: OnceLock<OwnedFd> = OnceLock::new();

/// The stub as a sealed memory file, made once for the process.
///
/// # Errors
/// [`ErrorKind::System`](crate::ErrorKind::System).
pub fn stub_image() -> Result<&'static OwnedFd> {
    let _ = &SEALED;
    Err(crate::error::Error::new(
        crate::ErrorKind::System,
        "not built",
    ))
}
