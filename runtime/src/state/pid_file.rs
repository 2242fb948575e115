//! Pid files.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::error::{Error, Result};

/// Writes `pid` in decimal, without a newline, to a new file `.NAME` beside `path`, and renames it
/// there: a reader sees the whole number or no file.
///
/// # Errors
/// [`ErrorKind::System`](crate::ErrorKind::System), also if `.NAME` exists.
pub fn write_pid_file(path: &Path, pid: i32) -> Result<()> {
    let name = path
        .file_name()
        .ok_or_else(|| Error::config(format!("pid file {}: not a file name", path.display())))?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    let temporary = path.with_file_name(hidden);
    let failed =
        |what: &str, error| Error::system(format!("{what} pid file {}", path.display()), error);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o666)
        .custom_flags(libc::O_SYNC)
        .open(&temporary)
        .map_err(|error| failed("create", error))?;
    let written = file
        .write_all(pid.to_string().as_bytes())
        .map_err(|error| failed("write", error));
    let result = written
        .and_then(|()| fs::rename(&temporary, path).map_err(|error| failed("rename", error)));
    if result.is_err() {
        // Whatever removing it says, the first error is the one to tell.
        let _ = fs::remove_file(&temporary);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_an_old_file_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        fs::write(&path, "old and longer").unwrap();
        write_pid_file(&path, 42).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "42");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_rename_removes_the_temporary_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        fs::create_dir(&path).unwrap();
        assert!(write_pid_file(&path, 42).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_path_without_a_name_is_refused() {
        assert!(write_pid_file(Path::new("/"), 1).is_err());
    }
}
