//! What is in a directory of images before CRIU opens files there by their names, as root.
//!
//! A link would lead it elsewhere, so there may be none, but for the one to a former dump that CRIU
//! makes itself. CRIU follows that one, from dump to dump: memory pages are read from there and,
//! with `auto_dedup`, are punched out there (`fallocate(2)`).

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat};
use rustix::io::Errno;

use crate::error::{Error, Result};

/// The images of the dump before, which a dump links to.
pub(crate) const PARENT: &str = "parent";

/// How many dumps may be built on each other. Fewer than this are useful, and links that lead in a
/// circle have no end.
const LONGEST_CHAIN: usize = 1000;

/// Refuses a directory of images, or one that these are built on, with something in it that leads
/// elsewhere, or that opening waits for. `path` is for the message.
pub(crate) fn check(directory: &OwnedFd, path: &Path) -> Result<()> {
    each(directory, path, check_one)
}

/// Calls a function for a directory of images, and for each that these are built on.
pub(crate) fn each(
    directory: &OwnedFd,
    path: &Path,
    mut call: impl FnMut(&OwnedFd, &Path) -> Result<()>,
) -> Result<()> {
    call(directory, path)?;
    let mut below = path.join(PARENT);
    let mut next = open_parent(directory, &below)?;
    for _ in 0..LONGEST_CHAIN {
        let Some(directory) = next else {
            return Ok(());
        };
        call(&directory, &below)?;
        below.push(PARENT);
        next = open_parent(&directory, &below)?;
    }
    Err(Error::config(format!(
        "{}: more than {LONGEST_CHAIN} dumps are built on each other",
        path.display()
    )))
}

/// The images of the dump before, if there are some.
fn open_parent(directory: &OwnedFd, path: &Path) -> Result<Option<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match openat(directory, PARENT, flags, Mode::empty()) {
        Ok(parent) => Ok(Some(parent)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(Error::system(format!("open {}", path.display()), errno)),
    }
}

fn check_one(directory: &OwnedFd, path: &Path) -> Result<()> {
    let failed = |errno| Error::system(format!("list {}", path.display()), errno);
    for entry in Dir::read_from(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let kind = match entry.file_type() {
            FileType::Unknown => {
                let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW);
                FileType::from_raw_mode(stat.map_err(failed)?.st_mode)
            }
            known => known,
        };
        let fits = match kind {
            // A server of lazy pages may listen there.
            FileType::RegularFile | FileType::Directory | FileType::Socket => true,
            FileType::Symlink => name.to_bytes() == PARENT.as_bytes(),
            _ => false,
        };
        if !fits {
            let name = Path::new(name.to_str().unwrap_or("?"));
            return Err(no_image(&path.join(name)));
        }
    }
    Ok(())
}

/// The error for what has the name of an image or log, and is something else.
pub(crate) fn no_image(path: &Path) -> Error {
    Error::config(format!(
        "{} is no regular file: it cannot be part of a checkpoint",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;

    /// `DIRECTORY/last`, which is built on `DIRECTORY/first`.
    fn chain() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let last = directory.path().join("last");
        fs::create_dir(&last).unwrap();
        fs::create_dir(directory.path().join("first")).unwrap();
        symlink("../first", last.join(PARENT)).unwrap();
        (directory, last)
    }

    fn checked(path: &Path) -> Result<()> {
        check(&fs::File::open(path).unwrap().into(), path)
    }

    #[test]
    fn images_that_others_are_built_on_lead_nowhere_either() {
        let (directory, last) = chain();
        let pages = directory.path().join("first/pages-1.img");
        fs::write(&pages, "").unwrap();
        checked(&last).unwrap();
        fs::remove_file(&pages).unwrap();
        symlink("/etc/shadow", &pages).unwrap();
        let error = checked(&last).unwrap_err();
        let expected = format!(
            "{}/parent/pages-1.img is no regular file: it cannot be part of a checkpoint",
            last.display()
        );
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_chain_without_an_end_is_refused() {
        let (directory, last) = chain();
        symlink("../last", directory.path().join("first/parent")).unwrap();
        let error = checked(&last).unwrap_err();
        let expected = format!(
            "{}: more than 1000 dumps are built on each other",
            last.display()
        );
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn parents_that_are_gone_are_left_to_criu() {
        let (directory, last) = chain();
        fs::remove_dir(directory.path().join("first")).unwrap();
        checked(&last).unwrap();
        // But what is there and no directory is wrong.
        fs::write(directory.path().join("first"), "").unwrap();
        let error = checked(&last).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOTDIR));
    }
}
