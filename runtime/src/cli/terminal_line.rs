//! A line on a terminal that is written again and again.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Mutex;

/// A line on standard error. It is gone with this value.
#[derive(Debug, Default)]
pub(crate) struct TerminalLine {
    /// How many columns are written.
    width: Mutex<usize>,
}

impl TerminalLine {
    /// None if standard error is no terminal.
    pub(crate) fn begin() -> Option<Self> {
        io::stderr().is_terminal().then(Self::default)
    }

    /// Writes this, which is ASCII, in the place of what is there.
    pub(crate) fn show(&self, line: &str) {
        if let Ok(mut width) = self.width.lock() {
            *width = line.len().max(*width);
            let _ = write!(io::stderr(), "\r{line:width$}", width = *width);
        }
    }

    /// Removes what is there.
    pub(crate) fn clear(&self) {
        if let Ok(mut width) = self.width.lock()
            && *width != 0
        {
            let _ = write!(io::stderr(), "\r{:width$}\r", "", width = *width);
            *width = 0;
        }
    }
}

impl Drop for TerminalLine {
    fn drop(&mut self) {
        self.clear();
    }
}
