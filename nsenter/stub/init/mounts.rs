//! Mounts: made detached, given their attributes, then attached; and the root.

use core::ffi::CStr;

use super::sys::{
    self, CWD, Errno, MNT_DETACH, MS_BIND, MS_MOVE, MS_REC, MS_REMOUNT, MS_SLAVE, O_DIRECTORY,
    O_PATH, RESOLVE_NO_XDEV, Result,
};
use super::wire::{NONE, Record, u16_at};
use super::words::Text;
use super::{Init, Postponed, procfs};

/// `MOUNT_ATTR__ATIME`: one of a class of values, not a set of bits.
const ATIME: u64 = 0x70;
const NOATIME: u64 = 0x10;
const STRICTATIME: u64 = 0x20;
const NODIRATIME: u64 = 0x80;
const NOSYMFOLLOW: u64 = 0x20_0000;
/// How many directories a path can have; more are above one only if somebody moves it deeper all
/// the time.
const MAX_DEPTH: u32 = 2048;

impl Init {
    pub(super) fn new_mount(&mut self, r: &Record) -> Result<()> {
        let context = sys::fsopen(self.text(r.p)?)?;
        let result = self.configure(context.raw(), r);
        let mount = self.with_log(&context, result)?;
        self.fill(r.a, mount)
    }

    pub(super) fn reconfigure(&mut self, r: &Record) -> Result<()> {
        let context = sys::fspick(self.fd(r.a)?)?;
        let result = self
            .set_options(context.raw(), r)
            .and_then(|()| sys::fsconfig_reconfigure(context.raw()));
        self.with_log(&context, result)
    }

    pub(super) fn check_options(&mut self, r: &Record) -> Result<()> {
        let context = sys::fsopen(self.text(r.p)?)?;
        let result = self.set_options(context.raw(), r);
        self.with_log(&context, result)
    }

    /// Keeps the file system's own words for a failure, if it has any: "e tmpfs: Bad value for
    /// 'size'".
    fn with_log<T>(&mut self, context: &sys::Fd, result: Result<T>) -> Result<T> {
        if result.is_err() {
            let mut log = [0; 256];
            if let Ok(length) = sys::read(context.raw(), &mut log) {
                self.detail
                    .set(log.get(..length).unwrap_or(&[]).trim_ascii_end());
            }
        }
        result
    }

    fn configure(&self, context: i32, r: &Record) -> Result<sys::Fd> {
        let made = usize::try_from(r.b)
            .ok()
            .and_then(|slot| self.made.get(slot))
            .copied();
        if r.b != NONE
            && made != Some(true)
            && let Ok(directory) = self.fd(r.b)
        {
            let mode = sys::fstat(directory)?.mode;
            let mut text = Text::<8>::new();
            for shift in [9, 6, 3, 0] {
                text.push_number(u64::from(mode >> shift & 7));
            }
            sys::fsconfig(context, c"mode", Some(text.as_cstr()))?;
        }
        if r.c != 0 {
            sys::fsconfig(context, c"source", Some(self.text(r.q)?))?;
        }
        self.set_options(context, r)?;
        sys::fsconfig_create(context)?;
        sys::fsmount(context, r.x)
    }

    fn set_options(&self, context: i32, r: &Record) -> Result<()> {
        let mut rest = self.data(r.r)?;
        while let Some((kind, after)) = rest.split_first() {
            let key = next_string(after)?;
            rest = after.get(key.count_bytes() + 1..).ok_or(Errno::EINVAL)?;
            match kind {
                b's' => {
                    let value = next_string(rest)?;
                    rest = rest.get(value.count_bytes() + 1..).ok_or(Errno::EINVAL)?;
                    sys::fsconfig(context, key, Some(value))?;
                }
                b'd' => {
                    let slot = u16_at(rest, 0).ok_or(Errno::EINVAL)?;
                    rest = rest.get(2..).ok_or(Errno::EINVAL)?;
                    sys::fsconfig_fd(context, key, self.fd(slot.into())?)?;
                }
                _ => sys::fsconfig(context, key, None)?,
            }
        }
        Ok(())
    }

    pub(super) fn mount_attributes(&mut self, r: &Record) -> Result<()> {
        let mount = self.fd(r.a)?;
        let (recursive, keep_locked) = (r.b != 0, r.c != 0);
        let result = match sys::mount_setattr(mount, recursive, r.x, r.y, r.z) {
            Err(Errno::EPERM) if keep_locked => without_locked(mount, r.x, r.y)
                .and_then(|(set, clear)| sys::mount_setattr(mount, recursive, set, clear, r.z)),
            Err(Errno::ENOSYS) if recursive && r.x | r.y != 0 => Err(Errno::ENOSYS),
            Err(Errno::ENOSYS) => {
                let postponed = Postponed {
                    slot: r.a,
                    set: r.x,
                    clear: r.y,
                    propagation: r.z,
                    keep_locked,
                };
                // Only an attached mount can be changed the old way: at once if it is, else after
                // `Attach`.
                match remount(mount, &postponed) {
                    Err(Errno::EINVAL) => self.postpone(postponed),
                    result => result,
                }
            }
            result => result,
        };
        if result == Err(Errno::EPERM) {
            let mut flags = Text::<24>::new();
            flags.push_number(sys::fstatfs(mount)?.1);
            self.detail.set(flags.get());
        }
        result
    }

    fn postpone(&mut self, what: Postponed) -> Result<()> {
        let free = self.postponed.iter_mut().find(|entry| entry.is_none());
        *free.ok_or(Errno::ENOSYS)? = Some(what);
        Ok(())
    }

    pub(super) fn attach(&mut self, mount: u32, target: u32) -> Result<()> {
        let fd = self.fd(mount)?;
        move_mount(fd, self.fd(target)?)?;
        for entry in &mut self.postponed {
            if let Some(postponed) = entry.take_if(|postponed| postponed.slot == mount) {
                remount(fd, &postponed)?;
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

fn next_string(bytes: &[u8]) -> Result<&CStr> {
    CStr::from_bytes_until_nul(bytes).map_err(|_| Errno::EINVAL)
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
    let atime = match flags & (1024 | 4096) {
        0 => STRICTATIME,
        4096 => 0,
        _ => NOATIME,
    };
    let directories = if flags & 2048 != 0 { NODIRATIME } else { 0 };
    let links = if flags & 8192 != 0 { NOSYMFOLLOW } else { 0 };
    flags & 0xf | atime | directories | links
}

/// `MOUNT_ATTR_*` as flags of `mount(2)`.
fn mount_flags(attributes: u64) -> u64 {
    let atime = match attributes & ATIME {
        STRICTATIME => 1 << 24,
        NOATIME => 1024,
        _ => 1 << 21,
    };
    let directories = if attributes & NODIRATIME != 0 {
        2048
    } else {
        0
    };
    let links = if attributes & NOSYMFOLLOW != 0 {
        256
    } else {
        0
    };
    attributes & 0xf | atime | directories | links
}

/// The same change with `mount(2)`, for kernels before 5.12. That takes a path: for a directory `.`
/// inside it, which leads nowhere else, whatever is mounted over it.
fn remount(mount: i32, change: &Postponed) -> Result<()> {
    if sys::fstat(mount)?.is_directory() {
        procfs::inside(mount, || remount_path(mount, c".", change))
    } else {
        let descriptors = procfs::own_descriptors()?;
        procfs::inside(descriptors.raw(), || {
            remount_path(mount, procfs::name(mount).as_cstr(), change)
        })
    }
}

fn remount_path(mount: i32, path: &CStr, change: &Postponed) -> Result<()> {
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

const READONLY: Postponed = Postponed {
    slot: NONE,
    set: 1,
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
/// of the mount. Going up, the kernel lets nobody past it (`RESOLVE_NO_XDEV`), wherever directories
/// are moved meanwhile; from one that was moved out of what is mounted there is no way up
/// (`ENOENT`).
pub(super) fn holder_propagation(directory: i32, kind: u64) -> Result<()> {
    let mut above: Option<sys::Fd> = None;
    for _ in 0..MAX_DEPTH {
        let at = above.as_ref().map_or(directory, sys::Fd::raw);
        let changed = match sys::mount_setattr(at, false, 0, 0, kind) {
            Err(Errno::ENOSYS) => procfs::inside(at, || sys::mount(None, c".", kind)),
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
