//! Reading a file below a root with hostile contents.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, fstatfs, open, openat2};
use rustix::io::Errno;

use crate::error::{Error, Repr, Result};

/// The most bytes a passwd, group or subordinate-id file may have: 1 MiB.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// Reads `path` below `root`, or gives nothing if it does not exist.
///
/// The path is resolved inside the root (`openat2(2)` with `RESOLVE_IN_ROOT`, Linux 5.6), so a
/// symbolic link leads at most to another file of the root. The file is first opened as a mere
/// handle (`O_PATH`) and looked at: opening a FIFO could wait, and opening a device can have
/// effects. procfs is refused, for its regular files (`/proc/kmsg`) need not be readable to the
/// end.
pub(crate) fn read_below(root: impl AsFd, path: &Path) -> Result<Option<Vec<u8>>> {
    let handle = match openat2(
        root,
        path,
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
    ) {
        Ok(handle) => handle,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(errno) => return Err(Error::io("open", path, errno)),
    };
    let status = fstat(&handle).map_err(|errno| Error::io("stat", path, errno))?;
    let file_system = fstatfs(&handle).map_err(|errno| Error::io("statfs", path, errno))?;
    if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile
        || file_system.f_type == rustix::fs::PROC_SUPER_MAGIC
    {
        return Err(Repr::NotAFile { path: path.into() }.into());
    }
    if u64::try_from(status.st_size).is_ok_and(|size| size > MAX_FILE_BYTES) {
        return Err(too_large(path));
    }
    // The handle is turned into a readable descriptor of the very same file; no name is looked up
    // again.
    let descriptor = open(
        format!("/proc/thread-self/fd/{}", handle.as_raw_fd()),
        OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(|errno| Error::io("reopen", path, errno))?;
    read_to_limit(File::from(descriptor), path).map(Some)
}

/// Reads a file at a path the caller trusts, or gives nothing if it does not exist.
pub(crate) fn read_trusted(path: &Path) -> Result<Option<Vec<u8>>> {
    // Opening a FIFO does not wait this way, and then it is refused.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match open(path, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(errno) => return Err(Error::io("open", path, errno)),
    };
    let status = fstat(&file).map_err(|errno| Error::io("stat", path, errno))?;
    if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
        return Err(Repr::NotAFile { path: path.into() }.into());
    }
    read_to_limit(File::from(file), path).map(Some)
}

/// Reads to the end, and not more than the limit even if the file grows meanwhile.
pub(crate) fn read_to_limit(file: File, path: &Path) -> Result<Vec<u8>> {
    // Most are small: one read, and one that finds the end.
    let mut bytes = Vec::with_capacity(4096);
    file.take(MAX_FILE_BYTES.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| Error::io("read", path, error))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_FILE_BYTES) {
        return Err(too_large(path));
    }
    Ok(bytes)
}

fn too_large(path: &Path) -> Error {
    Repr::FileTooLarge {
        path: path.into(),
        limit: MAX_FILE_BYTES,
    }
    .into()
}
