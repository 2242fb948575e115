use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A failure of this crate: what was attempted, on which file, and why it did not work.
///
/// Its text is one line without the cause, which is its [`source`](std::error::Error::source), and
/// which `{:#}` appends. It turns into an [`io::Error`].
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    path: Option<PathBuf>,
    source: Option<Source>,
}

/// The cause of an [`Error`].
type Source = Box<dyn std::error::Error + Send + Sync>;

/// What went wrong, for programs that decide on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The kernel refused an operation on a cgroup file or directory; see [`Error::raw_os_error`].
    Io,
    /// The configuration asks for something that contradicts itself or the kernel's ranges.
    InvalidConfig,
    /// A path or file name that would lead out of the cgroup, or is not well formed.
    InvalidPath,
    /// Saved paths that cannot belong to one cgroup.
    InconsistentPaths,
    /// A saved path is in a hierarchy that is not mounted here, or that another mount covers.
    NotMounted,
    /// A file of the kernel is not in the documented format.
    Parse,
    /// The kernel, this build or the machine does not offer what was asked for.
    Unsupported,
    /// A limit was asked for, but its controller has no cgroup of ours.
    NoController,
    /// The calling user may not create the cgroup, and limits need it.
    Rootless,
    /// There are processes in the cgroup.
    NotEmpty,
    /// The cgroup is frozen.
    Frozen,
    /// The cgroup does not exist (any more).
    NotFound,
    /// A memory limit is below what is in use already.
    LimitBelowUsage,
    /// Something did not happen within its time.
    Timeout,
    /// The device rules cannot be expressed, or the kernel refused the device program.
    Devices,
    /// systemd refused, or could not be reached.
    Systemd,
}

impl Error {
    /// The error of a limit whose controller has no cgroup.
    pub(crate) fn no_cgroup(controller: &str) -> Self {
        Self::new(
            ErrorKind::NoController,
            format_args!(
                "cannot set {controller} limit: container could not join or create cgroup"
            ),
        )
    }

    pub(crate) fn new(kind: ErrorKind, message: impl fmt::Display) -> Self {
        Self {
            kind,
            message: message.to_string(),
            path: None,
            source: None,
        }
    }

    pub(crate) fn gone(cgroup: &Path) -> Self {
        Self::new(
            ErrorKind::NotFound,
            format_args!("cgroup {} does not exist", cgroup.display()),
        )
    }

    /// A failed system call; "not there" is a kind of its own.
    pub(crate) fn io(
        message: impl fmt::Display,
        path: impl Into<PathBuf>,
        source: impl Into<io::Error>,
    ) -> Self {
        let source = source.into();
        let kind = match source.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR | libc::ENODEV) => ErrorKind::NotFound,
            _ => ErrorKind::Io,
        };
        Self {
            kind,
            message: message.to_string(),
            path: Some(path.into()),
            source: Some(Box::new(source)),
        }
    }

    /// A failure caused by another one.
    pub(crate) fn because(
        kind: ErrorKind,
        message: impl fmt::Display,
        source: impl Into<Source>,
    ) -> Self {
        Self {
            source: Some(source.into()),
            ..Self::new(kind, message)
        }
    }

    /// The class of the failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The file or directory it happened on.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The errno of the kernel, when the kernel was the one to refuse.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        let mut source: Option<&(dyn std::error::Error + 'static)> = match &self.source {
            Some(source) => Some(&**source),
            None => None,
        };
        while let Some(error) = source {
            if let Some(io) = error.downcast_ref::<io::Error>() {
                return io.raw_os_error();
            }
            source = error.source();
        }
        None
    }

    pub(crate) fn is_permission(&self) -> bool {
        matches!(
            self.raw_os_error(),
            Some(libc::EPERM | libc::EACCES | libc::EROFS)
        )
    }

    /// Whether the kernel said that a path is not there: the only errnos that mean it.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR))
    }

    /// Whether the kernel said that a cgroup or its file is not there, or, to an open file, that
    /// its cgroup is gone (`ENODEV`).
    pub(crate) fn is_not_found(&self) -> bool {
        self.kind == ErrorKind::NotFound
            || self.is_absence()
            || self.raw_os_error() == Some(libc::ENODEV)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
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

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;
