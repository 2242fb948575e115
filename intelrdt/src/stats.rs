use std::os::unix::ffi::OsStrExt;

use rustix::fs::Dir;

use crate::error::{Error, Result};
use crate::file::Directory;

/// What the processor's L3 cache allocation can do (`info/L3`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CacheInfo {
    /// The mask of all parts of the cache, hexadecimal.
    pub cbm_mask: String,
    /// The fewest bits a mask may have.
    pub min_cbm_bits: u64,
    /// How many classes there can be.
    pub num_closids: u64,
}

/// What the processor's bandwidth allocation can do (`info/MB`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BandwidthInfo {
    /// The step of the percentage.
    pub bandwidth_gran: u64,
    /// Whether the delay grows evenly with the percentage: 1 or 0.
    pub delay_linear: u64,
    /// The lowest percentage.
    pub min_bandwidth: u64,
    /// How many classes there can be.
    pub num_closids: u64,
}

/// The use of one L3 cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CacheUse {
    /// Bytes of the cache that are filled; `None` while the kernel has no figure.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub llc_occupancy: Option<u64>,
}

/// The memory traffic through one L3 cache since the group exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BandwidthUse {
    /// Bytes from and to all memory; `None` while the kernel has no figure.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub mbm_total_bytes: Option<u64>,
    /// Bytes from and to the memory of the own node; `None` while the kernel has no figure.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub mbm_local_bytes: Option<u64>,
}

/// What a class is configured to have, and what is used. Absent features are `None` or empty.
///
/// With feature `serde` it writes the names that container engines read from a runtime's events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Stats {
    /// What L3 cache allocation can do.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub l3_cache_info: Option<CacheInfo>,
    /// The last line about L3 of the default class.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "String::is_empty"))]
    pub l3_cache_schema_root: String,
    /// The last line about L3 of the class.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "String::is_empty"))]
    pub l3_cache_schema: String,
    /// What bandwidth allocation can do.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub mem_bw_info: Option<BandwidthInfo>,
    /// The last line about memory bandwidth of the default class.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "String::is_empty"))]
    pub mem_bw_schema_root: String,
    /// The last line about memory bandwidth of the class.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "String::is_empty"))]
    pub mem_bw_schema: String,
    /// All lines of the class.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub schemata: Vec<String>,
    /// Memory traffic by L3 cache, in the order of their numbers.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub mbm_stats: Vec<BandwidthUse>,
    /// Cache use by L3 cache, in the order of their numbers.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub cmt_stats: Vec<CacheUse>,
}

impl Stats {
    pub(crate) fn read(root: &Directory, class: &Directory, monitored: &Directory) -> Result<Self> {
        let mut stats = Self::default();
        let lines = |directory: &Directory| -> Result<Vec<String>> {
            let text = directory.read("schemata")?;
            Ok(text.lines().map(|line| line.trim().to_owned()).collect())
        };
        let defaults = lines(root)?;
        stats.schemata = lines(class)?;
        if let Some(info) = optional(root.open("info/L3"))? {
            stats.l3_cache_info = Some(CacheInfo {
                cbm_mask: info.read("cbm_mask")?,
                min_cbm_bits: info.read_number("min_cbm_bits")?,
                num_closids: info.read_number("num_closids")?,
            });
            stats.l3_cache_schema_root = last(&defaults, "L3");
            stats.l3_cache_schema = last(&stats.schemata, "L3");
        }
        if let Some(info) = optional(root.open("info/MB"))? {
            stats.mem_bw_info = Some(BandwidthInfo {
                bandwidth_gran: info.read_number("bandwidth_gran")?,
                delay_linear: info.read_number("delay_linear")?,
                min_bandwidth: info.read_number("min_bandwidth")?,
                num_closids: info.read_number("num_closids")?,
            });
            stats.mem_bw_schema_root = last(&defaults, "MB");
            stats.mem_bw_schema = last(&stats.schemata, "MB");
        }
        if let Some(data) = optional(monitored.open("mon_data"))? {
            stats.read_use(&data)?;
        }
        Ok(stats)
    }

    fn read_use(&mut self, data: &Directory) -> Result<()> {
        for name in names(data)? {
            let cache = data.open(&name)?;
            let occupancy = counter(&cache, "llc_occupancy")?;
            let total = counter(&cache, "mbm_total_bytes")?;
            let local = counter(&cache, "mbm_local_bytes")?;
            if let Some(llc_occupancy) = occupancy {
                self.cmt_stats.push(CacheUse { llc_occupancy });
            }
            if total.is_some() || local.is_some() {
                self.mbm_stats.push(BandwidthUse {
                    mbm_total_bytes: total.flatten(),
                    mbm_local_bytes: local.flatten(),
                });
            }
        }
        Ok(())
    }
}

/// The last line that has the word in it.
fn last(lines: &[String], word: &str) -> String {
    let line = lines.iter().rev().find(|line| line.contains(word));
    line.cloned().unwrap_or_default()
}

/// A counter: `None` if the file does not exist, and `Some(None)` if the kernel writes
/// `Unavailable` or `Error` for a number.
fn counter(cache: &Directory, name: &str) -> Result<Option<Option<u64>>> {
    let Some(text) = optional(cache.read(name))? else {
        return Ok(None);
    };
    if matches!(text.as_str(), "Unavailable" | "Error" | "Unassigned") {
        return Ok(Some(None));
    }
    cache.read_number(name).map(|number| Some(Some(number)))
}

/// The directories of the L3 caches, in the order of their numbers.
fn names(data: &Directory) -> Result<Vec<std::ffi::OsString>> {
    let failed = |errno| Error::io("list", data.path(), errno);
    let mut names = Vec::new();
    for entry in Dir::read_from(data).map_err(failed)? {
        let name =
            std::ffi::OsStr::from_bytes(entry.map_err(failed)?.file_name().to_bytes()).to_owned();
        if name.as_bytes().starts_with(b"mon_L3_") {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn optional<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
