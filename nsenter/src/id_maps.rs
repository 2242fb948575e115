//! Writing the id maps of a new user namespace (`user_namespaces(7)`).

use std::ffi::{CString, NulError};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use user::IdMaps;

use crate::error::{Error, ErrorKind, Result};
use crate::procfs::Procfs;
use crate::program::Program;

/// How long a tool may take: it writes one file.
const TOOL_LIMIT: Duration = Duration::from_secs(60);

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
    #[must_use]
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
    /// Write `deny` to `setgroups` before the gid map: without it the kernel takes a gid map only
    /// from a privileged writer.
    pub deny_setgroups: bool,
    /// What to run when the kernel refuses (`EPERM`).
    pub tools: Tools,
}

/// Writes the maps of the user namespace of a process that has just made it.
///
/// Each map is one `write(2)`. The caller must hold a reference to the process that keeps its
/// number from being reused (as inside
/// [`RequestHandler::id_maps`](crate::RequestHandler::id_maps)).
///
/// # Errors
/// [`ErrorKind::IdMap`]: a map is invalid, the kernel refused it, or a tool failed (its output is
/// part of the message).
pub fn write(procfs: &Procfs, pid: u32, request: &Request) -> Result<()> {
    for (maps, what) in [(&request.uid, "uid map"), (&request.gid, "gid map")] {
        maps.validate()
            .map_err(|e| Error::with_source(ErrorKind::IdMap, what, Box::new(e)))?;
    }
    if request.deny_setgroups {
        match procfs.write(&format!("{pid}/setgroups"), "deny") {
            Ok(()) => {}
            // Before Linux 3.19 the file does not exist, and there is nothing to deny.
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

/// It gets no descriptor of this process and no variable: it has more privilege than its caller.
fn run(tool: &Path, pid: u32, maps: &IdMaps, name: &str) -> Result<()> {
    let failed = || format!("failed to use {name} on {pid}");
    let impossible =
        |error: NulError| Error::with_source(ErrorKind::IdMap, failed(), Box::new(error));
    let path = CString::new(tool.as_os_str().as_bytes()).map_err(impossible)?;
    let numbers = maps
        .ranges()
        .iter()
        .flat_map(|range| [range.container_id, range.host_id, range.size]);
    let mut args = vec![path.clone()];
    for number in [pid].into_iter().chain(numbers) {
        args.push(CString::new(number.to_string()).map_err(impossible)?);
    }
    let outcome = Program {
        path: &path,
        args: &args,
        env: Some(&[]),
        directory: None,
        stdin: b"",
        timeout: Some(TOOL_LIMIT),
        lives_with: None,
    }
    .run()
    .map_err(|e| Error::with_source(ErrorKind::IdMap, failed(), Box::new(e)))?;
    if outcome.success() {
        return Ok(());
    }
    let said = outcome.stderr().trim_ascii().escape_ascii().to_string();
    Err(Error::new(
        ErrorKind::IdMap,
        format!("{} ({}): {said}", failed(), outcome.exit()),
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use user::IdMap;

    use super::*;

    fn tree() -> (tempfile::TempDir, Procfs) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("7")).unwrap();
        for name in ["uid_map", "gid_map", "setgroups"] {
            std::fs::write(directory.path().join("7").join(name), "").unwrap();
        }
        let procfs = Procfs::open_at(std::fs::File::open(directory.path()).unwrap()).unwrap();
        (directory, procfs)
    }

    fn request(deny_setgroups: bool) -> Request {
        Request {
            uid: IdMaps::new([IdMap::new(0, 1000, 1), IdMap::new(1, 100_000, 65_535)]),
            gid: IdMaps::new([IdMap::new(0, 1001, 1)]),
            deny_setgroups,
            tools: Tools::default(),
        }
    }

    #[test]
    fn the_files_get_the_maps() {
        for deny in [true, false] {
            let (directory, procfs) = tree();
            write(&procfs, 7, &request(deny)).unwrap();
            let read = |name: &str| {
                std::fs::read_to_string(directory.path().join("7").join(name)).unwrap()
            };
            assert_eq!(read("uid_map"), "0 1000 1\n1 100000 65535\n");
            assert_eq!(read("gid_map"), "0 1001 1\n");
            assert_eq!(read("setgroups"), if deny { "deny" } else { "" });
        }
    }

    #[test]
    fn a_kernel_without_setgroups_has_nothing_to_deny() {
        let (directory, procfs) = tree();
        std::fs::remove_file(directory.path().join("7/setgroups")).unwrap();
        write(&procfs, 7, &request(true)).unwrap();
    }

    #[test]
    fn wrong_maps_and_missing_processes_are_errors() {
        let (_directory, procfs) = tree();
        let mut overlapping = request(false);
        overlapping.gid = IdMaps::new([IdMap::new(0, 0, 10), IdMap::new(5, 100, 10)]);
        let error = write(&procfs, 7, &overlapping).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::IdMap, "gid map")
        );
        let error = write(&procfs, 8, &request(false)).unwrap_err();
        assert_eq!(
            (error.kind(), error.raw_os_error()),
            (ErrorKind::IdMap, Some(libc::ENOENT))
        );
    }

    #[test]
    fn tools_are_found_in_absolute_directories_only() {
        let directory = tempfile::tempdir().unwrap();
        for (name, mode) in [("newuidmap", 0o755), ("newgidmap", 0o644)] {
            let file = directory.path().join(name);
            std::fs::write(&file, "#!/bin/sh\n").unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let path = std::ffi::OsString::from(format!(".:relative::{}", directory.path().display()));
        let tools = Tools::find(&path);
        assert_eq!(tools.newuidmap, Some(directory.path().join("newuidmap")));
        assert_eq!(tools.newgidmap, None);
    }

    /// The tool gets the process, then the numbers of every range, and no environment.
    #[test]
    fn a_tool_is_given_the_map_and_its_failure_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let script = |name: &str, content: &str| {
            let file = directory.path().join(name);
            std::fs::write(&file, format!("#!/bin/sh\n{content}\n")).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
            file
        };
        let said = directory.path().join("said");
        let good = script(
            "good",
            &format!("echo \"$@\" > {}; echo $HOME >> {0}", said.display()),
        );
        let maps = IdMaps::new(
            (0..30)
                .map(|n| IdMap::new(n, 1000 + n, 1))
                .collect::<Vec<_>>(),
        );
        run(&good, 99, &maps, "newuidmap").unwrap();
        let text = std::fs::read_to_string(&said).unwrap();
        assert!(text.starts_with("99 0 1000 1 1 1001 1 "), "{text}");
        assert!(text.contains(" 29 1029 1\n\n"), "{text}");
        let bad = script("bad", "echo not allowed >&2; exit 1");
        let error = run(&bad, 99, &maps, "newuidmap").unwrap_err();
        assert_eq!(
            error.to_string(),
            "failed to use newuidmap on 99 (exit status 1): not allowed"
        );
    }
}
