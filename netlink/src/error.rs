use std::io;
use std::path::PathBuf;

/// A [`std::result::Result`] with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A name, address or number that cannot be one.
    Invalid,
    /// There is no such link, address or route.
    NotFound,
    /// There is one of this name, address or destination already.
    Exists,
    /// The right is missing: `CAP_NET_ADMIN` in the namespace concerned.
    Denied,
    /// The kernel did not answer in time.
    TimedOut,
    /// The kernel, or whoever pretends to be it, broke the protocol.
    Protocol,
    /// The kernel refused for another reason; [`Error::raw_os_error`] says which.
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
    #[error("{operation}{}", words.as_deref().map(|words| format!(" ({words})")).unwrap_or_default())]
    Refused {
        operation: String,
        /// What the kernel says beyond the error number.
        words: Option<String>,
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
    pub fn raw_os_error(&self) -> Option<i32> {
        match &self.0 {
            Repr::Refused { source, .. } | Repr::Io { source, .. } => source.raw_os_error(),
            Repr::Move { source, .. } => source.raw_os_error(),
            _ => None,
        }
    }
}
