use std::{fmt, io};

/// A failure of this crate: what was attempted, on what, and why it did not work.
///
/// The cause (usually an [`io::Error`]) is only reachable through
/// [`source`](std::error::Error::source), it is not repeated in the text.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    #[source]
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

    /// The errno of the kernel, when the kernel was the one to refuse.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        self.source.as_ref().and_then(io::Error::raw_os_error)
    }
}

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;
