use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A [`std::result::Result`] with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure an [`Error`] is: what a program can decide on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The kernel refused an operation; [`Error::raw_os_error`] says why.
    Io,
    /// The file is a directory, device, FIFO or socket, or it lives on procfs.
    NotAFile,
    /// A file, line or entry count is above its limit.
    TooLarge,
    /// A text is not an id, or an id is out of range.
    InvalidId,
    /// A `user[:group]` text has the wrong shape, or a path has a `..` component.
    InvalidSpec,
    /// No entry has the wanted name.
    NotFound,
    /// The entry that decides has an unusable field.
    Malformed,
    /// An id map is empty where it must not be, overlaps, overflows or is too long for the kernel.
    InvalidMap,
}

/// Why an operation of this crate failed.
///
/// `{}` is one line that says what was attempted on what; the cause is the
/// [`source`](std::error::Error::source), which `{:#}` appends. It turns into an [`io::Error`].
#[derive(Debug)]
pub struct Error(Repr);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Repr {
    #[error("{operation} {}", path.display())]
    Io {
        operation: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("{} is not a regular file of an ordinary file system", path.display())]
    NotAFile { path: PathBuf },
    #[error("{} is larger than {limit} bytes", path.display())]
    FileTooLarge { path: PathBuf, limit: u64 },
    #[error("line {line} is longer than {limit} bytes")]
    LineTooLong { line: usize, limit: usize },
    #[error("more than {limit} entries")]
    TooManyEntries { limit: usize },
    #[error("bad {what}: {text:?} is not a decimal number from 0 to 4294967294")]
    BadId { what: &'static str, text: String },
    #[error("{what} {id} is not listed and above 2147483647")]
    UnlistedIdTooLarge { what: &'static str, id: u32 },
    #[error("bad user specification {0:?}: expected user[:group]")]
    BadSpec(String),
    #[error("path {0:?} has a parent component")]
    ParentComponent(PathBuf),
    #[error("unable to find user {0}: no matching entries in passwd file")]
    NoUser(String),
    #[error("unable to find group {0}: no matching entries in group file")]
    NoGroup(String),
    // The capital letter is in the text that callers of the reference implementation match.
    #[error("Unable to find group {0}: no matching entries in group file")]
    NoAdditionalGroup(String),
    #[error("the {file} entry of {name} has no valid {field}")]
    BadEntry {
        file: &'static str,
        name: String,
        field: &'static str,
    },
    #[error("id map line {line:?} is not three decimal numbers")]
    BadMapLine { line: String },
    #[error("id map range {range} {problem}")]
    BadMapRange {
        range: String,
        problem: &'static str,
    },
    #[error("id map ranges {first} and {second} overlap")]
    MapOverlap { first: String, second: String },
    #[error("id map has no range")]
    EmptyMap,
    #[error("id map has {count} ranges; the kernel takes at most {limit}")]
    TooManyMapRanges { count: usize, limit: usize },
    #[error("id map text has {length} bytes; the kernel takes less than {limit}")]
    MapTextTooLong { length: usize, limit: usize },
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
            Repr::Io { .. } => ErrorKind::Io,
            Repr::NotAFile { .. } => ErrorKind::NotAFile,
            Repr::FileTooLarge { .. } | Repr::LineTooLong { .. } | Repr::TooManyEntries { .. } => {
                ErrorKind::TooLarge
            }
            Repr::BadId { .. } | Repr::UnlistedIdTooLarge { .. } => ErrorKind::InvalidId,
            Repr::BadSpec(_) | Repr::ParentComponent(_) => ErrorKind::InvalidSpec,
            Repr::NoUser(_) | Repr::NoGroup(_) | Repr::NoAdditionalGroup(_) => ErrorKind::NotFound,
            Repr::BadEntry { .. } => ErrorKind::Malformed,
            Repr::BadMapLine { .. }
            | Repr::BadMapRange { .. }
            | Repr::MapOverlap { .. }
            | Repr::EmptyMap
            | Repr::TooManyMapRanges { .. }
            | Repr::MapTextTooLong { .. } => ErrorKind::InvalidMap,
        }
    }

    /// The operation that the kernel refused, such as `open`.
    #[must_use]
    pub fn operation(&self) -> Option<&'static str> {
        match &self.0 {
            Repr::Io { operation, .. } => Some(operation),
            _ => None,
        }
    }

    /// The file concerned, if there is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Repr::Io { path, .. }
            | Repr::NotAFile { path }
            | Repr::FileTooLarge { path, .. }
            | Repr::ParentComponent(path) => Some(path),
            _ => None,
        }
    }

    /// The error number of the kernel, if it refused something.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        match &self.0 {
            Repr::Io { source, .. } => source.raw_os_error(),
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
        let error = Error::from(Repr::Io {
            operation: "open",
            path: "/a".into(),
            source: io::Error::from_raw_os_error(13),
        });
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
