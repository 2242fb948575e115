//! Files and directories, and what is known of them.

use core::ffi::CStr;

use super::consts::*;
use super::{AT_EMPTY_PATH, CWD, Errno, Result, arch, invoke, number};

const AT_SYMLINK_NOFOLLOW: usize = 0x100;

/// What `fstat(2)` returns.
#[derive(Clone, Copy)]
pub(crate) struct Stat {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) rdev: u64,
    pub(crate) size: u64,
    pub(crate) atime: [i64; 2],
    pub(crate) mtime: [i64; 2],
}

impl Stat {
    fn new(raw: &arch::RawStat) -> Self {
        Self {
            dev: raw.dev,
            ino: raw.ino,
            mode: raw.mode,
            uid: raw.uid,
            gid: raw.gid,
            rdev: raw.rdev,
            size: raw.size.max(0) as u64,
            atime: raw.atime,
            mtime: raw.mtime,
        }
    }

    /// `S_IFMT` of the mode.
    pub(crate) fn file_type(&self) -> u32 {
        self.mode & S_IFMT
    }

    /// A directory.
    pub(crate) fn is_directory(&self) -> bool {
        self.file_type() == S_IFDIR
    }

    /// A symbolic link.
    pub(crate) fn is_symlink(&self) -> bool {
        self.file_type() == S_IFLNK
    }

    /// A regular file.
    pub(crate) fn is_regular(&self) -> bool {
        self.file_type() == S_IFREG
    }

    /// The null device: character device 1:3.
    pub(crate) fn is_null(&self) -> bool {
        self.file_type() == S_IFCHR && self.device() == (1, 3)
    }

    /// The device number, as major and minor.
    pub(crate) fn device(&self) -> (u32, u32) {
        let major = ((self.rdev >> 8) & 0xfff) | ((self.rdev >> 32) & 0xffff_f000);
        let minor = (self.rdev & 0xff) | ((self.rdev >> 12) & 0xffff_ff00);
        (major as u32, minor as u32)
    }

    /// The same file.
    pub(crate) fn same(&self, other: &Self) -> bool {
        (self.dev, self.ino) == (other.dev, other.ino)
    }
}

/// The device number in the form of `mknodat(2)`: 12 and 20 bits. The kernel would cut off what is
/// more, and make another device.
fn make_device(major: u32, minor: u32) -> Result<usize> {
    if major > 0xfff || minor > 0xf_ffff {
        return Err(Errno::EINVAL);
    }
    Ok(((minor & 0xff) | (major << 8) | ((minor & 0xf_ff00) << 12)) as usize)
}

/// `fstat(2)`.
pub(crate) fn fstat(fd: i32) -> Result<Stat> {
    let mut raw = arch::RawStat::default();
    // SAFETY: the kernel fills the struct, whose layout is this architecture's.
    unsafe { call!(FSTAT, fd, &raw mut raw) }?;
    Ok(Stat::new(&raw))
}

/// `newfstatat(2)`; follows a last symlink only if asked to.
pub(crate) fn stat(dir: i32, path: &CStr, follow: bool) -> Result<Stat> {
    let mut raw = arch::RawStat::default();
    let flags = if follow { 0 } else { AT_SYMLINK_NOFOLLOW };
    // SAFETY: a NUL-terminated path; the kernel fills the struct.
    unsafe { call!(NEWFSTATAT, dir, path.as_ptr(), &raw mut raw, flags) }?;
    Ok(Stat::new(&raw))
}

/// `fstatfs(2)`: the magic number of the file system, and the flags of the mount.
pub(crate) fn fstatfs(fd: i32) -> Result<(u64, u64)> {
    // f_type, f_bsize, f_blocks, f_bfree, f_bavail, f_files, f_ffree, f_fsid, f_namelen, f_frsize,
    // f_flags, f_spare[4].
    let mut raw = [0_u64; 15];
    // SAFETY: struct statfs of 64-bit architectures has 120 bytes.
    unsafe { call!(FSTATFS, fd, raw.as_mut_ptr()) }?;
    let [magic, _, _, _, _, _, _, _, _, _, flags, ..] = raw;
    Ok((magic, flags))
}

/// `mkdirat(2)`.
pub(crate) fn mkdirat(dir: i32, name: &CStr, mode: u32) -> Result<()> {
    // SAFETY: a NUL-terminated name.
    unsafe { call!(MKDIRAT, dir, name.as_ptr(), mode) }.map(drop)
}

/// `mknodat(2)`.
pub(crate) fn mknodat(dir: i32, name: &CStr, mode: u32, device: (u32, u32)) -> Result<()> {
    let device = make_device(device.0, device.1)?;
    // SAFETY: a NUL-terminated name.
    unsafe { call!(MKNODAT, dir, name.as_ptr(), mode, device) }.map(drop)
}

/// `symlinkat(2)`.
pub(crate) fn symlinkat(target: &CStr, dir: i32, name: &CStr) -> Result<()> {
    // SAFETY: NUL-terminated strings.
    unsafe { call!(SYMLINKAT, target.as_ptr(), dir, name.as_ptr()) }.map(drop)
}

/// `unlinkat(2)`, not for directories.
pub(crate) fn unlinkat(dir: i32, name: &CStr) -> Result<()> {
    // SAFETY: a NUL-terminated name.
    unsafe { call!(UNLINKAT, dir, name.as_ptr(), 0) }.map(drop)
}

/// `readlinkat(2)`; an empty path reads the link that the descriptor refers to.
pub(crate) fn readlinkat(dir: i32, path: &CStr, buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: a NUL-terminated path; the kernel writes at most the length of the slice.
    unsafe {
        call!(
            READLINKAT,
            dir,
            path.as_ptr(),
            buffer.as_mut_ptr(),
            buffer.len()
        )
    }
}

/// Changes the owner of what a descriptor refers to, also an `O_PATH` one.
pub(crate) fn chown(fd: i32, uid: u32, gid: u32) -> Result<()> {
    // SAFETY: a NUL-terminated empty path.
    unsafe { call!(FCHOWNAT, fd, c"".as_ptr(), uid, gid, AT_EMPTY_PATH) }.map(drop)
}

/// `fchown(2)`: the oldest call for it, which every filter knows.
pub(crate) fn fchown(fd: i32, uid: u32, gid: u32) -> Result<()> {
    // SAFETY: no pointer.
    unsafe { call!(FCHOWN, fd, uid, gid) }.map(drop)
}

/// `fchownat(AT_SYMLINK_NOFOLLOW)`.
pub(crate) fn lchownat(dir: i32, name: &CStr, uid: u32, gid: u32) -> Result<()> {
    // SAFETY: a NUL-terminated name.
    unsafe { call!(FCHOWNAT, dir, name.as_ptr(), uid, gid, AT_SYMLINK_NOFOLLOW) }.map(drop)
}

/// `fchmodat2(AT_EMPTY_PATH)` (Linux 6.6): also for an `O_PATH` descriptor.
pub(crate) fn fchmodat2(fd: i32, mode: u32) -> Result<()> {
    // SAFETY: a NUL-terminated empty path.
    unsafe { call!(FCHMODAT2, fd, c"".as_ptr(), mode, AT_EMPTY_PATH) }.map(drop)
}

/// `fchmodat(2)`; follows a last symlink.
pub(crate) fn fchmodat(dir: i32, name: &CStr, mode: u32) -> Result<()> {
    // SAFETY: a NUL-terminated name.
    unsafe { call!(FCHMODAT, dir, name.as_ptr(), mode) }.map(drop)
}

/// `fchmod(2)`.
pub(crate) fn fchmod(fd: i32, mode: u32) -> Result<()> {
    // SAFETY: no pointer.
    unsafe { call!(FCHMOD, fd, mode) }.map(drop)
}

/// `utimensat(2)`: access and modification time; nothing is followed.
pub(crate) fn set_times(dir: i32, name: &CStr, atime: [i64; 2], mtime: [i64; 2]) -> Result<()> {
    let times = [atime, mtime];
    // SAFETY: two struct timespec, and a NUL-terminated name.
    unsafe {
        call!(
            UTIMENSAT,
            dir,
            name.as_ptr(),
            times.as_ptr(),
            AT_SYMLINK_NOFOLLOW
        )
    }
    .map(drop)
}

/// `futimens(3)`: the times of an open file.
pub(crate) fn set_times_of(fd: i32, atime: [i64; 2], mtime: [i64; 2]) -> Result<()> {
    let times = [atime, mtime];
    // SAFETY: two struct timespec; a null path means the descriptor itself.
    unsafe { call!(UTIMENSAT, fd, 0, times.as_ptr(), 0) }.map(drop)
}

/// `getdents64(2)`.
pub(crate) fn getdents(fd: i32, buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes at most the length of the slice.
    unsafe { call!(GETDENTS64, fd, buffer.as_mut_ptr(), buffer.len()) }
}

/// `fsetxattr(2)`; an `O_PATH` descriptor is `EBADF`.
pub(crate) fn fsetxattr(fd: i32, name: &CStr, value: &[u8]) -> Result<()> {
    // SAFETY: a NUL-terminated name and a slice.
    unsafe { call!(FSETXATTR, fd, name.as_ptr(), value.as_ptr(), value.len(), 0) }.map(drop)
}

/// `setxattr(2)`; follows a last symlink.
pub(crate) fn setxattr(path: &CStr, name: &CStr, value: &[u8]) -> Result<()> {
    // SAFETY: NUL-terminated strings and a slice.
    unsafe {
        call!(
            SETXATTR,
            path.as_ptr(),
            name.as_ptr(),
            value.as_ptr(),
            value.len(),
            0
        )
    }
    .map(drop)
}

/// `flistxattr(2)`: names, each followed by a NUL.
pub(crate) fn list_xattrs(fd: i32, buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes at most the length of the slice.
    unsafe { call!(FLISTXATTR, fd, buffer.as_mut_ptr(), buffer.len()) }
}

/// `fgetxattr(2)`.
pub(crate) fn get_xattr(fd: i32, name: &CStr, buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: a NUL-terminated name; the kernel writes at most the length of the slice.
    unsafe {
        call!(
            FGETXATTR,
            fd,
            name.as_ptr(),
            buffer.as_mut_ptr(),
            buffer.len()
        )
    }
}

/// `faccessat2(X_OK, AT_EACCESS)` (Linux 5.8): whether the effective ids may execute it.
pub(crate) fn may_execute(path: &CStr) -> Result<()> {
    // SAFETY: a NUL-terminated path.
    unsafe { call!(FACCESSAT2, CWD, path.as_ptr(), X_OK, AT_EACCESS) }.map(drop)
}
