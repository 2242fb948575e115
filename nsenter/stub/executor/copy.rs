//! Copying the content of a directory (`tmpcopyup`). Source and target are only reached through
//! descriptors, and no link is followed.

use core::ffi::CStr;

use super::sys::{
    self, Errno, Fd, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_PATH, O_WRONLY,
    Result, Stat,
};
use super::{listing, proc_self_fd};

/// How deep a tree may be: each level takes a few kilobytes of stack and three descriptors.
const MAX_DEPTH: u32 = 128;

/// Copies the content of one directory into another.
pub(super) fn tree(from: i32, to: i32) -> Result<()> {
    // The descriptors of a plan are opened with O_PATH; to read a directory it is opened again.
    let from = sys::openat(from, c".", O_DIRECTORY, 0)?;
    let to = sys::openat(to, c".", O_DIRECTORY, 0)?;
    directory(&from, &to, 0)
}

fn directory(from: &Fd, to: &Fd, depth: u32) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(Errno::ELOOP);
    }
    listing::names(from.raw(), |name| entry(from, to, name, depth))
}

/// What is copied is what was opened: the name may mean something else a moment later.
fn entry(from: &Fd, to: &Fd, name: &CStr, depth: u32) -> Result<()> {
    let handle = sys::openat(from.raw(), name, O_PATH | O_NOFOLLOW, 0)?;
    let stat = sys::fstat(handle.raw())?;
    match stat.file_type() {
        sys::S_IFDIR => {
            let source = sys::openat(handle.raw(), c".", O_DIRECTORY, 0)?;
            sys::mkdirat(to.raw(), name, 0o700)?;
            let target = sys::openat(to.raw(), name, O_DIRECTORY | O_NOFOLLOW, 0)?;
            directory(&source, &target, depth + 1)?;
            finish(&source, &target, &stat)
        }
        sys::S_IFREG => {
            // A file can only be opened by name: it must be the same one, and a FIFO in its place
            // must not block.
            let source = sys::openat(from.raw(), name, O_NOFOLLOW | O_NONBLOCK, 0)?;
            if !sys::fstat(source.raw())?.same(&stat) {
                return Err(Errno::EBADMSG);
            }
            let target = sys::openat(
                to.raw(),
                name,
                O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
                0o600,
            )?;
            content(&source, &target)?;
            finish(&source, &target, &stat)
        }
        sys::S_IFLNK => {
            let mut text = [0; 4096];
            let length = sys::readlinkat(handle.raw(), c"", &mut text)?;
            // The last byte stays the NUL.
            let link = text
                .get(..4095.min(length) + 1)
                .and_then(|text| CStr::from_bytes_until_nul(text).ok());
            sys::symlinkat(link.ok_or(Errno::ENAMETOOLONG)?, to.raw(), name)?;
            sys::lchownat(to.raw(), name, stat.uid, stat.gid)?;
            sys::set_times(to.raw(), name, stat.atime, stat.mtime)
        }
        _ => {
            sys::mknodat(to.raw(), name, stat.mode, stat.device())?;
            let node = sys::openat(to.raw(), name, O_PATH | O_NOFOLLOW, 0)?;
            sys::chown(node.raw(), stat.uid, stat.gid)?;
            proc_self_fd::chmod(node.raw(), stat.mode & sys::PERMISSIONS)?;
            sys::set_times(to.raw(), name, stat.atime, stat.mtime)
        }
    }
}

fn content(from: &Fd, to: &Fd) -> Result<()> {
    let mut buffer = [0; 8192];
    loop {
        let count = sys::read(from.raw(), &mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        sys::write_all(to.raw(), buffer.get(..count).unwrap_or(&[]))?;
    }
}

/// Extended attributes, owner, mode, times: in this order, since each may take away what an earlier
/// one set.
fn finish(from: &Fd, to: &Fd, stat: &Stat) -> Result<()> {
    sys::fchown(to.raw(), stat.uid, stat.gid)?;
    extended_attributes(from, to)?;
    sys::fchmod(to.raw(), stat.mode & sys::PERMISSIONS)?;
    sys::set_times_of(to.raw(), stat.atime, stat.mtime)
}

/// Best effort, as `cp -a` does it: the target may not take the attributes of other namespaces.
fn extended_attributes(from: &Fd, to: &Fd) -> Result<()> {
    let mut names = [0; 1024];
    let length = match sys::list_xattrs(from.raw(), &mut names) {
        Ok(length) => length,
        Err(Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::ERANGE | Errno::EPERM) => return Ok(()),
        Err(e) => return Err(e),
    };
    let mut rest = names.get(..length).unwrap_or(&[]);
    while let Ok(name) = CStr::from_bytes_until_nul(rest) {
        let mut value = [0; 1024];
        if let Ok(length) = sys::get_xattr(from.raw(), name, &mut value) {
            let _ = sys::fsetxattr(to.raw(), name, value.get(..length).unwrap_or(&[]));
        }
        rest = rest.get(name.count_bytes() + 1..).unwrap_or(&[]);
    }
    Ok(())
}
