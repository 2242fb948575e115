//! The top of `config.json`: root, mounts, hooks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{IdMap, Linux, Process};
use crate::nullable::{none_or_empty, or_default, unique_map};

/// A whole `config.json`.
///
/// The sections for other platforms (`solaris`, `windows`, `vm`, `zos`, `freebsd`) are ignored on
/// reading and never written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spec {
    /// The specification version the bundle was written for: a semantic version, of which every
    /// 1.x.y is converted. Empty where the document has none; [`VERSION`](super::VERSION) by
    /// default.
    #[serde(rename = "ociVersion", default, deserialize_with = "or_default")]
    pub version: String,
    /// What to run. Optional here; the `create`, `run` and `start` commands need it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// The container's root file system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<Root>,
    /// Host name inside the container's UTS namespace; empty leaves it alone.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub hostname: String,
    /// NIS domain name inside the container's UTS namespace; empty leaves it alone.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub domainname: String,
    /// Mounts, made in this order on top of the root.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Mount>,
    /// Programs to run at the points of the container's life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hooks: Option<Hooks>,
    /// Free-form metadata, returned by `state`.
    #[serde(
        deserialize_with = "unique_map",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub annotations: BTreeMap<String, String>,
    /// The Linux section.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linux: Option<Linux>,
    /// Where the document had keys that are not known, such as `linux.seccomp.syscals`: ignored,
    /// to be warned of. Set when a whole document is read; at most 32.
    #[serde(skip)]
    pub unknown_keys: Vec<String>,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            version: super::VERSION.to_owned(),
            process: None,
            root: None,
            hostname: String::new(),
            domainname: String::new(),
            mounts: Vec::new(),
            hooks: None,
            annotations: BTreeMap::new(),
            linux: None,
            unknown_keys: Vec::new(),
        }
    }
}

/// The container's root file system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Root {
    /// Absolute path, or relative to the bundle directory.
    #[serde(deserialize_with = "or_default")]
    pub path: String,
    /// Make the root read-only inside the container.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub readonly: bool,
}

/// One entry of `mounts`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mount {
    /// Path inside the container; should be absolute.
    #[serde(deserialize_with = "or_default")]
    pub destination: String,
    /// File system type as in `/proc/filesystems`; ignored for a bind mount.
    #[serde(
        rename = "type",
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub kind: String,
    /// Device, or the path to bind; a relative bind source is relative to the bundle.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub source: String,
    /// Options as in fstab(5); anything but a flag goes to the file system as data.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// Uid mappings of an id-mapped mount (`mount_setattr(2)`, Linux 5.12).
    #[serde(
        rename = "uidMappings",
        deserialize_with = "or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub uid_mappings: Vec<IdMap>,
    /// Gid mappings of an id-mapped mount.
    #[serde(
        rename = "gidMappings",
        deserialize_with = "or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub gid_mappings: Vec<IdMap>,
}

/// Hooks by the point of the container's life at which they run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Hooks {
    /// Deprecated by the specification, still used: before the pivot, in the runtime's namespaces.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub prestart: Vec<Hook>,
    /// After the namespaces exist, before the pivot, in the runtime's namespaces.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub create_runtime: Vec<Hook>,
    /// After `createRuntime`, before the pivot, in the container's namespaces.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub create_container: Vec<Hook>,
    /// At `start`, in the container, right before the user's program.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub start_container: Vec<Hook>,
    /// After the user's program was started, in the runtime's namespaces.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub poststart: Vec<Hook>,
    /// After the container was deleted, in the runtime's namespaces.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub poststop: Vec<Hook>,
}

/// One program run as a hook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hook {
    /// Absolute path of the program.
    #[serde(deserialize_with = "or_default")]
    pub path: String,
    /// The whole argument vector, `argv[0]` included; absent means `[path]`.
    #[serde(skip_serializing_if = "none_or_empty")]
    pub args: Option<Vec<String>>,
    /// The environment; absent is not the same as empty (see the runtime's hook rules).
    #[serde(skip_serializing_if = "none_or_empty")]
    pub env: Option<Vec<String>>,
    /// Seconds after which the hook is killed; absent means no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<i64>,
}
