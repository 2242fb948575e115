//! Steps that change the process itself.

use core::ffi::CStr;

use super::Executor;
use super::sys::{self, CWD, Errno, Result};
use super::wire::u32_at;

/// Gives every signal its default action and blocks none. A host may ignore `SIGPIPE` or `SIGHUP`,
/// and that is inherited by programs; handlers are not. Procfs lists what is ignored; where
/// that cannot be read, it may be all of them.
pub(super) fn reset_signals() -> Result<()> {
    sys::reset_signals(ignored_signals().unwrap_or(u64::MAX))
}

/// Not inlined: its buffer is on the stack only as long as it is needed.
#[inline(never)]
fn ignored_signals() -> Option<u64> {
    let file = sys::openat(CWD, c"/proc/self/status", 0, 0).ok()?;
    let mut buffer = [0; 4096];
    let count = sys::read(file.raw(), &mut buffer).ok()?;
    // Closed with what else is open at the start.
    file.leave();
    ignored(buffer.get(..count)?)
}

/// The mask in a whole line `SigIgn:`.
fn ignored(status: &[u8]) -> Option<u64> {
    let text = core::str::from_utf8(status).ok()?;
    let (_, after) = text.split_once("\nSigIgn:\t")?;
    let (mask, _) = after.split_once('\n')?;
    u64::from_str_radix(mask, 16).ok()
}

/// All CPUs: the kernel takes as many bits as it knows CPUs (`CONFIG_NR_CPUS` is at most 8192) and
/// clamps them to the cpuset.
pub(super) fn affinity(mask: Option<&[u8]>) -> Result<()> {
    match mask {
        Some(mask) => sys::set_affinity(mask),
        None => sys::set_affinity(&[0xff; 1024]),
    }
}

/// Drops what is not kept.
pub(super) fn bounding_set(keep: u64, last: u32) -> Result<()> {
    for capability in (0..=last.min(63)).filter(|capability| keep >> capability & 1 == 0) {
        let number = usize::try_from(capability).map_err(|_| Errno::EINVAL)?;
        let Err(e) = sys::prctl(sys::PR_CAPBSET_DROP, number, 0) else {
            continue;
        };
        // What is not there does not have to be dropped: without the privilege the kernel answers
        // EPERM, and EINVAL to both calls where it does not know the capability. It knows the first
        // one: an EINVAL to that as well is of a filter, and leaves all of them.
        match sys::prctl(sys::PR_CAPBSET_READ, number, 0) {
            Ok(0) => {}
            Err(Errno::EINVAL) if sys::prctl(sys::PR_CAPBSET_READ, 0, 0).is_ok() => {}
            _ => return Err(e),
        }
    }
    Ok(())
}

/// Clears the set and raises these. Returns those that could not be raised.
pub(super) fn ambient_set(set: u64) -> Result<u64> {
    sys::prctl(sys::PR_CAP_AMBIENT, sys::PR_CAP_AMBIENT_CLEAR_ALL, 0)?;
    let mut refused = 0;
    for capability in 0..64_u32 {
        let number = usize::try_from(capability).map_err(|_| Errno::EINVAL)?;
        if set >> capability & 1 == 1
            && sys::prctl(sys::PR_CAP_AMBIENT, sys::PR_CAP_AMBIENT_RAISE, number).is_err()
        {
            refused |= 1 << capability;
        }
    }
    Ok(refused)
}

/// Joins the keyring and adds permissions to those it has.
///
/// The kernel finds it by name among those of all users of the user namespace, and takes the first
/// that may be searched. Its owner has every key that is put into it: one of another user is
/// refused (`EEXIST`).
pub(super) fn keyring(name: &CStr, add: u32) -> Result<()> {
    let serial = sys::join_keyring(name)?;
    let mut buffer = [0; 512];
    let length = sys::describe_key(serial, &mut buffer)?.min(buffer.len());
    let text = buffer.get(..length).unwrap_or(&[]);
    let (owner, permissions) = described(text).ok_or(Errno::EBADMSG)?;
    if owner != sys::getuid() {
        return Err(Errno::EEXIST);
    }
    if add == 0 {
        return Ok(());
    }
    sys::set_key_permissions(serial, permissions | add)
}

/// Owner and permissions: the second field of `type;uid;gid;permissions;description`, and the
/// fourth, which is hexadecimal.
pub(super) fn described(text: &[u8]) -> Option<(u32, u32)> {
    let mut fields = text.split(|byte| *byte == b';');
    let mut number = |nth, radix| {
        let digits = core::str::from_utf8(fields.nth(nth)?).ok()?;
        u32::from_str_radix(digits, radix).ok()
    };
    let found = (number(1, 10)?, number(1, 16)?);
    fields.next()?;
    Some(found)
}

/// The working directory must have a path below the root: the kernel says `(unreachable)…` or
/// `ENOENT` if it has not. Not inlined, for its buffer.
#[inline(never)]
pub(super) fn verify_directory() -> Result<()> {
    let mut buffer = [0; 4096];
    sys::getcwd(&mut buffer)?;
    if buffer.first() == Some(&b'/') {
        Ok(())
    } else {
        Err(Errno::ENOENT)
    }
}

/// One request and its acknowledgement.
pub(super) fn netlink(request: &[u8]) -> Result<()> {
    let socket = sys::socket(sys::AF_NETLINK, sys::SOCK_RAW, sys::NETLINK_ROUTE)?;
    if sys::write(socket.raw(), request)? != request.len() {
        return Err(Errno::EIO);
    }
    let mut buffer = [0; 1024];
    let count = sys::read(socket.raw(), &mut buffer)?;
    socket.leave();
    let reply = buffer.get(..count).unwrap_or(&[]);
    // struct nlmsghdr, then for NLMSG_ERROR an int: 0, or a negative errno.
    let kind = super::wire::u16_at(reply, 4).ok_or(Errno::EPROTO)?;
    let error = u32_at(reply, 16).ok_or(Errno::EPROTO)?;
    match (kind, error) {
        (sys::NLMSG_ERROR, 0) => Ok(()),
        (sys::NLMSG_ERROR, error) => Err(Errno(
            i32::try_from(error.wrapping_neg()).map_err(|_| Errno::EPROTO)?,
        )),
        _ => Err(Errno::EPROTO),
    }
}

/// One byte of the fifo, of which this process is a writer itself: it never ends.
pub(super) fn wait_start(fifo: i32) -> Result<()> {
    if sys::read(fifo, &mut [0])? == 1 {
        Ok(())
    } else {
        Err(Errno::EPIPE)
    }
}

impl Executor {
    /// `chdir`, first with the runtime's own rights.
    pub(super) fn change_directory(&mut self, path: &CStr, retry_later: bool) -> Result<()> {
        match sys::chdir(path) {
            Err(Errno::EPERM | Errno::EACCES) if retry_later => {
                self.directory_refused = true;
                Ok(())
            }
            result => result,
        }
    }

    /// Writes one value below a procfs that nothing covers.
    pub(super) fn sysctl(&mut self, procfs: i32, path: &CStr, value: &[u8]) -> Result<()> {
        let resolve = sys::RESOLVE_BENEATH | sys::RESOLVE_NO_XDEV | sys::RESOLVE_NO_SYMLINKS;
        self.detail.set(b"open");
        let file = sys::openat2(procfs, path, sys::O_WRONLY, 0, resolve)?;
        self.detail.set(b"write");
        super::whole(sys::write(file.raw(), value)?, value)
    }
}

#[cfg(test)]
mod tests {
    use super::{described, ignored};

    #[test]
    fn only_a_whole_mask_of_ignored_signals_counts() {
        let status =
            b"Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t8000000000001000\nSigCgt:\t0\n";
        assert_eq!(ignored(status), Some(1 << 63 | 1 << 12));
        for cut in [
            b"".as_slice(),
            b"Name:\tx\nSigIgn:\t80000000",
            b"Name:\tx\nSigIgn:\tnone\n",
            b"SigIgn:\t1\n",
        ] {
            assert_eq!(ignored(cut), None, "{}", cut.escape_ascii());
        }
    }

    #[test]
    fn owner_and_permissions_are_the_second_and_the_fourth_of_five_fields() {
        assert_eq!(
            described(b"keyring;0;5;3f130000;_ses.id\0"),
            Some((0, 0x3f13_0000))
        );
        // A description may hold anything, the separator too.
        assert_eq!(described(b"keyring;65534;0;8;a;b;c"), Some((65534, 8)));
        for text in [
            b"keyring;0;0;3f130000".as_slice(),
            b"keyring;0;0;x;d",
            b"",
            b";;;;",
            b"keyring;0;0;1ffffffff;d",
            b"keyring;x;0;8;d",
            b"keyring;-1;0;8;d",
        ] {
            assert_eq!(described(text), None, "{}", text.escape_ascii());
        }
    }
}
