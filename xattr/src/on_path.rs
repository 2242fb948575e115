use std::ffi::OsStr;
use std::path::Path;

use rustix::fs::{lgetxattr, llistxattr, lremovexattr, lsetxattr};
use rustix::io::retry_on_intr;

use crate::buffer::{fill, present};
use crate::names::c_name;
use crate::{Error, Names, Result, SetMode};

/// The value of an attribute of `path`, or `None` if it has no such attribute (`lgetxattr(2)`).
///
/// Only the last component of the path is not followed; the way to it is resolved as usual.
///
/// # Errors
/// [`ErrorKind`](crate::ErrorKind) `Unsupported`, `InvalidName` or `Io`.
pub fn lget(path: impl AsRef<Path>, name: impl AsRef<OsStr>) -> Result<Option<Vec<u8>>> {
    let path = path.as_ref();
    let name = c_name("lgetxattr", name.as_ref(), Some(path))?;
    let name = name.as_c_str();
    present(fill(|buffer| lgetxattr(path, name, buffer)))
        .map_err(|errno| Error::new("lgetxattr", Some(name), Some(path), errno))
}

/// Writes an attribute of `path` (`lsetxattr(2)`).
///
/// # Errors
/// Each [`ErrorKind`](crate::ErrorKind); `EPERM` for `user.` attributes of anything but a regular
/// file or directory.
pub fn lset(
    path: impl AsRef<Path>,
    name: impl AsRef<OsStr>,
    value: &[u8],
    mode: SetMode,
) -> Result<()> {
    let path = path.as_ref();
    let name = c_name("lsetxattr", name.as_ref(), Some(path))?;
    let name = name.as_c_str();
    retry_on_intr(|| lsetxattr(path, name, value, mode.flags()))
        .map_err(|errno| Error::new("lsetxattr", Some(name), Some(path), errno))
}

/// Removes an attribute of `path` and says whether there was one (`lremovexattr(2)`).
///
/// # Errors
/// [`ErrorKind`](crate::ErrorKind) `Unsupported`, `InvalidName` or `Io`.
pub fn lremove(path: impl AsRef<Path>, name: impl AsRef<OsStr>) -> Result<bool> {
    let path = path.as_ref();
    let name = c_name("lremovexattr", name.as_ref(), Some(path))?;
    let name = name.as_c_str();
    present(retry_on_intr(|| lremovexattr(path, name)))
        .map(|removed| removed.is_some())
        .map_err(|errno| Error::new("lremovexattr", Some(name), Some(path), errno))
}

/// The names of the attributes of `path` (`llistxattr(2)`).
///
/// # Errors
/// [`ErrorKind`](crate::ErrorKind) `Unsupported` or `Io`.
pub fn llist(path: impl AsRef<Path>) -> Result<Names> {
    let path = path.as_ref();
    fill(|buffer| llistxattr(path, buffer))
        .map(Names)
        .map_err(|errno| Error::new("llistxattr", None, Some(path), errno))
}
