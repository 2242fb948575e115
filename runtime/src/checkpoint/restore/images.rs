//! The directory of the images, and what is read there: nothing in it is trusted to be what its
//! name says. CRIU writes its log and its statistics there.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::checkpoint::criu_process::Log;
use crate::checkpoint::descriptors::{self, Pipe};
use crate::checkpoint::image_files::{check, no_image};
use crate::checkpoint::options::CriuOptions;
use crate::checkpoint::restore::integrity;
use crate::error::{Error, ErrorKind, Result};

/// The log of a restore.
const LOG: &str = "restore.log";

/// What CRIU writes into the work directory.
const WRITTEN: [&str; 2] = [LOG, "stats-restore"];

/// The directories of a restore, open.
#[derive(Debug)]
pub(crate) struct Images {
    directory: OwnedFd,
    work: Option<OwnedFd>,
    /// The directory with the log, as the user knows it.
    log_path: PathBuf,
}

impl Images {
    /// Opens the directory with the images, and the one for work files, which is made if it is
    /// missing.
    pub(crate) fn open(options: &CriuOptions) -> Result<Self> {
        let path = &options.image_directory;
        if path.as_os_str().is_empty() {
            return Err(Error::config("invalid directory to restore checkpoint"));
        }
        let directory = open(path)?;
        check(&directory, path)?;
        check_written(&directory, path)?;
        let work = match &options.work_directory {
            None => None,
            Some(path) => {
                match rustix::fs::mkdir(path, Mode::RWXU) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(errno) => {
                        return Err(Error::system(format!("make {}", path.display()), errno));
                    }
                }
                let work = open(path)?;
                check_written(&work, path)?;
                Some(work)
            }
        };
        let log_path = options.work_directory.as_ref().unwrap_or(path).clone();
        Ok(Self {
            directory,
            work,
            log_path,
        })
    }

    /// The same directories in the mount namespace of the calling thread, which CRIU has as well:
    /// it mounts in the work directory, which the kernel refuses in one of another namespace.
    pub(crate) fn reopen(&self, options: &CriuOptions) -> Result<Self> {
        let again = Self::open(options)?;
        let is_same = |one: &OwnedFd, other: &OwnedFd| -> Result<bool> {
            let failed = |errno| Error::system("look at the directory of the images", errno);
            let one = rustix::fs::fstat(one).map_err(failed)?;
            let other = rustix::fs::fstat(other).map_err(failed)?;
            Ok((one.st_dev, one.st_ino) == (other.st_dev, other.st_ino))
        };
        let same_work = match (&self.work, &again.work) {
            (Some(one), Some(other)) => is_same(one, other)?,
            (one, other) => one.is_none() && other.is_none(),
        };
        if same_work && is_same(&self.directory, &again.directory)? {
            return Ok(again);
        }
        Err(Error::new(
            ErrorKind::InvalidState,
            "the directory of the images was replaced",
        ))
    }

    /// Lets a group search the directory of the images until the result is dropped: CRIU opens some
    /// of them as the root user of the container's user namespace, whom a directory of mode 0700
    /// keeps out. (The images themselves may be read by all.)
    pub(crate) fn searchable_by(&self, gid: u32) -> Result<Option<Searchable<'_>>> {
        const OTHERS: u32 = 0o001;
        const GROUP: u32 = 0o010;
        let failed = |errno| {
            let what = "give the container's root user access to the directory of the images";
            Error::system(what, errno)
        };
        let directory = self.directory.as_fd();
        let before = rustix::fs::fstat(directory).map_err(failed)?;
        if before.st_mode & OTHERS != 0 {
            return Ok(None);
        }
        let searchable = Searchable { directory, before };
        rustix::fs::fchown(directory, None, Some(Gid::from_raw(gid))).map_err(failed)?;
        let mode = Mode::from_raw_mode(before.st_mode & 0o7777 | GROUP);
        rustix::fs::fchmod(directory, mode).map_err(failed)?;
        Ok(Some(searchable))
    }

    /// Number of the descriptor of the images.
    pub(crate) fn number(&self) -> i32 {
        self.directory.as_raw_fd()
    }

    /// Number of the descriptor of the work directory, if that is another one.
    pub(crate) fn work_number(&self) -> Option<i32> {
        self.work.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// The log that CRIU is going to write.
    pub(crate) fn log(&self) -> Log<'_> {
        Log {
            directory: self.work.as_ref().unwrap_or(&self.directory).as_fd(),
            path: &self.log_path,
            name: LOG,
        }
    }

    /// The directory of the images.
    pub(crate) fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// Refuses images that are not whole.
    pub(crate) fn check_integrity(&self, options: &CriuOptions) -> Result<()> {
        integrity::check(
            &self.directory,
            &options.image_directory,
            options.lazy_pages,
        )
    }

    /// The pipes that the standard streams were at the dump.
    pub(crate) fn pipes(&self) -> Result<Vec<Pipe>> {
        descriptors::read(&self.directory)
    }
}

/// A directory that a group may search; dropping this ends that.
pub(crate) struct Searchable<'a> {
    directory: BorrowedFd<'a>,
    before: Stat,
}

impl Drop for Searchable<'_> {
    fn drop(&mut self) {
        // What was set once can be set again.
        let mode = Mode::from_raw_mode(self.before.st_mode & 0o7777);
        let _ = rustix::fs::fchmod(self.directory, mode);
        let group = Gid::from_raw(self.before.st_gid);
        let _ = rustix::fs::fchown(self.directory, None, Some(group));
    }
}

fn open(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
        .map_err(|errno| Error::system(format!("open {}", path.display()), errno))
}

/// Refuses those files in a directory that CRIU would write through to others.
fn check_written(directory: &OwnedFd, path: &Path) -> Result<()> {
    for name in WRITTEN {
        let stat = match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => continue,
            Err(errno) => {
                let path = path.join(name);
                return Err(Error::system(format!("look at {}", path.display()), errno));
            }
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || stat.st_nlink != 1 {
            return Err(no_image(&path.join(name)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn images() -> (tempfile::TempDir, CriuOptions) {
        let directory = tempfile::tempdir().unwrap();
        let options = CriuOptions::new(directory.path());
        (directory, options)
    }

    #[test]
    fn images_that_lead_elsewhere_are_refused() {
        let (directory, options) = images();
        std::fs::write(directory.path().join("core-1.img"), "").unwrap();
        symlink("../before", directory.path().join("parent")).unwrap();
        Images::open(&options).unwrap();
        let link = directory.path().join(LOG);
        symlink("/nonexistent/target", &link).unwrap();
        let error = Images::open(&options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        let expected = format!(
            "{} is no regular file: it cannot be part of a checkpoint",
            link.display()
        );
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_group_may_search_the_directory_for_a_time() {
        use std::os::unix::fs::MetadataExt;
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let (directory, options) = images();
        let images = Images::open(&options).unwrap();
        let rights = || {
            let metadata = std::fs::metadata(directory.path()).unwrap();
            (metadata.mode() & 0o7777, metadata.gid())
        };
        rustix::fs::fchmod(&images.directory, Mode::RWXU).unwrap();
        let before = rights();
        assert_eq!(before, (0o700, 0));
        let searchable = images.searchable_by(4711).unwrap();
        assert_eq!(rights(), (0o710, 4711));
        drop(searchable);
        assert_eq!(rights(), before);
        rustix::fs::fchmod(&images.directory, Mode::from_raw_mode(0o711)).unwrap();
        assert!(images.searchable_by(4711).unwrap().is_none());
    }

    #[test]
    fn a_work_directory_may_hold_anything_but_a_link_in_the_place_of_the_log() {
        let (directory, mut options) = images();
        let work = directory.path().join("work");
        options.work_directory = Some(work.clone());
        Images::open(&options).unwrap();
        symlink("/nonexistent", work.join("other")).unwrap();
        Images::open(&options).unwrap();
        symlink("/nonexistent", work.join(LOG)).unwrap();
        assert!(Images::open(&options).is_err());
        std::fs::remove_file(work.join(LOG)).unwrap();
        std::fs::write(work.join("file"), "").unwrap();
        std::fs::hard_link(work.join("file"), work.join(LOG)).unwrap();
        assert!(Images::open(&options).is_err());
    }
}
