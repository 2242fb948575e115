//! A plan as text: one line a step, for people who review what will happen.
//!
//! Slots are written `$3`, flags in hexadecimal, modes in octal, ids and counts in decimal; bytes
//! are escaped, so that a line stays a line whatever a configuration says.

use std::fmt;

use super::line::Line;
use super::{Plan, Step, decode};

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
        let mut line = Line::new(self.op.name());
        self.op.print(&mut line);
        write!(f, "{line} # {}", self.context.escape_debug())?;
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
