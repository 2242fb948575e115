//! Programs run at the points of a container's life.

use std::time::Duration;

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use crate::nullable::or_default;

/// A point of a container's life at which hooks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HookPoint {
    /// Before the pivot, in the runtime's namespaces (deprecated by the specification).
    Prestart,
    /// Before the pivot, in the runtime's namespaces.
    CreateRuntime,
    /// Before the pivot, in the container's namespaces.
    CreateContainer,
    /// At `start`, in the container.
    StartContainer,
    /// After the start, in the runtime's namespaces.
    Poststart,
    /// After the deletion, in the runtime's namespaces.
    Poststop,
}

impl HookPoint {
    /// Every point in the order of a container's life.
    pub const ALL: [Self; 6] = [
        Self::Prestart,
        Self::CreateRuntime,
        Self::CreateContainer,
        Self::StartContainer,
        Self::Poststart,
        Self::Poststop,
    ];

    /// The name in config.json and state.json.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prestart => "prestart",
            Self::CreateRuntime => "createRuntime",
            Self::CreateContainer => "createContainer",
            Self::StartContainer => "startContainer",
            Self::Poststart => "poststart",
            Self::Poststop => "poststop",
        }
    }
}

/// The hooks of a container by point. An unknown point and an empty list are dropped when read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Hooks {
    /// See [`HookPoint::Prestart`].
    #[serde(deserialize_with = "or_default")]
    pub prestart: Vec<Command>,
    /// See [`HookPoint::CreateRuntime`].
    #[serde(deserialize_with = "or_default")]
    pub create_runtime: Vec<Command>,
    /// See [`HookPoint::CreateContainer`].
    #[serde(deserialize_with = "or_default")]
    pub create_container: Vec<Command>,
    /// See [`HookPoint::StartContainer`].
    #[serde(deserialize_with = "or_default")]
    pub start_container: Vec<Command>,
    /// See [`HookPoint::Poststart`].
    #[serde(deserialize_with = "or_default")]
    pub poststart: Vec<Command>,
    /// See [`HookPoint::Poststop`].
    #[serde(deserialize_with = "or_default")]
    pub poststop: Vec<Command>,
}

impl Hooks {
    /// The hooks of one point, in the order they run.
    #[must_use]
    pub fn at(&self, point: HookPoint) -> &[Command] {
        match point {
            HookPoint::Prestart => &self.prestart,
            HookPoint::CreateRuntime => &self.create_runtime,
            HookPoint::CreateContainer => &self.create_container,
            HookPoint::StartContainer => &self.start_container,
            HookPoint::Poststart => &self.poststart,
            HookPoint::Poststop => &self.poststop,
        }
    }

    /// True without any hook.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        HookPoint::ALL
            .into_iter()
            .all(|point| self.at(point).is_empty())
    }
}

impl Serialize for Hooks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Go writes map keys sorted.
        let mut points = HookPoint::ALL.map(|point| (point.name(), self.at(point)));
        points.sort_unstable_by_key(|(name, _)| *name);
        let mut map = serializer.serialize_map(None)?;
        for (name, commands) in points {
            if !commands.is_empty() {
                map.serialize_entry(name, commands)?;
            }
        }
        map.end()
    }
}

/// A program run as a hook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Command {
    /// Path of the program.
    #[serde(deserialize_with = "or_default")]
    pub path: String,
    /// The whole argument vector; empty means `[path]`.
    #[serde(deserialize_with = "or_default")]
    pub args: Vec<String>,
    /// The environment; `None` means what the point inherits, which is not the same as empty.
    pub env: Option<Vec<String>>,
    /// Working directory; empty means the point's default.
    #[serde(deserialize_with = "or_default")]
    pub dir: String,
    /// Time after which it is killed (nanoseconds in JSON).
    #[serde(with = "nanoseconds")]
    pub timeout: Option<Duration>,
}

mod nanoseconds {
    //! A duration as a count of nanoseconds, the form of Go's `time.Duration`.

    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[allow(clippy::ref_option, reason = "serde passes a reference")]
    pub(super) fn serialize<S: Serializer>(
        timeout: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        timeout
            .map(|timeout| i64::try_from(timeout.as_nanos()).unwrap_or(i64::MAX))
            .serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        // A negative time has run out at once.
        Ok(Option::<i64>::deserialize(deserializer)?
            .map(|nanoseconds| Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0))))
    }
}
