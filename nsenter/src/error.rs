//! The error of this crate.

use std::borrow::Cow;
use std::fmt;
use std::io;

use crate::plan::{Op, Plan};

/// The result of an operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an [`Answers`](crate::Answers) method did not do what the stub asked for.
pub type Refusal = Box<dyn std::error::Error + Send + Sync>;

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The plan breaks a rule, or encoded bytes are not a plan.
    Plan,
    /// A system call of the parent failed; [`Error::raw_os_error`] has the errno.
    System,
    /// A step of the plan failed in the stub; [`Error::failure`] says which.
    Step,
    /// An [`Answers`](crate::Answers) method refused; its reason is the source.
    Refused,
    /// The stub made no progress within the deadline.
    Timeout,
    /// The cgroup in which the stub is to start is frozen, by itself or from above.
    Frozen,
    /// The stub ended before it had run its plan.
    Died,
    /// The stub sent something that its plan does not ask for.
    Protocol,
    /// An id map is wrong or could not be written.
    IdMap,
    /// A namespace is unknown, unsupported, or not what it should be.
    Namespace,
    /// A process is gone, or is another one than the recorded one.
    Process,
}

/// A step of a plan that failed in the stub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    index: usize,
    op: Op,
    context: String,
    errno: i32,
    detail: Vec<u8>,
}

impl Failure {
    /// The failure of this step of the plan; `None` if the plan has no such step.
    pub(crate) fn new(plan: &Plan, index: u32, errno: i32, detail: &[u8]) -> Option<Self> {
        let index = usize::try_from(index).ok()?;
        let step = plan.steps().get(index)?;
        Some(Self {
            index,
            op: step.op.clone(),
            context: step.context.clone(),
            errno,
            detail: detail.to_vec(),
        })
    }

    /// The index of the step.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The operation.
    pub fn op(&self) -> &Op {
        &self.op
    }

    /// What the plan calls the step, such as `mount proc at /proc`.
    pub fn context(&self) -> &str {
        &self.context
    }

    /// The errno of the first system call that failed; 0 if the step failed for another reason than
    /// a system call.
    pub fn errno(&self) -> i32 {
        self.errno
    }

    /// More about it, at most 256 bytes; the documentation of each [`Op`] says what. Untrusted: it
    /// may hold anything.
    pub fn detail(&self) -> &[u8] {
        &self.detail
    }

    /// The detail without the mark that file systems put before the messages of their log: `e`, `w`
    /// or `i` and a space, for an error, a warning or an information (`fs_context_operations`
    /// in the kernel's `filesystems/mount_api.rst`).
    fn message(&self) -> Cow<'_, [u8]> {
        match (&self.op, self.detail.as_slice()) {
            (
                Op::NewMount { .. } | Op::Reconfigure { .. } | Op::CheckOptions { .. },
                [b'e' | b'w' | b'i', b' ', message @ ..],
            ) => Cow::Borrowed(message),
            (_, detail) => self.in_words().unwrap_or(Cow::Borrowed(detail)),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.context)?;
        if !self.detail.is_empty() {
            write!(f, " ({})", Readable(&self.message()))?;
        }
        Ok(())
    }
}

/// Bytes from the stub as one line of text.
struct Readable<'a>(&'a [u8]);

impl fmt::Display for Readable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for letter in chunk.valid().chars() {
                if letter.is_control() {
                    write!(f, "{}", letter.escape_default())?;
                } else {
                    write!(f, "{letter}")?;
                }
            }
            write!(f, "{}", chunk.invalid().escape_ascii())?;
        }
        Ok(())
    }
}

/// An error of this crate.
///
/// Its text is one line without the cause, which is its [`source`](std::error::Error::source), and
/// which `{:#}` appends. It turns into an [`io::Error`].
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    repr: Box<Repr>,
    source: Option<Refusal>,
}

#[derive(Debug, thiserror::Error)]
enum Repr {
    #[error("{0}")]
    Text(String),
    #[error("{0}")]
    Failure(Failure),
}

impl Error {
    fn text(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            repr: Box::new(Repr::Text(text.into())),
            source: None,
        }
    }

    /// A plan that breaks a rule.
    pub(crate) fn plan(text: impl Into<String>) -> Self {
        Self::text(ErrorKind::Plan, text)
    }

    /// A message that the plan does not allow.
    pub(crate) fn protocol(text: impl Into<String>) -> Self {
        Self::text(ErrorKind::Protocol, text)
    }

    /// An error without an errno.
    pub(crate) fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self::text(kind, text)
    }

    /// A failed system call.
    pub(crate) fn system(operation: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::with_source(ErrorKind::System, operation, Box::new(source.into()))
    }

    /// An error with a reason.
    pub(crate) fn with_source(kind: ErrorKind, text: impl Into<String>, source: Refusal) -> Self {
        Self {
            kind,
            repr: Box::new(Repr::Text(text.into())),
            source: Some(source),
        }
    }

    /// A failed step; its errno becomes the source.
    pub(crate) fn step(failure: Failure) -> Self {
        let source: Option<Refusal> = (failure.errno != 0)
            .then(|| Box::new(io::Error::from_raw_os_error(failure.errno)).into());
        Self {
            kind: ErrorKind::Step,
            repr: Box::new(Repr::Failure(failure)),
            source,
        }
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The step that failed, if the stub reported one.
    pub fn failure(&self) -> Option<&Failure> {
        match &*self.repr {
            Repr::Failure(failure) => Some(failure),
            Repr::Text(_) => None,
        }
    }

    /// The errno, if a system call of parent or stub is the cause.
    pub fn raw_os_error(&self) -> Option<i32> {
        match self.failure() {
            Some(failure) => (failure.errno != 0).then_some(failure.errno),
            None => self
                .source
                .as_ref()
                .and_then(|source| source.downcast_ref::<io::Error>())
                .and_then(io::Error::raw_os_error),
        }
    }

    /// Takes the reason out, for example to get back the typed error with which an
    /// [`Answers`](crate::Answers) method refused.
    pub fn into_source(self) -> Option<Refusal> {
        self.source
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repr)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(op: Op, detail: &[u8]) -> String {
        Failure {
            index: 0,
            op,
            context: "mount".to_owned(),
            errno: 22,
            detail: detail.to_vec(),
        }
        .to_string()
    }

    #[test]
    fn a_detail_is_one_readable_line() {
        let text = "e tmpfs: Bad value for 'größe'\n\x1b[1m\u{85}";
        assert_eq!(
            failure(Op::VerifyDirectory, &[text.as_bytes(), b"\xff"].concat()),
            "mount (e tmpfs: Bad value for 'größe'\\n\\u{1b}[1m\\u{85}\\xff)"
        );
        assert_eq!(failure(Op::VerifyDirectory, b""), "mount");
    }

    #[test]
    fn the_mark_of_a_file_systems_message_is_left_out() {
        let mount = Op::NewMount {
            fstype: c"tmpfs".to_owned(),
            source: None,
            options: Vec::new(),
            mode_of: None,
            attributes: 0,
            into: crate::plan::PlanBuilder::new().slot(),
        };
        assert_eq!(
            failure(mount.clone(), b"e tmpfs: Bad value for 'size'"),
            "mount (tmpfs: Bad value for 'size')"
        );
        assert_eq!(failure(mount, b"odd"), "mount (odd)");
    }
}
