//! Namespaces of a container.

use nsenter::{NamespaceSet, NamespaceType};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::nullable::or_default;
use crate::stored::{self, Stored};

impl Stored for NamespaceType {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.flag_name())
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::from_flag_name(&name)
            .ok_or_else(|| D::Error::custom(format_args!("{name:?} is no type of namespace")))
    }
}

/// A namespace to create, or to join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    /// Which kind.
    #[serde(rename = "type", with = "stored::one")]
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

    /// The types of the namespaces to create; joined ones are not in it.
    #[must_use]
    pub fn created(&self) -> NamespaceSet {
        let new = self.0.iter().filter(|ns| ns.path.is_empty());
        new.map(|ns| ns.kind).collect()
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
