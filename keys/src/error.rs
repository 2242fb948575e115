use std::io;

/// A [`std::result::Result`] with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The kernel has no keys (`ENOSYS`), or a seccomp filter says so.
    Unsupported,
    /// The user's quota of keys or key bytes is used up (`EDQUOT`; `/proc/sys/kernel/keys/`).
    Quota,
    /// The kernel refused for another reason; [`Error::raw_os_error`] says which.
    Io,
    /// The kernel's description of a key has not the documented form.
    Malformed,
}

/// Why an operation on keys failed.
///
/// The text is one line without the cause; the kernel's answer is the [`source`](std::error::Error::source).
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(#[from] Repr);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Repr {
    #[error("unable to create session key")]
    Join(#[source] io::Error),
    #[error("{operation} key {serial}")]
    Key {
        operation: &'static str,
        serial: i32,
        source: io::Error,
    },
    #[error("find key {description:?}")]
    Request {
        description: String,
        source: io::Error,
    },
    #[error("unexpected key description {0:?}")]
    Description(String),
}

impl Error {
    fn cause(&self) -> Option<&io::Error> {
        match &self.0 {
            Repr::Join(source) | Repr::Key { source, .. } | Repr::Request { source, .. } => {
                Some(source)
            }
            Repr::Description(_) => None,
        }
    }

    /// The class of the failure.
    pub fn kind(&self) -> ErrorKind {
        match self.cause().map(io::Error::raw_os_error) {
            None => ErrorKind::Malformed,
            Some(Some(libc::ENOSYS)) => ErrorKind::Unsupported,
            Some(Some(libc::EDQUOT)) => ErrorKind::Quota,
            Some(_) => ErrorKind::Io,
        }
    }

    /// The error number of the kernel, if it refused something.
    pub fn raw_os_error(&self) -> Option<i32> {
        self.cause().and_then(io::Error::raw_os_error)
    }
}
