//! What a command ends with when it fails: a message, once, and an exit code.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::io;

use crate::error::Error;

/// The exit code of a failed command, unless it says otherwise.
pub(crate) const FAILED: u8 = 1;
/// The exit code of a failed `exec`: distinguishable from most codes of the program it was to run.
pub(crate) const EXEC_FAILED: u8 = 255;
/// The exit code of a command whose output is read no more. `SIGPIPE` (13) ends runc then, of which
/// shells say 128 + 13; here the signal is ignored, so that containers are not left half-made.
pub(crate) const READER_IS_GONE: u8 = 141;
/// The exit code for a command that does not exist.
pub(crate) const NO_SUCH_COMMAND: u8 = 3;

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The whole story in one text, the innermost cause last. Empty where there is nothing to say.
    pub(crate) message: String,
    /// What the process exits with.
    pub(crate) code: u8,
    /// What was found questionable before it failed.
    pub(crate) warnings: Vec<String>,
}

impl Failure {
    /// A failure that the command line itself found.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: FAILED,
            warnings: Vec::new(),
        }
    }

    /// The reader of standard output has gone, which it is free to do, so that nothing is said.
    pub(crate) fn reader_is_gone() -> Self {
        Self::new("").code(READER_IS_GONE)
    }

    /// A failed system call of the command line itself.
    pub(crate) fn io(doing: impl Into<String>, error: impl Into<io::Error>) -> Self {
        let mut message = doing.into();
        let _ = write!(message, ": {}", describe(&error.into()));
        Self::new(message)
    }

    /// The same failure with a text in front of it.
    pub(crate) fn prefixed(mut self, prefix: &str) -> Self {
        if !self.message.is_empty() {
            self.message.insert_str(0, prefix);
        }
        self
    }

    /// The same failure with another exit code; a reader who has gone has the same one everywhere.
    pub(crate) fn code(mut self, code: u8) -> Self {
        if self.code != READER_IS_GONE {
            self.code = code;
        }
        self
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            message: describe(&error),
            code: FAILED,
            warnings: error.warnings().to_vec(),
        }
    }
}

/// The messages of an error and all its sources, joined by `: `.
///
/// System errors read as the kernel's error names do in other runtimes: lower case and without the
/// number. Engines look for `no such file or directory` and `permission denied` to tell a missing
/// program from one that may not run.
pub(crate) fn describe(error: &(dyn StdError + 'static)) -> String {
    let mut text = one(error);
    let mut next = error.source();
    while let Some(error) = next {
        let message = one(error);
        // A transparent wrapper says the same as what it wraps.
        if !text.ends_with(&message) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&message);
        }
        next = error.source();
    }
    text
}

fn one(error: &(dyn StdError + 'static)) -> String {
    let message = error.to_string();
    // Also reached when a message of another crate ends with the text of a system error.
    let Some((head, number)) = message.rsplit_once(" (os error ") else {
        return message;
    };
    let Some(number) = number.strip_suffix(')') else {
        return message;
    };
    let Ok(number) = number.parse() else {
        return message;
    };
    let full = io::Error::from_raw_os_error(number).to_string();
    let Some((name, _)) = full.rsplit_once(" (os error ") else {
        return message;
    };
    let Some(before) = head.strip_suffix(name) else {
        return message;
    };
    match nsenter::errno_text(number) {
        // An errno that the table does not have.
        "" => format!("{before}{}", lower_first(name)),
        text => format!("{before}{text}"),
    }
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    match (letters.next(), letters.clone().next()) {
        // An acronym stays as it is.
        (Some(first), Some(second)) if second.is_lowercase() => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn system_errors_read_like_the_kernels() {
        let error = Error::system("open /x", io::Error::from_raw_os_error(libc::ENOENT))
            .context("create container");
        let failure = Failure::from(error);
        assert_eq!(
            failure.message,
            "create container: open /x: no such file or directory"
        );
        assert_eq!(failure.code, FAILED);
        assert_eq!(
            describe(&io::Error::from_raw_os_error(libc::EACCES)),
            "permission denied"
        );
    }

    #[test]
    fn other_texts_stay_as_they_are() {
        for text in [
            "No such thing",
            "broken (os error",
            "x (os error 2)",
            "(os error no)",
        ] {
            assert_eq!(describe(&io::Error::other(text)), text);
        }
    }

    #[test]
    fn a_prefix_goes_in_front_and_keeps_the_rest() {
        let failure = Failure::from(Error::new(ErrorKind::Paused, "container paused"))
            .code(EXEC_FAILED)
            .prefixed("exec failed: ");
        assert_eq!(failure.message, "exec failed: container paused");
        assert_eq!(failure.code, EXEC_FAILED);
    }
}
