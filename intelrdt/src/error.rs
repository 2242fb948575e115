use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A [`std::result::Result`] with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The kernel or the processor has no such thing, or resctrl is not mounted.
    Unavailable,
    /// A name or schema that cannot be one.
    Invalid,
    /// The kernel did not take a task or a schema.
    Refused,
    /// A file has not the documented form.
    Malformed,
    /// Another operation that the kernel refused.
    Io,
}

/// Why an operation of this crate failed.
///
/// `{}` is one line that says what was attempted on what; the cause is the
/// [`source`](std::error::Error::source), which `{:#}` appends. Where the kernel explains a refusal
/// (`info/last_cmd_status`), its text and the error number are part of the line. It turns into an
/// [`io::Error`].
#[derive(Debug)]
pub struct Error(Repr);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Repr {
    #[error("Intel RDT not available")]
    Unavailable,
    #[error("Intel RDT/CAT: l3 cache schema is not enabled")]
    NoCacheAllocation,
    #[error("Intel RDT/MBA: memory bandwidth schema is not enabled")]
    NoBandwidthAllocation,
    #[error("invalid closID {0:?}")]
    ClosId(String),
    #[error("bad schema {0:?}")]
    Schema(String),
    #[error(
        "clos dir not accessible (must be pre-created when schemata, l3CacheSchema and memBwSchema are empty): {cause}"
    )]
    NotPreCreated { path: PathBuf, cause: io::Error },
    #[error("intelrdt: unable to write {text:?}: {cause}{}", status_text(status.as_deref()))]
    Write {
        path: PathBuf,
        text: String,
        cause: io::Error,
        status: Option<String>,
    },
    #[error("intelrdt: unable to create {}: {cause}{}", path.display(), status_text(status.as_deref()))]
    Create {
        path: PathBuf,
        cause: io::Error,
        status: Option<String>,
    },
    #[error("{operation} {}", path.display())]
    Io {
        operation: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("{} holds no number: {text:?}", path.display())]
    Number { path: PathBuf, text: String },
}

impl Error {
    pub(crate) fn io(
        operation: &'static str,
        path: impl Into<PathBuf>,
        source: impl Into<io::Error>,
    ) -> Self {
        Self(Repr::Io {
            operation,
            path: path.into(),
            source: source.into(),
        })
    }

    /// The class of the failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match &self.0 {
            Repr::Unavailable | Repr::NoCacheAllocation | Repr::NoBandwidthAllocation => {
                ErrorKind::Unavailable
            }
            Repr::ClosId(_) | Repr::Schema(_) => ErrorKind::Invalid,
            Repr::Write { .. } | Repr::Create { .. } => ErrorKind::Refused,
            Repr::Number { .. } => ErrorKind::Malformed,
            Repr::NotPreCreated { .. } | Repr::Io { .. } => ErrorKind::Io,
        }
    }

    /// The file or directory concerned, if there is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Repr::NotPreCreated { path, .. }
            | Repr::Write { path, .. }
            | Repr::Create { path, .. }
            | Repr::Io { path, .. }
            | Repr::Number { path, .. } => Some(path),
            _ => None,
        }
    }

    /// The error number of the kernel, if it refused something.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        match &self.0 {
            Repr::NotPreCreated { cause, .. }
            | Repr::Write { cause, .. }
            | Repr::Create { cause, .. } => cause.raw_os_error(),
            Repr::Io { source, .. } => source.raw_os_error(),
            _ => None,
        }
    }

    /// Whether something does not exist (`ENOENT`).
    pub(crate) fn is_not_found(&self) -> bool {
        self.raw_os_error() == Some(rustix::io::Errno::NOENT.raw_os_error())
    }
}

fn status_text(status: Option<&str>) -> String {
    status.map_or_else(String::new, |status| format!(", last_cmd_status: {status}"))
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
        std::error::Error::source(&self.0)
    }
}

impl From<Repr> for Error {
    fn from(repr: Repr) -> Self {
        Self(repr)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_apart_and_can_be_printed_with_it() {
        let error = Error::io("open", "/a", io::Error::from_raw_os_error(13));
        assert_eq!(error.to_string(), "open /a");
        let whole = "open /a: Permission denied (os error 13)";
        assert_eq!(format!("{error:#}"), whole);
        assert_eq!(error.raw_os_error(), Some(13));
        let error = io::Error::from(error);
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        let own = error.get_ref().and_then(|own| own.downcast_ref::<Error>());
        assert!(own.is_some(), "{error:?}");
    }
}
