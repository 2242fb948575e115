//! Mounts: made detached, given their attributes, then attached; and the root.

use core::ffi::CStr;

use super::fields::{FsOptionRef, List, Slot, Texts};
use super::fixed_string::FixedString;
use super::paths::{Refused, make};
use super::sys::{
    self, CWD, Errno, Fd, MNT_DETACH, MOUNT_ATTR_ATIME as ATIME, MOUNT_ATTR_NOATIME as NOATIME,
    MOUNT_ATTR_NODIRATIME as NODIRATIME, MOUNT_ATTR_NOSYMFOLLOW as NOSYMFOLLOW,
    MOUNT_ATTR_STRICTATIME as STRICTATIME, MS_BIND, MS_MOVE, MS_REC, MS_REMOUNT, MS_SLAVE,
    O_DIRECTORY, O_NOFOLLOW, O_PATH, RESOLVE_NO_XDEV, Result,
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
    pub(super) fn with_log<T>(&mut self, context: &Fd, result: Result<T>) -> Result<T> {
        if result.is_err() {
            let mut log = [0; 256];
            if let Ok(length) = sys::read(context.raw(), &mut log) {
                self.detail
                    .set(log.get(..length).unwrap_or(&[]).trim_ascii_end());
            }
        }
        result
    }

    /// A new file system, detached.
    pub(super) fn new_mount(
        &mut self,
        fstype: &CStr,
        source: Option<&CStr>,
        mode_of: Option<Slot>,
        options: Options,
        attributes: u64,
    ) -> Result<Fd> {
        let context = sys::fsopen(fstype)?;
        let mount = self
            .configure(context.raw(), source, mode_of, options)
            .and_then(|()| sys::fsmount(context.raw(), attributes));
        let mount = self.with_log(&context, mount)?;
        context.leave();
        Ok(mount)
    }

    /// A new file system, attached at once: by one `mount(2)` in the directory. What that refuses
    /// is tried the long way, which says more of why.
    pub(super) fn mount_on(&mut self, directory: i32, new: &NewMount<'_>) -> Result<()> {
        // "." is the directory itself, wherever it is by now, and whatever is mounted on it.
        if new.can_be_at_once() && sys::fchdir(directory).is_ok() && new.mount(c".").is_ok() {
            return Ok(());
        }
        let NewMount {
            fstype,
            source,
            options,
            attributes,
        } = *new;
        let mount = self.new_mount(fstype, source, None, options, attributes)?;
        move_mount(mount.raw(), directory)?;
        mount.leave();
        Ok(())
    }

    /// The same on a directory that is made for it.
    pub(super) fn mount_in(&mut self, dir: i32, name: &CStr, new: &NewMount<'_>) -> Result<()> {
        if new.can_be_at_once()
            && !name.to_bytes().contains(&b'/')
            && sys::mkdirat(dir, name, 0o755).is_ok()
            && self.enter(dir).is_ok()
            && new.mount(name).is_ok()
        {
            return Ok(());
        }
        let (directory, _) = make(dir, name, true, false).map_err(|refused| match refused {
            Refused::Call(errno) => errno,
            Refused::Procfs => Errno::ELOOP,
        })?;
        self.mount_on(directory.raw(), new)?;
        directory.leave();
        Ok(())
    }

    /// Makes a directory and binds a tree of the host there: the directory in which this is done
    /// takes no entries but from here, and the name is one component.
    pub(super) fn bind_directory(&mut self, dir: Slot, name: &CStr, source: &CStr) -> Result<()> {
        if name.to_bytes().contains(&b'/') {
            return Err(Errno::EINVAL);
        }
        let dir = self.fd(dir)?;
        sys::mkdirat(dir, name, 0o755)?;
        self.enter(dir)?;
        sys::mount(Some(source), name, MS_BIND | MS_REC)
    }

    /// Makes a directory the working directory, unless the step before has.
    fn enter(&mut self, directory: i32) -> Result<()> {
        let before = self.inside.take();
        if before.is_none_or(|(step, at)| step + 1 != self.step || at != directory) {
            sys::fchdir(directory)?;
        }
        self.inside = Some((self.step, directory));
        Ok(())
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
            && !self.known(slot).made
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
            // `Attach`. That way knows recursion for propagation alone.
            Err(Errno::ENOSYS) => {
                let change = Change {
                    propagation: recursively(recursive, propagation),
                    ..change
                };
                match remount(mount, &change) {
                    Err(Errno::EINVAL) => self.postpone(slot, change),
                    result => result,
                }
            }
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

/// A file system to be made, and the mount of it.
#[derive(Clone, Copy)]
pub(super) struct NewMount<'a> {
    pub(super) fstype: &'a CStr,
    pub(super) source: Option<&'a CStr>,
    pub(super) options: Options,
    pub(super) attributes: u64,
}

impl NewMount<'_> {
    /// Whether one call of `mount(2)` takes all of it.
    fn can_be_at_once(&self) -> bool {
        self.data().is_some()
    }

    /// `mount(2)` on a directory.
    fn mount(&self, target: &CStr) -> Result<()> {
        let data = self.data().ok_or(Errno::EINVAL)?;
        let flags = mount_flags(self.attributes);
        sys::new_mount(self.source, target, self.fstype, flags, data.as_cstr())
    }

    /// The options as the text that `mount(2)` takes; `None` if they cannot be said in it. There
    /// read-only is the file system together with its mount.
    fn data(&self) -> Option<FixedString<1024>> {
        let mut text = FixedString::<1024>::new();
        let mut readonly = false;
        for option in self.options {
            let (key, value) = match option? {
                FsOptionRef::Flag(key) => (key, None),
                FsOptionRef::String(key, value) => (key, Some(value)),
                FsOptionRef::Descriptor(..) => return None,
            };
            if key.to_bytes() == b"ro" && value.is_none() {
                readonly = true;
                continue;
            }
            let has_comma = |part: &CStr| part.to_bytes().contains(&b',');
            if has_comma(key) || value.is_some_and(has_comma) {
                return None;
            }
            if !text.get().is_empty() {
                text.push(b",").ok()?;
            }
            text.push(key.to_bytes()).ok()?;
            if let Some(value) = value {
                text.push(b"=").ok()?;
                text.push(value.to_bytes()).ok()?;
            }
        }
        (readonly == (self.attributes & sys::MOUNT_ATTR_RDONLY != 0)).then_some(text)
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

/// A propagation with the flag that `mount(2)` takes for a whole tree, where it is one.
const fn recursively(recursive: bool, propagation: u64) -> u64 {
    if recursive && propagation != 0 {
        propagation | MS_REC
    } else {
        propagation
    }
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

/// Attaches a clone of a tree over it, of which the mount at its top is read-only: made so before
/// it is attached; on kernels before 5.12 right after. (`open_tree_attr(2)` would do both at once,
/// but to the mounts below as well.)
pub(super) fn cover_readonly(target: &Fd) -> Result<()> {
    let cover = sys::clone_tree(target.raw(), c"", true)?;
    match sys::mount_setattr(cover.raw(), false, READONLY.set, 0, 0) {
        Err(Errno::ENOSYS) => {
            move_mount(cover.raw(), target.raw())?;
            remount(cover.raw(), &READONLY)?;
        }
        result => {
            result?;
            move_mount(cover.raw(), target.raw())?;
        }
    }
    cover.leave();
    Ok(())
}

/// Changes an attached mount and those at names in it.
pub(super) fn attributes_of_all(mount: i32, names: Texts<'_>, change: Change) -> Result<()> {
    let Change {
        set,
        clear,
        propagation,
        ..
    } = change;
    match sys::mount_setattr(mount, true, set, clear, propagation) {
        Err(Errno::ENOSYS) => {
            for name in names {
                let below = sys::openat(mount, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0)?;
                remount(below.raw(), &change)?;
            }
            remount(mount, &change)
        }
        result => result,
    }
}

/// Changes the propagation of the mount that a directory lies in. That can only be done at the root
/// of the mount. Going up, the kernel lets no path past it (`RESOLVE_NO_XDEV`), wherever
/// directories are moved meanwhile; from one that was moved out of what is mounted no way leads
/// up (`ENOENT`).
pub(super) fn holder_propagation(directory: i32, kind: u64) -> Result<()> {
    let mut above: Option<Fd> = None;
    for _ in 0..MAX_DEPTH {
        let at = above.as_ref().map_or(directory, Fd::raw);
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
/// directory is needed for it. What is unmounted here must not be unmounted elsewhere, so it is
/// made slave before, unless everything in it is `isolated` (slave or private, as nothing that the
/// host mounts there meanwhile can be otherwise).
pub(super) fn pivot_root(root: i32, isolated: bool) -> Result<()> {
    if isolated {
        sys::fchdir(root)?;
        sys::pivot_root(c".", c".")?;
        // What is unmounted is the topmost mount at a path, and that is the old root, although "."
        // is the new one.
        sys::umount(c".", MNT_DETACH)?;
    } else {
        let old = sys::openat(CWD, c"/", O_PATH | O_DIRECTORY, 0)?;
        sys::fchdir(root)?;
        sys::pivot_root(c".", c".")?;
        sys::fchdir(old.raw())?;
        sys::mount(None, c".", MS_SLAVE | MS_REC)?;
        sys::umount(c".", MNT_DETACH)?;
    }
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
