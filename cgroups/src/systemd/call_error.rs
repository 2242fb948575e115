//! Why a call to systemd failed, and how much time one has left.

use std::io;
use std::time::{Duration, Instant};

use crate::{Error, ErrorKind, Result};

/// A failed call: what systemd answered, or why it did not answer.
#[derive(Debug)]
pub(super) enum CallError {
    /// systemd refused; the name of the error and its text.
    Refused { name: String, text: String },
    /// systemd did not answer.
    Failed(Error),
}

impl CallError {
    /// As the crate's error, with what was attempted.
    pub(super) fn into_error(self, what: &str) -> Error {
        match self {
            Self::Refused { name, text } if text.is_empty() => {
                Error::new(ErrorKind::Systemd, format_args!("{what}: {name}"))
            }
            Self::Refused { text, .. } => {
                Error::new(ErrorKind::Systemd, format_args!("{what}: {text}"))
            }
            Self::Failed(error) => Error::because(error.kind(), what, error),
        }
    }

    pub(super) fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused { name, .. } if name == wanted)
    }
}

impl From<Error> for CallError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

pub(super) fn failed(what: &str, error: impl Into<io::Error>) -> Error {
    Error::because(ErrorKind::Systemd, what, error.into())
}

/// The time until the deadline; an error if that has passed.
pub(super) fn remaining(deadline: Instant) -> Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(no_answer());
    }
    Ok(left)
}

pub(super) fn no_answer() -> Error {
    Error::new(ErrorKind::Timeout, "systemd does not answer")
}
