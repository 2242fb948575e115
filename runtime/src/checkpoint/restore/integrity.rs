//! Whether images are whole, before CRIU is given them.
//!
//! A copy that was interrupted, or a full disk, leaves images that are cut off or missing. CRIU
//! (4.1.1) reads the end of a file with memory pages again and again, crashes where it finds no
//! processes, and says "Unexpected EOF on (empty-image)" of what is missing. So what it needs of
//! every container is looked at here, and named.

use std::fs::File;
use std::io::{self, BufReader};
use std::os::fd::OwnedFd;
use std::path::Path;

use criu::{PageMap, Records, has_memory, read_processes};
use rustix::fs::{AtFlags, Mode, OFlags, openat, statat};
use rustix::io::Errno;

use crate::checkpoint::image_files;
use crate::error::{Error, ErrorKind, Result};

/// The image that a dump writes last.
const INVENTORY: &str = "inventory.img";

/// The processes.
const TREE: &str = "pstree.img";

/// Refuses images that CRIU cannot restore because files are cut off or missing. `path` is for the
/// message. With `lazy_pages` the memory may be on another host.
///
/// Only what the images refer to is looked at: files of a former dump may be in the same directory.
pub(crate) fn check(directory: &OwnedFd, path: &Path, lazy_pages: bool) -> Result<()> {
    let images = Directory { directory, path };
    let whole = |image| Records::of(image)?.try_for_each(|record| record.map(drop));
    let dump = "the dump was not completed, or not all of it was copied";
    images.read(INVENTORY, dump, whole)?;
    let mut pids = Vec::new();
    for pid in images.read(TREE, NOT_COPIED, read_processes)? {
        if images.read(&format!("core-{pid}.img"), NOT_COPIED, has_memory)? {
            images.read(&format!("mm-{pid}.img"), NOT_COPIED, whole)?;
            pids.push(pid);
        }
    }
    if lazy_pages {
        return Ok(());
    }
    image_files::each(directory, path, |directory, path| {
        let images = Directory { directory, path };
        let mut in_parent = Vec::new();
        for pid in std::mem::take(&mut pids) {
            if images.check_pages(pid)?.pages_in_parent > 0 {
                in_parent.push(pid);
            }
        }
        pids = in_parent;
        Ok(())
    })
}

const NOT_COPIED: &str = "not all of the images were copied";

/// A directory of images.
struct Directory<'a> {
    directory: &'a OwnedFd,
    path: &'a Path,
}

impl Directory<'_> {
    /// Has a function read an image from its beginning. `why` is said where it is missing.
    fn read<T>(
        &self,
        name: &str,
        why: &str,
        read: impl FnOnce(BufReader<File>) -> io::Result<T>,
    ) -> Result<T> {
        let path = self.path.join(name);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let image = match openat(self.directory, name, flags, Mode::empty()) {
            Ok(image) => BufReader::new(File::from(image)),
            Err(Errno::NOENT) => return Err(self.missing(name, why)),
            Err(errno) => return Err(Error::system(format!("open {}", path.display()), errno)),
        };
        read(image).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::config(format!("{} is cut off", path.display())),
            io::ErrorKind::InvalidData => {
                let what = format!("{} is damaged", path.display());
                Error::with(ErrorKind::InvalidConfig, what, error)
            }
            _ => Error::system(format!("read {}", path.display()), error),
        })
    }

    fn missing(&self, name: &str, why: &str) -> Error {
        let path = self.path.join(name);
        Error::config(format!("{} is missing: {why}", path.display()))
    }

    /// Compares the size of the file with the memory pages of a process with what its page map has
    /// in it. Pages that were taken out again (`fallocate(2)`) leave the size as it is.
    fn check_pages(&self, pid: u32) -> Result<PageMap> {
        let name = format!("pagemap-{pid}.img");
        let map = self.read(&name, NOT_COPIED, PageMap::read)?;
        if map.pages == 0 {
            return Ok(map);
        }
        let pages = format!("pages-{}.img", map.pages_id);
        let has = match statat(self.directory, &pages, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => u64::try_from(stat.st_size).unwrap_or(0),
            Err(Errno::NOENT) => return Err(self.missing(&pages, NOT_COPIED)),
            Err(errno) => {
                let path = self.path.join(&pages);
                return Err(Error::system(format!("look at {}", path.display()), errno));
            }
        };
        let page = u64::try_from(rustix::param::page_size()).unwrap_or(u64::MAX);
        let needs = map.pages.saturating_mul(page);
        if has < needs {
            return Err(Error::config(format!(
                "{} is cut off: it has {has} bytes, and by {name} it has to have {needs}",
                self.path.join(&pages).display()
            )));
        }
        Ok(map)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// An image with these records.
    fn image(records: &[&[u8]]) -> Vec<u8> {
        let mut bytes = vec![0x19, 0x43, 0x56, 0x54, 1, 2, 3, 4];
        for record in records {
            bytes.extend(u32::try_from(record.len()).unwrap().to_le_bytes());
            bytes.extend(*record);
        }
        bytes
    }

    /// Images of one process, pid 7, with three pages in a file and two in that of the directory
    /// `parent`.
    fn images() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("last");
        let parent = directory.path().join("first");
        fs::create_dir(&path).unwrap();
        fs::create_dir(&parent).unwrap();
        symlink("../first", path.join("parent")).unwrap();
        let map = |pages, flags| {
            let others: &[u8] = &[8, 0, 0x10, 2, 0x20, flags];
            image(&[&[8, 1], &[8, 0, 0x10, pages, 0x20, 4], others])
        };
        let page = rustix::param::page_size();
        for (name, content) in [
            ("last/inventory.img", image(&[&[8, 1]])),
            ("last/pstree.img", image(&[&[8, 7]])),
            ("last/core-7.img", image(&[&[0x1a, 2, 8, 1]])),
            ("last/mm-7.img", image(&[&[8, 1]])),
            // Two pages are in the parent.
            ("last/pagemap-7.img", map(3, 1)),
            ("last/pages-1.img", vec![0; 3 * page]),
            ("first/pagemap-7.img", map(2, 2)),
            ("first/pages-1.img", vec![0; 2 * page]),
            // Of a process that had ended when the last dump was made in this directory.
            ("last/pagemap-6.img", map(9, 4)),
        ] {
            fs::write(directory.path().join(name), content).unwrap();
        }
        directory
    }

    fn checked(images: &tempfile::TempDir, lazy_pages: bool) -> Result<()> {
        let path = images.path().join("last");
        let opened = OwnedFd::from(File::open(&path).unwrap());
        check(&opened, &path, lazy_pages)
    }

    #[test]
    fn every_image_that_is_cut_off_or_missing_is_named() {
        checked(&images(), false).unwrap();
        for name in [
            "last/inventory.img",
            "last/pstree.img",
            "last/core-7.img",
            "last/mm-7.img",
            "last/pagemap-7.img",
            "last/pages-1.img",
            "first/pagemap-7.img",
            "first/pages-1.img",
        ] {
            let seen = name.replace("first", "last/parent");
            let images = images();
            let path = images.path().join(name);
            let length = fs::metadata(&path).unwrap().len();
            fs::OpenOptions::new()
                .write(true)
                .open(&path)
                .and_then(|file| file.set_len(length - 1))
                .unwrap();
            let error = checked(&images, false).unwrap_err();
            let said = format!("{seen} is cut off");
            assert!(error.chain().contains(&said), "{name}: {}", error.chain());
            fs::remove_file(&path).unwrap();
            let error = checked(&images, false).unwrap_err();
            let said = format!("{seen} is missing");
            assert!(error.chain().contains(&said), "{name}: {}", error.chain());
        }
    }

    #[test]
    fn a_process_that_has_ended_has_no_memory() {
        let images = images();
        let path = |name: &str| images.path().join("last").join(name);
        fs::write(path("core-7.img"), image(&[&[0x1a, 2, 8, 6]])).unwrap();
        for name in ["mm-7.img", "pagemap-7.img", "pages-1.img"] {
            fs::remove_file(path(name)).unwrap();
        }
        checked(&images, false).unwrap();
    }

    #[test]
    fn pages_may_be_on_another_host_and_have_holes() {
        let images = images();
        let pages = images.path().join("last/pages-1.img");
        let length = fs::metadata(&pages).unwrap().len();
        fs::remove_file(&pages).unwrap();
        checked(&images, true).unwrap();
        checked(&images, false).unwrap_err();
        File::create(&pages).unwrap().set_len(length).unwrap();
        checked(&images, false).unwrap();
    }
}
