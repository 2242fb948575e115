use std::marker::PhantomData;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, PROC_SUPER_MAGIC, fstatfs, open, openat};
use rustix::io::{Errno, retry_on_intr, write};

use crate::error::{Error, Repr, Result};
use crate::host::SeLinux;
use crate::label::Label;

/// A label that the kernel keeps for what a task does next (`proc_pid_attr(5)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskAttribute {
    /// The program that the task executes; used up by `execve`.
    Exec,
    /// Files the task creates.
    FsCreate,
    /// Keys and keyrings the task creates.
    KeyCreate,
    /// Sockets the task creates.
    SockCreate,
}

impl TaskAttribute {
    /// The file below `/proc/PID`.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Exec => "attr/exec",
            Self::FsCreate => "attr/fscreate",
            Self::KeyCreate => "attr/keycreate",
            Self::SockCreate => "attr/sockcreate",
        }
    }

    /// The bytes to write to the file, in one call, for this label; without label, to go back to
    /// the policy's choice.
    ///
    /// A program that starts confined programs often writes this from a process that has nothing
    /// but system calls.
    #[must_use]
    pub fn text(label: Option<&Label>) -> &[u8] {
        label.map_or(b"\n", |label| label.as_str().as_bytes())
    }

    /// Sets the label for the calling thread until the guard is dropped.
    ///
    /// `/proc` must be a procfs; a directory put in its place is refused.
    ///
    /// # Errors
    /// [`Disabled`](crate::ErrorKind::Disabled) if SELinux is disabled or not supported;
    /// [`Io`](crate::ErrorKind::Io): `EINVAL` if the policy does not know the label, `EACCES` if it
    /// forbids the change.
    pub fn set(self, label: &Label) -> Result<Reset> {
        let path = "/proc/thread-self";
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let task =
            open(path, flags, Mode::empty()).map_err(|errno| Error::io("open", path, errno))?;
        let file_system = fstatfs(&task).map_err(|errno| Error::io("statfs", path, errno))?;
        if file_system.f_type != PROC_SUPER_MAGIC {
            return Err(Error::io("check", path, Errno::NOTSUP));
        }
        // The kernel decides; whether SELinux is on is looked up to explain a refusal only.
        self.set_at(task, label).map_err(|error| {
            // Without security modules the kernel has no attributes; without SELinux they take
            // nothing.
            let absent = [Errno::NOENT, Errno::INVAL].map(|errno| Some(errno.raw_os_error()));
            if absent.contains(&error.raw_os_error()) && !SeLinux::system().is_enabled() {
                Repr::Disabled.into()
            } else {
                error
            }
        })
    }

    /// As [`TaskAttribute::set`], given the thread's directory in a procfs that the caller vouches
    /// for.
    ///
    /// # Errors
    /// As [`TaskAttribute::set`], but [`Io`](crate::ErrorKind::Io) with the kernel's error number
    /// without SELinux as well: `EINVAL`, or `ENOENT` if the kernel has no attributes at all.
    pub fn set_at(self, task: impl AsFd, label: &Label) -> Result<Reset> {
        let path = Path::new(self.path());
        let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let refused = |errno: Errno| Repr::Attribute {
            path,
            source: errno.into(),
        };
        let file = openat(task, path, flags, Mode::empty()).map_err(refused)?;
        retry_on_intr(|| write(&file, Self::text(Some(label)))).map_err(refused)?;
        Ok(Reset {
            file: Some(file),
            thread: PhantomData,
        })
    }
}

/// Takes a label of the calling thread back when dropped.
///
/// It stays on its thread, because the kernel lets a thread change its own attributes only.
#[derive(Debug)]
#[must_use = "the label is taken back at once"]
pub struct Reset {
    file: Option<OwnedFd>,
    thread: PhantomData<*const ()>,
}

impl Reset {
    /// Leaves the label as it is: `execve` follows.
    pub fn keep(mut self) {
        self.file = None;
    }
}

impl Drop for Reset {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            // Nothing can be done about a failure here, and the kernel accepts this from whom it
            // accepted the label.
            let _ = retry_on_intr(|| write(file, TaskAttribute::text(None)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use std::fs::{self, File};

    fn label() -> Label {
        "system_u:system_r:container_t:s0:c1,c2".parse().unwrap()
    }

    fn task() -> (tempfile::TempDir, File) {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("attr")).unwrap();
        for name in ["exec", "fscreate", "keycreate", "sockcreate"] {
            fs::write(directory.path().join("attr").join(name), "").unwrap();
        }
        let task = File::open(directory.path()).unwrap();
        (directory, task)
    }

    #[test]
    fn each_attribute_has_its_file() {
        let (directory, task) = task();
        for attribute in [
            TaskAttribute::Exec,
            TaskAttribute::FsCreate,
            TaskAttribute::KeyCreate,
            TaskAttribute::SockCreate,
        ] {
            attribute.set_at(&task, &label()).unwrap().keep();
            let text = fs::read_to_string(directory.path().join(attribute.path())).unwrap();
            assert_eq!(text, label().as_str());
        }
    }

    #[test]
    fn a_dropped_guard_writes_the_reset() {
        let (directory, task) = task();
        drop(TaskAttribute::KeyCreate.set_at(&task, &label()).unwrap());
        // A plain file collects what an attribute file takes one write after the other.
        let text = fs::read_to_string(directory.path().join("attr/keycreate")).unwrap();
        assert_eq!(text, format!("{}\n", label()));
    }

    #[test]
    fn without_attribute_file_it_fails() {
        let directory = tempfile::tempdir().unwrap();
        let task = File::open(directory.path()).unwrap();
        let error = TaskAttribute::Exec.set_at(task, &label()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert_eq!(error.to_string(), "write selinux label to attr/exec");
    }

    #[test]
    fn a_kernel_without_selinux_refuses() {
        if SeLinux::system().is_enabled() {
            eprintln!("skipped: needs a kernel without SELinux");
            return;
        }
        let error = TaskAttribute::Exec.set(&label()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Disabled);
        assert_eq!(error.to_string(), "selinux is disabled or not supported");
    }
}
