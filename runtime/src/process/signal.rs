//! Signals by number and by name.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind};

/// A signal number, 0..=64. Number 0 sends nothing and only finds out whether the process is there
/// (`kill(2)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signal(u8);

/// The names of `signal(7)`, without `SIG`.
const NAMES: &[(&str, i32)] = &[
    ("HUP", libc::SIGHUP),
    ("INT", libc::SIGINT),
    ("QUIT", libc::SIGQUIT),
    ("ILL", libc::SIGILL),
    ("TRAP", libc::SIGTRAP),
    ("ABRT", libc::SIGABRT),
    ("IOT", libc::SIGIOT),
    ("BUS", libc::SIGBUS),
    ("FPE", libc::SIGFPE),
    ("KILL", libc::SIGKILL),
    ("USR1", libc::SIGUSR1),
    ("SEGV", libc::SIGSEGV),
    ("USR2", libc::SIGUSR2),
    ("PIPE", libc::SIGPIPE),
    ("ALRM", libc::SIGALRM),
    ("TERM", libc::SIGTERM),
    ("CHLD", libc::SIGCHLD),
    ("CLD", libc::SIGCHLD),
    ("CONT", libc::SIGCONT),
    ("STOP", libc::SIGSTOP),
    ("TSTP", libc::SIGTSTP),
    ("TTIN", libc::SIGTTIN),
    ("TTOU", libc::SIGTTOU),
    ("URG", libc::SIGURG),
    ("XCPU", libc::SIGXCPU),
    ("XFSZ", libc::SIGXFSZ),
    ("VTALRM", libc::SIGVTALRM),
    ("PROF", libc::SIGPROF),
    ("WINCH", libc::SIGWINCH),
    ("IO", libc::SIGIO),
    ("POLL", libc::SIGPOLL),
    ("PWR", libc::SIGPWR),
    ("SYS", libc::SIGSYS),
];

impl Signal {
    /// `SIGKILL`.
    pub const KILL: Self = Self(9);
    /// `SIGTERM`.
    pub const TERM: Self = Self(15);
    /// `SIGINT`.
    pub const INT: Self = Self(2);
    /// `SIGHUP`.
    pub const HUP: Self = Self(1);

    /// A signal by number.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        match u8::try_from(number) {
            Ok(number @ 0..=64) => Some(Self(number)),
            _ => None,
        }
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> i32 {
        i32::from(self.0)
    }
}

impl FromStr for Signal {
    type Err = Error;

    /// A number, or a name in any case with or without `SIG`; real-time signals as `RTMIN+n` and
    /// `RTMAX-n`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let unknown = || Error::new(ErrorKind::InvalidConfig, format!("unknown signal {text:?}"));
        if let Ok(number) = text.parse::<i32>() {
            return Self::from_number(number).ok_or_else(unknown);
        }
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        if let Some((_, number)) = NAMES.iter().find(|(known, _)| *known == name) {
            return Self::from_number(*number).ok_or_else(unknown);
        }
        // SIGRTMIN is 34: the C library keeps the first two real-time signals to itself.
        let (base, rest) = match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
            (Some(rest), _) => (34, rest),
            (_, Some(rest)) => (64, rest),
            _ => return Err(unknown()),
        };
        let offset = match rest {
            "" => 0,
            rest if rest.starts_with(['+', '-']) => rest.parse::<i32>().map_err(|_| unknown())?,
            _ => return Err(unknown()),
        };
        match base + offset {
            number @ 34..=64 => Self::from_number(number).ok_or_else(unknown),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(_, number)| *number == self.number()) {
            Some((name, _)) => write!(f, "SIG{name}"),
            None => write!(f, "signal {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        for (text, number) in [
            ("9", 9),
            ("KILL", 9),
            ("sigkill", 9),
            ("SIGTERM", 15),
            ("cld", 17),
            ("RTMIN", 34),
            ("SIGRTMIN+3", 37),
            ("rtmax-1", 63),
            ("64", 64),
        ] {
            assert_eq!(text.parse::<Signal>().unwrap().number(), number, "{text}");
        }
    }

    #[test]
    fn unknown_signals_are_named() {
        for text in [
            "",
            "65",
            "-9",
            "SIG",
            "FOO",
            "RTMIN-1",
            "RTMAX+1",
            "RTMIN3",
            "SIGSIGKILL",
        ] {
            assert_eq!(
                text.parse::<Signal>().unwrap_err().to_string(),
                format!("unknown signal {text:?}")
            );
        }
    }
}
