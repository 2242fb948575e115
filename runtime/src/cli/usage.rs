//! What the commands that show usage make of the numbers of a cgroup.

use cgroups::stats::{Blkio, Memory};

/// A limit above this is none: cgroup v1 says 2⁶³-1 rounded down to whole pages, of 64 KiB at most.
const NO_LIMIT: u64 = i64::MAX as u64 - (64 << 10);

/// The limit, in bytes; `None` if there is none.
pub(crate) fn memory_limit(memory: &Memory) -> Option<u64> {
    Some(memory.usage.limit).filter(|limit| *limit < NO_LIMIT)
}

/// Memory without the part of the page cache that was not used lately, in bytes.
pub(crate) fn working_set(memory: &Memory) -> u64 {
    // On cgroup v1 the numbers without `total_` leave out the cgroups below.
    let unused = ["total_inactive_file", "inactive_file"];
    let unused = unused.iter().find_map(|key| memory.raw.get(*key));
    let usage = memory.usage.usage;
    usage.saturating_sub(unused.copied().unwrap_or_default())
}

/// The bytes of an operation (`Read`, `Write`) on all devices.
pub(crate) fn transferred(blkio: &Blkio, operation: &str) -> u64 {
    let entries = blkio.io_service_bytes_recursive.iter();
    let entries = entries.filter(|entry| entry.op == operation);
    entries.fold(0, |sum, entry| sum.saturating_add(entry.value))
}

#[cfg(test)]
mod tests {
    use cgroups::stats::BlkioEntry;

    use super::*;

    #[test]
    fn limits_of_both_versions_that_are_none() {
        let mut memory = Memory::default();
        for none in [u64::MAX, 9_223_372_036_854_771_712] {
            memory.usage.limit = none;
            assert_eq!(memory_limit(&memory), None);
        }
        memory.usage.limit = 1 << 40;
        assert_eq!(memory_limit(&memory), Some(1 << 40));
    }

    #[test]
    fn the_working_set_leaves_out_cache_that_is_not_used() {
        let mut memory = Memory::default();
        memory.usage.usage = 1000;
        for (key, unused, set) in [
            ("inactive_file", 100, 900),
            ("total_inactive_file", 300, 700),
            ("total_inactive_file", 2000, 0),
        ] {
            memory.raw.insert(key.to_owned(), unused);
            assert_eq!(working_set(&memory), set);
        }
    }

    #[test]
    fn all_devices_are_added_up() {
        let mut blkio = Blkio::default();
        for (minor, op, value) in [
            (0, "Read", 1),
            (1, "Read", 2),
            (0, "Write", 4),
            (0, "Total", 9),
        ] {
            let mut entry = BlkioEntry::default();
            (entry.minor, entry.op, entry.value) = (minor, op.to_owned(), value);
            blkio.io_service_bytes_recursive.push(entry);
        }
        assert_eq!(transferred(&blkio, "Read"), 3);
        assert_eq!(transferred(&blkio, "Write"), 4);
    }
}
