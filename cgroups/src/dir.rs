//! Files and directories of cgroupfs, always relative to a directory that was opened before.
//!
//! Names are single components: nothing in a cgroup file name can lead out of the cgroup.
//! Directories are opened with openat2(2) below the root of the hierarchies, without symbolic links
//! on cgroup v2, which has none of them.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::{Error, ErrorKind, Result};

/// The largest file that is read: `memory.stat` with many nodes is some kilobytes, `cgroup.procs`
/// eight bytes per process.
const MAX_FILE: usize = 64 << 20;

/// Where directories may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Below {
    /// One cgroup v2 file system.
    Unified,
    /// A directory of cgroup v1 mounts, with symbolic links between them.
    V1,
}

fn resolve(below: Below) -> ResolveFlags {
    let mut resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    if below == Below::Unified {
        resolve |= ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    }
    resolve
}

/// An open directory of cgroupfs, and what it is called.
#[derive(Debug)]
pub(crate) struct Dir {
    fd: OwnedFd,
    path: PathBuf,
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Dir {
    pub(crate) fn new(fd: OwnedFd, path: impl Into<PathBuf>) -> Self {
        Self {
            fd,
            path: path.into(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn error(
        &self,
        what: impl fmt::Display,
        name: impl AsRef<Path>,
        errno: Errno,
    ) -> Error {
        let path = self.path.join(name);
        Error::io(format_args!("{what} {}", path.display()), &path, errno)
    }

    /// Opens a directory below this one, however deep, without leaving it.
    pub(crate) fn descend(&self, path: &Path, below: Below) -> Result<Self> {
        let full = self.path.join(path);
        let failed = |errno| Error::io(format_args!("open {}", full.display()), &full, errno);
        let resolve = resolve(below);
        if path.as_os_str().is_empty() {
            return self.child(".");
        }
        loop {
            return match rustix::fs::openat2(&self.fd, path, DIRECTORY, Mode::empty(), resolve) {
                Ok(fd) => Ok(Self::new(fd, full)),
                // A rename or mount somewhere on the system raced with a "..".
                Err(Errno::AGAIN | Errno::INTR) => continue,
                // A seccomp filter older than the call.
                Err(Errno::NOSYS | Errno::PERM) => self.walk(path, below).map_err(failed),
                Err(errno) => Err(failed(errno)),
            };
        }
    }

    /// [`descend`](Self::descend) without openat2. The first component may be a symbolic link on
    /// cgroup v1: it is in a directory that only the host's administrator writes.
    fn walk(&self, path: &Path, below: Below) -> Result<Self, Errno> {
        let mut dir: Option<OwnedFd> = None;
        for (index, part) in path.components().enumerate() {
            let Component::Normal(name) = part else {
                return Err(Errno::XDEV);
            };
            let at = dir.as_ref().map_or(self.fd.as_fd(), AsFd::as_fd);
            let follow = below == Below::V1 && index == 0;
            let flags = if follow {
                DIRECTORY
            } else {
                DIRECTORY | OFlags::NOFOLLOW
            };
            dir = Some(rustix::fs::openat(at, name, flags, Mode::empty())?);
        }
        let fd = dir.ok_or(Errno::NOENT)?;
        Ok(Self::new(fd, self.path.join(path)))
    }

    /// Opens a child directory; `.` is this directory again.
    pub(crate) fn child(&self, name: &str) -> Result<Self> {
        let fd = rustix::fs::openat(&self.fd, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())
            .map_err(|errno| self.error("open", name, errno))?;
        let path = if name == "." {
            self.path.clone()
        } else {
            self.path.join(name)
        };
        Ok(Self::new(fd, path))
    }

    /// Opens a child directory, or the parent for `..`, under the name of this one: for walks
    /// through trees that may be thousands of levels deep.
    pub(crate) fn step(&self, name: impl AsRef<OsStr>) -> Result<Self> {
        let name = name.as_ref();
        let fd = rustix::fs::openat(&self.fd, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())
            .map_err(|errno| self.error("open", name, errno))?;
        Ok(Self::new(fd, self.path.clone()))
    }

    /// Makes a child cgroup; `false` if it exists.
    pub(crate) fn mkdir(&self, name: &Path) -> Result<bool> {
        match rustix::fs::mkdirat(&self.fd, name, Mode::from_raw_mode(0o755)) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(errno) => {
                let path = self.path.join(name);
                Err(Error::io(
                    format_args!("mkdir {}", path.display()),
                    &path,
                    errno,
                ))
            }
        }
    }

    /// Removes a child cgroup.
    pub(crate) fn rmdir(&self, name: &Path) -> Result<(), Errno> {
        loop {
            match rustix::fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR) {
                Err(Errno::INTR) => {}
                done => return done,
            }
        }
    }

    /// The names of the child cgroups. Their owner chooses them: they need not be
    /// UTF-8.
    pub(crate) fn children(&self) -> Result<Vec<OsString>> {
        let failed = |errno| self.error("read directory", "", errno);
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if entry.file_type() == FileType::Directory && name != "." && name != ".." {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// Opens a file of this cgroup.
    pub(crate) fn open(&self, name: &str, flags: OFlags) -> Result<OwnedFd> {
        check_name(name)?;
        loop {
            match rustix::fs::openat(
                &self.fd,
                name,
                flags | OFlags::CLOEXEC | OFlags::NOFOLLOW,
                Mode::empty(),
            ) {
                Err(Errno::INTR) => {}
                Err(errno) => return Err(self.error("open", name, errno)),
                Ok(fd) => return Ok(fd),
            }
        }
    }

    /// Opens a file of the cgroup at `path` below this directory; `None` where only the way by its
    /// directory gives the reason.
    pub(crate) fn open_below(
        &self,
        path: &Path,
        below: Below,
        name: &str,
        flags: OFlags,
    ) -> Result<Option<OwnedFd>> {
        check_name(name)?;
        let (path, flags) = (path.join(name), flags | OFlags::CLOEXEC);
        let opened = rustix::fs::openat2(&self.fd, path, flags, Mode::empty(), resolve(below));
        Ok(opened.ok())
    }

    /// Whether the cgroup has not been removed: its open directory stays, without files, and its
    /// link count does not tell.
    pub(crate) fn still_exists(&self) -> Result<bool> {
        self.exists("cgroup.procs")
    }

    /// Whether there is such a file. An error where that is unknown.
    pub(crate) fn exists(&self, name: &str) -> Result<bool> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::NODEV) => Ok(false),
            Err(errno) => Err(self.error("stat", name, errno)),
        }
    }

    /// The content of a file.
    pub(crate) fn read(&self, name: &str) -> Result<String> {
        let failed = |errno| self.error("read", name, errno);
        let fd = self.open(name, OFlags::RDONLY)?;
        read_from_start(&fd).map_err(failed)
    }

    /// The content of a file, `None` if it (or the whole cgroup) is not there.
    pub(crate) fn read_if_present(&self, name: &str) -> Result<Option<String>> {
        match self.read(name) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a value with one write(2): the kernel takes each write as a whole.
    pub(crate) fn write(&self, name: &str, value: &str) -> Result<()> {
        let fd = self.open(name, OFlags::WRONLY)?;
        self.write_to(&fd, name, value)
    }

    /// As [`write`](Self::write), to a file of this cgroup that is open already.
    pub(crate) fn write_to(&self, fd: impl AsFd, name: &str, value: &str) -> Result<()> {
        write_once(fd, value).map_err(|errno| {
            let path = self.path.join(name);
            Error::io(
                format_args!("failed to write {value:?}: write {}", path.display()),
                &path,
                errno,
            )
        })
    }

    /// As [`write`](Self::write); `false` if the file does not exist.
    pub(crate) fn write_if_present(&self, name: &str, value: &str) -> Result<bool> {
        match self.open(name, OFlags::WRONLY) {
            Ok(fd) => self.write_to(&fd, name, value).map(|()| true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

/// A file name of a cgroup is one component.
pub(crate) fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
        return Err(Error::new(
            ErrorKind::InvalidPath,
            format_args!("{name:?} is not the name of a cgroup file"),
        ));
    }
    Ok(())
}

fn write_once(fd: impl AsFd, value: &str) -> Result<(), Errno> {
    loop {
        match rustix::io::write(&fd, value.as_bytes()) {
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
            Ok(written) if written == value.len() => return Ok(()),
            Ok(_) => return Err(Errno::IO),
        }
    }
}

const BUFFER: usize = 4096;

/// The kernel gives as many whole lines as fit into the buffer, and no line in cgroupfs is half as
/// long: a read that gives less than this is the last one, which needs no further read.
const LAST_OF_CGROUPFS: usize = BUFFER / 2;

/// Reads any file from the current position to the end.
pub(crate) fn read_all(fd: impl AsFd) -> Result<String, Errno> {
    text_of(1, |buffer, _| rustix::io::read(&fd, buffer))
}

/// Reads a file that the kernel makes as one piece, from the current position to the end: a read
/// that does not fill the buffer is the last one.
pub(crate) fn read_piece(fd: impl AsFd) -> Result<String, Errno> {
    text_of(BUFFER, |buffer, _| rustix::io::read(&fd, buffer))
}

/// Reads all of a file of cgroupfs, whatever was read of it before.
pub(crate) fn read_from_start(fd: impl AsFd) -> Result<String, Errno> {
    text_of(LAST_OF_CGROUPFS, |buffer, offset| {
        rustix::io::pread(&fd, buffer, offset)
    })
}

/// Calls `read` with the number of bytes it has given so far until it gives less than `last`.
fn text_of(
    last: usize,
    mut read: impl FnMut(&mut [u8], u64) -> Result<usize, Errno>,
) -> Result<String, Errno> {
    let mut buffer = [0_u8; BUFFER];
    let mut bytes = Vec::new();
    loop {
        let offset = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let count = match read(&mut buffer, offset) {
            Ok(count) => count,
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(errno),
        };
        bytes.extend_from_slice(buffer.get(..count).unwrap_or_default());
        if count < last {
            break;
        }
        if bytes.len() > MAX_FILE {
            return Err(Errno::FBIG);
        }
    }
    Ok(match String::from_utf8_lossy(&bytes) {
        Cow::Owned(text) => text,
        Cow::Borrowed(_) => String::from_utf8(bytes).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::fake::Fake;

    #[test]
    fn directories_are_walked_where_there_is_no_openat2() {
        let fake = Fake::v1("1:cpu,cpuacct:/\n");
        fake.file("cpu,cpuacct/a/b/tasks", "");
        symlink("cpu,cpuacct", fake.root().join("cpu")).unwrap();
        symlink("b", fake.root().join("cpu,cpuacct/a/link")).unwrap();
        let hierarchy = fake.hierarchy();
        let walk = |path: &str, below| {
            let found = hierarchy.root().walk(Path::new(path), below);
            found.map(|dir| dir.exists("tasks").unwrap())
        };
        assert_eq!(walk("cpu,cpuacct/a/b", Below::V1), Ok(true));
        // The names that controllers share a mount by are links, as on most machines; others are
        // not followed.
        assert_eq!(walk("cpu/a/b", Below::V1), Ok(true));
        assert_eq!(walk("cpu/a/b", Below::Unified), Err(Errno::NOTDIR));
        assert_eq!(walk("cpu/a/link", Below::V1), Err(Errno::NOTDIR));
        assert_eq!(walk("cpu/../..", Below::V1), Err(Errno::XDEV));
        assert_eq!(walk("/cpu", Below::V1), Err(Errno::XDEV));
        assert_eq!(walk("cpu/none", Below::V1), Err(Errno::NOENT));
    }

    #[test]
    fn what_cannot_be_told_is_neither_there_nor_absent() {
        let fake = Fake::v1("1:pids:/\n");
        fake.file("pids/tasks", "");
        let hierarchy = fake.hierarchy();
        let root = hierarchy.root();
        assert!(root.exists("pids/tasks").unwrap());
        assert!(!root.exists("pids/none").unwrap());
        assert!(
            !root.exists("pids/tasks/none").unwrap(),
            "ENOTDIR is absence"
        );
        let long = "x".repeat(300);
        assert_eq!(
            root.exists(&long).unwrap_err().raw_os_error(),
            Some(libc::ENAMETOOLONG)
        );
    }
}
