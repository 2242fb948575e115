//! What `state` prints, hooks read and a seccomp agent receives.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::nullable::{is_default, or_default, unique_map};

/// Name of the notification descriptor in [`ContainerProcessState::fds`].
pub const SECCOMP_FD_NAME: &str = "seccompFd";

/// State of a container as hooks get it on their standard input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Specification version of the runtime.
    #[serde(rename = "ociVersion", deserialize_with = "or_default")]
    pub version: String,
    /// Container id.
    #[serde(deserialize_with = "or_default")]
    pub id: String,
    /// Where the container is in its life.
    pub status: ContainerStatus,
    /// Pid of the container's process; left out when 0.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub pid: i32,
    /// Absolute path of the bundle.
    #[serde(deserialize_with = "or_default")]
    pub bundle: String,
    /// The annotations of the bundle.
    #[serde(
        deserialize_with = "unique_map",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub annotations: BTreeMap<String, String>,
}

/// Point of a container's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ContainerStatus {
    /// Being made.
    #[default]
    Creating,
    /// Made, the user's program not yet started.
    Created,
    /// The user's program runs.
    Running,
    /// The user's program has ended.
    Stopped,
    /// All processes are frozen; the usual extension of the specification's list.
    Paused,
}

impl ContainerStatus {
    /// The word used in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Paused => "paused",
        }
    }
}

impl std::fmt::Display for ContainerStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Message to a seccomp agent, sent with the notification descriptor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerProcessState {
    /// Specification version of the runtime.
    #[serde(rename = "ociVersion", deserialize_with = "or_default")]
    pub version: String,
    /// Names of the descriptors sent, in order.
    #[serde(deserialize_with = "or_default")]
    pub fds: Vec<String>,
    /// Pid of the process the filter belongs to.
    #[serde(deserialize_with = "or_default")]
    pub pid: i32,
    /// `listenerMetadata` of the filter.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub metadata: String,
    /// State of the container.
    #[serde(deserialize_with = "or_default")]
    pub state: State,
}
