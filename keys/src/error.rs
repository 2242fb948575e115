use std::fmt;
use std::io;

/// A [`std::result::Result`] with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The kernel has no keys (`ENOSYS`), or a seccomp filter says so.
    Unsupported,
    /// The user's quota of keys or key bytes is used up (`EDQUOT`; `/proc/sys/kernel/keys/`).
    Quota,
    /// The key does not exist (`ENOKEY`).
    NotFound,
    /// The key has expired or was revoked (`EKEYEXPIRED`, `EKEYREVOKED`).
    Expired,
    /// The key, or the key to be added, was rejected (`EKEYREJECTED`), as by a keyring that takes
    /// signed keys only.
    Rejected,
    /// The key's permissions do not allow it (`EACCES`), or a security module (`EPERM`).
    Denied,
    /// The kernel refused for another reason; [`Error::raw_os_error`] says which.
    Io,
    /// The kernel's description of a key has not the documented form.
    Malformed,
}

/// Why an operation of this crate failed.
///
/// `{}` is one line that says what was attempted on what; the cause is the
/// [`source`](std::error::Error::source), which `{:#}` appends. It turns into an [`io::Error`].
#[derive(Debug)]
pub struct Error(Repr);

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
    #[error("{operation} key {key} {preposition} keyring {keyring}")]
    InKeyring {
        operation: &'static str,
        key: String,
        preposition: &'static str,
        keyring: i32,
        source: io::Error,
    },
    #[error("unexpected key description {0:?}")]
    Description(String),
}

impl Error {
    fn cause(&self) -> Option<&io::Error> {
        match &self.0 {
            Repr::Join(source)
            | Repr::Key { source, .. }
            | Repr::Request { source, .. }
            | Repr::InKeyring { source, .. } => Some(source),
            Repr::Description(_) => None,
        }
    }

    /// The class of the failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self.cause().map(io::Error::raw_os_error) {
            None => ErrorKind::Malformed,
            Some(Some(libc::ENOSYS)) => ErrorKind::Unsupported,
            Some(Some(libc::EDQUOT)) => ErrorKind::Quota,
            Some(Some(libc::ENOKEY)) => ErrorKind::NotFound,
            Some(Some(libc::EKEYEXPIRED | libc::EKEYREVOKED)) => ErrorKind::Expired,
            Some(Some(libc::EKEYREJECTED)) => ErrorKind::Rejected,
            Some(Some(libc::EACCES | libc::EPERM)) => ErrorKind::Denied,
            Some(_) => ErrorKind::Io,
        }
    }

    /// The error number of the kernel, if it refused something.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        self.cause().and_then(io::Error::raw_os_error)
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
        let error = Error::from(Repr::Key {
            operation: "describe",
            serial: 7,
            source: io::Error::from_raw_os_error(13),
        });
        assert_eq!(error.to_string(), "describe key 7");
        let whole = "describe key 7: Permission denied (os error 13)";
        assert_eq!(format!("{error:#}"), whole);
        assert_eq!(error.raw_os_error(), Some(13));
        let error = io::Error::from(error);
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        let own = error.get_ref().and_then(|own| own.downcast_ref::<Error>());
        assert!(own.is_some(), "{error:?}");
    }
}
