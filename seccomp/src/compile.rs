//! From a profile to a program.

use std::fmt;

use crate::architecture::Architecture;
use crate::error::{Error, ErrorKind, Result};
use crate::native;
use crate::profile::Profile;
use crate::program::Program;
use crate::rules::Rules;
use crate::syscalls;

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

/// Something in a profile that had no effect or another one than asked for;
/// [`Display`](fmt::Display) is one line for the user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Warning {
    /// A rule names a system call that no architecture has, or that is newer than this crate; the
    /// name is ignored.
    UnknownSyscall(String),
    /// Rules name system calls that are newer than libseccomp: the default action applies to them,
    /// or `ENOSYS`, which is as strict as the rules or stricter.
    NewerThanLibseccomp(Vec<String>),
    /// The profile names no system call of this architecture, so that it has no ENOSYS threshold.
    ArchitectureWithoutSyscalls(Architecture),
    /// The flag has no effect without a `SCMP_ACT_NOTIFY` rule and was left out.
    FlagWithoutListener(&'static str),
    /// libseccomp could not make a binary tree; the filter is a list, and slower.
    NotOptimized,
    /// The native compiler does not know this architecture, so that libseccomp compiled the
    /// profile.
    LibseccompUsed(Architecture),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownSyscall(name) => write!(f, "unknown seccomp syscall {name:?} ignored"),
            Self::NewerThanLibseccomp(names) => write!(
                f,
                "seccomp rules for what is newer than libseccomp ignored: {}",
                names.join(", ")
            ),
            Self::ArchitectureWithoutSyscalls(arch) => {
                write!(f, "could not find any syscalls for arch {}", arch.name())
            }
            Self::FlagWithoutListener(flag) => {
                write!(f, "seccomp flag {flag} ignored: no rule is SCMP_ACT_NOTIFY")
            }
            Self::NotOptimized => write!(
                f,
                "seccomp filter is not a binary tree: libseccomp is too old"
            ),
            Self::LibseccompUsed(arch) => {
                write!(
                    f,
                    "seccomp filter made by libseccomp: {} is unknown to the native compiler",
                    arch.name()
                )
            }
        }
    }
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
