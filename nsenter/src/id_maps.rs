//! Writing the id maps of a new user namespace (`user_namespaces(7)`).

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use user::IdMaps;

use crate::error::{Error, ErrorKind, Result};
use crate::procfs::Procfs;

/// The set-uid programs of the `shadow` package that write what the caller may not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tools {
    /// `newuidmap`.
    pub newuidmap: Option<PathBuf>,
    /// `newgidmap`.
    pub newgidmap: Option<PathBuf>,
}

impl Tools {
    /// Looks for both in a list of directories in the form of `PATH`. Relative entries are skipped.
    pub fn find(path: &std::ffi::OsStr) -> Self {
        let find = |name: &str| {
            path.as_bytes()
                .split(|b| *b == b':')
                .map(|directory| Path::new(std::ffi::OsStr::from_bytes(directory)).join(name))
                .find(|candidate| {
                    candidate.is_absolute()
                        && rustix::fs::access(candidate, rustix::fs::Access::EXEC_OK).is_ok()
                        && candidate.is_file()
                })
        };
        Self {
            newuidmap: find("newuidmap"),
            newgidmap: find("newgidmap"),
        }
    }
}

/// The maps of a new user namespace, and how to write them.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The uid map.
    pub uid: IdMaps,
    /// The gid map.
    pub gid: IdMaps,
    /// Write `deny` to `setgroups` before the gid map: without it the kernel takes a gid map only from a privileged
    /// writer.
    pub deny_setgroups: bool,
    /// What to run when the kernel refuses (`EPERM`).
    pub tools: Tools,
}

/// Writes the maps of the user namespace of a process that has just made it.
///
/// Each map is one `write(2)`. The caller must hold a reference to the process that keeps its number from being reused
/// (as inside [`Answers::id_maps`](crate::Answers::id_maps)).
///
/// # Errors
/// [`ErrorKind::IdMap`]: a map is invalid, the kernel refused it, or a tool failed (its output is part of the message).
pub fn write(procfs: &Procfs, pid: u32, request: &Request) -> Result<()> {
    for (maps, what) in [(&request.uid, "uid map"), (&request.gid, "gid map")] {
        maps.validate()
            .map_err(|e| Error::with_source(ErrorKind::IdMap, what, Box::new(e)))?;
    }
    if request.deny_setgroups {
        match procfs.write(&format!("{pid}/setgroups"), "deny") {
            Ok(()) => {}
            // Before Linux 3.19 there is no such file and nothing to deny.
            Err(e) if e.raw_os_error() == Some(libc::ENOENT) => {}
            Err(e) => {
                return Err(Error::with_source(
                    ErrorKind::IdMap,
                    format!("deny setgroups for process {pid}"),
                    Box::new(e),
                ));
            }
        }
    }
    map(
        procfs,
        pid,
        "uid_map",
        &request.uid,
        request.tools.newuidmap.as_deref(),
        "newuidmap",
    )?;
    map(
        procfs,
        pid,
        "gid_map",
        &request.gid,
        request.tools.newgidmap.as_deref(),
        "newgidmap",
    )
}

fn map(
    procfs: &Procfs,
    pid: u32,
    file: &str,
    maps: &IdMaps,
    tool: Option<&Path>,
    name: &str,
) -> Result<()> {
    match procfs.write(&format!("{pid}/{file}"), &maps.kernel_text()) {
        Ok(()) => Ok(()),
        Err(e) if e.raw_os_error() == Some(libc::EPERM) => match tool {
            Some(tool) => run(tool, pid, maps, name),
            None => Err(Error::with_source(
                ErrorKind::IdMap,
                format!("write {file} of process {pid}: {name} is not installed"),
                Box::new(e),
            )),
        },
        Err(e) => Err(Error::with_source(
            ErrorKind::IdMap,
            format!("write {file} of process {pid}"),
            Box::new(e),
        )),
    }
}

fn run(tool: &Path, pid: u32, maps: &IdMaps, name: &str) -> Result<()> {
    let failed = || format!("failed to use {name} on {pid}");
    let numbers = maps
        .ranges()
        .iter()
        .flat_map(|range| [range.container, range.host, range.size])
        .map(|number| number.to_string());
    let output = Command::new(tool)
        .arg(pid.to_string())
        .args(numbers)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .map_err(|e| Error::with_source(ErrorKind::IdMap, failed(), Box::new(e)))?;
    if output.status.success() {
        return Ok(());
    }
    let said = output.stderr.trim_ascii().escape_ascii().to_string();
    Err(Error::new(
        ErrorKind::IdMap,
        format!("{} ({}): {said}", failed(), output.status),
    ))
}
