use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// A [`std::result::Result`] with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A name or mode that cannot be one.
    InvalidProfile,
    /// The kernel did not take the profile; [`Error::raw_os_error`] says why. `ENOENT` is an unknown profile,
    /// `EINVAL` a kernel without AppArmor.
    Apply,
    /// `apparmor_parser` refused the policy, or could not be run.
    Parser,
    /// Another operation that the kernel refused.
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
    #[error("apparmor profile name {name:?} {problem}")]
    Name { name: String, problem: &'static str },
    #[error("apparmor failed to apply profile")]
    Apply { path: PathBuf, source: io::Error },
    #[error("{operation} {}", path.display())]
    Io {
        operation: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("{} is not on procfs", path.display())]
    NotProcfs { path: PathBuf },
    #[error("run {}", program.display())]
    Run { program: PathBuf, source: io::Error },
    #[error("{} ended with {status}: {message}", program.display())]
    Parser {
        program: PathBuf,
        status: ExitStatus,
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
            Repr::Name { .. } => ErrorKind::InvalidProfile,
            Repr::Apply { .. } => ErrorKind::Apply,
            Repr::Run { .. } | Repr::Parser { .. } => ErrorKind::Parser,
            Repr::Io { .. } | Repr::NotProcfs { .. } => ErrorKind::Io,
        }
    }

    /// The file or program concerned, if there is one.
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Repr::Name { .. } => None,
            Repr::Apply { path, .. }
            | Repr::Io { path, .. }
            | Repr::NotProcfs { path }
            | Repr::Run { program: path, .. }
            | Repr::Parser { program: path, .. } => Some(path),
        }
    }

    /// The error number of the kernel, if it refused something.
    pub fn raw_os_error(&self) -> Option<i32> {
        match &self.0 {
            Repr::Apply { source, .. } | Repr::Io { source, .. } | Repr::Run { source, .. } => {
                source.raw_os_error()
            }
            _ => None,
        }
    }
}
