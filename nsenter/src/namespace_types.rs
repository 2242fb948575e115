//! The types of namespaces, and sets of them.

use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign, Sub};

/// A type of namespace (`namespaces(7)`).
///
/// The order is that in which namespaces are made and joined: the user namespace first, since it
/// owns the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NamespaceType {
    /// User and group ids, `user_namespaces(7)`: `CLONE_NEWUSER`, Linux 3.8.
    User,
    /// System V IPC and POSIX message queues, `ipc_namespaces(7)`: `CLONE_NEWIPC`.
    Ipc,
    /// Host and domain name, `uts_namespaces(7)`: `CLONE_NEWUTS`.
    Uts,
    /// Network, `network_namespaces(7)`: `CLONE_NEWNET`.
    Network,
    /// Process ids, `pid_namespaces(7)`: `CLONE_NEWPID`.
    Pid,
    /// Mounts, `mount_namespaces(7)`: `CLONE_NEWNS`.
    Mount,
    /// Cgroup root directory, `cgroup_namespaces(7)`: `CLONE_NEWCGROUP`, Linux 4.6.
    Cgroup,
    /// Boot and monotonic clocks, `time_namespaces(7)`: `CLONE_NEWTIME`, Linux 5.6.
    Time,
}

impl NamespaceType {
    /// Every type, in order.
    pub const ALL: [Self; 8] = [
        Self::User,
        Self::Ipc,
        Self::Uts,
        Self::Network,
        Self::Pid,
        Self::Mount,
        Self::Cgroup,
        Self::Time,
    ];

    /// The `CLONE_NEW*` flag of `clone(2)`, `unshare(2)` and `setns(2)`.
    #[must_use]
    pub const fn flag(self) -> u32 {
        match self {
            Self::Time => 0x0000_0080,
            Self::Mount => 0x0002_0000,
            Self::Cgroup => 0x0200_0000,
            Self::Uts => 0x0400_0000,
            Self::Ipc => 0x0800_0000,
            Self::User => 0x1000_0000,
            Self::Pid => 0x2000_0000,
            Self::Network => 0x4000_0000,
        }
    }

    /// The type of a `CLONE_NEW*` flag.
    #[must_use]
    pub fn from_flag(flag: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.flag() == flag)
    }

    /// The name of the flag without `CLONE_`, for example `NEWPID`.
    #[must_use]
    pub const fn flag_name(self) -> &'static str {
        match self {
            Self::User => "NEWUSER",
            Self::Ipc => "NEWIPC",
            Self::Uts => "NEWUTS",
            Self::Network => "NEWNET",
            Self::Pid => "NEWPID",
            Self::Mount => "NEWNS",
            Self::Cgroup => "NEWCGROUP",
            Self::Time => "NEWTIME",
        }
    }

    /// The type of such a name.
    #[must_use]
    pub fn from_flag_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.flag_name() == name)
    }

    /// The name in the OCI configuration, for example `network`.
    #[must_use]
    pub const fn oci_name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Ipc => "ipc",
            Self::Uts => "uts",
            Self::Network => "network",
            Self::Pid => "pid",
            Self::Mount => "mount",
            Self::Cgroup => "cgroup",
            Self::Time => "time",
        }
    }

    /// The type of a name in the OCI configuration.
    #[must_use]
    pub fn from_oci_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.oci_name() == name)
    }

    /// The name of its file in `/proc/PID/ns`, for example `net`.
    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Network => "net",
            Self::Mount => "mnt",
            other => other.oci_name(),
        }
    }
}

/// The name of the file in `/proc/PID/ns`.
impl fmt::Display for NamespaceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.file_name())
    }
}

/// A set of types of namespaces: the `CLONE_NEW*` flags of one system call.
///
/// ```
/// use cofferdam_nsenter::{NamespaceSet, NamespaceType};
///
/// let set = NamespaceType::Pid | NamespaceType::Mount;
/// assert!(set.contains(NamespaceType::Pid) && !set.contains(NamespaceType::User));
/// assert_eq!(set.flags(), 0x2002_0000);
/// assert_eq!(set.to_string(), "pid,mnt");
/// assert_eq!(NamespaceSet::EMPTY.to_string(), "none");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct NamespaceSet(u32);

impl NamespaceSet {
    /// No type.
    pub const EMPTY: Self = Self(0);

    /// The `CLONE_NEW*` flags.
    #[must_use]
    pub const fn flags(self) -> u32 {
        self.0
    }

    /// The set of these `CLONE_NEW*` flags; `None` if there is any other flag.
    #[must_use]
    pub fn from_flags(flags: u32) -> Option<Self> {
        let all: Self = NamespaceType::ALL.into_iter().collect();
        (flags & !all.0 == 0).then_some(Self(flags))
    }

    /// Whether it has no type.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this type is in it.
    #[must_use]
    pub const fn contains(self, kind: NamespaceType) -> bool {
        self.0 & kind.flag() != 0
    }

    /// Whether one of these types is in it.
    #[must_use]
    pub fn intersects(self, others: impl Into<Self>) -> bool {
        !(self & others.into()).is_empty()
    }

    /// The types in it, in order.
    pub fn iter(self) -> impl Iterator<Item = NamespaceType> {
        NamespaceType::ALL
            .into_iter()
            .filter(move |kind| self.contains(*kind))
    }
}

impl From<NamespaceType> for NamespaceSet {
    fn from(kind: NamespaceType) -> Self {
        Self(kind.flag())
    }
}

impl FromIterator<NamespaceType> for NamespaceSet {
    fn from_iter<I: IntoIterator<Item = NamespaceType>>(types: I) -> Self {
        types.into_iter().fold(Self::EMPTY, |set, kind| set | kind)
    }
}

impl<T: Into<NamespaceSet>> BitOr<T> for NamespaceType {
    type Output = NamespaceSet;

    fn bitor(self, other: T) -> NamespaceSet {
        NamespaceSet::from(self) | other
    }
}

impl<T: Into<Self>> BitOr<T> for NamespaceSet {
    type Output = Self;

    fn bitor(self, other: T) -> Self {
        Self(self.0 | other.into().0)
    }
}

impl<T: Into<Self>> BitOrAssign<T> for NamespaceSet {
    fn bitor_assign(&mut self, other: T) {
        *self = *self | other;
    }
}

impl BitAnd for NamespaceSet {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// What is in the first set and not in the second.
impl<T: Into<Self>> Sub<T> for NamespaceSet {
    type Output = Self;

    fn sub(self, other: T) -> Self {
        Self(self.0 & !other.into().0)
    }
}

/// The types by name, separated by commas, or `none`.
impl fmt::Display for NamespaceSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        for (index, kind) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{kind}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_found_by_its_flag_and_its_names() {
        for kind in NamespaceType::ALL {
            assert_eq!(NamespaceType::from_flag(kind.flag()), Some(kind));
            assert_eq!(NamespaceType::from_flag_name(kind.flag_name()), Some(kind));
            assert_eq!(NamespaceType::from_oci_name(kind.oci_name()), Some(kind));
        }
        assert!(NamespaceType::ALL.is_sorted());
        assert_eq!(NamespaceType::from_oci_name("net"), None);
    }

    #[test]
    fn a_set_has_namespaces_alone() {
        assert_eq!(NamespaceSet::from_flags(0x100), None);
        assert_eq!(NamespaceSet::from_flags(0), Some(NamespaceSet::EMPTY));
        let all: NamespaceSet = NamespaceType::ALL.into_iter().collect();
        assert_eq!(NamespaceSet::from_flags(all.flags()), Some(all));
        assert_eq!(all.iter().collect::<Vec<_>>(), NamespaceType::ALL);

        let mut set = all - (NamespaceType::User | NamespaceType::Time);
        assert!(!set.intersects(NamespaceType::User | NamespaceType::Time));
        set |= NamespaceType::User;
        assert!(set.intersects(NamespaceType::User | NamespaceType::Time));
        assert_eq!(all - set, NamespaceType::Time.into());
    }
}
