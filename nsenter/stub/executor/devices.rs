//! Device nodes, the terminal and the standard streams.

use core::ffi::CStr;

use super::proc_self_fd;
use super::sys::{
    self, CWD, Errno, O_NOCTTY, O_NOFOLLOW, O_PATH, O_RDWR, RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV, Result, Stat,
};

const DEVPTS_SUPER_MAGIC: u64 = 0x1cd1;
const PTMX_INODE: u64 = 2;

/// What decides, beside the identity and the mask of this process, whether a new node is as wanted.
#[derive(PartialEq, Eq)]
pub(super) struct Made {
    /// The directory, which may give its group and its default permissions to what is made in it.
    pub(super) dir: i32,
    /// Type and permissions.
    pub(super) mode: u32,
    pub(super) owner: (u32, u32),
}

/// Makes a node, or accepts one of the right type and number. Whether it was made as wanted; one
/// like it, made right before, is not looked at.
pub(super) fn make_node(
    wanted: &Made,
    name: &CStr,
    device: (u32, u32),
    before: Option<&Made>,
) -> Result<bool> {
    if name.to_bytes().contains(&b'/') {
        return Err(Errno::EINVAL);
    }
    let Made { dir, mode, owner } = *wanted;
    let numbered = matches!(mode & sys::S_IFMT, sys::S_IFCHR | sys::S_IFBLK);
    let is_right = |stat: &Stat| {
        stat.file_type() == mode & sys::S_IFMT && (!numbered || stat.device() == device)
    };
    match sys::mknodat(dir, name, mode, device) {
        // It is made as wanted, unless another owner is asked for, or the directory gives its own
        // permissions to what is made in it.
        Ok(()) if before == Some(wanted) => return Ok(true),
        Ok(()) => {
            let stat = sys::stat(dir, name, false)?;
            if is_right(&stat)
                && (stat.uid, stat.gid) == owner
                && stat.mode & sys::PERMISSIONS == mode & sys::PERMISSIONS
            {
                return Ok(true);
            }
        }
        Err(Errno::EEXIST) => {}
        Err(e) => return Err(e),
    }
    let node = sys::openat(dir, name, O_PATH | O_NOFOLLOW, 0)?;
    let stat = sys::fstat(node.raw())?;
    if !is_right(&stat) {
        return Err(Errno::EEXIST);
    }
    if (stat.uid, stat.gid) != owner {
        sys::chown(node.raw(), owner.0, owner.1)?;
    }
    // A change of owner takes the set-ID bits away.
    if sys::fstat(node.raw())?.mode & sys::PERMISSIONS != mode & sys::PERMISSIONS {
        proc_self_fd::chmod(node.raw(), mode & sys::PERMISSIONS)?;
    }
    Ok(false)
}

/// A new pair of terminals: the master and its other end.
pub(super) fn pty(devpts: i32) -> Result<(sys::Fd, sys::Fd)> {
    if sys::fstatfs(devpts)?.0 != DEVPTS_SUPER_MAGIC {
        return Err(Errno::EBADMSG);
    }
    let instance = sys::fstat(devpts)?;
    let resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    let master = sys::openat2(devpts, c"ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW, 0, resolve)?;
    let stat = sys::fstat(master.raw())?;
    if stat.dev != instance.dev
        || stat.ino != PTMX_INODE
        || stat.file_type() != sys::S_IFCHR
        || stat.device() != (5, 2)
    {
        return Err(Errno::EBADMSG);
    }
    sys::unlock_terminal(master.raw())?;
    let slave = sys::terminal_peer(master.raw())?;
    Ok((master, slave))
}

pub(super) fn stdio(fd: i32) -> Result<()> {
    for stream in 0..3 {
        sys::dup3(fd, stream)?;
    }
    Ok(())
}

fn open_null(flags: u32) -> Result<sys::Fd> {
    let null = sys::openat2(CWD, c"/dev/null", flags, 0, RESOLVE_NO_MAGICLINKS)?;
    if sys::fstat(null.raw())?.is_null() {
        Ok(null)
    } else {
        Err(Errno::EBADMSG)
    }
}

/// The streams that are the host's null device become the container's. What the others are is kept.
pub(super) fn reopen_null(streams: &mut [Option<Stat>; 3]) -> Result<()> {
    for (stream, kept) in (0..).zip(streams) {
        let stat = sys::fstat(stream)?;
        if !stat.is_null() {
            *kept = Some(stat);
            continue;
        }
        // Looked at before it is opened, since opening a device may do something, and after, since
        // it may be another by then.
        open_null(O_PATH)?;
        let null = open_null(O_RDWR | O_NOCTTY)?;
        sys::dup3(null.raw(), stream)?;
    }
    Ok(())
}

pub(super) fn stdio_owner(uid: u32, streams: &[Option<Stat>; 3]) -> Result<()> {
    for (stream, kept) in (0..).zip(streams) {
        let stat = match kept {
            Some(stat) => *stat,
            None => sys::fstat(stream)?,
        };
        if stat.uid == uid || stat.is_null() {
            continue;
        }
        match sys::fchown(stream, uid, u32::MAX) {
            Ok(()) | Err(Errno::EPERM | Errno::EROFS) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
