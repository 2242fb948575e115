use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A [`std::result::Result`] with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A label is asked for where SELinux is off or absent.
    Disabled,
    /// A text is neither a label nor a level.
    InvalidLabel,
    /// Every pair of categories is taken.
    Exhausted,
    /// A directory of the host system, which must keep its labels.
    Protected,
    /// A tree has more files or levels than allowed.
    TooLarge,
    /// The policy, or libselinux, gave no answer.
    Policy,
    /// The kernel refused an operation; [`Error::raw_os_error`] says why.
    Io,
}

/// Why an operation of this crate failed.
///
/// `{}` is one line that says what was attempted on what; the cause is the
/// [`source`](std::error::Error::source), which `{:#}` appends. It turns into an [`io::Error`].
#[derive(Debug)]
pub struct Error(Repr);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Repr {
    #[error("selinux is disabled or not supported")]
    Disabled,
    #[error("bad selinux label {label:?}: {problem}")]
    Label {
        label: String,
        problem: &'static str,
    },
    #[error("bad selinux level {0:?}")]
    Level(String),
    #[error("no pair of selinux categories is free")]
    Exhausted,
    #[error("relabelling {} is not allowed", .0.display())]
    Protected(PathBuf),
    #[error("more than {limit} {what} to relabel")]
    TooLarge { what: &'static str, limit: usize },
    #[error("{operation} {}", path.display())]
    Io {
        operation: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("write selinux label to {}", path.display())]
    Attribute {
        path: &'static Path,
        source: io::Error,
    },
    #[error("label of {}", path.display())]
    File { path: PathBuf, source: xattr::Error },
    #[cfg(feature = "libselinux")]
    #[error("{operation}: {message}")]
    Policy {
        operation: &'static str,
        message: String,
    },
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
            Repr::Disabled => ErrorKind::Disabled,
            Repr::Label { .. } | Repr::Level(_) => ErrorKind::InvalidLabel,
            Repr::Exhausted => ErrorKind::Exhausted,
            Repr::Protected(_) => ErrorKind::Protected,
            Repr::TooLarge { .. } => ErrorKind::TooLarge,
            Repr::Io { .. } | Repr::Attribute { .. } | Repr::File { .. } => ErrorKind::Io,
            #[cfg(feature = "libselinux")]
            Repr::Policy { .. } => ErrorKind::Policy,
        }
    }

    /// The file concerned, if there is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Repr::Protected(path) | Repr::Io { path, .. } | Repr::File { path, .. } => Some(path),
            Repr::Attribute { path, .. } => Some(path),
            _ => None,
        }
    }

    /// The error number of the kernel, if it refused something.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        match &self.0 {
            Repr::Io { source, .. } | Repr::Attribute { source, .. } => source.raw_os_error(),
            Repr::File { source, .. } => source.raw_os_error(),
            _ => None,
        }
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
