use std::io::{self, Read};
use std::time::Duration;

use prost::Message;

/// The first two numbers of the file: that it is a service file, not an image, and which
/// (`criu/include/magic.h` of CRIU).
const MAGIC: [u32; 2] = [0x5510_5940, 0x5709_3306];

/// The message takes some tens of bytes.
const LONGEST: u32 = 64 << 10;

/// What a dump took: the file `stats-dump` in the work directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DumpStatistics {
    /// How long it took to stop the processes.
    pub freezing: Duration,
    /// How long they were stopped.
    pub frozen: Duration,
    /// How long their memory was taken.
    pub memory_dump: Duration,
    /// How long it was written.
    pub memory_write: Duration,
    /// Pages of memory that were looked at.
    pub pages_scanned: u64,
    /// Those that are in the parent images.
    pub pages_in_parent: u64,
    /// Those that were written.
    pub pages_written: u64,
    /// Those that are left for the restore to fetch.
    pub pages_lazy: u64,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Entry {
    #[prost(message, optional, tag = "1")]
    dump: Option<Dump>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Dump {
    #[prost(uint32, required, tag = "1")]
    freezing_time: u32,
    #[prost(uint32, required, tag = "2")]
    frozen_time: u32,
    #[prost(uint32, required, tag = "3")]
    memdump_time: u32,
    #[prost(uint32, required, tag = "4")]
    memwrite_time: u32,
    #[prost(uint64, required, tag = "5")]
    pages_scanned: u64,
    #[prost(uint64, required, tag = "6")]
    pages_skipped_parent: u64,
    #[prost(uint64, required, tag = "7")]
    pages_written: u64,
    #[prost(uint64, required, tag = "9")]
    pages_lazy: u64,
    #[prost(uint64, optional, tag = "12")]
    shpages_scanned: Option<u64>,
    #[prost(uint64, optional, tag = "13")]
    shpages_skipped_parent: Option<u64>,
    #[prost(uint64, optional, tag = "14")]
    shpages_written: Option<u64>,
}

impl DumpStatistics {
    /// The name of the file in the work directory.
    pub const FILE: &str = "stats-dump";

    /// Reads them.
    ///
    /// # Errors
    /// The file cannot be read; [`InvalidData`](io::ErrorKind::InvalidData) if it is another one.
    pub fn read(mut file: impl Read) -> io::Result<Self> {
        let mut word = || -> io::Result<u32> {
            let mut bytes = [0; 4];
            file.read_exact(&mut bytes)?;
            Ok(u32::from_le_bytes(bytes))
        };
        let invalid = || io::Error::from(io::ErrorKind::InvalidData);
        if [word()?, word()?] != MAGIC {
            return Err(invalid());
        }
        let length = word()?;
        if length > LONGEST {
            return Err(invalid());
        }
        let mut bytes = Vec::new();
        file.take(length.into()).read_to_end(&mut bytes)?;
        let entry = Entry::decode(bytes.as_slice()).map_err(|_| invalid())?;
        entry.dump.map(Self::from).ok_or_else(invalid)
    }
}

impl From<Dump> for DumpStatistics {
    fn from(dump: Dump) -> Self {
        let time = |microseconds: u32| Duration::from_micros(microseconds.into());
        let pages = |own: u64, shared: Option<u64>| own.saturating_add(shared.unwrap_or(0));
        Self {
            freezing: time(dump.freezing_time),
            frozen: time(dump.frozen_time),
            memory_dump: time(dump.memdump_time),
            memory_write: time(dump.memwrite_time),
            pages_scanned: pages(dump.pages_scanned, dump.shpages_scanned),
            pages_in_parent: pages(dump.pages_skipped_parent, dump.shpages_skipped_parent),
            pages_written: pages(dump.pages_written, dump.shpages_written),
            pages_lazy: dump.pages_lazy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by CRIU 4.1.1.
    const FILE: &[u8] = &[
        0x40, 0x59, 0x10, 0x55, 0x06, 0x33, 0x09, 0x57, 0x26, 0, 0, 0, 0x0a, 0x24, 0x08, 0xf4,
        0xac, 0x01, 0x10, 0xbe, 0x95, 0xbb, 0x02, 0x18, 0xf4, 0xf5, 0x01, 0x20, 0x93, 0x14, 0x28,
        0x33, 0x30, 0, 0x38, 0x23, 0x40, 0, 0x48, 0, 0x50, 0x08, 0x58, 0x08, 0x60, 0, 0x68, 0,
        0x70, 0,
    ];

    #[test]
    fn a_file_of_criu_is_read() {
        let statistics = DumpStatistics::read(FILE).unwrap();
        assert_eq!(statistics.freezing, Duration::from_micros(22_132));
        assert_eq!(statistics.frozen, Duration::from_micros(5_163_710));
        assert_eq!(statistics.memory_dump, Duration::from_micros(31_476));
        assert_eq!(statistics.memory_write, Duration::from_micros(2579));
        let pages = (statistics.pages_scanned, statistics.pages_written);
        assert_eq!(pages, (51, 35));
        assert_eq!((statistics.pages_in_parent, statistics.pages_lazy), (0, 0));
    }

    #[test]
    fn what_is_no_such_file_is_refused() {
        for end in 0..FILE.len() {
            assert!(DumpStatistics::read(&FILE[..end]).is_err(), "{end}");
        }
        let mut other = FILE.to_vec();
        other[4] += 1;
        assert!(DumpStatistics::read(other.as_slice()).is_err());
        let mut long = FILE.to_vec();
        long[11] = 0xff;
        assert!(DumpStatistics::read(long.as_slice()).is_err());
        let restore = [&FILE[..8], &[2, 0, 0, 0, 0x12, 0]].concat();
        assert!(DumpStatistics::read(restore.as_slice()).is_err());
    }
}
