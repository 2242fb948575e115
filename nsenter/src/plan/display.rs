//! A plan as text: one line a step, for people who review what will happen.
//!
//! Slots are written `$3`, flags in hexadecimal, modes in octal, ids and counts in decimal; bytes
//! are escaped, so that a line stays a line whatever a configuration says.

use std::fmt::{self, Write as _};

use super::op::Slot;
use super::{Plan, Step, decode};

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}", self.0)
    }
}

/// What the stub gets: the encoded plan, decoded.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(decoded) = decode::plan(self.as_bytes()) else {
            return f.write_str("malformed plan");
        };
        writeln!(
            f,
            "plan: clone {}; {} passed descriptors",
            decoded.clone, decoded.passed
        )?;
        for input in decoded.inputs {
            writeln!(f, "input {}: {}", input.slot, input.name.escape_debug())?;
        }
        for (index, step) in decoded.steps.iter().enumerate() {
            writeln!(f, "{index}: {step}")?;
        }
        Ok(())
    }
}

/// The operation, and after a `#` what it is called and what happens on which errno.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = Line(self.op.name().to_owned());
        self.op.print(&mut line);
        write!(f, "{} # {}", line.0, self.context.escape_debug())?;
        if !self.errnos.is_empty() {
            let errnos: Vec<String> = self.errnos.iter().map(ToString::to_string).collect();
            write!(f, "; on errno {} go ", errnos.join(","))?;
            match self.otherwise {
                Some(step) => write!(f, "to {step}")?,
                None => f.write_str("on")?,
            }
        }
        Ok(())
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
