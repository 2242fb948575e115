//! What is read of image files before CRIU is given them.
//!
//! An image has a magic number of four bytes, or two of them, and then records: each is a length
//! (`u32`, little-endian) and a protocol buffer. Files with memory pages are the pages alone.

use std::io::{self, Read};

use prost::Message;

/// The first of two magic numbers (`IMG_COMMON_MAGIC`, since CRIU 1.6).
const COMMON_MAGIC: u32 = 0x5456_4319;

/// No record of an image is longer.
const LONGEST_RECORD: u32 = 64 << 20;

/// The records of an image.
///
/// Only for images that have nothing but records: `inventory`, `pstree`, `core-…`, `mm-…`,
/// `pagemap-…`. In others, data that belongs to a record follows it.
#[derive(Debug)]
pub struct Records<R> {
    image: R,
    ended: bool,
}

impl<R: Read> Records<R> {
    /// Reads the magic numbers.
    ///
    /// # Errors
    /// The image cannot be read; [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if it is cut off.
    pub fn of(mut image: R) -> io::Result<Self> {
        if word(&mut image)? == COMMON_MAGIC {
            word(&mut image)?;
        }
        Ok(Self {
            image,
            ended: false,
        })
    }

    fn next_record(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut first = [0];
        if self.image.read(&mut first)? == 0 {
            return Ok(None);
        }
        let [a] = first;
        let mut rest = [0; 3];
        self.image.read_exact(&mut rest)?;
        let [b, c, d] = rest;
        let length = u32::from_le_bytes([a, b, c, d]);
        if length > LONGEST_RECORD {
            let problem = format!("a record of {length} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        let mut record = Vec::new();
        let read = self
            .image
            .by_ref()
            .take(length.into())
            .read_to_end(&mut record)?;
        if u64::try_from(read).ok() != Some(length.into()) {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        Ok(Some(record))
    }
}

/// Errors: the image cannot be read; [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if it is cut
/// off, [`InvalidData`](io::ErrorKind::InvalidData) if a record is too long. None comes after one.
impl<R: Read> Iterator for Records<R> {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let record = self.next_record();
        self.ended = !matches!(record, Ok(Some(_)));
        record.transpose()
    }
}

fn word(image: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    image.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

/// Which memory pages an image `pagemap-….img` has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageMap {
    /// The number in the name of the file with the pages, `pages-NUMBER.img`.
    pub pages_id: u32,
    /// How many pages are in that file.
    pub pages: u64,
    /// How many are in the images that these are built on. Others are fetched.
    pub pages_in_parent: u64,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Head {
    #[prost(uint32, required, tag = "1")]
    pages_id: u32,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Entry {
    /// The number of pages up to CRIU 4.1.
    #[prost(uint32, optional, tag = "2")]
    compat_nr_pages: Option<u32>,
    /// In images of CRIU before 2.0, instead of flags.
    #[prost(bool, optional, tag = "3")]
    in_parent: Option<bool>,
    #[prost(uint32, optional, tag = "4")]
    flags: Option<u32>,
    /// The number of pages since CRIU 4.2.
    #[prost(uint64, optional, tag = "5")]
    nr_pages: Option<u64>,
}

/// The pages are in the images that these are built on (`PE_PARENT`).
const IN_PARENT: u32 = 1 << 0;
/// The pages are in the file (`PE_PRESENT`).
const PRESENT: u32 = 1 << 2;

impl PageMap {
    /// Reads the image.
    ///
    /// # Errors
    /// Those of [`Records`]; [`InvalidData`](io::ErrorKind::InvalidData) if it is another image.
    pub fn read(image: impl Read) -> io::Result<Self> {
        let mut records = Records::of(image)?;
        let head: Head = match records.next() {
            Some(record) => decode(&record?)?,
            None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
        };
        let mut map = Self {
            pages_id: head.pages_id,
            ..Self::default()
        };
        for record in records {
            let entry: Entry = decode(&record?)?;
            let compat = entry.compat_nr_pages.unwrap_or(0);
            let pages = entry.nr_pages.unwrap_or(compat.into());
            let flags = match (entry.in_parent, entry.flags) {
                (Some(true), flags) => flags.unwrap_or(0) | IN_PARENT,
                (_, flags) => flags.unwrap_or(PRESENT),
            };
            for (flag, sum) in [
                (PRESENT, &mut map.pages),
                (IN_PARENT, &mut map.pages_in_parent),
            ] {
                if flags & flag != 0 {
                    *sum = sum.saturating_add(pages);
                }
            }
        }
        Ok(map)
    }
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Process {
    #[prost(uint32, required, tag = "1")]
    pid: u32,
}

/// The processes in an image `pstree.img`, by their pids in the tree.
///
/// # Errors
/// Those of [`Records`]; [`InvalidData`](io::ErrorKind::InvalidData) if it is another image.
pub fn read_processes(image: impl Read) -> io::Result<Vec<u32>> {
    let records = Records::of(image)?;
    let pids = records.map(|record| decode::<Process>(&record?).map(|process| process.pid));
    pids.collect()
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Core {
    #[prost(message, optional, tag = "3")]
    task: Option<Task>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Task {
    #[prost(uint32, required, tag = "1")]
    task_state: u32,
}

/// A process that runs (`TASK_ALIVE`), or is stopped (`TASK_STOPPED`).
const WITH_MEMORY: [u32; 2] = [1, 3];

/// Whether the process of an image `core-PID.img` has memory: one that has ended, and is not
/// waited for yet, has none.
///
/// # Errors
/// Those of [`Records`]; [`InvalidData`](io::ErrorKind::InvalidData) if it is another image.
pub fn has_memory(image: impl Read) -> io::Result<bool> {
    let mut task = None;
    for record in Records::of(image)? {
        task = decode::<Core>(&record?)?.task;
    }
    Ok(task.is_some_and(|task| WITH_MEMORY.contains(&task.task_state)))
}

fn decode<T: Message + Default>(record: &[u8]) -> io::Result<T> {
    T::decode(record).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An image with these records.
    fn image(records: &[&[u8]]) -> Vec<u8> {
        let mut bytes = vec![0x19, 0x43, 0x56, 0x54, 0x25, 0x40, 0x08, 0x56];
        for record in records {
            bytes.extend(u32::try_from(record.len()).unwrap().to_le_bytes());
            bytes.extend(*record);
        }
        bytes
    }

    /// `pages_id: 3`.
    const HEAD: &[u8] = &[0x08, 3];

    #[test]
    fn only_pages_that_are_present_are_in_the_file() {
        let entries: [&[u8]; 6] = [
            HEAD,
            // 2 pages, present and lazy; 5 in the parent; 7 lazy alone.
            &[0x08, 0, 0x10, 2, 0x20, 6],
            &[0x08, 0, 0x10, 5, 0x20, 1],
            &[0x08, 0, 0x10, 7, 0x20, 2],
            // The numbers of CRIU 4.2: the older one is not the number then.
            &[0x08, 0, 0x10, 1, 0x20, 4, 0x28, 0x80, 0x08],
            // Before there were flags.
            &[0x08, 0, 0x10, 11],
        ];
        let map = PageMap::read(image(&entries).as_slice()).unwrap();
        assert_eq!((map.pages_id, map.pages), (3, 2 + 1024 + 11));
        assert_eq!(map.pages_in_parent, 5);
        let former = image(&[HEAD, &[0x08, 0, 0x10, 11, 0x18, 1]]);
        let map = PageMap::read(former.as_slice()).unwrap();
        assert_eq!((map.pages, map.pages_in_parent), (0, 11));
        // Before there were two magic numbers.
        let map = PageMap::read(&image(&entries)[4..]).unwrap();
        assert_eq!(map.pages_id, 3);
    }

    #[test]
    fn an_image_that_is_cut_off_is_an_error() {
        let whole = image(&[HEAD, &[0x08, 0, 0x10, 2]]);
        let complete = image(&[HEAD]).len();
        for end in (0..whole.len()).filter(|end| *end != complete) {
            let error = PageMap::read(&whole[..end]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{end}");
        }
        let mut long = whole;
        long[11] = 0xff;
        let error = PageMap::read(long.as_slice()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn no_record_comes_after_an_error() {
        let mut bytes = image(&[HEAD]);
        bytes.push(1);
        let mut records = Records::of(bytes.as_slice()).unwrap();
        assert_eq!(records.next().unwrap().unwrap(), HEAD);
        assert!(records.next().unwrap().is_err());
        assert!(records.next().is_none());
    }

    #[test]
    fn processes_that_have_ended_have_no_memory() {
        for (state, memory) in [(1, true), (2, false), (3, true), (6, false)] {
            let core = image(&[&[0x08, 1, 0x1a, 2, 0x08, state]]);
            assert_eq!(has_memory(core.as_slice()).unwrap(), memory, "{state}");
        }
        assert!(!has_memory(image(&[]).as_slice()).unwrap());
    }

    #[test]
    fn processes_are_listed_by_their_pids() {
        let tree = image(&[&[0x08, 1, 0x10, 0], &[0x08, 0x84, 0x01, 0x10, 1]]);
        assert_eq!(read_processes(tree.as_slice()).unwrap(), [1, 132]);
        assert_eq!(read_processes(image(&[]).as_slice()).unwrap(), []);
        assert!(read_processes(image(&[&[0x10]]).as_slice()).is_err());
    }
}
