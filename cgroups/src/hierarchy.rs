use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustix::fs::{CWD, Mode as FileMode, OFlags, StatFs};
use rustix::io::Errno;

use crate::dir::{Dir, read_all, read_piece};
use crate::membership::{Membership, V1Mount, v1_mounts};
use crate::{Error, ErrorKind, Result};

/// Where the kernel's control groups are mounted by convention.
pub(crate) const SYSTEM_ROOT: &str = "/sys/fs/cgroup";

/// How cgroups are set up on a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// cgroup v1: one hierarchy per controller, or set of controllers.
    V1,
    /// cgroup v1, with a cgroup v2 hierarchy in `unified` beside it.
    Hybrid,
    /// cgroup v2: one hierarchy for all controllers ("unified").
    V2,
}

/// The cgroup file systems of a machine. Cheap to clone.
///
/// Holds the directory `/sys/fs/cgroup` open; everything else is opened below it.
#[derive(Debug, Clone)]
pub struct Hierarchy {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: Arc<Dir>,
    mode: Mode,
    v1: Vec<V1>,
    /// The directory that takes the place of `/proc/self` in tests.
    proc: Option<OwnedFd>,
    /// The real thing, not a test's directory: file system types are checked.
    real: bool,
    own: OnceLock<Membership>,
    /// Whether this process is in the initial cgroup namespace, found out once.
    initial_namespace: OnceLock<bool>,
}

/// One cgroup v1 hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct V1 {
    /// The directory below the root where it is mounted.
    pub(crate) directory: String,
    /// Its controllers; `name=NAME` for one without. The hybrid cgroup v2 has one empty name.
    pub(crate) controllers: Vec<String>,
}

/// What it takes to mount one cgroup v1 hierarchy inside a container.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HierarchyMount {
    /// The name of the directory it is mounted on: `memory`, `cpu,cpuacct`, `systemd`.
    pub directory: String,
    /// Its controllers, or `name=systemd`.
    pub controllers: Vec<String>,
    /// The source of a fresh mount: `cgroup`, or `systemd` for the named hierarchy.
    pub source: &'static str,
    /// The data of a fresh mount of type `cgroup`: the controllers, or `name=systemd`.
    pub data: String,
    /// The names that are symbolic links to `directory`: `cpu` and `cpuacct` for `cpu,cpuacct`.
    pub links: Vec<String>,
    /// The path of this cgroup's own directory, to bind instead; empty if the cgroup has none
    /// here.
    pub path: PathBuf,
}

/// The controllers of cgroup v1 that cgroups are made in, in the order in which they are set up.
const V1_ORDER: [&str; 15] = [
    "cpuset",
    "devices",
    "memory",
    "cpu",
    "cpuacct",
    "pids",
    "blkio",
    "hugetlb",
    "net_cls",
    "net_prio",
    "perf_event",
    "freezer",
    "rdma",
    "name=systemd",
    "misc",
];

/// The inode number of a hierarchy's root directory.
const ROOT_INODE: u64 = 1;
/// The inode number of the initial cgroup namespace (`PROC_CGROUP_INIT_INO`).
const INITIAL_NAMESPACE: u64 = 0xEFFF_FFFB;

impl Hierarchy {
    /// The hierarchies of this machine: those below `/sys/fs/cgroup`.
    ///
    /// Which of the three modes it is, the type of the file systems there says. Where no cgroup
    /// v1 hierarchy is mounted below `/sys/fs/cgroup`, the directory of the first one in
    /// `/proc/self/mountinfo` takes its place; a machine without any has mode [`Mode::V1`] and no
    /// controllers.
    ///
    /// A hierarchy counts as not mounted only where its directory does not exist (`ENOENT`,
    /// `ENOTDIR`) or is of another file system. Any other failure to look at it is an error: a
    /// hierarchy that is overlooked is a protection that is lost.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when `/sys/fs/cgroup`, a directory below or `/proc/self/cgroup` cannot be
    /// looked at.
    pub fn system() -> Result<Self> {
        let root = match open_directory(Path::new(SYSTEM_ROOT)) {
            Ok(root) => root,
            Err(error) if error.is_absence() => {
                log::warn!("{error}: not there; looking for cgroup v1 hierarchies elsewhere");
                return Self::elsewhere(None);
            }
            Err(error) => return Err(error),
        };
        Self::of_root(Arc::new(root), None)
    }

    /// The same with the directory open, and whether it is of cgroup v2, if that is known.
    pub(crate) fn of_root(root: Arc<Dir>, unified: Option<bool>) -> Result<Self> {
        let unified = match unified {
            Some(known) => known,
            None => file_system(&*root, root.path())? == libc::CGROUP2_SUPER_MAGIC,
        };
        if unified {
            return Ok(Self::new(root, Mode::V2, Vec::new(), None, true));
        }
        let hybrid = is_of(&root.path().join("unified"), libc::CGROUP2_SUPER_MAGIC)?;
        let own = Membership::parse(&read_self(None, "cgroup")?)?;
        let v1 = v1_below(&root, &own, is_v1)?;
        if v1.is_empty() && !hybrid {
            return Self::elsewhere(Some(root));
        }
        let mode = if hybrid { Mode::Hybrid } else { Mode::V1 };
        let system = Self::new(root, mode, v1, None, true);
        let _ = system.inner.own.set(own);
        Ok(system)
    }

    /// Looks for cgroup v1 hierarchies away from the usual place.
    fn elsewhere(usual: Option<Arc<Dir>>) -> Result<Self> {
        let mounts = v1_mounts(&read_self(None, "mountinfo")?)?;
        let Some(parent) = mounts.first().and_then(|mount| mount.mount_point.parent()) else {
            let root = match usual {
                Some(root) => root,
                None => Arc::new(open_directory(Path::new("/"))?),
            };
            return Ok(Self::new(root, Mode::V1, Vec::new(), None, true));
        };
        let root = Arc::new(open_directory(parent)?);
        let own = Membership::parse(&read_self(None, "cgroup")?)?;
        // mountinfo also lists what another mount covers.
        let v1 = v1_mounted(&mounts, &own, parent, is_v1)?;
        let system = Self::new(root, Mode::V1, v1, None, true);
        let _ = system.inner.own.set(own);
        Ok(system)
    }

    /// The hierarchies below the directory `root`, which is called `path` in messages and in
    /// [`paths`](crate::Cgroup::paths), as seen by the process whose `/proc/PID` directory is
    /// `proc`. Only the files `cgroup`, `mountinfo` and `uid_map` of that directory are read, and
    /// `../meminfo` for the statistics of the root cgroup.
    ///
    /// The mode follows from the files there: `cgroup.controllers` in the root is cgroup v2,
    /// `unified/cgroup.controllers` is hybrid. File system types are not looked at, so that any
    /// directory tree will do for tests.
    ///
    /// # Errors
    /// When `proc` has no file `cgroup`, or it is malformed; when a directory below `root` cannot
    /// be looked at.
    pub fn open_at(root: OwnedFd, path: impl Into<PathBuf>, proc: OwnedFd) -> Result<Self> {
        let root = Arc::new(Dir::new(root, path));
        let own = Membership::parse(&read_self(Some(&proc), "cgroup")?)?;
        let mode = if root.exists("cgroup.controllers")? {
            Mode::V2
        } else if root.exists("unified/cgroup.controllers")? {
            Mode::Hybrid
        } else {
            Mode::V1
        };
        let is_there = |path: &Path| {
            let name = path.strip_prefix(root.path()).unwrap_or(path);
            match rustix::fs::openat(&root, name, PROBE, FileMode::empty()) {
                Ok(_) => Ok(true),
                Err(Errno::NOENT | Errno::NOTDIR) => Ok(false),
                Err(errno) => Err(root.error("open", name, errno)),
            }
        };
        let v1 = match mode {
            Mode::V2 => Vec::new(),
            Mode::V1 | Mode::Hybrid => v1_below(&root, &own, is_there)?,
        };
        let hierarchy = Self::new(root, mode, v1, Some(proc), false);
        let _ = hierarchy.inner.own.set(own);
        Ok(hierarchy)
    }

    fn new(root: Arc<Dir>, mode: Mode, mut v1: Vec<V1>, proc: Option<OwnedFd>, real: bool) -> Self {
        if mode == Mode::Hybrid {
            v1.push(V1 {
                directory: "unified".to_owned(),
                controllers: vec![String::new()],
            });
        }
        Self {
            inner: Arc::new(Inner {
                root,
                mode,
                v1,
                proc,
                real,
                own: OnceLock::new(),
                initial_namespace: OnceLock::new(),
            }),
        }
    }

    /// How cgroups are set up here.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.inner.mode
    }

    /// Where the hierarchies are mounted, usually `/sys/fs/cgroup`.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.inner.root.path()
    }

    /// The names of the controllers: on cgroup v2 those of `cgroup.controllers` in the root, on v1
    /// those of all hierarchies, with `name=systemd`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn controllers(&self) -> Result<Vec<String>> {
        if self.mode() == Mode::V2 {
            let text = self.inner.root.read("cgroup.controllers")?;
            return Ok(text.split_whitespace().map(str::to_owned).collect());
        }
        let names = self.inner.v1.iter().flat_map(|v1| &v1.controllers);
        Ok(names.filter(|name| !name.is_empty()).cloned().collect())
    }

    /// The directory that [`path`](Self::path) names, open.
    #[must_use]
    pub fn dir(&self) -> BorrowedFd<'_> {
        self.inner.root.as_fd()
    }

    pub(crate) fn root(&self) -> &Dir {
        &self.inner.root
    }

    pub(crate) fn v1(&self) -> &[V1] {
        &self.inner.v1
    }

    /// Whether a directory opened below the root is what it is expected to be.
    pub(crate) fn check(&self, dir: &Dir) -> Result<()> {
        self.check_file(dir, dir.path())
    }

    /// The same for a file, which is called `path` in messages.
    pub(crate) fn check_file(&self, fd: impl AsFd, path: &Path) -> Result<()> {
        if !self.inner.real {
            return Ok(());
        }
        match type_of(rustix::fs::fstatfs(fd), path)? {
            Some(libc::CGROUP_SUPER_MAGIC | libc::CGROUP2_SUPER_MAGIC) => Ok(()),
            _ => Err(Error::new(
                ErrorKind::InvalidPath,
                format_args!("{}: not a cgroup file", path.display()),
            )),
        }
    }

    fn own(&self) -> Result<&Membership> {
        if let Some(own) = self.inner.own.get() {
            return Ok(own);
        }
        let own = Membership::parse(&read_self(self.inner.proc.as_ref(), "cgroup")?)?;
        Ok(self.inner.own.get_or_init(|| own))
    }

    /// `/proc/meminfo`.
    pub(crate) fn meminfo(&self) -> Result<String> {
        read_self(self.inner.proc.as_ref(), "../meminfo")
    }

    /// The cgroups of the process `pid`, for this machine only.
    pub(crate) fn membership_of(&self, pid: u32) -> Result<Membership> {
        let path = PathBuf::from(format!("/proc/{pid}/cgroup"));
        let failed = |errno| Error::io(format_args!("read {}", path.display()), &path, errno);
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(&path, flags, FileMode::empty()).map_err(failed)?;
        Membership::parse(&read_all(fd).map_err(failed)?)
    }

    /// Whether the calling process is in a user namespace other than the initial one, which maps
    /// all ids to themselves. `false` where that cannot be read: only in a user namespace may a
    /// protection be missing.
    pub(crate) fn in_user_namespace(&self) -> bool {
        read_self(self.inner.proc.as_ref(), "uid_map")
            .is_ok_and(|map| user::is_userns_map(map.as_bytes()))
    }

    /// The cgroup v2 path of the calling process, as the kernel writes it.
    pub(crate) fn own_unified(&self) -> Result<PathBuf> {
        self.own()?.path_of("").cloned().ok_or_else(|| {
            Error::new(
                ErrorKind::Parse,
                "/proc/self/cgroup has no line for cgroup v2",
            )
        })
    }

    /// Where, below its mount, the calling process is in a cgroup v1 hierarchy.
    pub(crate) fn own_v1(&self, v1: &V1) -> Result<PathBuf> {
        let controller = v1.controllers.first().map_or("", String::as_str);
        match self.own()?.path_of(controller) {
            // The root is the mount's own directory, or above it.
            Some(own) if own != Path::new("/") => self.below_mount(v1, own),
            _ => Ok(PathBuf::new()),
        }
    }

    /// Turns a path of `/proc/PID/cgroup` into one below the mount of the hierarchy.
    pub(crate) fn below_mount(&self, v1: &V1, path: &Path) -> Result<PathBuf> {
        if self.inner.real && self.mounted_whole(v1) {
            return Ok(crate::spec::relative(path));
        }
        let mounts = match read_self(self.inner.proc.as_ref(), "mountinfo") {
            Ok(text) => v1_mounts(&text)?,
            // A test's directory may do without.
            Err(error) if !self.inner.real && error.is_absence() => Vec::new(),
            Err(error) => return Err(error),
        };
        let place = self.path().join(&v1.directory);
        let mount = mounts.iter().find(|mount| {
            mount.mount_point == place
                || v1
                    .controllers
                    .iter()
                    .any(|name| mount.options.contains(name))
        });
        let root = mount.map_or(Path::new("/"), |mount| &mount.root);
        Ok(crate::spec::relative(
            path.strip_prefix(root).unwrap_or(Path::new("")),
        ))
    }

    /// Whether the mount shows the hierarchy's own root and we see its true paths: then mountinfo,
    /// which grows with the number of mounts, need not be read.
    fn mounted_whole(&self, v1: &V1) -> bool {
        let inode = |path: &Path| rustix::fs::stat(path).ok().map(|stat| stat.st_ino);
        let initial = *self
            .inner
            .initial_namespace
            .get_or_init(|| inode(Path::new("/proc/self/ns/cgroup")) == Some(INITIAL_NAMESPACE));
        initial && inode(&self.path().join(&v1.directory)) == Some(ROOT_INODE)
    }
}

/// Enough to see that a directory is there.
const PROBE: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

pub(crate) fn open_directory(path: &Path) -> Result<Dir> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(CWD, path, flags, FileMode::empty())
        .map_err(|errno| Error::io(format_args!("open {}", path.display()), path, errno))?;
    Ok(Dir::new(fd, path))
}

/// The type of a file system, as `linux/magic.h` numbers them.
type Magic = rustix::fs::FsWord;

/// What an open file is on.
pub(crate) fn file_system(file: impl AsFd, path: &Path) -> Result<Magic> {
    let found = type_of(rustix::fs::fstatfs(file), path)?;
    // An open file has one.
    Ok(found.unwrap_or_default())
}

/// Whether there is a file system of this type at `path`. Only ENOENT and ENOTDIR mean that there
/// is not.
fn is_of(path: &Path, magic: Magic) -> Result<bool> {
    Ok(type_of(rustix::fs::statfs(path), path)? == Some(magic))
}

fn is_v1(path: &Path) -> Result<bool> {
    is_of(path, libc::CGROUP_SUPER_MAGIC)
}

/// What statfs(2) said of `path`; `None` where nothing is there.
fn type_of(said: rustix::io::Result<StatFs>, path: &Path) -> Result<Option<Magic>> {
    match said {
        Ok(found) => Ok(Some(found.f_type as Magic)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(errno) => Err(Error::io(
            format_args!("statfs {}", path.display()),
            path,
            errno,
        )),
    }
}

/// A file of `/proc/self`, or of the directory that takes its place.
fn read_self(proc: Option<&OwnedFd>, name: &str) -> Result<String> {
    let path = Path::new("/proc/self").join(name);
    let failed = |errno| Error::io(format_args!("read {}", path.display()), &path, errno);
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let fd = match proc {
        Some(proc) => rustix::fs::openat(proc, name, flags, FileMode::empty()),
        None => rustix::fs::open(&path, flags, FileMode::empty()),
    };
    let fd = fd.map_err(failed)?;
    // The kernel makes the text of this one as one piece: what is shorter than the buffer is all.
    let text = match name {
        "cgroup" => read_piece(fd),
        _ => read_all(fd),
    };
    text.map_err(failed)
}

/// The v1 hierarchies of `own` that are mounted below `root` under one of their usual names.
fn v1_below(
    root: &Dir,
    own: &Membership,
    is_mounted: impl Fn(&Path) -> Result<bool>,
) -> Result<Vec<V1>> {
    let mut found = Vec::new();
    for (controllers, _) in &own.hierarchies {
        if controllers.iter().all(String::is_empty) {
            continue;
        }
        let all = controllers.join(",");
        let reversed: Vec<_> = controllers.iter().rev().map(String::as_str).collect();
        let reversed = reversed.join(",");
        let single = controllers.iter().map(String::as_str);
        let names = [all.as_str(), reversed.as_str()].into_iter().chain(single);
        for name in names.map(|name| name.strip_prefix("name=").unwrap_or(name)) {
            if is_mounted(&root.path().join(name))? {
                found.push(V1 {
                    directory: name.to_owned(),
                    controllers: controllers.clone(),
                });
                break;
            }
        }
    }
    Ok(in_order(found))
}

/// The v1 hierarchies of `own` by their mounts directly below `parent`.
fn v1_mounted(
    mounts: &[V1Mount],
    own: &Membership,
    parent: &Path,
    is_mounted: impl Fn(&Path) -> Result<bool>,
) -> Result<Vec<V1>> {
    let mut found = Vec::new();
    for (controllers, _) in &own.hierarchies {
        let mount = mounts.iter().find(|mount| {
            mount.mount_point.parent() == Some(parent)
                && controllers.iter().any(|name| mount.options.contains(name))
        });
        let name = mount.and_then(|mount| mount.mount_point.file_name());
        if let Some(name) = name.and_then(|name| name.to_str())
            && is_mounted(&parent.join(name))?
        {
            found.push(V1 {
                directory: name.to_owned(),
                controllers: controllers.clone(),
            });
        }
    }
    Ok(in_order(found))
}

/// Keeps the hierarchies with controllers we know, in the order in which they are used.
fn in_order(mut found: Vec<V1>) -> Vec<V1> {
    let rank = |v1: &V1| {
        let places = v1.controllers.iter();
        places
            .filter_map(|name| V1_ORDER.iter().position(|known| known == name))
            .min()
    };
    found.retain(|v1| rank(v1).is_some());
    found.sort_by_key(rank);
    found
}

#[cfg(test)]
mod tests;
