//! How a process ended.

use std::fmt;

use crate::process::signal::Signal;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExitStatus {
    /// It called `exit` with this code.
    Exited(u8),
    /// A signal ended it.
    Signaled(Signal),
    /// It ended, but its status was taken elsewhere: the caller ignores `SIGCHLD`, or another
    /// part of the program reaps all children.
    Unknown,
}

impl ExitStatus {
    /// The status of a shell: the exit code, 128 + N for signal N, 255 if unknown — never 0 for
    /// what is not known to have succeeded.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Exited(code) => code,
            Self::Signaled(signal) => u8::try_from(128 + signal.number()).unwrap_or(u8::MAX),
            Self::Unknown => u8::MAX,
        }
    }

    /// Whether the process exited with code 0.
    #[must_use]
    pub fn success(self) -> bool {
        self == Self::Exited(0)
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exit status {code}"),
            Self::Signaled(signal) => write!(f, "killed by {signal}"),
            Self::Unknown => f.write_str("exit status unknown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_a_shell_and_unknown_is_no_success() {
        assert_eq!(ExitStatus::Exited(3).code(), 3);
        assert_eq!(ExitStatus::Signaled(Signal::KILL).code(), 137);
        assert_eq!(ExitStatus::Unknown.code(), 255);
        assert!(ExitStatus::Exited(0).success());
        assert!(!ExitStatus::Unknown.success());
    }
}
