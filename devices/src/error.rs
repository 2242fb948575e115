use std::fmt;
use std::io;

/// A failure of this crate: what was attempted, on what, and why it did not work.
///
/// `{}` is one line that says what was attempted on what; the cause is the
/// [`source`](std::error::Error::source), which `{:#}` appends. It turns into an [`io::Error`].
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<io::Error>,
}

/// What went wrong, for programs that decide on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The file is not a block device, a character device or a FIFO.
    NotADevice,
    /// A device type other than `a`, `b`, `c`, `u` or `p`.
    InvalidType,
    /// A permission string with other letters than `r`, `w` and `m`.
    InvalidAccess,
    /// A device number outside 0 to 2³²-2 that is not the wildcard.
    InvalidNumber,
    /// A line of `devices.list` that is not in the kernel's format.
    InvalidList,
    /// A concrete device number was needed and a wildcard was given.
    Wildcard,
    /// The rule would take from a wildcard rule what only a part of it may lose: no list of
    /// cgroup v1 device rules can express that.
    HolePunch,
    /// The program for these rules would have jumps that an eBPF instruction cannot hold.
    TooManyRules,
    /// The kernel refused an operation on a file.
    Io,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl fmt::Display) -> Self {
        Self {
            kind,
            message: message.to_string(),
            source: None,
        }
    }

    pub(crate) fn io(message: impl fmt::Display, source: impl Into<io::Error>) -> Self {
        Self {
            kind: ErrorKind::Io,
            message: message.to_string(),
            source: Some(source.into()),
        }
    }

    /// The class of the failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The error number of the kernel, if it refused something.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        self.source.as_ref().and_then(io::Error::raw_os_error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) if f.alternate() => write!(f, ": {source}"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

impl From<Error> for io::Error {
    /// The error, with the kind that std gives its error number; without one,
    /// [`io::ErrorKind::Other`].
    fn from(error: Error) -> Self {
        let kind = error.raw_os_error().map_or(io::ErrorKind::Other, |number| {
            io::Error::from_raw_os_error(number).kind()
        });
        Self::new(kind, error)
    }
}

/// A [`std::result::Result`] with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_apart_and_can_be_printed_with_it() {
        let error = Error::io("lstat /a", io::Error::from_raw_os_error(13));
        assert_eq!(error.to_string(), "lstat /a");
        let whole = "lstat /a: Permission denied (os error 13)";
        assert_eq!(format!("{error:#}"), whole);
        assert_eq!(error.raw_os_error(), Some(13));
        let error = io::Error::from(error);
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        let own = error.get_ref().and_then(|own| own.downcast_ref::<Error>());
        assert!(own.is_some(), "{error:?}");
    }
}
