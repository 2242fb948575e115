//! The error of this crate.

use std::fmt;
use std::io;

use crate::plan::failure::Failure;

/// The result of an operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a [`RequestHandler`](crate::RequestHandler) method did not do what the stub asked for.
pub type Refusal = Box<dyn std::error::Error + Send + Sync>;

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The plan breaks a rule, or encoded bytes are not a plan.
    Plan,
    /// A system call of the supervisor failed; [`Error::raw_os_error`] has the errno.
    System,
    /// A step of the plan failed in the stub; [`Error::failure`] says which.
    Step,
    /// A [`RequestHandler`](crate::RequestHandler) method refused; its reason is the source.
    Refused,
    /// The stub made no progress within the deadline.
    Timeout,
    /// The cgroup in which the stub is to start is frozen, by itself or from above.
    Frozen,
    /// The stub ended before it had run its plan.
    Died,
    /// The stub sent something that its plan does not ask for.
    Protocol,
    /// An id map is wrong or could not be written.
    IdMap,
    /// A namespace is unknown, unsupported, or not what it should be.
    Namespace,
    /// A process is gone, or is another one than the recorded one.
    Process,
}

/// An error of this crate.
///
/// Its text is one line without the cause, which is its [`source`](std::error::Error::source), and
/// which `{:#}` appends. It turns into an [`io::Error`].
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    repr: Box<Repr>,
    source: Option<Refusal>,
}

#[derive(Debug, thiserror::Error)]
enum Repr {
    #[error("{0}")]
    Text(String),
    #[error("{0}")]
    Failure(Failure),
}

impl Error {
    fn text(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            repr: Box::new(Repr::Text(text.into())),
            source: None,
        }
    }

    /// A plan that breaks a rule.
    pub(crate) fn plan(text: impl Into<String>) -> Self {
        Self::text(ErrorKind::Plan, text)
    }

    /// A message that the plan does not allow.
    pub(crate) fn protocol(text: impl Into<String>) -> Self {
        Self::text(ErrorKind::Protocol, text)
    }

    /// An error without an errno.
    pub(crate) fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self::text(kind, text)
    }

    /// A failed system call.
    pub(crate) fn system(operation: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::with_source(ErrorKind::System, operation, Box::new(source.into()))
    }

    /// An error with a reason.
    pub(crate) fn with_source(kind: ErrorKind, text: impl Into<String>, source: Refusal) -> Self {
        Self {
            kind,
            repr: Box::new(Repr::Text(text.into())),
            source: Some(source),
        }
    }

    /// A failed step; its errno becomes the source.
    pub(crate) fn step(failure: Failure) -> Self {
        let source: Option<Refusal> = (failure.errno() != 0)
            .then(|| Box::new(io::Error::from_raw_os_error(failure.errno())).into());
        Self {
            kind: ErrorKind::Step,
            repr: Box::new(Repr::Failure(failure)),
            source,
        }
    }

    /// What kind of thing went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The step that failed, if the stub reported one.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match &*self.repr {
            Repr::Failure(failure) => Some(failure),
            Repr::Text(_) => None,
        }
    }

    /// The errno, if a system call of supervisor or stub is the cause.
    pub fn raw_os_error(&self) -> Option<i32> {
        match self.failure() {
            Some(failure) => (failure.errno() != 0).then_some(failure.errno()),
            None => self
                .source
                .as_ref()
                .and_then(|source| source.downcast_ref::<io::Error>())
                .and_then(io::Error::raw_os_error),
        }
    }

    /// Takes the reason out, for example to get back the typed error with which a
    /// [`RequestHandler`](crate::RequestHandler) method refused.
    #[must_use]
    pub fn into_source(self) -> Option<Refusal> {
        self.source
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repr)?;
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
