//! Mounts: made detached, given their attributes, then attached; and the root.

use core::ffi::CStr;

use super::fields::{FsOptionRef, List, Slot};
use super::fixed_string::FixedString;
use super::sys::{
    self, CWD, Errno, MNT_DETACH, MOUNT_ATTR_ATIME as ATIME, MOUNT_ATTR_NOATIME as NOATIME,
    MOUNT_ATTR_NODIRATIME as NODIRATIME, MOUNT_ATTR_NOSYMFOLLOW as NOSYMFOLLOW,
    MOUNT_ATTR_STRICTATIME as STRICTATIME, MS_BIND, MS_MOVE, MS_REC, MS_REMOUNT, MS_SLAVE,
    O_DIRECTORY, O_PATH, RESOLVE_NO_XDEV, Result,
};
use super::{Change, Executor, proc_self_fd};

/// The attributes whose bits are the same in `mount(2)`, `statfs(2)` and `mount_setattr(2)`.
const SAME: u64 = sys::MOUNT_ATTR_RDONLY
    | sys::MOUNT_ATTR_NOSUID
    | sys::MOUNT_ATTR_NODEV
    | sys::MOUNT_ATTR_NOEXEC;
/// How many directories a path can have; more are above one only if another process moves it deeper
/// all the time.
const MAX_DEPTH: u32 = 2048;

type Options = List<'static, FsOptionRef<'static>>;

impl Executor {
    pub(super) fn reconfigure(&mut self, mount: Slot, options: Options) -> Result<()> {
        let context = sys::fspick(self.fd(mount)?)?;
        let result = self
            .set_options(context.raw(), options)
            .and_then(|()| sys::fsconfig_reconfigure(context.raw()));
        self.with_log(&context, result)
    }

    pub(super) fn check_options(&mut self, fstype: &CStr, options: Options) -> Result<()> {
        let context = sys::fsopen(fstype)?;
        let result = self.set_options(context.raw(), options);
        self.with_log(&context, result)
    }

    /// Keeps the message of the file system for a failure, if it has any: "e tmpfs: Bad value for
    /// 'size'".
    pub(super) fn with_log<T>(&mut self, context: &sys::Fd, result: Result<T>) -> Result<T> {
        if result.is_err() {
            let mut log = [0; 256];
            if let Ok(length) = sys::read(context.raw(), &mut log) {
                self.detail
                    .set(log.get(..length).unwrap_or(&[]).trim_ascii_end());
            }
        }
        result
    }

    /// Everything about a new file system up to its creation.
    pub(super) fn configure(
        &self,
        context: i32,
        source: Option<&CStr>,
        mode_of: Option<Slot>,
        options: Options,
    ) -> Result<()> {
        // The mode of a directory that was there before is that of the file system, too.
        if let Some(slot) = mode_of
            && self.made.get(usize::from(slot.0)) != Some(&true)
            && let Ok(directory) = self.fd(slot)
        {
            let mode = sys::fstat(directory)?.mode;
            let mut text = FixedString::<8>::new();
            for shift in [9, 6, 3, 0] {
                text.push_number(u64::from(mode >> shift & 7));
            }
            sys::fsconfig(context, c"mode", Some(text.as_cstr()))?;
        }
        if source.is_some() {
            sys::fsconfig(context, c"source", source)?;
        }
        self.set_options(context, options)?;
        sys::fsconfig_create(context)
    }

    fn set_options(&self, context: i32, options: Options) -> Result<()> {
        for option in options {
            match option.ok_or(Errno::EINVAL)? {
                FsOptionRef::Flag(key) => sys::fsconfig(context, key, None)?,
                FsOptionRef::String(key, value) => sys::fsconfig(context, key, Some(value))?,
                FsOptionRef::Descriptor(key, slot) => {
                    sys::fsconfig_fd(context, key, self.fd(slot)?)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn mount_attributes(
        &mut self,
        slot: Slot,
        recursive: bool,
        change: Change,
    ) -> Result<()> {
        let mount = self.fd(slot)?;
        let Change {
            set,
            clear,
            propagation,
            keep_locked,
        } = change;
        let result = match sys::mount_setattr(mount, recursive, set, clear, propagation) {
            Err(Errno::EPERM) if keep_locked => {
                without_locked(mount, set, clear).and_then(|(set, clear)| {
                    sys::mount_setattr(mount, recursive, set, clear, propagation)
                })
            }
            Err(Errno::ENOSYS) if recursive && set | clear != 0 => Err(Errno::ENOSYS),
            // Only an attached mount can be changed the old way: at once if it is, else after
            // `Attach`.
            Err(Errno::ENOSYS) => match remount(mount, &change) {
                Err(Errno::EINVAL) => self.postpone(slot, change),
                result => result,
            },
            result => result,
        };
        if result == Err(Errno::EPERM) {
            let mut flags = FixedString::<24>::new();
            flags.push_number(sys::fstatfs(mount)?.1);
            self.detail.set(flags.get());
        }
        result
    }

    fn postpone(&mut self, slot: Slot, change: Change) -> Result<()> {
        let free = self.postponed.iter_mut().find(|entry| entry.is_none());
        *free.ok_or(Errno::ENOSYS)? = Some((slot, change));
        Ok(())
    }

    pub(super) fn attach(&mut self, mount: Slot, target: Slot) -> Result<()> {
        let fd = self.fd(mount)?;
        move_mount(fd, self.fd(target)?)?;
        for entry in &mut self.postponed {
            if let Some((_, change)) = entry.take_if(|(slot, _)| *slot == mount) {
                remount(fd, &change)?;
            }
        }
        Ok(())
    }
}

/// Attaches a mount. Only a directory can lie on a directory, and only a file on a file: mount(2)
/// says `ENOTDIR` to anything else, and so do programs that read its messages, but move_mount(2)
/// says `EINVAL`.
pub(super) fn move_mount(mount: i32, target: i32) -> Result<()> {
    match sys::move_mount(mount, target) {
        Err(Errno::EINVAL)
            if sys::fstat(mount)?.is_directory() != sys::fstat(target)?.is_directory() =>
        {
            Err(Errno::ENOTDIR)
        }
        result => result,
    }
}

/// What is left of a change if the flags that the mount has now must stay. A class of access times
/// that was asked for and is another than the present one cannot be had: `EPERM`.
fn without_locked(mount: i32, set: u64, clear: u64) -> Result<(u64, u64)> {
    let present = attributes_of(sys::fstatfs(mount)?.1);
    if clear & ATIME != 0 && set & ATIME != present & ATIME {
        return Err(Errno::EPERM);
    }
    Ok((set & !ATIME, clear & !(present | ATIME)))
}

/// `f_flags` of `statfs(2)` as `MOUNT_ATTR_*`.
fn attributes_of(flags: u64) -> u64 {
    let atime = match flags & (sys::ST_NOATIME | sys::ST_RELATIME) {
        0 => STRICTATIME,
        sys::ST_RELATIME => 0,
        _ => NOATIME,
    };
    let directories = if flags & sys::ST_NODIRATIME != 0 {
        NODIRATIME
    } else {
        0
    };
    let links = if flags & sys::ST_NOSYMFOLLOW != 0 {
        NOSYMFOLLOW
    } else {
        0
    };
    flags & SAME | atime | directories | links
}

/// `MOUNT_ATTR_*` as flags of `mount(2)`.
fn mount_flags(attributes: u64) -> u64 {
    let atime = match attributes & ATIME {
        STRICTATIME => sys::MS_STRICTATIME,
        NOATIME => sys::MS_NOATIME,
        _ => sys::MS_RELATIME,
    };
    let directories = if attributes & NODIRATIME != 0 {
        sys::MS_NODIRATIME
    } else {
        0
    };
    let links = if attributes & NOSYMFOLLOW != 0 {
        sys::MS_NOSYMFOLLOW
    } else {
        0
    };
    attributes & SAME | atime | directories | links
}

/// The same change with `mount(2)`, for kernels before 5.12. That takes a path: for a directory `.`
/// inside it, which leads nowhere else, whatever is mounted over it.
fn remount(mount: i32, change: &Change) -> Result<()> {
    if sys::fstat(mount)?.is_directory() {
        proc_self_fd::inside(mount, || remount_path(mount, c".", change))
    } else {
        let descriptors = proc_self_fd::own_descriptors()?;
        proc_self_fd::inside(descriptors.raw(), || {
            remount_path(mount, proc_self_fd::name(mount).as_cstr(), change)
        })
    }
}

fn remount_path(mount: i32, path: &CStr, change: &Change) -> Result<()> {
    if change.set | change.clear != 0 {
        let present = attributes_of(sys::fstatfs(mount)?.1);
        let wanted = present & !change.clear | change.set;
        match sys::mount(None, path, MS_REMOUNT | MS_BIND | mount_flags(wanted)) {
            Err(Errno::EPERM) if change.keep_locked => {
                let (set, clear) = without_locked(mount, change.set, change.clear)?;
                let wanted = present & !clear | set;
                sys::mount(None, path, MS_REMOUNT | MS_BIND | mount_flags(wanted))?;
            }
            result => result?,
        }
    }
    if change.propagation != 0 {
        sys::mount(None, path, change.propagation)?;
    }
    Ok(())
}

const READONLY: Change = Change {
    set: sys::MOUNT_ATTR_RDONLY,
    clear: 0,
    propagation: 0,
    keep_locked: false,
};

/// Makes the mount that the descriptor is the root of read-only.
pub(super) fn make_readonly(mount: i32) -> Result<()> {
    match sys::mount_setattr(mount, false, READONLY.set, 0, 0) {
        Err(Errno::ENOSYS) => remount(mount, &READONLY),
        result => result,
    }
}

/// Attaches a new mount that is made read-only before; on kernels before 5.12 right after.
pub(super) fn attach_readonly(mount: i32, target: i32) -> Result<()> {
    match sys::mount_setattr(mount, false, READONLY.set, 0, 0) {
        Err(Errno::ENOSYS) => {
            move_mount(mount, target)?;
            remount(mount, &READONLY)
        }
        result => {
            result?;
            move_mount(mount, target)
        }
    }
}

/// Changes the propagation of the mount that a directory lies in. That can only be done at the root
/// of the mount. Going up, the kernel lets no path past it (`RESOLVE_NO_XDEV`), wherever
/// directories are moved meanwhile; from one that was moved out of what is mounted no way leads
/// up (`ENOENT`).
pub(super) fn holder_propagation(directory: i32, kind: u64) -> Result<()> {
    let mut above: Option<sys::Fd> = None;
    for _ in 0..MAX_DEPTH {
        let at = above.as_ref().map_or(directory, sys::Fd::raw);
        let changed = match sys::mount_setattr(at, false, 0, 0, kind) {
            Err(Errno::ENOSYS) => proc_self_fd::inside(at, || sys::mount(None, c".", kind)),
            result => result,
        };
        if changed != Err(Errno::EINVAL) {
            return changed;
        }
        let flags = O_PATH | O_DIRECTORY;
        above = Some(sys::openat2(at, c"..", flags, 0, RESOLVE_NO_XDEV)?);
    }
    Err(Errno::ELOOP)
}

/// The old root ends up on top of the new one, at the same place, and is then detached: no
/// directory is needed for it.
pub(super) fn pivot_root(root: i32) -> Result<()> {
    let old = sys::openat(CWD, c"/", O_PATH | O_DIRECTORY, 0)?;
    sys::fchdir(root)?;
    sys::pivot_root(c".", c".")?;
    sys::fchdir(old.raw())?;
    // What is unmounted here must not be unmounted elsewhere.
    sys::mount(None, c".", MS_SLAVE | MS_REC)?;
    sys::umount(c".", MNT_DETACH)?;
    sys::chdir(c"/")
}

pub(super) fn move_root(root: i32) -> Result<()> {
    sys::fchdir(root)?;
    sys::mount(Some(c"."), c"/", MS_MOVE)?;
    sys::chroot(c".")?;
    sys::chdir(c"/")
}

pub(super) fn chroot(root: i32) -> Result<()> {
    sys::fchdir(root)?;
    sys::chroot(c".")?;
    sys::chdir(c"/")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `f_flags` of statfs(2), the attributes, the flags of mount(2).
    #[test]
    fn flags_are_translated_both_ways() {
        for (statfs, attributes, mount) in [
            (4096, 0, 1 << 21),
            (0, STRICTATIME, 1 << 24),
            (1024, NOATIME, 1024),
            (1 | 2 | 4 | 8 | 4096, 0xf, 0xf | 1 << 21),
            (2048 | 4096, NODIRATIME, 2048 | 1 << 21),
            (8192 | 1024, NOSYMFOLLOW | NOATIME, 256 | 1024),
        ] {
            // 32 is ST_VALID, which says nothing about the mount.
            assert_eq!(attributes_of(statfs | 32), attributes);
            assert_eq!(mount_flags(attributes), mount);
        }
    }
}
