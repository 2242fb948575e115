//! Paths that are hidden or made read-only.

use core::ffi::CStr;

use super::Executor;
use super::fields::{List, Slot};
use super::fixed_string::FixedString;
use super::mounts::{cover_readonly, make_readonly, move_mount};
use super::paths::find;
use super::sys::{self, Errno, Fd, O_DIRECTORY, O_PATH, Result};

const EMPTY_ATTRIBUTES: u64 = sys::MOUNT_ATTR_RDONLY
    | sys::MOUNT_ATTR_NOSUID
    | sys::MOUNT_ATTR_NODEV
    | sys::MOUNT_ATTR_NOEXEC;

impl Executor {
    pub(super) fn mask(
        &mut self,
        paths: List<'static, (Slot, &'static CStr)>,
        null: Slot,
        context: Option<&CStr>,
    ) -> Result<()> {
        let null = self.fd(null)?;
        if !sys::fstat(null)?.is_null() {
            return Err(Errno::EBADMSG);
        }
        // Attached over the first directory; the others get clones, so that all share one file
        // system.
        let mut empty: Option<Fd> = None;
        for (index, entry) in paths.enumerate() {
            let (root, path) = entry.ok_or(Errno::EINVAL)?;
            self.at_item(index);
            let root = self.fd(root)?;
            let target = match existing(root, path) {
                Ok(Some(target)) => target,
                Ok(None) => continue,
                Err(Errno::EXDEV) if is_own_root(root)? => return Err(Errno::EXDEV),
                Err(Errno::EXDEV) => sys::openat(root, c".", O_PATH, 0)?,
                Err(errno) => return Err(errno),
            };
            let stat = sys::fstat(target.raw())?;
            if !stat.is_directory() {
                if !stat.is_null() {
                    let cover = sys::clone_tree(null, c"", false)?;
                    move_mount(cover.raw(), target.raw())?;
                    cover.leave();
                }
                target.leave();
                continue;
            }
            match &empty {
                None => {
                    let cover = empty_directory(context)?;
                    move_mount(cover.raw(), target.raw())?;
                    empty = Some(cover);
                }
                // Reached a second time on another way, it is covered already.
                Some(first) if sys::fstat(first.raw())?.same(&stat) => {}
                Some(first) => {
                    let cover = sys::clone_tree(first.raw(), c"", false)?;
                    move_mount(cover.raw(), target.raw())?;
                    cover.leave();
                }
            }
            target.leave();
        }
        if let Some(empty) = empty {
            empty.leave();
        }
        Ok(())
    }

    pub(super) fn readonly_paths(
        &mut self,
        paths: List<'static, (Slot, &'static CStr)>,
    ) -> Result<()> {
        for (index, entry) in paths.enumerate() {
            let (root, path) = entry.ok_or(Errno::EINVAL)?;
            self.at_item(index);
            let root = self.fd(root)?;
            let target = match existing(root, path) {
                Ok(Some(target)) => target,
                Ok(None) => continue,
                // A cover on the root would only be seen by those who enter it anew.
                Err(Errno::EXDEV) => {
                    make_readonly(root)?;
                    continue;
                }
                Err(errno) => return Err(errno),
            };
            cover_readonly(&target)?;
            target.leave();
        }
        Ok(())
    }
}

impl Executor {
    /// From here on a failure is that of this entry of the step's list.
    fn at_item(&mut self, index: usize) {
        let mut text = FixedString::<24>::new();
        text.push_number(index as u64);
        self.detail.set(text.get());
    }
}

/// Whether a directory is the root of this process: what is mounted on that is only seen by those
/// who enter it anew. From the root of any other mount the way up leads out of the mount.
fn is_own_root(directory: i32) -> Result<bool> {
    let flags = O_PATH | O_DIRECTORY;
    match sys::openat2(directory, c"..", flags, 0, sys::RESOLVE_NO_XDEV) {
        Ok(above) => Ok(sys::fstat(above.raw())?.same(&sys::fstat(directory)?)),
        Err(Errno::EXDEV) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// The target; `None` if it does not exist.
fn existing(root: i32, path: &CStr) -> Result<Option<Fd>> {
    match find(root, path) {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::ENOENT) => Ok(None),
        Err(e) => Err(e),
    }
}

/// A read-only tmpfs without room for anything. Some kernels want an inode more than the root
/// needs.
fn empty_directory(context: Option<&CStr>) -> Result<Fd> {
    let make = |inodes: &CStr| {
        let fs = sys::fsopen(c"tmpfs")?;
        sys::fsconfig(fs.raw(), c"source", Some(c"tmpfs"))?;
        sys::fsconfig(fs.raw(), c"nr_blocks", Some(c"1"))?;
        sys::fsconfig(fs.raw(), c"nr_inodes", Some(inodes))?;
        if let Some(context) = context {
            sys::fsconfig(fs.raw(), c"context", Some(context))?;
        }
        sys::fsconfig(fs.raw(), c"ro", None)?;
        sys::fsconfig_create(fs.raw())?;
        let mount = sys::fsmount(fs.raw(), EMPTY_ATTRIBUTES)?;
        fs.leave();
        Ok(mount)
    };
    match make(c"1") {
        Err(Errno::EINVAL | Errno::ENOSPC) => make(c"2"),
        result => result,
    }
}
