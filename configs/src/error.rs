//! The error of this crate.

use std::fmt;
use std::io;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a configuration could not be read, converted or accepted.
///
/// The message is one line. What is beneath it, if anything, is
/// [`source`](std::error::Error::source) and not repeated; `{:#}` appends it. It turns into an
/// [`io::Error`].
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    path: Option<String>,
    source: Option<Source>,
}

/// What went wrong, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The file is not there.
    NotFound,
    /// Reading the file failed.
    Io,
    /// The file is larger than the limit.
    TooLarge,
    /// The text is not JSON, or nested too deeply, or not UTF-8.
    Syntax,
    /// A value has the wrong type or is out of range, a key is given twice, or a string has a NUL.
    Data,
    /// The bundle asks for something that cannot be converted.
    Conversion,
    /// The configuration contradicts itself or the host.
    Invalid,
}

#[derive(Debug, thiserror::Error)]
enum Source {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    IdMap(#[from] crate::config::IdMapError),
    #[error("{0}")]
    Text(String),
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            path: None,
            source: None,
        }))
    }

    pub(crate) fn conversion(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conversion, message)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    pub(crate) fn at(mut self, path: impl Into<String>) -> Self {
        self.0.path = Some(path.into());
        self
    }

    pub(crate) fn because_io(mut self, source: io::Error) -> Self {
        self.0.source = Some(Source::Io(source));
        self
    }

    pub(crate) fn because_id_map(mut self, source: crate::config::IdMapError) -> Self {
        self.0.source = Some(Source::IdMap(source));
        self
    }

    pub(crate) fn because(mut self, source: impl fmt::Display) -> Self {
        self.0.source = Some(Source::Text(source.to_string()));
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Where in the JSON document: a path such as `linux.devices[2].major`. Absent when no one
    /// place is wrong.
    #[must_use]
    pub fn json_path(&self) -> Option<&str> {
        self.0.path.as_deref()
    }

    /// The operating system's error number, if one is the cause.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        match &self.0.source {
            Some(Source::Io(error)) => error.raw_os_error(),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        shortened(f, &self.0.message, 1000)?;
        match &self.0.path {
            Some(path) if !path.is_empty() => {
                f.write_str(" (at ")?;
                shortened(f, path, 200)?;
                f.write_str(")")?;
            }
            _ => {}
        }
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

/// Writes a text of which parts may come from the document. One of more than `most` letters loses
/// its middle.
fn shortened(f: &mut fmt::Formatter<'_>, text: &str, most: usize) -> fmt::Result {
    let half = most / 2;
    let mut starts = text.char_indices().map(|(start, _)| start);
    let (front, back) = (starts.clone().nth(half), starts.nth_back(half));
    match (front, back) {
        (Some(front), Some(back)) if front < back => {
            let (front, back) = (text.get(..front), text.get(back..));
            in_one_line(f, front.unwrap_or_default())?;
            f.write_str(" … ")?;
            in_one_line(f, back.unwrap_or_default())
        }
        _ => in_one_line(f, text),
    }
}

/// Writes a text with its control characters escaped: a line break in a value that is quoted would
/// otherwise begin what looks like another message.
fn in_one_line(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for piece in text.split_inclusive(char::is_control) {
        let mut letters = piece.chars();
        match letters.next_back().filter(|last| last.is_control()) {
            Some(control) => write!(f, "{}{}", letters.as_str(), control.escape_default())?,
            None => f.write_str(piece)?,
        }
    }
    Ok(())
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| source as _)
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
    fn a_message_is_one_line_whatever_it_quotes() {
        let error = Error::conversion("rootfsPropagation=a\nb\x1b is not supported").at("x\ry");
        assert_eq!(
            error.to_string(),
            "rootfsPropagation=a\\nb\\u{1b} is not supported (at x\\ry)"
        );
        let long = format!("{}\n{}", "a".repeat(1000), "b\n".repeat(1000));
        assert!(!Error::invalid(long).to_string().contains('\n'));
    }
}
