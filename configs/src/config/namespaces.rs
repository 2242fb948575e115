//! Namespaces of a container.

use serde::{Deserialize, Serialize};

use crate::nullable::or_default;

/// A kind of namespace, serialised as `NEWPID` and so on.
///
/// The order of the variants is the order in which namespaces are made and joined; the user
/// namespace is always first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NamespaceType {
    /// User and group ids, `user_namespaces(7)`.
    #[serde(rename = "NEWUSER")]
    User,
    /// System V IPC and POSIX message queues, `ipc_namespaces(7)`.
    #[serde(rename = "NEWIPC")]
    Ipc,
    /// Host and domain name, `uts_namespaces(7)`.
    #[serde(rename = "NEWUTS")]
    Uts,
    /// Network, `network_namespaces(7)`.
    #[serde(rename = "NEWNET")]
    Network,
    /// Process ids, `pid_namespaces(7)`.
    #[serde(rename = "NEWPID")]
    Pid,
    /// Mounts, `mount_namespaces(7)`.
    #[serde(rename = "NEWNS")]
    Mount,
    /// Cgroup root directory, `cgroup_namespaces(7)`.
    #[serde(rename = "NEWCGROUP")]
    Cgroup,
    /// Boot and monotonic clocks, `time_namespaces(7)`, Linux 5.6.
    #[serde(rename = "NEWTIME")]
    Time,
}

impl NamespaceType {
    /// Every type, in canonical order.
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

    /// The name in state.json, for example `NEWPID`.
    #[must_use]
    pub const fn name(self) -> &'static str {
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

    /// The name in config.json, for example `pid`.
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

    /// The type of a name in config.json.
    #[must_use]
    pub fn from_oci_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.oci_name() == name)
    }

    /// The file below `/proc/PID/ns`.
    #[must_use]
    pub const fn proc_file(self) -> &'static str {
        match self {
            Self::Network => "net",
            Self::Mount => "mnt",
            other => other.oci_name(),
        }
    }

    /// The `CLONE_NEW…` flag of `clone(2)`.
    #[must_use]
    pub const fn clone_flag(self) -> u64 {
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
}

/// A namespace to create, or to join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    /// Which kind.
    #[serde(rename = "type")]
    pub kind: NamespaceType,
    /// A namespace file to join; empty creates a new one.
    #[serde(
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub path: String,
}

/// The namespaces of a container, at most one per type, in the order of the bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Namespaces(Vec<Namespace>);

impl Namespaces {
    /// No namespace: everything is the host's.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a namespace, or changes the path of the one of the same type. An empty path creates a
    /// new namespace.
    pub fn set(&mut self, kind: NamespaceType, path: impl Into<String>) {
        let path = path.into();
        match self.0.iter_mut().find(|ns| ns.kind == kind) {
            Some(ns) => ns.path = path,
            None => self.0.push(Namespace { kind, path }),
        }
    }

    /// Removes a type; true if it was there.
    pub fn remove(&mut self, kind: NamespaceType) -> bool {
        let before = self.0.len();
        self.0.retain(|ns| ns.kind != kind);
        self.0.len() != before
    }

    /// Whether the container has its own namespace of this type, made for it or joined.
    #[must_use]
    pub fn contains(&self, kind: NamespaceType) -> bool {
        self.0.iter().any(|ns| ns.kind == kind)
    }

    /// Whether a new namespace of this type is made for the container.
    #[must_use]
    pub fn is_private(&self, kind: NamespaceType) -> bool {
        self.0
            .iter()
            .any(|ns| ns.kind == kind && ns.path.is_empty())
    }

    /// The namespace file to join, if this type is joined.
    #[must_use]
    pub fn path_of(&self, kind: NamespaceType) -> Option<&str> {
        self.0
            .iter()
            .find(|ns| ns.kind == kind && !ns.path.is_empty())
            .map(|ns| ns.path.as_str())
    }

    /// The `CLONE_NEW…` flags of the namespaces to create; joined ones are not in it.
    #[must_use]
    pub fn clone_flags(&self) -> u64 {
        self.0
            .iter()
            .filter(|ns| ns.path.is_empty())
            .fold(0, |flags, ns| flags | ns.kind.clone_flag())
    }

    /// The namespaces in the order of the bundle.
    pub fn iter(&self) -> std::slice::Iter<'_, Namespace> {
        self.0.iter()
    }

    /// The namespaces in canonical order, the user namespace first.
    pub fn iter_canonical(&self) -> impl Iterator<Item = &Namespace> {
        NamespaceType::ALL
            .into_iter()
            .filter_map(|kind| self.0.iter().find(|ns| ns.kind == kind))
    }

    /// Number of namespaces.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when everything is the host's.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a Namespaces {
    type Item = &'a Namespace;
    type IntoIter = std::slice::Iter<'a, Namespace>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<Namespace> for Namespaces {
    fn from_iter<I: IntoIterator<Item = Namespace>>(iter: I) -> Self {
        let mut namespaces = Self::new();
        for ns in iter {
            namespaces.set(ns.kind, ns.path);
        }
        namespaces
    }
}
