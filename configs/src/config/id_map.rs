//! Id mappings of user namespaces and the ids they give.

use serde::{Deserialize, Serialize};

use super::{Config, NamespaceType};
use crate::nullable::or_default;
use crate::oci;

/// A range of ids inside and outside a user namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct IdMap {
    /// First id inside.
    #[serde(deserialize_with = "or_default")]
    pub container_id: u32,
    /// First id outside.
    #[serde(deserialize_with = "or_default")]
    pub host_id: u32,
    /// Number of ids.
    #[serde(deserialize_with = "or_default")]
    pub size: u32,
}

impl IdMap {
    /// The id outside for an id inside, if the range holds it.
    #[must_use]
    pub fn host_id_of(&self, container_id: u32) -> Option<u64> {
        let offset = container_id.checked_sub(self.container_id)?;
        (offset < self.size).then(|| u64::from(self.host_id) + u64::from(offset))
    }
}

impl From<oci::IdMapping> for IdMap {
    fn from(mapping: oci::IdMapping) -> Self {
        Self {
            container_id: mapping.container_id,
            host_id: mapping.host_id,
            size: mapping.size,
        }
    }
}

/// Why an id inside the container has no id outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdMapError {
    /// The user namespace has no mapping at all.
    #[error("user namespaces enabled, but no {kind} mappings found")]
    NoMappings {
        /// `uid` or `gid`.
        kind: &'static str,
    },
    /// No range holds the id.
    #[error("user namespaces enabled, but no mapping found for {kind} {id}")]
    NotMapped {
        /// `uid` or `gid`.
        kind: &'static str,
        /// The id inside.
        id: u32,
    },
    /// The id outside is no valid id.
    #[error("mapping for {kind} {id} (host id {host}) is larger than native integer size ({max})", max = u32::MAX - 1)]
    TooLarge {
        /// `uid` or `gid`.
        kind: &'static str,
        /// The id inside.
        id: u32,
        /// The id outside.
        host: u64,
    },
}

impl Config {
    /// The user id on the host of a user id in the container. Without a user namespace both are the
    /// same.
    ///
    /// # Errors
    /// The container has a user namespace in which the id is not mapped.
    pub fn host_uid(&self, container_uid: u32) -> Result<u32, IdMapError> {
        self.host_id("uid", &self.uid_mappings, container_uid)
    }

    /// The group id on the host of a group id in the container. Without a user namespace both are
    /// the same.
    ///
    /// # Errors
    /// The container has a user namespace in which the id is not mapped.
    pub fn host_gid(&self, container_gid: u32) -> Result<u32, IdMapError> {
        self.host_id("gid", &self.gid_mappings, container_gid)
    }

    /// The host's user id of the container's root.
    ///
    /// # Errors
    /// As [`Config::host_uid`].
    pub fn host_root_uid(&self) -> Result<u32, IdMapError> {
        self.host_uid(0)
    }

    /// The host's group id of the container's root.
    ///
    /// # Errors
    /// As [`Config::host_gid`].
    pub fn host_root_gid(&self) -> Result<u32, IdMapError> {
        self.host_gid(0)
    }

    fn host_id(&self, kind: &'static str, maps: &[IdMap], id: u32) -> Result<u32, IdMapError> {
        if !self.namespaces.contains(NamespaceType::User) {
            return Ok(id);
        }
        if maps.is_empty() {
            return Err(IdMapError::NoMappings { kind });
        }
        let host = maps
            .iter()
            .find_map(|map| map.host_id_of(id))
            .ok_or(IdMapError::NotMapped { kind, id })?;
        // 2³²−1 is "no change" for the kernel and never an id.
        match u32::try_from(host) {
            Ok(host) if host != u32::MAX => Ok(host),
            _ => Err(IdMapError::TooLarge { kind, id, host }),
        }
    }
}
