//! What a plan must know of the machine.

use std::ffi::OsString;
use std::io::Read as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::thread::CapabilitySet;

use crate::{Error, Result};

/// Plain data about the machine and the calling process. Plans are made from it and touch no
/// system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFacts {
    /// Number of the highest capability of the running kernel (`capabilities(7)`).
    pub last_capability: u32,
    /// Capabilities, one bit each, that a process started by this one can have in the same user
    /// namespace: those that are permitted to it, and for root those in its bounding set
    /// (`capabilities(7)`).
    pub grantable_capabilities: u64,
    /// Effective user id of the calling process.
    pub effective_uid: u32,
    /// Effective group id of the calling process.
    pub effective_gid: u32,
    /// A `seccomp(2)` filter is around the calling process (`PR_GET_SECCOMP`), or what answers for
    /// the kernel here says so little that there must be one.
    pub filtered: bool,
    /// The calling process is in a user namespace that does not map every id to itself.
    pub in_user_namespace: bool,
    /// `setgroups(2)` is switched off in the user namespace of the calling process
    /// (`/proc/self/setgroups`).
    pub setgroups_denied: bool,
    /// `/proc/kcore` exists, and with it the link `/dev/core`.
    pub kcore: bool,
    /// procfs takes the option `pidns` (Linux 6.17): it can be mounted for a pid namespace from
    /// outside.
    pub procfs_pidns: bool,
    /// `mount_setattr(2)` knows `MOUNT_ATTR_NOSYMFOLLOW` (Linux 5.14).
    pub nosymfollow: bool,
    /// The file mode creation mask of the calling process, which processes added by exec and
    /// `createContainer` hooks have. See [`HostFacts::read_umask`].
    pub umask: Option<u32>,
    /// For containers without `pivot_root(2)` only: mount points of whole procfs and sysfs
    /// instances outside the root file system, which must not stay reachable. See
    /// [`HostFacts::read_full_proc_mounts`].
    pub full_proc_mounts: Vec<PathBuf>,
}

impl HostFacts {
    /// Looks at the running system: a handful of system calls, none of which depends on the number
    /// of mounts.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::ErrorKind::System) if `/proc` cannot be read.
    pub fn read() -> Result<Self> {
        let proc = open(CWD, Path::new("/proc"), OFlags::PATH | OFlags::DIRECTORY)
            .map_err(|errno| Error::system("open /proc", errno))?;
        Self::read_at(proc.as_fd())
    }

    /// The same with `proc` in place of `/proc`.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::ErrorKind::System) if a file in it cannot be read.
    pub fn read_at(proc: BorrowedFd<'_>) -> Result<Self> {
        Self::read_knowing(proc, in_user_namespace(proc)?)
    }

    /// The same, for one who knows already whether this process is in a user namespace.
    pub(crate) fn read_knowing(proc: BorrowedFd<'_>, in_user_namespace: bool) -> Result<Self> {
        // Outside of user namespaces the file always says "allow".
        let setgroups_denied = in_user_namespace
            && text(proc, "self/setgroups")?.is_some_and(|text| text.trim_end() == "deny");
        let uname = rustix::system::uname();
        let release = uname.release().to_string_lossy();
        let last_capability = last_capability();
        let effective_uid = rustix::process::geteuid();
        Ok(Self {
            last_capability,
            grantable_capabilities: grantable(last_capability, effective_uid.is_root())?,
            effective_uid: effective_uid.as_raw(),
            effective_gid: rustix::process::getegid().as_raw(),
            filtered: filtered(last_capability),
            in_user_namespace,
            setgroups_denied,
            kcore: match rustix::fs::statat(proc, "kcore", AtFlags::SYMLINK_NOFOLLOW) {
                Ok(_) => true,
                Err(Errno::NOENT) => false,
                Err(errno) => return Err(Error::system("stat /proc/kcore", errno)),
            },
            procfs_pidns: release_at_least(&release, (6, 17)),
            nosymfollow: release_at_least(&release, (5, 14)),
            umask: None,
            full_proc_mounts: Vec::new(),
        })
    }

    /// Fills [`umask`](Self::umask) from `/proc/thread-self/status` (Linux 4.7). A process added to
    /// a container inherits the mask, and so do `createContainer` hooks; the init of a
    /// container does not, and mostly does without this.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::ErrorKind::System) if the file cannot be read.
    pub fn read_umask(&mut self) -> Result<()> {
        // The line is the second one; the kernel makes the whole text for the first read.
        let mut beginning = [0; 512];
        let count = open(CWD, Path::new("/proc/thread-self/status"), OFlags::RDONLY)
            .and_then(|file| rustix::io::read(file, &mut beginning))
            .map_err(|errno| Error::system("read /proc/thread-self/status", errno))?;
        let status = String::from_utf8_lossy(beginning.get(..count).unwrap_or(&[]));
        self.umask = umask(&status);
        Ok(())
    }

    /// Fills [`full_proc_mounts`](Self::full_proc_mounts) for a root file system. Reads
    /// `/proc/self/mountinfo`, so call it only when `no_pivot_root` is set.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::ErrorKind::System) if the file cannot be read.
    pub fn read_full_proc_mounts(&mut self, rootfs: &Path) -> Result<()> {
        let text = std::fs::read("/proc/self/mountinfo")
            .map_err(|error| Error::system("read /proc/self/mountinfo", error))?;
        self.full_proc_mounts = full_proc_mounts(&text, rootfs);
        Ok(())
    }
}

/// Inode of the first user namespace, which is what maps every id to itself
/// (`USER_NS_INIT_INO` of `<linux/nsfs.h>`; Linux 3.8).
const FIRST_USER_NAMESPACE: u64 = 0xEFFF_FFFD;

/// Whether the calling process is in a user namespace that does not map every id to itself.
pub(crate) fn in_user_namespace(proc: BorrowedFd<'_>) -> Result<bool> {
    // One call in place of three; where it says nothing, the map does.
    let namespace = rustix::fs::statat(proc, "self/ns/user", AtFlags::empty());
    if namespace.is_ok_and(|namespace| namespace.st_ino == FIRST_USER_NAMESPACE) {
        return Ok(false);
    }
    let map = text(proc, "self/uid_map")?;
    Ok(map.is_some_and(|map| user::is_userns_map(map.as_bytes())))
}

fn open(dir: BorrowedFd<'_>, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(dir, path, flags | OFlags::CLOEXEC, Mode::empty())
}

/// Most files of procfs fit.
const SMALL: usize = 1024;
/// The largest id map has 340 lines (`user_namespaces(7)`).
const MOST: u64 = 64 << 10;

/// The text of a small file; `None` if it does not exist.
fn text(proc: BorrowedFd<'_>, path: &str) -> Result<Option<String>> {
    let fd = match open(proc, Path::new(path), OFlags::RDONLY) {
        Ok(fd) => fd,
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(Error::system(format!("open /proc/{path}"), errno)),
    };
    let mut file = std::fs::File::from(fd).take(MOST);
    let mut text = vec![0; SMALL];
    let read = file.read(&mut text).and_then(|count| {
        text.truncate(count);
        // A read that leaves room is the last one: the kernel gives all lines that fit, and makes
        // text for four times as many.
        if count == SMALL {
            file.read_to_end(&mut text)?;
        }
        Ok(())
    });
    match read {
        Ok(()) => Ok(Some(String::from_utf8_lossy(&text).into_owned())),
        Err(error) => Err(Error::system(format!("read /proc/{path}"), error)),
    }
}

/// The value of the line `Umask:`, which is octal.
fn umask(status: &str) -> Option<u32> {
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix("Umask:"))?;
    u32::from_str_radix(value.trim(), 8).ok()
}

/// Asks the kernel about one capability after the other from the highest that existed when this was
/// written.
fn last_capability() -> u32 {
    last_known(|number| {
        let capability = CapabilitySet::from_bits_retain(1u64 << number);
        rustix::thread::capability_is_in_bounding_set(capability).map(drop)
    })
}

/// See [`HostFacts::grantable_capabilities`]. Only what root does not have permitted is looked up
/// one by one.
fn grantable(last: u32, root: bool) -> Result<u64> {
    let sets = rustix::thread::capabilities(None)
        .map_err(|errno| Error::system("read the capabilities of this process", errno))?;
    let mut all = sets.permitted.bits();
    if root {
        for bit in (0..=last.min(63)).map(|number| 1u64 << number) {
            let capability = CapabilitySet::from_bits_retain(bit);
            if all & bit == 0
                && rustix::thread::capability_is_in_bounding_set(capability) == Ok(true)
            {
                all |= bit;
            }
        }
    }
    Ok(all)
}

/// The highest capability that the kernel does not deny to know. Only `EINVAL` is that denial
/// (prctl(2), `PR_CAPBSET_READ`): where the question itself is refused, by a filter for example,
/// every capability counts as known, and none is left in a bounding set that should not have it.
fn last_known(ask: impl Fn(u32) -> rustix::io::Result<()>) -> u32 {
    let known = |number: u32| ask(number) != Err(Errno::INVAL);
    let mut last = 40;
    while last > 0 && !known(last) {
        last -= 1;
    }
    while last < 63 && known(last + 1) {
        last += 1;
    }
    last
}

/// Whether a filter is around this process. One that answers every `prctl(2)` with success would
/// deny itself, but then also knows a capability of each number.
fn filtered(last_capability: u32) -> bool {
    use rustix::thread::{SecureComputingMode, secure_computing_mode};
    let unfiltered = matches!(
        secure_computing_mode(),
        // EINVAL: a kernel without seccomp.
        Ok(SecureComputingMode::Disabled) | Err(Errno::INVAL)
    );
    !unfiltered || last_capability == 63
}

/// Compares the first two numbers of a kernel release such as `6.18.1-arch`.
fn release_at_least(release: &str, wanted: (u32, u32)) -> bool {
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= wanted,
        _ => false,
    }
}

/// The mount points of procfs and sysfs mounts that show the root of the file system and are not
/// below `rootfs`, deepest first so that each can be unmounted.
fn full_proc_mounts(mountinfo: &[u8], rootfs: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = mountinfo
        .split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let mut fields = line.split(|byte| *byte == b' ');
            let root = fields.nth(3)?;
            let path = unescape(fields.next()?);
            let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
            (root == b"/" && (kind == b"proc" || kind == b"sysfs") && !path.starts_with(rootfs))
                .then_some(path)
        })
        .collect();
    found.sort_by_key(|path| std::cmp::Reverse(path.components().count()));
    found
}

/// Undoes the octal escapes of mountinfo: the kernel writes blank, tab, newline and backslash as a
/// backslash and three octal digits (`proc_pid_mountinfo(5)`).
pub(crate) fn unescape(field: &[u8]) -> PathBuf {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [byte, after @ ..] = rest {
        if *byte == b'\\'
            && let [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..] = after
        {
            plain.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
            rest = tail;
        } else {
            plain.push(*byte);
            rest = after;
        }
    }
    PathBuf::from(OsString::from_vec(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_compare_by_number() {
        assert!(release_at_least("6.17.0-rc1", (6, 17)));
        assert!(release_at_least("10.0", (6, 17)));
        assert!(!release_at_least("6.9.12", (6, 17)));
        assert!(!release_at_least("5.18", (6, 17)));
        assert!(!release_at_least("weird", (6, 17)));
    }

    #[test]
    fn whole_proc_and_sysfs_mounts_outside_the_root_are_found_deepest_first() {
        let mountinfo = b"22 27 0:21 / /proc rw,relatime - proc proc rw\n\
            23 27 0:22 / /sys rw,relatime shared:2 - sysfs sysfs rw\n\
            24 27 0:21 /bus /proc/bus ro - proc proc rw\n\
            25 27 0:21 / /srv/a\\040b/proc rw - proc proc rw\n\
            26 27 0:21 / /rootfs/proc rw - proc proc rw\n\
            27 1 254:0 / / rw - ext4 /dev/vda rw\n";
        assert_eq!(
            full_proc_mounts(mountinfo, Path::new("/rootfs")),
            [
                PathBuf::from("/srv/a b/proc"),
                PathBuf::from("/proc"),
                PathBuf::from("/sys")
            ]
        );
    }

    #[test]
    fn the_mask_is_octal() {
        assert_eq!(umask("Name:\tx\nUmask:\t0027\nState:\tR\n"), Some(0o27));
        assert_eq!(umask("Name:\tx\n"), None);
        let mut facts = HostFacts::read().unwrap();
        facts.read_umask().unwrap();
        assert!(facts.umask.is_some_and(|mask| mask <= 0o777));
    }

    #[test]
    fn facts_come_from_the_given_tree() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("self")).unwrap();
        std::fs::write(dir.path().join("self/uid_map"), "0 1000 1\n").unwrap();
        std::fs::write(dir.path().join("self/setgroups"), "deny\n").unwrap();
        let proc = open(CWD, dir.path(), OFlags::PATH | OFlags::DIRECTORY).unwrap();
        let facts = HostFacts::read_at(proc.as_fd()).unwrap();
        assert!(facts.in_user_namespace && facts.setgroups_denied && !facts.kcore);

        std::fs::write(dir.path().join("self/uid_map"), "0 0 4294967295\n").unwrap();
        std::fs::write(dir.path().join("kcore"), "").unwrap();
        let facts = HostFacts::read_at(proc.as_fd()).unwrap();
        assert!(!facts.in_user_namespace && !facts.setgroups_denied && facts.kcore);
    }

    #[test]
    fn a_capability_that_cannot_be_asked_about_counts_as_known() {
        for errno in [Errno::PERM, Errno::NOSYS, Errno::IO, Errno::ACCESS] {
            assert_eq!(last_known(|_| Err(errno)), 63, "{errno}");
        }
        for last in [37, 40, 41, 63] {
            let kernel = |number| {
                if number <= last {
                    Ok(())
                } else {
                    Err(Errno::INVAL)
                }
            };
            assert_eq!(last_known(kernel), last);
            // Some questions are refused, and none says that there are fewer.
            let filtered = |number| {
                if number == last {
                    Err(Errno::PERM)
                } else {
                    kernel(number)
                }
            };
            assert_eq!(last_known(filtered), last);
        }
    }

    #[test]
    fn the_highest_capability_is_the_kernels() {
        let text = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap").unwrap();
        assert_eq!(last_capability(), text.trim().parse::<u32>().unwrap());
    }
}
