use std::io;
use std::path::{Path, PathBuf};

/// A [`std::result::Result`] with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A label is asked for where SELinux is off or absent.
    Disabled,
    /// A text is no label or no level.
    InvalidLabel,
    /// Every pair of categories is taken.
    Exhausted,
    /// A directory of the host system that nobody should relabel.
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
/// The text is one line without the cause; the cause, if there is one, is the [`source`](std::error::Error::source).
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(#[from] Repr);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Repr {
    #[error("selinux label is specified in config, but selinux is disabled or not supported")]
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
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Repr::Protected(path) | Repr::Io { path, .. } | Repr::File { path, .. } => Some(path),
            Repr::Attribute { path, .. } => Some(path),
            _ => None,
        }
    }

    /// The error number of the kernel, if it refused something.
    pub fn raw_os_error(&self) -> Option<i32> {
        match &self.0 {
            Repr::Io { source, .. } | Repr::Attribute { source, .. } => source.raw_os_error(),
            Repr::File { source, .. } => source.raw_os_error(),
            _ => None,
        }
    }
}
