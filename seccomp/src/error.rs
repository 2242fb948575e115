//! The one error type of this crate.

use std::error::Error as StdError;
use std::fmt;
use std::io;

/// What went wrong, coarsely, for callers that act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The profile says something that has no meaning: an unknown action, operator or architecture,
    /// an argument index above 5, an empty system call name, `SCMP_ACT_NOTIFY` where it cannot
    /// work.
    InvalidProfile,
    /// The profile is meaningful, but this kernel, this build or this libseccomp cannot do it.
    Unsupported,
    /// The filter would have more instructions than the kernel takes.
    TooLarge,
    /// libseccomp refused something.
    Library,
    /// A program is not a valid seccomp filter (it came from the caller).
    InvalidProgram,
    /// A system call failed: loading the filter, or reading what libseccomp exported.
    Io,
}

/// The error of every function of this crate.
///
/// Its text is one line without the cause, which is its [`source`](StdError::source), and which
/// `{:#}` appends. It turns into an [`io::Error`].
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidProfile, message)
    }

    pub(crate) fn io(operation: impl fmt::Display, source: impl Into<io::Error>) -> Self {
        Self {
            kind: ErrorKind::Io,
            message: operation.to_string(),
            source: Some(Box::new(source.into())),
        }
    }

    /// A text that is not a profile.
    #[cfg(feature = "serde")]
    pub(crate) fn json(what: &str, source: serde_json::Error) -> Self {
        Self {
            kind: ErrorKind::InvalidProfile,
            message: what.to_owned(),
            source: Some(Box::new(source)),
        }
    }

    #[cfg(feature = "libseccomp")]
    pub(crate) fn library(
        operation: impl fmt::Display,
        source: impl StdError + Send + Sync + 'static,
    ) -> Self {
        Self {
            kind: ErrorKind::Library,
            message: operation.to_string(),
            source: Some(Box::new(source)),
        }
    }

    /// What went wrong, coarsely.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The kernel's error number (`errno`), when a system call failed.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        self.source
            .as_ref()?
            .downcast_ref::<io::Error>()?
            .raw_os_error()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if f.alternate() {
            let mut source = StdError::source(self);
            while let Some(error) = source {
                write!(f, ": {error}")?;
                source = error.source();
            }
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
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

/// The result of every fallible function of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
