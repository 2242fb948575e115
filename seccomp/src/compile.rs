//! From a profile to a program.

use std::fmt;

use crate::error::{Error, ErrorKind, Result};
use crate::profile::Profile;
use crate::program::Program;

/// Who turns a profile into BPF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// This crate's own compiler: a binary search over ranges of system call numbers.
    Native,
    /// libseccomp (feature `libseccomp`), with this crate's ENOSYS prologue.
    Libseccomp,
}

/// A compiled profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// The program to load.
    pub program: Program,
    /// What in the profile had no effect.
    pub warnings: Vec<Warning>,
}

/// Something in a profile that had no effect, to be told to the user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Warning {
    /// A rule names a system call that does not exist, or is too new.
    UnknownSyscall(String),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownSyscall(name) => write!(f, "unknown seccomp syscall {name:?} ignored"),
        }
    }
}

/// Compiles a profile.
///
/// # Errors
///
/// The profile is invalid or this kernel or backend cannot do what it asks for.
pub fn compile(_profile: &Profile, _backend: Backend) -> Result<Compiled> {
    Err(Error::new(
        ErrorKind::Unsupported,
        "seccomp compiler not built in",
    ))
}
