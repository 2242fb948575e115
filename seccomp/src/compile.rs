//! From a profile to a program.

use crate::architecture::Architecture;
use crate::error::{Error, ErrorKind, Result};
use crate::native;
use crate::profile::Profile;
use crate::program::Program;
use crate::rules::Rules;
use crate::syscalls;
use crate::warning::Warning;

/// Who turns a profile into BPF.
///
/// The names exist in every build; [`compile`] refuses [`Libseccomp`](Self::Libseccomp) in a build
/// without the feature `libseccomp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Backend {
    /// [`Native`](Self::Native), and for a profile with an architecture that it does not know
    /// [`Libseccomp`](Self::Libseccomp), with a [`Warning::LibseccompUsed`].
    #[default]
    Auto,
    /// This crate's own compiler: a binary search over ranges of system call numbers. It knows the
    /// little-endian architectures x86_64, x32, x86, arm, aarch64, riscv64 and loongarch64; a
    /// profile with another one is refused.
    Native,
    /// libseccomp, with this crate's ENOSYS prologue. A rule that is stricter than the default
    /// action is refused if the library does not know its system call, or (for one without
    /// conditions) would let it through on one of the architectures.
    Libseccomp,
}

impl Backend {
    /// Whether this build has it: [`Libseccomp`](Self::Libseccomp) needs the feature `libseccomp`.
    #[must_use]
    pub const fn is_available(self) -> bool {
        cfg!(feature = "libseccomp") || !matches!(self, Self::Libseccomp)
    }
}

/// A compiled profile.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compiled {
    /// The program to load.
    pub program: Program,
    /// What in the profile had no effect, or another one than asked for. Nothing of it weakens the
    /// filter.
    pub warnings: Vec<Warning>,
}

/// Compiles a profile for the architecture of this build and those the profile adds.
///
/// Pure but for questions to the kernel about the flags it supports; nothing is loaded.
///
/// What a filter answers, in this order:
///
/// 1. a call of an architecture that is not part of the filter ends the thread;
/// 2. a call with a number above every one that the profile mentions on that architecture fails
///    with `ENOSYS`, unless the default action is `SCMP_ACT_ALLOW`, `SCMP_ACT_LOG` or
///    `SCMP_ACT_TRACE`;
/// 3. the action of the rule that matches; a rule without conditions decides over rules with
///    conditions;
/// 4. the default action.
///
/// # Errors
///
/// [`InvalidProfile`](ErrorKind::InvalidProfile) and [`Unsupported`](ErrorKind::Unsupported) for
/// what the profile says, [`Library`](ErrorKind::Library) for what libseccomp refuses,
/// [`TooLarge`](ErrorKind::TooLarge) for more than [`MAX_INSTRUCTIONS`](crate::MAX_INSTRUCTIONS).
pub fn compile(profile: &Profile, backend: Backend) -> Result<Compiled> {
    let mut warnings = Vec::new();
    let rules = Rules::new(profile, &mut warnings)?;
    let unknown = rules
        .architectures
        .iter()
        .copied()
        .find(|arch| !syscalls::knows(*arch));
    let program = match (backend, unknown) {
        (Backend::Auto | Backend::Native, None) => native::compile(&rules, &mut warnings)?,
        (Backend::Auto, Some(arch)) if Backend::Libseccomp.is_available() => {
            warnings.push(Warning::LibseccompUsed(arch));
            with_libseccomp(&rules, &mut warnings)?
        }
        (Backend::Auto, Some(arch)) => return Err(needs(arch, "a build with libseccomp")),
        (Backend::Native, Some(arch)) => return Err(needs(arch, "the libseccomp backend")),
        (Backend::Libseccomp, _) => with_libseccomp(&rules, &mut warnings)?,
    };
    Ok(Compiled { program, warnings })
}

fn needs(arch: Architecture, what: &str) -> Error {
    let arch = arch.name();
    Error::new(
        ErrorKind::Unsupported,
        format!("seccomp architecture {arch} needs {what}"),
    )
}

#[cfg(feature = "libseccomp")]
fn with_libseccomp(rules: &Rules<'_>, warnings: &mut Vec<Warning>) -> Result<Program> {
    crate::libseccomp_backend::compile(rules, warnings)
}

#[cfg(not(feature = "libseccomp"))]
fn with_libseccomp(_rules: &Rules<'_>, _warnings: &mut Vec<Warning>) -> Result<Program> {
    Err(Error::new(
        ErrorKind::Unsupported,
        "this build has no libseccomp backend",
    ))
}
