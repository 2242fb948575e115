use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Mode as FileMode, OFlags, open, openat, statat};
use rustix::io::Errno;

use crate::confinement::{Confinement, Mode};
use crate::error::{Error, Result};

/// The directory of AppArmor in securityfs, below the sysfs root.
const SECURITYFS: &str = "kernel/security/apparmor";
/// The module parameter that says whether AppArmor was switched on at boot, below the sysfs root.
const ENABLED: &str = "module/apparmor/parameters/enabled";
/// The list of loaded profiles, below the sysfs root.
const PROFILES: &str = "kernel/security/apparmor/profiles";
/// The list is text of the kernel, a line per loaded profile: a system with ten thousand stays
/// below this.
const MAX_PROFILES_BYTES: u64 = 4 << 20;

/// AppArmor of a kernel, seen through sysfs with securityfs mounted in it.
#[derive(Debug)]
pub struct AppArmor {
    sysfs: OwnedFd,
}

impl AppArmor {
    /// AppArmor of the running kernel, through `/sys`.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io) if `/sys` cannot be opened.
    pub fn system() -> Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        open("/sys", flags, FileMode::empty())
            .map(Self::open_at)
            .map_err(|errno| Error::io("open", "/sys", errno))
    }

    /// AppArmor below another directory with the layout of `/sys`.
    #[must_use]
    pub fn open_at(sysfs: impl Into<OwnedFd>) -> Self {
        Self {
            sysfs: sysfs.into(),
        }
    }

    /// Whether the kernel has AppArmor and it is on: `/sys/kernel/security/apparmor` exists, and
    /// `/sys/module/apparmor/parameters/enabled` starts with `Y`.
    ///
    /// This does not change while the kernel runs. Inside a container without securityfs the answer
    /// is no.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        statat(&self.sysfs, SECURITYFS, AtFlags::empty()).is_ok()
            && self
                .read(ENABLED, 64)
                .is_ok_and(|text| text.len() > 1 && text.starts_with(b"Y"))
    }

    /// The loaded profiles and their modes, as the policy namespace of the caller sees them; empty
    /// without AppArmor.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io): reading the list needs `CAP_MAC_ADMIN` unless the kernel was
    /// set otherwise.
    pub fn profiles(&self) -> Result<Vec<(String, Mode)>> {
        let text = match self.read(PROFILES, MAX_PROFILES_BYTES) {
            Ok(text) => text,
            Err(error) if error.raw_os_error() == Some(Errno::NOENT.raw_os_error()) => {
                return Ok(Vec::new());
            }
            Err(error) => return Err(error),
        };
        Ok(text
            .split(|byte| *byte == b'\n')
            .map(Confinement::parse)
            .filter_map(|line| Some((line.profile, line.mode?)))
            .collect())
    }

    fn read(&self, path: &'static str, limit: u64) -> Result<Vec<u8>> {
        let file = openat(
            self.sysfs.as_fd(),
            path,
            OFlags::RDONLY | OFlags::CLOEXEC,
            FileMode::empty(),
        )
        .map_err(|errno| Error::io("open", path, errno))?;
        let mut text = Vec::new();
        File::from(file)
            .take(limit)
            .read_to_end(&mut text)
            .map_err(|error| Error::io("read", path, error))?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    fn sysfs(files: &[(&str, &str)]) -> (tempfile::TempDir, AppArmor) {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let root = File::open(directory.path()).unwrap();
        (directory, AppArmor::open_at(root))
    }

    #[test]
    fn enabled_needs_the_directory_and_the_parameter() {
        let enabled = |files| sysfs(files).1.is_enabled();
        assert!(enabled(&[(PROFILES, ""), (ENABLED, "Y\n")]));
        assert!(!enabled(&[(PROFILES, ""), (ENABLED, "N\n")]));
        assert!(!enabled(&[(PROFILES, ""), (ENABLED, "Y")]));
        assert!(!enabled(&[(PROFILES, ""), (ENABLED, "")]));
        assert!(!enabled(&[(PROFILES, "")]));
        assert!(!enabled(&[(ENABLED, "Y\n")]));
        assert!(!enabled(&[]));
    }

    #[test]
    fn loaded_profiles() {
        let text = "docker-default (enforce)\n/usr/bin/man (complain)\nfoo bar (kill)\n\n";
        let (_directory, host) = sysfs(&[(PROFILES, text)]);
        assert_eq!(
            host.profiles().unwrap(),
            [
                ("docker-default".to_owned(), Mode::Enforce),
                ("/usr/bin/man".to_owned(), Mode::Complain),
                ("foo bar".to_owned(), Mode::Kill),
            ]
        );
        assert_eq!(sysfs(&[]).1.profiles().unwrap(), []);
    }

    #[test]
    fn agrees_with_this_kernel() {
        let enabled =
            Path::new("/sys").join(ENABLED).exists() && Path::new("/sys").join(SECURITYFS).exists();
        let host = AppArmor::system().unwrap();
        if !enabled {
            assert!(!host.is_enabled());
        }
    }
}
