use std::fmt;
use std::io;

use crate::rpc::RequestType;
use crate::version::Version;

/// A [`std::result::Result`] with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The program does not exist.
    NotFound,
    /// The program is older than what was asked for needs.
    TooOld,
    /// CRIU or the kernel lacks a feature that was asked for.
    Unsupported,
    /// CRIU did not do what was asked for; its log says why, and [`Error::raw_os_error`] roughly.
    Refused,
    /// CRIU ended, or answered something else than its protocol has.
    Protocol,
    /// What the caller did upon a notification failed; the cause is the source.
    Notification,
    /// A system call failed.
    Io,
}

/// The error of a caller's function that handles notifications.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why CRIU did not do what was asked of it, in one line.
///
/// `{}` says what was attempted; the cause, if there is one, is the
/// [`source`](std::error::Error::source). It turns into an [`io::Error`].
#[derive(Debug)]
pub struct Error(Box<Repr>);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Repr {
    #[error("{program}: CRIU is not installed, or not in PATH")]
    NotFound { program: String, source: io::Error },
    #[error("CRIU version {found} must be {wanted} or higher")]
    TooOld { found: Version, wanted: Version },
    #[error("criu is missing features: [{missing}]")]
    Unsupported { missing: String },
    #[error("criu failed: type {} errno {errno}{}", request.name(), text(message))]
    Refused {
        request: RequestType,
        errno: i32,
        message: Option<String>,
    },
    #[error("{attempt}: {problem}")]
    Protocol {
        attempt: &'static str,
        problem: String,
    },
    #[error("notification {name}")]
    Notification { name: String, source: BoxError },
    #[error("{attempt}")]
    Io {
        attempt: &'static str,
        source: io::Error,
    },
}

/// The text that CRIU adds, if it does.
fn text(message: &Option<String>) -> String {
    message
        .as_ref()
        .map_or_else(String::new, |message| format!(": {}", message.trim_end()))
}

impl Error {
    pub(crate) fn io(attempt: &'static str, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        Repr::Io { attempt, source }.into()
    }

    pub(crate) fn protocol(attempt: &'static str, problem: impl Into<String>) -> Self {
        let problem = problem.into();
        Repr::Protocol { attempt, problem }.into()
    }

    /// The same without the text that CRIU adds to a refusal: the first error of its log, which
    /// is often one that it goes on after. For those who quote [the cause](crate::Quotation::cause)
    /// of the log.
    #[must_use]
    pub fn without_text(mut self) -> Self {
        if let Repr::Refused { message, .. } = &mut *self.0 {
            *message = None;
        }
        self
    }

    /// The class of the failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match &*self.0 {
            Repr::NotFound { .. } => ErrorKind::NotFound,
            Repr::TooOld { .. } => ErrorKind::TooOld,
            Repr::Unsupported { .. } => ErrorKind::Unsupported,
            Repr::Refused { .. } => ErrorKind::Refused,
            Repr::Protocol { .. } => ErrorKind::Protocol,
            Repr::Notification { .. } => ErrorKind::Notification,
            Repr::Io { .. } => ErrorKind::Io,
        }
    }

    /// The error number of the kernel, or the one that CRIU names.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        match &*self.0 {
            Repr::NotFound { source, .. } | Repr::Io { source, .. } => source.raw_os_error(),
            Repr::Refused { errno, .. } => Some(*errno).filter(|errno| *errno != 0),
            _ => None,
        }
    }
}

impl From<Repr> for Error {
    fn from(repr: Repr) -> Self {
        Self(Box::new(repr))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        if f.alternate() {
            let mut source = std::error::Error::source(self);
            while let Some(error) = source {
                write!(f, ": {error}")?;
                source = error.source();
            }
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &*error.0 {
            Repr::NotFound { source, .. } | Repr::Io { source, .. } => source.kind(),
            Repr::TooOld { .. } | Repr::Unsupported { .. } => io::ErrorKind::Unsupported,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
