use std::fmt;
use std::io;
use std::path::PathBuf;

/// A [`std::result::Result`] with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A name, address or number that cannot be one.
    Invalid,
    /// The link, address or route does not exist.
    NotFound,
    /// There is one of this name, address or destination already.
    Exists,
    /// The right is missing: `CAP_NET_ADMIN` in the namespace concerned.
    Denied,
    /// The kernel did not answer in time.
    TimedOut,
    /// The kernel, or a sender in its name, broke the protocol.
    Protocol,
    /// The kernel refused for another reason; [`Error::raw_os_error`] says which.
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
    #[error("bad interface name {0:?}")]
    Name(String),
    #[error("bad MAC address {0:?}")]
    Mac(String),
    #[error("{0} is a multicast address")]
    MulticastMac(String),
    #[error("bad CIDR address {0:?}")]
    Cidr(String),
    #[error("Invalid {what} for route: {text}")]
    RouteText { what: &'static str, text: String },
    #[error("route {0}")]
    Route(&'static str),
    #[error("an alias of {0} bytes is longer than 254")]
    Alias(usize),
    #[error("vlan id {0} is not in 0..4095")]
    VlanId(u16),
    #[error("{operation}{}", explanation.as_deref().map(|text| format!(" ({text})")).unwrap_or_default())]
    Refused {
        operation: String,
        /// What the kernel says beyond the error number.
        explanation: Option<String>,
        source: io::Error,
    },
    #[error("{operation}")]
    Io {
        operation: String,
        source: io::Error,
    },
    #[error("{operation}: {problem}")]
    Protocol {
        operation: String,
        problem: &'static str,
    },
    #[error("move netDevice {device} to namespace {}", namespace.display())]
    Move {
        device: String,
        namespace: PathBuf,
        source: Box<Error>,
    },
}

impl Error {
    pub(crate) fn io(operation: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self(Repr::Io {
            operation: operation.into(),
            source: source.into(),
        })
    }

    /// The class of the failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match &self.0 {
            Repr::Name(_)
            | Repr::Mac(_)
            | Repr::MulticastMac(_)
            | Repr::Cidr(_)
            | Repr::RouteText { .. }
            | Repr::Route(_)
            | Repr::Alias(_)
            | Repr::VlanId(_) => ErrorKind::Invalid,
            Repr::Protocol { .. } => ErrorKind::Protocol,
            Repr::Move { source, .. } => source.kind(),
            Repr::Refused { source, .. } | Repr::Io { source, .. } => match source.raw_os_error() {
                Some(libc::ENODEV | libc::ENOENT | libc::ESRCH | libc::EADDRNOTAVAIL) => {
                    ErrorKind::NotFound
                }
                Some(libc::EEXIST) => ErrorKind::Exists,
                Some(libc::EPERM | libc::EACCES) => ErrorKind::Denied,
                Some(libc::EAGAIN | libc::ETIMEDOUT) => ErrorKind::TimedOut,
                _ => ErrorKind::Io,
            },
        }
    }

    /// The error number of the kernel, if it refused something.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        match &self.0 {
            Repr::Refused { source, .. } | Repr::Io { source, .. } => source.raw_os_error(),
            Repr::Move { source, .. } => source.raw_os_error(),
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
        let error = Error::io("list links", io::Error::from_raw_os_error(13));
        assert_eq!(error.to_string(), "list links");
        let whole = "list links: Permission denied (os error 13)";
        assert_eq!(format!("{error:#}"), whole);
        assert_eq!(error.raw_os_error(), Some(13));
        let error = io::Error::from(error);
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        let own = error.get_ref().and_then(|own| own.downcast_ref::<Error>());
        assert!(own.is_some(), "{error:?}");
    }
}
