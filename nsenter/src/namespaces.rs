//! The namespaces of Linux: their files, and what belongs to them.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat};

use user::{IdMapping, IdMaps};

use crate::error::{Error, ErrorKind, Refusal, Result};
use crate::namespace_types::NamespaceType;
use crate::plan::{Op, PlanBuilder};
use crate::procfs::Procfs;
use crate::spawn::Spawn;
use crate::supervise::{Deadline, ProcessRef, RequestHandler};

impl NamespaceType {
    /// Whether the running kernel has this type: whether `/proc/self/ns` has its file.
    #[must_use]
    pub fn is_supported(self, procfs: &Procfs) -> bool {
        procfs.exists(&format!("self/ns/{}", self.file_name()))
    }
}

/// Opens the namespace of a process.
///
/// # Errors
/// [`ErrorKind::System`]: the process does not exist, the kernel does not have this type, or it may
/// not be seen (`EACCES`).
pub fn of_process(procfs: &Procfs, pid: u32, kind: NamespaceType) -> Result<OwnedFd> {
    procfs.open(&format!("{pid}/ns/{kind}"))
}

/// Opens a namespace by path and checks that it is one, and of this type (`NS_GET_NSTYPE`, Linux
/// 4.11).
///
/// # Errors
/// [`ErrorKind::System`] if the path cannot be opened, [`ErrorKind::Namespace`] if it is not a
/// namespace of this type.
pub fn open(path: &Path, kind: NamespaceType) -> Result<OwnedFd> {
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

/// The type of an open namespace.
///
/// # Errors
/// [`ErrorKind::Namespace`] if the descriptor is not a namespace.
pub fn kind_of(namespace: impl AsFd) -> Result<NamespaceType> {
    let none = || Error::new(ErrorKind::Namespace, "the descriptor is no namespace");
    // Other files have ioctls of their own: ask only what lies on nsfs.
    let fs =
        rustix::fs::fstatfs(&namespace).map_err(|e| Error::system("look at a namespace", e))?;
    if u64::try_from(fs.f_type).ok() != Some(NSFS_MAGIC) {
        return Err(none());
    }
    crate::sys::namespace_type(namespace.as_fd())
        .ok()
        .and_then(NamespaceType::from_flag)
        .ok_or_else(none)
}

/// The id maps of the user namespace at a path.
///
/// If the path is exactly `/proc/PID/ns/user`, the maps of that process are read. For any other
/// path, or if that fails, a stub joins the namespace and its maps are read: it shows the numbers
/// as they are seen from here.
///
/// # Errors
/// [`ErrorKind::Namespace`] if the path is not a user namespace; the errors of [`Spawn::start`] and
/// [`StubProcess::serve`](crate::StubProcess::serve) if it cannot be joined.
pub fn id_maps_of(path: &Path) -> Result<IdMapping> {
    let procfs = Procfs::system()?;
    if let Some(pid) = pid_in(path)
        && let Ok(maps) = maps_of_process(&procfs, pid)
    {
        return Ok(maps);
    }
    let namespace = open(path, NamespaceType::User)?;
    let mut plan = PlanBuilder::new();
    let input = plan.input("user namespace");
    plan.push(
        format!("join user namespace {}", path.display()),
        Op::Join(vec![(input, NamespaceType::User)]),
    );
    plan.push("read id maps", Op::AskGate(0));
    plan.push("exit", Op::Exit);
    let plan = plan.build()?;
    let null = openat(
        CWD,
        "/dev/null",
        OFlags::RDWR | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(|e| Error::system("open /dev/null", e))?;
    let spawn = Spawn {
        plan: &plan,
        stdio: [null.as_fd(); 3],
        passed: Vec::new(),
        inputs: vec![(input, namespace.as_fd())],
        cgroup: None,
    };
    let mut reader = Reader {
        procfs: &procfs,
        maps: None,
    };
    let served = spawn.start()?.serve(&mut reader, Deadline::default());
    // Why the maps could not be read is more than that this was refused.
    let Some(maps) = reader.maps else {
        return Err(served
            .err()
            .unwrap_or_else(|| Error::new(ErrorKind::Namespace, "the id maps were not read")));
    };
    let maps = maps?;
    served?;
    Ok(maps)
}

/// Reads the maps of the stub that asks.
struct Reader<'a> {
    procfs: &'a Procfs,
    maps: Option<Result<IdMapping>>,
}

impl RequestHandler for Reader<'_> {
    fn gate(&mut self, _: u32, process: &ProcessRef<'_>) -> std::result::Result<(), Refusal> {
        let maps = maps_of_process(self.procfs, process.pid());
        let read = maps.is_ok();
        self.maps = Some(maps);
        if read {
            Ok(())
        } else {
            Err("the id maps cannot be read".into())
        }
    }
}

fn pid_in(path: &Path) -> Option<u32> {
    path.to_str()?
        .strip_prefix("/proc/")?
        .strip_suffix("/ns/user")?
        .parse()
        .ok()
}

fn maps_of_process(procfs: &Procfs, pid: u32) -> Result<IdMapping> {
    let read = |file: &str| {
        let text = procfs.read(&format!("{pid}/{file}"))?;
        IdMaps::parse(&text).map_err(|e| {
            Error::with_source(
                ErrorKind::IdMap,
                format!("{file} of process {pid}"),
                Box::new(e),
            )
        })
    };
    Ok(IdMapping {
        uids: read("uid_map")?,
        gids: read("gid_map")?,
    })
}

/// `NSFS_MAGIC` of `linux/magic.h`.
const NSFS_MAGIC: u64 = 0x6e73_6673;
