//! What a profile asks for and does not get.

use std::fmt;

use crate::architecture::Architecture;

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
