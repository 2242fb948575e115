use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// A [`std::result::Result`] with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A name or mode that cannot be one.
    InvalidProfile,
    /// The kernel did not take the profile; [`Error::raw_os_error`] says why. `ENOENT` is an
    /// unknown profile.
    Apply,
    /// The kernel did not take the profile because AppArmor is not enabled, or not compiled in.
    Disabled,
    /// `apparmor_parser` refused the policy, or could not be run.
    Parser,
    /// Another operation that the kernel refused.
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
    #[error("apparmor profile name {name:?} {problem}")]
    Name { name: String, problem: &'static str },
    #[error("apparmor failed to apply profile")]
    Apply { path: PathBuf, source: io::Error },
    #[error("apparmor failed to apply profile: apparmor is not enabled")]
    Disabled { path: PathBuf, source: io::Error },
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

    /// What a profile that was not applied is a failure of where AppArmor is not enabled.
    pub(crate) fn without_apparmor(self) -> Self {
        match self.0 {
            Repr::Apply { path, source } => Self(Repr::Disabled { path, source }),
            _ => self,
        }
    }

    /// The class of the failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match &self.0 {
            Repr::Name { .. } => ErrorKind::InvalidProfile,
            Repr::Apply { .. } => ErrorKind::Apply,
            Repr::Disabled { .. } => ErrorKind::Disabled,
            Repr::Run { .. } | Repr::Parser { .. } => ErrorKind::Parser,
            Repr::Io { .. } | Repr::NotProcfs { .. } => ErrorKind::Io,
        }
    }

    /// The file or program concerned, if there is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Repr::Name { .. } => None,
            Repr::Apply { path, .. }
            | Repr::Disabled { path, .. }
            | Repr::Io { path, .. }
            | Repr::NotProcfs { path }
            | Repr::Run { program: path, .. }
            | Repr::Parser { program: path, .. } => Some(path),
        }
    }

    /// The error number of the kernel, if it refused something.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        match &self.0 {
            Repr::Apply { source, .. }
            | Repr::Disabled { source, .. }
            | Repr::Io { source, .. }
            | Repr::Run { source, .. } => source.raw_os_error(),
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
