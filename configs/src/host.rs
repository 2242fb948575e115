//! What conversion and validation need to know about the machine, as data.

use std::collections::BTreeMap;

use user::IdMapping;

use crate::NamespaceSet;
use crate::config::{FilterFlag, NamespaceType};

/// Facts about the host and about the runtime's own situation.
///
/// [`specconv::convert`](crate::specconv::convert) and
/// [`validate::validate`](crate::validate::validate) read nothing from the system: the caller
/// gathers what it knows here. [`HostInfo::default`] is a host that has every namespace type and
/// nothing else; what a bundle needs beyond that must be filled in, or the bundle is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostInfo {
    /// Namespace types the kernel has: `/proc/self/ns/NAME` exists.
    pub namespaces: NamespaceSet,
    /// `/sys/fs/cgroup` is a cgroup v2 file system (unified mode).
    pub cgroup_v2: bool,
    /// SELinux is enabled.
    pub selinux: bool,
    /// Flags `seccomp(2)` accepts on this kernel.
    pub seccomp_flags: Vec<FilterFlag>,
    /// What resctrl offers.
    pub intel_rdt: IntelRdtSupport,
    /// Mappings of user namespaces that the bundle joins, by path: see
    /// `specconv::joined_user_namespace`.
    pub user_namespaces: BTreeMap<String, IdMapping>,
    /// The rootfs, looked at by the caller: see `specconv::rootfs_path`.
    pub rootfs: RootfsFact,
    /// The network namespace the container joins, looked at by the caller.
    pub network_namespace: NetworkNamespaceFact,
}

impl Default for HostInfo {
    fn default() -> Self {
        Self {
            namespaces: NamespaceType::ALL.into_iter().collect(),
            cgroup_v2: false,
            selinux: false,
            seccomp_flags: Vec::new(),
            intel_rdt: IntelRdtSupport::default(),
            user_namespaces: BTreeMap::new(),
            rootfs: RootfsFact::default(),
            network_namespace: NetworkNamespaceFact::default(),
        }
    }
}

impl HostInfo {
    /// Whether the kernel has a type of namespace.
    #[must_use]
    pub fn has_namespace(&self, kind: NamespaceType) -> bool {
        self.namespaces.contains(kind)
    }
}

/// What resctrl offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IntelRdtSupport {
    /// resctrl is mounted.
    pub enabled: bool,
    /// Cache allocation (CAT).
    pub cat: bool,
    /// Memory bandwidth allocation (MBA).
    pub mba: bool,
}

/// What the caller found at the path of the rootfs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RootfsFact {
    /// Unknown. Validation then cannot tell a symlink; it still refuses a path that is
    /// relative or not clean.
    #[default]
    NotExamined,
    /// It exists; this is its path with every symlink resolved (`realpath(3)`).
    Resolved(String),
    /// It could not be resolved, for this reason.
    Failed(String),
}

/// What the caller found at the path of the network namespace to join.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NetworkNamespaceFact {
    /// Unknown. A bundle that joins a network namespace by path then cannot set `net.*`
    /// parameters.
    #[default]
    NotExamined,
    /// It is the runtime's own (same device and inode as `/proc/self/ns/net`).
    Own,
    /// It is another one.
    Other,
    /// It could not be looked at, for this reason.
    Failed(String),
}
