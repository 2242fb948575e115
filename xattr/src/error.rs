use std::ffi::{CStr, OsStr, OsString};
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// A [`std::result::Result`] with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The file system has no attributes of this name space (`ENOTSUP`).
    Unsupported,
    /// The name is in use already ([`SetMode::Create`](crate::SetMode::Create), `EEXIST`) or not in
    /// use ([`SetMode::Replace`](crate::SetMode::Replace), `ENODATA`).
    Conflict,
    /// The name has a NUL in it, where the kernel would end it.
    InvalidName,
    /// The kernel refused for another reason; [`Error::raw_os_error`] says which.
    Io,
}

/// Why an operation on extended attributes failed: operation, attribute, path and error number.
///
/// `{}` is one line that says what was attempted on what; the cause is the
/// [`source`](std::error::Error::source), which `{:#}` appends. It turns into an [`io::Error`].
#[derive(Debug)]
pub struct Error {
    operation: &'static str,
    name: Option<OsString>,
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
            name: name.map(|name| OsStr::from_bytes(name.to_bytes()).to_owned()),
            path: path.map(Path::to_owned),
            source: errno.into(),
        }
    }

    pub(crate) fn invalid_name(operation: &'static str, name: &OsStr, path: Option<&Path>) -> Self {
        Self {
            operation,
            name: Some(name.to_owned()),
            path: path.map(Path::to_owned),
            source: io::Error::new(io::ErrorKind::InvalidInput, "the name has a NUL in it"),
        }
    }

    /// The class of the failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match Errno::from_io_error(&self.source) {
            Some(Errno::NOTSUP) => ErrorKind::Unsupported,
            Some(Errno::EXIST | Errno::NODATA) => ErrorKind::Conflict,
            None => ErrorKind::InvalidName,
            _ => ErrorKind::Io,
        }
    }

    /// The system call by its man page name, such as `lgetxattr`.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// The path, if the operation had one instead of a descriptor.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The error number of the kernel; `None` if the call was not made.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        self.source.raw_os_error()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.operation)?;
        if let Some(name) = &self.name {
            // One line, whatever the name.
            write!(f, " {}", name.to_string_lossy().escape_debug())?;
        }
        if let Some(path) = &self.path {
            write!(f, " of {}", path.display())?;
        }
        if f.alternate() {
            write!(f, ": {}", self.source)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl From<Error> for io::Error {
    /// The error, with the kind that std gives its cause.
    fn from(error: Error) -> Self {
        Self::new(error.source.kind(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_apart_and_can_be_printed_with_it() {
        let error = Error::new(
            "lgetxattr",
            Some(c"user.a"),
            Some(Path::new("/a")),
            Errno::ACCESS,
        );
        assert_eq!(error.to_string(), "lgetxattr user.a of /a");
        let whole = "lgetxattr user.a of /a: Permission denied (os error 13)";
        assert_eq!(format!("{error:#}"), whole);
        assert_eq!(error.raw_os_error(), Some(13));
        let error = io::Error::from(error);
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        let own = error.get_ref().and_then(|own| own.downcast_ref::<Error>());
        assert!(own.is_some(), "{error:?}");
    }
}
