use std::os::fd::AsFd;
use std::path::PathBuf;

use rustix::fs::{AtFlags, Mode, OFlags, PROC_SUPER_MAGIC, fstatfs, open, openat, statat};
use rustix::io::{Errno, retry_on_intr, write};

use crate::error::{Error, Repr, Result};
use crate::host::AppArmor;

/// A write to an attribute must fit one page, its end included; 4096 is the smallest page.
const MAX_TEXT_BYTES: usize = 4095;

/// What to write so that a profile applies at the task's next `execve`.
///
/// A program that starts confined programs often writes this from a process that has nothing but
/// system calls; so this is data. The text goes, in one `write`, to the first of
/// [`ExecAttribute::PATHS`] that exists below the task's own directory in a procfs that is known to
/// be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecAttribute {
    text: Vec<u8>,
}

impl ExecAttribute {
    /// The files, relative to `/proc/PID`, in order of preference: that of AppArmor alone (Linux
    /// 5.8), and the one it shares with other security modules.
    pub const PATHS: [&'static str; 2] = ["attr/apparmor/exec", "attr/exec"];

    /// The change to `profile`, or `None` for the empty name, which means no change. `unconfined`
    /// is a name like others.
    ///
    /// ```
    /// use cofferdam_apparmor::ExecAttribute;
    ///
    /// let attribute = ExecAttribute::new("docker-default")?.unwrap();
    /// assert_eq!(attribute.text(), b"exec docker-default");
    /// # Ok::<(), cofferdam_apparmor::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidProfile`](crate::ErrorKind::InvalidProfile): the kernel would read another name
    /// than the one given (control characters, white space around it), or it is longer than a
    /// write can be.
    pub fn new(profile: &str) -> Result<Option<Self>> {
        let problem = if profile.is_empty() {
            return Ok(None);
        } else if profile.contains(|c: char| c.is_control()) {
            "has a control character"
        } else if profile.trim() != profile {
            "has white space around it"
        } else {
            let text = format!("exec {profile}").into_bytes();
            if text.len() <= MAX_TEXT_BYTES {
                return Ok(Some(Self { text }));
            }
            "is too long"
        };
        Err(Repr::Name {
            name: profile.to_owned(),
            problem,
        }
        .into())
    }

    /// The bytes to write, in one call.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }
}

/// Makes `profile` apply to the calling thread at its next `execve`; an empty name changes nothing.
///
/// AppArmor need not be checked for first: a kernel without it refuses, and so a profile that was
/// asked for is never skipped. `/proc` must be a procfs; a directory put in its place is refused.
///
/// # Errors
/// `apparmor failed to apply profile` ([`Apply`](crate::ErrorKind::Apply)) with the kernel's
/// reason; [`Disabled`](crate::ErrorKind::Disabled) if that is that AppArmor is not
/// [enabled](AppArmor::is_enabled); [`InvalidProfile`](crate::ErrorKind::InvalidProfile);
/// [`Io`](crate::ErrorKind::Io).
pub fn apply_on_exec(profile: &str) -> Result<()> {
    let path = "/proc/thread-self";
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let task = open(path, flags, Mode::empty()).map_err(|errno| Error::io("open", path, errno))?;
    let file_system = fstatfs(&task).map_err(|errno| Error::io("statfs", path, errno))?;
    if file_system.f_type != PROC_SUPER_MAGIC {
        return Err(Repr::NotProcfs { path: path.into() }.into());
    }
    // The kernel decides; whether AppArmor is on is looked up to explain a refusal only.
    apply_on_exec_at(&task, profile).map_err(|error| {
        // Without security modules the kernel has no attributes; without AppArmor they take
        // nothing.
        let [_, shared] = ExecAttribute::PATHS;
        let refused = error.raw_os_error() == Some(Errno::INVAL.raw_os_error())
            || matches!(statat(&task, shared, AtFlags::empty()), Err(Errno::NOENT));
        if refused && AppArmor::system().is_ok_and(|host| !host.is_enabled()) {
            error.without_apparmor()
        } else {
            error
        }
    })
}

/// As [`apply_on_exec`], given the task's directory in a procfs that the caller vouches for. The
/// kernel takes the write from the task itself alone.
///
/// # Errors
/// As [`apply_on_exec`], but [`Apply`](crate::ErrorKind::Apply) without AppArmor as well: `EINVAL`,
/// or `ENOENT` if the kernel has no attributes at all.
pub fn apply_on_exec_at(task: impl AsFd, profile: &str) -> Result<()> {
    let Some(attribute) = ExecAttribute::new(profile)? else {
        return Ok(());
    };
    let [own, shared] = ExecAttribute::PATHS;
    let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let open = |path| openat(task.as_fd(), path, flags, Mode::empty());
    let (path, opened) = match open(own) {
        Err(Errno::NOENT) => (shared, open(shared)),
        opened => (own, opened),
    };
    opened
        .and_then(|file| retry_on_intr(|| write(&file, attribute.text())))
        .map_err(|errno| {
            Repr::Apply {
                path: PathBuf::from(path),
                source: errno.into(),
            }
            .into()
        })
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use std::fs::{self, File};
    use std::path::Path;

    fn task(files: &[&str]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for file in files {
            let path = directory.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        directory
    }

    fn apply(directory: &tempfile::TempDir, profile: &str) -> Result<()> {
        apply_on_exec_at(File::open(directory.path()).unwrap(), profile)
    }

    #[test]
    fn the_file_of_its_own_goes_first() {
        let both = task(&ExecAttribute::PATHS);
        apply(&both, "docker-default").unwrap();
        let read = |path| fs::read_to_string(both.path().join(path)).unwrap();
        assert_eq!(read("attr/apparmor/exec"), "exec docker-default");
        assert_eq!(read("attr/exec"), "");
    }

    #[test]
    fn the_shared_file_is_the_fallback() {
        let shared = task(&["attr/exec"]);
        apply(&shared, "unconfined").unwrap();
        assert_eq!(
            fs::read_to_string(shared.path().join("attr/exec")).unwrap(),
            "exec unconfined"
        );
    }

    /// Whatever else of AppArmor can be seen: there is no look at securityfs or sysfs that could
    /// end with nothing being written.
    #[test]
    fn any_name_that_is_asked_for_is_written_or_an_error() {
        for profile in ["unconfined_x", "unconfined", "unconfined_"] {
            let seen = task(&["attr/exec"]);
            apply(&seen, profile).unwrap();
            let written = fs::read_to_string(seen.path().join("attr/exec")).unwrap();
            assert_eq!(written, format!("exec {profile}"));
            let error = apply(&task(&[]), profile).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Apply);
        }
    }

    #[test]
    fn no_profile_is_no_write() {
        apply(&task(&[]), "").unwrap();
        assert_eq!(ExecAttribute::new("").unwrap(), None);
    }

    #[test]
    fn a_kernel_without_attributes_is_an_error() {
        let error = apply(&task(&[]), "web").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Apply);
        assert_eq!(error.to_string(), "apparmor failed to apply profile");
        assert_eq!(error.path(), Some(Path::new("attr/exec")));
        assert_eq!(error.raw_os_error(), Some(Errno::NOENT.raw_os_error()));
    }

    #[test]
    fn a_profile_that_does_not_exist_is_never_applied() {
        let error = apply_on_exec("cofferdam-no-such-profile").unwrap_err();
        if AppArmor::system().unwrap().is_enabled() {
            assert_eq!(error.kind(), ErrorKind::Apply);
            return;
        }
        assert_eq!(error.kind(), ErrorKind::Disabled);
        assert!(error.raw_os_error().is_some());
        let text = "apparmor failed to apply profile: apparmor is not enabled";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn a_name_that_cannot_be_one_is_invalid_without_apparmor_too() {
        let error = apply_on_exec(" a").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidProfile);
    }

    #[test]
    fn names_that_would_be_read_as_others() {
        let long = "x".repeat(4091);
        for bad in ["a\0b", "a\nb", " a", "a ", "a\u{7f}", long.as_str()] {
            let error = ExecAttribute::new(bad).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidProfile, "{bad:?}");
        }
        assert!(ExecAttribute::new(&long[1..]).unwrap().is_some());
        assert!(ExecAttribute::new("foo//&:ns:bar baz").unwrap().is_some());
    }
}
