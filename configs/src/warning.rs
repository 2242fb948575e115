//! What is questionable but no error.

use std::fmt;

/// Something the configuration asks for that is ignored, deprecated or unknown.
///
/// Libraries do not log: the caller decides where warnings go.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// A mount destination that is not absolute; it is taken relative to `/`.
    RelativeDestination {
        /// The destination.
        destination: String,
    },
    /// `memory.kernel` or `memory.kernelTCP`, which current kernels no longer have.
    KernelMemory,
    /// Personality flags; the specification defines none.
    PersonalityFlags {
        /// The flags.
        flags: Vec<String>,
    },
    /// A user namespace is joined by path, and mappings are given which happen to be the ones it
    /// has.
    UserNamespacePathAndMappings,
    /// `linux.uidMappings` or `linux.gidMappings` of a container without user namespace; they are
    /// ignored.
    IdMapsWithoutUserNamespace,
    /// A key that is not known; it is ignored.
    UnknownKey {
        /// Where it is, such as `linux.seccomp.syscals`.
        place: String,
    },
    /// A device rule whose access text has letters other than `rwm`; those are skipped, and a rule
    /// that has no others, too.
    DeviceAccess {
        /// Index of the rule in `linux.resources.devices`.
        index: usize,
        /// The access text.
        access: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RelativeDestination { destination } => write!(
                f,
                "mount destination {destination} is not absolute. Support for non-absolute mount destinations will be removed in a future release."
            ),
            Self::KernelMemory => f.write_str("Kernel memory settings are ignored and will be removed"),
            Self::PersonalityFlags { flags } => {
                write!(f, "ignoring unsupported personality flags: [{}]", flags.join(" "))
            }
            Self::UserNamespacePathAndMappings => f.write_str(
                "config.json has both a userns path to join and a matching userns mapping specified -- you may only provide one",
            ),
            Self::IdMapsWithoutUserNamespace => f.write_str(
                "linux.uidMappings and linux.gidMappings are ignored: the container has no user namespace",
            ),
            Self::UnknownKey { place } => write!(f, "ignoring unknown key {place}"),
            Self::DeviceAccess { index, access } => {
                write!(f, "device access {access:?} at {index} field has unknown letters, ignoring them")
            }
        }
    }
}
