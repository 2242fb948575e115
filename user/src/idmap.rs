use std::fmt;
use std::os::fd::AsFd;
use std::path::Path;
use std::str::FromStr;

use rustix::fs::{Mode, OFlags, openat};

use crate::error::{Error, Repr, Result};
use crate::file::read_to_limit;
use crate::id::decimal;

/// The most ranges one map may have (Linux 4.15; `user_namespaces(7)`).
pub const MAX_EXTENTS: usize = 340;

/// A map file is written with one call of less than a page (`user_namespaces(7)`); 4096 is the
/// smallest page.
const MAX_TEXT_BYTES: usize = 4096;

/// One range of a user namespace's id map: `size` ids from `container_id` on are `size` ids from
/// `host_id` on.
///
/// With feature `serde` it reads and writes the OCI object `{"containerID", "hostID", "size"}`
/// (runtime-spec, "User namespace mappings"); as for Go, a key that is absent or `null` is 0. A
/// range alone may be wrong; see [`IdMaps::validate`]. The default is the empty range, which the
/// kernel refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct IdMap {
    /// The first id inside the namespace.
    #[cfg_attr(feature = "serde", serde(rename = "containerID"))]
    #[cfg_attr(feature = "serde", serde(deserialize_with = "null_is_zero"))]
    pub container_id: u32,
    /// The first id outside, in the parent namespace.
    #[cfg_attr(feature = "serde", serde(rename = "hostID"))]
    #[cfg_attr(feature = "serde", serde(deserialize_with = "null_is_zero"))]
    pub host_id: u32,
    /// How many ids.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "null_is_zero"))]
    pub size: u32,
}

/// Reads a number as Go's decoder does, for which `null` leaves the zero value alone.
#[cfg(feature = "serde")]
fn null_is_zero<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = <Option<u32> as serde::Deserialize>::deserialize(deserializer)?;
    Ok(number.unwrap_or_default())
}

impl IdMap {
    /// A range of `size` ids.
    #[must_use]
    pub const fn new(container_id: u32, host_id: u32, size: u32) -> Self {
        Self {
            container_id,
            host_id,
            size,
        }
    }

    /// The id outside for an id inside, if the range holds it. It is beyond 32 bits only in a range
    /// that the kernel would refuse.
    #[must_use]
    pub fn host_id_of(&self, container_id: u32) -> Option<u64> {
        translate(container_id, self.container_id, self.host_id, self.size)
    }

    /// The id inside for an id outside, if the range holds it; as [`IdMap::host_id_of`].
    #[must_use]
    pub fn container_id_of(&self, host_id: u32) -> Option<u64> {
        translate(host_id, self.host_id, self.container_id, self.size)
    }

    /// Like the kernel, refuses the empty range and one that would reach the reserved id
    /// 4294967295.
    fn check(&self) -> Result<()> {
        let problem = if self.size == 0 {
            "is empty"
        } else if self.container_id.checked_add(self.size).is_none()
            || self.host_id.checked_add(self.size).is_none()
        {
            "goes beyond id 4294967294"
        } else {
            return Ok(());
        };
        Err(Repr::BadMapRange {
            range: self.to_string(),
            problem,
        }
        .into())
    }

    fn overlaps(&self, other: &Self) -> bool {
        let meet = |a: u32, b: u32| {
            u64::from(a) < u64::from(b).saturating_add(other.size.into())
                && u64::from(b) < u64::from(a).saturating_add(self.size.into())
        };
        meet(self.container_id, other.container_id) || meet(self.host_id, other.host_id)
    }
}

/// The form of `/proc/PID/uid_map`, without line end: `container host size`.
impl fmt::Display for IdMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.container_id, self.host_id, self.size)
    }
}

/// The uid or gid map of a user namespace: its ranges, in order.
///
/// Equality is exact: the same ranges in the same order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct IdMaps(Vec<IdMap>);

impl IdMaps {
    /// A map of these ranges, not yet [validated](IdMaps::validate).
    #[must_use]
    pub fn new(ranges: impl Into<Vec<IdMap>>) -> Self {
        Self(ranges.into())
    }

    /// The ranges.
    #[must_use]
    pub fn ranges(&self) -> &[IdMap] {
        &self.0
    }

    /// Whether it has no range: no namespace was asked for, or its map is not written yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads the text of `/proc/PID/uid_map`: per line three numbers with blanks between and
    /// around.
    ///
    /// The ranges are not validated; what the kernel prints is valid in the reader's namespace.
    ///
    /// # Errors
    /// [`InvalidMap`](crate::ErrorKind::InvalidMap).
    pub fn parse(text: &[u8]) -> Result<Self> {
        text.split(|byte| *byte == b'\n')
            .map(<[u8]>::trim_ascii)
            .filter(|line| !line.is_empty())
            .map(parse_line)
            .collect::<Result<Vec<_>>>()
            .map(Self)
    }

    /// Checks what the kernel checks when the map is written (`user_namespaces(7)`, "Defining user
    /// and group ID mappings"): at least one range, at most [`MAX_EXTENTS`], none empty, none
    /// beyond id 4294967294, no overlap on either side, and a text of less than a page.
    ///
    /// # Errors
    /// [`InvalidMap`](crate::ErrorKind::InvalidMap), naming the range.
    pub fn validate(&self) -> Result<()> {
        if self.0.is_empty() {
            return Err(Repr::EmptyMap.into());
        }
        if self.0.len() > MAX_EXTENTS {
            return Err(Repr::TooManyMapRanges {
                count: self.0.len(),
                limit: MAX_EXTENTS,
            }
            .into());
        }
        for (index, range) in self.0.iter().enumerate() {
            range.check()?;
            if let Some(earlier) = self.0.iter().take(index).find(|r| r.overlaps(range)) {
                return Err(Repr::MapOverlap {
                    first: earlier.to_string(),
                    second: range.to_string(),
                }
                .into());
            }
        }
        let length = self.kernel_text().len();
        if length >= MAX_TEXT_BYTES {
            return Err(Repr::MapTextTooLong {
                length,
                limit: MAX_TEXT_BYTES,
            }
            .into());
        }
        Ok(())
    }

    /// The text to write to `/proc/PID/uid_map` in one call: `container host size` and a line end
    /// per range.
    ///
    /// ```
    /// use cofferdam_user::{IdMap, IdMaps};
    ///
    /// let maps = IdMaps::new([IdMap::new(0, 1000, 1), IdMap::new(1, 100_000, 65_536)]);
    /// assert_eq!(maps.kernel_text(), "0 1000 1\n1 100000 65536\n");
    /// ```
    #[must_use]
    pub fn kernel_text(&self) -> String {
        self.0.iter().map(|range| format!("{range}\n")).collect()
    }

    /// The outside id of an inside id, if it is mapped.
    #[must_use]
    pub fn host_id(&self, container_id: u32) -> Option<u32> {
        self.0
            .iter()
            .filter_map(|range| range.host_id_of(container_id))
            .find_map(|id| u32::try_from(id).ok())
    }

    /// The inside id of an outside id, if it is mapped.
    #[must_use]
    pub fn container_id(&self, host_id: u32) -> Option<u32> {
        self.0
            .iter()
            .filter_map(|range| range.container_id_of(host_id))
            .find_map(|id| u32::try_from(id).ok())
    }

    /// Whether every mapped id is the same inside and outside.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        self.0
            .iter()
            .all(|range| range.container_id == range.host_id)
    }

    /// Whether this is the map of the initial user namespace: all ids, each to itself.
    #[must_use]
    pub fn is_initial(&self) -> bool {
        self.0 == [IdMap::new(0, 0, u32::MAX)]
    }
}

impl FromStr for IdMaps {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text.as_bytes())
    }
}

impl From<Vec<IdMap>> for IdMaps {
    fn from(ranges: Vec<IdMap>) -> Self {
        Self(ranges)
    }
}

/// The uid map and the gid map of one user namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct IdMapping {
    /// The map of user ids.
    pub uids: IdMaps,
    /// The map of group ids.
    pub gids: IdMaps,
}

impl IdMapping {
    /// Reads `uid_map` and `gid_map` of the user namespace of a process, given its directory in
    /// `/proc`.
    ///
    /// The outside ids are those of the *reader's* user namespace, unless reader and process share
    /// one: then they are those of its parent (`user_namespaces(7)`).
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io), [`InvalidMap`](crate::ErrorKind::InvalidMap).
    pub fn open_at(process: impl AsFd) -> Result<Self> {
        let process = process.as_fd();
        let read = |name: &'static str| -> Result<IdMaps> {
            let path = Path::new(name);
            let file = openat(
                process,
                path,
                OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW,
                Mode::empty(),
            )
            .map_err(|errno| Error::io("open", path, errno))?;
            IdMaps::parse(&read_to_limit(file.into(), path)?)
        };
        Ok(Self {
            uids: read("uid_map")?,
            gids: read("gid_map")?,
        })
    }

    /// The outside uid and gid of a pair of inside ids, if both are mapped.
    #[must_use]
    pub fn to_host(&self, uid: u32, gid: u32) -> Option<(u32, u32)> {
        Some((self.uids.host_id(uid)?, self.gids.host_id(gid)?))
    }

    /// The inside uid and gid of a pair of outside ids, if both are mapped.
    #[must_use]
    pub fn to_container(&self, uid: u32, gid: u32) -> Option<(u32, u32)> {
        Some((self.uids.container_id(uid)?, self.gids.container_id(gid)?))
    }

    /// The outside ids of the inside root, if both are mapped.
    #[must_use]
    pub fn root_pair(&self) -> Option<(u32, u32)> {
        self.to_host(0, 0)
    }
}

fn parse_line(line: &[u8]) -> Result<IdMap> {
    let mut numbers = line
        .split(u8::is_ascii_whitespace)
        .filter(|field| !field.is_empty())
        .map(decimal);
    match (
        numbers.next(),
        numbers.next(),
        numbers.next(),
        numbers.next(),
    ) {
        (Some(Some(container_id)), Some(Some(host_id)), Some(Some(size)), None) => {
            Ok(IdMap::new(container_id, host_id, size))
        }
        _ => Err(Repr::BadMapLine {
            line: String::from_utf8_lossy(line).into_owned(),
        }
        .into()),
    }
}

fn translate(id: u32, from: u32, to: u32, size: u32) -> Option<u64> {
    let offset = id.checked_sub(from)?;
    (offset < size).then(|| u64::from(to) + u64::from(offset))
}

#[cfg(test)]
mod tests;
