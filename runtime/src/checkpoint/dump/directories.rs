//! The directories that CRIU writes images and logs into.
//!
//! CRIU writes with the privileges of its caller and follows symbolic links. So what it is going to
//! write may not be one already.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use criu::DumpStatistics;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat, unlinkat};
use rustix::io::Errno;

use super::LOG;
use crate::checkpoint::criu_process::Log;
use crate::checkpoint::descriptors;
use crate::checkpoint::image_files::{self, PARENT};
use crate::checkpoint::options::CriuOptions;
use crate::error::{Error, Result};

/// The image that CRIU writes last: without it there is nothing to restore.
const INVENTORY: &str = "inventory.img";
/// Mode of those that are made.
const MODE: u32 = 0o700;

/// The open directories of a dump.
#[derive(Debug)]
pub(super) struct Directories {
    /// For images.
    pub(super) images: OwnedFd,
    /// For logs and statistics, if that is another one.
    pub(super) work: Option<OwnedFd>,
    /// The path of the directory for logs.
    pub(super) log_path: PathBuf,
}

impl Directories {
    /// Makes those that are not there, and opens both.
    pub(super) fn prepare(options: &CriuOptions) -> Result<Self> {
        let images = &options.image_directory;
        if images.as_os_str().is_empty() {
            return Err(Error::config("invalid directory to save checkpoint"));
        }
        let work = options.work_directory.as_deref();
        let this = Self {
            images: make(images)?,
            work: work.map(make).transpose()?,
            log_path: work.unwrap_or(images).to_owned(),
        };
        this.refuse_links(images)?;
        Ok(this)
    }

    /// The directory for logs and statistics.
    pub(super) fn log(&self) -> BorrowedFd<'_> {
        self.work.as_ref().unwrap_or(&self.images).as_fd()
    }

    /// The log that CRIU is going to write.
    pub(super) fn criu_log(&self) -> Log<'_> {
        Log {
            directory: self.log(),
            path: &self.log_path,
            name: LOG,
        }
    }

    /// Fails if CRIU would write through a link, or into what is not a file.
    fn refuse_links(&self, path: &Path) -> Result<()> {
        let failed = |errno| Error::system(format!("list {}", path.display()), errno);
        for entry in Dir::read_from(&self.images).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy();
            if name.ends_with(".img") || name == descriptors::FILE {
                require_file(self.images.as_fd(), path, &name)?;
            }
        }
        for name in [LOG, DumpStatistics::FILE] {
            require_file(self.log(), &self.log_path, name)?;
        }
        Ok(())
    }

    /// Makes the images incomplete: not before a dump has overwritten those of another one, and
    /// not after one that has failed. The link to the images before goes, too: CRIU keeps the one
    /// that it finds, which may lead to others than this dump is built on.
    pub(super) fn invalidate(&self) -> Result<()> {
        self.remove(INVENTORY)?;
        if self.kind_of_parent()? == Some(FileType::Symlink) {
            self.remove(PARENT)?;
        }
        Ok(())
    }

    /// Removes what makes images of a dump that has failed look complete.
    pub(super) fn discard(&self) -> Result<()> {
        self.remove(descriptors::FILE)?;
        self.invalidate()
    }

    fn remove(&self, name: &str) -> Result<()> {
        match unlinkat(&self.images, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(Error::system(format!("remove {name}"), errno)),
        }
    }

    fn kind_of_parent(&self) -> Result<Option<FileType>> {
        match statat(&self.images, PARENT, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(Error::system(format!("look at {PARENT}"), errno)),
        }
    }

    /// What CRIU says of the dump. A configuration file of CRIU may have led it elsewhere.
    pub(super) fn statistics(&self) -> Option<DumpStatistics> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = openat(self.log(), DumpStatistics::FILE, flags, Mode::empty());
        let read = opened
            .map_err(std::io::Error::from)
            .and_then(|file| DumpStatistics::read(File::from(file)));
        read.inspect_err(|error| log::debug!("read {}: {error}", DumpStatistics::FILE))
            .ok()
    }

    /// Checks the directory of the images before, relative to these. `images` is the path of these.
    pub(super) fn check_parent(&self, images: &Path, parent: &Path) -> Result<()> {
        const OPTION: &str = "--parent-path";
        if parent.is_absolute() {
            return Err(Error::config(format!("{OPTION} must be relative")));
        }
        let failed = |errno| {
            let what = format!("invalid {OPTION}: {}", parent.display());
            Error::with(crate::ErrorKind::InvalidConfig, what, errno)
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let before = openat(&self.images, parent, flags, Mode::empty()).map_err(failed)?;
        image_files::check(&before, &images.join(parent))?;
        // CRIU takes what has the name of its link for the images before.
        if !matches!(self.kind_of_parent()?, None | Some(FileType::Symlink)) {
            let found = statat(&self.images, PARENT, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
            let before = rustix::fs::fstat(&before).map_err(failed)?;
            if (found.st_dev, found.st_ino) != (before.st_dev, before.st_ino) {
                return Err(Error::config(format!(
                    "{} is in the place of the link to {OPTION}",
                    images.join(PARENT).display()
                )));
            }
        }
        Ok(())
    }
}

fn make(path: &Path) -> Result<OwnedFd> {
    let failed = |error| Error::system(format!("make {}", path.display()), error);
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(MODE)
        .create(path);
    made.map_err(failed)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
        .map_err(|errno| Error::system(format!("open {}", path.display()), errno))
}

/// Fails if the name is there and not that of a regular file.
fn require_file(directory: BorrowedFd<'_>, path: &Path, name: &str) -> Result<()> {
    let stat = match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(()),
        stat => stat.map_err(|errno| {
            Error::system(format!("look at {}", path.join(name).display()), errno)
        })?,
    };
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(()),
        _ => Err(Error::config(format!(
            "{} is no regular file, CRIU would write through it",
            path.join(name).display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(directory: &tempfile::TempDir) -> CriuOptions {
        CriuOptions::new(directory.path().join("a/images"))
    }

    #[test]
    fn directories_are_made_for_their_owner() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let mut options = options(&directory);
        options.work_directory = Some(directory.path().join("work"));
        for _ in 0..2 {
            let made = Directories::prepare(&options).unwrap();
            assert_eq!(made.log_path, directory.path().join("work"));
        }
        for path in ["a", "a/images", "work"] {
            let made = directory.path().join(path).metadata().unwrap();
            assert_eq!(made.permissions().mode() & 0o7777, MODE, "{path}");
        }
        let error = Directories::prepare(&CriuOptions::new("")).unwrap_err();
        assert_eq!(error.to_string(), "invalid directory to save checkpoint");
    }

    #[test]
    fn links_that_criu_would_write_through_are_refused() {
        for name in ["pages-1.img", "descriptors.json", "dump.log", "stats-dump"] {
            let directory = tempfile::tempdir().unwrap();
            let options = options(&directory);
            Directories::prepare(&options).unwrap();
            let link = options.image_directory.join(name);
            std::os::unix::fs::symlink("/etc/shadow", &link).unwrap();
            let error = Directories::prepare(&options).unwrap_err();
            let text = format!(
                "{} is no regular file, CRIU would write through it",
                link.display()
            );
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn what_criu_does_not_write_may_be_anything() {
        let directory = tempfile::tempdir().unwrap();
        let mut options = options(&directory);
        options.work_directory = Some(directory.path().join("work"));
        let made = Directories::prepare(&options).unwrap();
        // The images before these, which CRIU links to; and a bundle as the work directory.
        std::os::unix::fs::symlink("../other", options.image_directory.join("parent")).unwrap();
        std::os::unix::fs::symlink("/", made.log_path.join("x.img")).unwrap();
        Directories::prepare(&options).unwrap();
    }

    #[test]
    fn images_are_not_complete_without_their_inventory() {
        let directory = tempfile::tempdir().unwrap();
        let options = options(&directory);
        let made = Directories::prepare(&options).unwrap();
        made.invalidate().unwrap();
        let inventory = options.image_directory.join(INVENTORY);
        std::fs::write(&inventory, "").unwrap();
        made.invalidate().unwrap();
        assert!(!inventory.exists());
    }

    #[test]
    fn parent_images_are_in_a_directory_relative_to_these() {
        let directory = tempfile::tempdir().unwrap();
        let options = options(&directory);
        let made = Directories::prepare(&options).unwrap();
        let former = directory.path().join("a/former");
        std::fs::create_dir(&former).unwrap();
        let check = |path: &str| made.check_parent(&options.image_directory, Path::new(path));
        check("../former").unwrap();
        let refused = |path: &str| check(path).unwrap_err().chain();
        assert_eq!(refused("/a/former"), "--parent-path must be relative");
        assert_eq!(
            refused("former"),
            "invalid --parent-path: former: No such file or directory (os error 2)"
        );
        std::os::unix::fs::symlink("/etc/shadow", former.join("pages-1.img")).unwrap();
        assert!(refused("../former").contains("former/pages-1.img is no regular file"));
    }

    #[test]
    fn only_the_parent_images_are_in_the_place_of_the_link_to_them() {
        let directory = tempfile::tempdir().unwrap();
        let options = options(&directory);
        let made = Directories::prepare(&options).unwrap();
        for path in ["a/former", "a/images/parent"] {
            std::fs::create_dir(directory.path().join(path)).unwrap();
        }
        let check = |path: &str| made.check_parent(&options.image_directory, Path::new(path));
        check("parent").unwrap();
        let error = check("../former").unwrap_err().to_string();
        assert!(
            error.ends_with("images/parent is in the place of the link to --parent-path"),
            "{error}"
        );
    }

    #[test]
    fn a_link_to_other_parent_images_does_not_stay() {
        let directory = tempfile::tempdir().unwrap();
        let options = options(&directory);
        let made = Directories::prepare(&options).unwrap();
        let link = options.image_directory.join(PARENT);
        std::os::unix::fs::symlink("../other", &link).unwrap();
        made.invalidate().unwrap();
        assert!(link.symlink_metadata().is_err());
        // Images that are there themselves do.
        std::fs::create_dir(&link).unwrap();
        made.invalidate().unwrap();
        assert!(link.is_dir());
    }
}
