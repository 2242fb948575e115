use std::ffi::{CStr, CString};
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// A [`std::result::Result`] with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The file system has no attributes of this name space (`ENOTSUP`).
    Unsupported,
    /// The name is in use already ([`SetMode::Create`](crate::SetMode::Create), `EEXIST`) or not in use
    /// ([`SetMode::Replace`](crate::SetMode::Replace), `ENODATA`).
    Conflict,
    /// The kernel refused for another reason; [`Error::raw_os_error`] says which.
    Io,
}

/// Why an operation on extended attributes failed: operation, attribute, path and error number.
#[derive(Debug, thiserror::Error)]
#[error("{operation}{}{}", name_text(name.as_deref()), path_text(path.as_deref()))]
pub struct Error {
    operation: &'static str,
    name: Option<CString>,
    path: Option<PathBuf>,
    source: io::Error,
}

impl Error {
    pub(crate) fn new(
        operation: &'static str,
        name: Option<&CStr>,
        path: Option<&Path>,
        errno: Errno,
    ) -> Self {
        Self {
            operation,
            name: name.map(CStr::to_owned),
            path: path.map(Path::to_owned),
            source: errno.into(),
        }
    }

    /// The class of the failure.
    pub fn kind(&self) -> ErrorKind {
        match Errno::from_io_error(&self.source) {
            Some(Errno::NOTSUP) => ErrorKind::Unsupported,
            Some(Errno::EXIST | Errno::NODATA) => ErrorKind::Conflict,
            _ => ErrorKind::Io,
        }
    }

    /// The system call by its man page name, such as `lgetxattr`.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// The path, if the operation had one instead of a descriptor.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The error number of the kernel.
    pub fn raw_os_error(&self) -> Option<i32> {
        self.source.raw_os_error()
    }
}

fn name_text(name: Option<&CStr>) -> String {
    name.map_or_else(String::new, |name| format!(" {}", name.to_string_lossy()))
}

fn path_text(path: Option<&Path>) -> String {
    path.map_or_else(String::new, |path| format!(" of {}", path.display()))
}
