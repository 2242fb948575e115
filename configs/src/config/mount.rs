//! Mounts and their flags.

use serde::{Deserialize, Serialize};

use super::IdMap;
use crate::nullable::{is_default, or_default};
use crate::stored;

/// A mount to make in the container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mount {
    /// Device, or the absolute host path of a bind mount.
    #[serde(deserialize_with = "or_default")]
    pub source: String,
    /// Path inside the container.
    #[serde(deserialize_with = "or_default")]
    pub destination: String,
    /// File system type; `bind` for a bind mount.
    #[serde(deserialize_with = "or_default")]
    pub device: String,
    /// Flags to set.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub flags: MountFlags,
    /// Flags that the bundle cleared explicitly: these may not be kept when the kernel has them
    /// locked.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub cleared_flags: MountFlags,
    /// Propagation changes, applied one after the other once the mount is made.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub propagation_flags: Vec<MountFlags>,
    /// Options for the file system itself, comma separated.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub data: String,
    /// Attributes for the whole tree (`mount_setattr(2)` with AT_RECURSIVE, Linux 5.12).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rec_attr: Option<MountAttr>,
    /// Bit set of extensions, see [`Mount::COPY_UP`].
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub extensions: u32,
    /// Makes the mount id-mapped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_mapping: Option<MountIdMapping>,
}

impl Mount {
    /// Extension bit: copy what the destination contains into the new tmpfs (option `tmpcopyup`).
    pub const COPY_UP: u32 = 1;

    /// Whether this is a bind mount.
    #[must_use]
    pub fn is_bind(&self) -> bool {
        self.flags.contains(MountFlags::BIND)
    }

    /// Whether the mount is id-mapped.
    #[must_use]
    pub fn is_id_mapped(&self) -> bool {
        self.id_mapping.is_some()
    }

    /// Whether the destination's content is copied into the new tmpfs.
    #[must_use]
    pub fn is_copy_up(&self) -> bool {
        self.extensions & Self::COPY_UP != 0
    }
}

/// How a mount is id-mapped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MountIdMapping {
    /// Map the mounts below as well.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub recursive: bool,
    /// A user namespace file whose mappings to use; excludes the two lists.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub userns_path: String,
    /// Uid mappings.
    #[serde(with = "stored::list", skip_serializing_if = "Vec::is_empty")]
    pub uid_mappings: Vec<IdMap>,
    /// Gid mappings.
    #[serde(with = "stored::list", skip_serializing_if = "Vec::is_empty")]
    pub gid_mappings: Vec<IdMap>,
}

/// `struct mount_attr` of `mount_setattr(2)`, with `MOUNT_ATTR_…` bits.
///
/// The keys are capitalised in JSON because the Go type has no tags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MountAttr {
    /// Attributes to set.
    #[serde(
        rename = "Attr_set",
        alias = "attr_set",
        deserialize_with = "or_default"
    )]
    pub attr_set: u64,
    /// Attributes to clear.
    #[serde(
        rename = "Attr_clr",
        alias = "attr_clr",
        deserialize_with = "or_default"
    )]
    pub attr_clr: u64,
    /// Propagation to set; unused, 0.
    #[serde(
        rename = "Propagation",
        alias = "propagation",
        deserialize_with = "or_default"
    )]
    pub propagation: u64,
    /// User namespace descriptor; unused here, 0.
    #[serde(
        rename = "Userns_fd",
        alias = "userns_fd",
        deserialize_with = "or_default"
    )]
    pub userns_fd: u64,
}

impl MountAttr {
    /// `MOUNT_ATTR_RDONLY`.
    pub const RDONLY: u64 = 0x1;
    /// `MOUNT_ATTR_NOSUID`.
    pub const NOSUID: u64 = 0x2;
    /// `MOUNT_ATTR_NODEV`.
    pub const NODEV: u64 = 0x4;
    /// `MOUNT_ATTR_NOEXEC`.
    pub const NOEXEC: u64 = 0x8;
    /// `MOUNT_ATTR__ATIME`: the field that holds one of the three access time modes.
    pub const ATIME: u64 = 0x70;
    /// `MOUNT_ATTR_RELATIME`, the zero value of the access time field.
    pub const RELATIME: u64 = 0x0;
    /// `MOUNT_ATTR_NOATIME`.
    pub const NOATIME: u64 = 0x10;
    /// `MOUNT_ATTR_STRICTATIME`.
    pub const STRICTATIME: u64 = 0x20;
    /// `MOUNT_ATTR_NODIRATIME`.
    pub const NODIRATIME: u64 = 0x80;
    /// `MOUNT_ATTR_IDMAP`.
    pub const IDMAP: u64 = 0x10_0000;
    /// `MOUNT_ATTR_NOSYMFOLLOW`, Linux 5.14.
    pub const NOSYMFOLLOW: u64 = 0x20_0000;
}

/// A set of `MS_…` flags of `mount(2)`, serialised as the number.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MountFlags(u32);

impl MountFlags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// `MS_RDONLY`.
    pub const RDONLY: Self = Self(1);
    /// `MS_NOSUID`.
    pub const NOSUID: Self = Self(1 << 1);
    /// `MS_NODEV`.
    pub const NODEV: Self = Self(1 << 2);
    /// `MS_NOEXEC`.
    pub const NOEXEC: Self = Self(1 << 3);
    /// `MS_SYNCHRONOUS`.
    pub const SYNCHRONOUS: Self = Self(1 << 4);
    /// `MS_REMOUNT`.
    pub const REMOUNT: Self = Self(1 << 5);
    /// `MS_MANDLOCK`.
    pub const MANDLOCK: Self = Self(1 << 6);
    /// `MS_DIRSYNC`.
    pub const DIRSYNC: Self = Self(1 << 7);
    /// `MS_NOSYMFOLLOW`, Linux 5.10.
    pub const NOSYMFOLLOW: Self = Self(1 << 8);
    /// `MS_NOATIME`.
    pub const NOATIME: Self = Self(1 << 10);
    /// `MS_NODIRATIME`.
    pub const NODIRATIME: Self = Self(1 << 11);
    /// `MS_BIND`.
    pub const BIND: Self = Self(1 << 12);
    /// `MS_MOVE`.
    pub const MOVE: Self = Self(1 << 13);
    /// `MS_REC`.
    pub const REC: Self = Self(1 << 14);
    /// `MS_SILENT`.
    pub const SILENT: Self = Self(1 << 15);
    /// `MS_UNBINDABLE`.
    pub const UNBINDABLE: Self = Self(1 << 17);
    /// `MS_PRIVATE`.
    pub const PRIVATE: Self = Self(1 << 18);
    /// `MS_SLAVE`.
    pub const SLAVE: Self = Self(1 << 19);
    /// `MS_SHARED`.
    pub const SHARED: Self = Self(1 << 20);
    /// `MS_RELATIME`.
    pub const RELATIME: Self = Self(1 << 21);
    /// `MS_I_VERSION`.
    pub const I_VERSION: Self = Self(1 << 23);
    /// `MS_STRICTATIME`.
    pub const STRICTATIME: Self = Self(1 << 24);
    /// `MS_LAZYTIME`.
    pub const LAZYTIME: Self = Self(1 << 25);

    /// The set with these bits.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// True when no flag is set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other`'s flags are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other`'s flags is set.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The flags of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The flags without those of `other`.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl std::ops::BitOr for MountFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl std::ops::BitOrAssign for MountFlags {
    fn bitor_assign(&mut self, other: Self) {
        *self = self.union(other);
    }
}

impl std::fmt::Debug for MountFlags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MountFlags({:#x})", self.0)
    }
}
