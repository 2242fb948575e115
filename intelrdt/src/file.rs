//! Reading and writing the small files of resctrl.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Result as RawResult;

use crate::error::{Error, Repr, Result};

/// Far above the largest file, `schemata` of a machine with many caches.
const MAX_BYTES: u64 = 1 << 20;

/// An open directory and its path, for messages.
#[derive(Debug)]
pub(crate) struct Directory {
    descriptor: OwnedFd,
    path: PathBuf,
}

impl Directory {
    pub(crate) fn new(descriptor: OwnedFd, path: impl Into<PathBuf>) -> Self {
        Self {
            descriptor,
            path: path.into(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    pub(crate) fn raw_open(&self, name: impl AsRef<Path>) -> RawResult<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(&self.descriptor, name.as_ref(), flags, Mode::empty())
    }

    /// A directory below this one.
    pub(crate) fn open(&self, name: impl AsRef<Path>) -> Result<Self> {
        let path = self.join(&name);
        match self.raw_open(name) {
            Ok(descriptor) => Ok(Self { descriptor, path }),
            Err(errno) => Err(Error::io("open", path, errno)),
        }
    }

    /// The text of a file, without the line end behind it.
    pub(crate) fn read(&self, name: impl AsRef<Path>) -> Result<String> {
        let path = self.join(&name);
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = openat(&self.descriptor, name.as_ref(), flags, Mode::empty())
            .map_err(|errno| Error::io("open", &path, errno))?;
        let mut text = Vec::new();
        File::from(file)
            .take(MAX_BYTES)
            .read_to_end(&mut text)
            .map_err(|error| Error::io("read", &path, error))?;
        Ok(String::from_utf8_lossy(text.trim_ascii_end()).into_owned())
    }

    pub(crate) fn read_number(&self, name: impl AsRef<Path>) -> Result<u64> {
        let text = self.read(&name)?;
        text.parse().map_err(|_| {
            Repr::Number {
                path: self.join(name),
                text,
            }
            .into()
        })
    }

    /// Writes a file in one call: the kernel takes each call for a command of its own.
    pub(crate) fn raw_write(&self, name: &str, text: &str) -> RawResult<()> {
        let flags = OFlags::WRONLY | OFlags::TRUNC | OFlags::CLOEXEC;
        let file = openat(&self.descriptor, name, flags, Mode::empty())?;
        rustix::io::retry_on_intr(|| rustix::io::write(&file, text.as_bytes())).map(drop)
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
