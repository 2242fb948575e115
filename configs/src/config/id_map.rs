//! Id mappings of user namespaces and the ids they give.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use user::IdMap;

use super::{Config, NamespaceType};
use crate::nullable::or_default;
use crate::stored::Stored;

/// The form of state.json: the keys of the bundle in another spelling.
#[derive(Serialize, Deserialize)]
#[serde(remote = "IdMap")]
struct StoredIdMap {
    #[serde(default, deserialize_with = "or_default")]
    container_id: u32,
    #[serde(default, deserialize_with = "or_default")]
    host_id: u32,
    #[serde(default, deserialize_with = "or_default")]
    size: u32,
}

impl Stored for IdMap {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        StoredIdMap::serialize(self, serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        StoredIdMap::deserialize(deserializer)
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
    /// The id outside is not a valid id.
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
