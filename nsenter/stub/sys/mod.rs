//! The system calls of the stub: the only unsafe code in it. Every function here is safe to call with any arguments.

#![allow(unsafe_code, reason = "system calls without a C library")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "registers are words: a descriptor, a flag or a length is widened on the way in and narrowed back on the way out"
)]

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

use core::ffi::CStr;
use core::marker::PhantomData;
use core::mem::size_of;

#[cfg(target_arch = "aarch64")]
use aarch64 as arch;
use arch::number;
pub(crate) use arch::{O_DIRECTORY, O_NOFOLLOW};
#[cfg(target_arch = "x86_64")]
use x86_64 as arch;

/// An error number of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) i32);

macro_rules! errnos { ($($name:ident = $number:literal,)*) => {
    #[allow(dead_code, reason = "the table is complete for what the stub compares")]
    impl Errno { $(pub(crate) const $name: Self = Self($number);)* }
}; }
errnos! {
    EPERM = 1, ENOENT = 2, EINTR = 4, EIO = 5, E2BIG = 7, EBADF = 9, EAGAIN = 11, ENOMEM = 12, EACCES = 13,
    EBUSY = 16, EEXIST = 17, EXDEV = 18, ENOTDIR = 20, EISDIR = 21, EINVAL = 22,
    ETXTBSY = 26, EROFS = 30, EPIPE = 32, ERANGE = 34,
    ENAMETOOLONG = 36, ENOSYS = 38, ELOOP = 40, ENODATA = 61, ETIME = 62, EPROTO = 71, EBADMSG = 74, EOPNOTSUPP = 95,
}

/// What a system call gives.
pub(crate) type Result<T> = core::result::Result<T, Errno>;

/// `AT_FDCWD`.
pub(crate) const CWD: i32 = -100;
const AT_SYMLINK_NOFOLLOW: usize = 0x100;
const AT_EMPTY_PATH: usize = 0x1000;
const AT_RECURSIVE: usize = 0x8000;
/// `O_CLOEXEC`.
pub(crate) const O_CLOEXEC: u32 = 0o2_000_000;
/// `O_PATH`.
pub(crate) const O_PATH: u32 = 0o10_000_000;
/// `O_WRONLY`.
pub(crate) const O_WRONLY: u32 = 1;
/// `O_RDWR`.
pub(crate) const O_RDWR: u32 = 2;
/// `O_CREAT`.
pub(crate) const O_CREAT: u32 = 0o100;
/// `O_EXCL`.
pub(crate) const O_EXCL: u32 = 0o200;
/// `O_NOCTTY`.
pub(crate) const O_NOCTTY: u32 = 0o400;
/// `O_NONBLOCK`.
pub(crate) const O_NONBLOCK: u32 = 0o4000;
/// `RESOLVE_NO_XDEV`.
pub(crate) const RESOLVE_NO_XDEV: u64 = 1;
/// `RESOLVE_NO_MAGICLINKS`.
pub(crate) const RESOLVE_NO_MAGICLINKS: u64 = 2;
/// `RESOLVE_NO_SYMLINKS`.
pub(crate) const RESOLVE_NO_SYMLINKS: u64 = 4;
/// `RESOLVE_BENEATH`.
pub(crate) const RESOLVE_BENEATH: u64 = 8;
/// `RESOLVE_IN_ROOT`.
pub(crate) const RESOLVE_IN_ROOT: u64 = 0x10;
/// `MS_REMOUNT`.
pub(crate) const MS_REMOUNT: u64 = 32;
/// `MS_BIND`.
pub(crate) const MS_BIND: u64 = 4096;
/// `MS_MOVE`.
pub(crate) const MS_MOVE: u64 = 8192;
/// `MS_REC`.
pub(crate) const MS_REC: u64 = 16384;
/// `MS_SLAVE`.
pub(crate) const MS_SLAVE: u64 = 1 << 19;
/// `MNT_DETACH`.
pub(crate) const MNT_DETACH: u32 = 2;
/// `CLONE_NEWUSER`.
pub(crate) const CLONE_NEWUSER: u32 = 0x1000_0000;

macro_rules! call {
    ($number:ident $(, $arg:expr)*) => {
        invoke(number::$number, &[$($arg as usize),*])
    };
}

/// # Safety
/// As for the system call: see [`arch::syscall`].
unsafe fn invoke(number: usize, args: &[usize]) -> Result<usize> {
    let mut all = [0; 6];
    for (to, from) in all.iter_mut().zip(args) {
        *to = *from;
    }
    // SAFETY: the caller's promise.
    let result = unsafe { arch::syscall(number, all) };
    if (-4095..0).contains(&result) {
        Err(Errno(-(result as i32)))
    } else {
        Ok(result as usize)
    }
}

/// A descriptor that is closed when it goes out of scope.
#[derive(Debug)]
pub(crate) struct Fd(i32);

impl Fd {
    /// Takes over a descriptor that the kernel has just returned.
    fn new(number: usize) -> Self {
        Self(number as i32)
    }

    /// The number, which stays owned.
    pub(crate) fn raw(&self) -> i32 {
        self.0
    }

    /// The number, which is the caller's now.
    pub(crate) fn into_raw(self) -> i32 {
        let number = self.0;
        core::mem::forget(self);
        number
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        close(self.0);
    }
}

// ---- descriptors ---------------------------------------------------------------------------------------------------

/// `close(2)`; its error says nothing useful.
pub(crate) fn close(fd: i32) {
    // SAFETY: no pointer; a wrong number is EBADF.
    let _ = unsafe { call!(CLOSE, fd) };
}

/// `read(2)`, again after a signal.
pub(crate) fn read(fd: i32, buffer: &mut [u8]) -> Result<usize> {
    loop {
        // SAFETY: the kernel writes at most the length of the exclusive slice.
        match unsafe { call!(READ, fd, buffer.as_mut_ptr(), buffer.len()) } {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

/// `write(2)`, again after a signal that came before the first byte.
pub(crate) fn write(fd: i32, bytes: &[u8]) -> Result<usize> {
    loop {
        // SAFETY: the kernel reads within the slice.
        match unsafe { call!(WRITE, fd, bytes.as_ptr(), bytes.len()) } {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

/// Writes everything, in as many calls as it takes.
pub(crate) fn write_all(fd: i32, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        let count = write(fd, bytes)?;
        if count == 0 {
            return Err(Errno::EIO);
        }
        bytes = bytes.get(count..).ok_or(Errno::EIO)?;
    }
    Ok(())
}

/// `pwrite64(2)` of everything; the position of the descriptor stays where it is.
pub(crate) fn write_at(fd: i32, mut bytes: &[u8], mut offset: u64) -> Result<()> {
    while !bytes.is_empty() {
        // SAFETY: the kernel reads within the slice.
        let count = unsafe { call!(PWRITE64, fd, bytes.as_ptr(), bytes.len(), offset) }?;
        if count == 0 {
            return Err(Errno::EIO);
        }
        offset += count as u64;
        bytes = bytes.get(count..).ok_or(Errno::EIO)?;
    }
    Ok(())
}

/// `openat(2)` with `O_CLOEXEC`.
pub(crate) fn openat(dir: i32, path: &CStr, flags: u32, mode: u32) -> Result<Fd> {
    // SAFETY: a NUL-terminated path.
    unsafe { call!(OPENAT, dir, path.as_ptr(), flags | O_CLOEXEC, mode) }.map(Fd::new)
}

/// `openat2(2)` with `O_CLOEXEC`; a rename that raced (`EAGAIN`) is tried again a bounded number of times.
pub(crate) fn openat2(dir: i32, path: &CStr, flags: u32, mode: u32, resolve: u64) -> Result<Fd> {
    let how: [u64; 3] = [u64::from(flags | O_CLOEXEC), u64::from(mode), resolve];
    for _ in 0..128 {
        // SAFETY: a NUL-terminated path, and a struct open_how of the given size.
        match unsafe {
            call!(
                OPENAT2,
                dir,
                path.as_ptr(),
                how.as_ptr(),
                size_of::<[u64; 3]>()
            )
        } {
            Err(Errno::EAGAIN) => {}
            result => return result.map(Fd::new),
        }
    }
    Err(Errno::EAGAIN)
}

/// `dup3(2)`; without `O_CLOEXEC`, for descriptors the program shall have.
pub(crate) fn dup3(from: i32, to: i32) -> Result<()> {
    // SAFETY: no pointer.
    unsafe { call!(DUP3, from, to, 0) }.map(drop)
}

/// `fcntl(F_GET_SEALS)`.
pub(crate) fn seals(fd: i32) -> Result<usize> {
    // SAFETY: no pointer.
    unsafe { call!(FCNTL, fd, 1034) }
}

/// `close_range(2)` (Linux 5.9) from this number on.
pub(crate) fn close_from(first: u32) -> Result<()> {
    // SAFETY: no pointer.
    unsafe { call!(CLOSE_RANGE, first, u32::MAX, 0) }.map(drop)
}

/// The highest number of descriptors this process could ever have had, as far as its hard limit says.
pub(crate) fn descriptor_limit() -> u32 {
    let mut limit = [0_u64; 2];
    // SAFETY: RLIMIT_NOFILE is 7; the kernel fills a struct rlimit64.
    let result = unsafe { call!(PRLIMIT64, 0, 7, 0, limit.as_mut_ptr()) };
    let [_, hard] = limit;
    match result {
        Ok(_) => u32::try_from(hard).unwrap_or(u32::MAX),
        Err(_) => 0,
    }
}

/// `fcntl(F_GETPIPE_SZ)`: what a pipe takes without a reader.
pub(crate) fn pipe_capacity(fd: i32) -> Result<usize> {
    // SAFETY: no pointer.
    unsafe { call!(FCNTL, fd, 1032) }
}

/// `pipe2(O_CLOEXEC)`: the reading and the writing end.
pub(crate) fn pipe() -> Result<(Fd, Fd)> {
    let mut ends = [0_i32; 2];
    // SAFETY: the kernel writes two ints.
    unsafe { call!(PIPE2, ends.as_mut_ptr(), O_CLOEXEC) }?;
    let [read, write] = ends;
    Ok((Fd(read), Fd(write)))
}

/// `memfd_create(MFD_CLOEXEC)`.
pub(crate) fn memfd(name: &CStr) -> Result<Fd> {
    // SAFETY: a NUL-terminated name.
    unsafe { call!(MEMFD_CREATE, name.as_ptr(), 1) }.map(Fd::new)
}

/// `ioctl(2)` whose argument is a number.
pub(crate) fn ioctl_number(fd: i32, request: u32, argument: usize) -> Result<usize> {
    // The requests used here take no pointer. TIOCGPTPEER 0x5441, TIOCSCTTY 0x540e.
    if !matches!(request, 0x5441 | 0x540e) {
        return Err(Errno::EINVAL);
    }
    // SAFETY: checked above: the argument is no address.
    unsafe { call!(IOCTL, fd, request, argument) }
}

/// `ioctl(TIOCGPTPEER)` (Linux 4.13): the other end of a pseudo-terminal.
pub(crate) fn terminal_peer(master: i32) -> Result<Fd> {
    ioctl_number(master, 0x5441, (O_RDWR | O_NOCTTY | O_CLOEXEC) as usize).map(Fd::new)
}

/// `ioctl(TIOCSCTTY)`.
pub(crate) fn controlling_terminal(fd: i32) -> Result<()> {
    ioctl_number(fd, 0x540e, 0).map(drop)
}

/// `ioctl(TIOCSPTLCK)`: unlocks a pseudo-terminal.
pub(crate) fn unlock_terminal(master: i32) -> Result<()> {
    let zero: i32 = 0;
    // SAFETY: the kernel reads one int.
    unsafe { call!(IOCTL, master, 0x4004_5431, &raw const zero) }.map(drop)
}

/// `ioctl(TIOCGPTN)`: the number of a pseudo-terminal.
pub(crate) fn terminal_number(master: i32) -> Result<u32> {
    let mut number: u32 = 0;
    // SAFETY: the kernel writes one unsigned int.
    unsafe { call!(IOCTL, master, 0x8004_5430_u32, &raw mut number) }?;
    Ok(number)
}

/// `socket(2)` with `SOCK_CLOEXEC`.
pub(crate) fn socket(family: u32, kind: u32, protocol: u32) -> Result<Fd> {
    // SAFETY: no pointer.
    unsafe { call!(SOCKET, family, kind | O_CLOEXEC, protocol) }.map(Fd::new)
}

#[repr(C)]
struct IoVec {
    base: usize,
    length: usize,
}

#[repr(C)]
struct MsgHdr {
    name: usize,
    name_length: u32,
    iov: *const IoVec,
    iov_length: usize,
    control: usize,
    control_length: usize,
    flags: u32,
}

/// Most descriptors in one packet.
pub(crate) const MAX_SENT: usize = 4;

#[repr(C, align(8))]
struct Rights {
    length: usize,
    level: i32,
    kind: i32,
    fds: [i32; MAX_SENT],
}

const RIGHTS_HEAD: usize = 16;

/// `sendmsg(2)` of two pieces as one packet, with descriptors (`SCM_RIGHTS`).
pub(crate) fn send(socket: i32, head: &[u8], body: &[u8], fds: &[i32]) -> Result<()> {
    let pieces = [
        IoVec {
            base: head.as_ptr() as usize,
            length: head.len(),
        },
        IoVec {
            base: body.as_ptr() as usize,
            length: body.len(),
        },
    ];
    let mut rights = Rights {
        length: RIGHTS_HEAD + 4 * fds.len(),
        level: 1,
        kind: 1,
        fds: [-1; MAX_SENT],
    };
    if fds.len() > MAX_SENT {
        return Err(Errno::EINVAL);
    }
    for (to, from) in rights.fds.iter_mut().zip(fds) {
        *to = *from;
    }
    let carries = !fds.is_empty();
    let message = MsgHdr {
        name: 0,
        name_length: 0,
        iov: pieces.as_ptr(),
        iov_length: 2,
        control: if carries {
            (&raw const rights) as usize
        } else {
            0
        },
        control_length: if carries { (rights.length + 7) & !7 } else { 0 },
        flags: 0,
    };
    loop {
        // SAFETY: the header points to two slices and to a control message that live until the call is over.
        match unsafe { call!(SENDMSG, socket, &raw const message, 0) } {
            Err(Errno::EINTR) => {}
            result => return result.map(drop),
        }
    }
}

/// `recvmsg(MSG_CMSG_CLOEXEC)` of one packet and at most one descriptor. A packet that was cut off is `EPROTO`.
pub(crate) fn receive(socket: i32, buffer: &mut [u8]) -> Result<(usize, Option<Fd>)> {
    let piece = IoVec {
        base: buffer.as_mut_ptr() as usize,
        length: buffer.len(),
    };
    let mut rights = Rights {
        length: 0,
        level: 0,
        kind: 0,
        fds: [-1; MAX_SENT],
    };
    let mut message = MsgHdr {
        name: 0,
        name_length: 0,
        iov: &raw const piece,
        iov_length: 1,
        control: (&raw mut rights) as usize,
        control_length: RIGHTS_HEAD + 4,
        flags: 0,
    };
    let count = loop {
        // SAFETY: as in `send`; the kernel writes within the slice and within the space for one descriptor.
        match unsafe { call!(RECVMSG, socket, &raw mut message, 0x4000_0000) } {
            Err(Errno::EINTR) => {}
            result => break result?,
        }
    };
    let [first, ..] = rights.fds;
    let fd = (message.control_length >= RIGHTS_HEAD + 4
        && rights.level == 1
        && rights.kind == 1
        && first >= 0)
        .then_some(Fd(first));
    // MSG_TRUNC, MSG_CTRUNC.
    if message.flags & 0x28 != 0 {
        Err(Errno::EPROTO)
    } else {
        Ok((count, fd))
    }
}

// ---- files ---------------------------------------------------------------------------------------------------------

/// What `fstat(2)` tells.
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
        self.mode & 0o170_000
    }

    /// A directory.
    pub(crate) fn is_directory(&self) -> bool {
        self.file_type() == 0o040_000
    }

    /// A symbolic link.
    pub(crate) fn is_symlink(&self) -> bool {
        self.file_type() == 0o120_000
    }

    /// A regular file.
    pub(crate) fn is_regular(&self) -> bool {
        self.file_type() == 0o100_000
    }

    /// The null device: character device 1:3.
    pub(crate) fn is_null(&self) -> bool {
        self.file_type() == 0o020_000 && self.device() == (1, 3)
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

/// The device number in the form of `mknodat(2)`.
fn make_device(major: u32, minor: u32) -> usize {
    let (major, minor) = (u64::from(major), u64::from(minor));
    ((minor & 0xff)
        | ((major & 0xfff) << 8)
        | ((minor & 0xffff_ff00) << 12)
        | ((major & 0xffff_f000) << 32)) as usize
}

/// `fstat(2)`.
pub(crate) fn fstat(fd: i32) -> Result<Stat> {
    let mut raw = arch::RawStat::default();
    // SAFETY: the kernel fills the struct, whose layout is this architecture's.
    unsafe { call!(FSTAT, fd, &raw mut raw) }?;
    Ok(Stat::new(&raw))
}

/// `newfstatat(2)`; follows a last symlink only if told to.
pub(crate) fn stat(dir: i32, path: &CStr, follow: bool) -> Result<Stat> {
    let mut raw = arch::RawStat::default();
    let flags = if follow { 0 } else { AT_SYMLINK_NOFOLLOW };
    // SAFETY: a NUL-terminated path; the kernel fills the struct.
    unsafe { call!(NEWFSTATAT, dir, path.as_ptr(), &raw mut raw, flags) }?;
    Ok(Stat::new(&raw))
}

/// `fstatfs(2)`: the magic number of the file system, and the flags of the mount.
pub(crate) fn fstatfs(fd: i32) -> Result<(u64, u64)> {
    // f_type, f_bsize, f_blocks, f_bfree, f_bavail, f_files, f_ffree, f_fsid, f_namelen, f_frsize, f_flags, f_spare[4].
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
    // SAFETY: a NUL-terminated name.
    unsafe {
        call!(
            MKNODAT,
            dir,
            name.as_ptr(),
            mode,
            make_device(device.0, device.1)
        )
    }
    .map(drop)
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
    unsafe { call!(FACCESSAT2, CWD, path.as_ptr(), 1, 0x200) }.map(drop)
}

// ---- mounts --------------------------------------------------------------------------------------------------------

fn pointer(text: Option<&CStr>) -> usize {
    text.map_or(0, |text| text.as_ptr() as usize)
}

/// `mount(2)` without data.
pub(crate) fn mount(source: Option<&CStr>, target: &CStr, flags: u64) -> Result<()> {
    // SAFETY: NUL-terminated strings or null.
    unsafe { call!(MOUNT, pointer(source), target.as_ptr(), 0, flags, 0) }.map(drop)
}

/// `umount2(2)`.
pub(crate) fn umount(target: &CStr, flags: u32) -> Result<()> {
    // SAFETY: a NUL-terminated path.
    unsafe { call!(UMOUNT2, target.as_ptr(), flags) }.map(drop)
}

/// `pivot_root(2)`.
pub(crate) fn pivot_root(new: &CStr, old: &CStr) -> Result<()> {
    // SAFETY: NUL-terminated paths.
    unsafe { call!(PIVOT_ROOT, new.as_ptr(), old.as_ptr()) }.map(drop)
}

/// `chroot(2)`.
pub(crate) fn chroot(path: &CStr) -> Result<()> {
    // SAFETY: a NUL-terminated path.
    unsafe { call!(CHROOT, path.as_ptr()) }.map(drop)
}

/// `chdir(2)`.
pub(crate) fn chdir(path: &CStr) -> Result<()> {
    // SAFETY: a NUL-terminated path.
    unsafe { call!(CHDIR, path.as_ptr()) }.map(drop)
}

/// `fchdir(2)`.
pub(crate) fn fchdir(fd: i32) -> Result<()> {
    // SAFETY: no pointer.
    unsafe { call!(FCHDIR, fd) }.map(drop)
}

/// `getcwd(2)`: the length with its NUL.
pub(crate) fn getcwd(buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes at most the length of the slice.
    unsafe { call!(GETCWD, buffer.as_mut_ptr(), buffer.len()) }
}

/// `fsopen(2)` (Linux 5.2).
pub(crate) fn fsopen(kind: &CStr) -> Result<Fd> {
    // SAFETY: a NUL-terminated name.
    unsafe { call!(FSOPEN, kind.as_ptr(), 1) }.map(Fd::new)
}

/// `fsconfig(FSCONFIG_SET_FLAG)`, or `FSCONFIG_SET_STRING` with a value.
pub(crate) fn fsconfig(context: i32, key: &CStr, value: Option<&CStr>) -> Result<()> {
    let command = u32::from(value.is_some());
    // SAFETY: NUL-terminated strings or null.
    unsafe { call!(FSCONFIG, context, command, key.as_ptr(), pointer(value), 0) }.map(drop)
}

/// `fsconfig(FSCONFIG_SET_FD)`.
pub(crate) fn fsconfig_fd(context: i32, key: &CStr, fd: i32) -> Result<()> {
    // SAFETY: a NUL-terminated string and null.
    unsafe { call!(FSCONFIG, context, 5, key.as_ptr(), 0, fd) }.map(drop)
}

/// `fsconfig(FSCONFIG_CMD_CREATE)`.
pub(crate) fn fsconfig_create(context: i32) -> Result<()> {
    // SAFETY: null pointers.
    unsafe { call!(FSCONFIG, context, 6, 0, 0, 0) }.map(drop)
}

/// `fsmount(2)`.
pub(crate) fn fsmount(context: i32, attributes: u64) -> Result<Fd> {
    // SAFETY: no pointer.
    unsafe { call!(FSMOUNT, context, 1, attributes) }.map(Fd::new)
}

/// `open_tree(OPEN_TREE_CLONE)` (Linux 5.2); an empty path clones what the descriptor refers to.
pub(crate) fn clone_tree(dir: i32, path: &CStr, recursive: bool) -> Result<Fd> {
    let mut flags = 1 | O_CLOEXEC as usize;
    if path.is_empty() {
        flags |= AT_EMPTY_PATH;
    }
    if recursive {
        flags |= AT_RECURSIVE;
    }
    // SAFETY: a NUL-terminated path.
    unsafe { call!(OPEN_TREE, dir, path.as_ptr(), flags) }.map(Fd::new)
}

/// `move_mount(2)` (Linux 5.2), from descriptor to descriptor.
pub(crate) fn move_mount(mount: i32, target: i32) -> Result<()> {
    // SAFETY: NUL-terminated empty paths.
    unsafe { call!(MOVE_MOUNT, mount, c"".as_ptr(), target, c"".as_ptr(), 0x44) }.map(drop)
}

/// `mount_setattr(2)` (Linux 5.12).
pub(crate) fn mount_setattr(
    mount: i32,
    recursive: bool,
    set: u64,
    clear: u64,
    propagation: u64,
) -> Result<()> {
    let attributes: [u64; 4] = [set, clear, propagation, 0];
    let flags = AT_EMPTY_PATH | if recursive { AT_RECURSIVE } else { 0 };
    // SAFETY: a NUL-terminated empty path and a struct mount_attr of the given size.
    unsafe {
        call!(
            MOUNT_SETATTR,
            mount,
            c"".as_ptr(),
            flags,
            attributes.as_ptr(),
            size_of::<[u64; 4]>()
        )
    }
    .map(drop)
}

// ---- the process ---------------------------------------------------------------------------------------------------

/// `prctl(2)` with numbers. Options that take an address are refused.
pub(crate) fn prctl(option: u32, a: usize, b: usize) -> Result<usize> {
    // PDEATHSIG 1, DUMPABLE 4, KEEPCAPS 8, CAPBSET_READ 23, CAPBSET_DROP 24, NO_NEW_PRIVS 38, CAP_AMBIENT 47.
    if !matches!(option, 1 | 4 | 8 | 23 | 24 | 38 | 47) {
        return Err(Errno::EINVAL);
    }
    // SAFETY: checked above: no argument is an address.
    unsafe { call!(PRCTL, option, a, b, 0, 0) }
}

/// `prctl(PR_SET_NAME)`.
pub(crate) fn set_name(name: &CStr) -> Result<()> {
    // SAFETY: a NUL-terminated name; the kernel reads at most 16 bytes and stops at the NUL.
    unsafe { call!(PRCTL, 15, name.as_ptr()) }.map(drop)
}

/// `getpid(2)`.
pub(crate) fn getpid() -> u32 {
    // SAFETY: no argument.
    unsafe { call!(GETPID) }.map_or(0, |pid| pid as u32)
}

/// `getppid(2)`.
pub(crate) fn getppid() -> u32 {
    // SAFETY: no argument.
    unsafe { call!(GETPPID) }.map_or(0, |pid| pid as u32)
}

/// `setsid(2)`.
pub(crate) fn setsid() -> Result<()> {
    // SAFETY: no argument.
    unsafe { call!(SETSID) }.map(drop)
}

/// `setpgid(0, 0)`.
pub(crate) fn own_process_group() -> Result<()> {
    // SAFETY: no pointer.
    unsafe { call!(SETPGID, 0, 0) }.map(drop)
}

/// `kill(2)`.
pub(crate) fn kill(pid: i32, signal: u32) -> Result<()> {
    // SAFETY: no pointer.
    unsafe { call!(KILL, pid, signal) }.map(drop)
}

/// `umask(2)`.
pub(crate) fn umask(mask: u32) {
    // SAFETY: no pointer; it cannot fail.
    let _ = unsafe { call!(UMASK, mask) };
}

/// `sched_setaffinity(2)` of this thread.
pub(crate) fn set_affinity(mask: &[u8]) -> Result<()> {
    // SAFETY: the kernel reads within the slice.
    unsafe { call!(SCHED_SETAFFINITY, 0, mask.len(), mask.as_ptr()) }.map(drop)
}

/// `sched_setattr(2)` of this thread. The struct says its own size, which must be that of the slice.
pub(crate) fn set_scheduler(attributes: &[u8]) -> Result<()> {
    if attributes.len() < 48
        || super::wire::u32_at(attributes, 0) != u32::try_from(attributes.len()).ok()
    {
        return Err(Errno::EINVAL);
    }
    // SAFETY: the kernel reads as many bytes as the first word says: checked above.
    unsafe { call!(SCHED_SETATTR, 0, attributes.as_ptr(), 0) }.map(drop)
}

/// `ioprio_set(IOPRIO_WHO_PROCESS, 0)`.
pub(crate) fn set_io_priority(value: u32) -> Result<()> {
    // SAFETY: no pointer.
    unsafe { call!(IOPRIO_SET, 1, 0, value) }.map(drop)
}

/// `personality(2)`.
pub(crate) fn personality(domain: u64) -> Result<()> {
    // SAFETY: no pointer.
    unsafe { call!(PERSONALITY, domain) }.map(drop)
}

/// `set_mempolicy(2)`: the nodes as little-endian words.
pub(crate) fn set_memory_policy(mode: u32, nodes: &[u8]) -> Result<()> {
    let bits = nodes.len() / 8 * 64;
    // The kernel looks at one bit less than it is told.
    let (mask, bits) = if bits == 0 {
        (0, 0)
    } else {
        (nodes.as_ptr() as usize, bits + 1)
    };
    // SAFETY: the kernel reads the words that hold the bits: those of the slice.
    unsafe { call!(SET_MEMPOLICY, mode, mask, bits) }.map(drop)
}

/// `setgroups(2)`: little-endian words.
pub(crate) fn setgroups(gids: &[u8]) -> Result<()> {
    // SAFETY: the kernel reads that many words of the slice.
    unsafe { call!(SETGROUPS, gids.len() / 4, gids.as_ptr()) }.map(drop)
}

/// `setresgid(2)`, all three.
pub(crate) fn setresgid(gid: u32) -> Result<()> {
    // SAFETY: no pointer.
    unsafe { call!(SETRESGID, gid, gid, gid) }.map(drop)
}

/// `setresuid(2)`, all three.
pub(crate) fn setresuid(uid: u32) -> Result<()> {
    // SAFETY: no pointer.
    unsafe { call!(SETRESUID, uid, uid, uid) }.map(drop)
}

/// `capset(2)`, version 3.
pub(crate) fn capset(effective: u64, permitted: u64, inheritable: u64) -> Result<()> {
    let header: [u32; 2] = [0x2008_0522, 0];
    let low = |set: u64| set as u32;
    let high = |set: u64| (set >> 32) as u32;
    let data = [
        low(effective),
        low(permitted),
        low(inheritable),
        high(effective),
        high(permitted),
        high(inheritable),
    ];
    // SAFETY: a header and two data structs of version 3.
    unsafe { call!(CAPSET, header.as_ptr(), data.as_ptr()) }.map(drop)
}

/// `keyctl(KEYCTL_JOIN_SESSION_KEYRING)`: the keyring's serial number.
pub(crate) fn join_keyring(name: &CStr) -> Result<usize> {
    // SAFETY: a NUL-terminated name.
    unsafe { call!(KEYCTL, 1, name.as_ptr()) }
}

/// `keyctl(KEYCTL_DESCRIBE)`: the length the text has, with its NUL; it may be more than fits.
pub(crate) fn describe_key(serial: usize, buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes at most the length of the slice.
    unsafe { call!(KEYCTL, 6, serial, buffer.as_mut_ptr(), buffer.len()) }
}

/// `keyctl(KEYCTL_SETPERM)`.
pub(crate) fn set_key_permissions(serial: usize, permissions: u32) -> Result<()> {
    // SAFETY: no pointer.
    unsafe { call!(KEYCTL, 5, serial, permissions) }.map(drop)
}

/// `sethostname(2)`.
pub(crate) fn sethostname(name: &[u8]) -> Result<()> {
    // SAFETY: the kernel reads within the slice.
    unsafe { call!(SETHOSTNAME, name.as_ptr(), name.len()) }.map(drop)
}

/// `setdomainname(2)`.
pub(crate) fn setdomainname(name: &[u8]) -> Result<()> {
    // SAFETY: the kernel reads within the slice.
    unsafe { call!(SETDOMAINNAME, name.as_ptr(), name.len()) }.map(drop)
}

/// `unshare(2)`.
pub(crate) fn unshare(flags: u32) -> Result<()> {
    // SAFETY: no pointer. CLONE_FILES, CLONE_FS and namespaces harm nobody in a process of one thread.
    unsafe { call!(UNSHARE, flags) }.map(drop)
}

/// `setns(2)`.
pub(crate) fn setns(fd: i32, kind: u32) -> Result<()> {
    // SAFETY: no pointer.
    unsafe { call!(SETNS, fd, kind) }.map(drop)
}

/// Loads a seccomp filter: `prctl(PR_SET_SECCOMP)` without flags, else `seccomp(2)`. With
/// `SECCOMP_FILTER_FLAG_NEW_LISTENER` the result is a descriptor.
pub(crate) fn seccomp(flags: u32, program: &[u8]) -> Result<usize> {
    #[repr(C)]
    struct Program {
        length: u16,
        filter: *const u8,
    }
    let length = u16::try_from(program.len() / 8).map_err(|_| Errno::EINVAL)?;
    if !program.len().is_multiple_of(8) {
        return Err(Errno::EINVAL);
    }
    let program = Program {
        length,
        filter: program.as_ptr(),
    };
    // SAFETY: a struct sock_fprog whose filter has that many instructions of 8 bytes.
    unsafe {
        if flags == 0 {
            call!(PRCTL, 22, 2, &raw const program)
        } else {
            call!(SECCOMP, 1, flags, &raw const program)
        }
    }
}

// ---- signals, children, the end ------------------------------------------------------------------------------------

#[repr(C)]
struct SigAction {
    handler: usize,
    flags: usize,
    restorer: usize,
    mask: u64,
}

/// Gives every signal its default action and blocks none. A host may ignore `SIGPIPE` or `SIGHUP`, and that is inherited by programs.
pub(crate) fn reset_signals() {
    let default = SigAction {
        handler: 0,
        flags: 0,
        restorer: 0,
        mask: 0,
    };
    let none: u64 = 0;
    // SIGKILL and SIGSTOP cannot be changed.
    for signal in (1..=64).filter(|signal| !matches!(signal, 9 | 19)) {
        // SAFETY: a struct sigaction of the kernel; 8 is the size of its mask.
        let _ = unsafe { call!(RT_SIGACTION, signal, &raw const default, 0, 8) };
    }
    // SAFETY: a mask of 8 bytes. SIG_SETMASK is 2.
    let _ = unsafe { call!(RT_SIGPROCMASK, 2, &raw const none, 0, 8) };
}

extern "C" fn ended_by(signal: i32) {
    exit(128 + signal)
}

/// Lets `SIGTERM`, `SIGINT`, `SIGHUP` and `SIGQUIT` end this process even if it is the first of its pid namespace, where
/// the kernel would ignore signals without a handler.
pub(crate) fn exit_on_signals() {
    let handler = ended_by as extern "C" fn(i32) as usize;
    // SA_RESTORER: x86_64 wants one; the handler never returns to it.
    let action = SigAction {
        handler,
        flags: 0x0400_0000,
        restorer: handler,
        mask: 0,
    };
    for signal in [15, 2, 1, 3] {
        // SAFETY: as above; the handler only ends the process.
        let _ = unsafe { call!(RT_SIGACTION, signal, &raw const action, 0, 8) };
    }
}

/// Ends the process.
pub(crate) fn exit(code: i32) -> ! {
    loop {
        // SAFETY: no pointer; it does not return.
        let _ = unsafe { call!(EXIT_GROUP, code) };
    }
}

/// `CLONE_PARENT`.
pub(crate) const CLONE_PARENT: u64 = 0x8000;
/// `CLONE_VFORK`.
pub(crate) const CLONE_VFORK: u64 = 0x4000;
const CLONE_PIDFD: u64 = 0x1000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
const SIGCHLD: u64 = 17;

/// The two ends of a fork.
pub(crate) enum Forked {
    /// In the parent: the child's number and pidfd.
    Parent(i32, Fd),
    /// In the child.
    Child,
}

/// A child with its own copy of the memory, and a pidfd: `clone3(2)`, or `clone(2)` where a filter refuses that.
pub(crate) fn fork(flags: u64, cgroup: Option<i32>) -> Result<Forked> {
    let mut pidfd: i32 = -1;
    // flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup.
    let mut args = [0_u64; 11];
    let own_signal = if flags & CLONE_PARENT == 0 {
        SIGCHLD
    } else {
        0
    };
    args[0] = flags | CLONE_PIDFD | cgroup.map_or(0, |_| CLONE_INTO_CGROUP);
    args[1] = (&raw mut pidfd) as u64;
    args[4] = own_signal;
    args[10] = cgroup.map_or(0, |fd| fd as u64);
    // SAFETY: a struct clone_args of that size. No memory is shared, so the child may return from here.
    let mut result = unsafe { call!(CLONE3, args.as_mut_ptr(), size_of::<[u64; 11]>()) };
    if matches!(result, Err(Errno::ENOSYS | Errno::EPERM)) && cgroup.is_none() {
        let flags = (flags | CLONE_PIDFD | own_signal) as usize;
        // SAFETY: as above; the descriptor is stored where the third argument points.
        result = unsafe {
            invoke(
                number::CLONE,
                &arch::fork_args(flags, (&raw mut pidfd) as usize),
            )
        };
    }
    match result? {
        0 => Ok(Forked::Child),
        pid => Ok(Forked::Parent(pid as i32, Fd(pidfd))),
    }
}

/// `waitid(P_PID, WEXITED)`: how a child ended, as (`si_code`, `si_status`).
pub(crate) fn wait(pid: i32) -> Result<(i32, i32)> {
    let mut info = [0_i32; 32];
    loop {
        // SAFETY: siginfo_t has 128 bytes.
        match unsafe { call!(WAITID, 1, pid, info.as_mut_ptr(), 4, 0) } {
            Err(Errno::EINTR) => {}
            Err(e) => return Err(e),
            Ok(_) => break,
        }
    }
    // si_signo, si_errno, si_code, padding, si_pid, si_uid, si_status.
    let [_, _, code, _, _, _, status, ..] = info;
    Ok((code, status))
}

/// `clock_gettime(CLOCK_MONOTONIC)` in milliseconds.
pub(crate) fn milliseconds() -> u64 {
    nanoseconds() / 1_000_000
}

/// The same clock in nanoseconds.
fn nanoseconds() -> u64 {
    let mut time = [0_u64; 2];
    // SAFETY: the kernel fills a struct timespec.
    let _ = unsafe { call!(CLOCK_GETTIME, 1, time.as_mut_ptr()) };
    let [seconds, nanoseconds] = time;
    seconds
        .wrapping_mul(1_000_000_000)
        .wrapping_add(nanoseconds)
}

/// An entry of [`poll`].
#[repr(C)]
pub(crate) struct PollFd {
    /// The descriptor; a negative one is skipped.
    pub(crate) fd: i32,
    /// What to wait for.
    pub(crate) events: i16,
    /// What happened.
    pub(crate) happened: i16,
}

/// `ppoll(2)`; without a timeout it waits as long as it takes. A signal counts as "nothing yet".
pub(crate) fn poll(fds: &mut [PollFd], timeout_ms: Option<u64>) -> Result<()> {
    let time = timeout_ms.map(|ms| [ms / 1000, ms % 1000 * 1_000_000]);
    let time = time.as_ref().map_or(0, |time| time.as_ptr() as usize);
    // SAFETY: the kernel reads and writes the entries of the slice and reads a struct timespec.
    match unsafe { call!(PPOLL, fds.as_mut_ptr(), fds.len(), time, 0, 8) } {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(e) => Err(e),
    }
}

/// A word that parent and child share after a fork.
pub(crate) struct SharedWord(*mut i32);

impl SharedWord {
    /// A page of shared memory, given back when the process ends.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: an anonymous shared mapping wherever the kernel likes.
        unsafe { call!(MMAP, 0, 4096, 3, 0x21, -1_isize, 0) }.map(|at| Self(at as *mut i32))
    }

    /// Stores.
    pub(crate) fn set(&self, value: i32) {
        // SAFETY: the page is mapped and aligned. Only one of the two processes runs at a time (CLONE_VFORK).
        unsafe { self.0.write_volatile(value) }
    }

    /// Loads.
    pub(crate) fn get(&self) -> i32 {
        // SAFETY: as in `set`.
        unsafe { self.0.read_volatile() }
    }
}

/// Maps the plan: a file whose size and content are sealed, so that neither can change under the slice.
pub(crate) fn map_sealed(fd: i32) -> Result<&'static [u8]> {
    // F_SEAL_SHRINK 2, F_SEAL_GROW 4, F_SEAL_WRITE 8.
    if seals(fd)? & 0xe != 0xe {
        return Err(Errno::EBADMSG);
    }
    let size = fstat(fd)?.size as usize;
    if size == 0 || size > super::wire::MAX_PLAN {
        return Err(Errno::EINVAL);
    }
    // SAFETY: a private read-only mapping of the whole file. PROT_READ 1, MAP_PRIVATE 2.
    let at = unsafe { call!(MMAP, 0, size, 1, 2, fd, 0) }?;
    // SAFETY: mapped for good, readable, and sealed against writing and shrinking.
    Ok(unsafe { core::slice::from_raw_parts(at as *const u8, size) })
}

/// Memory shared with the parent, one number a step.
pub(crate) struct Times {
    at: *mut u64,
    count: usize,
}

impl Times {
    /// Maps the file that takes `count` times.
    pub(crate) fn map(fd: i32, count: u32) -> Result<Self> {
        let count = count as usize;
        let bytes = count.checked_mul(super::wire::TIME).ok_or(Errno::EINVAL)?;
        // F_SEAL_SHRINK: no access beyond the end of the file.
        if seals(fd)? & 2 == 0 || (fstat(fd)?.size as usize) < bytes {
            return Err(Errno::EBADMSG);
        }
        // SAFETY: a shared mapping of the whole file. PROT_READ | PROT_WRITE 3, MAP_SHARED 1.
        let at = unsafe { call!(MMAP, 0, bytes, 3, 1, fd, 0) }?;
        Ok(Self {
            at: at as *mut u64,
            count,
        })
    }

    /// Writes down that a step has ended.
    pub(crate) fn set(&mut self, step: u32) {
        if (step as usize) < self.count {
            // SAFETY: within the mapping, which stays; the other side only reads.
            unsafe { self.at.add(step as usize).write_volatile(nanoseconds()) };
        }
    }
}

/// Copies bytes to a place that stays until the process ends or executes another program.
pub(crate) fn keep(bytes: &[u8]) -> Result<&'static [u8]> {
    if bytes.is_empty() {
        return Ok(&[]);
    }
    // SAFETY: an anonymous private mapping.
    let at = unsafe { call!(MMAP, 0, bytes.len(), 3, 0x22, -1_isize, 0) }?;
    // SAFETY: mapped for good, zero, of that length, and referred to by nothing else.
    let copy = unsafe { core::slice::from_raw_parts_mut(at as *mut u8, bytes.len()) };
    copy.copy_from_slice(bytes);
    Ok(copy)
}

/// A list of pointers to strings, ended by null, as `execve(2)` wants it.
pub(crate) struct Pointers<'a> {
    at: *mut usize,
    capacity: usize,
    length: usize,
    strings: PhantomData<&'a CStr>,
}

impl<'a> Pointers<'a> {
    /// Room for that many strings. Given back when the process ends or executes another program.
    pub(crate) fn new(count: usize) -> Result<Self> {
        let capacity = count.checked_add(1).ok_or(Errno::E2BIG)?;
        let bytes = capacity
            .checked_mul(size_of::<usize>())
            .ok_or(Errno::E2BIG)?;
        // SAFETY: an anonymous private mapping, which is zero: the list is ended from the start.
        let at = unsafe { call!(MMAP, 0, bytes, 3, 0x22, -1_isize, 0) }?;
        Ok(Self {
            at: at as *mut usize,
            capacity,
            length: 0,
            strings: PhantomData,
        })
    }

    /// Appends a string.
    pub(crate) fn push(&mut self, text: &'a CStr) -> Result<()> {
        if self.length + 1 >= self.capacity {
            return Err(Errno::E2BIG);
        }
        // SAFETY: within the mapping: checked above; the last entry stays null.
        unsafe { self.at.add(self.length).write(text.as_ptr() as usize) };
        self.length += 1;
        Ok(())
    }
}

/// `execve(2)`: returns only an error.
pub(crate) fn execve(path: &CStr, args: &Pointers<'_>, env: &Pointers<'_>) -> Errno {
    // SAFETY: a NUL-terminated path and null-terminated lists of NUL-terminated strings.
    match unsafe { call!(EXECVE, path.as_ptr(), args.at, env.at) } {
        Err(e) => e,
        Ok(_) => Errno::EINVAL,
    }
}
