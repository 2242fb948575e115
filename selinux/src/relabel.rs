use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, openat, statat};
use rustix::io::Errno;

use crate::error::{Error, Repr, Result};
use crate::file::ATTRIBUTE;
use crate::label::Label;

/// Directories of the host system: relabelled for one container, they would be lost to everybody
/// else.
const PROTECTED: [&str; 17] = [
    "/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/opt", "/proc", "/root",
    "/run", "/sbin", "/sys", "/tmp", "/usr", "/var",
];

/// Who may use the files of a relabelled tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Share {
    /// Every container: the files get the label without its categories.
    Shared,
    /// The container with the label's categories.
    Private,
}

/// How far a relabelling goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelabelLimits {
    /// The most files, directories included.
    pub files: usize,
    /// The most directories below one another; each costs a descriptor while it is open.
    pub depth: usize,
}

impl Default for RelabelLimits {
    /// Ten million files, 256 levels.
    fn default() -> Self {
        Self {
            files: 10_000_000,
            depth: 256,
        }
    }
}

/// What a relabelling did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Relabelled {
    /// Files that got the label.
    pub changed: usize,
    /// Files that had it already.
    pub unchanged: usize,
    /// Files on file systems without labels, left alone.
    pub unsupported: usize,
}

/// Gives a file, or a directory and all below it, a label.
///
/// Symbolic links are labelled themselves and not followed, also if the tree changes meanwhile:
/// each step goes from an open directory to a name in it. What disappears meanwhile is not an
/// error. Mounts below the directory are included.
///
/// # Errors
/// [`Protected`](crate::ErrorKind::Protected) for `/`, `/etc`, `/usr` and their like, under
/// whatever name they are reached; [`TooLarge`](crate::ErrorKind::TooLarge);
/// [`Io`](crate::ErrorKind::Io) with the path below the start. Files labelled before the error keep
/// the new label.
pub fn relabel(
    start: impl AsFd,
    label: &Label,
    share: Share,
    limits: RelabelLimits,
) -> Result<Relabelled> {
    let start = start.as_fd();
    let status = fstat(start).map_err(|errno| Error::io("stat", ".", errno))?;
    if let Some(path) = protected(&status) {
        return Err(Repr::Protected(path.into()).into());
    }
    let label = match share {
        Share::Shared => label.shared()?,
        Share::Private => label.clone(),
    };
    let mut walk = Walk {
        label: &label,
        limits,
        path: PathBuf::new(),
        done: Relabelled::default(),
    };
    walk.apply(start)?;
    if is_directory(status.st_mode) {
        walk.descend(start)?;
    }
    Ok(walk.done)
}

/// The directory of the host that the file is, if it is one: names and links make no difference.
fn protected(status: &rustix::fs::Stat) -> Option<&'static str> {
    PROTECTED.into_iter().find(|path| {
        statat(rustix::fs::CWD, *path, AtFlags::empty())
            .is_ok_and(|other| (other.st_dev, other.st_ino) == (status.st_dev, status.st_ino))
    })
}

struct Walk<'a> {
    label: &'a Label,
    limits: RelabelLimits,
    /// The names from the start to where the walk is, for messages.
    path: PathBuf,
    done: Relabelled,
}

impl Walk<'_> {
    fn apply(&mut self, file: impl AsFd) -> Result<()> {
        let files = self.done.changed + self.done.unchanged + self.done.unsupported;
        if files >= self.limits.files {
            return Err(self.too_large("files", self.limits.files));
        }
        let file = file.as_fd();
        let wanted = self.label.as_str().as_bytes();
        let present = xattr::get(file, ATTRIBUTE).ok().flatten();
        if present.is_some_and(|value| value.strip_suffix(b"\0").unwrap_or(&value) == wanted) {
            self.done.unchanged += 1;
            return Ok(());
        }
        match xattr::set(file, ATTRIBUTE, wanted, xattr::SetMode::Any) {
            Ok(()) => self.done.changed += 1,
            Err(error) if error.kind() == xattr::ErrorKind::Unsupported => {
                self.done.unsupported += 1;
            }
            Err(source) => {
                return Err(Repr::File {
                    path: self.shown(),
                    source,
                }
                .into());
            }
        }
        Ok(())
    }

    /// Labels everything below a directory.
    fn descend(&mut self, start: impl AsFd) -> Result<()> {
        let mut open_directories = vec![self.read(start)?];
        while let Some(directory) = open_directories.last_mut() {
            let Some(entry) = directory.next() else {
                open_directories.pop();
                self.path.pop();
                continue;
            };
            let entry = entry.map_err(|errno| Error::io("read directory", self.shown(), errno))?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            let name: OsString = name.to_owned();
            let Some(file) = self.open(directory, &name)? else {
                continue;
            };
            self.path.push(&name);
            self.apply(&file)?;
            let status = fstat(&file).map_err(|errno| Error::io("stat", self.shown(), errno))?;
            if is_directory(status.st_mode) {
                if open_directories.len() >= self.limits.depth {
                    return Err(self.too_large("levels", self.limits.depth));
                }
                open_directories.push(self.read(&file)?);
            } else {
                self.path.pop();
            }
        }
        Ok(())
    }

    /// A handle of a directory's entry, whatever it is, or `None` if it is gone.
    fn open(&self, directory: &Dir, name: &OsStr) -> Result<Option<OwnedFd>> {
        let failed = |errno| Error::io("open", self.path.join(name), errno);
        let directory = directory.fd().map_err(failed)?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(directory, name, flags, Mode::empty()) {
            Ok(file) => Ok(Some(file)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(failed(errno)),
        }
    }

    fn read(&self, directory: impl AsFd) -> Result<Dir> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(directory, ".", flags, Mode::empty())
            .and_then(Dir::new)
            .map_err(|errno| Error::io("open directory", self.shown(), errno))
    }

    fn too_large(&self, what: &'static str, limit: usize) -> Error {
        Repr::TooLarge { what, limit }.into()
    }

    fn shown(&self) -> PathBuf {
        if self.path.as_os_str().is_empty() {
            PathBuf::from(".")
        } else {
            self.path.clone()
        }
    }
}

fn is_directory(mode: rustix::fs::RawMode) -> bool {
    FileType::from_raw_mode(mode) == FileType::Directory
}

#[cfg(test)]
mod tests;
