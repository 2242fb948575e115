//! The error of every fallible function of this crate.

mod era;

use std::error::Error as StdError;
use std::fmt;
use std::io;

pub use era::Era;

use crate::missing_calls::MissingCalls;

/// A specialised `Result`.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn StdError + Send + Sync + 'static>;

/// What went wrong, and while doing what.
///
/// Its `Display` is one line that does not repeat the source; `{:#}` and [`Error::chain`] append
/// it, and it is [`source`](StdError::source). Match on [`Error::kind`] to react to it. It turns
/// into an [`io::Error`].
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<Source>,
    warnings: Vec<String>,
    subject: Option<Subject>,
}

/// What an init process was given by its caller and could not use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The program: it is not there, or cannot be executed.
    Program,
    /// The directory that it should have begun in.
    WorkingDirectory,
}

/// The class of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The id breaks the rules of [`ContainerId`](crate::ContainerId).
    InvalidId,
    /// A container with this id exists.
    AlreadyExists,
    /// No container with this id exists (any more).
    NotFound,
    /// The configuration or the process cannot be used as given; the message names the field.
    InvalidConfig,
    /// Asked for something that this version or the running kernel does not offer; the message
    /// names it.
    Unsupported,
    /// The container is not running (or created).
    NotRunning,
    /// The container still runs.
    StillRunning,
    /// The container is paused.
    Paused,
    /// The container is not paused.
    NotPaused,
    /// The container was started before, or is in another state that does not allow this.
    InvalidState,
    /// The cgroup intended for the container has processes in it or is frozen.
    CgroupInUse,
    /// The container's cgroup does not exist.
    CgroupNotFound,
    /// The kernel killed the init process of the container because its memory limit is too low for
    /// starting.
    OomKilled,
    /// A hook failed or ran into its timeout.
    Hook,
    /// The state file of the container cannot be read as one.
    CorruptState,
    /// Something did not happen in time.
    Timeout,
    /// CRIU did not dump or restore; the message names its log, and the warnings quote it.
    Criu,
    /// The init process failed while it prepared the container; the message names the step.
    Init,
    /// A system call or another part of the system failed.
    System,
}

impl Error {
    /// The container does not exist.
    pub(crate) fn no_container() -> Self {
        Self::new(ErrorKind::NotFound, "container does not exist")
    }

    /// The id is in use.
    pub(crate) fn container_exists() -> Self {
        Self::new(
            ErrorKind::AlreadyExists,
            "container with given ID already exists",
        )
    }

    /// An error without source.
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            source: None,
            warnings: Vec::new(),
            subject: None,
        }))
    }

    /// An error with source. `message` must not repeat what the source says.
    pub(crate) fn with(
        kind: ErrorKind,
        message: impl Into<String>,
        source: impl Into<Source>,
    ) -> Self {
        let mut source = source.into();
        // One of this type is explained already.
        if !source.is::<Self>() && errno_of(&*source) == Some(libc::ENOSYS) {
            source = MissingCalls::explain(source);
        }
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            source: Some(source),
            warnings: Vec::new(),
            subject: None,
        }))
    }

    /// A failed system call or a failure of another crate: kind [`ErrorKind::System`].
    pub(crate) fn system(operation: impl Into<String>, source: impl Into<Source>) -> Self {
        Self::with(ErrorKind::System, operation, source)
    }

    /// A field of the configuration that cannot be used. The message may quote it.
    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidConfig, in_one_line(message.into()))
    }

    /// Wraps this error in one that says what was being done, keeping its kind.
    pub(crate) fn context(mut self, operation: impl Into<String>) -> Self {
        let warnings = std::mem::take(&mut self.0.warnings);
        Self::with(self.kind(), operation, self).with_warnings(warnings)
    }

    /// Says what it is about, for [`Command`](crate::Command), whose callers do not know the
    /// configuration.
    pub(crate) fn about(mut self, subject: Subject) -> Self {
        self.0.subject = Some(subject);
        self
    }

    /// The error at the depth of the chain that says what it is about; this one, if none does.
    pub(crate) fn with_subject(self) -> Result<(Subject, Self), Self> {
        if let Some(subject) = self.0.subject {
            return Ok((subject, self));
        }
        let Inner {
            kind,
            message,
            source,
            warnings,
            subject,
        } = *self.0;
        let source = match source.map(|source| source.downcast::<Self>()) {
            Some(Ok(inner)) => match inner.with_subject() {
                Ok((subject, found)) => return Ok((subject, found.with_warnings(warnings))),
                Err(inner) => Some(inner.into()),
            },
            Some(Err(other)) => Some(other),
            None => None,
        };
        Err(Self(Box::new(Inner {
            kind,
            message,
            source,
            warnings,
            subject,
        })))
    }

    /// The same with something in front of its message.
    pub(crate) fn prefixed(mut self, prefix: &str) -> Self {
        self.0.message.insert_str(0, prefix);
        self
    }

    /// Adds the warnings from before it failed.
    pub(crate) fn with_warnings(mut self, warnings: Vec<String>) -> Self {
        self.0.warnings.extend(warnings);
        self
    }

    /// What was found questionable before this error ended everything: what
    /// [`Container::warnings`](crate::Container::warnings) and
    /// [`Child::warnings`](crate::Child::warnings) tell of a success.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.0.warnings
    }

    /// The class of this error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The error number of the system call at the end of the chain, if there is one.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        errno_of(self)
    }

    /// The messages of this error and all its sources, joined by `: ` — what a command line prints.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut next = self.source();
        while let Some(error) = next {
            let message = error.to_string();
            // A transparent wrapper says the same as what it wraps.
            if !text.ends_with(&message) {
                text.push_str(": ");
                text.push_str(&message);
            }
            next = error.source();
        }
        text
    }
}

/// A text with its control characters escaped: a line break in a value that is quoted would
/// otherwise begin what looks like another message.
fn in_one_line(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    let mut line = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        if letter.is_control() {
            line.extend(letter.escape_default());
        } else {
            line.push(letter);
        }
    }
    line
}

/// The error number of the system call at the end of a chain.
fn errno_of(error: &(dyn StdError + 'static)) -> Option<i32> {
    let mut next = Some(error);
    let mut found = None;
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            found = io.raw_os_error().or(found);
        } else if let Some(errno) = error.downcast_ref::<rustix::io::Errno>() {
            found = Some(errno.raw_os_error());
        }
        next = error.source();
    }
    found
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return f.write_str(&self.chain());
        }
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("source", &self.0.source)
            .field("warnings", &self.0.warnings)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_ref()
            .map(|source| &**source as &(dyn StdError + 'static))
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
    fn a_value_that_is_quoted_does_not_begin_a_line() {
        let error = Error::config("environment variable \"a\nb\": größe\x1b");
        assert_eq!(
            error.to_string(),
            "environment variable \"a\\nb\": größe\\u{1b}"
        );
    }

    #[test]
    fn the_chain_is_printed_once_and_the_errno_found() {
        let error = Error::system("open /x", io::Error::from_raw_os_error(libc::ENOENT))
            .context("create container");
        assert_eq!(error.to_string(), "create container");
        assert_eq!(
            error.chain(),
            "create container: open /x: No such file or directory (os error 2)"
        );
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
        assert_eq!(error.kind(), ErrorKind::System);
    }

    #[test]
    fn context_keeps_the_kind() {
        let error = Error::new(ErrorKind::Paused, "container paused").context("delete");
        assert_eq!(error.kind(), ErrorKind::Paused);
        assert_eq!(error.raw_os_error(), None);
    }

    #[test]
    fn warnings_are_carried_to_the_outermost_error() {
        let error = Error::new(ErrorKind::Init, "step")
            .with_warnings(vec!["one".to_owned()])
            .context("start")
            .with_warnings(vec!["two".to_owned()])
            .context("create");
        assert_eq!(error.warnings(), ["one", "two"]);
        assert_eq!(error.chain(), "create: start: step");
    }

    #[test]
    fn what_an_error_is_about_is_found_at_its_depth() {
        let cause = || io::Error::from_raw_os_error(libc::EACCES);
        let error = Error::with(ErrorKind::Init, "exec", cause())
            .about(Subject::Program)
            .context("init")
            .with_warnings(vec!["one".to_owned()])
            .context("create");
        let (subject, found) = error.with_subject().unwrap();
        assert_eq!(subject, Subject::Program);
        assert_eq!(
            found.prefixed("new: ").chain(),
            "new: exec: Permission denied (os error 13)"
        );

        let error = Error::with(ErrorKind::Init, "mount", cause()).context("create");
        let same = error.with_subject().unwrap_err();
        assert_eq!(
            same.chain(),
            "create: mount: Permission denied (os error 13)"
        );
    }

    #[test]
    fn the_error_can_cross_threads() {
        fn check<T: Send + Sync + 'static>() {}
        check::<Error>();
    }
}
