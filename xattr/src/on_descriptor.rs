use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::fs::{
    fgetxattr, flistxattr, fremovexattr, fsetxattr, getxattr, listxattr, removexattr, setxattr,
};
use rustix::io::{Errno, retry_on_intr};

use crate::buffer::{fill, present};
use crate::names::c_name;
use crate::{Error, Names, Result, SetMode};

/// The value of an attribute of an open file, or `None` if it has no such attribute
/// (`fgetxattr(2)`).
///
/// # Errors
/// [`ErrorKind`](crate::ErrorKind) `Unsupported`, `InvalidName` or `Io`.
pub fn get(file: impl AsFd, name: impl AsRef<OsStr>) -> Result<Option<Vec<u8>>> {
    let name = c_name("fgetxattr", name.as_ref(), None)?;
    let name = name.as_c_str();
    let file = file.as_fd();
    let value = or_by_path(
        file,
        || fill(|buffer| fgetxattr(file, name, buffer)),
        |path| fill(|buffer| getxattr(path, name, buffer)),
    );
    present(value).map_err(|errno| Error::new("fgetxattr", Some(name), None, errno))
}

/// Writes an attribute of an open file (`fsetxattr(2)`).
///
/// # Errors
/// Each [`ErrorKind`](crate::ErrorKind); `EPERM` for `user.` attributes of anything but a regular
/// file or directory.
pub fn set(file: impl AsFd, name: impl AsRef<OsStr>, value: &[u8], mode: SetMode) -> Result<()> {
    let name = c_name("fsetxattr", name.as_ref(), None)?;
    let name = name.as_c_str();
    let file = file.as_fd();
    or_by_path(
        file,
        || retry_on_intr(|| fsetxattr(file, name, value, mode.flags())),
        |path| retry_on_intr(|| setxattr(path, name, value, mode.flags())),
    )
    .map_err(|errno| Error::new("fsetxattr", Some(name), None, errno))
}

/// Removes an attribute of an open file and says whether there was one (`fremovexattr(2)`).
///
/// # Errors
/// [`ErrorKind`](crate::ErrorKind) `Unsupported`, `InvalidName` or `Io`.
pub fn remove(file: impl AsFd, name: impl AsRef<OsStr>) -> Result<bool> {
    let name = c_name("fremovexattr", name.as_ref(), None)?;
    let name = name.as_c_str();
    let file = file.as_fd();
    let removed = or_by_path(
        file,
        || retry_on_intr(|| fremovexattr(file, name)),
        |path| retry_on_intr(|| removexattr(path, name)),
    );
    present(removed)
        .map(|removed| removed.is_some())
        .map_err(|errno| Error::new("fremovexattr", Some(name), None, errno))
}

/// The names of the attributes of an open file (`flistxattr(2)`).
///
/// # Errors
/// [`ErrorKind`](crate::ErrorKind) `Unsupported` or `Io`.
pub fn list(file: impl AsFd) -> Result<Names> {
    let file = file.as_fd();
    or_by_path(
        file,
        || fill(|buffer| flistxattr(file, buffer)),
        |path| fill(|buffer| listxattr(path, buffer)),
    )
    .map(Names)
    .map_err(|errno| Error::new("flistxattr", None, None, errno))
}

/// Does it by descriptor or, where the kernel refuses that for an `O_PATH` descriptor (`EBADF`),
/// through the descriptor's entry in procfs. That entry leads straight to the file, be it a
/// symbolic link itself.
fn or_by_path<T>(
    file: BorrowedFd<'_>,
    by_descriptor: impl FnOnce() -> rustix::io::Result<T>,
    by_path: impl FnOnce(&str) -> rustix::io::Result<T>,
) -> rustix::io::Result<T> {
    match by_descriptor() {
        Err(Errno::BADF) => by_path(&format!("/proc/thread-self/fd/{}", file.as_raw_fd())),
        done => done,
    }
}
