//! Files of `/proc/PID`, read from outside.

use std::io::Read as _;
use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::error::{Error, ErrorKind, Result};
use crate::plan::unescape;

/// More than any of these files has: a hundred thousand mounts take less.
const MOST: u64 = 32 << 20;

/// A process, by its directory in `/proc`.
pub(super) struct ProcessFiles<'a> {
    pub(super) proc: BorrowedFd<'a>,
    pub(super) pid: String,
}

/// One line of `mountinfo` (`proc_pid_mountinfo(5)`).
pub(super) struct MountPoint {
    /// Where it is, seen from the root of the process.
    pub(super) path: String,
    /// Options of the mount and of its file system; `ro` if either has it, and never `rw`.
    pub(super) options: Vec<String>,
    /// It passes mounts on to others of its group.
    pub(super) shared: bool,
    /// Type of the file system.
    pub(super) kind: String,
}

impl MountPoint {
    pub(super) fn is_read_only(&self) -> bool {
        self.options.iter().any(|option| option == "ro")
    }
}

/// What `status` says (`proc_pid_status(5)`).
pub(super) struct Status {
    pub(super) uid: u32,
    pub(super) no_new_privileges: bool,
    /// 0: none, 1: strict, 2: a filter.
    pub(super) seccomp: u64,
    pub(super) inheritable: u64,
    pub(super) permitted: u64,
    pub(super) effective: u64,
    pub(super) bounding: u64,
    pub(super) ambient: u64,
}

impl ProcessFiles<'_> {
    /// The content of a file. A process that is gone is an error of its own kind.
    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>> {
        let path = format!("{}/{name}", self.pid);
        let file = rustix::fs::openat(
            self.proc,
            &path,
            OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .map_err(|errno| failed("open", &path, errno))?;
        let mut content = Vec::new();
        std::fs::File::from(file)
            .take(MOST)
            .read_to_end(&mut content)
            .map_err(|error| {
                let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
                failed("read", &path, errno)
            })?;
        Ok(content)
    }

    /// Device and inode of a namespace; `None` for a type that the kernel does not have.
    pub(super) fn namespace(&self, file_name: &str) -> Result<Option<(u64, u64)>> {
        let path = format!("{}/ns/{file_name}", self.pid);
        match rustix::fs::statat(self.proc, &path, AtFlags::empty()) {
            Ok(found) => Ok(Some((found.st_dev, found.st_ino))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(failed("stat", &path, errno)),
        }
    }

    pub(super) fn status(&self) -> Result<Status> {
        let text = self.read("status")?;
        let text = String::from_utf8_lossy(&text);
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next())
        };
        let missing = |name: &str| {
            let message = format!("read /proc/{}/status: {name} is missing", self.pid);
            Error::new(ErrorKind::System, message)
        };
        let number = |name: &str, radix: u32| {
            let number = value(name).and_then(|value| u64::from_str_radix(value, radix).ok());
            number.ok_or_else(|| missing(name))
        };
        Ok(Status {
            uid: number("Uid:", 10)?
                .try_into()
                .map_err(|_| missing("Uid:"))?,
            no_new_privileges: number("NoNewPrivs:", 10)? != 0,
            seccomp: number("Seccomp:", 10)?,
            inheritable: number("CapInh:", 16)?,
            permitted: number("CapPrm:", 16)?,
            effective: number("CapEff:", 16)?,
            bounding: number("CapBnd:", 16)?,
            ambient: number("CapAmb:", 16)?,
        })
    }

    /// The AppArmor profile or SELinux label; empty where the kernel has neither, and for an
    /// unconfined process.
    pub(super) fn security_label(&self) -> Result<String> {
        let label = match self.read("attr/current") {
            Ok(label) => label,
            // No security module answers, or the kernel has none.
            Err(error)
                if matches!(
                    error.raw_os_error(),
                    Some(libc::EINVAL | libc::ENOENT | libc::EOPNOTSUPP)
                ) && error.kind() != ErrorKind::NotRunning =>
            {
                return Ok(String::new());
            }
            Err(error) => return Err(error),
        };
        let label = String::from_utf8_lossy(&label);
        let label = label.trim_end_matches(['\0', '\n']);
        let unconfined = label == "unconfined" || label.starts_with("kernel");
        Ok(if unconfined { "" } else { label }.to_owned())
    }

    pub(super) fn mounts(&self) -> Result<Vec<MountPoint>> {
        let text = self.read("mountinfo")?;
        Ok(text
            .split(|byte| *byte == b'\n')
            .filter_map(mount)
            .collect())
    }
}

fn mount(line: &[u8]) -> Option<MountPoint> {
    let lossy = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
    let mut fields = line.split(|byte| *byte == b' ');
    let path = unescape(fields.nth(4)?);
    let of_mount = lossy(fields.next()?);
    let mut shared = false;
    for field in fields.by_ref().take_while(|field| *field != b"-") {
        shared |= field.starts_with(b"shared:");
    }
    let kind = lossy(fields.next()?);
    let of_file_system = lossy(fields.nth(1).unwrap_or_default());
    let both = || of_file_system.split(',').chain(of_mount.split(','));
    let mut options: Vec<String> = both()
        .filter(|option| !matches!(*option, "ro" | "rw" | ""))
        .map(str::to_owned)
        .collect();
    if both().any(|option| option == "ro") {
        options.push("ro".to_owned());
    }
    Some(MountPoint {
        path: path.to_string_lossy().into_owned(),
        options,
        shared,
        kind,
    })
}

fn failed(verb: &str, path: &str, errno: Errno) -> Error {
    // The directory of the process is gone.
    if errno == Errno::SRCH {
        return Error::with(ErrorKind::NotRunning, "container not running", errno);
    }
    Error::system(format!("{verb} /proc/{path}"), errno)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_read_only_if_the_mount_or_its_file_system_is() {
        let read = |line: &str| mount(line.as_bytes()).unwrap();
        let plain =
            read("36 35 98:0 /mnt1 /a\\040b rw,noatime master:1 - ext3 /dev/root rw,errors=x");
        assert_eq!((plain.path.as_str(), plain.kind.as_str()), ("/a b", "ext3"));
        assert_eq!(plain.options, ["errors=x", "noatime"]);
        assert!(!plain.shared && !plain.is_read_only());
        let shared = read("36 35 98:0 / /x ro,nosuid shared:3 master:1 - tmpfs none rw");
        assert!(shared.shared && shared.is_read_only());
        assert!(read("36 35 98:0 / /x rw - sysfs sysfs ro").is_read_only());
        assert!(mount(b"36 35").is_none());
    }
}
