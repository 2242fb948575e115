//! How the fields of an operation are written.

use std::fmt::{self, Write as _};

use crate::fields::Slot;

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}", self.0)
    }
}

pub(super) fn quoted(bytes: &[u8]) -> String {
    // As `escape_ascii`, with valid UTF-8 left readable.
    let mut text = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        text.extend(chunk.valid().escape_debug());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text.push('"');
    text
}

/// The line that is written.
#[derive(Debug)]
pub(super) struct Line(String);

impl Line {
    /// A line that begins with a name.
    pub(super) fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// Appends a word.
    pub(super) fn word(&mut self, word: impl fmt::Display) {
        let _ = write!(self.0, " {word}");
    }

    /// Appends `name=value`; without a name, the value.
    pub(super) fn field(&mut self, name: &str, value: impl fmt::Display) {
        if name.is_empty() {
            self.word(value);
        } else {
            self.word(format_args!("{name}={value}"));
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
