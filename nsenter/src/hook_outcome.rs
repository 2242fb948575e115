//! How hooks end.

use std::fmt;
use std::time::Duration;

use crate::pidfd::Exit;

/// How a hook ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookOutcome {
    exit: Exit,
    timed_out: Option<Duration>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl HookOutcome {
    pub(crate) fn new(
        exit: Exit,
        timed_out: Option<Duration>,
        stdout: Vec<u8>,
        stderr: Vec<u8>,
    ) -> Self {
        Self {
            exit,
            timed_out,
            stdout,
            stderr,
        }
    }

    /// How it ended; a hook that was killed for taking too long ended by signal 9.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Its time limit, if that ended it.
    #[must_use]
    pub fn timed_out(&self) -> Option<Duration> {
        self.timed_out
    }

    /// What it wrote to standard output, the first 64 KiB.
    #[must_use]
    pub fn stdout(&self) -> &[u8] {
        &self.stdout
    }

    /// What it wrote to standard error, the first 64 KiB.
    #[must_use]
    pub fn stderr(&self) -> &[u8] {
        &self.stderr
    }

    /// Whether it ended with exit code 0 in time.
    #[must_use]
    pub fn success(&self) -> bool {
        self.timed_out.is_none() && self.exit.success()
    }
}

/// `exit status 1, stdout: …, stderr: …`, or `hook ran past specified timeout of 1.0s`.
impl fmt::Display for HookOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(limit) = self.timed_out {
            return write!(
                f,
                "hook ran past specified timeout of {:.1}s",
                limit.as_secs_f64()
            );
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes.trim_ascii_end()).into_owned();
        write!(
            f,
            "{}, stdout: {}, stderr: {}",
            self.exit,
            text(&self.stdout),
            text(&self.stderr)
        )
    }
}

impl std::error::Error for HookOutcome {}
