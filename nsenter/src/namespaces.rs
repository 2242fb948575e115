//! The namespaces of Linux: their kinds, their files, and what belongs to them.

use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::error::{Error, ErrorKind, Result};
use crate::procfs::Procfs;

/// A kind of namespace (`namespaces(7)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `CLONE_NEWUSER`, Linux 3.8.
    User,
    /// `CLONE_NEWIPC`.
    Ipc,
    /// `CLONE_NEWUTS`.
    Uts,
    /// `CLONE_NEWNET`.
    Network,
    /// `CLONE_NEWPID`.
    Pid,
    /// `CLONE_NEWNS`.
    Mount,
    /// `CLONE_NEWCGROUP`, Linux 4.6.
    Cgroup,
    /// `CLONE_NEWTIME`, Linux 5.6.
    Time,
}

impl Kind {
    /// Every kind, in the order in which namespaces are joined: the user namespace first, since it owns the others.
    pub const ALL: [Self; 8] = [
        Self::User,
        Self::Ipc,
        Self::Uts,
        Self::Network,
        Self::Pid,
        Self::Mount,
        Self::Cgroup,
        Self::Time,
    ];

    /// The `CLONE_NEW*` flag.
    pub const fn flag(self) -> u32 {
        match self {
            Self::User => 0x1000_0000,
            Self::Ipc => 0x0800_0000,
            Self::Uts => 0x0400_0000,
            Self::Network => 0x4000_0000,
            Self::Pid => 0x2000_0000,
            Self::Mount => 0x0002_0000,
            Self::Cgroup => 0x0200_0000,
            Self::Time => 0x0000_0080,
        }
    }

    /// The name of its file in `/proc/PID/ns`.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Ipc => "ipc",
            Self::Uts => "uts",
            Self::Network => "net",
            Self::Pid => "pid",
            Self::Mount => "mnt",
            Self::Cgroup => "cgroup",
            Self::Time => "time",
        }
    }

    /// The kind of a `CLONE_NEW*` flag.
    pub fn from_flag(flag: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.flag() == flag)
    }

    /// The kind of a name in `/proc/PID/ns`.
    pub fn from_file_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.file_name() == name)
    }

    /// Whether the running kernel has this kind: whether `/proc/self/ns` has its file.
    pub fn is_supported(self, procfs: &Procfs) -> bool {
        procfs.exists(&format!("self/ns/{}", self.file_name()))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.file_name())
    }
}

/// Opens the namespace of a process.
///
/// # Errors
/// [`ErrorKind::System`]: there is no such process, the kernel does not have this kind, or it may not be seen (`EACCES`).
pub fn of_process(procfs: &Procfs, pid: u32, kind: Kind) -> Result<OwnedFd> {
    procfs.open(&format!("{pid}/ns/{kind}"))
}

/// Opens a namespace by path and checks that it is one, and of this kind (`NS_GET_NSTYPE`, Linux 4.11).
///
/// # Errors
/// [`ErrorKind::System`] if the path cannot be opened, [`ErrorKind::Namespace`] if it is no namespace of this kind.
pub fn open(path: &Path, kind: Kind) -> Result<OwnedFd> {
    let file = openat(
        CWD,
        path,
        OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY,
        Mode::empty(),
    )
    .map_err(|e| Error::system(format!("open namespace {}", path.display()), e))?;
    match kind_of(&file) {
        Ok(found) if found == kind => Ok(file),
        Ok(found) => Err(Error::new(
            ErrorKind::Namespace,
            format!(
                "{} is a {found} namespace, not a {kind} namespace",
                path.display()
            ),
        )),
        Err(_) => Err(Error::new(
            ErrorKind::Namespace,
            format!("{} is no namespace", path.display()),
        )),
    }
}

/// The kind of an open namespace.
///
/// # Errors
/// [`ErrorKind::Namespace`] if the descriptor is none.
pub fn kind_of(namespace: impl AsFd) -> Result<Kind> {
    let none = || Error::new(ErrorKind::Namespace, "the descriptor is no namespace");
    // Other files have ioctls of their own: ask only what lies on nsfs.
    let fs =
        rustix::fs::fstatfs(&namespace).map_err(|e| Error::system("look at a namespace", e))?;
    if u64::try_from(fs.f_type).ok() != Some(NSFS_MAGIC) {
        return Err(none());
    }
    crate::sys::namespace_type(namespace.as_fd())
        .ok()
        .and_then(Kind::from_flag)
        .ok_or_else(none)
}

/// `NSFS_MAGIC` of `linux/magic.h`.
const NSFS_MAGIC: u64 = 0x6e73_6673;
