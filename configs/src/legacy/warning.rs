//! What is questionable about a file, but no error.

use std::fmt;

use super::Revision;

/// Something in a file that is ignored, ambiguous or different today.
///
/// Places are in the terms of the file: `networks[0].context.bridge`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// A key that the file's revision does not know; it is ignored.
    UnknownKey {
        /// The key.
        place: String,
    },
    /// A namespace or capability with a name that is not known; it is left out.
    UnknownName {
        /// Where the name is.
        place: String,
        /// The name.
        name: String,
    },
    /// A key that is known and has no effect today.
    NoEffect {
        /// The key.
        place: String,
    },
    /// The file could be of several revisions.
    Revision {
        /// The one it is read as.
        revision: Revision,
    },
    /// `capabilities_mask` of [`Revision::C`]: `false` dropped one capability until 14 May 2014,
    /// `true` kept one from then on. It is read as a list of what is kept.
    CapabilityMask,
    /// A mount that the runtimes of the file's revision did not make, and that is added.
    AddedMount {
        /// Its destination.
        destination: String,
    },
    /// A file of [`Revision::F`] that does not mount `/proc` or `/dev`: nothing does.
    MissingMount {
        /// The destination.
        destination: String,
    },
    /// A mount destination that is not absolute; it is taken relative to `/`.
    RelativeDestination {
        /// Where it is.
        place: String,
    },
    /// An optional device of which the numbers are not known; it is left out.
    UnknownDevice {
        /// Where the name is.
        place: String,
        /// The name.
        name: String,
    },
    /// What an OCI configuration has no place for; it is left out.
    NotInOci {
        /// The setting, in the terms of the file where it comes from one.
        what: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey { place } => write!(f, "ignoring unknown key {place}"),
            Self::UnknownName { place, name } => {
                write!(f, "ignoring unknown name {name:?} at {place}")
            }
            Self::NoEffect { place } => write!(f, "{place} has no effect"),
            Self::Revision { revision } => write!(
                f,
                "the file does not say of which revision it is; it is read as revision {revision}"
            ),
            Self::CapabilityMask => f.write_str(
                "capabilities_mask is read as the capabilities to keep; before 14 May 2014 its false entries were those to drop",
            ),
            Self::AddedMount { destination } => {
                write!(f, "{destination} is mounted, which it was not when the file was written")
            }
            Self::MissingMount { destination } => {
                write!(
                    f,
                    "no mount has the destination {destination}: it is that of the root file system"
                )
            }
            Self::RelativeDestination { place } => {
                write!(f, "{place} is not absolute; it is taken relative to /")
            }
            Self::UnknownDevice { place, name } => {
                write!(f, "ignoring device {name:?} at {place}: its numbers are not known")
            }
            Self::NotInOci { what } => {
                write!(f, "an OCI configuration cannot express {what}; it is left out")
            }
        }
    }
}
