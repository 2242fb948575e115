use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FsWord, Mode, OFlags, StatVfsMountFlags, fstatfs, fstatvfs, open, openat};
use rustix::io::{retry_on_intr, write};

use crate::error::{Error, Repr, Result};
use crate::label::Label;
use crate::mountinfo::selinuxfs_mounts;

/// The magic number of selinuxfs (`linux/magic.h`).
const SELINUX_MAGIC: FsWord = 0xf97c_ff8c;
/// Where selinuxfs is mounted on every distribution.
const SELINUXFS: &str = "/sys/fs/selinux";
/// Far above every file read here but mountinfo, which has a line per mount.
const MAX_BYTES: u64 = 16 << 20;

/// What is known about SELinux on this machine, found out once.
///
/// Ask before changing the root directory: a container need not have selinuxfs.
#[derive(Debug)]
pub struct SeLinux {
    enabled: Option<Enabled>,
}

#[derive(Debug)]
struct Enabled {
    selinuxfs: OwnedFd,
    current: Label,
}

impl SeLinux {
    /// SELinux of the running kernel.
    ///
    /// It counts as enabled if selinuxfs is mounted, and not read-only (as container tools leave it
    /// to containers that should not see it), and the calling thread has a label other than
    /// `kernel`, which it has until a policy is loaded.
    #[must_use]
    pub fn system() -> Self {
        let Some(selinuxfs) = find_selinuxfs() else {
            return Self { enabled: None };
        };
        let task = open(
            "/proc/thread-self",
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        );
        match task {
            Ok(task) => Self::open_at(selinuxfs, task),
            Err(_) => Self { enabled: None },
        }
    }

    /// SELinux with these directories for selinuxfs and for the calling thread in procfs. That they
    /// are what they are named after is up to the caller.
    #[must_use]
    pub fn open_at(selinuxfs: impl Into<OwnedFd>, task: impl AsFd) -> Self {
        let label = read_at(task, Path::new("attr/current"))
            .ok()
            .and_then(|text| label_of(&text));
        Self {
            enabled: label.map(|current| Enabled {
                selinuxfs: selinuxfs.into(),
                current,
            }),
        }
    }

    /// Whether SELinux labels mean something here.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.enabled.is_some()
    }

    /// Fails unless [enabled](SeLinux::is_enabled): a label that cannot be applied must never be
    /// skipped.
    ///
    /// # Errors
    /// `selinux is disabled or not supported` ([`Disabled`](crate::ErrorKind::Disabled)).
    pub fn require(&self) -> Result<()> {
        self.enabled().map(drop)
    }

    /// The label of the thread that asked first.
    #[must_use]
    pub fn current(&self) -> Option<&Label> {
        self.enabled.as_ref().map(|enabled| &enabled.current)
    }

    /// Whether what the policy does not allow is refused, and not only logged.
    ///
    /// # Errors
    /// [`Disabled`](crate::ErrorKind::Disabled), [`Io`](crate::ErrorKind::Io).
    pub fn is_enforcing(&self) -> Result<bool> {
        Ok(self.flag("enforce")?.starts_with(b"1"))
    }

    /// Whether the policy has levels and categories.
    ///
    /// # Errors
    /// As [`SeLinux::is_enforcing`].
    pub fn has_levels(&self) -> Result<bool> {
        Ok(self.flag("mls")?.starts_with(b"1"))
    }

    /// Asks the kernel whether the loaded policy knows the label.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io): `EINVAL` if it does not.
    /// [`Disabled`](crate::ErrorKind::Disabled).
    pub fn check(&self, label: &Label) -> Result<()> {
        let path = "context";
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let file = openat(&self.enabled()?.selinuxfs, path, flags, Mode::empty())
            .map_err(|errno| Error::io("open selinuxfs", path, errno))?;
        retry_on_intr(|| write(&file, label.as_str().as_bytes()))
            .map_err(|errno| Error::io("check a label with selinuxfs", path, errno))
            .map(drop)
    }

    fn flag(&self, name: &str) -> Result<Vec<u8>> {
        read_at(&self.enabled()?.selinuxfs, Path::new(name))
    }

    fn enabled(&self) -> Result<&Enabled> {
        self.enabled.as_ref().ok_or_else(|| Repr::Disabled.into())
    }
}

/// A task's label as procfs shows it, with a NUL or line end behind. Before a policy is loaded
/// a task has no label.
fn label_of(text: &[u8]) -> Option<Label> {
    let end = text.iter().position(|byte| matches!(byte, 0 | b'\n'));
    let text = std::str::from_utf8(text.get(..end.unwrap_or(text.len()))?).ok()?;
    text.parse().ok()
}

fn find_selinuxfs() -> Option<OwnedFd> {
    open_selinuxfs(Path::new(SELINUXFS)).or_else(|| {
        let file_systems = read(Path::new("/proc/filesystems")).ok()?;
        let known = file_systems
            .split(|byte| *byte == b'\n')
            .any(|line| line.ends_with(b"\tselinuxfs"));
        if !known {
            return None;
        }
        let mountinfo = read(Path::new("/proc/thread-self/mountinfo")).ok()?;
        selinuxfs_mounts(&mountinfo).find_map(|path: PathBuf| open_selinuxfs(&path))
    })
}

fn open_selinuxfs(path: &Path) -> Option<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = open(path, flags, Mode::empty()).ok()?;
    let read_only = fstatvfs(&directory)
        .ok()?
        .f_flag
        .contains(StatVfsMountFlags::RDONLY);
    (fstatfs(&directory).ok()?.f_type == SELINUX_MAGIC && !read_only).then_some(directory)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    read_at(rustix::fs::CWD, path)
}

fn read_at(directory: impl AsFd, path: &Path) -> Result<Vec<u8>> {
    let file = openat(
        directory,
        path,
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(|errno| Error::io("open", path, errno))?;
    let mut text = Vec::new();
    File::from(file)
        .take(MAX_BYTES)
        .read_to_end(&mut text)
        .map_err(|error| Error::io("read", path, error))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use std::fs;

    struct Fake {
        directory: tempfile::TempDir,
    }

    impl Fake {
        fn new(current: Option<&str>) -> Self {
            let directory = tempfile::tempdir().unwrap();
            for name in ["selinuxfs", "task/attr"] {
                fs::create_dir_all(directory.path().join(name)).unwrap();
            }
            if let Some(current) = current {
                fs::write(directory.path().join("task/attr/current"), current).unwrap();
            }
            Self { directory }
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.directory.path().join("selinuxfs").join(name), text).unwrap();
        }

        fn open(&self) -> SeLinux {
            let open = |name| File::open(self.directory.path().join(name)).unwrap();
            SeLinux::open_at(open("selinuxfs"), open("task"))
        }
    }

    const LABEL: &str = "unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023";

    #[test]
    fn a_label_makes_it_enabled() {
        let host = Fake::new(Some(&format!("{LABEL}\0"))).open();
        assert!(host.is_enabled());
        host.require().unwrap();
        assert_eq!(host.current().unwrap().as_str(), LABEL);
    }

    #[test]
    fn without_label_or_with_that_of_the_kernel_it_is_disabled() {
        for current in [None, Some(""), Some("kernel\0"), Some("kernel")] {
            let host = Fake::new(current).open();
            assert!(!host.is_enabled(), "{current:?}");
            assert_eq!(host.current(), None);
            let error = host.require().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Disabled);
            assert_eq!(error.to_string(), "selinux is disabled or not supported");
        }
    }

    #[test]
    fn flags_of_the_policy() {
        let fake = Fake::new(Some(LABEL));
        fake.write("enforce", "1");
        fake.write("mls", "0");
        assert!(fake.open().is_enforcing().unwrap());
        assert!(!fake.open().has_levels().unwrap());
        fake.write("enforce", "0");
        assert!(!fake.open().is_enforcing().unwrap());
        assert_eq!(
            Fake::new(None).open().is_enforcing().unwrap_err().kind(),
            ErrorKind::Disabled
        );
    }

    #[test]
    fn labels_are_checked_by_the_kernel() {
        let fake = Fake::new(Some(LABEL));
        let label: Label = "u:r:t".parse().unwrap();
        assert_eq!(
            fake.open().check(&label).unwrap_err().to_string(),
            "open selinuxfs context"
        );
        fake.write("context", "");
        fake.open().check(&label).unwrap();
        let written = fs::read_to_string(fake.directory.path().join("selinuxfs/context")).unwrap();
        assert_eq!(written, "u:r:t");
    }

    #[test]
    fn a_directory_that_is_no_selinuxfs_is_not_taken_for_one() {
        assert!(open_selinuxfs(Path::new("/sys")).is_none());
        assert!(open_selinuxfs(Path::new("/nonexistent")).is_none());
    }

    #[test]
    fn agrees_with_this_kernel() {
        if !Path::new(SELINUXFS).exists() {
            assert!(!SeLinux::system().is_enabled());
        }
    }
}
